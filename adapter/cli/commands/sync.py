"""`adapter plan`, `sync`, `schedule`, `worker`: the path out."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.doctor import say_unmeasured
from adapter.cli.commands.hospital import served_lines
from adapter.cli.terminal.context import (
    AsJson,
    Hospitals,
    chosen,
    insights,
    now,
    opened,
    operating,
    stopping,
)
from adapter.cli.terminal.output import emit, rows, table
from adapter.cli.terminal.progress import progress
from adapter.cli.terminal.refused import draw_turned_back, waiting_at
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from rich.console import Console

    from adapter.insights.hospital_service import HospitalService
    from adapter.insights.refusals import RefusedResource
    from adapter.pipeline.application import Adapter
    from adapter.pipeline.outbound.sync import HospitalSyncSummary, SyncSummary
    from adapter.pipeline.outbound.worker import ScheduledJob
    from adapter.records.importing.import_report import ImportReport

__all__ = ["register"]

_QUIET = timedelta(seconds=5)  # that a folder of mappings rests before a service reads it
_ALARM = "*/5 * * * *"  # how often a service looks for what a person must know
_DOCTOR = "doctor:"
_SOURCE = "source:"  # before the name of a job that reads one: a hospital may have the same name


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("sync", help=say("cli.help_sync"))(sync)
    app.command("schedule", help=say("cli.help_schedule"))(schedule)
    app.command("worker", help=say("worker.help"))(worker)


def sync(
    context: typer.Context,
    hospitals: Hospitals = None,
    accept: Annotated[bool, typer.Option("--accept", help=say("diff.help_accept"))] = False,
    as_json: AsJson = False,
) -> None:
    """Send what changed, once."""
    from adapter.operations.sync import SyncHospitals

    stop = stopping()
    with opened(context) as adapter:
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


def schedule(context: typer.Context) -> None:
    """Sync each hospital on its own schedule until told to stop."""
    from adapter.duties import schedule as scheduler
    from adapter.errors import SettingsError
    from adapter.pipeline.mappings.activation import configuration_problems
    from adapter.pipeline.outbound.sync import sync as run_sync
    from adapter.pipeline.outbound.worker import SharedSchedule, job_lock

    stop = stopping()
    with opened(context, service=True) as adapter, progress(quiet=True) as silent:
        others = _jobs(adapter, stop)
        jobs = {hospital.name: hospital.schedule for hospital in adapter.settings.hospitals.values()}
        jobs |= {name: job.cron for name, job in others.items()}
        if not jobs:
            raise SettingsError("cli.schedule_none")
        count = len(adapter.settings.hospitals) + len(adapter.settings.sources)
        others |= _alarm(adapter)
        jobs |= {name: job.cron for name, job in others.items()}

        def work(name: str) -> None:
            if name in others:
                with job_lock(adapter, name):
                    others[name].run()
                return
            summary = run_sync(adapter, [name], now, silent, stop, keep=True, settle_time=_QUIET)
            _log_beat(name, summary.hospitals[name], summary.exit_code)

        for line in configuration_problems(adapter):
            typer.echo(line, err=True)
        typer.echo(say("cli.schedule_runs", count=count))
        with adapter.as_worker(now, stop):
            scheduler.run_jobs(jobs, work, stop, now, SharedSchedule(adapter.ledger.named_locks))
    typer.echo(say("cli.stopped"))


def worker(
    context: typer.Context,
    hospitals: Hospitals = None,
    threads: Annotated[int | None, typer.Option(min=1, max=64, help=say("worker.help_threads"))] = None,
    once: Annotated[bool, typer.Option("--once", help=say("worker.help_once"))] = False,
) -> None:
    """Plan and deliver, beside any number of other workers, until told to stop."""
    from adapter.duties import schedule as scheduler
    from adapter.pipeline.mappings.activation import configuration_problems
    from adapter.pipeline.outbound.worker import run_worker as run_work

    stop = stopping()
    with opened(context, service=True) as adapter:
        names = chosen(adapter, hospitals)
        jobs = _alarm(adapter) | _jobs(adapter, stop, names if hospitals else None)
        for line in configuration_problems(adapter):
            typer.echo(line, err=True)
        typer.echo(say("worker.works", count=len(names)))
        run_work(
            adapter,
            names,
            now,
            stop,
            jobs=jobs,
            beats=scheduler.run_jobs,
            threads=threads,
            once=once,
            quiet=_QUIET,
        )
    typer.echo(say("cli.stopped"))


def _jobs(
    adapter: "Adapter", stop: "Event", hospitals: "Sequence[str] | None" = None
) -> "dict[str, ScheduledJob]":
    """What is done on a schedule besides planning for hospitals: for these alone, or all there is."""
    from adapter.operations.import_records import import_source
    from adapter.operations.measure import remeasure_server
    from adapter.pipeline.outbound.worker import ScheduledJob

    def read(name: str) -> None:
        _log_source(f"{_SOURCE}{name}", import_source(adapter, name, now()))

    def measure(name: str) -> None:
        remeasure_server(adapter, name, now, stop)

    known, sources = adapter.settings.hospitals, adapter.settings.sources
    crons = {name: known[name].doctor_schedule for name in hospitals or known}
    jobs = {
        f"{_DOCTOR}{name}": ScheduledJob(cron, partial(measure, name)) for name, cron in crons.items() if cron
    }
    if not hospitals:
        jobs |= {
            f"{_SOURCE}{name}": ScheduledJob(source.schedule, partial(read, name))
            for name, source in sources.items()
        }
    return jobs


def _alarm(adapter: "Adapter") -> "dict[str, ScheduledJob]":
    """Looking for what a person must know, and telling it, every few minutes."""
    from adapter.operations.alarms import send_alarms
    from adapter.pipeline.outbound.worker import ScheduledJob

    def look() -> None:
        send_alarms(adapter, now())

    return {"alarm:": ScheduledJob(_ALARM, look)}


def _log_beat(hospital: str, done: "HospitalSyncSummary", exit_code: int) -> None:
    from adapter.telemetry import get_logger

    words = ("delivered", "retracted", "waiting", "parked", "unknown", "withheld", "requests")
    counts = {word: getattr(done, word) for word in words}
    get_logger(__name__).info("schedule.synced", hospital=hospital, exit_code=exit_code, **counts)


def _log_source(job: str, report: "ImportReport") -> None:
    from adapter.telemetry import get_logger

    counts = {
        "changes": report.changes,
        "rows": report.rows,
        "rejected": report.rejected,
        "refused": report.refused_rows,
    }
    get_logger(__name__).info("schedule.imported", hospital=job, **counts)


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
        for problem in found.problems:
            out.print(say("cli.sync_problem", hospital=name, problem=problem))
    parked = sum(found.parked for found in summary.hospitals.values())
    draw_turned_back(out, waiting, values=out.is_terminal, total=parked)
    if summary.stopped:
        out.print(
            say("cli.sync_stopped", count=sum(h.waiting + h.unknown for h in summary.hospitals.values()))
        )
    elif summary.needs_looking or not summary.exit_code:
        out.print(say(f"cli.sync_exit_{summary.exit_code}"))
