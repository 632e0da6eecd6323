"""`adapter status --today`: the lines of the console's first page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapter.cli.terminal.context import insights, now, open_adapter
from adapter.cli.terminal.output import emit, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    import typer
    from rich.console import Console

    from adapter.insights.day import DayLine

__all__ = ["show_today"]


def show_today(context: "typer.Context", as_json: bool) -> None:
    """List what there is to do, a line each; ends with 0, also where there is something."""
    with open_adapter(context) as adapter:
        found = insights(adapter).today()
    emit(found, as_json, lambda out: _draw(out, found))


def _draw(out: "Console", found: "Sequence[DayLine]") -> None:
    if not found:
        out.print(say("day.none"))
        return
    at = now()
    headers = [say(f"day.col_{word}") for word in ("what", "acts", "command")]
    lines = (
        (one.words(at), " · ".join(say(f"day.act_{act}") for act in one.acts), one.command) for one in found
    )
    out.print(say("day.some", count=len(found)))
    out.print(rows(table(*headers), lines))
