"""`adapter terminology gaps`, `export`: what the code tables lack, and what they hold, for others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import AsJson, opened, settings_of
from adapter.cli.terminal.output import emit, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.mapping.terminology.gaps import Gap

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    terminology = typer.Typer(help=say("terms.help"), no_args_is_help=True)
    terminology.command("gaps", help=say("terms.help_gaps"))(gaps)
    terminology.command("export", help=say("terms.help_export"))(export)
    app.add_typer(terminology, name="terminology")


def gaps(
    context: typer.Context,
    hospital: Annotated[str | None, typer.Option("--hospital", help=say("terms.help_hospital"))] = None,
    as_json: AsJson = False,
) -> None:
    """List the codes that no table knows, most frequent first."""
    from adapter.insights.terminology_gaps import find_gaps as find

    with opened(context) as adapter, progress(quiet=as_json) as callback:
        people = adapter.records.counts()["cadre"]
        found = find(adapter, hospital, lambda done: callback(say("terms.reading"), None, done, people))
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
    import orjson

    from adapter.mapping.terminology.fhir_publication import code_table_resources
    from adapter.pipeline.mapping_loading import load_mappings

    mappings = load_mappings(settings_of(context))
    version = mappings.version[:12]
    resources = code_table_resources(mappings.codes, version)
    directory.mkdir(parents=True, exist_ok=True)
    for name, resource in resources.items():
        content = orjson.dumps(resource, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (directory / name).write_bytes(content)
    facts = {"directory": str(directory), "version": version, "files": sorted(resources)}
    emit(facts, as_json, lambda out: out.print(say("terms.exported", count=len(resources), **facts)))
