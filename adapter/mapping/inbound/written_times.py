"""Days and moments as hospitals' systems write them. Pure.

A moment without a zone is Viet Nam's. A precision is not made up: a day stays a day.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

__all__ = ["read_date", "read_time"]

_VIETNAM: Final = timezone(timedelta(hours=7))
_CLOCK = r"(?P<hour>\d\d?)[:h](?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
_ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
_YEAR_FIRST = r"(?P<year>\d{4})(?P<between>[-/.])(?P<month>\d\d?)(?P=between)(?P<day>\d\d?)"
_DAY_FIRST = r"(?P<day>\d\d?)(?P<between>[-/.])(?P<month>\d\d?)(?P=between)(?P<year>\d{4})"
_SPELLINGS: Final = tuple(
    re.compile(one, re.ASCII)
    for one in (
        rf"{_YEAR_FIRST}(?:[T ]\s*{_CLOCK}\s*{_ZONE})?",
        rf"{_DAY_FIRST}(?:[T ]\s*{_CLOCK}\s*{_ZONE})?",
        rf"{_CLOCK}\s*(?:ngày\s*)?{_DAY_FIRST}",
        rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d)"
        rf"(?:T?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?:\.(?P<part>\d{{1,9}}))?{_ZONE})?",
    )
)
_PARTIAL: Final = re.compile(
    r"(?P<year>\d{4})(?:[-/](?P<month>\d\d))?|(?P<month2>\d\d?)/(?P<year2>\d{4})", re.ASCII
)
_LONGEST: Final = 60


def read_time(written: str) -> date | None:
    """A moment, or a day where no time is written; None of what is neither: `2026-11-02T08:00:00+07:00`,
    `02/11/2026 08:00`, `08:00 02/11/2026`, `20261102080000`, `2026-11-02`.
    """
    text = " ".join(written.split())
    if len(text) > _LONGEST:
        return None
    for spelling in _SPELLINGS:
        found = spelling.fullmatch(text)
        if found is not None:
            return _moment(found.groupdict())
    return None


def read_date(written: str) -> date | str | None:
    """A day; `1960-05` or `1960` where no more is known; None of what is neither, or has a time beside it."""
    found = read_time(written)
    if found is not None:
        return None if isinstance(found, datetime) else found
    partial = _PARTIAL.fullmatch(written.strip())
    if partial is None:
        return None
    year, month = partial["year"] or partial["year2"], partial["month"] or partial["month2"]
    if not int(year) >= 1 or (month and not 1 <= int(month) <= 12):
        return None
    return f"{year}-{int(month):02}" if month else year


def _moment(found: dict[str, str | None]) -> date | None:
    try:
        day = date(*(int(found[name] or 0) for name in ("year", "month", "day")))
        if found.get("hour") is None:
            return day
        part = ((found.get("part") or "") + "000000")[:6]
        clock = (int(found["hour"] or 0), int(found["minute"] or 0), int(found.get("second") or 0), int(part))
        return datetime(day.year, day.month, day.day, *clock, tzinfo=_zone(found.get("zone")))
    except ValueError:
        return None


def _zone(written: str | None) -> timezone:
    """Raises ValueError for one that is none."""
    if written is None:
        return _VIETNAM
    if written == "Z":
        return UTC
    hours, minutes = int(written[1:3]), int(written[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError("no zone")
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if written[0] == "-" else ahead)
