"""Referrals that wait for something, in memory: how many are late is asked for by every page of today's work,
and most referrals are at their end.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from adapter.ledger.monitoring.overdue import Backlog, OverdueStore
from adapter.records.followed_records import FollowedRecords
from adapter.records.model import Record, Referral
from adapter.records.sheets.cell_parsers import VIETNAM_OFFSET
from adapter.referrals.clocks import ClockLimits, RunningClock, running_clock
from adapter.referrals.lifecycle import FINAL, ReferralState

if TYPE_CHECKING:
    from adapter.records.store import RecordStore

__all__ = [
    "ReferralWait",
    "ReferralsThatWait",
    "WaitingReferrals",
    "is_of_use",
    "wait_of",
]

_WANTED = ("active", "on-hold")


@dataclass(frozen=True, slots=True)
class ReferralWait:
    """Where a referral stands since when, and the clock that runs, if one does."""

    state: ReferralState
    since: datetime
    clock: RunningClock | None


def is_of_use(referral: Referral) -> bool:
    """Whether it is wanted, or something came of it."""
    return referral.status in _WANTED or referral.state not in FINAL | {ReferralState.RECEIVED}


def wait_of(one: Referral, delivered: datetime | None, limits: ClockLimits) -> ReferralWait:
    """Of a referral that its hospital has since `delivered`; None: it has it not."""
    is_draft = delivered is None and one.state is ReferralState.RECEIVED
    state = ReferralState.DRAFT if is_draft else one.state
    since = one.fulfilled_at or delivered or _moment(one.ordered_at)
    clock = running_clock(
        state,
        since=max(filter(None, (since, _given(one)))),
        appointment=None if one.appointment_at is None else _moment(one.appointment_at),
        is_acknowledged=one.acknowledged_at is not None,
        priority=one.priority,
        limits=limits,
        asked_at=one.open_since,
    )
    return ReferralWait(state, since, clock)


def _given(one: Referral) -> datetime | None:
    """When the hospital had from us what it waited for: what it is to do has its whole time since then."""
    return one.answered_at if one.question is not None and one.open_since is None else None


def _moment(value: date | datetime) -> datetime:
    """A day as the moment at which it begins in Vietnam."""
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time(), VIETNAM_OFFSET)


@dataclass(frozen=True, slots=True)
class ReferralsThatWait:
    """How many are `late` by hospital and what is waited for (a ReferralClock's value), and since when the
    first is; how many wait `in_time` by what for, "" of those that are not at their hospital yet.
    """

    late: Mapping[tuple[str, str], Backlog]
    in_time: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """`clock` None: what is waited for depends on since when the hospital has it, which the ledger knows."""

    referral: Referral
    clock: RunningClock | None


@dataclass(frozen=True)
class _Sorted:
    """What is waited for by hospital and clock, what is due first in front; and what the ledger tells of."""

    made_of: Mapping[str, _Waiting]
    by_clock: dict[tuple[str, str], list[tuple[datetime, str]]] = field(default_factory=dict)
    of_ledger: dict[str, Referral] = field(default_factory=dict)


class WaitingReferrals:
    """Which referrals to the hospitals of `limits` are late, as they change. Threads may ask at once."""

    def __init__(
        self, records: "RecordStore", overdue: OverdueStore, limits: Mapping[str, ClockLimits]
    ) -> None:
        self._overdue = overdue
        self._limits = limits
        self._known = _Sorted({})
        self._followed = FollowedRecords(records, Referral.kind, self._waiting)

    def _waiting(self, one: Record) -> _Waiting | None:
        if not isinstance(one, Referral) or one.hospital not in self._limits or not is_of_use(one):
            return None
        if one.fulfilled_at is None or one.state is ReferralState.RECEIVED:
            # one at its end waits for nothing, whenever the hospital got it
            is_over = one.state in FINAL and one.state is not ReferralState.COMPLETED
            return None if is_over else _Waiting(one, None)
        clock = wait_of(one, one.fulfilled_at, self._limits[one.hospital]).clock
        return None if clock is None else _Waiting(one, clock)

    def late(self, now: datetime) -> Mapping[tuple[str, str], Backlog]:
        """How many are late by hospital and what is waited for, and since when the first is."""
        return self.waiting(now).late

    def waiting(self, now: datetime, exists: Callable[[str], bool] = lambda _key: True) -> ReferralsThatWait:
        """All of those people alone of whom `exists` says that they are there."""
        known, in_time = self._sorted(), Counter[str]()
        found: dict[tuple[str, str], list[datetime]] = defaultdict(list)
        for place, waiting in known.by_clock.items():
            behind = bisect_left(waiting, (now, ""))
            found[place] += [due for due, cadre in waiting[:behind] if exists(cadre)]
            in_time[place[1]] += sum(exists(cadre) for _, cadre in waiting[behind:])
        delivered = self._overdue.delivered_among(list(known.of_ledger)) if known.of_ledger else {}
        for key, one in known.of_ledger.items():
            wait = wait_of(one, delivered.get((one.hospital, key)), self._limits[one.hospital])
            if not exists(one.cadre):
                continue
            if wait.clock is None:
                in_time[""] += wait.state is ReferralState.DRAFT
            elif wait.clock.due < now:
                found[one.hospital, wait.clock.clock.value].append(wait.clock.due)
            else:
                in_time[wait.clock.clock.value] += 1
        late = {place: Backlog(len(due), min(due)) for place, due in found.items() if due}
        return ReferralsThatWait(late, in_time)

    def _sorted(self) -> "_Sorted":
        followed = self._followed.current()
        if self._known.made_of is not followed.by_key:
            made = _Sorted(followed.by_key)
            for key, one in followed.by_key.items():
                if one.clock is None:
                    made.of_ledger[key] = one.referral
                else:
                    place = one.referral.hospital, one.clock.clock.value
                    made.by_clock.setdefault(place, []).append((one.clock.due, one.referral.cadre))
            for waiting in made.by_clock.values():
                waiting.sort()
            self._known = made
        return self._known
