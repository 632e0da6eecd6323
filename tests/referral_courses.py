"""The transitions of a referral as courses: what happens one after another, and where each leads."""

from dataclasses import dataclass

from adapter.referrals.lifecycle import TRANSITIONS, ReferralEvent, ReferralState

__all__ = ["COURSES", "ReferralCourse"]

_S, _E = ReferralState, ReferralEvent
# A way from `received` to each state from which something leads on.
_WAYS: dict[ReferralState, tuple[ReferralEvent, ...]] = {
    _S.RECEIVED: (),
    _S.ACCEPTED: (_E.ACCEPT,),
    _S.SCHEDULED: (_E.ACCEPT, _E.SCHEDULE),
    _S.NO_SHOW: (_E.ACCEPT, _E.SCHEDULE, _E.NO_SHOW),
    _S.APPOINTMENT_CANCELLED: (_E.ACCEPT, _E.SCHEDULE, _E.CANCEL_APPOINTMENT),
    _S.VISIT_DONE: (_E.ACCEPT, _E.INTERIM_NOTE),
    _S.CANCELLATION_ASKED: (_E.ACCEPT, _E.SCHEDULE, _E.ASK_TO_CANCEL),
}


@dataclass(frozen=True, slots=True)
class ReferralCourse:
    """Events in their order, and the state after the last. Where we cancel what the hospital has not begun,
    that is done at once.
    """

    before: ReferralState
    events: tuple[ReferralEvent, ...]
    after: ReferralState

    def __str__(self) -> str:
        return f"{self.before}-{self.events[-1]}"


def _course(before: ReferralState, event: ReferralEvent, after: ReferralState) -> ReferralCourse:
    at_once = event is _E.ASK_TO_CANCEL and before in (_S.RECEIVED, _S.ACCEPTED)
    return ReferralCourse(before, (*_WAYS[before], event), _S.CANCELLED if at_once else after)


COURSES = [_course(before, event, after) for (before, event), after in TRANSITIONS.items() if before in _WAYS]
"""Every transition but 01, which is sending."""
