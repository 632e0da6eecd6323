"""`adapter import`: a workbook or CSVs into the local record."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands import held_rows
from adapter.cli.commands.look import look_at
from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, open_adapter, operating
from adapter.cli.terminal.field_changes import draw_field_changes
from adapter.cli.terminal.files_or_command import FilesOrCommand
from adapter.cli.terminal.output import emit, errors, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from adapter.operations.import_records import ImportReport

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    group = CommandLine(cls=FilesOrCommand, help=say("cli.help_import"))
    group.command(FilesOrCommand.files, hidden=True, help=say("cli.help_import"), epilog=say("held.epilog"))(
        import_files
    )
    held_rows.register(group)
    app.add_typer(group, name="import")


def import_files(
    context: typer.Context,
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help=say("cli.help_import_files"))],
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("cli.help_dry_run"))] = False,
    partial: Annotated[bool, typer.Option("--partial", help=say("cli.help_partial"))] = False,
    allow_deletions: Annotated[
        bool, typer.Option("--allow-deletions", help=say("cli.help_allow_deletions"))
    ] = False,
    allow_other_people: Annotated[
        bool, typer.Option("--allow-other-people", help=say("imports.help_allow_other_people"))
    ] = False,
    remove_former: Annotated[
        bool, typer.Option("--remove-former", help=say("imports.help_remove_former"))
    ] = False,
    allow_moves: Annotated[bool, typer.Option("--allow-moves", help=say("imports.help_allow_moves"))] = False,
    allow_clearing: Annotated[
        bool, typer.Option("--allow-clearing", help=say("imports.help_allow_clearing"))
    ] = False,
    list_name: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help=say("imports.help_from"))
    ] = None,
    full: Annotated[bool, typer.Option("--full", help=say("source.help_full"))] = False,
    rejects: Annotated[Path | None, typer.Option(help=say("cli.help_rejects"))] = None,
    admit: Annotated[list[str] | None, typer.Option(help=say("cli.help_admit"))] = None,
    look: Annotated[bool, typer.Option("--look", help=say("layout.help_look"))] = False,
    keep: Annotated[str | None, typer.Option("--keep", help=say("layout.help_keep"))] = None,
    as_json: AsJson = False,
) -> None:
    """Import workbooks, folders of CSVs, databases (source files) or check-up forms."""
    from adapter.operations.import_records import AllowedChanges, ImportRecords

    if look or keep:
        look_at(context, files, keep, as_json)
    allowed = AllowedChanges(
        people=allow_other_people or remove_former,
        former=remove_former,
        moves=allow_moves,
        clearing=allow_clearing,
    )
    operation = ImportRecords(
        tuple(files),
        dry_run,
        partial,
        allow_deletions,
        full,
        rejects,
        allowed,
        list_name,
        tuple(admit or ()),
    )
    with open_adapter(context) as adapter, progress(quiet=as_json) as callback:
        report = operation.perform(operating(adapter, callback))
    emit(report.as_json(), as_json, lambda out: _draw(out, report))
    waits = report.rejected or report.returning or report.held or report.unread_columns
    raise typer.Exit(1 if waits else 0)


_COUNTS = ("created", "changed", "unchanged", "deleted", "rejected")
_IF_ANY = ("held", "dropped", "marked")


def _draw(out: "Console", report: "ImportReport") -> None:
    """Problems and warnings on standard error, the counts on standard output."""
    complaints = errors()
    warned = (line for line in report.warnings if line not in report.unread)
    for line in (*map(str, report.groups), *map(str, report.conversions), *warned):
        complaints.print(line)
    unsaid = report.ungrouped + report.warning_count - len(report.warnings)
    if unsaid > 0:
        complaints.print(say("cli.import_more", count=unsaid))
    shown = (*_COUNTS, *(word for word in _IF_ANY if report.outcomes[word]))
    headers = [say(f"cli.col_{word}") for word in ("kind", *shown)]
    lines = (
        (say(f"cli.kind_{kind}"), *(getattr(counts, word) for word in shown))
        for kind, counts in report.kinds.items()
    )
    out.print(rows(table(*headers, numbers=range(1, 1 + len(shown))), lines))
    for count, line in _left_out(report):
        if count:
            out.print(line)
    if report.dry_run:
        draw_field_changes(out, report.field_changes)
        out.print(say("cli.import_dry"))
    for line in report.unread:  # last: whoever reads no more than the end reads it
        complaints.print(line)


def _left_out(report: "ImportReport") -> "Iterator[tuple[int, str]]":
    """What did not come in, or left: how much, and a line."""
    came_to = [(word, count) for word, count in report.outcomes.items() if count]
    parts = ", ".join(say(f"cli.import_{word}", count=count) for word, count in came_to)
    others = sum(report.outcomes.values()) - report.accepted
    yield others, say("cli.import_read", count=others + report.accepted, parts=parts)
    people = report.refused_people
    yield people, say("cli.import_t0", people=people, count=report.refused_rows)
    yield report.scrubbed, say("import.scrubbed", count=report.scrubbed)
    yield report.returning, say("import.returning", count=report.returning)
    in_file = report.rejected - report.withheld
    text = "cli.import_rejects" if report.rejects else "cli.import_rejects_dry"
    yield in_file, say(text, count=in_file, rows=report.copied, path=str(report.rejects))
    yield report.withheld, say("import.withheld", count=report.withheld)
    waiting = sum(kind.waiting for kind in report.kinds.values())
    yield waiting, say("import.waiting", count=waiting)
    yield report.held, say("held.some", count=report.held)
    dropped = report.outcomes["dropped"]
    yield dropped, say("held.dropped_again", count=dropped)
