"""`adapter imports`: what came in when, what it changed, and taking it back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.field_changes import draw_field_changes
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.import_changes import FieldChange, ImportRun
    from adapter.operations.undo_import import ImportUndo

__all__ = ["register"]

_Number = Annotated[int, typer.Argument(metavar="N", help=say("imports.help_number"))]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    imports = CommandLine(help=say("imports.help"), invoke_without_command=True)
    imports.callback()(_list_unless_asked)
    imports.command("list", help=say("imports.help_list"))(list_imports)
    imports.command("show", help=say("imports.help_show"))(show)
    imports.command("undo", help=say("imports.help_undo"))(undo)
    app.add_typer(imports, name="imports")


def _list_unless_asked(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_imports(context)


def list_imports(context: typer.Context, as_json: AsJson = False) -> None:
    """What came in when, newest first."""
    with open_adapter(context) as adapter:
        found = insights(adapter).imports()
    words = ("number", "at", "by", "files", "created", "changed", "deleted", "note")
    made = table(*(say(f"imports.col_{word}") for word in words), numbers=(0, 4, 5, 6))
    emit(
        found,
        as_json,
        lambda out: out.print(rows(made, map(_line, found)) if found else say("imports.none")),
    )


def show(context: typer.Context, number: _Number, as_json: AsJson = False) -> None:
    """What an import changed, old and new."""
    with open_adapter(context) as adapter:
        found = insights(adapter).import_changes(number)
    emit(found, as_json, lambda out: _show(out, found))


def undo(
    context: typer.Context,
    number: _Number,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("imports.help_dry_run"))] = False,
    as_json: AsJson = False,
) -> None:
    """Put back what an import changed."""
    from adapter.operations.undo_import import UndoImport

    operation = UndoImport(number)
    with open_adapter(context) as adapter:
        acting = operating(adapter)
        done = operation.look(acting) if dry_run else operation.perform(acting)
    emit({"undo": done, "dry_run": dry_run}, as_json, lambda out: _draw(out, done, dry_run=dry_run))
    raise typer.Exit(1 if done.left else 0)


def _show(out: "Console", found: "Sequence[FieldChange]") -> None:
    draw_field_changes(out, found)
    out.print(say("imports.show_note"))


def _draw(out: "Console", done: "ImportUndo", *, dry_run: bool) -> None:
    draw_field_changes(out, done.fields)
    text = "imports.would_undo" if dry_run else "imports.done"
    out.print(say(text, number=done.run, restored=done.restored, removed=done.removed))
    if done.held:
        out.print(say("imports.held", count=done.held))
    if done.released:
        out.print(say("imports.released", count=done.released))
    if done.left:
        out.print(say("imports.left", count=done.left))
        for one in done.left_records:
            out.print(say("imports.left_one", cadre=one.cadre, kind=say(f"cli.kind_{one.kind}"), key=one.key))
        if done.left_records and (more := done.left - done.released - len(done.left_records)) > 0:
            out.print(say("imports.left_more", count=more))


def _line(run: "ImportRun") -> tuple[object, ...]:
    files = ", ".join(f"{name} ({digest[:8]})" for name, digest in run.files)
    note = ""
    if run.undoes is not None:
        note = say("imports.note_undoes", number=run.undoes)
    elif run.undone_by is not None:
        note = say("imports.note_undone", number=run.undone_by)
    elif run.forgotten:
        note = say("imports.note_forgotten")
    return run.id, moment(run.at), run.by, files, run.created, run.changed, run.deleted, note
