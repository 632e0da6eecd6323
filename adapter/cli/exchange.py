"""`adapter mapping check`, `plan`, `sync`, `schedule`: the path out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.context import AsJson, now, opened, settings_of, stopping
from adapter.cli.progress import progress
from adapter.cli.show import emit, rows, table, why
from adapter.cli.turnedback import draw_turned_back, waiting_at
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from adapter.pipeline import Adapter, Plan, Summary
    from adapter.pipeline.refusals import TurnedBack
    from adapter.pipeline.syncing import HospitalSummary
    from adapter.records.outcome import ImportReport
    from adapter.settings import Settings

__all__ = ["register"]

_SOURCE = "source:"  # before the name of a job that reads one: a hospital may have the same name

Hospitals = Annotated[
    list[str] | None, typer.Argument(metavar="[HOSPITAL]...", help=say("cli.help_hospitals"))
]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    mapping = typer.Typer(help=say("cli.help_mapping"), no_args_is_help=True)
    mapping.command("check", help=say("cli.help_mapping_check"))(mapping_check)
    app.add_typer(mapping, name="mapping")
    app.command("plan", help=say("cli.help_plan"))(plan)
    app.command("sync", help=say("cli.help_sync"))(sync)
    app.command("schedule", help=say("cli.help_schedule"))(schedule)


def mapping_check(context: typer.Context, as_json: AsJson = False) -> None:
    """Check settings, secrets, mappings, code tables and the policy; list everything that is wrong."""
    from adapter.errors import MappingError
    from adapter.pipeline import load_mappings, policy_warnings

    settings = settings_of(context)
    problems = _secret_problems(settings)
    facts: dict[str, Any] = {"types": (), "version": None, "warnings": ()}
    try:
        mappings = load_mappings(settings)
        facts = {
            "types": mappings.types,
            "version": mappings.version,
            "warnings": policy_warnings(settings),
        }
    except MappingError as error:
        problems += [str(error), *error.problems]
    if problems and not as_json:
        raise MappingError("cli.check_failed", tuple(problems))
    emit({**facts, "problems": problems}, as_json, lambda _: _draw_check(facts))
    raise typer.Exit(2 if problems else 0)


def _secret_problems(settings: "Settings") -> list[str]:
    """What is wrong with the identity key and the hospitals' tokens, without saying any of them."""
    from adapter.errors import SettingsError
    from adapter.fhir.identity import Identities

    problems = []
    try:
        Identities(settings.secret(settings.identity_key).get_secret_value().encode())
    except SettingsError as error:
        problems.append(str(error))
    except ValueError:
        problems.append(say("settings.short_key", reference=settings.identity_key))
    for hospital in settings.hospitals.values():
        try:
            if hospital.token:
                settings.secret(hospital.token)
        except SettingsError as error:
            problems.append(f"hospitals.{hospital.name}.token: {error}")
    return problems


def _draw_check(facts: "Mapping[str, Any]") -> None:
    for warning in facts["warnings"]:
        typer.echo(warning, err=True)
    typer.echo(say("cli.mapping_good", types=", ".join(facts["types"]), version=facts["version"][:12]))


