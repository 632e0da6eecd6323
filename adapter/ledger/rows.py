"""Rows to write for an entry (pure)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from adapter.ledger.history import step
from adapter.ledger.model import Desired, Entry, Settled
from adapter.ledger.state import Event, State, next_state

__all__ = ["INVALID", "Line", "has_moved", "retracted", "settled", "wished"]

INVALID = "invalid"  # the reason of what breaks FHIR's rules; it is kept until the resource is parked


class Line(NamedTuple):
    """What of an entry decides how it is settled: read for every entry of every Bundle, so no more than
    that, and never its body. Fields are columns.
    """

    identity: str
    rank: int
    state: State
    desired_digest: str | None
    sent_digest: str | None
    delivered_digest: str | None
    delivered_at: datetime | None
    remote_id: str | None
    etag: str | None
    attempts: int
    lookups: int
    reason: str | None
    detail: str | None


def _base(entry: Entry) -> dict[str, Any]:
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
        "sent_at": entry.sent_at,
    }


def retracted(entry: Entry, mapping_version: str, now: datetime) -> dict[str, Any]:
    """The update for what the hospital should no longer hold."""
    state = next_state(entry.state, Event.RETRACT)
    return {
        "b_identity": entry.identity,
        "b_step": step(state, now),
        **_base(entry),
        "state": state,
        "desired_digest": None,
        "body": None,
        "attempts": 0,
        "reason": None,
        "detail": None,
        "mapping_version": mapping_version,
        "wished_at": now,
        "changed_at": now,
    }


def wished(entry: Entry | None, wish: Desired, mapping_version: str, now: datetime) -> dict[str, Any]:
    """The row for what the hospital should hold: a whole one, or with `b_identity` an update of `entry`."""
    before = entry.state if entry else State.PENDING
    state = next_state(before, Event.INVALID if wish.problem else Event.DESIRE)
    reason = INVALID if wish.problem else None
    row: dict[str, Any] = {
        "state": state,
        "desired_digest": wish.digest,
        "body": wish.body,
        "mapping_version": mapping_version,
        "attempts": 0,
        "reason": reason,
        "detail": (wish.problem or "")[:500] or None,
        "wished_at": now,
        "changed_at": now,
    }
    if entry is None:
        row |= {"type": wish.type, "rank": wish.rank, "kind": wish.kind, "key": wish.key}
        return {**row, "identity": wish.identity, "history": step(state, now, reason)}
    if state is State.PENDING and entry.delivered_digest == wish.digest:
        state = next_state(state, Event.CONFIRM)
        row |= {"state": state, "body": None}
    if before is State.RETRACTED:
        row |= {"remote_id": None, "etag": None}
    if before is State.RETRACTING and state is State.UNKNOWN:
        row |= {"sent_at": now}  # its deletion may be under way as from now
    return {"b_identity": entry.identity, "b_step": step(state, now, reason), **_base(entry), **row}


def settled(entry: Line, outcome: Settled, now: datetime) -> dict[str, Any]:
    """The update after what became of an entry; `b_keep`: whether its body stays. Raises ValueError for what
    cannot have happened.
    """
    event = outcome.event
    state = first = next_state(entry.state, event)
    reason, detail = outcome.reason, outcome.detail
    delivered, delivered_at = entry.delivered_digest, entry.delivered_at
    if event is Event.CONFIRM:
        delivered, delivered_at = outcome.digest or entry.sent_digest, now
    elif event in (Event.ABSENT, Event.GONE):
        delivered = None
    is_superseded = _is_superseded(entry, delivered, state)
    if is_superseded:
        state = next_state(state, Event.INVALID if entry.reason == INVALID else Event.DESIRE)
        reason, detail = None, None
    if entry.reason == INVALID and entry.desired_digest is not None and state is not State.DELIVERED:
        # Planned while this was under way: it stays known until it can be parked.
        state = next_state(state, Event.INVALID) if state is State.PENDING else state
        reason, detail = entry.reason, entry.detail
    gone = event is Event.GONE
    forget = outcome.forget or gone
    burn = outcome.burn and not is_superseded
    return {
        "b_identity": entry.identity,
        "b_step": _steps(entry, (first, outcome.reason), (state, reason), now),
        "b_keep": state is not State.DELIVERED,
        "state": state,
        "delivered_digest": delivered,
        "delivered_at": delivered_at,
        "sent_digest": None if gone else entry.sent_digest,
        "remote_id": None if forget else (outcome.remote_id or entry.remote_id),
        "etag": None if forget else (outcome.etag or (None if event is Event.CONFIRM else entry.etag)),
        "attempts": 0 if state is State.DELIVERED else entry.attempts + burn,
        "lookups": entry.lookups + 1 if event is Event.LOSE and entry.state is State.UNKNOWN else 0,
        "reason": reason,
        "detail": (detail or "")[:500] or None,
        "changed_at": now,
    }


def has_moved(entry: Line, row: Mapping[str, Any]) -> bool:
    """Whether the hospital holds under another id what it held before: it was deleted there meanwhile."""
    return bool(entry.delivered_at and row["remote_id"] and row["remote_id"] != entry.remote_id)


def _is_superseded(entry: Line, delivered: str | None, state: State) -> bool:
    """Whether the outcome is that of an older version, and a newer wish was planned meanwhile."""
    if state is State.DELIVERED:
        return delivered != entry.desired_digest
    if state is State.PARKED:
        return entry.state is State.SENDING and entry.sent_digest != entry.desired_digest
    return state is State.RETRACTED and entry.desired_digest is not None


def _steps(
    entry: Line, first: tuple[State, str | None], last: tuple[State, str | None], now: datetime
) -> str:
    """What the history gets: the state that the outcome led to, and the last one if a wish moved it on;
    nothing where nothing is new.
    """
    if first[0] is not last[0]:
        return step(first[0], now, first[1]) + step(last[0], now, last[1])
    return "" if last == (entry.state, entry.reason) else step(last[0], now, last[1])
