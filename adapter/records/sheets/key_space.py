"""Keys of another centre's list: two provinces that became one count their people each for themselves, so the
other's keys carry a mark, and no two people share a key.
"""

import re

from adapter.records.sheets.columns import CellParser

__all__ = ["KEY_SPACE_MARK", "in_key_space", "key_space_in", "key_space_of"]

KEY_SPACE_MARK = "@"
_KEYS = frozenset({"key", "cadre", "visit"})
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")


def key_space_of(name: str | None) -> str | None:
    """The ending of the keys of the list `name`, "" for None; None where the name cannot be one."""
    if name is None:
        return ""
    return f"{KEY_SPACE_MARK}{name}" if _NAME.fullmatch(name) else None


def key_space_in(key: str) -> str:
    """The ending of the list that a key is of, "" for the centre's own."""
    _, mark, name = key.rpartition(KEY_SPACE_MARK)
    return f"{mark}{name}" if mark else ""


def in_key_space(field: str, parse: CellParser, ending: str) -> CellParser:
    """How a cell of the field is read, given how it is read among the centre's own; a key with the ending of
    its list.
    """
    if not ending or field not in _KEYS:
        return parse
    return lambda cell: f"{parse(cell)}{ending}"
