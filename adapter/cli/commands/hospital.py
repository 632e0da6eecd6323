"""`adapter hospital`: their tokens, how each is served, and the switch that stops it."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.commands import hospital_page, hospital_server, national_xml
from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating, settings_of
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import has_text, say, write_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from adapter.insights.hospital_service import HospitalService, SubscriptionLine

__all__ = ["register", "served_lines"]

Name = Annotated[str, typer.Argument(metavar="NAME", help=say("cli.help_hospital_name"))]
Note = Annotated[str | None, typer.Option("--note", help=say("hospital.help_note"))]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    hospital = CommandLine(help=say("cli.help_hospital"), no_args_is_help=True)
    hospital.command("list", help=say("cli.help_hospital_list"))(hospital_list)
    hospital.command("show", help=say("hospital.help_show"))(hospital_show)
    hospital.command("pause", help=say("hospital.help_pause"))(hospital_pause)
    hospital.command("drain", help=say("hospital.help_drain"))(hospital_drain)
    hospital.command("resume", help=say("hospital.help_resume"))(hospital_resume)
    hospital.command("reset", help=say("hospital.help_reset"))(hospital_reset)
    hospital.command("token", help=say("cli.help_hospital_token"))(hospital_token)
    hospital.command("onboard", help=say("hospital.help_onboard"))(hospital_onboard)
    hospital_page.register(hospital)
    hospital_server.register(hospital)
    national_xml.register(hospital)
    app.add_typer(hospital, name="hospital")


def hospital_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("cli.help_hospital_name"))],
    revoke: Annotated[bool, typer.Option("--revoke", help=say("cli.help_revoke"))] = False,
    as_json: AsJson = False,
) -> None:
    """Make a token with which a hospital may send results; it is shown once."""
    from adapter.operations.hospital_tokens import IssueToken, RevokeTokens

    with open_adapter(context) as adapter:
        if revoke:
            count = RevokeTokens(name).perform(operating(adapter))
            done = say("cli.tokens_revoked", count=count, hospital=name)
            emit({"hospital": name, "revoked": count}, as_json, lambda out: out.print(done))
            return
        hospital = adapter.settings.hospital(name).name
        token = IssueToken(hospital).perform(operating(adapter))
    write_line(say("cli.token_once", hospital=hospital), to_errors=True)
    emit({"hospital": hospital, "token": token}, as_json, lambda _: write_line(token))


def hospital_onboard(
    context: typer.Context,
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", help=say("hospital.help_onboard_out"))] = None,
    as_json: AsJson = False,
) -> None:
    """Write what a hospital must know before its first result."""
    from adapter.operations.onboarding import write_onboarding

    settings = settings_of(context)
    hospital = settings.hospital(name)
    written = [str(file) for file in write_onboarding(settings, hospital, out or Path("onboarding") / name)]
    done = say("hospital.onboard_done", files=", ".join(written), hospital=hospital.display, name=name)
    emit({"hospital": name, "files": written}, as_json, lambda out: out.print(done))


def hospital_list(context: typer.Context, as_json: AsJson = False) -> None:
    """The hospitals of the settings."""
    settings = settings_of(context)
    facts = [
        {
            "name": hospital.name,
            "display": hospital.display,
            "level": hospital.level,
            "base_url": hospital.base_url,
            "schedule": hospital.schedule,
        }
        for hospital in settings.hospitals.values()
    ]
    headers = [say(f"cli.col_{word}") for word in ("hospital", "display", "level", "address", "schedule")]
    lines = (tuple({**one, "level": say(f"cli.level_{one['level']}")}.values()) for one in facts)
    emit(facts, as_json, lambda out: out.print(rows(table(*headers), lines)))


def hospital_show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """How a hospital is served now."""
    with open_adapter(context) as adapter:
        found = insights(adapter).hospital(name)
    emit(found, as_json, lambda out: _draw(out, found))


def hospital_pause(context: typer.Context, name: Name, note: Note = None, as_json: AsJson = False) -> None:
    """Send it nothing until it is resumed."""
    _switch(context, name, "paused", note, as_json)


def hospital_drain(context: typer.Context, name: Name, note: Note = None, as_json: AsJson = False) -> None:
    """Send what waits, plan nothing new."""
    _switch(context, name, "draining", note, as_json)


def hospital_resume(context: typer.Context, name: Name, note: Note = None, as_json: AsJson = False) -> None:
    """Serve it again."""
    _switch(context, name, "running", note, as_json)


def hospital_reset(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Close its breaker by hand."""
    from adapter.operations.hospital_mode import ResetBreaker

    with open_adapter(context) as adapter:
        found = ResetBreaker(name).perform(operating(adapter))
    emit(found, as_json, lambda out: _draw_switched(out, found, "reset"))


