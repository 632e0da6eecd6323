"""How two dates of birth agree, as people write and mistake them. Pure."""

from functools import lru_cache
from typing import Final

from adapter.linkage.spelling import one_slip

__all__ = ["DATE_LEVELS", "compare_dates"]

DATE_LEVELS: Final = (
    "same-day",
    "same-month",  # no day is known
    "same-year",  # nothing else is known of one of them
    "unknown-day",  # one is 1 January, which is written where only the year is known
    "turned",  # day and month in each other's place
    "slip",  # one digit
    "other-year",  # the same day of another year
    "other-month-or-day",  # the same year
    "near-year",  # one year apart, where one of them is known by its year alone
    "other",
)
_DAY, _MONTH, _YEAR = len("1955-03-14"), len("1955-03"), len("1955")
_NEW_YEAR = "-01-01"


@lru_cache(maxsize=50_000)
def compare_dates(said: str, own: str) -> str | None:
    """A level of DATE_LEVELS; None where either says nothing. Dates are ISO 8601: a day, month or year."""
    said, own = said[:_DAY], own[:_DAY]
    if len(said) < _YEAR or len(own) < _YEAR:
        return None
    if said == own:
        return "same-day" if len(own) == _DAY else "same-month" if len(own) == _MONTH else "same-year"
    if min(len(said), len(own)) < _DAY:
        return _compare_parts(said, own)
    return _compare_days(said, own)


def _compare_parts(said: str, own: str) -> str:
    shorter, longer = sorted((said, own), key=len)
    if longer.startswith(shorter):
        return "same-month" if len(shorter) == _MONTH else "same-year"
    if said[:_YEAR] == own[:_YEAR]:
        return "unknown-day" if longer.endswith(_NEW_YEAR) else "other-month-or-day"
    years = [one[:_YEAR] for one in (said, own)]
    near = all(map(str.isdecimal, years)) and abs(int(years[0]) - int(years[1])) == 1
    return "near-year" if near else "other"


def _compare_days(said: str, own: str) -> str:
    if said[:_YEAR] == own[:_YEAR]:
        if said[5:7] == own[8:10] and said[8:10] == own[5:7]:
            return "turned"
        if one_slip(said, own):
            return "slip"
        return "unknown-day" if said.endswith(_NEW_YEAR) or own.endswith(_NEW_YEAR) else "other-month-or-day"
    if said[_YEAR:] == own[_YEAR:] and not said.endswith(_NEW_YEAR):
        return "slip" if one_slip(said, own) else "other-year"
    if _NEW_YEAR in (said[_YEAR:], own[_YEAR:]):
        return _compare_parts(said[:_YEAR], own[:_YEAR])
    return "other"
