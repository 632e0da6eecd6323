"""An import is taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.operations.operation import Operation, OperationContext
from adapter.records.importing.import_history import ImportRun, find_run
from adapter.records.importing.undo import ImportUndo, undo_run

__all__ = ["ImportUndo", "UndoImport"]


class _Looked(Exception):
    """All of it was seen, and none of it is to stay."""


@dataclass(frozen=True)
class UndoImport(Operation[ImportUndo, ImportUndo]):
    """Put back what an import changed, unless something changed it again since. The next sync says it to the
    hospitals.
    """

    name: ClassVar[str] = "records.import-undo"
    audited_as: ClassVar[tuple[str, ...]] = ("import.undone",)
    run: int

    def look(self, context: OperationContext) -> ImportUndo:
        """What would be put back. Raises UsageError for an import that is not known or is taken back."""
        try:
            self._undo(context, lambda: None, keep=False)
        except _Looked as seen:
            found: ImportUndo = seen.args[0]
            return found
        raise AssertionError("nothing was looked at")

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ImportUndo:
        """Put it back. Raises UsageError as `look` does."""
        return self._undo(context, unchanged, keep=True)

    def _undo(self, context: OperationContext, unchanged: Callable[[], None], *, keep: bool) -> ImportUndo:
        unchanged()
        with write_transaction(context.adapter.engine) as connection:
            run = self._wanted(find_run(connection, self.run))
            done = undo_run(connection, run, at=context.clock(), by=context.by)
            if not keep:
                raise _Looked(done)
            audit.append(
                connection,
                at=context.clock(),
                actor=context.by,
                action="import.undone",
                details={
                    "import": run.id,
                    "restored": done.restored,
                    "removed": done.removed,
                    "left": done.left,
                    "held": done.held,
                },
            )
        return done

    def _wanted(self, run: ImportRun | None) -> ImportRun:
        if run is None:
            raise UsageError("imports.unknown", number=self.run)
        if run.undone_by is not None:
            raise UsageError("imports.undone_already", number=self.run, by=run.undone_by)
        if run.forgotten:
            raise UsageError("imports.forgotten", number=self.run)
        return run

    def undo(self, before: ImportUndo) -> None:
        """It is an import of its own in the list, which can be taken back like any other."""
        return None
