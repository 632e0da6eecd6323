"""The states of a referral at its hospital, and what leads from one to the next. Pure.

The 34 transitions are those of HL7's Bidirectional Services eReferral guide (BSeR), harmonised with IHE 360X;
codes are those of its Task business statuses.

    draft --01--> 2.0 received
    2.0   received               --accept 02--> 3.0       --decline 03--> 4.0        --ask to cancel 04--> 5.2
    3.0   accepted               --decline 05--> 4.0      --schedule 06, 31--> 5.1.1 --ask to cancel 07--> 5.2
                                 --interim 08, 32--> 5.1.4                           --outcome 09--> 7.0
    5.1.1 scheduled              --decline 10--> 4.0      --schedule 11--> 5.1.1     --no-show 12--> 5.1.2
                                 --appointment off 13--> 5.1.3                       --ask to cancel 14--> 5.2
                                 --interim 15--> 5.1.4    --outcome 16--> 7.0
    5.1.2 no-show                --decline 17--> 4.0      --schedule 18--> 5.1.1
                                 --appointment off 19--> 5.1.3                       --ask to cancel 20--> 5.2
    5.1.3 appointment cancelled  --decline 33--> 4.0      --schedule 21--> 5.1.1     --ask to cancel 22--> 5.2
    5.1.4 visit done             --decline 25--> 4.0      --schedule 26--> 5.1.1     --interim 29--> 5.1.4
                                 --appointment off 27--> 5.1.3                       --ask to cancel 28--> 5.2
                                 --outcome 30--> 7.0
    5.2   cancellation asked     --confirmed 23--> 6.0    --outcome 24--> 7.0
    4.0 declined, 6.0 cancelled, 7.0 completed are final.

What the table does not have changes nothing: it is kept, and shown as odd. An error of transport is no event.
"""

from enum import StrEnum

__all__ = [
    "BUSINESS_STATUS_SYSTEM",
    "FINAL",
    "TRANSITIONS",
    "ReferralEvent",
    "ReferralState",
    "business_status",
    "next_state",
]

BUSINESS_STATUS_SYSTEM = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"


class ReferralState(StrEnum):
    """Where a referral stands; the value is kept in its record."""

    DRAFT = "draft"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    SCHEDULED = "scheduled"
    NO_SHOW = "no-show"
    APPOINTMENT_CANCELLED = "appointment-cancelled"
    VISIT_DONE = "visit-done"
    CANCELLATION_ASKED = "cancellation-asked"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


class ReferralEvent(StrEnum):
    """What happens to a referral: SEND, ASK_TO_CANCEL are the centre's, the others a hospital's."""

    SEND = "send"
    ACCEPT = "accept"
    DECLINE = "decline"
    SCHEDULE = "schedule"
    NO_SHOW = "no-show"
    CANCEL_APPOINTMENT = "cancel-appointment"
    INTERIM_NOTE = "interim-note"
    OUTCOME = "outcome"
    ASK_TO_CANCEL = "ask-to-cancel"
    CONFIRM_CANCELLATION = "confirm-cancellation"


_S, _E = ReferralState, ReferralEvent
_CODES = {
    _S.RECEIVED: "2.0",
    _S.ACCEPTED: "3.0",
    _S.DECLINED: "4.0",
    _S.SCHEDULED: "5.1.1",
    _S.NO_SHOW: "5.1.2",
    _S.APPOINTMENT_CANCELLED: "5.1.3",
    _S.VISIT_DONE: "5.1.4",
    _S.CANCELLATION_ASKED: "5.2",
    _S.CANCELLED: "6.0",
    _S.COMPLETED: "7.0",
}
FINAL = frozenset((_S.DECLINED, _S.CANCELLED, _S.COMPLETED))

_OPEN = (_S.RECEIVED, _S.ACCEPTED, _S.SCHEDULED, _S.NO_SHOW, _S.APPOINTMENT_CANCELLED, _S.VISIT_DONE)
TRANSITIONS: dict[tuple[ReferralState, ReferralEvent], ReferralState] = {
    (_S.DRAFT, _E.SEND): _S.RECEIVED,
    (_S.RECEIVED, _E.ACCEPT): _S.ACCEPTED,
    **{(state, _E.DECLINE): _S.DECLINED for state in _OPEN},
    **{
        (state, _E.SCHEDULE): _S.SCHEDULED
        for state in (_S.ACCEPTED, _S.SCHEDULED, _S.NO_SHOW, _S.APPOINTMENT_CANCELLED, _S.VISIT_DONE)
    },
    (_S.SCHEDULED, _E.NO_SHOW): _S.NO_SHOW,
    **{
        (state, _E.CANCEL_APPOINTMENT): _S.APPOINTMENT_CANCELLED
        for state in (_S.SCHEDULED, _S.NO_SHOW, _S.VISIT_DONE)
    },
    **{(state, _E.INTERIM_NOTE): _S.VISIT_DONE for state in (_S.ACCEPTED, _S.SCHEDULED, _S.VISIT_DONE)},
    **{
        (state, _E.OUTCOME): _S.COMPLETED
        for state in (_S.ACCEPTED, _S.SCHEDULED, _S.VISIT_DONE, _S.CANCELLATION_ASKED)
    },
    **{(state, _E.ASK_TO_CANCEL): _S.CANCELLATION_ASKED for state in _OPEN},
    (_S.CANCELLATION_ASKED, _E.CONFIRM_CANCELLATION): _S.CANCELLED,
}
"""From a state by an event to the next: all that there are."""


def next_state(state: ReferralState, event: ReferralEvent) -> ReferralState | None:
    """Where the event leads; None where the table has no such transition: nothing changes."""
    return TRANSITIONS.get((state, event))


def business_status(state: ReferralState) -> str | None:
    """The code of system `BUSINESS_STATUS_SYSTEM` for a state; None of a draft."""
    return _CODES.get(state)
