"""What a clerk may do with a referral, and when. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from adapter.referrals.lifecycle import FINAL, ReferralEvent, ReferralState, next_state
from adapter.referrals.reasons import ReferralReason

__all__ = ["EVENTS", "REASONS", "PageAction", "leads_on", "may_finish", "may_note", "offered_actions"]


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
    ASK = "ask"
    CORRECT = "correct"


_A, _E, _R = PageAction, ReferralEvent, ReferralReason
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
    _A.ASK: (),
    _A.CORRECT: (),
}
"""What an action may mean; findings are an outcome when they are all, else an interim note. What asks or
corrects leaves the referral where it stands.
"""
_OF_PEOPLE = (_R.RECOVERED, _R.REFUSED_BY_PERSON, _R.DIED)
REASONS: Mapping[PageAction, tuple[ReferralReason, ...]] = {
    _A.CONFIRM_CANCELLATION: (*_OF_PEOPLE, _R.DONE_ELSEWHERE, _R.OTHER),
    _A.NO_SHOW: (*_OF_PEOPLE, _R.DONE_ELSEWHERE, _R.OTHER),
    _A.CANCEL_APPOINTMENT: (_R.NO_CAPACITY, *_OF_PEOPLE, _R.DONE_ELSEWHERE, _R.OTHER),
    _A.FINISH: (_R.DONE, _R.DONE_ELSEWHERE, _R.NOT_NEEDED, *_OF_PEOPLE, _R.OTHER),
    _A.DECLINE: (
        *(_R.NO_CAPACITY, _R.OUT_OF_SCOPE, _R.REFERRED_ONWARD, _R.NOT_ENTITLED, _R.NOT_NEEDED),
        *(*_OF_PEOPLE, _R.DONE_ELSEWHERE, _R.OTHER),
    ),
}
"""Why it may be so: what a clerk chooses from."""


def offered_actions(state: ReferralState) -> Sequence[PageAction]:
    """Those that the table of transitions has from where a referral stands, the likeliest first; and asking,
    as long as it is open.
    """
    found = [
        action
        for action, events in EVENTS.items()
        if any(next_state(state, event) is not None for event in events)
    ]
    if state is ReferralState.SCHEDULED:  # what comes next is the visit, and not another appointment
        found.sort(key=lambda one: one is not _A.FINDINGS)
    asks = state not in FINAL and state not in (ReferralState.DRAFT, ReferralState.CANCELLATION_ASKED)
    return [*found, _A.ASK] if asks else found


def may_note(state: ReferralState) -> bool:
    """Whether findings may be only some of them."""
    return next_state(state, _E.INTERIM_NOTE) is not None


def may_finish(state: ReferralState) -> bool:
    """Whether findings may be all there are."""
    return next_state(state, _E.OUTCOME) is not None


def leads_on(before: ReferralState, after: ReferralState, action: PageAction) -> bool:
    """Whether `after` is where the action leads from `before`."""
    return not EVENTS[action] or after in {next_state(before, event) for event in EVENTS[action]}
