"""`adapter hospital moved` and `forget`: what a person says of a hospital's server."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.command_words import ask
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, errors, moment, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter.cli.terminal.context import Adapter
    from adapter.insights.hospital_server import HospitalServer

__all__ = ["register", "say_halted"]

Name = Annotated[str, typer.Argument(metavar="NAME", help=say("cli.help_hospital_name"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=say("server.help_dry_run"))]
Yes = Annotated[bool, typer.Option("--yes", help=say("server.help_yes"))]


def register(hospital: typer.Typer) -> None:
    """Add these commands to the group `hospital`."""
    hospital.command("moved", help=say("server.help_moved"))(moved)
    hospital.command("forget", help=say("server.help_forget"))(forget)
    hospital.command("withdrawals", help=say("server.help_withdrawals"))(withdrawals)


def say_halted(adapter: "Adapter", names: "Sequence[str]") -> None:
    """Say on standard error which of these hospitals nothing is sent to, since their server is another."""
    for because in (insights(adapter).hospital(name).halted_because for name in names):
        if because:
            errors().print(because)


def moved(
    context: typer.Context, name: Name, dry_run: DryRun = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """The server is the same at a new address."""
    from adapter.operations.hospital_server import MoveServer

    with open_adapter(context) as adapter:
        operation, acting = MoveServer(name), operating(adapter)
        seen = operation.preview(acting)
        _show(seen.shown, "moved", as_json=as_json)
        done = not dry_run and _agreed(yes=yes, as_json=as_json)
        if done:
            operation.perform(acting, seen.version)
    said = say("server.done_moved", hospital=name, address=seen.shown.address)
    facts = {"preview": seen.shown, "moved": done}
    emit(facts, as_json, lambda out: out.print(said if done else say("server.nothing_done")))


def forget(
    context: typer.Context, name: Name, dry_run: DryRun = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """The server is another: all is sent anew."""
    from adapter.operations.hospital_server import ForgetServer

    planned = 0
    with open_adapter(context) as adapter:
        operation = ForgetServer(name)
        seen = operation.preview(operating(adapter))
        _show(seen.shown, "forget", as_json=as_json)
        done = not dry_run and _agreed(yes=yes, as_json=as_json)
        if done:
            with progress(quiet=as_json) as callback:
                planned = operation.perform(operating(adapter, callback), seen.version)
    said = say("server.done_forget", hospital=name, address=seen.shown.address, planned=planned)
    facts = {"preview": seen.shown, "forgotten": done, "planned": planned}
    emit(facts, as_json, lambda out: out.print(said if done else say("server.nothing_done")))


def withdrawals(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """What is to be taken back there, for a person who asks the hospital to do it."""
    with open_adapter(context) as adapter:
        found = insights(adapter).withdrawals(name)
    made = table(*(say(f"server.col_{word}") for word in ("type", "identifier", "id", "since")))
    lines = ((one.type, f"{one.system}|{one.identifier}", one.id or "", moment(one.since)) for one in found)
    emit(
        found,
        as_json,
        lambda out: out.print(rows(made, lines) if found else say("server.no_withdrawals")),
    )


def _agreed(*, yes: bool, as_json: bool) -> bool:
    import sys

    from adapter.errors import UsageError

    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        raise UsageError("server.needs_yes")
    return ask(say("server.ask"))


def _show(found: "HospitalServer", what: str, *, as_json: bool) -> None:
    if as_json:
        return
    facts = {"noted": found.noted or found.address, "address": found.address, "held": found.held}
    lines = [say(f"server.preview_{what}", hospital=found.hospital, **facts)]
    if what == "forget":
        lines += [say("server.preview_same_address")] if found.is_at_same_address else []
        lines += [say("server.preview_left", count=found.leaving)] if found.leaving else []
    emit(None, False, lambda out: out.print("\n".join(lines)))
