"""`adapter reconcile`: a hospital read back, and put right."""

from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.command_words import ask
from adapter.cli.terminal.context import (
    AsJson,
    Hospitals,
    chosen,
    insights,
    open_adapter,
    operating,
    stopping,
)
from adapter.cli.terminal.output import emit, errors, rows, table
from adapter.cli.terminal.progress import progress, still
from adapter.texts import has_text, say

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from adapter.cli.terminal.context import Adapter
    from adapter.cli.terminal.progress import ProgressCallback
    from adapter.operations.reconcile import ReconcileReport
    from adapter.operations.repair import RepairSummary

__all__ = ["register"]

_SHOWN = 20
_VERDICTS = ("same", "under-way", "known-again", "missing", "different", "duplicates", "extra")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("reconcile", help=say("reconcile.help"))(reconcile)


def reconcile(
    context: typer.Context,
    hospitals: Hospitals = None,
    *,
    repair: Annotated[bool, typer.Option("--repair", help=say("reconcile.help_repair"))] = False,
    delete_unknown: Annotated[
        bool, typer.Option("--delete-unknown", help=say("reconcile.help_delete_unknown"))
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help=say("reconcile.help_yes"))] = False,
    as_json: AsJson = False,
) -> None:
    """Read hospitals back: what is missing, extra, different or there twice."""
    from adapter.errors import Busy, HospitalError, SettingsError, UsageError

    if (delete_unknown or yes) and not repair:
        raise UsageError("reconcile.needs_repair")
    wanted = _Wanted(repair, delete_unknown, yes, as_json)
    facts: dict[str, Any] = {}
    exit_code = 0
    with open_adapter(context) as adapter, progress(quiet=as_json) as callback:
        for name in chosen(adapter, hospitals):
            try:
                found, done = _one(adapter, name, callback, wanted)
            except (Busy, HospitalError, SettingsError) as error:  # the others are read all the same
                errors().print(say("cli.error", problem=str(error)))
                facts[name] = {"problem": str(error)}
                exit_code = max(exit_code, error.exit_code)
                continue
            facts[name] = _facts(found, done)
            exit_code = max(exit_code, _exit_code(found, done))
            if wanted.stopped:
                exit_code = 1
                break
    if as_json:
        emit(facts, True, lambda _out: None)
    raise typer.Exit(exit_code)


class _Wanted:
    """The options of one run."""

    def __init__(self, repair: bool, delete_unknown: bool, yes: bool, as_json: bool) -> None:
        self.repair = repair
        self.delete_unknown = delete_unknown
        self.yes = yes
        self.as_json = as_json
        self.stopped = False


