"""`adapter cadre`: one person in the records, and two who are one."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.cadre_show import show
from adapter.cli.terminal.command_words import CommandLine, ask
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.operations.merge import MergePreview

__all__ = ["register"]

_Loser = Annotated[str, typer.Argument(metavar="LOSER", help=say("merge.help_loser"))]
_Yes = Annotated[bool, typer.Option("--yes", help=say("merge.help_yes"))]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    cadre = CommandLine(help=say("merge.help"), no_args_is_help=True)
    cadre.command("merge", help=say("merge.help_merge"))(merge)
    cadre.command("unmerge", help=say("merge.help_unmerge"))(unmerge)
    cadre.command("doubles", help=say("merge.help_doubles"))(doubles)
    cadre.command("merges", help=say("merge.help_merges"))(merges)
    cadre.command("show", help=say("person.help"))(show)
    app.add_typer(cadre, name="cadre")


def merge(
    context: typer.Context,
    loser: _Loser,
    survivor: Annotated[str, typer.Argument(metavar="SURVIVOR", help=say("merge.help_survivor"))],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("merge.help_dry_run"))] = False,
    despite_numbers: Annotated[
        bool, typer.Option("--despite-numbers", help=say("merge.help_despite_numbers"))
    ] = False,
    yes: _Yes = False,
    as_json: AsJson = False,
) -> None:
    """Merge two people who are one."""
    from adapter.operations.merge import MergeCadres

    with open_adapter(context) as adapter:
        operation, acting = MergeCadres(loser, survivor, despite_numbers), operating(adapter)
        seen = operation.preview(acting)
        insights(adapter).audit_read([("cadre", loser), ("cadre", survivor)], "cadre merge")
        if not as_json:
            emit(None, False, lambda out: _draw(out, seen.shown))
        done = not dry_run and _agreed(yes=yes, as_json=as_json)
        if done:
            operation.perform(acting, seen.version)
    facts = {"preview": seen.shown, "merged": done}
    emit(facts, as_json, lambda out: out.print(say("merge.done" if done else "merge.nothing_done")))


def unmerge(context: typer.Context, loser: _Loser, as_json: AsJson = False) -> None:
    """Take a merge back."""
    from adapter.operations.merge import UnmergeCadre

    with open_adapter(context) as adapter:
        survivor = UnmergeCadre(loser).perform(operating(adapter))
    facts = {"loser": loser, "survivor": survivor}
    emit(facts, as_json, lambda out: out.print(say("merge.undone", **facts)))


def merges(context: typer.Context, as_json: AsJson = False) -> None:
    """The merges that hold."""
    with open_adapter(context) as adapter:
        found = insights(adapter).merges()
    made = table(*(say(f"merge.col_{word}") for word in ("loser", "survivor", "at", "by")))
    lines = [(one.loser, one.survivor, moment(one.merged_at), one.merged_by) for one in found]
    emit(found, as_json, lambda out: out.print(rows(made, lines) if lines else say("merge.none")))


def doubles(context: typer.Context, as_json: AsJson = False) -> None:
    """People who share a number: one person twice, or a wrong number. Nothing is merged by itself."""
    with open_adapter(context) as adapter:
        found = insights(adapter).doubles()
    made = table(*(say(f"merge.col_{word}") for word in ("number", "key", "name", "sex", "birth_date")))
    lines = [
        (f"…{one.ending}", side.key, side.name, side.sex, side.birth_date)
        for one in found
        for side in one.sides
    ]
    emit(found, as_json, lambda out: out.print(rows(made, lines) if lines else say("merge.no_doubles")))
    raise typer.Exit(1 if found else 0)


def _agreed(*, yes: bool, as_json: bool) -> bool:
    import sys

    from adapter.errors import UsageError

    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        raise UsageError("merge.needs_yes")
    return ask(say("merge.ask"))


def _draw(out: "Console", wanted: "MergePreview") -> None:
    out.print(say("merge.preview", loser=wanted.loser, survivor=wanted.survivor))
    kinds = ", ".join(f"{count} {say(f'cli.kind_{kind}')}" for kind, count in wanted.records.items())
    out.print(say("merge.records", records=kinds))
    for hospital, count in wanted.held.items():
        if count:
            out.print(say("merge.held", hospital=hospital, count=count))
    if wanted.differ:
        out.print(say("merge.differ", fields=wanted.named(wanted.differ)))
    if wanted.numbers:
        out.print(say("merge.two_people", fields=wanted.named(wanted.numbers)))
