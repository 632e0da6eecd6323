"""Desired against the ledger: what to create, update, retract (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource, LedgerEntry

__all__ = ["PlannedAction", "PlannedChange", "compare", "compare_again"]


class PlannedAction(StrEnum):
    """What a plan does with one resource."""

    CREATE = "create"
    UPDATE = "update"
    RETRACT = "retract"
    DROP = "drop"  # wished for once, never sent: forgotten
    INVALID = "invalid"
    UNCHANGED = "unchanged"
    WAITING = "waiting"  # unchanged, and not yet delivered


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One line of a plan; `entry` is the ledger's line (None for a new one), `desired` the wish."""

    action: PlannedAction
    entry: LedgerEntry | None
    desired: DesiredResource | None


def compare(existing: Iterable[LedgerEntry], desired: Iterable[DesiredResource]) -> list[PlannedChange]:
    """One Change per resource that is there or wished for."""
    entries = {entry.identity: entry for entry in existing}
    changes = [_wish(entries.pop(wish.identity, None), wish) for wish in desired]
    changes += [_unwished(entry) for entry in entries.values()]
    return changes


def compare_again(change: PlannedChange, entry: LedgerEntry | None) -> PlannedChange:
    """The same change of a line that stands otherwise now: workers moved it since it was compared."""
    if change.action in (PlannedAction.RETRACT, PlannedAction.DROP) and entry is not None:
        return _unwished(entry)
    return replace(change, entry=entry)


def _wish(entry: LedgerEntry | None, wish: DesiredResource) -> PlannedChange:
    if entry is not None and _is_written(entry, wish):
        return PlannedChange(_standing(entry), entry, wish)
    if wish.problem is not None:
        return PlannedChange(PlannedAction.INVALID, entry, wish)
    there = entry is not None and (entry.remote_id is not None or entry.delivered_digest is not None)
    return PlannedChange(PlannedAction.UPDATE if there else PlannedAction.CREATE, entry, wish)


def _is_written(entry: LedgerEntry, wish: DesiredResource) -> bool:
    """Whether the ledger holds this wish already, in a form that can still be fulfilled."""
    if not entry.desired_digest or entry.desired_digest not in (wish.digest, wish.equivalent_digest):
        return False
    if entry.state is EntryState.PARKED:
        return entry.reason != "invalid" or wish.problem is not None  # it was not valid, and is now
    return entry.state is not EntryState.RETRACTED and not (
        entry.state is EntryState.PENDING and entry.body is None
    )


def _unwished(entry: LedgerEntry) -> PlannedChange:
    if entry.state is EntryState.RETRACTED:
        return PlannedChange(PlannedAction.UNCHANGED, entry, None)
    if entry.state is EntryState.RETRACTING and entry.desired_digest is None:
        return PlannedChange(PlannedAction.WAITING, entry, None)
    never_sent = entry.sent_digest is None and entry.remote_id is None
    return PlannedChange(PlannedAction.DROP if never_sent else PlannedAction.RETRACT, entry, None)


def _standing(entry: LedgerEntry) -> PlannedAction:
    return PlannedAction.UNCHANGED if entry.state is EntryState.DELIVERED else PlannedAction.WAITING