@contextmanager
def _stoppable(stop: "threading.Event") -> "Iterator[None]":
    """Ctrl+C and SIGTERM set the event, for as long as something is put right."""
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stopping(stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _one(
    adapter: "Adapter", name: str, callback: "ProgressCallback", wanted: _Wanted
) -> "tuple[ReconcileReport, RepairSummary | None]":
    import threading

    from adapter.operations.repair import RepairHospital

    stop = threading.Event()
    with ExitStack() as repairing:

        def agreed(found: "ReconcileReport") -> bool:
            with still(callback):
                _show(adapter, found, wanted)
                goes_on = bool(found.findings) and _agreed(wanted)
            if goes_on:
                repairing.enter_context(_stoppable(stop))
            return goes_on

        operation = RepairHospital(name, wanted.delete_unknown, agreed)
        acting = operating(adapter, callback, stop)
        if not wanted.repair:
            found = operation.look(acting)
            with still(callback):
                _show(adapter, found, wanted)
            return found, None
        try:
            found, done = operation.perform(acting)
        finally:
            wanted.stopped = stop.is_set()
    if done is not None and not wanted.as_json:
        with still(callback):
            emit(None, False, lambda out: _draw_repaired(out, name, done))
    return found, done


def _show(adapter: "Adapter", found: "ReconcileReport", wanted: _Wanted) -> None:
    insights(adapter).audit_read([(one.kind, one.key) for one in found.findings if one.key], "reconcile")
    if not wanted.as_json:
        emit(None, False, lambda out: _draw(out, found, wanted))


def _agreed(wanted: _Wanted) -> bool:
    import sys

    from adapter.errors import UsageError

    if wanted.yes:
        return True
    if wanted.as_json or not sys.stdin.isatty():
        raise UsageError("reconcile.needs_yes")
    return ask(say("reconcile.ask"))


def _exit_code(found: "ReconcileReport", done: "RepairSummary | None") -> int:
    """0 when all is as it should be, or was put right; a reading after a repair proves it."""
    if done is None:
        return found.exit_code
    unknown = sum(1 for one in found.findings if one.repair is None and str(one.verdict) == "extra")
    return 1 if done.busy or done.left or found.unlisted or (unknown and not done.unknown) else 0


def _facts(found: "ReconcileReport", done: "RepairSummary | None") -> dict[str, Any]:
    return {
        "counts": {name: dict(counts) for name, counts in found.counts.items()},
        "findings": [
            {
                "finding": str(one.verdict),
                "type": one.type,
                "identity": one.identity,
                "kind": one.kind or None,
                "key": one.key or None,
                "ids": one.copies,
                "elements": one.elements,
                "foreign": one.foreign,
            }
            for one in found.findings
        ],
        "unlisted": found.unlisted,
        "requests": found.requests,
        "repaired": done,
    }


def _draw(out: "Console", found: "ReconcileReport", wanted: _Wanted) -> None:
    headers = [say("cli.col_type"), *(say(f"reconcile.col_{word}") for word in _VERDICTS)]
    lines = ((name, *(counts.get(word, 0) for word in _VERDICTS)) for name, counts in found.counts.items())
    title = say("reconcile.title", hospital=found.hospital, requests=found.requests)
    out.print(rows(table(*headers, numbers=range(1, 1 + len(_VERDICTS)), title=title), lines))
    _draw_findings(out, found)
    for resource_type, why in found.unlisted.items():
        out.print(say("reconcile.unlisted", hospital=found.hospital, type=resource_type, why=why))
    waiting = sum(counts.get("under-way", 0) for counts in found.counts.values())
    if waiting:
        out.print(say("reconcile.under_way", count=waiting, hospital=found.hospital))
    if not found.findings and not found.unlisted and not waiting:
        out.print(say("reconcile.all_well", hospital=found.hospital))
    elif found.findings:
        _draw_hints(out, found, wanted)


def _draw_findings(out: "Console", found: "ReconcileReport") -> None:
    if not found.findings:
        return
    words = ("cli.col_type", "reconcile.col_verdict", "reconcile.col_record", "reconcile.col_ids")
    made = table(*(say(word) for word in words), say("reconcile.col_elements"))
    lines = (
        (
            one.type,
            say(f"reconcile.is_{one.verdict}"),
            one.key or "-",
            ", ".join(one.copies) or "-",
            ", ".join(one.elements) or "-",
        )
        for one in found.findings[:_SHOWN]
    )
    out.print(rows(made, lines))
    if len(found.findings) > _SHOWN:
        out.print(say("reconcile.more", count=len(found.findings) - _SHOWN))


def _draw_hints(out: "Console", found: "ReconcileReport", wanted: _Wanted) -> None:
    repairs = [one.repair for one in found.findings if one.repair is not None]
    kinds = Counter((one.holds, one.desired is not None) for one in repairs)
    strangers = sum(1 for one in found.findings if one.repair is None and str(one.verdict) == "extra")
    if not wanted.repair:
        out.print(say("reconcile.hint", hospital=found.hospital))
    else:
        facts = {
            "resend": kinds[False, True],
            "retract": kinds[False, False] + (strangers if wanted.delete_unknown else 0),
            "known_again": kinds[True, True],
            "twins": sum(len(one.copies) - 1 for one in found.findings if str(one.verdict) == "duplicates"),
        }
        out.print(say("reconcile.preview", hospital=found.hospital, **facts))
    if strangers and not wanted.delete_unknown:
        out.print(say("reconcile.hint_unknown", count=strangers))


def _draw_repaired(out: "Console", hospital: str, done: "RepairSummary") -> None:
    counts = {name: getattr(done, name) for name in ("resend", "retract", "known_again", "removed")}
    out.print(say("reconcile.repaired", hospital=hospital, **counts))
    if done.accepted:
        out.print(say("server.accepted", hospital=hospital))
    if done.busy:
        out.print(say("reconcile.busy", count=done.busy))
    if done.left:
        out.print(say("reconcile.left", count=done.left, hospital=hospital))
    for what, why in _known_reasons(done):
        out.print(say("reconcile.kept", what=what, hospital=hospital, why=why))


def _known_reasons(done: "RepairSummary") -> "Sequence[tuple[str, str]]":
    return [
        (what, say(f"reconcile.kept_{why}") if has_text(f"reconcile.kept_{why}") else why)
        for what, why in done.kept.items()
    ]
