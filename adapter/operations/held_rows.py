"""A person lets in a row that an import has held, or drops it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.operations.operation import Operation, OperationContext
from adapter.records.held_rows import HeldRow, HeldRowStore, HeldState
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.serialisation import parse_record

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
) -> None:
    now = context.clock()
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
    """Let a held row in as it is; the same row in a later file comes in too. Nothing undoes it but a
    corrected row.
    """

    name: ClassVar[str] = "import.held.release"
    audited_as: ClassVar[tuple[str, ...]] = ("import.released",)
    item: int
    reason: str

    def look(self, context: OperationContext) -> HeldRow:
        """The row as it is. Raises UsageError where there is none, or no reason is given."""
        return _look(context, self.item, self.reason)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Store the record. Raises UsageError where whom it belongs to is not in the records."""
        with write_transaction(context.adapter.engine) as connection:
            writer = ImportWriter(connection)
            row = self.look(context)
            unchanged()
            if row.state == HeldState.RELEASED:
                raise UsageError("held.released_before", id=row.id)
            record: Any = parse_record(row.kind, row.body)
            _check_parents(writer, row, record)
            writer.upsert([(record, row.row)], row.source, row.sheet, context.clock())
            writer.close()
            action = self.audited_as[0]
            _decide(context, connection, row, HeldState.RELEASED, reason=self.reason, action=action)


def _check_parents(writer: ImportWriter, row: HeldRow, record: Any) -> None:
    for kind in _PARENTS:
        key = getattr(record, kind, None)
        if key is not None and row.kind != kind and not writer.live_owners(kind, [key]):
            raise UsageError("held.no_parent", id=row.id)


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
            _decide(context, connection, row, HeldState.DROPPED, reason=self.reason, action=action)

    def undo(self, before: HeldRow) -> ReleaseHeldRow:
        """Let it in after all."""
        return ReleaseHeldRow(before.id, self.reason)
