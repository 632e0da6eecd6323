"""A hospital's circuit breaker, and how many shipments may be in flight (pure). The facts are in its row.

::

    closed ──failed──▶ open ──its time came, one shipment goes──▶ half-open ──answered──▶ closed
                        ▲                                            │
                        └───────────────────failed───────────────────┘

While it is closed, `allowed` shipments may be in flight: half of the setting at first, one more after
each round of good answers, half as many after 429, 503 or a timeout. While it is half-open, exactly one.
What was under way when the breaker opened decides nothing: it neither closes it nor counts as a failure.

A moment that lies further ahead than the longest wait there is was written by a clock that was wrong:
it holds nobody up.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from adapter.service_hours import ALWAYS_OPEN, ServiceHours

__all__ = [
    "UNLIMITED",
    "Admission",
    "BreakerState",
    "HospitalHealth",
    "HospitalMode",
    "PaceLimits",
    "admission",
    "after_failure",
    "after_good_answers",
    "after_reset",
    "after_success",
    "after_throttling",
    "backoff",
    "half_opened",
    "max_in_flight",
    "pending_until",
    "without_wait",
]

_MAX_BACKOFF = 900.0  # seconds
_AUTH_WAIT = 900.0  # a token does not become right by itself
_MAX_ASKED = 3600.0  # a Retry-After beyond an hour is a mistake, or a matter for a person
_JITTER = 0.2  # up to a fifth more, so that workers do not come back in step
_LONGEST = timedelta(seconds=_MAX_ASKED * (1 + _JITTER) + 300)
_LONGEST_UNASKED = timedelta(seconds=_MAX_BACKOFF * (1 + _JITTER) + 60)
_CROWDED = frozenset(("busy", "timeout"))  # what says: too much at a time
_BREATH = timedelta(seconds=2)  # the answers to one crowd halve once, and nothing grows meanwhile
_WAITING = 10.0  # seconds of its own rate that a hospital's shipments may wait for


class BreakerState(StrEnum):
    """Whether a hospital is served."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class HospitalMode(StrEnum):
    """What a person decided. draining: what is in the ledger still goes, nothing new is planned."""

    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """What the settings say of a hospital's pace. `per_second` of requests, 0: no limit."""

    concurrency: int = 64
    per_second: float = 0.0
    hours: ServiceHours = ALWAYS_OPEN


UNLIMITED = PaceLimits()


@dataclass(frozen=True, slots=True)
class HospitalHealth:
    """The part of a hospital's row that decides whether it is served."""

    breaker: BreakerState = BreakerState.CLOSED
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    not_before: datetime | None = None
    asked_until: datetime | None = None  # it asked to be left alone, or refuses our token
    last_error: str | None = None
    mode: HospitalMode = HospitalMode.RUNNING
    allowed: float | None = None
    slowed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """How many shipments may be in flight now, over all workers. Where none may: why, and from when on
    some may (None: when a person says so).
    """

    max_in_flight: int
    why: str | None = None  # paused, hours, breaker, or why it is halted
    until: datetime | None = None
    probing: bool = False  # the one that may go decides about all


def pending_until(at: datetime | None, now: datetime, longest: timedelta = _LONGEST) -> datetime | None:
    """`at` where it is to be waited for; None where it has come, or is further ahead than can be."""
    return at if at is not None and now < at <= now + longest else None


def admission(
    health: HospitalHealth, limits: PaceLimits, now: datetime, halted: str | None = None
) -> Admission:
    """What may be done for the hospital now. `halted` is why a person must decide first."""
    if health.mode is HospitalMode.PAUSED:
        return Admission(0, "paused")
    held = pending_until(health.not_before, now, _LONGEST if health.asked_until else _LONGEST_UNASKED)
    opens = limits.hours.opens_at(held or now)
    if held:
        return Admission(0, "breaker", opens)
    if opens != now:
        return Admission(0, "hours", opens)
    if halted:
        return Admission(0, halted)
    if health.breaker is not BreakerState.CLOSED:
        return Admission(1, probing=True)
    return Admission(max_in_flight(health, limits))


