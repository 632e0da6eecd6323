"""For how long an answer asks to be left alone (pure): Retry-After in both forms, and what vendors send.

RFC 9110, section 10.2.3; `x-ms-retry-after-ms` and `retry-after-ms` of Microsoft; RateLimit of the IETF's
draft (`"name";r=0;t=30`, before that RateLimit-Reset) and its many X- forms, in seconds or as an epoch.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

__all__ = ["retry_after_seconds"]

_MILLIS = ("retry-after-ms", "x-ms-retry-after-ms")
_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-after")
_LONGEST = 30 * 86_400.0  # seconds: what names more means something else
_EPOCH = 1e9  # a number beyond it is no span of seconds
_EPOCH_MILLIS = 1e12


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds from `now` to leave the server alone; None where no header says it, or none can be read.
    Names of `headers` are in lower case. A rate limit's reset counts only where no Retry-After is.
    """
    for name in _MILLIS:
        millis = _number(headers.get(name))
        if millis is not None and millis / 1000 <= _LONGEST:
            return millis / 1000
    said = headers.get("retry-after", "").strip()
    if said:
        seconds = _number(said)
        found = _from_date(said, now) if seconds is None else seconds
        if found is not None and found <= _LONGEST:
            return found
    return _reset(headers, now)


def _number(text: str | None) -> float | None:
    """A number that is not negative, as people write it: no sign, no exponent, no infinity."""
    if text is None or re.fullmatch(r"\s*\d{1,16}(\.\d{1,9})?\s*", text, re.ASCII) is None:
        return None
    value = float(text)
    return value if isfinite(value) else None


def _from_date(text: str, now: datetime) -> float | None:
    """Any of HTTP's three forms of a date; a moment that has passed is 0."""
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """What is left of a rate limit's window, where nothing is left to send in it."""
    spans = [float(found) for found in re.findall(r";\s*t=(\d{1,9})\b", headers.get("ratelimit", ""))]
    for name in _RESETS:
        value = _number(headers.get(name))
        if value is None:
            continue
        if value > _EPOCH:
            value = value / (1000 if value > _EPOCH_MILLIS else 1) - now.timestamp()
        if value >= 0:
            spans.append(value)
    return next((span for span in spans if span <= _LONGEST), None)
