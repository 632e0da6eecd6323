"""Days instead of moments: what goes under a pseudonym says on which day, and not at what time.

When somebody was at the centre to the minute is nearly as good as a name: two hospitals that compare would
find each other's patient by it. R4's `dateTime` takes a date; an `instant` does not, so that one becomes
midnight of its day (http://hl7.org/fhir/R4/datatypes.html#dateTime).
"""

import re
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from adapter.fhir.codec import Resource
from adapter.fhir.definitions.types import elements

__all__ = ["without_times"]

_OFFSET = "+07:00"
_ZONE = timezone(timedelta(hours=7))
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T[\d:.]+(Z|[+-]\d\d:\d\d)")
_TIMES = frozenset(("dateTime", "instant"))


def without_times(resource: Resource) -> Resource:
    """The resource with the day at the centre in place of every moment; what has none is the same object."""
    found: Resource = _part(resource, resource["resourceType"])
    return found


def _part(value: Any, type_name: str) -> Any:
    """One part of a resource, of that type."""
    if type_name == "Resource":
        type_name = value.get("resourceType", "")
    known, timed = elements(type_name), _timed(type_name)
    changed = {
        name: left
        for name, part in value.items()
        if name in timed and (left := _element(part, known[name].type, known[name].primitive)) is not part
    }
    return {**value, **changed} if changed else value


def _element(part: Any, type_name: str | None, primitive: str) -> Any:
    if isinstance(part, list):
        left = [_element(one, type_name, primitive) for one in part]
        return part if all(one is other for one, other in zip(left, part, strict=True)) else left
    if type_name is not None:
        return _part(part, type_name) if isinstance(part, dict) else part
    day = _day(part) if isinstance(part, str) and "T" in part else None
    if day is None:
        return part
    return day if primitive == "dateTime" else f"{day}T00:00:00{_OFFSET}"


def _day(moment: str) -> str | None:
    """The day at the centre, so that no period ends before it began; None for what is no moment."""
    found = _MOMENT.fullmatch(moment)
    if found is None or found[2] == _OFFSET:
        return found and found[1]
    try:
        return datetime.fromisoformat(moment).astimezone(_ZONE).date().isoformat()
    except (ValueError, OverflowError):  # no such moment, or at the end of all years
        return found[1]


@cache
def _timed(type_name: str) -> frozenset[str]:
    """The elements of a type that hold a moment, or something that does."""
    return frozenset(
        name
        for name, one in elements(type_name).items()
        if one.primitive in _TIMES or (one.type is not None and _reaches_a_time(one.type, frozenset()))
    )


@cache
def _reaches_a_time(type_name: str, seen: frozenset[str]) -> bool:
    if type_name in ("Resource", "Extension"):
        return True
    return any(
        one.primitive in _TIMES
        or (one.type is not None and one.type not in seen and _reaches_a_time(one.type, seen | {type_name}))
        for one in elements(type_name).values()
        if one.name not in ("extension", "modifierExtension")
    )
