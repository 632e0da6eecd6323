"""`adapter parked`, `release`: what waits for a person, by cause, and letting it go again."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.command_words import ask
from adapter.cli.terminal.context import AsJson, Hospitals, chosen, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, moment, pages, rows, table, why
from adapter.texts import say, write_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.parked import ParkedCause

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("parked", help=say("release.help_parked"))(parked)
    app.command("release", help=say("release.help_release"))(release)


def parked(context: typer.Context, hospitals: Hospitals = None, as_json: AsJson = False) -> None:
    """What waits for a person, by cause."""
    with open_adapter(context) as adapter:
        found = insights(adapter).parked(chosen(adapter, hospitals))
    emit(found, as_json, lambda out: _draw_parked(out, found))


def release(  # noqa: PLR0917 - Typer passes them by name
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="HOSPITAL|KEY", help=say("release.help_words"))
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help=say("release.help_reason"))] = None,
    everything: Annotated[bool, typer.Option("--all", help=say("release.help_all"))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("release.help_dry_run"))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=say("release.help_yes"))] = False,
    as_json: AsJson = False,
) -> None:
    """Send again what is parked."""
    from adapter.errors import UsageError
    from adapter.operations.release import ReleaseParked

    asks = not (yes or dry_run)
    if asks and (as_json or not sys.stdin.isatty()):
        raise UsageError("release.say_yes")
    with open_adapter(context) as adapter:
        operation, acting = ReleaseParked(tuple(words or ()), reason, everything), operating(adapter)
        seen = operation.preview(acting)
        found = seen.shown
        count = sum(one.released + one.too_old for one in found)
        if asks:
            emit(found, False, lambda out: _draw_release(out, found, "preview"))
        agreed = not dry_run and count > 0 and (yes or ask(say("release.ask", count=count)))
        if agreed:
            operation.perform(acting, seen.version)
    if asks:
        write_line(say("release.done" if agreed else "release.not_done"))
        return
    facts = {"released": agreed, "causes": found}
    emit(facts, as_json, lambda out: _draw_release(out, found, "done" if agreed else "preview"))


def _draw_parked(out: "Console", found: "Sequence[ParkedCause]") -> None:
    if not found:
        out.print(say("release.none"))
        return
    words = ("hospital", "cause", "count", "referrals", "since", "command")
    headers = [say(f"release.col_{word}") for word in words]
    lines = (
        (
            one.hospital,
            why(one.reason),
            one.count,
            one.referrals,
            moment(one.since),
            one.command or say("release.correct"),
        )
        for one in found
    )
    out.print(rows(table(*headers, numbers=(2, 3)), lines))
    for line in pages(one.reason for one in found):
        out.print(line)


def _draw_release(out: "Console", found: "Sequence[ParkedCause]", title: str) -> None:
    if not found:
        out.print(say("release.none"))
        return
    words = ("hospital", "cause", "since", "referrals", "released", "too_old", "kept")
    headers = [say(f"release.col_{word}") for word in words]
    lines = (
        (
            one.hospital,
            why(one.reason),
            moment(one.since),
            one.referrals,
            one.released,
            one.too_old,
            one.kept,
        )
        for one in found
    )
    out.print(rows(table(*headers, numbers=range(3, 7), title=say(f"release.title_{title}")), lines))
    if any(one.reason == "invalid" for one in found):
        out.print(say("release.invalid_stays"))
    if any(one.too_old or (one.reason == "too-old" and one.kept) for one in found):
        out.print(say("release.too_old_stays"))
