"""One step of a referral: where what was said of it takes it. Pure."""

from dataclasses import dataclass

from adapter.referrals.lifecycle import FINAL, TRANSITIONS, ReferralEvent, ReferralState, next_state
from adapter.referrals.sayings import ReferralSaying

__all__ = ["ReferralStep", "take_step"]

_S, _E = ReferralState, ReferralEvent
_PRESUPPOSES_ACCEPTANCE = frozenset((_E.SCHEDULE, _E.INTERIM_NOTE, _E.OUTCOME))
_LEADS_TO = {event: after for (_, event), after in TRANSITIONS.items()}


@dataclass(frozen=True, slots=True)
class ReferralStep:
    """What one saying did: the `events` that it meant (none: it changed nothing). `is_odd`: it fits nowhere,
    and a person should look at it.
    """

    events: tuple[ReferralEvent, ...]
    before: ReferralState
    after: ReferralState
    is_odd: bool


def take_step(state: ReferralState, saying: ReferralSaying) -> ReferralStep:
    """Where a saying takes a referral from `state`. A hospital that gives an appointment, or answers, without
    having accepted has accepted.
    """
    for event in saying.events:
        if (after := next_state(state, event)) is not None:
            return ReferralStep((event,), state, after, False)
        if state is _S.RECEIVED and event in _PRESUPPOSES_ACCEPTANCE:
            after = TRANSITIONS[_S.ACCEPTED, event]
            return ReferralStep((_E.ACCEPT, event), state, after, False)
    is_known = any(_is_known(state, event, explicit=saying.explicit) for event in saying.events)
    return ReferralStep((), state, state, not is_known)


def _is_known(state: ReferralState, event: ReferralEvent, *, explicit: bool) -> bool:
    """Whether the event says nothing new: what it leads to holds, or is long past."""
    if _LEADS_TO[event] is state:
        return True
    if state is _S.COMPLETED:
        return event in (_E.OUTCOME, _E.INTERIM_NOTE)  # several reports under one referral
    return event is _E.ACCEPT and not explicit and state not in FINAL
