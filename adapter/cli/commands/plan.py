"""`adapter plan`: what a sync would send, what not, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.commands.doctor import say_unmeasured
from adapter.cli.commands.hospital_server import say_halted
from adapter.cli.terminal.context import AsJson, Hospitals, chosen, insights, open_adapter
from adapter.cli.terminal.output import emit, errors, rows, table, why
from adapter.cli.terminal.progress import progress
from adapter.texts import has_text, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from adapter.insights.insights import Insights
    from adapter.insights.plan_report import PersonReport, PlanReport

__all__ = ["register"]

_ACTIONS = ("create", "update", "retract", "unchanged")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("plan", help=say("cli.help_plan"))(plan)


def plan(
    context: typer.Context,
    hospitals: Hospitals = None,
    *,
    out: Annotated[Path | None, typer.Option("--out", help=say("cli.help_out"))] = None,
    by_cadre: Annotated[bool, typer.Option("--by-cadre", help=say("plan.help_by_cadre"))] = False,
    cadre: Annotated[str | None, typer.Option("--cadre", help=say("plan.help_cadre"))] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a sync would send, what not, and why."""
    with open_adapter(context) as adapter:
        names, shown = chosen(adapter, hospitals), insights(adapter)
        if cadre is not None:
            cadre = _somebody(shown, cadre)
        with progress(quiet=as_json) as callback:
            plans = shown.plan(names, callback, cadre=cadre)
        written = {name: shown.write_bundles(name, out / name) for name in names} if out else {}
        say_unmeasured(adapter, names)
        say_halted(adapter, names)
    people = {name: _people(found, by_cadre, cadre) for name, found in plans.items()}
    facts = {name: _facts(found, people[name], written.get(name)) for name, found in plans.items()}

    def draw(console: "Console") -> None:
        for name, found in facts.items():
            _draw(console, name, found, out)
            if cadre is not None:
                _draw_lines(console, people[name] or ())
            elif by_cadre:
                _draw_people(console, people[name] or ())

    emit(facts, as_json, draw)


def _somebody(shown: "Insights", key: str) -> str:
    """Whose plan it is: of somebody who was merged into another, the other's. Raises UsageError."""
    from adapter.errors import UsageError

    survivor = shown.survivor(key)
    if survivor is None:
        raise UsageError("merge.nobody", key=key)
    if survivor != key:
        errors().print(say("merge.explained", key=key, survivor=survivor))
    return survivor


def _people(found: "PlanReport", by_cadre: bool, cadre: str | None) -> "Sequence[PersonReport] | None":
    if cadre is not None:
        return [one for one in found.people if one.cadre == cadre]
    return found.people if by_cadre else None


def _facts(
    found: "PlanReport", people: "Sequence[PersonReport] | None", bundles: int | None
) -> dict[str, Any]:
    """A plan as plain facts: counts per type and what happens to it, what is withheld and why."""
    facts: dict[str, Any] = {
        "types": {name: dict(counts) for name, counts in found.counts.items()},
        "reasons": [
            {"action": action, "why": reason, "count": count}
            for (action, reason), count in sorted(found.reasons.items())
        ],
        "withheld": [{"kind": kind, "reason": why, "count": count} for kind, why, count in found.withheld],
        "invalid": found.invalid,
        "parked": found.parked,
        "requests": found.requests,
        "seconds": found.seconds,
        "mapping_kept": found.kept,
        "disclosure_waits": found.waits,
    }
    if people is not None:
        facts["cadres"] = people
    return facts if bundles is None else {**facts, "bundles_written": bundles}


def _draw(out: "Console", name: str, facts: "Mapping[str, Any]", folder: Path | None) -> None:
    title = say("cli.plan_title", hospital=name, requests=facts["requests"])
    headers = [say(f"cli.col_{word}") for word in ("type", *_ACTIONS)]
    lines = (
        (type_, *(counts.get(action, 0) for action in _ACTIONS)) for type_, counts in facts["types"].items()
    )
    out.print(rows(table(*headers, numbers=range(1, 5), title=title), lines))
    if facts["reasons"]:
        headers = [say(f"plan.col_{word}") for word in ("action", "count", "why")]
        reasons = (
            (say(f"cli.col_{one['action']}"), one["count"], _why(one["why"])) for one in facts["reasons"]
        )
        out.print(rows(table(*headers, numbers=(1,)), reasons))
    if facts["withheld"]:
        headers = [say(f"cli.col_{word}") for word in ("kind", "withheld", "why")]
        kept = (
            (say(f"cli.kind_{one['kind']}"), one["count"], why(one["reason"])) for one in facts["withheld"]
        )
        out.print(rows(table(*headers, numbers=(1,)), kept))
    if facts["requests"]:
        out.print(_time(facts["seconds"]))
    for problem in filter(None, (facts["mapping_kept"], facts["disclosure_waits"])):
        out.print(say("cli.sync_problem", hospital=name, problem=problem))
    if facts["invalid"]:
        out.print(say("cli.plan_invalid", count=facts["invalid"]))
    if folder:
        out.print(say("cli.plan_written", count=facts["bundles_written"], folder=str(folder / name)))


def _time(seconds: float | None) -> str:
    if seconds is None:
        return say("plan.time_unknown")
    if seconds < 90:
        return say("plan.time_seconds", count=max(1, round(seconds)))
    return say("plan.time_minutes", count=round(seconds / 60))


def _why(reason: str) -> str:
    """A reason of the plan's, or of the policy's."""
    known = f"plan.why_{reason}"
    return say(known) if has_text(known) else why(reason)


def _draw_people(out: "Console", people: "Sequence[PersonReport]") -> None:
    headers = [
        say("plan.col_cadre"),
        *(say(f"cli.col_{word}") for word in (*_ACTIONS, "withheld", "requests")),
    ]
    lines = (
        (
            one.cadre or say("plan.centre"),
            *(one.counts.get(action, 0) for action in _ACTIONS),
            one.withheld,
            one.requests,
        )
        for one in people
    )
    out.print(rows(table(*headers, numbers=range(1, 7)), lines))


def _draw_lines(out: "Console", people: "Sequence[PersonReport]") -> None:
    headers = [say("cli.col_type"), *(say(f"plan.col_{word}") for word in ("action", "why", "record"))]
    lines = (
        (line.type, say(f"cli.col_{line.action}"), _why(line.why), f"{line.kind} {line.key}")
        for one in people
        for line in one.lines
    )
    out.print(rows(table(*headers), lines))
