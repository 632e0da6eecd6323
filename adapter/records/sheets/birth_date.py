"""The cell of a date of birth: a day, or only a year, or a year and a month."""

import re
from datetime import date

from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text, parse_date

__all__ = ["parse_birth_date"]

# 1940 · 1940-05 · 1940-00-00 · 05/1940 · 00/00/1940 · 19400000 · 194000000000; zeros: what is not known.
_FORMS = (
    re.compile(r"(?P<year>\d{4})"),
    re.compile(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})(?:[-/.]00?)?"),
    re.compile(r"(?:00?[-/.])?(?P<month>\d{1,2})[-/.](?P<year>\d{4})"),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})00(?:0{4}(?:00)?)?"),
)


def parse_birth_date(value: CellValue) -> date | str:
    """A date, or `YYYY` or `YYYY-MM` where no more is written."""
    written = cell_text(value)
    for form in _FORMS if isinstance(value, str) else _FORMS[:1]:
        if match := form.fullmatch(written):
            return _partial(match.groupdict())
    return parse_date(value)


def _partial(found: dict[str, str | None]) -> str:
    year, month = int(found["year"] or 0), int(found.get("month") or 0)
    if not 1900 <= year <= 2100 or month > 12:
        raise CellError("expect_birth_date")
    return f"{year}-{month:02}" if month else str(year)
