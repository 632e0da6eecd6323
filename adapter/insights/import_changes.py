"""What an import changed."""

from collections.abc import Sequence

from adapter.database import read_transaction
from adapter.errors import UsageError
from adapter.pipeline.application import Adapter
from adapter.records.importing.change_summary import FieldChange
from adapter.records.importing.import_history import ImportRun, find_run
from adapter.records.importing.undo import changes_of_run

__all__ = ["FieldChange", "ImportRun", "import_changes"]


def import_changes(adapter: Adapter, number: int) -> Sequence[FieldChange]:
    """Values old and new. Raises UsageError for an import that is not known."""
    with read_transaction(adapter.engine) as connection:
        run = find_run(connection, number)
        if run is None:
            raise UsageError("imports.unknown", number=number)
        return changes_of_run(connection, run)
