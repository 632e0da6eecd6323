"""`adapter status`: what happened."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.hospital import served_lines
from adapter.cli.commands.problems import show_problems
from adapter.cli.commands.today import show_today
from adapter.cli.terminal.context import AsJson, insights, open_adapter, settings_of
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.cli.terminal.refused import draw_refused, waiting_at
from adapter.texts import say, write_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.refusals import RefusedResource
    from adapter.insights.settings_in_use import SettingsInUse
    from adapter.insights.status import HospitalStatus, Worker

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("status", help=say("cli.help_status"))(status)


def status(
    context: typer.Context,
    *,
    problems: Annotated[bool, typer.Option("--problems", help=say("alarm.help_problems"))] = False,
    workers: Annotated[bool, typer.Option("--workers", help=say("worker.help_workers"))] = False,
    where: Annotated[bool, typer.Option("--where", help=say("cli.help_where"))] = False,
    today: Annotated[bool, typer.Option("--today", help=say("day.help_today"))] = False,
    as_json: AsJson = False,
) -> None:
    """One line per hospital, or per worker; or what a person must know, or do today."""
    from adapter.errors import UsageError
    from adapter.insights.settings_in_use import settings_in_use

    if problems and workers:
        raise UsageError("problems.with_workers")
    if today and (problems or workers):
        raise UsageError("day.with_others")
    if where:
        used = settings_in_use(settings_of(context))
        emit(used, as_json, lambda _: _draw_where(used))
        return
    if problems:
        show_problems(context, as_json)
    if today:
        show_today(context, as_json)
    with open_adapter(context) as adapter:
        shown = insights(adapter)
        there = shown.workers()
        if workers:
            emit(there, as_json, lambda out: _draw_workers(out, there))
            return
        lines, used = shown.status(), settings_in_use(adapter.settings)
        servers = adapter.settings.with_server(line.hospital for line in lines)
        waiting = waiting_at(
            adapter, {} if as_json else {line.hospital: line.parked for line in lines}, "status"
        )
    emit(lines, as_json, lambda out: _draw_status(out, lines, waiting, servers))
    if there and not as_json:
        write_line(say("worker.there", count=len(there)))
    write_line(say("cli.where_both", settings=used.settings, database=used.database), to_errors=True)


def _draw_where(used: "SettingsInUse") -> None:
    """A line each: what a command in the wrong folder would get wrong."""
    write_line(say(f"cli.where_{'' if used.settings_found else 'no_'}settings", path=used.settings))
    made = used.database_found is not False
    write_line(say(f"cli.where_{'' if made else 'no_'}database", database=used.database))
    write_line(say("cli.where_mappings", path=used.mappings))
    write_line(say("cli.where_data", path=used.data_folder))
    for path in used.readable_by_others:
        write_line(say("cli.where_open", path=path))


def _draw_workers(out: "Console", there: "Sequence[Worker]") -> None:
    if not there:
        out.print(say("worker.none"))
        return
    words = ("host", "pid", "version", "started", "seen")
    cells = ((one.host, one.pid, one.version, moment(one.started_at), moment(one.seen_at)) for one in there)
    out.print(rows(table(*(say(f"worker.col_{word}") for word in words), numbers=(1,)), cells))


_STATES = ("desired", "delivered", "waiting", "parked", "unknown", "withheld")


def _draw_status(
    out: "Console",
    lines: "Sequence[HospitalStatus]",
    waiting: "Sequence[RefusedResource]",
    servers: "Sequence[str]",
) -> None:
    if not lines:
        out.print(say("cli.status_none"))
        return
    headers = [say(f"cli.col_{word}") for word in ("hospital", *_STATES, "last_contact", "next_try")]
    drawn = (
        (
            line.hospital,
            *(getattr(line, word) for word in _STATES),
            moment(line.last_contact),
            moment(line.next_try),
        )
        for line in lines
    )
    out.print(rows(table(*headers, numbers=range(1, 1 + len(_STATES))), drawn))
    for line in lines:
        if line.hospital in servers and line.served.card_measured_at is None:
            out.print(say("doctor.no_card", hospital=line.hospital))
        said = list(served_lines(line.served))
        for sentence in said:
            out.print(sentence)
        if line.last_error and not said:
            out.print(say("cli.status_error", hospital=line.hospital, error=line.last_error))
        for problem in filter(None, (line.mapping_kept, line.disclosure_waits)):
            out.print(say("cli.sync_problem", hospital=line.hospital, problem=problem))
    if lines[0].policy_problem:
        out.print(say("diff.policy_wrong", problem=lines[0].policy_problem))
    draw_refused(out, waiting, values=out.is_terminal, total=sum(line.parked for line in lines))
