"""The formats of FHIR R4's primitives that matter on the way in and out (datatypes.html#primitive)."""

import re
from datetime import date
from typing import Final

__all__ = ["is_code", "is_date", "is_date_time", "is_id", "is_instant", "is_reference", "target_of"]

_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_TIME: Final = re.compile(
    r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?(Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)"
)
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_CODE: Final = re.compile(r"[^\s]+( [^\s]+)*")
_REFERENCE: Final = re.compile(
    r"(?:[a-z][a-z0-9+.\-]*://\S+/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?"
    r"|([A-Z][A-Za-z]+)\?[^\s=]+=\S+"
    r"|urn:(?:uuid|oid):[0-9A-Za-z.\-]+|[a-z][a-z0-9+.\-]*://\S+|#\S*"
)


def is_date(value: str) -> bool:
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD` of a day that exists."""
    match = _DATE.fullmatch(value)
    if match is None:
        return False
    year, month, day = (int(part) if part else 1 for part in match.groups())
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_date_time(value: str) -> bool:
    """A date, or a date with a time to the second and an offset."""
    if "T" not in value:
        return is_date(value)
    return is_instant(value)


def is_instant(value: str) -> bool:
    """A full date with a time to the second and an offset."""
    day, _, time = value.partition("T")
    return len(day) == 10 and is_date(day) and _TIME.fullmatch(time) is not None


def is_id(value: str) -> bool:
    """Letters, digits, `-` and `.`, 64 at most."""
    return _ID.fullmatch(value) is not None


def is_code(value: str) -> bool:
    """No white space at either end, single spaces inside."""
    return _CODE.fullmatch(value) is not None


def is_reference(value: str) -> bool:
    """Literal, absolute, conditional (`Patient?identifier=…`), `urn:uuid:` or contained (`#id`)."""
    return _REFERENCE.fullmatch(value) is not None


def target_of(reference: str) -> str | None:
    """The type that a literal or conditional reference points to; None where it does not say."""
    match = _REFERENCE.fullmatch(reference)
    return (match[1] or match[2]) if match else None
