"""Dates and numbers as the spans that a search compares (http://hl7.org/fhir/R4/search.html#prefix). Pure."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

__all__ = ["FOREVER", "Comparison", "RangeMatch", "date_match", "date_span", "instant_match", "number_match"]

FOREVER: Final = 1e18  # beyond every instant in milliseconds, for a period without an end
_LOCAL: Final = timezone(timedelta(hours=7))  # a date without a zone is one of Vietnam
_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_PREFIX: Final = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_NEARLY: Final = 0.1  # what `ap` adds on both sides: a tenth of the value, or of the time that has passed

Comparison = tuple[str, str, float]
"""("low" or "high" of what is stored, "<", "<=", ">" or ">=", what it is compared with)."""


@dataclass(frozen=True, slots=True)
class RangeMatch:
    """A span to match: one of the `alternatives` must hold, each of them whole. `key` is what stands
    beside it in a composite, or "". A quantity may have to be in a unit of `system`, and of that code
    or name.
    """

    alternatives: tuple[tuple[Comparison, ...], ...]
    system: str | None = None
    unit: str | None = None
    key: str = ""


def date_span(text: str) -> tuple[int, int] | None:
    """First millisecond of the span that a date names, and the first after it; None for what is no date."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return _bounds(match.groups())
    except (ValueError, OverflowError):
        return None


def _bounds(parts: Sequence[str | None]) -> tuple[int, int]:
    year, month, day, hour, minute, second, fraction, zone = parts
    start = datetime(
        int(year or 0), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
        int(((fraction or "") + "000000")[:6]), tzinfo=_zone(zone),
    )  # fmt: skip
    if hour is not None:
        step = timedelta(minutes=1) if second is None else timedelta(seconds=1)
        end = start + (step if fraction is None else timedelta(milliseconds=1))
    elif day is not None:
        end = start + timedelta(days=1)
    elif month is not None:
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        end = start.replace(year=start.year + 1)
    return _millis(start), _millis(end)


def _zone(text: str | None) -> timezone:
    if text is None:
        return _LOCAL
    if text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def _millis(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _prefixed(text: str) -> tuple[str, str]:
    found = _PREFIX.fullmatch(text)
    return (found[1] or "eq", found[2]) if found else ("eq", text)


def date_match(text: str, now: datetime | None = None) -> RangeMatch | None:
    """The spans that `[prefix]date` matches; None for what is no date. `now` is what `ap` measures from."""
    prefix, written = _prefixed(text.replace(" ", "+"))  # an unencoded "+" of a zone arrives as a blank
    span = date_span(written)
    if span is None:
        return None
    low, high = map(float, span)
    if prefix == "ap":
        room = abs(_millis(now or datetime.now(UTC)) - low) * _NEARLY
        return RangeMatch(((("low", "<", high + room), ("high", ">", low - room)),))
    inside: tuple[Comparison, ...] = (("low", ">=", low), ("high", "<=", high))
    after: tuple[Comparison, ...] = (("high", ">", high),)
    before: tuple[Comparison, ...] = (("low", "<", low),)
    return RangeMatch(
        {
            "eq": (inside,),
            "ne": (before, after),
            "gt": (after,),
            "lt": (before,),
            "ge": (after, inside),
            "le": (before, inside),
            "sa": ((("low", ">=", high),),),
            "eb": ((("high", "<=", low),),),
        }[prefix]
    )


def instant_match(text: str, now: datetime | None = None) -> RangeMatch | None:
    """As `date_match`, for what has one instant instead of a span: only `low` is compared."""
    prefix, written = _prefixed(text.replace(" ", "+"))
    span = date_span(written)
    if span is None:
        return None
    low, high = map(float, span)
    if prefix == "ap":
        room = abs(_millis(now or datetime.now(UTC)) - low) * _NEARLY
        low, high, prefix = low - room, high + room, "eq"
    from_low: Comparison = ("low", ">=", low)
    before_low: Comparison = ("low", "<", low)
    from_high: Comparison = ("low", ">=", high)
    before_high: Comparison = ("low", "<", high)
    return RangeMatch(
        {
            "eq": ((from_low, before_high),),
            "ne": ((before_low,), (from_high,)),
            "gt": ((from_high,),),
            "sa": ((from_high,),),
            "lt": ((before_low,),),
            "eb": ((before_low,),),
            "ge": ((from_low,),),
            "le": ((before_high,),),
        }[prefix]
    )


def number_match(text: str, *, system: str | None = None, unit: str | None = None) -> RangeMatch | None:
    """The numbers that `[prefix]number` matches: by `eq`, those that round to it; None for what is none."""
    prefix, written = _prefixed(text)
    if _NUMBER.fullmatch(written) is None:
        return None
    value = Decimal(written)
    exact = float(value)
    half = float(Decimal(5).scaleb(int(value.as_tuple().exponent) - 1))
    # with more digits than a float has, half of the last is nothing, and the number itself must be inside
    low, high = exact - half, max(exact + half, math.nextafter(exact, math.inf))
    inside: tuple[Comparison, ...] = (("low", ">=", low), ("high", "<", high))
    room = abs(exact) * _NEARLY
    return RangeMatch(
        {
            "eq": (inside,),
            "ne": ((("low", "<", low),), (("high", ">=", high),)),
            "gt": ((("high", ">", exact),),),
            "lt": ((("low", "<", exact),),),
            "ge": ((("high", ">=", exact),),),
            "le": ((("low", "<=", exact),),),
            "sa": ((("low", ">", exact),),),
            "eb": ((("high", "<", exact),),),
            "ap": ((("low", "<=", exact + room), ("high", ">=", exact - room)),),
        }[prefix],
        system=system,
        unit=unit,
    )
