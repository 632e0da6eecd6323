"""The states of a resource at a hospital, and what moves it from one to the next (pure).

::

              desire                 start                confirm
    (nothing) ──────▶ PENDING ─────────────▶ SENDING ─────────────▶ DELIVERED
                       ▲ ▲ ▲                  │ │ │                  │     │
             desire    │ │ └──── retry ───────┘ │ └─ lose ─▶ UNKNOWN │     │ retract
    PARKED ────────────┘ └───── absent ─────────┼──────────────┘  │  │     ▼
       ▲                                        │    confirm ─────┘  │   RETRACTING ─▶ RETRACTED
       └──────────────── refuse ────────────────┘                    │        gone        │
                         (and desire with new content: DELIVERED ────┴─▶ PENDING ◀────────┘)

UNKNOWN means sent and never answered: it is looked up at the hospital and becomes DELIVERED
(found as sent: confirm) or PENDING (absent, or found different). RETRACTING stays until reading
back proves that it is gone. Withheld has no state here: what policy withholds is not in the ledger.
"""

from enum import StrEnum

__all__ = ["Event", "State", "next_state"]


class State(StrEnum):
    """Where a resource stands at one hospital."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    UNKNOWN = "unknown"
    PARKED = "parked"
    RETRACTING = "retracting"
    RETRACTED = "retracted"


class Event(StrEnum):
    """What happened."""

    DESIRE = "desire"  # the hospital should hold new content
    INVALID = "invalid"  # the content breaks FHIR's rules and may not be sent
    START = "start"  # a worker is about to send it
    CONFIRM = "confirm"  # the hospital holds what was sent
    RETRY = "retry"  # not taken, for a reason that passes
    LOSE = "lose"  # sent, and no answer that can be read
    ABSENT = "absent"  # looked up: not there, or there with other content
    REFUSE = "refuse"  # not taken, for a reason that a person must see to
    RETRACT = "retract"  # the hospital should no longer hold it
    GONE = "gone"  # read back: it is not there


_S, _E = State, Event
_TABLE: dict[tuple[State, Event], State] = {
    (_S.PENDING, _E.DESIRE): _S.PENDING,
    (_S.PENDING, _E.INVALID): _S.PARKED,
    (_S.PENDING, _E.START): _S.SENDING,
    (_S.PENDING, _E.REFUSE): _S.PARKED,
    (_S.PENDING, _E.CONFIRM): _S.DELIVERED,  # the wish went back to what is already there
    (_S.PENDING, _E.RETRACT): _S.RETRACTING,
    (_S.PENDING, _E.GONE): _S.PENDING,  # wished for again while it was being retracted
    (_S.SENDING, _E.DESIRE): _S.SENDING,  # settled against what was sent, then pending again
    (_S.SENDING, _E.INVALID): _S.SENDING,
    (_S.SENDING, _E.START): _S.SENDING,
    (_S.SENDING, _E.CONFIRM): _S.DELIVERED,
    (_S.SENDING, _E.RETRY): _S.PENDING,
    (_S.SENDING, _E.LOSE): _S.UNKNOWN,
    (_S.SENDING, _E.ABSENT): _S.PENDING,
    (_S.SENDING, _E.REFUSE): _S.PARKED,
    (_S.SENDING, _E.RETRACT): _S.RETRACTING,
    (_S.UNKNOWN, _E.DESIRE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.INVALID): _S.UNKNOWN,
    (_S.UNKNOWN, _E.CONFIRM): _S.DELIVERED,
    (_S.UNKNOWN, _E.LOSE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ABSENT): _S.PENDING,
    (_S.UNKNOWN, _E.REFUSE): _S.PARKED,
    (_S.UNKNOWN, _E.RETRACT): _S.RETRACTING,
    (_S.DELIVERED, _E.DESIRE): _S.PENDING,
    (_S.DELIVERED, _E.INVALID): _S.PARKED,
    (_S.DELIVERED, _E.RETRACT): _S.RETRACTING,
    (_S.PARKED, _E.DESIRE): _S.PENDING,
    (_S.PARKED, _E.INVALID): _S.PARKED,
    (_S.PARKED, _E.RETRACT): _S.RETRACTING,
    (_S.RETRACTING, _E.DESIRE): _S.PENDING,
    (_S.RETRACTING, _E.INVALID): _S.RETRACTING,
    (_S.RETRACTING, _E.RETRY): _S.RETRACTING,
    (_S.RETRACTING, _E.LOSE): _S.RETRACTING,
    (_S.RETRACTING, _E.ABSENT): _S.RETRACTING,
    (_S.RETRACTING, _E.CONFIRM): _S.RETRACTING,
    (_S.RETRACTING, _E.REFUSE): _S.RETRACTING,
    (_S.RETRACTING, _E.RETRACT): _S.RETRACTING,
    (_S.RETRACTING, _E.GONE): _S.RETRACTED,
    (_S.RETRACTED, _E.DESIRE): _S.PENDING,
    (_S.RETRACTED, _E.INVALID): _S.PARKED,
    (_S.RETRACTED, _E.RETRACT): _S.RETRACTED,
}


def next_state(state: State, event: Event) -> State:
    """The state after `event`. Raises ValueError for a pair that cannot happen."""
    try:
        return _TABLE[state, event]
    except KeyError:
        raise ValueError(f"{event} cannot happen to what is {state}") from None
