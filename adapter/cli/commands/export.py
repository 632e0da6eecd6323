"""`adapter export`: records and results as tables."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, rows, table
from adapter.texts import has_text, say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.insights import Insights
    from adapter.operations.export_records import ExportSummary

__all__ = ["register"]

_FORMATS = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("export", help=say("export.help"))(export)


def export(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help=say("export.help_path"))],
    *,
    person: Annotated[list[str] | None, typer.Option("--person", help=say("export.help_person"))] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=_FORMATS, help=say("export.help_since"))
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=_FORMATS, help=say("export.help_until"))
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("export.help_dry_run"))] = False,
    as_json: AsJson = False,
) -> None:
    """Write records and results into a workbook or a folder of CSVs."""
    from adapter.errors import UsageError
    from adapter.insights.export_rows import ExportSelection
    from adapter.operations.export_records import ExportPeople

    days = (since.date() if since else None, until.date() if until else None)
    if days[0] and days[1] and days[0] > days[1]:
        raise UsageError("export.no_period")
    with open_adapter(context) as adapter:
        people = tuple(_one(insights(adapter), words) for words in person or ())
        operation = ExportPeople(path, ExportSelection(tuple(dict.fromkeys(people)), *days))
        acting = operating(adapter)
        done = operation.preview(acting).shown if dry_run else operation.perform(acting)
    emit({"written": not dry_run, "export": done}, as_json, lambda out: _draw(out, done, dry_run=dry_run))


def _one(looking: "Insights", words: str) -> str:
    """The person who is meant. Raises UsageError where nobody is, or where several may be."""
    from adapter.errors import UsageError

    found = looking.find_people(words, "export")
    if not found:
        raise UsageError("person.nobody")
    if len(found) > 1:
        raise UsageError("export.several", keys=", ".join(one.key for one in found))
    return found[0].key


def _draw(out: "Console", done: "ExportSummary", *, dry_run: bool) -> None:
    made = table(*(say(f"export.col_{word}") for word in ("table", "rows")), numbers=(1,))
    out.print(rows(made, [(_table_name(name), count) for name, count in done.rows.items()]))
    out.print(say("export.would" if dry_run else "export.done", people=done.people, path=done.path))
    if not dry_run:
        out.print(say("export.no_tiers"))
    if done.too_long:
        out.print(say("export.too_long", count=done.too_long))


def _table_name(name: str) -> str:
    known = f"cli.kind_{name}"
    return say(known) if has_text(known) else say("export.values")
