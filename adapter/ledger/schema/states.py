"""The states of a resource at a hospital, and what moves it from one to the next (pure).

::

    (nothing)
        │ desire                       (invalid: a wish that may not be sent is PARKED at once)
        ▼       start                    confirm
     PENDING ───────────────▶ SENDING ────────────▶ DELIVERED ── desire ──▶ PENDING
      ▲ ▲ ▲ ◀─── retry ────────┘ │ │                 ▲    └── retract ──▶ RETRACTING
      │ │ │                      │ └─ lose ─▶ UNKNOWN ┘ confirm
      │ │ └─────── absent ───────┼───────────────┘ ▲
      │ └ desire, release ┐      │ refuse          │ desire
      │                   PARKED ◀                 │
      │                                        RETRACTING ── gone ──▶ RETRACTED
      └──────────────────────── desire ───────────────────────────────────┘

    retract leads from every state to RETRACTING

UNKNOWN means sent and never answered: it is looked up at the hospital and becomes DELIVERED (found
as sent: confirm) or PENDING (absent, or found different). RETRACTING stays until reading back proves
that it is gone; what is wished for again meanwhile is UNKNOWN, since a deletion may be under way.

A wish that changes while an older version is SENDING or UNKNOWN moves nothing by itself: the older
one is settled first, and `desire` (or `invalid`) counts again after it. So what was superseded is
never sent after what is newer, and its outcome never stands for the newer one's.

Withheld has no state here: what policy withholds is not in the ledger. A resource that the policy
withholds from now on is no longer wished for, so it is retracted; one that it opens is wished for anew.
"""

from enum import StrEnum

__all__ = ["EntryEvent", "EntryState", "next_state"]


class EntryState(StrEnum):
    """Where a resource stands at one hospital."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    UNKNOWN = "unknown"
    PARKED = "parked"
    RETRACTING = "retracting"
    RETRACTED = "retracted"


class EntryEvent(StrEnum):
    """What happened."""

    DESIRE = "desire"  # the hospital should hold new content
    INVALID = "invalid"  # the content breaks FHIR's rules and may not be sent
    START = "start"  # a worker is about to send it
    CONFIRM = "confirm"  # the hospital holds what was sent
    RETRY = "retry"  # not taken, for a reason that passes
    LOSE = "lose"  # sent, and no answer that can be read
    ABSENT = "absent"  # looked up: not there, or there with other content
    REFUSE = "refuse"  # not taken, or not to be sent, for a reason that a person must see to
    RELEASE = "release"  # a person has seen to it: to be tried again as it is
    RETRACT = "retract"  # the hospital should no longer hold it
    GONE = "gone"  # read back: it is not there


_S, _E = EntryState, EntryEvent
_TABLE: dict[tuple[EntryState, EntryEvent], EntryState] = {
    (_S.PENDING, _E.DESIRE): _S.PENDING,  # the older wish is dropped
    (_S.PENDING, _E.INVALID): _S.PARKED,
    (_S.PENDING, _E.START): _S.SENDING,
    (_S.PENDING, _E.CONFIRM): _S.DELIVERED,  # it is there already: the wish went back, or a look before
    (_S.PENDING, _E.RETRY): _S.PENDING,
    (_S.PENDING, _E.ABSENT): _S.PENDING,
    (_S.PENDING, _E.REFUSE): _S.PARKED,
    (_S.PENDING, _E.RETRACT): _S.RETRACTING,
    (_S.SENDING, _E.DESIRE): _S.SENDING,  # settled against what was sent, then pending again
    (_S.SENDING, _E.INVALID): _S.SENDING,
    (_S.SENDING, _E.CONFIRM): _S.DELIVERED,
    (_S.SENDING, _E.RETRY): _S.PENDING,
    (_S.SENDING, _E.LOSE): _S.UNKNOWN,
    (_S.SENDING, _E.ABSENT): _S.PENDING,
    (_S.SENDING, _E.REFUSE): _S.PARKED,
    (_S.SENDING, _E.RETRACT): _S.RETRACTING,
    (_S.UNKNOWN, _E.DESIRE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.INVALID): _S.UNKNOWN,
    (_S.UNKNOWN, _E.CONFIRM): _S.DELIVERED,
    (_S.UNKNOWN, _E.RETRY): _S.PENDING,  # wished for again while it was deleted, and that was refused
    (_S.UNKNOWN, _E.LOSE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ABSENT): _S.PENDING,
    (_S.UNKNOWN, _E.REFUSE): _S.PARKED,
    (_S.UNKNOWN, _E.RETRACT): _S.RETRACTING,
    (_S.UNKNOWN, _E.GONE): _S.PENDING,  # wished for again while it was deleted
    (_S.DELIVERED, _E.DESIRE): _S.PENDING,
    (_S.DELIVERED, _E.INVALID): _S.PARKED,
    (_S.DELIVERED, _E.CONFIRM): _S.DELIVERED,
    (_S.DELIVERED, _E.ABSENT): _S.PENDING,  # read back, and lost or changed at the hospital
    (_S.DELIVERED, _E.RETRACT): _S.RETRACTING,
    (_S.PARKED, _E.DESIRE): _S.PENDING,
    (_S.PARKED, _E.INVALID): _S.PARKED,
    (_S.PARKED, _E.CONFIRM): _S.DELIVERED,  # read back: somebody has put it right at the hospital
    (_S.PARKED, _E.RELEASE): _S.PENDING,
    (_S.PARKED, _E.RETRACT): _S.RETRACTING,
    (_S.RETRACTING, _E.DESIRE): _S.UNKNOWN,
    (_S.RETRACTING, _E.INVALID): _S.RETRACTING,
    (_S.RETRACTING, _E.CONFIRM): _S.RETRACTING,
    (_S.RETRACTING, _E.RETRY): _S.RETRACTING,
    (_S.RETRACTING, _E.LOSE): _S.RETRACTING,
    (_S.RETRACTING, _E.ABSENT): _S.RETRACTING,
    (_S.RETRACTING, _E.REFUSE): _S.RETRACTING,
    (_S.RETRACTING, _E.RETRACT): _S.RETRACTING,
    (_S.RETRACTING, _E.GONE): _S.RETRACTED,
    (_S.RETRACTED, _E.DESIRE): _S.PENDING,
    (_S.RETRACTED, _E.INVALID): _S.PARKED,
    (_S.RETRACTED, _E.CONFIRM): _S.RETRACTING,  # read back: it is there again
    (_S.RETRACTED, _E.RETRACT): _S.RETRACTED,
}


def next_state(state: EntryState, event: EntryEvent) -> EntryState:
    """The state after `event`. Raises ValueError for a pair that cannot happen."""
    try:
        return _TABLE[state, event]
    except KeyError:
        raise ValueError(f"{event} cannot happen to what is {state}") from None
