"""`adapter mapping check`, `diff` and `inbound`: a mapping is checked, a change of it looked at, and a
document of a hospital tried.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, Hospitals, chosen, insights, open_adapter, settings_of
from adapter.cli.terminal.output import emit, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say, write_line

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.insights.inbound_preview import InboundPreview
    from adapter.insights.mapping_check import MappingCheck
    from adapter.insights.mapping_impact import ChangeKind, Difference, MappingImpact

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    mapping = CommandLine(help=say("cli.help_mapping"), no_args_is_help=True)
    mapping.command("check", help=say("cli.help_mapping_check"))(mapping_check)
    mapping.command("diff", help=say("diff.help"))(diff)
    mapping.command("inbound", help=say("inbound.help"))(inbound)
    app.add_typer(mapping, name="mapping")


def mapping_check(context: typer.Context, as_json: AsJson = False) -> None:
    """Check settings, secrets, mappings, code tables and the policy; list everything that is wrong."""
    from adapter.errors import MappingError
    from adapter.insights.mapping_check import mapping_check as check

    found = check(settings_of(context, optional=True))
    if found.problems and not as_json:
        raise MappingError("cli.check_failed", found.problems)
    emit(found, as_json, lambda _: _draw_check(found))
    raise typer.Exit(2 if found.problems else 0)


def _draw_check(found: "MappingCheck") -> None:
    for warning in found.warnings:
        write_line(warning, to_errors=True)
    version = (found.version or "")[:12]
    write_line(say("cli.mapping_good", types=", ".join(found.types), version=version))


def inbound(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=say("inbound.help_name"))],
    document: Annotated[Path | None, typer.Option("--try", help=say("inbound.help_try"))] = None,
    hospital: Annotated[str | None, typer.Option("--hospital", help=say("inbound.help_hospital"))] = None,
    as_json: AsJson = False,
) -> None:
    """Check the inbound mapping, and show what it makes of a document; nothing is stored."""
    from adapter.errors import UsageError
    from adapter.insights.inbound_preview import inbound_preview

    if document is not None and not document.is_file():
        raise UsageError("validate.no_file", path=document)
    content = document.read_bytes() if document is not None else None
    found = inbound_preview(settings_of(context, optional=True), name, content, hospital)
    emit(found, as_json, lambda _: _draw_inbound(found))
    raise typer.Exit(1 if found.is_refused else 0)


def _draw_inbound(found: "InboundPreview") -> None:
    write_line(say("inbound.makes", name=found.mapping, types=", ".join(found.types)))
    for issue in found.issues:
        severity = say(
            "validate.severity_warning" if issue.severity == "warning" else "validate.severity_error"
        )
        write_line(f"{issue.place or '-'}: {severity} [{issue.code}] {issue.text}")
    if found.bundle is not None:
        for entry in found.bundle.get("entry", ()):
            write_line(f"  {entry['resource']['resourceType']} {entry['resource']['identifier'][0]['value']}")
        write_line(say("inbound.refused" if found.is_refused else "inbound.taken"))


def diff(
    context: typer.Context,
    hospitals: Hospitals = None,
    sample: Annotated[int, typer.Option("--sample", min=1, max=100, help=say("diff.help_sample"))] = 3,
    as_json: AsJson = False,
) -> None:
    """What the folder's mapping does to the current records, against the one in force; sends nothing."""
    with open_adapter(context) as adapter:
        names = chosen(adapter, hospitals)
        with progress(quiet=as_json) as callback:
            found = insights(adapter).mapping_impact(names, callback, sample=sample, command="mapping diff")
        limit, share = adapter.settings.max_resend_percent, adapter.settings.max_disclosure_percent
    facts = {name: _facts(one) for name, one in found.items()}
    emit(facts, as_json, lambda out: _draw(out, found, limit, share))


_EFFECTS = ("change", "new", "vanish", "same")


def _facts(found: "MappingImpact") -> dict[str, Any]:
    """A preview as plain facts."""
    counts = [
        {"type": type_, "file": file, **{effect: effects.get(effect, 0) for effect in _EFFECTS}}
        for (type_, file), effects in found.counts.items()
    ]
    return {
        "in_force": found.in_force,
        "working": found.working,
        **{effect: found.total(effect) for effect in _EFFECTS},
        "invalid": found.invalid,
        "resend": found.weight.resend,
        "held": found.weight.held,
        "emptied": found.weight.emptied,
        "requests": found.requests,
        "needs_accepting": found.needs_accepting,
        "disclosure": found.disclosure,
        "counts": counts,
        "kinds": [_kind_facts(kind) for kind in found.kinds],
    }


