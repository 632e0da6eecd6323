"""What a file says where its letters do not show it: its sheets are base64. For who looks for somebody in
files that could not be read. Pure.
"""

import base64
import re
from typing import Final

__all__ = ["sheet_texts"]

_RUN: Final = re.compile(r"[A-Za-z0-9+/][A-Za-z0-9+/\s]{30,}")
_GROUP: Final = 4  # letters of base64 that are three bytes


def sheet_texts(text: str) -> str:
    """All that is base64 in a text with tags, as text. A run may begin in the middle of a group: where
    letters were lost before it.
    """
    if "<" not in text:
        return ""
    return "\n".join(_read(run[0]) for run in _RUN.finditer(text))


def _read(run: str) -> str:
    letters = "".join(run.split())
    found = []
    for start in range(_GROUP):
        end = start + (len(letters) - start) // _GROUP * _GROUP
        rest = letters[end:]
        whole = letters[start:end] + (rest + "=" * (_GROUP - len(rest)) if len(rest) > 1 else "")
        found.append(base64.b64decode(whole).decode("utf-8", "ignore"))
    return "\n".join(found)
