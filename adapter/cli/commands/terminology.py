"""`adapter terminology gaps`, `export`: what the code tables lack, and what they hold, for others."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, settings_of
from adapter.cli.terminal.output import emit, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.terminology_gaps import Gap

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    terminology = CommandLine(help=say("terms.help"), no_args_is_help=True)
    terminology.command("gaps", help=say("terms.help_gaps"))(gaps)
    terminology.command("export", help=say("terms.help_export"))(export)
    app.add_typer(terminology, name="terminology")


def gaps(
    context: typer.Context,
    hospital: Annotated[str | None, typer.Option("--hospital", help=say("terms.help_hospital"))] = None,
    as_json: AsJson = False,
) -> None:
    """List the codes that no table knows, most frequent first."""
    with open_adapter(context) as adapter, progress(quiet=as_json) as callback:
        found = insights(adapter).terminology_gaps(
            hospital, lambda _stage, _hospital, done, total: callback(say("terms.reading"), None, done, total)
        )
    emit({"gaps": found}, as_json, lambda out: _draw(out, found))


def _draw(out: "Console", found: "Sequence[Gap]") -> None:
    if not found:
        out.print(say("terms.no_gaps"))
        return
    headers = [say(f"terms.col_{word}") for word in ("table", "code", "count", "suggestions")]
    lines = (
        (
            say("terms.unfit") if gap.table == "unfit" else gap.table,
            say("terms.hidden") if gap.code is None else gap.code,
            gap.count,
            "; ".join(f"{one.code} ({one.display})" for one in gap.suggestions) or "-",
        )
        for gap in found
    )
    out.print(rows(table(*headers, numbers=(2,)), lines))


def export(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help=say("terms.help_directory"))],
    as_json: AsJson = False,
) -> None:
    """Write the code tables as FHIR CodeSystem, ValueSet and ConceptMap."""
    from adapter.operations.terminology_export import export_code_tables

    facts = export_code_tables(settings_of(context, optional=True), directory)
    count = len(facts.files)
    emit(facts, as_json, lambda out: out.print(say("terms.exported", count=count, **asdict(facts))))
