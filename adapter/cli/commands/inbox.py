"""`adapter inbox`: what a person decides."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.inbox_item import reasons_in_words
from adapter.cli.commands.inbox_pdf import inbox_add_pdf
from adapter.cli.commands.inbox_rulings import inbox_forget, inbox_never, inbox_remembered
from adapter.cli.commands.refused_requests import inbox_refused
from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.inbox_list import InboxList, ListedItem

__all__ = ["register"]

_CENTURY = 36_500  # days


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    inbox = CommandLine(help=say("cli.help_inbox"), invoke_without_command=True)
    inbox.callback()(inbox_list)
    inbox.command("add-pdf", help=say("pdf.help_add"))(inbox_add_pdf)
    inbox.command("discard", help=say("inbox.help_discard"))(inbox_discard)
    inbox.command("forget", help=say("inbox.help_forget"))(inbox_forget)
    inbox.command("link", help=say("cli.help_inbox_link"))(inbox_link)
    inbox.command("never", help=say("inbox.help_never"))(inbox_never)
    inbox.command("refused", help=say("refused.help"))(inbox_refused)
    inbox.command("remembered", help=say("inbox.help_remembered"))(inbox_remembered)
    inbox.command("reopen", help=say("inbox.help_reopen"))(inbox_reopen)
    inbox.command("seen", help=say("inbox.help_seen"))(inbox_seen)
    inbox.command("show", help=say("inbox.help_show"))(inbox_show)
    inbox.command("unlink", help=say("cli.help_inbox_unlink"))(inbox_unlink)
    app.add_typer(inbox, name="inbox")


def inbox_list(
    context: typer.Context,
    state: Annotated[str, typer.Option(help=say("cli.help_inbox_state"))] = "unmatched",
    as_json: AsJson = False,
) -> None:
    """What hospitals sent and what became of it."""
    if context.invoked_subcommand:
        return
    from adapter.insights.inbox_list import checked_state

    wanted = checked_state(state)
    with open_adapter(context) as adapter:
        found = insights(adapter).inbox(wanted)
    emit(found, as_json, lambda out: _draw_inbox(out, found))


def inbox_link(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help=say("cli.help_item"))],
    cadre: Annotated[str, typer.Argument(metavar="CADRE", help=say("cli.help_cadre"))],
    *,
    referral: Annotated[str | None, typer.Option("--referral", help=say("cli.help_referral"))] = None,
    replaces: Annotated[int | None, typer.Option("--replaces", help=say("inbox.help_replaces"))] = None,
    despite: Annotated[bool, typer.Option("--despite", help=say("inbox.help_despite"))] = False,
    as_json: AsJson = False,
) -> None:
    """Say whose result it is."""
    from adapter.operations.inbox import LinkItem

    with open_adapter(context) as adapter:
        LinkItem(item, cadre, referral, despite, replaces).perform(operating(adapter))
    facts = {"item": item, "cadre": cadre, "referral": referral, "replaces": replaces, "despite": despite}
    emit(facts, as_json, lambda out: out.print(say("cli.inbox_linked", item=item, cadre=cadre)))


def inbox_unlink(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help=say("cli.help_item"))],
    as_json: AsJson = False,
) -> None:
    """Take a match back: the result leaves the record and waits again."""
    from adapter.operations.inbox import UnlinkItem

    with open_adapter(context) as adapter:
        done = UnlinkItem(item).perform(operating(adapter))
    others = [one for one in done if one != item]
    text = "cli.inbox_unlinked_with" if others else "cli.inbox_unlinked"
    listed = ", ".join(map(str, others))
    emit(
        {"item": item, "others": others},
        as_json,
        lambda out: out.print(say(text, item=item, others=listed)),
    )


def inbox_show(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help=say("cli.help_item"))],
    as_json: AsJson = False,
) -> None:
    """What a hospital wrote, beside whom it could be about."""
    from adapter.cli.commands.inbox_item import draw_item

    with open_adapter(context) as adapter:
        found = insights(adapter).inbox_item(item)
    emit(found, as_json, lambda out: draw_item(out, found))


def inbox_seen(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help=say("cli.help_item"))],
    as_json: AsJson = False,
) -> None:
    """Say that a version that was ignored as older was seen."""
    from adapter.operations.inbox import SeeItem

    with open_adapter(context) as adapter:
        SeeItem(item).perform(operating(adapter))
    emit({"item": item}, as_json, lambda out: out.print(say("inbox.seen", item=item)))


def inbox_discard(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help=say("cli.help_item"))],
    reason: Annotated[str, typer.Option("--reason", help=say("inbox.help_reason"))],
    as_json: AsJson = False,
) -> None:
    """Say that what waits is of no use."""
    from adapter.operations.inbox import DiscardItem

    with open_adapter(context) as adapter:
        DiscardItem(item, reason).perform(operating(adapter))
    emit({"item": item}, as_json, lambda out: out.print(say("inbox.was_discarded", item=item)))


def inbox_reopen(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ID", help=say("cli.help_item"))],
    as_json: AsJson = False,
) -> None:
    """Let what was discarded wait again."""
    from adapter.operations.inbox import ReopenItem

    with open_adapter(context) as adapter:
        ReopenItem(item).perform(operating(adapter))
    emit({"item": item}, as_json, lambda out: out.print(say("inbox.was_reopened", item=item)))


def _draw_inbox(out: "Console", found: "InboxList") -> None:
    out.print("  ".join(f"{say(f'cli.state_{state}')}: {count}" for state, count in found.counts.items()))
    if found.items:
        _draw_items(out, found.items)
    if found.unseen:
        out.print(say("inbox.unseen"))
        _draw_items(out, found.unseen)


def _draw_items(out: "Console", items: "Sequence[ListedItem]") -> None:
    words = ("id", "hospital", "type", "received", "state", "why", "candidates")
    headers = [say(f"cli.col_{word}") for word in words]
    headers.insert(3, say("inbox.col_kind"))
    lines = (
        (
            one.id,
            one.hospital,
            one.type,
            ", ".join(filter(None, (one.title, one.found_at, one.number))) or "-",
            moment(one.received_at),
            say(f"cli.state_{one.state}"),
            reasons_in_words(one.reasons),
            ", ".join(one.candidates[:3]) or one.cadre or "-",
        )
        for one in items
    )
    out.print(rows(table(*headers, numbers=(0,)), lines))
