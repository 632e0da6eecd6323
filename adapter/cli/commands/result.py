"""`adapter result`: results that a doctor is to see, what one says, and that somebody has seen it."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.cadre_show import draw_content
from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, Hospitals, chosen, insights, open_adapter, operating
from adapter.cli.terminal.output import code_words, emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from adapter.insights.result_item import ResultItem
    from adapter.insights.results_to_see import ResultTask, UnseenResult
    from adapter.operations.results import ResultState

__all__ = ["register"]

_LONGEST_NOTE = 1_000
_Key = Annotated[str, typer.Argument(metavar="KEY", help=say("result.help_key"))]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    group = CommandLine(help=say("result.help"), no_args_is_help=True)
    group.command("list", help=say("result.help_list"))(list_results)
    group.command("show", help=say("result.help_show"))(show)
    group.command("acknowledge", help=say("result.help_acknowledge"))(acknowledge)
    group.command("close", help=say("result.help_close"))(close)
    app.add_typer(group, name="result")


def list_results(
    context: typer.Context,
    hospitals: Hospitals = None,
    *,
    with_normal: Annotated[bool, typer.Option("--all", help=say("result.help_normal"))] = False,
    as_json: AsJson = False,
) -> None:
    """What is to be seen, and what is to follow."""
    with open_adapter(context) as adapter:
        names = chosen(adapter, hospitals)
        looking = insights(adapter)
        waiting = [one for one in looking.unseen_results(with_normal=with_normal) if one.hospital in names]
        tasks = [one for one in looking.result_tasks() if one.hospital in names]
    emit({"unseen": waiting, "tasks": tasks}, as_json, lambda out: _draw_list(out, waiting, tasks))


def show(context: typer.Context, key: _Key, as_json: AsJson = False) -> None:
    """One result."""
    with open_adapter(context) as adapter:
        found = insights(adapter).result(key)
    emit(found, as_json, lambda out: _draw(out, found))


def acknowledge(
    context: typer.Context,
    key: _Key,
    *,
    decision: Annotated[str, typer.Option("--decision", help=say("result.help_decision"))] = "nothing",
    note: Annotated[str | None, typer.Option("--note", help=say("result.help_note"))] = None,
    withdrawn: Annotated[bool, typer.Option("--withdraw", help=say("result.help_withdraw"))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("result.help_dry_run"))] = False,
    as_json: AsJson = False,
) -> None:
    """A doctor has seen a result."""
    from adapter.errors import UsageError
    from adapter.operations.results import AcknowledgeResult, Decision, UnacknowledgeResult

    if decision not in set(Decision):
        raise UsageError("result.bad_decision", word=decision)
    if note and len(note) > _LONGEST_NOTE:
        raise UsageError("result.no_note", most=_LONGEST_NOTE)
    seen = AcknowledgeResult(key, Decision(decision), " ".join(note.split()) if note else None)
    operation = UnacknowledgeResult(key) if withdrawn else seen
    with open_adapter(context) as adapter:
        acting = operating(adapter)
        preview = operation.preview(acting)
        state = preview.shown if dry_run else operation.perform(acting, preview.version)
    emit({"done": not dry_run, "result": state}, as_json, lambda out: out.print(_done(state, dry_run)))


def close(
    context: typer.Context,
    key: _Key,
    *,
    reason: Annotated[str, typer.Option("--reason", help=say("result.help_reason"))] = "",
    reopened: Annotated[bool, typer.Option("--reopen", help=say("result.help_reopen"))] = False,
    as_json: AsJson = False,
) -> None:
    """What was to follow is ended."""
    from adapter.operations.results import CloseResultTask

    with open_adapter(context) as adapter:
        state = CloseResultTask(key, reason, reopened).perform(operating(adapter))
    view = state.view
    decision = say(f"result.decision_{view.decision.value}") if view else ""
    word = "reopened" if reopened else "closed"
    emit({"result": state}, as_json, lambda out: out.print(say(f"result.{word}", key=key, decision=decision)))


def _done(state: "ResultState", dry_run: bool) -> str:
    if dry_run:
        return say("result.would_be_seen", key=state.result, count=len(state.stated) - 1)
    if state.view is None:
        return say("result.not_seen", key=state.result)
    decision = say(f"result.decision_{state.view.decision.value}")
    return say("result.was_seen", key=state.result, decision=decision)


def _draw_list(out: "Console", waiting: "Sequence[UnseenResult]", tasks: "Sequence[ResultTask]") -> None:
    if not waiting:
        out.print(say("result.none"))
    else:
        columns = ("result", "cadre", "hospital", "what", "value", "urgency", "since")
        made = table(*(say(f"result.col_{one}") for one in columns), title=say("result.to_see"))
        out.print(rows(made, [_unseen_line(one) for one in waiting]))
    if tasks:
        headers = [say(f"result.col_{one}") for one in ("result", "cadre", "follows", "note", "by", "since")]
        follows = (
            (
                one.result,
                one.cadre,
                say(f"result.decision_{one.decision.value}"),
                one.note or "",
                one.by,
                moment(one.since),
            )
            for one in tasks
        )
        out.print(rows(table(*headers, title=say("result.to_follow")), follows))


def _unseen_line(one: "UnseenResult") -> tuple[object, ...]:
    since = moment(one.since)
    return (
        one.result,
        one.cadre,
        one.hospital,
        say("result.again", title=one.title) if one.was_seen else one.title,
        one.value,
        say(f"result.urgency_{one.urgency.value}"),
        say("result.late", since=since) if one.is_late else since,
    )


def _draw(out: "Console", found: "ResultItem") -> None:
    one = found.shown
    out.print(f"{one.title} ({one.hospital}, {code_words(one.status)}) · {one.key}")
    if found.awaited:
        out.print(say("result.awaited", to_come=found.awaited.to_come, of=found.awaited.of))
    _draw_state(out, found)
    if found.changes:
        made = table(*(say(f"result.col_{word}") for word in ("what", "before", "after")))
        lines = [(each.title, each.before, each.after) for each in found.changes]
        out.print(say("result.changed"))
        out.print(rows(made, lines))
    draw_content(out, one.content)
    for series in found.earlier:
        headers = [say(f"person.col_{word}") for word in ("date", "value", "local", "range", "flag", "from")]
        values = [
            (value.at, value.value, value.local, value.range, value.flag, value.hospital or "-")
            for value in series.values
        ]
        out.print(rows(table(*headers, title=series.name), values))


def _draw_state(out: "Console", found: "ResultItem") -> None:
    if found.waits_since:
        urgency = say(f"result.urgency_{found.urgency.value}")
        out.print(say("result.waits", at=moment(found.waits_since), urgency=urgency))
    elif found.view is None:
        out.print(say("result.not_asked"))
    if found.view:
        view, decision = found.view, say(f"result.decision_{found.view.decision.value}")
        out.print(say("result.seen_by", by=view.seen_by, at=moment(view.seen_at), decision=decision))
        if view.note:
            out.print(say("result.seen_note", note=view.note))
        if view.closed_reason:
            closed = {"by": view.closed_by, "at": moment(view.closed_at), "reason": view.closed_reason}
            out.print(say("result.seen_closed", **closed))
