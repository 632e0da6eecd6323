"""`adapter source check`, `adapter source list`: what records come from besides workbooks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.context import AsJson, insights, open_adapter, operating
from adapter.cli.terminal.output import emit, errors, moment, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from adapter.insights.source_list import SourceState
    from adapter.operations.import_records import ImportReport, Record

__all__ = ["register"]

_SHOWN = 5  # records of each kind


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    group = CommandLine(help=say("source.help_group"), no_args_is_help=True)
    group.command("check", help=say("source.help_check"))(source_check)
    group.command("list", help=say("source.help_list"))(source_list)
    app.add_typer(group, name="source")


class _Samples:
    """The first records of each kind, and of how many."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Record]] = {}
        self.counts: dict[str, int] = {}

    def __call__(self, record: "Record") -> None:
        self.counts[record.kind] = self.counts.get(record.kind, 0) + 1
        kept = self.kept.setdefault(record.kind, [])
        if len(kept) < _SHOWN:
            kept.append(record)


def source_check(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="NAME|FILE", help=say("source.help_name"))],
    as_json: AsJson = False,
) -> None:
    """Import without storing, and show what came."""
    from adapter.errors import UsageError
    from adapter.operations.import_records import check_source, source_file

    samples = _Samples()
    with open_adapter(context) as adapter, progress(quiet=as_json) as callback:
        path = source_file(adapter, Path(source))
        if not path.exists():
            known = ", ".join(sorted(adapter.settings.sources)) or "-"
            raise UsageError("source.no_source", name=source, known=known)
        report = check_source(operating(adapter, callback), path, samples)
        resources = insights(adapter).as_resources(samples.kept)
    facts = {
        "rows": {
            kind: samples.counts.get(kind, 0) + counts.rejected for kind, counts in report.kinds.items()
        },
        "records": samples.kept,
        "resources": resources,
        "report": report.as_json(),
    }
    emit(facts, as_json, lambda out: _draw_check(out, report, samples, resources))
    raise typer.Exit(1 if report.rejected else 0)


def _draw_check(
    out: "Console",
    report: "ImportReport",
    samples: _Samples,
    resources: "Mapping[str, Sequence[Mapping[str, Any] | str]]",
) -> None:
    from adapter.fhir.codec import dumps

    for line in (*map(str, report.groups), *map(str, report.conversions), *report.warnings):
        errors().print(line)
    for kind, counts in report.kinds.items():
        rejected = counts.rejected
        count = samples.counts.get(kind, 0) + rejected
        out.print(say("source.check_rows", kind=say(f"cli.kind_{kind}"), count=count, rejected=rejected))
        for record in samples.kept.get(kind, ()):
            out.print(f"  {record.model_dump_json(exclude_none=True)}")
        for resource in resources.get(kind, ()):
            out.print(f"  → {resource if isinstance(resource, str) else dumps(resource).decode()}")
    if report.refused_people:
        out.print(say("cli.import_t0", people=report.refused_people, count=report.refused_rows))
    out.print(say("source.check_good"))


def source_list(context: typer.Context, as_json: AsJson = False) -> None:
    """A line for each source and kind."""
    with open_adapter(context) as adapter:
        lines = insights(adapter).sources()
    emit(lines, as_json, lambda out: _draw_list(out, lines))


def _draw_list(out: "Console", lines: "Sequence[SourceState]") -> None:
    if not lines:
        out.print(say("source.none"))
        return
    words = ("source", "schedule")
    headers = [say(f"source.col_{word}") for word in words]
    headers += [
        say("cli.col_kind"),
        *(say(f"source.col_{word}") for word in ("read", "rows", "whole", "upto")),
    ]
    cells = (
        (
            line.name,
            line.schedule,
            say(f"cli.kind_{line.kind}") if line.kind else "-",
            moment(line.read_at) if line.read_at else say("source.never"),
            "-" if line.rows is None else line.rows,
            "-" if line.whole is None else say("source.whole" if line.whole else "source.changes"),
            "-" if line.changes_up_to is None else str(line.changes_up_to),
        )
        for line in lines
    )
    out.print(rows(table(*headers, numbers=(4,)), cells))
