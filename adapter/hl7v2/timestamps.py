"""Dates and times of HL7 v2 (TS, DTM, DT, TM) as FHIR R4 writes them. Pure.

A zone that is missing is that of MSH-7, and else Viet Nam's. A precision is not made up: a day stays a day.
"""

import re
from datetime import date
from typing import Final

from adapter.hl7v2.message import Message, Segment
from adapter.hl7v2.refusals import BAD_VALUE, SegmentPlace, refusal

__all__ = ["clock_time", "date_time", "instant", "moment_at", "zone_of"]

_VIETNAM: Final = "+07:00"
_TIMESTAMP: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.(?P<part>\d{1,4}))?)?)?)?)?)?(?P<zone>[+-]\d{4})?"
)
_TIME: Final = re.compile(r"(\d\d)(\d\d)(?:(\d\d)(\.\d{1,4})?)?(?:[+-]\d{4})?")


def zone_of(message: Message) -> str:
    """The zone of times without one (`+07:00`): as MSH-7 has it."""
    found = re.search(r"([+-]\d\d)(\d\d)$", message.msh.first(7))
    return f"{found[1]}:{found[2]}" if found else _VIETNAM


def date_time(written: str, zone: str, place: SegmentPlace) -> str | None:
    """A FHIR date or dateTime; None of nothing. Raises MessageRefused for what is none."""
    if not written:
        return None
    found = _TIMESTAMP.fullmatch(written)
    if found is None:
        raise refusal("AE", BAD_VALUE, "bad_time", place)
    try:
        date(*(int(found[name] or 1) for name in ("year", "month", "day")))
    except ValueError:
        raise refusal("AE", BAD_VALUE, "bad_time", place) from None
    day = "-".join(filter(None, (found["year"], found["month"], found["day"])))
    if found["minute"] is None:  # FHIR has no hour without its minutes
        return day
    second = found["second"] or "00"
    if int(found["hour"]) > 23 or int(found["minute"]) > 59 or int(second) > 59:
        raise refusal("AE", BAD_VALUE, "bad_time", place)
    part = f".{found['part']}" if found["part"] else ""
    own = found["zone"]
    return f"{day}T{found['hour']}:{found['minute']}:{second}{part}{f'{own[:3]}:{own[3:]}' if own else zone}"


def moment_at(segment: Segment, field: int, zone: str, component: int = 1) -> str | None:
    """The date or dateTime of a field."""
    return date_time(segment.first(field, component), zone, segment.at(field))


def instant(moment: str | None) -> str | None:
    """The same as an instant; None of what has no time."""
    return moment if moment and "T" in moment else None


def clock_time(written: str) -> str | None:
    """A time of the day (`15:05:00`); None of what is none."""
    found = _TIME.fullmatch(written)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        return None
    return f"{found[1]}:{found[2]}:{found[3] or '00'}{found[4] or ''}"
