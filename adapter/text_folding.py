"""One folding for both sides of every comparison of words: letter case, accents and spacing of
Vietnamese are written in many ways (`Tỉnh ủy`, `Tỉnh uỷ`, `TINH UY`), and all must be found.
"""

import re
import unicodedata

__all__ = ["accented_words", "compile_folded_pattern", "digit_runs", "fold_text", "word_sequence"]

_D = str.maketrans("đĐ", "dD")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"\d(?:[ .\-]{0,2}\d){7,}")
_NOT_DIGIT = re.compile(r"\D")


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
    plain = unicodedata.normalize("NFC", text).casefold()
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
