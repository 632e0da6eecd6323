"""Escape sequences of HL7 v2 text (v2.5.1, chapter 2.7). Pure."""

import re
from collections.abc import Callable
from typing import Final

__all__ = ["unescaped"]

_FORMATTING: Final = re.compile(r"\.(br|sp|in|ti|sk|fi|nf|ce)\s*[+-]?\d*", re.IGNORECASE)
_NEW_LINE: Final = ("br", "sp", "ce")
_HEXADECIMAL: Final = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def unescaped(text: str, escape: str, delimiters: dict[str, str], decode: Callable[[bytes], str]) -> str:
    """The text that was meant. `delimiters` are the letters F, S, T, R, E with what each stands for, `decode`
    reads the bytes of `\\Xhh..\\`. What is no sequence stays as it is written: a path with backslashes, a
    sequence of the sender's own.
    """
    if not escape or escape not in text:
        return _printable(text)
    parts = text.split(escape)
    found, place = [parts[0]], 1
    while place < len(parts):
        meant = _meant(parts[place], delimiters, decode) if place + 1 < len(parts) else None
        if meant is None:
            found.append(escape + parts[place])
            place += 1
        else:
            found += (meant, parts[place + 1])
            place += 2
    return _printable("".join(found))


def _meant(sequence: str, delimiters: dict[str, str], decode: Callable[[bytes], str]) -> str | None:
    if sequence in delimiters:
        return delimiters[sequence]
    if sequence in ("H", "N"):
        return ""  # highlighting begins and ends
    if found := _HEXADECIMAL.fullmatch(sequence):
        try:
            return decode(bytes.fromhex(found[1]))
        except UnicodeDecodeError:
            return None
    if found := _FORMATTING.fullmatch(sequence):
        return "\n" if found[1].lower() in _NEW_LINE else ""
    return None


def _printable(text: str) -> str:
    """Without control characters, which neither JSON's readers nor databases take; lines end in LF."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
