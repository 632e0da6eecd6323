"""`adapter report`: the year in figures, on the terminal and in files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import AsJson, insights, now, open_adapter, operating
from adapter.cli.terminal.output import LOCAL, emit
from adapter.texts import LANGUAGES, say, write_line

if TYPE_CHECKING:
    from adapter.operations.operation import OperationContext
    from adapter.operations.year_report import YearFormat
    from adapter.report import YearReport

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("report", help=say("cli.help_report"))(report)


def report(
    context: typer.Context,
    *,
    year: Annotated[int | None, typer.Option(min=1900, max=2200, help=say("cli.help_report_year"))] = None,
    for_outsiders: Annotated[
        bool, typer.Option("--for-outsiders", help=say("cli.help_for_outsiders"))
    ] = False,
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help=say("year.help_pdf"))] = None,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help=say("year.help_xlsx"))] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help=say("year.help_csv"))] = None,
    fhir: Annotated[Path | None, typer.Option("--fhir", metavar="FILE", help=say("year.help_fhir"))] = None,
    language: Annotated[str, typer.Option("--language", help=say("year.help_language"))] = "vi",
    as_json: AsJson = False,
) -> None:
    """The year in figures."""
    from adapter.cli.terminal.report_chart import draw
    from adapter.errors import UsageError

    given: Mapping[YearFormat, Path | None] = {"pdf": pdf, "xlsx": xlsx, "csv": csv, "fhir": fhir}
    files = {kind: path for kind, path in given.items() if path is not None}
    if language not in LANGUAGES:
        raise UsageError("sheet.unknown_language", language=language)
    for path in files.values():
        if path.exists():
            raise UsageError("year.there", path=path)
    with open_adapter(context) as adapter:
        today = now().astimezone(LOCAL).date()
        figures = insights(adapter).report(year, for_outsiders=for_outsiders, today=today)
        if figures is None:
            raise UsageError("cli.report_nothing")
        for kind, path in files.items():
            _write_year(operating(adapter), kind, path, figures, language)
    emit(figures, as_json, lambda out: draw(out, figures))
    for path in files.values():
        write_line(say("year.written", path=path), to_errors=True)


def _write_year(
    acting: "OperationContext", kind: "YearFormat", path: Path, figures: "YearReport", language: str
) -> None:
    from adapter.operations.year_report import ExportYear

    made = ExportYear(kind, figures.year, figures.for_outsiders, figures.as_of, language).perform(acting)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(made)
