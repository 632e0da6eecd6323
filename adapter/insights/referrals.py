"""Referrals as lines: where each stands, what is waited for, until when, and what to do next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from adapter.database import read_transaction
from adapter.errors import UsageError
from adapter.ledger.monitoring.overdue import Backlog
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import order_statements
from adapter.pipeline.waiting_referrals import is_of_use, wait_of
from adapter.records.model import Referral
from adapter.records.referral_answers import ReferralMoment, course_of
from adapter.referrals.clocks import ClockLimits
from adapter.referrals.lifecycle import ReferralState, business_status
from adapter.referrals.reasons import ReferralReason

__all__ = [
    "ReferralCourse",
    "ReferralLine",
    "backlog_of",
    "referral_course",
    "referral_line",
    "referral_lines",
]


@dataclass(frozen=True, slots=True)
class ReferralLine:
    """One referral. `since`: in this state; `waits_for`, `due`: the clock that runs, if one does. One in the
    state DRAFT is not at the hospital.
    """

    hospital: str
    referral: str
    cadre: str
    service: str
    priority: str
    state: ReferralState
    business_status: str | None
    since: datetime
    waits_for: str | None
    due: datetime | None
    is_late: bool
    appointment: date | datetime | None
    hospital_number: str | None
    said: str | None
    reason_code: ReferralReason | None
    onward: str | None
    progress: str | None
    question: str | None
    asked_at: datetime | None
    answer: str | None
    answered_at: datetime | None
    answered_by: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    called_at: datetime | None
    called_by: str | None
    telephone: str


def referral_lines(
    adapter: Adapter, hospitals: Iterable[str], now: datetime, *, with_closed: bool = False
) -> list[ReferralLine]:
    """The referrals to these hospitals, the ones that are late first; those that wait for nothing any more
    only `with_closed`.
    """
    names = set(hospitals)
    held = {name: adapter.overdue.delivered_referrals(name) for name in names}
    limits = {name: adapter.settings.hospitals[name].clocks.limits for name in names}
    lines = [
        _line(one, adapter, held[one.hospital].get(one.key), limits[one.hospital], now)
        for one in adapter.records.iterate(Referral.kind)
        if isinstance(one, Referral) and one.hospital in names and is_of_use(one)
    ]
    kept = (one for one in lines if with_closed or one.waits_for or one.state is ReferralState.DRAFT)
    return sorted(kept, key=lambda one: (not one.is_late, one.due or one.since, one.referral))


@dataclass(frozen=True, slots=True)
class ReferralCourse:
    """A referral, and what was said of it in its order."""

    line: ReferralLine
    moments: Sequence[ReferralMoment]
    cancel_reason: str | None


def referral_course(adapter: Adapter, key: str, now: datetime) -> ReferralCourse:
    """A referral with its course. Raises UsageError as `referral_line` does."""
    found = _known(adapter, key)
    with read_transaction(adapter.engine) as connection:
        moments = course_of(connection, found, partial(order_statements, adapter))
    return ReferralCourse(referral_line(adapter, key, now), moments, found.cancel_reason)


def referral_line(adapter: Adapter, key: str, now: datetime) -> ReferralLine:
    """One referral. Raises UsageError where there is none of that key to a hospital of the settings."""
    found = _known(adapter, key)
    held = adapter.overdue.delivered_referrals(found.hospital)
    limits = adapter.settings.hospitals[found.hospital].clocks.limits
    return _line(found, adapter, held.get(key), limits, now)


def _known(adapter: Adapter, key: str) -> Referral:
    found = adapter.records.get(Referral.kind, key)
    if not isinstance(found, Referral) or found.hospital not in adapter.settings.hospitals:
        raise UsageError("referral.unknown", key=key)
    return found


def _line(
    one: Referral, adapter: Adapter, delivered: datetime | None, limits: ClockLimits, now: datetime
) -> ReferralLine:
    """A referral that its hospital has since `delivered`."""
    stands = wait_of(one, delivered, limits)
    clock = stands.clock
    return ReferralLine(
        hospital=one.hospital,
        referral=one.key,
        cadre=one.cadre,
        service=one.service,
        priority=one.priority,
        state=stands.state,
        business_status=business_status(stands.state),
        since=stands.since,
        waits_for=None if clock is None else clock.clock.value,
        due=None if clock is None else clock.due,
        is_late=clock is not None and clock.due < now,
        appointment=one.appointment_at,
        hospital_number=one.hospital_number,
        said=one.said,
        reason_code=one.reason_code,
        onward=one.onward,
        progress=one.progress,
        question=one.question,
        asked_at=one.asked_at,
        answer=one.answer,
        answered_at=one.answered_at,
        answered_by=one.answered_by,
        acknowledged_at=one.acknowledged_at,
        acknowledged_by=one.acknowledged_by,
        called_at=one.called_at,
        called_by=one.called_by,
        telephone=adapter.settings.hospitals[one.hospital].telephone,
    )


def backlog_of(found: Mapping[tuple[str, str], Backlog], hospital: str) -> Sequence[tuple[str, Backlog]]:
    """Of one hospital: what is waited for, and how many."""
    return tuple((clock, backlog) for (name, clock), backlog in sorted(found.items()) if name == hospital)