def _kind_facts(kind: "ChangeKind") -> dict[str, Any]:
    return {
        "type": kind.type,
        "file": kind.file,
        "effect": kind.effect,
        "count": kind.count,
        "elements": kind.elements,
        "values": [{**asdict(value), "count": count} for value, count in kind.values.items()],
        "examples": kind.examples,
    }


_MOST_LINES = 12


def _draw(out: "Console", found: "Mapping[str, MappingImpact]", limit: float, share: float) -> None:
    for one in found.values():
        _draw_one(out, one, limit)
        _draw_disclosure(out, one, share)


def _draw_disclosure(out: "Console", found: "MappingImpact", share: float) -> None:
    """What policy, tiers and records disclose or take back besides."""
    weight, name = found.disclosure.weight, found.hospital
    if found.disclosure.is_policy_changed:
        out.print(say("diff.policy_changed", hospital=name))
    if weight.newly:
        out.print(say("diff.newly", hospital=name, count=weight.newly, people=weight.newly_people))
    if weight.taken:
        out.print(say("diff.taken", hospital=name, count=weight.taken, people=weight.taken_people))
    if found.disclosure.needs_accepting:
        held = {"held": weight.held, "held_people": weight.held_people}
        out.print(say("diff.disclosure_needs_accepting", hospital=name, limit=f"{share:g}", **held))


def _draw_one(out: "Console", found: "MappingImpact", limit: float) -> None:
    name = found.hospital
    if found.in_force == found.working:
        out.print(say("diff.nothing", hospital=name, version=found.working[:12]))
        return
    before = found.in_force[:12] if found.in_force else "-"
    out.print(say("diff.title", hospital=name, before=before, after=found.working[:12]))
    headers = [say(f"diff.col_{word}") for word in ("type", "file", *_EFFECTS)]
    lines = (
        (type_, file, *(effects.get(effect, 0) for effect in _EFFECTS))
        for (type_, file), effects in found.counts.items()
    )
    out.print(rows(table(*headers, numbers=range(2, 6)), lines))
    if found.in_force is None:
        out.print(say("diff.first"))
        return
    for kind in found.kinds:
        _draw_kind(out, kind)
    _draw_cost(out, found, limit)


def _draw_kind(out: "Console", kind: "ChangeKind") -> None:
    """What all of the kind have in common with how many have it, then what is special in the examples."""
    out.print(say(f"diff.kind_{kind.effect}", type=kind.type, file=kind.file, count=kind.count))
    common = list(kind.values.items())[:_MOST_LINES]
    for value, count in common:
        out.print(f"    {_line(value)}  ({count})")
    if len(kind.values) > len(common):
        out.print("    " + say("diff.more_values", count=len(kind.values) - len(common)))
    shown = {value for value, _ in common}
    examples = kind.examples[:1] if kind.effect == "new" else kind.examples  # one shows what is made
    for example in examples:
        out.print("  " + say("diff.example", kind=say(f"cli.one_{example.record_kind}"), key=example.record))
        if kind.effect == "vanish":
            continue
        special = [value for value in example.differences if value not in shown]
        for value in special[:_MOST_LINES]:
            out.print(f"    {_line(value)}")
        if len(special) > _MOST_LINES:
            out.print("    " + say("diff.more_values", count=len(special) - _MOST_LINES))
    out.print("")


def _line(value: "Difference") -> str:
    before, after = ("-" if one is None else one for one in (value.before, value.after))
    return f"{value.path}: {before} → {after}"


def _draw_cost(out: "Console", found: "MappingImpact", limit: float) -> None:
    weight = found.weight
    share = f"{100 * weight.resend / weight.held:.1f}" if weight.held else "0"
    out.print(say("diff.cost", resend=weight.resend, held=weight.held, share=share, requests=found.requests))
    if found.invalid:
        out.print(say("diff.invalid", count=found.invalid))
    if weight.emptied:
        types = ", ".join(weight.emptied)
        out.print(say("diff.needs_accepting_emptied", hospital=found.hospital, types=types))
    elif found.needs_accepting:
        out.print(say("diff.needs_accepting", hospital=found.hospital, limit=f"{limit:g}"))
