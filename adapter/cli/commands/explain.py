"""`adapter explain`: where a record went, and where each value of a resource came from."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.context import AsJson, insights, open_adapter
from adapter.cli.terminal.output import emit, moment, rows, table, why
from adapter.cli.terminal.refused import draw_refused
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from adapter.insights.explain_record import RecordAtHospital, RecordExplanation
    from adapter.insights.explain_values import TracedResource, TracedValue
    from adapter.insights.refusals import RefusedResource

__all__ = ["register"]

_SHOWN = 20  # refusals of one record: as many as there are hospitals and mappings, seldom more


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("explain", help=say("cli.help_explain"))(explain)


def explain(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="[TYPE] KEY", help=say("explain.help_words"))],
    hospital: Annotated[str | None, typer.Option("--hospital", help=say("explain.help_hospital"))] = None,
    as_json: AsJson = False,
) -> None:
    """What was sent of a record, where, or why not; with a type, where each value came from."""
    from adapter.errors import UsageError

    if len(words) > 2:
        raise UsageError("explain.too_many", words=" ".join(words))
    if len(words) == 2:
        _resource(context, words[0], words[1], hospital, as_json)
    else:
        _record(context, words[0], hospital, as_json)


def _record(context: typer.Context, key: str, hospital: str | None, as_json: bool) -> None:
    from adapter.errors import UsageError

    if hospital is not None:
        raise UsageError("explain.hospital_without_type")
    with open_adapter(context) as adapter:
        shown = insights(adapter)
        found = shown.explain(key)
        waiting: Sequence[RefusedResource] = ()
        if not as_json and any(line.state == "parked" for one in found for line in one.hospitals):
            waiting = shown.refused(adapter.settings.hospitals, _SHOWN, key=key)
    if not found:
        raise UsageError("cli.no_record", key=key)
    emit(found, as_json, lambda out: _draw_explained(out, found, waiting))


def _resource(
    context: typer.Context, resource_type: str, key: str, hospital: str | None, as_json: bool
) -> None:
    from adapter.errors import UsageError

    with open_adapter(context) as adapter:
        found = insights(adapter).explain_values(resource_type, key, hospital)
    if not found:
        raise UsageError("explain.no_resource", type=resource_type)
    emit(_as_numbers(found) if as_json else found, as_json, lambda out: _draw_traced(out, found))


def _as_numbers(found: "Sequence[TracedResource]") -> list[dict[str, Any]]:
    """As JSON, with decimals as the numbers that are sent, digit by digit."""
    from dataclasses import asdict
    from decimal import Decimal

    from orjson import Fragment

    from adapter.fhir.codec import plain_decimal

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [plain(part) for part in value]
        return Fragment(plain_decimal(value)) if isinstance(value, Decimal) else value

    return [plain(asdict(one)) for one in found]


def _draw_explained(
    out: "Console", found: "Sequence[RecordExplanation]", waiting: "Sequence[RefusedResource]"
) -> None:
    for record in found:
        where = say(
            "cli.explain_where", source=record.source or "-", sheet=record.sheet or "-", row=record.row or "-"
        )
        gone = f"  ({say('cli.explain_deleted')})" if record.deleted else ""
        out.print(f"{say(f'cli.one_{record.kind}')} {record.key}  {where}{gone}")
        if record.merged_into:
            out.print(say("merge.explained", key=record.key, survivor=record.merged_into))
        headers = [say(f"cli.col_{word}") for word in ("hospital", "type", "state", "why", "remote", "at")]
        lines = (
            (
                line.hospital,
                line.type or "-",
                say(f"cli.at_{line.state}"),
                _why_there(line),
                line.remote_id or "-",
                moment(line.delivered_at),
            )
            for line in record.hospitals
        )
        out.print(rows(table(*headers), lines))
        _draw_past(out, record)
    draw_refused(out, waiting, values=True)


def _draw_past(out: "Console", record: "RecordExplanation") -> None:
    """What became of it, step by step, and the proofs that it is gone."""
    headers = [say(f"cli.col_{word}") for word in ("at", "hospital", "type")]
    if steps := [(line, step) for line in record.hospitals for step in line.history]:
        headers += [say("ledger.col_before"), say("ledger.col_after"), say("cli.col_why")]
        made = table(*headers, title=say("ledger.history"))
        cells = (
            (
                moment(step.at),
                line.hospital,
                line.type or "-",
                say(f"cli.at_{step.before}") if step.before else "-",
                say(f"cli.at_{step.after}"),
                why(step.reason) if step.reason else "-",
            )
            for line, step in steps
        )
        out.print(rows(made, cells))
    for one in record.receipts:
        out.print(
            say(
                "ledger.receipt",
                at=moment(one.proved_at),
                hospital=one.hospital,
                type=one.type,
                remote=one.remote_id or "-",
                how=say(f"ledger.how_{one.how}"),
            )
        )


def _why_there(line: "RecordAtHospital") -> str:
    words = why(line.reason) if line.reason else ""
    if words and line.detail:
        words = f"{words}: {line.detail}"
    known = [words or line.detail or "", say("explain.outdated") if line.is_outdated else ""]
    return "; ".join(filter(None, known)) or "-"


def _draw_traced(out: "Console", found: "Sequence[TracedResource]") -> None:
    for one in found:
        name = f" {one.name}" if one.name else ""
        state = say(f"cli.at_{one.state}")
        out.print(say("explain.title", type=one.type, name=name, hospital=one.hospital, state=state))
        where = say("explain.where", sheet=one.sheet or "-", row=one.row or "-")
        out.print(say("explain.made_from", kind=say(f"cli.one_{one.kind}"), key=one.key, where=where))
        if one.reason:
            out.print(say("explain.withheld", why=why(one.reason)))
        out.print(_lines(one.leaves, folded=out.is_terminal))
        if one.removed:
            out.print(say("explain.removed"))
            out.print(_lines(one.removed, folded=out.is_terminal))


def _lines(leaves: "Iterable[TracedValue]", *, folded: bool) -> "Table":
    """One line for each value: element, value, where from. On a terminal what one expression made says it
    once; elsewhere every line says all, so that it can be searched.
    """
    headers = [say(f"explain.col_{word}") for word in ("element", "value", "from")]
    made = table(*headers)
    before: object = None
    for leaf in leaves:
        place = (leaf.by, leaf.file, leaf.line, leaf.column, leaf.fields, leaf.tables)
        origin = ("\n" if folded else " · ").join(_origin(leaf))
        if folded and place == before:
            origin = say("explain.same")
        made.add_row(leaf.path.partition(".")[2], "" if leaf.value is None else str(leaf.value), origin)
        before = place
    return made


def _origin(leaf: "TracedValue") -> Iterable[str]:
    """Who decided; the line of the mapping and its expression; the cells; the rows of code tables."""
    if leaf.by != "mapping":
        yield say(f"explain.by_{leaf.by}")
    if leaf.file:
        yield f"{leaf.file}:{leaf.line}  {leaf.expression or say('explain.literal')}"
    cells: dict[tuple[str, str], list[str]] = {}
    places = {}
    for source in leaf.fields:
        cells.setdefault((source.kind, source.key), []).append(source.column or source.field)
        places[source.kind, source.key] = source
    for (kind, key), columns in cells.items():
        source, listed = places[kind, key], ", ".join(columns)
        if source.row is not None:
            yield say("explain.in_sheet", sheet=source.sheet or "-", row=source.row, columns=listed)
        else:
            known = say(f"cli.one_{kind}") if kind != "origin" else kind
            yield say("explain.of_record", kind=known, key=key, columns=listed)
    if leaf.tables:
        yield ", ".join(f"{one.file}:{one.line}" for one in leaf.tables)
