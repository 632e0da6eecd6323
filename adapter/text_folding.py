"""One folding for both sides of every comparison of words: letter case, accents and spacing of
Vietnamese are written in many ways (`Tỉnh ủy`, `Tỉnh uỷ`, `TINH UY`), and all must be found.

Đ has look-alikes that other keyboards and old code pages give, and text that was copied brings letters that
nobody sees: `unify_letters` makes one text of all that look the same.
"""

import re
import unicodedata

__all__ = [
    "accented_words",
    "compile_folded_pattern",
    "digit_runs",
    "fold_text",
    "unify_letters",
    "without_invisible",
    "word_sequence",
]

# Eth of Windows-1252, African D, D with a stroke through its bowl, D and a combining stroke.
_LOOKALIKES = {"Đ": "\u00d0\u0189\ua7c7", "đ": "\u00f0\u0256\u1d6d\ua7c8"}
_OVERLAID = re.compile("([Dd])[\u0335\u0336]")
_STROKE = str.maketrans({look: letter for letter, looks in _LOOKALIKES.items() for look in looks})
# Soft hyphen, joiners, direction marks, byte order mark, variation selectors, fillers, invisible operators.
_INVISIBLE = dict.fromkeys(
    (
        *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0, 0x1BCA0),
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xFFF9, 0xFFFC),
        *range(0xE0000, 0xE0200),
    )
)
# For folding, which leaves out marks and invisible signs by their category.
_D = {**dict.fromkeys(_STROKE, "d"), **str.maketrans("đĐ", "dD"), 0x115F: None, 0x1160: None, 0x3164: None}
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"\d(?:[ .\-]{0,2}\d){7,}")
_NOT_DIGIT = re.compile(r"\D")


def without_invisible(text: str) -> str:
    """NFC, without what nobody sees."""
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_INVISIBLE))


def unify_letters(text: str) -> str:
    """NFC, without what nobody sees, and with one Đ for all that look like it."""
    if text.isascii():
        return text
    seen = _OVERLAID.sub(lambda found: "Đđ"[found[1] == "d"], text.translate(_INVISIBLE))
    return unicodedata.normalize("NFC", seen).translate(_STROKE)


def fold_text(text: str) -> str:
    """The text without case, accents, invisible characters and superfluous white space; `đ` is `d`."""
    if not text.isascii():
        text = _bare(text)
    return " ".join(text.casefold().split())


def _bare(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text).translate(_D)
    return "".join(sign for sign in spread if unicodedata.category(sign) not in ("Mn", "Cf"))


def word_sequence(folded: str) -> str:
    """A folded text as words only, a space between and around them, so that `" an "` is a whole word."""
    return f" {_NOT_WORD.sub(' ', folded).strip()} "


def accented_words(text: str) -> list[str]:
    """The words of a text with their accents, without case; `đ/c` is one word, `đc`."""
    plain = unify_letters(text).casefold()
    return re.findall(r"\w+", re.sub(r"\b([đd])[/.]\s?c\b", r"\1c", plain))


def digit_runs(folded: str) -> list[str]:
    """Numbers of 8 digits or more, without the spaces, points and dashes inside (`0912.345.678`)."""
    return [_NOT_DIGIT.sub("", run) for run in _DIGITS.findall(folded)]


def compile_folded_pattern(expressions: tuple[str, ...]) -> re.Pattern[str] | None:
    """Regular expressions, any of which is searched in folded text; None without any. They may be
    written with accents. Raises re.error for one that cannot be read.
    """
    for one in expressions:
        re.compile(one)  # each by itself, so that an error names it
    joined = "|".join(f"(?:{_bare(one)})" for one in expressions)
    return re.compile(joined, re.IGNORECASE) if expressions else None
