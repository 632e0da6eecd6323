"""`adapter poll`: read the server of a hospital that cannot send, once and now."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import AsJson, now, open_adapter, stopping
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.operations.poll import PolledType

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("poll", help=say("poll.help"))(poll)


def poll(
    context: typer.Context,
    hospital: Annotated[str, typer.Argument(help=say("poll.help_hospital"))],
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("poll.help_dry_run"))] = False,
    since: Annotated[datetime | None, typer.Option("--since", help=say("poll.help_since"))] = None,
    as_json: AsJson = False,
) -> None:
    """Read what is new there; exit 1 where something could not be read."""
    from adapter.operations.poll import poll_and_match

    begin = since.astimezone() if since is not None else None
    with open_adapter(context) as adapter, progress(quiet=as_json) as tell:
        found = poll_and_match(adapter, hospital, now, stopping(), since=begin, dry_run=dry_run, tell=tell)
    emit({"hospital": hospital, "dry_run": dry_run, "types": found}, as_json, lambda out: _draw(out, found))
    raise typer.Exit(1 if any(one.problem for one in found) else 0)


def _draw(out: "Console", found: "Sequence[PolledType]") -> None:
    if not found:
        out.print(say("poll.not_now"))
        return
    headers = [
        say(f"poll.col_{word}") for word in ("type", "taken", "others", "refused", "requests", "until", "why")
    ]
    cells = (
        (
            one.type,
            one.taken,
            one.others,
            one.refused,
            one.requests,
            moment(one.watermark) if one.watermark else "-",
            one.problem or "-",
        )
        for one in found
    )
    out.print(rows(table(*headers, numbers=range(1, 5)), cells))
