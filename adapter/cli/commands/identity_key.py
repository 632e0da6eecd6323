"""`adapter identity-key`: how the identity key stands, and changing one that leaked or can be guessed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.identity_key import IdentityKeyReport
    from adapter.operations.identity_key import KeyChange

__all__ = ["register"]

_COUNTS = ("rewritten", "waiting", "unanswered", "leaving", "others")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = CommandLine(help=say("identity.help"), invoke_without_command=True)
    group.callback()(show)
    group.command("new", help=say("identity.help_new"))(new)
    group.command("change", help=say("identity.help_change"))(change)
    app.add_typer(group, name="identity-key")


def show(context: typer.Context, as_json: AsJson = False) -> None:
    """How the key stands, and what hospitals still have under the one before."""
    if context.invoked_subcommand is not None:
        return
    with open_adapter(context) as adapter:
        found = insights(adapter).identity_key()
    emit(found, as_json, lambda out: _draw(out, found))
    raise typer.Exit(0 if found.is_well else 1)


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("identity.help_file"))],
    as_json: AsJson = False,
) -> None:
    """Make a new key in a file that is not there yet."""
    from adapter.errors import UsageError
    from adapter.operations.starting_files import write_key

    if not write_key(file):
        raise UsageError("identity.exists", path=str(file))
    emit({"file": str(file)}, as_json, lambda out: out.print(say("identity.made", path=str(file))))


def change(
    context: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help=say("identity.help_reference"))],
    *,
    yes: Annotated[bool, typer.Option("--yes", help=say("identity.help_yes"))] = False,
    leave_unanswered: Annotated[
        bool, typer.Option("--leave-unanswered", help=say("identity.help_leave_unanswered"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a change of the key means at each hospital; with `--yes`, do it."""
    from adapter.operations.identity_key import ChangeIdentityKey

    with open_adapter(context) as adapter:
        operation, acting = ChangeIdentityKey(reference, leave_unanswered), operating(adapter)
        seen = operation.preview(acting)
        done = operation.perform(acting, seen.version) if yes else seen.shown
    emit({"change": done, "done": yes}, as_json, lambda out: _draw_change(out, done, done=yes))


def _draw(out: "Console", found: "IdentityKeyReport") -> None:
    if not found.readable:
        out.print(say("identity.unreadable", reference=found.reference))
    if found.other:
        out.print(say("identity.other", reference=found.reference))
    if found.weak:
        out.print(say("identity.is_weak", reference=found.reference))
    for name, count in found.former.items():
        if count:
            out.print(say("identity.still_former", hospital=name, count=count))
    if found.is_well:
        out.print(
            say("identity.well_changed" if found.changed else "identity.well", reference=found.reference)
        )


def _draw_change(out: "Console", plan: "KeyChange", *, done: bool) -> None:
    made = table(say("identity.col_hospital"), *(say(f"identity.col_{word}") for word in _COUNTS))
    out.print(
        rows(made, ((one.hospital, *(getattr(one, word) for word in _COUNTS)) for one in plan.hospitals))
    )
    for name in plan.unlisted:
        out.print(say("identity.unlisted", hospital=name))
    out.print(say("identity.at_home_audit" if plan.audit else "identity.at_home"))
    out.print(say("identity.left"))
    out.print(say("identity.done" if done else "identity.would", reference=plan.reference))