def plan(
    context: typer.Context,
    hospitals: Hospitals = None,
    out: Annotated[Path | None, typer.Option("--out", help=say("cli.help_out"))] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a sync would send, what not, and why."""
    from adapter import pipeline

    with opened(context) as adapter:
        chosen = _chosen(adapter, hospitals)
        with progress(quiet=as_json) as callback:
            plans = pipeline.plan(adapter, chosen, callback)
        written = {name: pipeline.write_bundles(adapter, name, out / name) for name in chosen} if out else {}
    facts = {name: _plan_facts(found, written.get(name)) for name, found in plans.items()}
    emit(facts, as_json, lambda console: _draw_plans(console, facts, out))


def sync(context: typer.Context, hospitals: Hospitals = None, as_json: AsJson = False) -> None:
    """Send what changed, once."""
    from adapter import pipeline

    stop = stopping()
    with opened(context) as adapter:
        chosen = _chosen(adapter, hospitals)
        with progress(quiet=as_json) as callback:
            summary = pipeline.sync(adapter, chosen, now, callback, stop)
        parked = {name: found.parked for name, found in summary.hospitals.items()}
        waiting = waiting_at(adapter, {} if as_json else parked)
    facts = {
        "hospitals": summary.hospitals,
        "stopped": summary.stopped,
        "exit_code": summary.exit_code,
    }
    emit(facts, as_json, lambda console: _draw_summary(console, summary, waiting))
    raise typer.Exit(summary.exit_code)


def schedule(context: typer.Context) -> None:
    """Sync each hospital on its own schedule until told to stop."""
    from adapter import pipeline, scheduler
    from adapter.cli.sources import read_source
    from adapter.errors import SettingsError

    stop = stopping()
    with opened(context, service=True) as adapter, progress(quiet=True) as silent:
        jobs = {hospital.name: hospital.schedule for hospital in adapter.settings.hospitals.values()}
        jobs |= {f"{_SOURCE}{name}": one.schedule for name, one in adapter.settings.sources.items()}
        if not jobs:
            raise SettingsError("cli.schedule_none")

        def work(hospital: str) -> None:
            if hospital.startswith(_SOURCE):
                _log_source(hospital, read_source(adapter, hospital.removeprefix(_SOURCE)))
                return
            summary = pipeline.sync(adapter, [hospital], now, silent, stop)
            _log_beat(hospital, summary.hospitals[hospital], summary.exit_code)

        typer.echo(say("cli.schedule_runs", count=len(jobs)))
        scheduler.run(jobs, work, stop, now)
    typer.echo(say("cli.stopped"))


def _log_beat(hospital: str, done: "HospitalSummary", exit_code: int) -> None:
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


def _chosen(adapter: "Adapter", hospitals: "Sequence[str] | None") -> list[str]:
    """The hospitals named, or all. Raises SettingsError for a name that is not in the settings."""
    names = list(hospitals or adapter.settings.hospitals)
    return [adapter.settings.hospital(name).name for name in dict.fromkeys(names)]


def _plan_facts(found: "Plan", bundles: int | None) -> dict[str, Any]:
    """A plan as plain facts: counts per type and what happens to it, what is withheld and why."""
    facts: dict[str, Any] = {
        "types": {name: dict(counts) for name, counts in found.counts.items()},
        "withheld": [{"kind": kind, "reason": why, "count": count} for kind, why, count in found.withheld],
        "invalid": found.invalid,
        "parked": found.parked,
        "requests": found.requests,
    }
    return facts if bundles is None else {**facts, "bundles_written": bundles}


_ACTIONS = ("create", "update", "retract", "unchanged")


def _draw_plans(out: "Console", plans: "Mapping[str, Any]", folder: Path | None) -> None:
    for name, facts in plans.items():
        title = say("cli.plan_title", hospital=name, requests=facts["requests"])
        headers = [say(f"cli.col_{word}") for word in ("type", *_ACTIONS)]
        lines = (
            (type_, *(counts.get(action, 0) for action in _ACTIONS))
            for type_, counts in facts["types"].items()
        )
        out.print(rows(table(*headers, numbers=range(1, 5), title=title), lines))
        if facts["withheld"]:
            headers = [say(f"cli.col_{word}") for word in ("kind", "withheld", "why")]
            kept = (
                (say(f"cli.kind_{one['kind']}"), one["count"], why(one["reason"]))
                for one in facts["withheld"]
            )
            out.print(rows(table(*headers, numbers=(1,)), kept))
        if facts["invalid"]:
            out.print(say("cli.plan_invalid", count=facts["invalid"]))
        if folder:
            out.print(say("cli.plan_written", count=facts["bundles_written"], folder=str(folder / name)))


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


def _draw_summary(out: "Console", summary: "Summary", waiting: "Sequence[TurnedBack]") -> None:
    headers = [say(f"cli.col_{word}") for word in ("hospital", *_OUTCOMES)]
    lines = (
        (name, *(getattr(found, word) for word in _OUTCOMES)) for name, found in summary.hospitals.items()
    )
    out.print(rows(table(*headers, numbers=range(1, 1 + len(_OUTCOMES))), lines))
    for name, found in summary.hospitals.items():
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
    else:
        out.print(say(f"cli.sync_exit_{summary.exit_code}"))
