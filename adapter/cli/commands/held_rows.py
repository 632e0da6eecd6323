"""`adapter import held`: what an import holds because it hardly can be true."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.held_list import ListedHeldRow

__all__ = ["register"]

_Id = Annotated[int, typer.Argument(metavar="N", help=say("held.help_id"))]
_Reason = Annotated[str, typer.Option("--reason", help=say("held.help_reason"))]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`, which is `adapter import`."""
    held = CommandLine(help=say("held.help"), invoke_without_command=True)
    held.callback()(held_rows)
    held.command("release", help=say("held.help_release"))(release)
    held.command("drop", help=say("held.help_drop"))(drop)
    app.add_typer(held, name="held")


def held_rows(
    context: typer.Context,
    state: Annotated[str, typer.Option(help=say("held.help_state"))] = "waiting",
    as_json: AsJson = False,
) -> None:
    """Rows that wait for a person."""
    if context.invoked_subcommand:
        return
    with open_adapter(context) as adapter:
        found = insights(adapter).held_rows(state, "import held")
    emit(found, as_json, lambda out: _draw(out, found))


def release(context: typer.Context, item: _Id, reason: _Reason, as_json: AsJson = False) -> None:
    """Let one in."""
    from adapter.operations.held_rows import ReleaseHeldRow

    with open_adapter(context) as adapter:
        ReleaseHeldRow(item, reason).perform(operating(adapter))
    emit({"item": item}, as_json, lambda out: out.print(say("held.released", id=item)))


def drop(context: typer.Context, item: _Id, reason: _Reason, as_json: AsJson = False) -> None:
    """Leave one out."""
    from adapter.operations.held_rows import DropHeldRow

    with open_adapter(context) as adapter:
        DropHeldRow(item, reason).perform(operating(adapter))
    emit({"item": item}, as_json, lambda out: out.print(say("held.dropped", id=item)))


def _draw(out: "Console", found: "Sequence[ListedHeldRow]") -> None:
    if not found:
        out.print(say("held.none"))
        return
    headers = [say(f"held.col_{word}") for word in ("id", "state", "place", "key", "cell", "why")]
    lines = (
        (
            one.id,
            say(f"held.state_{one.state}"),
            say("held.place", source=one.source, sheet=one.sheet, row=one.row),
            one.key,
            f"{cell.column}: {cell.value}",
            cell.why,
        )
        for one in found
        for cell in one.findings
    )
    out.print(rows(table(*headers, numbers=(0,)), lines))
