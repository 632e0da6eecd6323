"""`adapter status --problems` and `adapter alarm`: what a person must know."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import say, write_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from adapter.insights.problems import Problem

__all__ = ["register", "show_problems"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("alarm", help=say("alarm.help"))(alarm)


def show_problems(context: typer.Context, as_json: bool) -> None:
    """List them, one row each; ends with 0 where there is none, 1 where there is."""
    with open_adapter(context) as adapter:
        found = insights(adapter).problems()
    emit(_facts(found), as_json, lambda out: _draw(out, found))
    raise typer.Exit(1 if found else 0)


def alarm(
    context: typer.Context,
    test: Annotated[bool, typer.Option("--test", help=say("alarm.help_test"))] = False,
    as_json: AsJson = False,
) -> None:
    """Look for problems once and tell what is new; or try the ways."""
    from adapter.errors import UsageError
    from adapter.operations.alarms import SendAlarms, TestChannels

    with open_adapter(context) as adapter:
        if test:
            acting = operating(adapter)
            if not TestChannels().preview(acting).shown:
                raise UsageError("alarm.no_way")
            tried = TestChannels().perform(acting)
            emit(tried, as_json, lambda out: _draw_tried(out, tried))
            raise typer.Exit(1 if any(tried.values()) else 0)
        raised = SendAlarms().perform(operating(adapter))
    facts = {"problems": _facts(raised.problems), "told": raised.told, "failed": raised.failed}
    emit(facts, as_json, lambda out: _draw(out, raised.problems))
    for way, why in raised.failed.items():
        write_line(say("alarm.failed", way=way, why=why), to_errors=True)
    raise typer.Exit(1 if raised.failed else 0)


def _facts(found: "Sequence[Problem]") -> list[dict[str, object]]:
    return [
        {
            "since": one.since,
            "hospital": one.hospital,
            "code": one.code,
            "cause": one.cause,
            "count": one.count,
            "words": one.words,
            "command": one.command,
        }
        for one in found
    ]


def _draw(out: "Console", found: "Sequence[Problem]") -> None:
    """The first line says it all, as monitoring wants it."""
    if not found:
        out.print(say("problems.none"))
        return
    out.print(say("problems.some", count=len(found)))
    headers = [say(f"problems.col_{word}") for word in ("since", "where", "what", "count", "command")]
    lines = (
        (moment(one.since), one.hospital or say("alarm.here"), one.words, one.count, one.command)
        for one in found
    )
    out.print(rows(table(*headers, numbers=(3,)), lines))


def _draw_tried(out: "Console", tried: "Mapping[str, str | None]") -> None:
    for way, why in tried.items():
        out.print(say("alarm.failed", way=way, why=why) if why else say("alarm.went", way=way))
