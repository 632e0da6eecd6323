"""`adapter doctor`: what hospitals' servers really do, and what the adapter does because of it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.context import (
    AsJson,
    Hospitals,
    chosen,
    insights,
    open_adapter,
    operating,
    stopping,
)
from adapter.cli.terminal.output import emit, errors, moment, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import has_text, markdown_words, say, write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

    from adapter.cli.terminal.context import Adapter
    from adapter.insights.server_card_report import CardFinding, ServerCardReport

__all__ = ["register", "say_unmeasured"]

_OF_A_DAY = ("clock_skew", "tls_until")  # which say nothing of the software
_MARKS = {"unknown": "level_unknown", "costs": "level_costs", "bad": "level_bad"}


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("doctor", help=say("doctor.help"))(doctor)


def say_unmeasured(adapter: "Adapter", names: "Sequence[str]") -> None:
    """Say on standard error which of these hospitals have no card."""
    for name in insights(adapter).unmeasured(adapter.settings.with_server(names)):
        errors().print(say("doctor.no_card", hospital=name))


def doctor(
    context: typer.Context,
    hospitals: Hospitals = None,
    *,
    read_only: Annotated[
        bool, typer.Option("--read-only", "--dry-run", help=say("doctor.help_read_only"))
    ] = False,
    show: Annotated[bool, typer.Option("--show", help=say("doctor.help_show"))] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help=say("doctor.help_markdown"))] = False,
    seen: Annotated[bool, typer.Option("--seen", help=say("doctor.help_seen"))] = False,
    as_json: AsJson = False,
) -> None:
    """Measure hospitals' servers, or show what was measured."""
    from adapter.errors import UsageError

    if show and read_only:
        raise UsageError("doctor.with_show")
    if seen and (not hospitals or read_only or show or markdown or as_json):
        raise UsageError("doctor.with_seen")
    failed = 0
    with open_adapter(context) as adapter:
        names = _with_server(adapter, chosen(adapter, hospitals))
        if seen:
            _acknowledge(adapter, names)
            return
        if show:
            found = [insights(adapter).server_card(name) for name in names]
        else:
            found, failed = _measured(adapter, names, writes=not read_only, quiet=as_json or markdown)
        displays = {name: adapter.settings.hospital(name).display for name in names}
        words = {one.hospital: _strategy(adapter, one) for one in found}
    if markdown:
        write_line(
            "\n".join(
                line for one in found for line in _markdown(one, displays[one.hospital], words[one.hospital])
            )
        )
    else:
        facts = {one.hospital: {**_facts(one), "strategy": words[one.hospital]} for one in found}
        emit(facts, as_json, lambda out: _draw_all(out, found, words))
    raise typer.Exit(max((failed, *(one.exit_code for one in found))))


def _with_server(adapter: "Adapter", names: "Sequence[str]") -> "list[str]":
    """Those of them that have a server; of the others it is said that they have none."""
    found = adapter.settings.with_server(names)
    for name in (one for one in names if one not in found):
        errors().print(say("doctor.on_page", hospital=name))
    return found


def _acknowledge(adapter: "Adapter", names: "Sequence[str]") -> None:
    from adapter.operations.measure import AcknowledgeDrift

    for name in names:
        AcknowledgeDrift(name).perform(operating(adapter))
        write_line(say("doctor.drift_seen", hospital=name))


def _measured(
    adapter: "Adapter", names: "Sequence[str]", *, writes: bool, quiet: bool
) -> "tuple[list[ServerCardReport], int]":
    """What was measured, and the exit code of what could not be: one hospital's trouble is no other's."""
    from adapter.errors import Busy, SettingsError
    from adapter.operations.measure import MeasureServer

    stop, failed = stopping(), 0
    found: list[ServerCardReport] = []
    with progress(quiet=quiet) as callback:
        for name in names:
            if stop.is_set():
                break
            if not quiet:
                errors().print(say("doctor.begin" if writes else "doctor.begin_read_only", hospital=name))
            try:
                found.append(MeasureServer(name, writes).perform(operating(adapter, callback, stop)))
            except (Busy, SettingsError) as error:
                errors().print(say("cli.error", problem=str(error)))
                failed = max(failed, error.exit_code)
    return found, failed


def _facts(found: "ServerCardReport") -> dict[str, Any]:
    facts = {**asdict(found), "exit_code": found.exit_code}
    facts["lines"] = [
        {**asdict(line), "effect": say(line.effect) if line.effect else ""} for line in found.lines
    ]
    facts["drift"] = [change._asdict() for change in found.drift]
    if found.examined:
        facts["examined"].pop("card")
    return facts


def _draw_all(out: "Console", found: "Sequence[ServerCardReport]", words: "Mapping[str, str | None]") -> None:
    for one in found:
        _draw(out, one, words[one.hospital])


