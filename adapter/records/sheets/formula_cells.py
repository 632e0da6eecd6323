"""Text that a spreadsheet would take for a formula: marked with an apostrophe where we write CSV, and given
back as it was where we read it.
"""

import re

__all__ = ["defused", "restored"]

_BEGINS = re.compile(r"'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_MARKED = re.compile(r"'+[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")


def defused(cell: object) -> object:
    """What is written for a cell: `=1+1` as `'=1+1`. Numbers stay, -5 and +84 912 too."""
    if not isinstance(cell, str) or not _BEGINS.match(cell) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def restored(cell: str) -> str:
    """The cell that was written so."""
    return cell[1:] if _MARKED.match(cell) else cell
