"""`adapter status --today`: the lines that the page of the day shows."""

from typing import TYPE_CHECKING

import typer

from adapter.cli.terminal.context import insights, open_adapter
from adapter.cli.terminal.output import emit, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.day import Day, DayLine

__all__ = ["show_today"]


def show_today(context: typer.Context, as_json: bool) -> None:
    """List today's work, a row each; ends with 0 where there is none, 1 where there is."""
    with open_adapter(context) as adapter:
        found = insights(adapter).today()
    emit(found.lines, as_json, lambda out: _draw(out, found))
    raise typer.Exit(1 if found.lines else 0)


def _draw(out: "Console", found: "Day") -> None:
    if found.lines:
        _draw_lines(out, found.lines)
    else:
        out.print(say("day.none_late" if found.in_time else "day.none"))
    for what, count in found.in_time.items():
        out.print(say(f"day.in_time_{what}", count=count))


def _draw_lines(out: "Console", found: "Sequence[DayLine]") -> None:
    out.print(say("day.some", count=len(found)))
    lines = (
        (one.sentence(), ", ".join(say(f"day.act_{act}") for act in one.acts), one.telephone, one.command)
        for one in found
    )
    out.print(rows(table(*(say(f"day.col_{word}") for word in ("what", "act", "call", "command"))), lines))
