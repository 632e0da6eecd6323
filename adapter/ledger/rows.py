"""Rows to write for an entry (pure)."""

from datetime import datetime
from typing import Any

from adapter.ledger.model import Entry, Settled
from adapter.ledger.state import Event, State, next_state

__all__ = ["same_columns", "settled"]


def same_columns(entry: Entry) -> dict[str, Any]:
    """The columns that every planned update sets, at their present values (one statement for all)."""
    return {
        "state": entry.state,
        "desired_digest": entry.desired_digest,
        "body": entry.body,
        "attempts": entry.attempts,
        "reason": entry.reason,
        "detail": entry.detail,
        "remote_id": entry.remote_id,
        "etag": entry.etag,
    }


def settled(entry: Entry, outcome: Settled, now: datetime) -> dict[str, Any]:
    """The row after what became of an entry. Raises ValueError for what cannot have happened."""
    state = next_state(entry.state, outcome.event)
    delivered = entry.delivered_digest
    delivered_at = entry.delivered_at
    body = entry.body
    if outcome.event is Event.CONFIRM:
        delivered, delivered_at = outcome.digest or entry.sent_digest, now
        if state is State.DELIVERED and delivered != entry.desired_digest:
            state = State.PENDING  # a newer wish was planned while this one was under way
        elif state is State.DELIVERED:
            body = None
    reason, detail = outcome.reason, outcome.detail
    if state is State.PENDING and entry.reason == "invalid":  # planned while this was under way
        state, reason, detail = State.PARKED, entry.reason, entry.detail
    gone = state is State.RETRACTED or outcome.event is Event.GONE
    forget = outcome.forget or gone
    return {
        "b_identity": entry.identity,
        "state": state,
        "delivered_digest": None if gone else delivered,
        "delivered_at": delivered_at,
        "sent_digest": None if gone else entry.sent_digest,
        "body": body,
        "remote_id": None if forget else (outcome.remote_id or entry.remote_id),
        "etag": None
        if forget
        else (outcome.etag or (None if outcome.event is Event.CONFIRM else entry.etag)),
        "attempts": 0 if state is State.DELIVERED else entry.attempts + outcome.burn,
        "reason": reason,
        "detail": (detail or "")[:500] or None,
        "changed_at": now,
    }
