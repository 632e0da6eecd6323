"""A person lets in a row that an import has held, or drops it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Connection

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.operations.operation import Operation, OperationContext
from adapter.records.held_rows import HeldRow, HeldRowStore, HeldState
from adapter.records.importing.import_history import ImportHistory, RecordChange
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.visit_checks import VisitChecker
from adapter.records.model import Visit
from adapter.records.serialisation import parse_record
from adapter.records.sheets.key_space import key_space_in

__all__ = ["DropHeldRow", "ReleaseHeldRow"]

_PARENTS = ("cadre", "visit")


def _look(context: OperationContext, item: int, reason: str) -> HeldRow:
    """The row as it is. Raises UsageError where there is none, or no reason is given."""
    if not reason.strip():
        raise UsageError("held.no_reason")
    found = context.adapter.held_rows.get(item)
    if found is None:
        raise UsageError("held.no_row", id=item)
    return found


def _decide(
    context: OperationContext,
    connection: Connection,
    row: HeldRow,
    state: HeldState,
    *,
    reason: str,
    action: str,
    now: datetime,
) -> None:
    HeldRowStore.decide(connection, row.id, state, reason=reason.strip(), by=context.by, at=now)
    audit.append(
        connection,
        at=now,
        actor=context.by,
        action=action,
        subject=context.adapter.audit_subject(row.cadre),
        details={"item": row.id, "kind": row.kind},
    )


@dataclass(frozen=True)
class ReleaseHeldRow(Operation[HeldRow, None]):
    """Let a held row in as it is; the same row in a later file comes in too. Nothing undoes it at
    once: it is an import of its own, which `UndoImport` takes back; then the row waits again.
    """

    name: ClassVar[str] = "import.held.release"
    audited_as: ClassVar[tuple[str, ...]] = ("import.released",)
    item: int
    reason: str

    def look(self, context: OperationContext) -> HeldRow:
        """The row as it is. Raises UsageError where there is none, or no reason is given."""
        return _look(context, self.item, self.reason)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Store the record. Raises UsageError where whom it belongs to is not in the records, or the visit
        that it is stands there already under another key.
        """
        with write_transaction(context.adapter.engine) as connection:
            row = self.look(context)
            unchanged()
            if row.state == HeldState.RELEASED:
                raise UsageError("held.released_before", id=row.id)
            now = context.clock()
            _store(connection, row, by=context.by, at=now)
            action = self.audited_as[0]
            _decide(context, connection, row, HeldState.RELEASED, reason=self.reason, action=action, now=now)


def _store(connection: Connection, row: HeldRow, *, by: str, at: datetime) -> None:
    """Write the record as an import of its own, which can be taken back. Raises UsageError as `act` says."""
    history: ImportHistory | None = None

    def note(changes: list[RecordChange]) -> None:
        if history is not None:
            history.note(changes)

    writer = ImportWriter(connection, at, note)
    record: Any = parse_record(row.kind, row.body)
    _check_parents(writer, row, record)
    _check_second_visit(writer, row, record)
    files = [(f"{row.source}: {row.sheet} {row.row}", row.file_digest)]  # which row, in the list of imports
    history = ImportHistory(connection, at=at, by=by, files=files, position=writer.position)
    created, changed = writer.upsert([(record, row.row)], row.source, row.sheet, at)
    history.count(created=created, changed=changed)
    history.close(writer.position)
    writer.close()


def _check_parents(writer: ImportWriter, row: HeldRow, record: Any) -> None:
    for kind in _PARENTS:
        key = getattr(record, kind, None)
        if key is not None and row.kind != kind and not writer.stored.live_owners(kind, [key]):
            raise UsageError("held.no_parent", id=row.id)


def _check_second_visit(writer: ImportWriter, row: HeldRow, record: Any) -> None:
    """What an import would refuse: since it was held, the same check-up may have come in otherwise."""
    if isinstance(record, Visit):
        standing = VisitChecker(writer, key_space_in(row.cadre), asked=False).standing(record)
        if standing is not None:
            raise UsageError("held.second_visit", id=row.id, visit=standing)


@dataclass(frozen=True)
class DropHeldRow(Operation[HeldRow, None]):
    """Leave a held row out, in later files too while it says the same. Releasing it takes that back."""

    name: ClassVar[str] = "import.held.drop"
    audited_as: ClassVar[tuple[str, ...]] = ("import.dropped",)
    item: int
    reason: str

    def look(self, context: OperationContext) -> HeldRow:
        """The row as it is. Raises UsageError where there is none, or no reason is given."""
        return _look(context, self.item, self.reason)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Note it. Raises UsageError for a row that waits no more."""
        with write_transaction(context.adapter.engine) as connection:
            row = self.look(context)
            unchanged()
            if row.state != HeldState.WAITING:
                raise UsageError(f"held.{row.state.value}_before", id=row.id)
            action = self.audited_as[0]
            now = context.clock()
            _decide(context, connection, row, HeldState.DROPPED, reason=self.reason, action=action, now=now)

    def undo(self, before: HeldRow) -> ReleaseHeldRow:
        """Let it in after all."""
        return ReleaseHeldRow(before.id, self.reason)
