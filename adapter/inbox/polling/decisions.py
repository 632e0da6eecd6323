"""What is asked of a hospital's server, what of its answers concerns us, and up to where it was read. Pure.

A record of somebody else must not come into the centre: what is decided here is decided by numbers and
references alone, never by a name, and before anything is stored.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

from adapter.fhir.codec import Resource
from adapter.inbox.matching import LookupResult
from adapter.inbox.references import SUBJECT_FIELDS, objects_of, placed_id, text_of

__all__ = [
    "concerns_us",
    "first_url",
    "last_updated",
    "named_beside",
    "named_patients",
    "next_watermark",
    "placed_orders",
    "server_time",
    "version_key",
]

_BESIDE: Final = {"specimen": "Specimen", "imagingStudy": "ImagingStudy"}
_ORDERS: Final = ("ServiceRequest", "Encounter")  # what we wrote there is never stored here under its id


def first_url(
    by: Literal["search", "history"], type_: str, since: datetime, overlap: float, count: int
) -> str:
    """Where to begin: what was written since a moment of the server's clock, and a little before."""
    begin = (since - timedelta(seconds=overlap)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    if by == "history":
        return f"{type_}/_history?_since={begin}&_count={count}"
    return f"{type_}?_lastUpdated=ge{begin}&_sort=_lastUpdated&_count={count}"


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """What the server's clock said when it answered (`Date`, RFC 9110 §6.6.1)."""
    try:
        found = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def last_updated(resource: Resource) -> datetime | None:
    """When its server wrote it, by that server's clock."""
    meta = resource.get("meta")
    written = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        found = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def next_watermark(
    before: datetime | None, newest: datetime | None, begun: datetime | None
) -> datetime | None:
    """Up to where all was read: the newest moment that was seen, of the server's own clock. Not beyond what
    that clock said when the reading began, so that a record from the future does not hide all that come
    after it; and never back.
    """
    if newest is None:
        return before
    found = newest if begun is None else min(newest, begun)
    return found if before is None else max(before, found)


def version_key(resource: Resource) -> tuple[str, str]:
    """What tells one version from all others of its type: id and number, or when it was written."""
    meta = resource.get("meta")
    known = meta if isinstance(meta, dict) else {}
    return text_of(resource.get("id")), text_of(known.get("versionId")) or text_of(known.get("lastUpdated"))


def concerns_us(found: LookupResult) -> bool:
    """Whether it names a referral or a person of ours: by an identity that we gave, by an id of what we wrote
    there, or by a number under a system that was agreed. A name is nobody's alone.
    """
    numbers = any(one.trusted for one in found.by_number)
    ours_once = found.has_unknown_referral or found.has_unknown_identity
    return bool(found.referrals or found.by_identity or found.by_id or numbers or ours_once)


def named_patients(resource: Resource) -> Iterator[str]:
    """The ids of the Patients that it names at its own server."""
    for name in SUBJECT_FIELDS:
        for one in objects_of(resource.get(name)):
            placed = placed_id(text_of(one.get("reference")), "Patient")
            if placed is not None and not placed[0]:
                yield placed[1]


def named_beside(resource: Resource) -> Iterator[str]:
    """What of its own server it says something with, as `Type/id`: what was taken, and images."""
    for name, type_ in _BESIDE.items():
        for one in objects_of(resource.get(name)):
            placed = placed_id(text_of(one.get("reference")), type_)
            if placed is not None and not placed[0]:
                yield f"{type_}/{placed[1]}"


def placed_orders(resource: Resource, base: str) -> Resource:
    """The same with relative references to orders and visits as addresses at that server: an id is a space
    per server, and what we wrote there has no copy here.
    """
    found: Resource = _placed(resource, base.rstrip("/"))
    return found


def _placed(value: Any, base: str) -> Any:
    if isinstance(value, list):
        return [_placed(one, base) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: f"{base}/{one}"
        if name == "reference" and isinstance(one, str) and one.startswith(tuple(f"{o}/" for o in _ORDERS))
        else _placed(one, base)
        for name, one in value.items()
    }
