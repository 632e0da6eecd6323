"""Parsers of single cells in Vietnamese formats. Pure.

A cell is what a spreadsheet holds: text, a number, a date. Every parser returns the value in the
record's form or raises CellError with the key of a text in `import` that says what is expected.
Nothing is guessed: a number that Excel has cut a zero from is refused, not padded.
"""

import re
import unicodedata
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

from adapter.text_folding import unify_letters, without_invisible

__all__ = [
    "NOT_CALCULATED",
    "SPREADSHEET_ERRORS",
    "VIETNAM_OFFSET",
    "CellError",
    "CellValue",
    "cell_text",
    "is_blank",
    "is_number",
    "parse_boolean",
    "parse_date",
    "parse_date_or_datetime",
    "parse_datetime",
    "parse_decimal",
    "parse_key",
    "parse_list",
    "parse_name",
    "parse_positive_integer",
    "parse_small_integer",
    "parse_text",
    "parse_value_as_written",
]

CellValue = Any  # str | int | float | bool | date | datetime | time | timedelta, as calamine gives them

VIETNAM_OFFSET = timezone(timedelta(hours=7))  # one zone, no daylight saving since 1975
# The 34 provinces since 1 July 2025 (Decision 19/2025/QĐ-TTg).
_MAX_TEXT = 4000
_MAX_KEY = 99  # two of them and a slash fit the column


class CellError(ValueError):
    """The cell is not what the column holds. `expected` is a text key, `params` fill it."""

    def __init__(self, expected: str, **params: object) -> None:
        super().__init__(expected)
        self.expected = expected
        self.params = params


def number_text(value: float) -> str:
    """A number as Excel shows it: 15 significant digits, no exponent, no trailing ".0"."""
    if isinstance(value, int) or not isfinite(value):
        return str(value)
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return format(Decimal(format(value, ".15g")), "f")


@lru_cache(maxsize=20_000)
def _clean(value: str) -> str:
    return " ".join(without_invisible(value).split())


@lru_cache(maxsize=20_000)
def _unified(value: str) -> str:
    return unify_letters(_clean(value))


def cell_text(value: CellValue) -> str:
    """Any cell as text: NFC, single spaces, nothing invisible, numbers as Excel shows them, dates in ISO
    form. Its letters stay: a key is known by them.
    """
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return number_text(value)
    return value.isoformat() if isinstance(value, date | datetime | time) else str(value)


def is_blank(written: str) -> bool:
    """Whether nothing can be seen of a cell: spaces, marks without width."""
    return written.isspace() or (not written.isascii() and not _clean(written))


def parse_text(value: CellValue) -> str:
    """Free text, at most 4000 characters, with one Đ."""
    found = _unified(value) if isinstance(value, str) else cell_text(value)
    if len(found) > _MAX_TEXT or not found.isprintable():
        raise CellError("expect_text")
    return found


def parse_key(value: CellValue) -> str:
    """A record's own key: at most 99 printable characters; a number counts as its digits."""
    found = cell_text(value)
    if not found or len(found) > _MAX_KEY or not found.isprintable():
        raise CellError("expect_key")
    return found


def parse_name(value: CellValue) -> str:
    """A person's name, with one Đ: letters of any script, spaces, and the few marks that names hold."""
    found = unify_letters(cell_text(value))
    letters = found.translate(_NAME_MARKS)
    if not letters or not all(unicodedata.category(letter)[0] in "LM" for letter in letters):
        raise CellError("expect_name")
    if (
        not letters.isascii()
        and len(_SCRIPTS & {unicodedata.name(one, "").split(" ")[0] for one in letters}) > 1
    ):
        raise CellError("expect_one_script")  # with a Cyrillic А nobody finds the name
    return found


_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK"})  # whose letters look alike
_NAME_MARKS = str.maketrans("", "", " .'’-()")


# dates -------------------------------------------------------------------------------------------

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](.+))?")
_SLASH = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[T ](.+))?")
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(?:\d{2})?|[T ](.+))?")
_TIME = re.compile(r"(\d{1,2})[:hg](\d{2})(?::(\d{2})(?:\.\d+)?)? ?(Z|[+-]\d{2}:?\d{2})?")


def parse_date(value: CellValue) -> date:
    """A date: YYYY-MM-DD, DD/MM/YYYY, YYYYMMDD, or a date cell. A time of day is dropped if midnight."""
    found = parse_datetime(value, expected="expect_date")
    if found.timetz().replace(tzinfo=None) != time(0):
        raise CellError("expect_date")
    return found.date()


def parse_date_or_datetime(value: CellValue) -> date | datetime:
    """All forms of `parse_datetime`; a date where no time of day is written. Midnight is none."""
    found = parse_datetime(value)
    return found.date() if found.timetz().replace(tzinfo=None) == time(0) else found


def parse_datetime(value: CellValue, *, expected: str = "expect_instant") -> datetime:
    """A date with an optional time: as `parse_date`, or YYYYMMDDHHMM, HH:MM. +07:00 unless it says so."""
    if isinstance(value, datetime):
        found = value if value.tzinfo else value.replace(tzinfo=VIETNAM_OFFSET)
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day, tzinfo=VIETNAM_OFFSET)
    else:
        found = _written_instant(cell_text(value), expected)
    if not 1900 <= found.year <= 2100:
        raise CellError(expected)
    return found


