"""Dates of which only the year, or year and month, is known, as FHIR writes them: `1962`, `1962-05`, and
moments of which only the day is known
(http://hl7.org/fhir/R4/datatypes.html#date). Old people's papers often say no more.
"""

from datetime import date, datetime, timedelta, timezone
from typing import Annotated

from pydantic import StringConstraints

__all__ = ["PartialDate", "centre_day", "earliest_day", "is_before", "latest_day", "year_of"]

PartialDate = Annotated[str, StringConstraints(pattern=r"^\d{4}(-(0[1-9]|1[0-2]))?$")]


_CENTRE = timezone(timedelta(hours=7))


def centre_day(value: date) -> date:
    """The day at the centre, of a day or of a moment."""
    return value.astimezone(_CENTRE).date() if isinstance(value, datetime) else value


def is_before(one: date, two: date) -> bool:
    """Whether a day or moment is certainly before another: a day is before no moment within it."""
    if isinstance(one, datetime) and isinstance(two, datetime):
        return one < two
    return centre_day(one) < centre_day(two)


def year_of(value: date | str) -> int:
    """The year, which is always known."""
    return value.year if isinstance(value, date) else int(value[:4])


def earliest_day(value: date | str) -> date:
    """The first day that it can be."""
    if isinstance(value, date):
        return value
    return date(int(value[:4]), int(value[5:] or 1), 1)


def latest_day(value: date | str) -> date:
    """The last day that it can be."""
    if isinstance(value, date):
        return value
    year, month = int(value[:4]), int(value[5:] or 12)
    following = date(year + month // 12, month % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)
