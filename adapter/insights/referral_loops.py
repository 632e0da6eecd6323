"""The loop of a referral on one line: ordered, sent, received, scheduled, examined, result, seen. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from adapter.records.model import Referral
from adapter.records.referral_answers import ReferralMoment
from adapter.referrals.lifecycle import FINAL, ReferralState

__all__ = ["LoopStep", "ReferralLoop", "StepName", "StepState", "referral_loop"]

_S = ReferralState
_PASSED = {  # the states of a referral that has this step behind it
    "received": frozenset(_S) - {_S.DRAFT, _S.RECEIVED, _S.CANCELLATION_ASKED, _S.CANCELLED, _S.DECLINED},
    "scheduled": frozenset((_S.SCHEDULED, _S.NO_SHOW, _S.APPOINTMENT_CANCELLED, _S.VISIT_DONE, _S.COMPLETED)),
    "examined": frozenset((_S.VISIT_DONE, _S.COMPLETED)),
    "result": frozenset((_S.COMPLETED,)),
}
_AGAIN = {_S.NO_SHOW: "scheduled", _S.APPOINTMENT_CANCELLED: "scheduled"}  # another appointment is waited for


class StepName(StrEnum):
    """The steps in their order."""

    ORDERED = "ordered"
    SENT = "sent"
    RECEIVED = "received"
    SCHEDULED = "scheduled"
    EXAMINED = "examined"
    RESULT = "result"
    SEEN = "seen"


class StepState(StrEnum):
    """How a step stands. UNTOLD: it is behind, and nobody said when; STOPPED: it will not come."""

    DONE = "done"
    UNTOLD = "untold"
    WAITING = "waiting"
    AHEAD = "ahead"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LoopStep:
    """One step. `at` is when it was, or since when it is waited for; `planned` is the appointment."""

    name: StepName
    state: StepState
    at: date | datetime | None = None
    planned: date | datetime | None = None


@dataclass(frozen=True, slots=True)
class ReferralLoop:
    """A referral as one line. `result` is the key of what answered it; `state` is where it stands."""

    referral: str
    hospital: str
    service: str
    state: ReferralState
    steps: tuple[LoopStep, ...]
    result: str | None
    reason: str | None = None

    @property
    def waiting(self) -> LoopStep | None:
        """The step that is waited for; None where nothing is."""
        return next((one for one in self.steps if one.state is StepState.WAITING), None)


def referral_loop(
    one: Referral,
    moments: Sequence[ReferralMoment],
    *,
    service: str,
    sent_at: datetime | None,
    delivered_at: datetime | None,
    seen_at: datetime | None = None,
) -> ReferralLoop:
    """`moments` in their order; `sent_at`, `delivered_at` by the ledger; `seen_at` when a doctor saw what
    answered it, if that is not in the referral itself.
    """
    when = _known(one, moments, sent_at, delivered_at, seen_at)
    passed = _passed(one.state, delivered_at)
    is_over = one.state in FINAL and one.state is not _S.COMPLETED
    waits_for = None if is_over or one.status == "revoked" else _next(one.state, when, passed)
    since = _latest(when, waits_for)
    steps = []
    for name in StepName:
        planned = one.appointment_at if name is StepName.SCHEDULED else None
        if name is waits_for:
            steps.append(LoopStep(name, StepState.WAITING, since, planned))
        elif (at := when[name]) is not None or name in passed:
            steps.append(LoopStep(name, StepState.UNTOLD if at is None else StepState.DONE, at, planned))
        else:
            steps.append(LoopStep(name, StepState.STOPPED if waits_for is None else StepState.AHEAD))
    reason = one.said or one.cancel_reason
    return ReferralLoop(one.key, one.hospital, service, one.state, tuple(steps), one.fulfilled_by, reason)


def _known(
    one: Referral,
    moments: Sequence[ReferralMoment],
    sent_at: datetime | None,
    delivered_at: datetime | None,
    seen_at: datetime | None,
) -> Mapping[StepName, date | datetime | None]:
    """When each step was, of those of which anybody said so."""
    found: dict[StepName, date | datetime | None] = {
        StepName.ORDERED: one.ordered_at,
        StepName.SENT: delivered_at or sent_at,
        StepName.SEEN: one.acknowledged_at or seen_at,
    }
    for name in (StepName.RECEIVED, StepName.SCHEDULED, StepName.EXAMINED, StepName.RESULT):
        told = (each.at for each in moments if not each.is_odd and each.state in _TELLS[name])
        found[name] = next(told, None)
    found[StepName.RESULT] = found[StepName.RESULT] or (
        one.fulfilled_at if one.state is _S.COMPLETED else None
    )
    return found


_TELLS = {
    StepName.RECEIVED: _PASSED["received"],
    StepName.SCHEDULED: frozenset((_S.SCHEDULED,)),
    StepName.EXAMINED: frozenset((_S.VISIT_DONE,)),
    StepName.RESULT: frozenset((_S.COMPLETED,)),
}


def _passed(state: ReferralState, delivered_at: datetime | None) -> frozenset[StepName]:
    found = {StepName.ORDERED} | ({StepName.SENT} if delivered_at else set())
    for name, states in _PASSED.items():
        if state in states:
            found |= {StepName(name), StepName.SENT}
    if state in _AGAIN:
        found.discard(StepName(_AGAIN[state]))
    return frozenset(found)


def _next(
    state: ReferralState, when: Mapping[StepName, date | datetime | None], passed: frozenset[StepName]
) -> StepName | None:
    """What is waited for: the first step that is not behind."""
    if state is _S.COMPLETED:
        return None if when[StepName.SEEN] else StepName.SEEN
    return next((name for name in StepName if name not in passed), None)


def _latest(
    when: Mapping[StepName, date | datetime | None], waits_for: StepName | None
) -> date | datetime | None:
    """Since when that is waited for: when what came last before it was."""
    if waits_for is None:
        return None
    order = list(StepName)
    earlier = [when[name] for name in order[: order.index(waits_for)] if when[name] is not None]
    return earlier[-1] if earlier else None
