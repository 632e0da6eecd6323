"""Two people in the records who are one: their records become one person's, here and at every hospital."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from sqlalchemy import Connection

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import Busy, UsageError
from adapter.ledger.reassignment import reassign_records
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import Lease
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import items_about_merged, reassign_items
from adapter.pipeline.outbound.sync import planning_locks
from adapter.records.merges import Merge, MergeStore
from adapter.records.model import Cadre
from adapter.records.sheets.field_labels import field_label

__all__ = ["MergeCadres", "MergePreview", "UnmergeCadre"]

_COMPARED = ("name", "sex", "birth_date", "tier", "national_id", "old_national_id", "insurance", "phone")
_NUMBERS = ("national_id", "old_national_id")
_GONE = (EntryState.RETRACTED, EntryState.RETRACTING)
_TRIES = 20
_PAUSE = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What a merge would do: `records` of the loser by kind, `held` resources of the loser's at each
    hospital, `differ` the fields in which the two people differ, `numbers` those of them that no two
    records of one person can have.
    """

    loser: str
    survivor: str
    records: Mapping[str, int]
    held: Mapping[str, int]
    differ: tuple[str, ...]
    numbers: tuple[str, ...] = field(default=())

    @staticmethod
    def named(fields: tuple[str, ...]) -> str:
        """Fields of a person as a clerk calls them."""
        return ", ".join(field_label("cadre", one) for one in fields)


def _preview(adapter: Adapter, loser: str, survivor: str) -> MergePreview:
    """What a merge would do; changes nothing. Raises UsageError for people who are not there, one and
    the same, or merged already.
    """
    if loser == survivor:
        raise UsageError("merge.same", key=loser)
    for key in (loser, survivor):
        if (known := adapter.records.merges.survivor(key)) != key:
            raise UsageError("merge.already", key=key, survivor=known)
    one, other = _person(adapter, loser), _person(adapter, survivor)
    differ = tuple(name for name in _COMPARED if getattr(one, name) != getattr(other, name))
    both = (name for name in _NUMBERS if getattr(one, name) and getattr(other, name))
    records = Counter(record.kind for record in adapter.records.of_cadre(loser))
    held = {
        name: sum(entry.state not in _GONE for entry in adapter.ledger.entries(name, [loser])[loser])
        for name in adapter.settings.hospitals
    }
    return MergePreview(
        loser, survivor, records, held, differ, tuple(name for name in both if name in differ)
    )


def _person(adapter: Adapter, key: str) -> Cadre:
    found = adapter.records.get(Cadre.kind, key)
    if not isinstance(found, Cadre):
        raise UsageError("merge.nobody", key=key)
    return found


@dataclass(frozen=True)
class MergeCadres(Operation[MergePreview, None]):
    """Make two people in the records one: the loser's records are the survivor's from now on, and the next
    sync moves the references and retracts the loser. `despite_numbers`: although they have two numbers that
    no one person can have.
    """

    name: ClassVar[str] = "cadre.merge"
    audited_as: ClassVar[tuple[str, ...]] = ("cadre.merged",)
    loser: str
    survivor: str
    despite_numbers: bool = False

    def look(self, context: OperationContext) -> MergePreview:
        """What would become of them. Raises UsageError for people who are not there, one and the same, or
        merged already.
        """
        return _preview(context.adapter, self.loser, self.survivor)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Merge them. Raises UsageError, Busy when one of them is being sent just now."""
        adapter, clock = context.adapter, context.clock
        wanted = _preview(adapter, self.loser, self.survivor)
        if wanted.numbers and not self.despite_numbers:
            raise UsageError("merge.numbers", fields=wanted.named(wanted.numbers))
        with _both(adapter, self.loser, self.survivor, clock) as leases:
            unchanged()
            with write_transaction(adapter.engine) as connection:
                now = clock()
                MergeStore.add(connection, Merge(self.loser, self.survivor, now, context.by))
                for source, target in leases:
                    reassign_records(connection, source, target, None, now)
                _note(connection, context, "cadre.merged", self.loser, into=self.survivor)

    def undo(self, before: MergePreview) -> "UnmergeCadre":
        """Take it back."""
        return UnmergeCadre(self.loser)


@dataclass(frozen=True)
class UnmergeCadre(Operation[str, str]):
    """Take a merge back, with what hospitals sent about the loser meanwhile. Gives whom the loser was merged
    into.
    """

    name: ClassVar[str] = "cadre.unmerge"
    audited_as: ClassVar[tuple[str, ...]] = ("cadre.unmerged",)
    loser: str

    def look(self, context: OperationContext) -> str:
        """Whom the loser was merged into. Raises UsageError where there is nobody."""
        survivor = context.adapter.records.merges.survivor(self.loser)
        if survivor == self.loser:
            raise UsageError("merge.not_merged", key=self.loser)
        return survivor

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> str:
        """Take it back. Raises UsageError, Busy when one of them is being sent just now."""
        adapter, clock, survivor = context.adapter, context.clock, self.look(context)
        records = adapter.records.keys_recorded_under(self.loser)
        with _both(adapter, survivor, self.loser, clock) as leases:
            unchanged()
            with write_transaction(adapter.engine) as connection:
                now = clock()
                results = items_about_merged(adapter, self.loser, survivor, records)
                MergeStore.undo(connection, self.loser)
                reassign_items(adapter, connection, results, self.loser)
                for source, target in leases:
                    reassign_records(connection, source, target, records, now)
                _note(connection, context, "cadre.unmerged", self.loser, **{"from": survivor})
        return survivor

    def undo(self, before: str) -> MergeCadres:
        """Merge them again."""
        return MergeCadres(self.loser, before, despite_numbers=True)


def _note(connection: Connection, context: OperationContext, action: str, loser: str, **other: str) -> None:
    adapter = context.adapter
    audit.append(
        connection,
        at=context.clock(),
        actor=context.by,
        action=action,
        subject=adapter.audit_subject(loser),
        details={name: adapter.audit_subject(key) for name, key in other.items()},
    )


@contextmanager
def _both(
    adapter: Adapter, source: str, target: str, clock: Callable[[], datetime]
) -> Iterator[list[tuple[Lease, Lease]]]:
    """Both people's shipments at every hospital, while nobody else sends or plans for them: a plan that was
    made of who they were before must not be written after. At work, so that the leases and turns of a
    process that is killed here are found free.
    """
    names = _hospitals(adapter, (source, target))
    with ExitStack() as held:
        held.enter_context(adapter.as_worker(clock, threading.Event()))
        turns = held.enter_context(planning_locks(adapter, names))
        if busy := [name for name in names if name not in turns]:
            raise Busy("sync.busy", hospital=busy[0])
        yield [
            (_leased(adapter, name, source, clock, held), _leased(adapter, name, target, clock, held))
            for name in names
        ]


def _hospitals(adapter: Adapter, cadres: Collection[str]) -> list[str]:
    """Every hospital of the settings, and those that left them but still hold something."""
    return sorted({*adapter.settings.hospitals, *adapter.ledger.hospitals_of(cadres)})


def _leased(
    adapter: Adapter, hospital: str, cadre: str, clock: Callable[[], datetime], held: ExitStack
) -> Lease:
    shipments = adapter.ledger.shipments
    for attempt in range(_TRIES):
        lease = shipments.claim_one(hospital, cadre, clock(), adapter.settings.lease_seconds)
        if lease is not None:
            held.callback(shipments.give_back, lease)
            return lease
        if attempt + 1 < _TRIES:
            time.sleep(_PAUSE)
    raise Busy("merge.busy", hospital=hospital)
