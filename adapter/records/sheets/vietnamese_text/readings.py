"""Whether a text is Vietnamese as it stands, and how it reads in the encodings of old fonts."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from adapter.records.sheets.vietnamese_text.legacy_encodings import (
    FONTS,
    LEGACY_ENCODINGS,
    is_of_a_font,
    read_as,
)
from adapter.records.sheets.vietnamese_text.syllables import is_letter, is_syllable
from adapter.text_folding import unify_letters

__all__ = ["all_readings", "is_vietnamese", "legacy_readings", "loose_reading", "other_reading"]

_WORD = re.compile(r"[^\s\x00-\x40\x5b-\x60\x7b-\x7f]+")

_UNICODE = re.compile("[\u1ea0-\u1ef9]")  # ạ to ỹ: no code page of these has one, most Vietnamese text does


@lru_cache(maxsize=20_000)
def legacy_readings(text: str) -> Mapping[str, str]:
    """Encoding -> what it says, of a text that nobody writes so and that is Vietnamese in that encoding.

    Empty for Vietnamese, and for what is Vietnamese in none: foreign names, units.
    """
    if _UNICODE.search(text):
        return {}
    text = unicodedata.normalize("NFC", text)
    if text.isascii() or not _odd_words(text) or not _odd_words(unify_letters(text)):
        return {}
    return {encoding: read for encoding in LEGACY_ENCODINGS if (read := _reading(encoding, text))}


def all_readings(text: str) -> Iterator[str]:
    """The text in every encoding, as it stands first: for who knows which texts there can be."""
    yield text
    if not text.isascii():
        yield from (read_as(encoding, text) for encoding in LEGACY_ENCODINGS)


def is_vietnamese(text: str) -> bool:
    """Whether every word with marks is Vietnamese as it stands."""
    return not _odd_words(unicodedata.normalize("NFC", text))


def other_reading(encoding: str, text: str) -> str | None:
    """What a text that may be Vietnamese as it stands says in that encoding; None if it is nothing there."""
    text = unicodedata.normalize("NFC", text)
    return None if text.isascii() else _reading(encoding, text)


def loose_reading(encoding: str, text: str) -> str | None:
    """What a text of a column that is in that encoding throughout says: words of other languages too, as long
    as their letters are Vietnamese. None if that is nothing else.
    """
    text = unicodedata.normalize("NFC", text)
    if text.isascii() or not is_of_a_font(text):
        return None
    read = read_as(encoding, text)
    one_case = all(word in (word.lower(), word.upper(), word.capitalize()) for word in _changed(text, read))
    return read if read != text and one_case and all(map(_is_vietnamese_letter, read)) else None


def _is_vietnamese_letter(letter: str) -> bool:
    return not letter.isalpha() or letter in "µ" or is_letter(letter)


def _reading(encoding: str, text: str) -> str | None:
    if encoding in FONTS and not is_of_a_font(text):
        return None
    read = read_as(encoding, text)
    if encoding not in FONTS:
        return read if read != text else _with_lost_spaces(encoding, text)  # nothing decodes by chance
    changed = _changed(text, read)
    good = read != text and all(map(_is_vietnamese, changed))
    return read if good and any(len(word) > 1 for word in changed) else None


def _with_lost_spaces(encoding: str, text: str) -> str | None:
    """The byte A0 of à is a space that cannot be seen, and becomes a plain one."""
    for space in ("\xa0", "\xa0 "):
        written = text.replace("Ã ", f"Ã{space}")
        read = read_as(encoding, written)
        if read != written and not _odd_words(read):
            return read
    return None


def _changed(text: str, read: str) -> list[str]:
    before = set(_WORD.findall(text))
    return [word for word in _WORD.findall(read) if word not in before and any(map(str.isalpha, word))]


def _is_vietnamese(word: str) -> bool:
    """A syllable in one case, or capitals with a Đ, such as ĐNT."""
    if is_syllable(word):
        return word in (word.lower(), word.upper(), word.capitalize())
    return word.isupper() and word.replace("Đ", "D").isascii()


def _odd_words(text: str) -> list[str]:
    words = (word for word in _WORD.findall(text) if not word.isascii() and len(word) > 1)
    return [word for word in words if not _is_vietnamese(word)]
