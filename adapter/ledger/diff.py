"""Desired against the ledger: what to create, update, retract (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from adapter.ledger.model import Desired, Entry
from adapter.ledger.state import State

__all__ = ["Action", "Change", "compare", "refreshed"]


class Action(StrEnum):
    """What a plan does with one resource."""

    CREATE = "create"
    UPDATE = "update"
    RETRACT = "retract"
    DROP = "drop"  # wished for once, never sent: forgotten
    INVALID = "invalid"
    UNCHANGED = "unchanged"
    WAITING = "waiting"  # unchanged, and not yet delivered


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan; `entry` is the ledger's line (None for a new one), `desired` the wish."""

    action: Action
    entry: Entry | None
    desired: Desired | None


def compare(existing: Iterable[Entry], desired: Iterable[Desired]) -> list[Change]:
    """One Change per resource that is there or wished for."""
    entries = {entry.identity: entry for entry in existing}
    changes = [_wish(entries.pop(wish.identity, None), wish) for wish in desired]
    changes += [_unwished(entry) for entry in entries.values()]
    return changes


def refreshed(change: Change, entry: Entry | None) -> Change:
    """The same change of a line that stands otherwise now: workers moved it since it was compared."""
    if change.action in (Action.RETRACT, Action.DROP) and entry is not None:
        return _unwished(entry)
    return replace(change, entry=entry)


def _wish(entry: Entry | None, wish: Desired) -> Change:
    if entry is not None and _is_written(entry, wish):
        return Change(_standing(entry), entry, wish)
    if wish.problem is not None:
        return Change(Action.INVALID, entry, wish)
    there = entry is not None and (entry.remote_id is not None or entry.delivered_digest is not None)
    return Change(Action.UPDATE if there else Action.CREATE, entry, wish)


def _is_written(entry: Entry, wish: Desired) -> bool:
    """Whether the ledger holds this wish already, in a form that can still be fulfilled."""
    if not entry.desired_digest or entry.desired_digest not in (wish.digest, wish.or_digest):
        return False
    if entry.state is State.PARKED:
        return entry.reason != "invalid" or wish.problem is not None  # it was not valid, and is now
    return entry.state is not State.RETRACTED and not (entry.state is State.PENDING and entry.body is None)


def _unwished(entry: Entry) -> Change:
    if entry.state is State.RETRACTED:
        return Change(Action.UNCHANGED, entry, None)
    if entry.state is State.RETRACTING and entry.desired_digest is None:
        return Change(Action.WAITING, entry, None)
    never_sent = entry.sent_digest is None and entry.remote_id is None
    return Change(Action.DROP if never_sent else Action.RETRACT, entry, None)


def _standing(entry: Entry) -> Action:
    return Action.UNCHANGED if entry.state is State.DELIVERED else Action.WAITING
