"""Moments of the insurer's XML (yyyyMMdd, yyyyMMddHHmm) as FHIR R4 writes them. Pure.

They are Viet Nam's. A precision is not made up: a day stays a day.
"""

import re
from datetime import date, datetime
from typing import Final

from adapter.errors import FhirError
from adapter.national_xml.refusals import FilePlace, file_refusal

__all__ = ["birth_date_of", "has_time", "moment_of"]

_ZONE: Final = "+07:00"
_MOMENT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?", re.ASCII)


def moment_of(written: str, place: FilePlace) -> str | None:
    """A FHIR date or dateTime; None of nothing. Raises FhirError for what is none."""
    if not written:
        return None
    found = _MOMENT.fullmatch(written)
    if found is None:
        raise _no_moment(place)
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups())
    try:
        if hour is None:
            return date(year or 0, month or 0, day or 0).isoformat()
        moment = datetime(year or 0, month or 0, day or 0, hour, minute or 0, second or 0)  # noqa: DTZ001 - its zone is written behind
    except ValueError:
        raise _no_moment(place) from None
    return f"{moment.isoformat()}{_ZONE}"


def has_time(moment: str | None) -> bool:
    """Whether a moment of `moment_of` is an instant."""
    return moment is not None and "T" in moment


def birth_date_of(written: str, place: FilePlace) -> str | None:
    """The day of birth, or year or month where the rest is zeros (19600000). Raises FhirError."""
    if not written:
        return None
    found = _MOMENT.fullmatch(written)
    if found is None:
        raise _no_moment(place)
    year, month, day = found[1], found[2], found[3]
    known = 1 if month == "00" else 2 if day == "00" else 3
    try:
        date(int(year), int(month) or 1, int(day) or 1)
    except ValueError:
        raise _no_moment(place) from None
    return "-".join((year, month, day)[:known])


def _no_moment(place: FilePlace) -> FhirError:
    return file_refusal(422, "value", "bad_time", place)
