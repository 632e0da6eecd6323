"""Records and results, taken out as tables for people."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from adapter.errors import UsageError
from adapter.insights.export_rows import ExportSelection, export_headings, export_rows, export_tables
from adapter.operations.operation import Operation, OperationContext
from adapter.operations.table_files import CsvFolder, WorkbookFile
from adapter.pipeline.access_audit import audit_people
from adapter.records.model import Cadre
from adapter.texts import current_language

__all__ = ["ExportPeople", "ExportSummary"]

_WORKBOOK = ".xlsx"


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """Where to, how many people, and how many rows of each table. `too_long` counts cells that a workbook
    cannot hold whole; a folder of CSVs can.
    """

    path: str
    people: int
    rows: Mapping[str, int]
    too_long: int = 0


@dataclass(frozen=True)
class ExportPeople(Operation[ExportSummary, ExportSummary]):
    """Write the records of people, of a period if wanted, into `path`: a workbook where that ends in .xlsx,
    else a folder of CSVs. It must not be there yet. Nothing is changed, so nothing undoes it.
    """

    name: ClassVar[str] = "records.export"
    audited_as: ClassVar[tuple[str, ...]] = ("record.exported",)
    path: Path
    selection: ExportSelection = field(default_factory=ExportSelection)

    def look(self, context: OperationContext) -> ExportSummary:
        """How much it would be. Raises UsageError where there is something already, or no folder for it."""
        self._check_path()
        counts = Counter(table for table, _ in export_rows(context.adapter, self.selection))
        return self._summary(counts, 0)

    def _check_path(self) -> None:
        if self.path.exists():
            raise UsageError("export.exists", path=self.path)
        if not self.path.absolute().parent.is_dir():
            raise UsageError("export.no_folder", path=self.path.absolute().parent)

    def _summary(self, counts: Counter[str], too_long: int) -> ExportSummary:
        people = counts[Cadre.kind]
        return ExportSummary(str(self.path.absolute()), people, dict(sorted(counts.items())), too_long)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ExportSummary:
        """Write it beside, note in the audit whose records somebody gets, and only then give it its name."""
        self._check_path()
        unchanged()
        tables = export_tables(context.adapter)
        made = WorkbookFile if self.path.suffix.casefold() == _WORKBOOK else CsvFolder
        file = made(self.path.absolute(), tables, export_headings(tables, current_language()))
        counts: Counter[str] = Counter()
        people: list[str] = []
        try:
            for table, row in export_rows(context.adapter, self.selection):
                counts[table] += 1
                if table == Cadre.kind:
                    people.append(row["key"])
                file.add(table, row)
            audit_people(
                context.adapter,
                people,
                self.audited_as[0],
                command="export",
                by=context.by,
                now=context.clock(),
            )
            file.seal()
        except BaseException:
            file.discard()
            raise
        return self._summary(counts, file.too_long)
