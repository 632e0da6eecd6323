"""Desired against the ledger: what to create, update, retract (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from adapter.ledger.model import Desired, Entry
from adapter.ledger.state import State

__all__ = ["Action", "Change", "compare"]


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


def _wish(entry: Entry | None, wish: Desired) -> Change:
    if entry is not None and entry.desired_digest and entry.desired_digest in (wish.digest, wish.or_digest):
        return Change(_standing(entry), entry, wish)
    if wish.problem is not None:
        return Change(Action.INVALID, entry, wish)
    there = entry is not None and (entry.remote_id is not None or entry.delivered_digest is not None)
    return Change(Action.UPDATE if there else Action.CREATE, entry, wish)


def _unwished(entry: Entry) -> Change:
    if entry.state is State.RETRACTED:
        return Change(Action.UNCHANGED, entry, None)
    if entry.state is State.RETRACTING:
        return Change(Action.WAITING, entry, None)
    never_sent = entry.sent_digest is None and entry.remote_id is None
    return Change(Action.DROP if never_sent else Action.RETRACT, entry, None)


def _standing(entry: Entry) -> Action:
    return Action.UNCHANGED if entry.state is State.DELIVERED else Action.WAITING
