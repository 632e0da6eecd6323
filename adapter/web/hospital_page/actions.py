"""What a clerk may do with a referral, and when. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from adapter.referrals.lifecycle import ReferralEvent, ReferralState, next_state

__all__ = ["EVENTS", "PageAction", "leads_on", "may_finish", "may_note", "offered_actions"]


class PageAction(StrEnum):
    """What a form of the page does; the value stands in its address and in the audit."""

    CONFIRM_CANCELLATION = "confirm-cancellation"
    ACCEPT = "accept"
    SCHEDULE = "schedule"
    NO_SHOW = "no-show"
    CANCEL_APPOINTMENT = "cancel-appointment"
    VISIT_DONE = "visit-done"
    FINDINGS = "findings"
    FINISH = "finish"
    DECLINE = "decline"


_A, _E = PageAction, ReferralEvent
EVENTS: Mapping[PageAction, tuple[ReferralEvent, ...]] = {
    _A.CONFIRM_CANCELLATION: (_E.CONFIRM_CANCELLATION,),
    _A.ACCEPT: (_E.ACCEPT,),
    _A.SCHEDULE: (_E.SCHEDULE,),
    _A.NO_SHOW: (_E.NO_SHOW,),
    _A.CANCEL_APPOINTMENT: (_E.CANCEL_APPOINTMENT,),
    _A.VISIT_DONE: (_E.INTERIM_NOTE,),
    _A.FINDINGS: (_E.OUTCOME, _E.INTERIM_NOTE),
    _A.FINISH: (_E.OUTCOME,),
    _A.DECLINE: (_E.DECLINE,),
}
"""What an action may mean; findings are an outcome when they are all, else an interim note."""


def offered_actions(state: ReferralState) -> Sequence[PageAction]:
    """Those that the table of transitions has from where a referral stands, the likeliest first."""
    return [
        action
        for action, events in EVENTS.items()
        if any(next_state(state, event) is not None for event in events)
    ]


def may_note(state: ReferralState) -> bool:
    """Whether findings may be only some of them."""
    return next_state(state, _E.INTERIM_NOTE) is not None


def may_finish(state: ReferralState) -> bool:
    """Whether findings may be all there are."""
    return next_state(state, _E.OUTCOME) is not None


def leads_on(before: ReferralState, after: ReferralState, action: PageAction) -> bool:
    """Whether `after` is where the action leads from `before`."""
    return after in {next_state(before, event) for event in EVENTS[action]}
