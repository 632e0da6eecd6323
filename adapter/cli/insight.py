"""`adapter status`, `report`, `explain`: what happened, and what it adds up to."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.context import AsJson, now, opened
from adapter.cli.show import LOCAL, emit, moment, rows, table, why
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.pipeline.standing import AtHospital, Explained, HospitalStatus

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("status", help=say("cli.help_status"))(status)
    app.command("report", help=say("cli.help_report"))(report)
    app.command("explain", help=say("cli.help_explain"))(explain)


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """One line per hospital."""
    from adapter import pipeline

    with opened(context) as adapter:
        lines = pipeline.status(adapter)
    emit(lines, as_json, lambda out: _draw_status(out, lines))


def report(
    context: typer.Context,
    year: Annotated[int | None, typer.Option(min=1900, max=2200, help=say("cli.help_report_year"))] = None,
    for_outsiders: Annotated[
        bool, typer.Option("--for-outsiders", help=say("cli.help_for_outsiders"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The year in figures."""
    from adapter.cli.report import draw
    from adapter.errors import UsageError
    from adapter.report import newest_year, year_report

    with opened(context) as adapter:
        of = year or newest_year(adapter.records)
        if of is None:
            raise UsageError("cli.report_nothing")
        figures = year_report(
            adapter.records,
            of,
            levels={hospital.name: hospital.level for hospital in adapter.settings.hospitals.values()},
            today=now().astimezone(LOCAL).date(),
            for_outsiders=for_outsiders,
        )
    emit(figures, as_json, lambda out: draw(out, figures))


def explain(
    context: typer.Context,
    record: Annotated[str, typer.Argument(help=say("cli.help_record"))],
    as_json: AsJson = False,
) -> None:
    """What was sent of a record, where, or why not."""
    from adapter import pipeline
    from adapter.errors import UsageError

    with opened(context) as adapter:
        found = pipeline.explain(adapter, record)
    if not found:
        raise UsageError("cli.no_record", key=record)
    emit(found, as_json, lambda out: _draw_explained(out, found))


_STATES = ("desired", "delivered", "waiting", "parked", "unknown", "withheld")


def _draw_status(out: "Console", lines: "Sequence[HospitalStatus]") -> None:
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
        if line.last_error:
            out.print(say("cli.status_error", hospital=line.hospital, error=line.last_error))


def _draw_explained(out: "Console", found: "Sequence[Explained]") -> None:
    for record in found:
        where = say(
            "cli.explain_where", source=record.source or "-", sheet=record.sheet or "-", row=record.row or "-"
        )
        gone = f"  ({say('cli.explain_deleted')})" if record.deleted else ""
        out.print(f"{say(f'cli.one_{record.kind}')} {record.key}  {where}{gone}")
        headers = [say(f"cli.col_{word}") for word in ("hospital", "type", "state", "why", "remote", "at")]
        lines = (
            (
                line.hospital,
                line.type or "-",
                say(f"cli.at_{line.state}"),
                _why_there(line),
                line.remote_id or "-",
                moment(line.delivered_at),
            )
            for line in record.hospitals
        )
        out.print(rows(table(*headers), lines))


def _why_there(line: "AtHospital") -> str:
    words = why(line.reason) if line.reason else ""
    return f"{words}: {line.detail}" if line.detail and words else line.detail or words or "-"