@lru_cache(maxsize=20_000)
def _written_instant(written: str, expected: str) -> datetime:
    clock: str | None = None
    if match := _ISO.fullmatch(written):
        year, month, day_, clock = match.groups()
    elif match := _SLASH.fullmatch(written):
        day_, month, year, clock = match.groups()
    elif match := _DIGITS.fullmatch(written):
        year, month, day_, hour, minute, clock = match.groups()
        clock = f"{hour}:{minute}" if hour else clock
    else:
        raise CellError(expected)
    try:
        hour_, minute_, second, zone = _clock(clock, expected)
        return datetime(int(year), int(month), int(day_), hour_, minute_, second, tzinfo=zone)
    except ValueError as error:  # 31/02, 25:00; a CellError too
        raise CellError(expected) from error


def _clock(written: str | None, expected: str) -> tuple[int, int, int, timezone]:
    if not written:
        return 0, 0, 0, VIETNAM_OFFSET
    match = _TIME.fullmatch(written)
    if match is None:
        raise CellError(expected)
    hour, minute, second, zone = match.groups()
    return int(hour), int(minute), int(second or 0), _zone(zone)


def _zone(written: str | None) -> timezone:
    if not written:
        return VIETNAM_OFFSET
    if written == "Z":
        return timezone(timedelta(0))
    hours, minutes = int(written[1:3]), int(written[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if written[0] == "-" else offset)


# numbers -----------------------------------------------------------------------------------------

_GROUPED = re.compile(r"\d{1,3}(?:([.,  ])\d{3})(?:\1\d{3})*(?:([.,])\d+)?", re.ASCII)
_SIMPLE = re.compile(r"[+-]?\d+(?:[.,]\d+)?", re.ASCII)
_COMPARED = re.compile(r"(<=|>=|≤|≥|<|>) ?(.+)")
_PAIR = re.compile(r"(\d{1,3}(?:[.,]\d+)?) ?/ ?(\d{1,3}(?:[.,]\d+)?)", re.ASCII)
_COMPARATORS = {"≤": "<=", "≥": ">="}


def _normal_number(written: str) -> str | None:
    """Digits with a decimal point, or None. One separator alone is the decimal one: 1.015 and 1,015
    are both 1.015; thousands show by a second separator: 1.234,5 and 1,234.5 and 1.234.567.
    """
    if _SIMPLE.fullmatch(written):
        return written.replace(",", ".").removeprefix("+")
    match = _GROUPED.fullmatch(written)
    if match is None:
        return None
    grouping, point = match.groups()
    if point == grouping:
        return None
    return written.replace(grouping, "").replace(",", ".")


def parse_decimal(value: CellValue) -> Decimal:
    """A number, decimal comma or point, digits kept: "5,30" is Decimal("5.30"); "5 %" is 5."""
    if isinstance(value, bool):
        raise CellError("expect_decimal")
    found = _normal_number(cell_text(value).removesuffix("%").rstrip())
    if found is None:
        raise CellError("expect_decimal")
    return Decimal(found)


def parse_small_integer(value: CellValue) -> int:
    """A whole number from 0 to 999."""
    found = cell_text(value)
    if isinstance(value, bool) or not found.isascii() or not found.isdigit() or len(found) > 3:
        raise CellError("expect_whole")
    return int(found)


def parse_positive_integer(value: CellValue) -> int:
    """A whole number from 1 to 999."""
    found = cell_text(value)
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,3}", found) or int(found) == 0:
        raise CellError("expect_positive")
    return int(found)


def parse_value_as_written(value: CellValue) -> str:
    """A measured value in normal form: "5.30", "<0.1", "120/80", or text such as "âm tính"."""
    if is_number(value) and (isinstance(value, int) or isfinite(value)):
        return number_text(value)
    if isinstance(value, bool) or is_number(value):  # infinity is no value either
        raise CellError("expect_value_no_truth")
    if not isinstance(value, str):
        raise CellError("expect_value")  # Excel makes a date of 8/10
    return _measured(value)


@lru_cache(maxsize=50_000)
def _measured(value: str) -> str:
    found = parse_text(value)
    if number := _normal_number(found):
        return number
    if match := _COMPARED.fullmatch(found):
        comparator, rest = match.groups()
        number = _normal_number(rest)
        return f"{_COMPARATORS.get(comparator, comparator)}{number}" if number else found
    if match := _PAIR.fullmatch(found):
        return "/".join(part.replace(",", ".") for part in match.groups())
    return found


_YES = frozenset({"1", "x", "có", "co", "yes", "y", "true", "đúng"})
_NO = frozenset({"0", "không", "khong", "no", "n", "false", "sai"})


def parse_boolean(value: CellValue) -> bool:
    """Yes or no: có/không, x, 1/0, yes/no, true/false."""
    found = unify_letters(cell_text(value)).casefold()
    if found in _YES:
        return True
    if found in _NO:
        return False
    raise CellError("expect_boolean")


def parse_list(value: CellValue) -> tuple[str, ...]:
    """Words joined with ";" or ",", each once, in the order written."""
    parts = (part.strip() for part in re.split(r"[;,]", parse_text(value)))
    return tuple(dict.fromkeys(part for part in parts if part))


# What a formula says that failed.
NOT_CALCULATED = "#NOT_CALCULATED"  # a formula whose result the file does not hold
SPREADSHEET_ERRORS = {NOT_CALCULATED} | frozenset(
    ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#FIELD!"]
)


def is_number(value: CellValue) -> bool:
    """Whether a spreadsheet holds it as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
