"""What a person reads for the name of a field and for what it holds, in the language in use."""

import re
from collections.abc import Mapping
from functools import cache

from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.columns import Column
from adapter.records.sheets.layout import SHEETS
from adapter.texts import current_language, has_text, say

__all__ = ["choice_label", "field_label", "plain_number", "problem_words", "value_label"]

_DATES = frozenset({"expect_date", "expect_instant", "expect_birth_date"})
_ISO = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?(?:[T ](\d\d:\d\d)(?::\d\d)?(?:\.\d+)?(?:[+-]\d\d:?\d\d)?)?")
_NUMBERS = ("read", "other", "one", "two")
_FRACTION = re.compile(r"(?<=\d)\.(\d*?)0*(?!\d)")
_TRUTH = {"True": "yes", "False": "no"}
# What hospitals say and no sheet has a column for.
_OF_HOSPITALS = frozenset({("referral", "state"), ("result", "status"), ("result_value", "status")})


@cache
def _column(kind: str, field: str) -> Column | None:
    columns = (column for sheet in SHEETS if sheet.kind == kind for column in sheet.columns)
    return next((one for one in columns if one.field == field), None)


def field_label(kind: str, field: str) -> str:
    """What a clerk calls a field of a record: its column's header in the language in use, else its name."""
    column = _column(kind, field)
    return column.header(current_language()) if column else field


def choice_label(kind: str, field: str, value: str) -> str:
    """The words for a code of a field that holds one of a list, several of them parted by "; ": an import
    reads them as that code again. What is no such code stays as it is.
    """
    if (kind, field) in _OF_HOSPITALS:
        return say(f"code.{value}") if has_text(f"code.{value}") else value
    column = _column(kind, field)
    choices = CHOICE_LISTS.get(column.choice or "") if column else None
    if choices is None:
        return value
    codes, language = choices.codes, current_language()
    parts = (_TRUTH.get(part, part) for part in value.split("; "))
    return "; ".join(choices.label(part, language) if part in codes else part for part in parts)


def value_label(kind: str, field: str, value: str) -> str:
    """A stored value as a message shows it: a code in words, a day as clerks write it."""
    column = _column(kind, field)
    if column is None or column.expected not in _DATES or current_language() != "vi":
        return choice_label(kind, field, value)
    match = _ISO.fullmatch(value)
    if match is None:
        return value
    year, month, day, clock = match.groups()
    return " ".join(filter(None, ("/".join(filter(None, (day, month, year))), clock)))


def problem_words(text: str, params: Mapping[str, object]) -> str:
    """What is wrong with a cell: a text of area `import`, codes among its params in words."""
    flag = params.get("flag")
    said = {"flag": choice_label("measurement", "flag", str(flag))} if flag else {}
    if "_separator" in text:
        said |= {name: plain_number(str(params[name])) for name in _NUMBERS if name in params}
    return say(f"import.{text}", **{**params, **said})


def plain_number(written: str) -> str:
    """A number with a decimal point so that nobody takes what is behind it for thousands: 250.000 is 250."""
    comma = "," if current_language() == "vi" else "."
    return _FRACTION.sub(lambda match: f"{comma}{match[1]}" if match[1] else "", written)
