"""`adapter sync`: the path out, once."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.doctor import say_unmeasured
from adapter.cli.commands.hospital import served_lines
from adapter.cli.terminal.context import (
    AsJson,
    Hospitals,
    chosen,
    insights,
    open_adapter,
    operating,
    stopping,
)
from adapter.cli.terminal.output import emit, rows, table
from adapter.cli.terminal.progress import progress
from adapter.cli.terminal.refused import draw_refused, waiting_at
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.hospital_service import HospitalService
    from adapter.insights.refusals import RefusedResource
    from adapter.operations.sync import SyncSummary

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("sync", help=say("cli.help_sync"))(sync)


def sync(
    context: typer.Context,
    hospitals: Hospitals = None,
    accept: Annotated[bool, typer.Option("--accept", help=say("diff.help_accept"))] = False,
    as_json: AsJson = False,
) -> None:
    """Send what changed, once."""
    from adapter.operations.sync import SyncHospitals

    stop = stopping()
    with open_adapter(context) as adapter:
        names, shown = chosen(adapter, hospitals), insights(adapter)
        with progress(quiet=as_json) as callback:
            summary = SyncHospitals(tuple(names), accept).perform(operating(adapter, callback, stop))
        parked = {name: found.parked for name, found in summary.hospitals.items()}
        waiting = waiting_at(adapter, {} if as_json else parked, "sync")
        how = [shown.hospital(name) for name in names]
        say_unmeasured(adapter, names)
    facts = {
        "hospitals": summary.hospitals,
        "stopped": summary.stopped,
        "exit_code": summary.exit_code,
    }
    emit(facts, as_json, lambda console: _draw_summary(console, summary, waiting, how))
    raise typer.Exit(summary.exit_code)


_OUTCOMES = (
    "planned",
    "delivered",
    "retracted",
    "waiting",
    "parked",
    "unknown",
    "withheld",
    "requests",
    "write_requests",
)


def _draw_summary(
    out: "Console",
    summary: "SyncSummary",
    waiting: "Sequence[RefusedResource]",
    how: "Sequence[HospitalService]",
) -> None:
    headers = [say(f"cli.col_{word}") for word in ("hospital", *_OUTCOMES)]
    lines = (
        (name, *(getattr(found, word) for word in _OUTCOMES)) for name, found in summary.hospitals.items()
    )
    out.print(rows(table(*headers, numbers=range(1, 1 + len(_OUTCOMES))), lines))
    said = {one.hospital: list(served_lines(one)) for one in how}
    for name, found in summary.hospitals.items():
        for line in said.get(name, ()):
            out.print(line)
        if found.unreachable:
            out.print(say("cli.sync_unreachable", hospital=name))
        for problem in (one for one in found.problems if one not in said.get(name, ())):
            out.print(say("cli.sync_problem", hospital=name, problem=problem))
    parked = sum(found.parked for found in summary.hospitals.values())
    draw_refused(out, waiting, values=out.is_terminal, total=parked)
    if summary.stopped:
        out.print(
            say("cli.sync_stopped", count=sum(h.waiting + h.unknown for h in summary.hospitals.values()))
        )
    elif summary.needs_looking or not summary.exit_code:
        out.print(say(f"cli.sync_exit_{summary.exit_code}"))
