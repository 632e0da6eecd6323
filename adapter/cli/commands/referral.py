"""`adapter referral`: where each referral stands, and what the centre does about it."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands.referral_sheet import sheet
from adapter.cli.terminal.command_words import CommandLine, ask
from adapter.cli.terminal.context import AsJson, Hospitals, chosen, insights, open_adapter, operating
from adapter.cli.terminal.output import code_words, emit, moment, rows, table
from adapter.texts import say, write_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from rich.console import Console

    from adapter.insights.referrals import ReferralCourse, ReferralLine

__all__ = ["register"]

_LONGEST_ANSWER = 1_000
_Key = Annotated[str, typer.Argument(metavar="KEY", help=say("referral.help_key"))]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    group = CommandLine(help=say("referral.help"), no_args_is_help=True)
    group.command("list", help=say("referral.help_list"))(list_referrals)
    group.command("show", help=say("referral.help_show"))(show)
    group.command("cancel", help=say("referral.help_cancel"))(cancel)
    group.command("answer", help=say("referral.help_answer"))(answer)
    group.command("called", help=say("referral.help_called"))(called)
    group.command("seen", help=say("referral.help_seen"))(seen)
    group.command("sheet", help=say("sheet.help"))(sheet)
    app.add_typer(group, name="referral")


def list_referrals(
    context: typer.Context,
    hospitals: Hospitals = None,
    *,
    late: Annotated[bool, typer.Option("--late", help=say("referral.help_late"))] = False,
    with_closed: Annotated[bool, typer.Option("--all", help=say("referral.help_all"))] = False,
    as_json: AsJson = False,
) -> None:
    """Referrals, the late ones first."""
    with open_adapter(context) as adapter:
        names = chosen(adapter, hospitals)
        found = insights(adapter).referrals(names, with_closed=with_closed)
    found = [one for one in found if one.is_late or not late]
    emit({"referrals": found}, as_json, lambda out: _draw_list(out, found, late=late))
    raise typer.Exit(1 if late and found else 0)


def show(context: typer.Context, key: _Key, as_json: AsJson = False) -> None:
    """One referral and its course."""
    with open_adapter(context) as adapter:
        found = insights(adapter).referral(key)
    emit(found, as_json, lambda out: _draw_course(out, found))


def cancel(
    context: typer.Context,
    key: _Key,
    reason: Annotated[str, typer.Option("--reason", help=say("referral.help_reason"))],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("referral.help_dry_run"))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=say("release.help_yes"))] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the hospital to cancel a referral."""
    from adapter.errors import UsageError
    from adapter.operations.referrals import CancelReferral

    if not reason.strip():
        raise UsageError("referral.no_reason")
    asks = not (yes or dry_run)
    if asks and (as_json or not sys.stdin.isatty()):
        raise UsageError("referral.say_yes")
    with open_adapter(context) as adapter:
        operation, acting = CancelReferral(key, reason.strip()), operating(adapter)
        preview = operation.preview(acting)
        line = preview.shown
        if asks:
            write_line(_sentence(line))
        agreed = not dry_run and (yes or ask(say("referral.ask_cancel", key=key)))
        if agreed:
            line = operation.perform(acting, preview.version)
    word = "cancelled" if agreed else "not_cancelled"
    emit(
        {"done": agreed, "referral": line},
        as_json,
        lambda out: out.print(say(f"referral.{word}", key=key, state=code_words(line.state))),
    )


def answer(
    context: typer.Context,
    key: _Key,
    text: Annotated[str, typer.Argument(metavar="TEXT", help=say("referral.help_text"))],
    as_json: AsJson = False,
) -> None:
    """Answer what the hospital asked of a referral."""
    from adapter.errors import UsageError
    from adapter.operations.referrals import AnswerReferral

    words = " ".join(text.split())
    if not 0 < len(words) <= _LONGEST_ANSWER:
        raise UsageError("referral.no_answer", most=_LONGEST_ANSWER)
    with open_adapter(context) as adapter:
        line = AnswerReferral(key, words).perform(operating(adapter))
    emit({"referral": line}, as_json, lambda out: out.print(say("referral.was_answered", key=key)))


