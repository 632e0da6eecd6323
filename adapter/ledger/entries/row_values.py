"""Rows to write for an entry (pure)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from adapter.ledger.schema.states import EntryEvent, EntryState, next_state
from adapter.ledger.schema.transitions import pack_transition
from adapter.ledger.schema.values import UNKNOWN_RECORD, DeliveryOutcome, DesiredResource, LedgerEntry
from adapter.subscriptions.changes import ReferralChange
from adapter.subscriptions.topic import REFERRAL_TYPES

__all__ = [
    "REASON_INVALID",
    "SettlementRow",
    "desired_row",
    "has_new_remote_id",
    "referral_changes",
    "retraction_row",
    "settlement_row",
    "stale_names",
]

_TAKEN_FROM = (EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.PARKED)
REASON_INVALID = "invalid"  # the reason of what breaks FHIR's rules; it is kept until the resource is parked


class SettlementRow(NamedTuple):
    """What of an entry decides how it is settled: read for every entry of every Bundle, so no more than
    that, and never its body. Fields are columns.
    """

    identity: str
    type: str
    kind: str
    rank: int
    state: EntryState
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


def _base(entry: LedgerEntry) -> dict[str, Any]:
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


def retraction_row(entry: LedgerEntry, mapping_version: str, now: datetime) -> dict[str, Any]:
    """The update for what the hospital should no longer hold."""
    state = next_state(entry.state, EntryEvent.RETRACT)
    return {
        "b_identity": entry.identity,
        "b_step": pack_transition(state, now),
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


def desired_row(
    entry: LedgerEntry | None, desired: DesiredResource, mapping_version: str, now: datetime
) -> dict[str, Any]:
    """The row for what the hospital should hold: a whole one, or with `b_identity` an update of `entry`."""
    before = entry.state if entry else EntryState.PENDING
    state = next_state(before, EntryEvent.INVALID if desired.problem else EntryEvent.DESIRE)
    reason = REASON_INVALID if desired.problem else None
    row: dict[str, Any] = {
        "state": state,
        "desired_digest": desired.digest,
        "body": desired.body,
        "mapping_version": mapping_version,
        "attempts": 0,
        "reason": reason,
        "detail": (desired.problem or "")[:500] or None,
        "wished_at": now,
        "changed_at": now,
    }
    if entry is None:
        row |= {"type": desired.type, "rank": desired.rank, "kind": desired.kind, "key": desired.key}
        return {**row, "identity": desired.identity, "history": pack_transition(state, now, reason)}
    if state is EntryState.PENDING and entry.delivered_digest == desired.digest:
        state = next_state(state, EntryEvent.CONFIRM)
        row |= {"state": state, "body": None}
    if before is EntryState.RETRACTED:
        row |= {"remote_id": None, "etag": None}
    if before is EntryState.RETRACTING and state is EntryState.UNKNOWN:
        row |= {"sent_at": now}  # its deletion may be under way as from now
    return {
        "b_identity": entry.identity,
        "b_step": pack_transition(state, now, reason),
        **_base(entry),
        **row,
    }


def settlement_row(entry: SettlementRow, outcome: DeliveryOutcome, now: datetime) -> dict[str, Any]:
    """The update after what became of an entry; `b_keep`: whether its body stays. Raises ValueError for what
    cannot have happened.
    """
    event = outcome.event
    state = first = next_state(entry.state, event)
    reason, detail = outcome.reason, outcome.detail
    delivered, delivered_at = entry.delivered_digest, entry.delivered_at
    if event is EntryEvent.CONFIRM:
        delivered, delivered_at = outcome.digest or entry.sent_digest, now
    elif event in (EntryEvent.ABSENT, EntryEvent.GONE):
        delivered = None
    is_superseded = _is_superseded(entry, delivered, state)
    if is_superseded:
        state = next_state(state, EntryEvent.INVALID if entry.reason == REASON_INVALID else EntryEvent.DESIRE)
        reason, detail = None, None
    if (
        entry.reason == REASON_INVALID
        and entry.desired_digest is not None
        and state is not EntryState.DELIVERED
    ):
        # Planned while this was under way: it stays known until it can be parked.
        state = next_state(state, EntryEvent.INVALID) if state is EntryState.PENDING else state
        reason, detail = entry.reason, entry.detail
    gone = event is EntryEvent.GONE
    forget = outcome.clear_remote_id or gone
    burn = outcome.counts_as_attempt and not is_superseded
    return {
        "b_identity": entry.identity,
        "b_step": _steps(entry, (first, outcome.reason), (state, reason), now),
        "b_keep": state is not EntryState.DELIVERED,
        "state": state,
        "delivered_digest": delivered,
        "delivered_at": delivered_at,
        "sent_digest": None if gone else entry.sent_digest,
        "remote_id": None if forget else (outcome.remote_id or entry.remote_id),
        "etag": None if forget else (outcome.etag or (None if event is EntryEvent.CONFIRM else entry.etag)),
        "attempts": 0 if state is EntryState.DELIVERED else entry.attempts + burn,
        "lookups": entry.lookups + 1 if event is EntryEvent.LOSE and entry.state is EntryState.UNKNOWN else 0,
        "reason": reason,
        "detail": (detail or "")[:500] or None,
        "changed_at": now,
    }


def has_new_remote_id(entry: SettlementRow, row: Mapping[str, Any]) -> bool:
    """Whether the hospital holds under another id what it held before: it was deleted there meanwhile."""
    return bool(entry.delivered_at and row["remote_id"] and row["remote_id"] != entry.remote_id)


def stale_names(
    lines: Mapping[str, SettlementRow], rows: Iterable[Mapping[str, Any]], proved: Collection[str]
) -> list[tuple[str, str]]:
    """Type and id of the referrals that no line names any more once these rows are written. What is
    `proved` gone (identities) is not among them: its receipt names it.
    """
    found = []
    for row in rows:
        line = lines[row["b_identity"]]
        if line.type not in REFERRAL_TYPES or line.remote_id in (None, row["remote_id"]):
            continue
        if line.identity not in proved:
            found.append((line.type, str(line.remote_id)))
    return found


def referral_changes(
    lines: Mapping[str, SettlementRow], outcomes: Sequence[DeliveryOutcome]
) -> list[ReferralChange]:
    """What of these outcomes a hospital that subscribed to its referrals is told: what it took, and what it
    let go of, of records that are known. What it had already is no change.
    """
    found = []
    for one in outcomes:
        line = lines.get(one.identity)
        if line is None or line.type not in REFERRAL_TYPES or line.kind == UNKNOWN_RECORD[0]:
            continue
        remote_id = one.remote_id or line.remote_id
        if remote_id is not None and (interaction := _interaction(line, one)) is not None:
            found.append(ReferralChange(line.type, remote_id, interaction))
    return found


def _interaction(line: SettlementRow, one: DeliveryOutcome) -> str | None:
    if one.event is EntryEvent.GONE and line.delivered_at is not None:
        return "update" if one.proof == "entered-in-error" else "delete"
    if one.event is EntryEvent.CONFIRM and line.state in _TAKEN_FROM:
        return "create" if line.delivered_at is None or line.remote_id is None else "update"
    return None


def _is_superseded(entry: SettlementRow, delivered: str | None, state: EntryState) -> bool:
    """Whether the outcome is that of an older version, and a newer wish was planned meanwhile."""
    if state is EntryState.DELIVERED:
        return delivered != entry.desired_digest
    if state is EntryState.PARKED:
        return entry.state is EntryState.SENDING and entry.sent_digest != entry.desired_digest
    return state is EntryState.RETRACTED and entry.desired_digest is not None


def _steps(
    entry: SettlementRow,
    first: tuple[EntryState, str | None],
    last: tuple[EntryState, str | None],
    now: datetime,
) -> str:
    """What the history gets: the state that the outcome led to, and the last one if a wish moved it on;
    nothing where nothing is new.
    """
    if first[0] is not last[0]:
        return pack_transition(first[0], now, first[1]) + pack_transition(last[0], now, last[1])
    return "" if last == (entry.state, entry.reason) else pack_transition(last[0], now, last[1])