def _draw(out: "Console", found: "ServerCardReport", strategy: str | None) -> None:
    if found.lines:
        headers = ["", *(say(f"doctor.col_{word}") for word in ("behaviour", "says", "does", "then"))]
        title = say("doctor.title", hospital=found.hospital, at=moment(found.measured_at))
        cells = ((_mark(line), *_cells(line)) for line in found.lines)
        out.print(rows(table(*headers, title=title), cells))
        if any(_mark(line) for line in found.lines):
            out.print(say("doctor.legend"))
    for line in _remarks(found, strategy):
        out.print(line)


def _mark(line: "CardFinding") -> str:
    return say(f"doctor.{_MARKS[line.level]}") if line.level in _MARKS else ""


def _cells(line: "CardFinding", quoted: "Callable[[str], str]" = str) -> tuple[str, str, str, str]:
    """Behaviour, what it says, what it does, what the adapter does then; the server's words go through
    `quoted`.
    """
    says = say("doctor.nothing") if line.says is None else _value(line.behaviour, line.says, quoted)
    effect = say(line.effect) if line.effect else say("doctor.nothing")
    detail = f" ({quoted(line.detail)})" if line.detail else ""
    does = _value(line.behaviour, line.does, quoted) + detail
    return say(f"doctor.{line.behaviour}"), says, does, effect


def _value(behaviour: str, value: Any, quoted: "Callable[[str], str]") -> str:
    if value is None:
        return say("doctor.unmeasured")
    if isinstance(value, bool):
        return say("doctor.yes" if value else "doctor.no")
    if behaviour in ("max_bytes", "max_single_bytes"):
        return say("doctor.bytes", kilobytes=value // 1000)
    if behaviour == "missing_types" and value == "none":
        return say("doctor.no_type")
    if behaviour == "clock_skew":
        return say("doctor.seconds_ahead", seconds=f"{value:g}")
    return quoted(str(value))


def _remarks(found: "ServerCardReport", strategy: str | None) -> "Iterator[str]":
    """What is to be said besides the table: a line each."""
    name, examined = found.hospital, found.examined
    if examined:
        yield from _of_examination(found)
    if found.measured_at is None and not (examined and examined.trouble):
        yield say("doctor.no_card_kept", hospital=name)
    if found.replaced:
        yield say("server.replaces", hospital=name, before=found.replaced)
    if found.drift:
        changes = "; ".join(
            say(
                "doctor.drift_one",
                behaviour=say(f"doctor.{change.field}"),
                before=_read(change.before),
                after=_read(change.after),
            )
            if has_text(f"doctor.{change.field}")
            else f"{change.field}: {change.before} -> {change.after}"
            for change in found.drift
        )
        yield say("doctor.drift", hospital=name, changes=changes)
    if strategy:
        yield strategy
    if examined and not examined.trouble:
        yield say("doctor.look" if found.exit_code else "doctor.good")


def _read(value: str) -> str:
    return {"true": say("doctor.yes"), "false": say("doctor.no")}.get(value, value)


def _of_examination(found: "ServerCardReport") -> "Iterator[str]":
    name, examined = found.hospital, found.examined
    if examined is None:
        return
    if examined.trouble:
        yield say("doctor.trouble", hospital=name, why=_why(examined.trouble))
    for probe, why in examined.notes.items():
        known = f"doctor.{probe}"
        yield say(
            "doctor.note",
            hospital=name,
            probe=say(known) if has_text(known) else probe,
            why=_why(why),
        )
    if examined.removed:
        yield say("doctor.removed_before", hospital=name, count=examined.removed)
    if examined.left:
        places = ", ".join(examined.left[:10])
        yield say("doctor.left", hospital=name, count=len(examined.left), places=places)
    if examined.stopped:
        yield say("doctor.stopped", hospital=name)
    yield say("doctor.done", requests=examined.requests, seconds=f"{examined.seconds:.1f}")


def _why(word: str) -> str:
    code, _, where = word.partition(" ")
    known = f"doctor.why_{code}"
    return say(known, where=where) if has_text(known) else word


def _strategy(adapter: "Adapter", found: "ServerCardReport") -> str | None:
    """How the adapter writes to this server, in words."""
    from adapter.insights.server_card_report import write_strategy

    how = write_strategy(adapter, found)
    if how is None:
        return None
    hospital = adapter.settings.hospital(found.hospital)
    form = "together" if how.cross_references else how.form
    words = [
        say(f"doctor.form_{form}"),
        say("doctor.by_condition" if how.conditional_update else "doctor.by_looking"),
    ]
    if how.form != "single":
        words.append(say("doctor.size", entries=how.max_entries, kilobytes=how.max_bytes // 1000))
    return say("doctor.strategy", hospital=hospital.display, manner="; ".join(words))


def _markdown(found: "ServerCardReport", display: str, strategy: str | None) -> "Iterator[str]":
    """The card as a page."""
    yield f"# {markdown_words(display)}"
    yield ""
    headers = [say(f"doctor.col_{word}") for word in ("behaviour", "says", "does", "then")]
    yield "| " + " | ".join(headers) + " |"
    yield "|" + "---|" * len(headers)
    for line in found.lines:
        if line.behaviour in _OF_A_DAY:
            continue
        yield "| " + " | ".join(_cells(line, markdown_words)) + " |"
    if strategy:
        yield ""
        yield strategy