def called(context: typer.Context, key: _Key, as_json: AsJson = False) -> None:
    """Note that the hospital was called about it."""
    from adapter.operations.referrals import NoteCall

    with open_adapter(context) as adapter:
        line = NoteCall(key).perform(operating(adapter))
    emit({"referral": line}, as_json, lambda out: out.print(say("referral.was_called", key=key)))


def seen(
    context: typer.Context,
    key: _Key,
    *,
    withdrawn: Annotated[bool, typer.Option("--withdraw", help=say("referral.help_withdraw"))] = False,
    as_json: AsJson = False,
) -> None:
    """A doctor has seen what came back."""
    from adapter.operations.referrals import AcknowledgeReferral

    with open_adapter(context) as adapter:
        line = AcknowledgeReferral(key, withdrawn).perform(operating(adapter))
    word = "unseen" if withdrawn else "was_seen"
    emit({"referral": line}, as_json, lambda out: out.print(say(f"referral.{word}", key=key)))


_COLUMNS = ("referral", "cadre", "hospital", "what", "state", "since", "due", "next")


def _draw_list(out: "Console", found: "Sequence[ReferralLine]", *, late: bool) -> None:
    if not found:
        out.print(say("referral.none_late" if late else "referral.none"))
        return
    headers = [say(f"referral.col_{word}") for word in _COLUMNS]
    lines = (
        (
            one.referral,
            one.cadre,
            one.hospital,
            one.service,
            code_words(one.state),
            moment(one.since),
            _due(one),
            _next_step(one),
        )
        for one in found
    )
    out.print(rows(table(*headers), lines))


def _due(one: "ReferralLine") -> str:
    if one.due is None:
        return "-"
    return say("referral.late", due=moment(one.due)) if one.is_late else moment(one.due)


def _next_step(one: "ReferralLine") -> str:
    if one.waits_for is None:
        return say(f"referral.next_{one.state.value}")
    call = say("referral.call", telephone=one.telephone) if one.is_late and one.telephone else ""
    return f"{say(f'referral.next_{one.waits_for}')}{call}"


def _sentence(one: "ReferralLine") -> str:
    return say(
        "referral.stands",
        key=one.referral,
        hospital=one.hospital,
        state=code_words(one.state),
        since=moment(one.since),
    )


def _draw_course(out: "Console", found: "ReferralCourse") -> None:
    one = found.line
    out.print(_sentence(one))
    told = {
        "cadre": one.cadre,
        "what": one.service,
        "business_status": one.business_status,
        "appointment": None if one.appointment is None else _time(one.appointment),
        "hospital_number": one.hospital_number,
        "telephone": one.telephone,
        "progress": one.progress and _progress(one.progress),
        "reason": one.reason_code and say(f"referral.reason_{one.reason_code}"),
        "onward": one.onward,
        "said": one.said,
        "question": one.question and f"{one.question} ({moment(one.asked_at)})",
        "answer": one.answer and f"{one.answer} ({moment(one.answered_at)}, {one.answered_by})",
        "cancel_reason": found.cancel_reason,
        "acknowledged": one.acknowledged_at and f"{moment(one.acknowledged_at)}, {one.acknowledged_by}",
        "called": one.called_at and f"{moment(one.called_at)}, {one.called_by}",
        "due": None if one.due is None else _due(one),
        "next": _next_step(one),
    }
    for word, value in told.items():
        if value:
            out.print(f"  {say(f'referral.col_{word}')}: {value}")
    if found.moments:
        headers = [say(f"referral.col_{word}") for word in ("at", "said_by", "state", "reason", "odd")]
        lines = (
            (
                "-" if step.at is None else moment(step.at),
                f"{step.what} {step.status}" if step.what else say("referral.we_asked"),
                code_words(step.state),
                say(f"referral.reason_{step.reason}") if step.reason else "",
                say("referral.odd") if step.is_odd else "",
            )
            for step in found.moments
        )
        out.print(rows(table(*headers), lines))


def _progress(written: str) -> str:
    done, _, all_ = written.partition("/")
    return say("referral.progress", done=done, all=all_)


def _time(value: "date | datetime") -> str:
    return moment(value) if isinstance(value, datetime) else value.isoformat()
