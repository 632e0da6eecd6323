"""`adapter inbox refused`: what the endpoint refused for its content."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.fhir.codec import Resource
    from adapter.insights.refused_requests import ListedRefusal, RefusedRequestReport

__all__ = ["inbox_refused"]


def inbox_refused(
    context: typer.Context,
    number: Annotated[int | None, typer.Argument(metavar="N", help=say("refused.help_number"))] = None,
    *,
    retry: Annotated[bool, typer.Option("--retry", help=say("refused.help_retry"))] = False,
    discard: Annotated[bool, typer.Option("--discard", help=say("refused.help_discard"))] = False,
    as_json: AsJson = False,
) -> None:
    """What the endpoint refused for its content; one of it as it came, tried again, or dropped."""
    from adapter.errors import UsageError

    if (retry or discard) and number is None:
        raise UsageError("refused.which")
    if retry and discard:
        raise UsageError("refused.one_of")
    if number is None:
        _show_all(context, as_json)
    elif retry:
        _retry(context, number, as_json)
    elif discard:
        _discard(context, number, as_json)
    else:
        with open_adapter(context) as adapter:
            found = insights(adapter).refused_request(number)
        emit(found, as_json, lambda out: _draw(out, found))


def _show_all(context: typer.Context, as_json: bool) -> None:
    with open_adapter(context) as adapter:
        found = insights(adapter).refused_requests()
    emit(found, as_json, lambda out: _draw_list(out, found))


def _retry(context: typer.Context, number: int, as_json: bool) -> None:
    from adapter.operations.refused_requests import RetryRefusedRequest

    with open_adapter(context) as adapter:
        outcome = RetryRefusedRequest(number).perform(operating(adapter))
    facts = {"number": number, "taken": outcome is None, "outcome": outcome}
    emit(facts, as_json, lambda out: _draw_retried(out, number, outcome))
    if outcome is not None:
        raise typer.Exit(1)


def _discard(context: typer.Context, number: int, as_json: bool) -> None:
    from adapter.operations.refused_requests import DiscardRefusedRequest

    with open_adapter(context) as adapter:
        DiscardRefusedRequest(number).perform(operating(adapter))
    emit({"number": number}, as_json, lambda out: out.print(say("refused.discarded", number=number)))


def _draw_list(out: "Console", found: "Sequence[ListedRefusal]") -> None:
    if not found:
        out.print(say("refused.none"))
        return
    words = ("number", "hospital", "request", "kind", "times", "first", "last")
    lines = (
        (
            one.id,
            one.hospital,
            f"{one.method} {one.path}".strip(),
            one.kind,
            one.times,
            moment(one.first_at),
            moment(one.last_at),
        )
        for one in found
    )
    out.print(rows(table(*(say(f"refused.col_{word}") for word in words), numbers=(0, 4)), lines))
    out.print(say("refused.advice"))


def _draw(out: "Console", found: "RefusedRequestReport") -> None:
    one = found.request
    out.print(
        say(
            "refused.head",
            number=one.id,
            hospital=one.hospital,
            request=f"{one.method} {found.url}".strip(),
            status=one.status,
            times=one.times,
            first=moment(one.first_at),
            last=moment(one.last_at),
        ),
        markup=False,
    )
    for name, value in found.conditions.items():
        out.print(f"{name}: {value}", markup=False)
    for issue in found.issues:
        where = f"{issue.expression}: " if issue.expression else ""
        out.print(f"[{issue.code}] {where}{issue.text}", markup=False)
    out.print(found.body, markup=False, highlight=False, soft_wrap=True)


def _draw_retried(out: "Console", number: int, outcome: "Resource | None") -> None:
    if outcome is None:
        out.print(say("refused.taken", number=number))
        return
    out.print(say("refused.again"))
    for issue in outcome["issue"]:
        where = "".join(f"{one}: " for one in issue.get("expression", ()))
        out.print(f"[{issue['code']}] {where}{issue['details']['text']}", markup=False)
