"""Until when a referral may stand as it does, and what is wrong when it stands longer. Pure.

No guide gives deadlines: they are the centre's, by hospital and priority, in its settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from adapter.referrals.lifecycle import FINAL, ReferralState

__all__ = ["ClockLimits", "ReferralClock", "RunningClock", "running_clock"]


class ReferralClock(StrEnum):
    """What a referral waits for; when that is late, it is the name of the problem."""

    ACCEPTANCE = "not-accepted"
    APPOINTMENT = "not-scheduled"
    VISIT = "not-heard-of"  # the appointment has passed
    OUTCOME = "no-outcome"
    CANCELLATION = "not-cancelled"
    ACKNOWLEDGEMENT = "not-acknowledged"
    ANSWER = "not-answered"  # the hospital asked, and the centre says nothing


ClockLimits = Mapping[ReferralClock, Mapping[str, float]]
"""Days by clock and priority (routine, urgent, asap, stat)."""

_S, _C = ReferralState, ReferralClock
_CLOCKS = {
    _S.RECEIVED: _C.ACCEPTANCE,
    _S.ACCEPTED: _C.APPOINTMENT,
    _S.SCHEDULED: _C.VISIT,
    _S.NO_SHOW: _C.APPOINTMENT,
    _S.APPOINTMENT_CANCELLED: _C.APPOINTMENT,
    _S.VISIT_DONE: _C.OUTCOME,
    _S.CANCELLATION_ASKED: _C.CANCELLATION,
    _S.COMPLETED: _C.ACKNOWLEDGEMENT,
}


@dataclass(frozen=True, slots=True)
class RunningClock:
    """What is waited for, and until when that is in time."""

    clock: ReferralClock
    due: datetime


def running_clock(
    state: ReferralState,
    *,
    since: datetime,
    appointment: datetime | None,
    is_acknowledged: bool,
    priority: str,
    limits: ClockLimits,
    asked_at: datetime | None = None,
) -> RunningClock | None:
    """The clock of a referral in a state `since` then; None where nothing is waited for. `appointment` is
    when the person is to come, if the hospital said so; `asked_at` when it asked what nobody has answered:
    then it is the centre that is waited for.
    """
    if asked_at is not None and state not in FINAL:
        return RunningClock(_C.ANSWER, asked_at + timedelta(days=limits[_C.ANSWER][priority]))
    clock = _CLOCKS.get(state)
    if clock is None or (clock is _C.ACKNOWLEDGEMENT and is_acknowledged):
        return None
    start = max(since, appointment) if clock is _C.VISIT and appointment else since
    return RunningClock(clock, start + timedelta(days=limits[clock][priority]))
