"""Taking the year's report along: what the board prints, or what others count by machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import ClassVar, Literal, get_args

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.fhir.codec import dumps
from adapter.insights.year import ShownYear, shown_year
from adapter.operations.operation import Operation, OperationContext
from adapter.report.outputs.csv_file import csv_bytes
from adapter.report.outputs.measure_report import measure_report
from adapter.report.outputs.tables import KEPT_BACK, year_tables
from adapter.report.outputs.workbook import workbook_bytes
from adapter.texts import say_in

__all__ = ["YEAR_FORMATS", "ExportYear", "YearFormat"]

YearFormat = Literal["pdf", "xlsx", "csv", "fhir"]
YEAR_FORMATS: tuple[YearFormat, ...] = get_args(YearFormat)


@dataclass(frozen=True)
class ExportYear(Operation[ShownYear, bytes]):
    """The report of a year, by default the newest, as a file's bytes. `today` is the centre's day: it decides
    what is overdue. Audited; nothing undoes it.
    """

    name: ClassVar[str] = "report.export"
    audited_as: ClassVar[tuple[str, ...]] = ("report.exported",)
    format: YearFormat
    year: int | None
    for_outsiders: bool
    today: date
    language: str = "vi"

    def look(self, context: OperationContext) -> ShownYear:
        """The figures. Raises UsageError where there are none."""
        found = shown_year(context.adapter, self.year, for_outsiders=self.for_outsiders, today=self.today)
        if found is None:
            raise UsageError("cli.report_nothing")
        return found

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> bytes:
        """The bytes of the file."""
        unchanged()
        shown = self.look(context)
        made = self._made(shown)
        with write_transaction(context.adapter.engine) as connection:
            audit.append(
                connection,
                at=context.clock(),
                actor=context.by,
                action=self.audited_as[0],
                details={
                    "year": shown.report.year,
                    "format": self.format,
                    "for_outsiders": self.for_outsiders,
                },
            )
        return made

    def _made(self, shown: ShownYear) -> bytes:
        text = partial(say_in, self.language)
        tables = year_tables(shown.report, shown.before, self.language)
        year, day = shown.report.year, shown.report.as_of
        if self.format == "fhir":
            return dumps(measure_report(tables, year=year, as_of=day, reporter=shown.centre))
        if self.format == "csv":
            return csv_bytes(tables, [text(f"year.{word}") for word in ("table", "row", "column", "count")])
        if self.format == "xlsx":
            return workbook_bytes(tables, self._notes(shown))
        from adapter.report.outputs.pdf_file import pdf_bytes

        title = text("year.title", year=year)
        notes = self._notes(shown)
        return pdf_bytes(tables, language=self.language, title=title, centre=shown.centre, notes=notes)

    def _notes(self, shown: ShownYear) -> Sequence[str]:
        day = f"{shown.report.as_of:%d/%m/%Y}"
        notes = [say_in(self.language, "year.as_of", day=day)]
        if self.for_outsiders:
            notes.append(say_in(self.language, "year.hidden", sign=KEPT_BACK))
        return notes