def _switch(context: typer.Context, name: str, mode: str, note: str | None, as_json: bool) -> None:
    from adapter.operations.hospital_mode import HospitalMode, SetHospitalMode

    with open_adapter(context) as adapter:
        found = SetHospitalMode(name, HospitalMode(mode), note).perform(operating(adapter))
    emit(found, as_json, lambda out: _draw_switched(out, found, mode))


def _draw_switched(out: "Console", found: "HospitalService", done: str) -> None:
    out.print(say(f"hospital.done_{done}", hospital=found.hospital, count=found.to_go))
    for line in served_lines(found):
        out.print(line)


def served_lines(found: "HospitalService") -> "Iterator[str]":
    """A sentence for everything because of which a hospital is not served as usual."""
    if found.mode != "running":
        who = {"by": found.mode_by or "-", "at": moment(found.mode_at)}
        note = f" ({found.mode_note})" if found.mode_note else ""
        yield say(f"hospital.is_{found.mode}", hospital=found.hospital, count=found.to_go, **who) + note
    if found.halted_because:
        yield found.halted_because
    if found.why == "hours":
        yield say("hospital.is_hours", hospital=found.hospital, until=moment(found.until))
    if found.breaker != "closed" and found.mode != "paused":
        facts = {
            "failures": found.failures,
            "since": moment(found.failing_since),
            "why": describe_last_error(found),
        }
        word = "half_open" if found.breaker == "half-open" else "open"
        yield say(f"hospital.is_{word}", hospital=found.hospital, until=moment(found.until), **facts)


def describe_last_error(found: "HospitalService") -> str:
    """What is wrong with a hospital, in words where there are some, with the code that the docs list."""
    code = found.last_error or "-"
    word, _, where = code.partition(" ")
    known = f"hospital.trouble_{word.replace('-', '_')}"
    return f"{say(known, where=where)} ({word})" if has_text(known) else code


def _draw(out: "Console", found: "HospitalService") -> None:
    out.print(rows(table(found.hospital, found.display), _facts(found)))
    for line in served_lines(found):
        out.print(line)


def _facts(found: "HospitalService") -> "Iterator[tuple[str, object]]":
    def word(name: str) -> str:
        return say(f"hospital.word_{name.replace('-', '_')}")

    yield say("hospital.row_mode"), word(found.mode)
    yield say("hospital.row_breaker"), word(found.breaker)
    yield say("hospital.row_last_contact"), moment(found.last_contact)
    yield say("hospital.row_to_go"), found.to_go
    yield say("hospital.row_in_flight"), _of(found.in_flight if found.admits else 0, found.concurrency)
    yield say("hospital.row_rate"), f"{found.requests_per_second:g}" if found.requests_per_second else "-"
    yield say("hospital.row_entries"), _of(found.entries, found.max_entries)
    yield say("hospital.row_windows"), ", ".join(found.windows) or "-"
    yield say("hospital.row_maintenance"), ", ".join(found.maintenance) or "-"
    yield say("hospital.row_card"), _card(found.card_measured_at)
    for one in found.subscriptions:
        yield say("hospital.row_subscription"), _subscription(one)
    yield say("server.row_server"), found.server_url or "-"


def _of(now_: int, most: int) -> str:
    return say("hospital.of", now=now_, most=most)


def _subscription(one: "SubscriptionLine") -> str:
    words = f"{one.status} {one.origin}, {say('hospital.events', taken=one.taken, waiting=one.waiting)}"
    return f"{words}. {one.problem}" if one.problem else words


def _card(measured_at: datetime | None) -> str:
    return moment(measured_at) if measured_at else say("hospital.no_card")