def max_in_flight(health: HospitalHealth, limits: PaceLimits) -> int:
    """Shipments that may be in flight over all workers while the hospital is well."""
    most = limits.concurrency
    if limits.per_second:
        most = min(most, ceil(limits.per_second * _WAITING))
    return max(1, min(most, _whole(_allowed(health, limits))))


def _allowed(health: HospitalHealth, limits: PaceLimits) -> float:
    start = (limits.concurrency + 1) // 2
    return float(start) if health.allowed is None else min(health.allowed, limits.concurrency)


def _whole(allowed: float) -> int:
    return int(allowed + 1e-6)  # three thirds are one


def half_opened(health: HospitalHealth) -> HospitalHealth:
    """A shipment is let through to see how the hospital is."""
    return replace(health, breaker=BreakerState.HALF_OPEN) if health.breaker is BreakerState.OPEN else health


def after_success(health: HospitalHealth) -> HospitalHealth:
    """The hospital answered as it should."""
    if health.breaker is BreakerState.OPEN:
        return health
    return HospitalHealth(mode=health.mode, allowed=health.allowed, slowed_at=health.slowed_at)


def after_failure(
    health: HospitalHealth,
    why: str,
    retry_after: float | None,
    now: datetime,
    *,
    limits: PaceLimits,
    jitter: float,
) -> HospitalHealth:
    """The hospital could not be reached, is busy, or refuses our token. `retry_after`: seconds to leave it
    alone, in its own words; `jitter` is from 0 to 1.
    """
    stretch = 1 + _JITTER * jitter
    demanded = _demanded(why, retry_after)
    asked_until = now + timedelta(seconds=demanded * stretch) if demanded is not None else None
    if health.breaker is BreakerState.OPEN:
        if asked_until is None or (health.not_before and asked_until <= health.not_before):
            return health
        return replace(health, not_before=asked_until, asked_until=asked_until, last_error=why[:500])
    opened = replace(
        health,
        breaker=BreakerState.OPEN,
        failures=health.failures + 1,
        failing_since=health.failing_since or now,
        not_before=asked_until or now + timedelta(seconds=backoff(health.failures) * stretch),
        last_error=why[:500],
    )
    if why == "busy" and asked_until is None:  # 429 without a time asks for no less
        asked_until = opened.not_before
    opened = replace(opened, asked_until=asked_until)
    return after_throttling(opened, limits, now) if why in _CROWDED else opened


def _demanded(why: str, asked: float | None) -> float | None:
    if why == "auth":
        return max(_AUTH_WAIT, min(asked or 0.0, _MAX_ASKED))
    return None if asked is None else min(asked, _MAX_ASKED)


def backoff(failures: int) -> float:
    """Seconds to wait after `failures` in a row before this one: 1 s, doubling to 15 min."""
    return min(_MAX_BACKOFF, 2.0 ** min(failures, 12))


def after_throttling(health: HospitalHealth, limits: PaceLimits, now: datetime) -> HospitalHealth:
    """Too much at a time: half as many shipments, once for all the answers that say so together."""
    if health.slowed_at is not None and abs(now - health.slowed_at) < _BREATH:
        return health
    return replace(health, allowed=max(1.0, _allowed(health, limits) / 2), slowed_at=now)


def after_good_answers(
    health: HospitalHealth, limits: PaceLimits, good: int, now: datetime
) -> HospitalHealth:
    """After `good` answers in time one more shipment for each round of them, up to the setting."""
    allowed = _allowed(health, limits)
    crowd = health.slowed_at is not None and abs(now - health.slowed_at) < _BREATH
    if crowd or allowed >= limits.concurrency:
        return health
    return replace(health, allowed=min(float(limits.concurrency), allowed + good / max(1, _whole(allowed))))


def without_wait(health: HospitalHealth) -> HospitalHealth:
    """The time of an open breaker has come: one shipment may go."""
    return replace(health, not_before=None, asked_until=None)


def after_reset(health: HospitalHealth) -> HospitalHealth:
    """A person says that the hospital is well: only whether it is served remains."""
    return HospitalHealth(mode=health.mode)
