"""`adapter source check`, `adapter source list`: what records come from besides workbooks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.context import AsJson, now, opened
from adapter.cli.terminal.output import emit, errors, moment, rows, table
from adapter.cli.terminal.progress import progress
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.pipeline.application import Adapter
    from adapter.records.importing.import_report import ImportReport
    from adapter.records.model import Record
    from adapter.records.sources.open_tabs import InputOptions
    from adapter.settings import Settings

__all__ = ["inputs", "read_source", "register", "resolved"]

_SHOWN = 5  # records of each kind


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    group = typer.Typer(help=say("source.help_group"), no_args_is_help=True)
    group.command("check", help=say("source.help_check"))(source_check)
    group.command("list", help=say("source.help_list"))(source_list)
    app.add_typer(group, name="source")


def resolved(settings: "Settings", path: Path) -> Path:
    """The file of a source of the settings, if the path is such a name and no file; else the path."""
    if path.exists() or str(path) not in settings.sources:
        return path
    return settings.folder / settings.sources[str(path)].file


def inputs(settings: "Settings", *, full: bool = False) -> "InputOptions":
    """How sources are read: the province's own form, if its mappings folder has one."""
    from adapter.records.sources.open_tabs import InputOptions

    form = settings.mappings_folder / "sources" / "checkup.yaml"
    return InputOptions(full=full, form=form if form.is_file() else None)


def read_source(adapter: "Adapter", name: str) -> "ImportReport":
    """Import a source of the settings; its rejects go into the data folder."""
    from adapter.pipeline.inbound.inbox import erase_received
    from adapter.records.importing import importer

    settings = adapter.settings
    return importer.run_import(
        adapter.engine,
        [settings.folder / settings.sources[name].file],
        max_deletions_percent=settings.max_deletions_percent,
        rejects=settings.data_folder / f"{name}.rejects",
        known_hospitals=frozenset(settings.hospitals),
        now=now(),
        on_scrub=erase_received,
        inputs=inputs(settings),
    )


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
    from adapter.records.importing import importer

    samples = _Samples()
    with opened(context) as adapter, progress(quiet=as_json) as callback:
        path = resolved(adapter.settings, Path(source))
        if not path.exists():
            known = ", ".join(sorted(adapter.settings.sources)) or "-"
            raise UsageError("source.no_source", name=source, known=known)
        report = importer.run_import(
            adapter.engine,
            [path],
            dry_run=True,
            allow_deletions=True,
            max_deletions_percent=100,
            known_hospitals=frozenset(adapter.settings.hospitals),
            now=now(),
            progress=_counted(callback),
            on_record=samples,
            inputs=inputs(adapter.settings, full=True),
        )
        resources = _preview(adapter, samples)
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


def _preview(adapter: "Adapter", samples: _Samples) -> dict[str, list[Any]]:
    """The samples as FHIR resources, as the first hospital would see them before any policy."""
    from adapter.errors import MappingError

    if not adapter.settings.hospitals:
        return {}
    outlet = adapter.destination(next(iter(adapter.settings.hospitals)))
    found: dict[str, list[Any]] = {}
    for kind, records in samples.kept.items():
        for record in records:
            try:
                found.setdefault(kind, []).extend(one.resource for one in outlet.engine.map(record))
            except MappingError as error:
                found.setdefault(kind, []).append(say("source.check_problem", problem=str(error)))
    return found


def _counted(callback: Callable[[str, str | None, int, int], None]) -> Callable[[int, int], None]:
    return lambda done, total: callback("import", None, done, total)


def _draw_check(
    out: "Console", report: "ImportReport", samples: _Samples, resources: dict[str, list[Any]]
) -> None:
    from adapter.fhir.codec import dumps

    for line in (*map(str, report.problems), *report.warnings):
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


@dataclass(frozen=True)
class _Listed:
    """A line of `source list`: a source, and one of its queries as far as it was read."""

    name: str
    file: str
    schedule: str
    kind: str | None = None
    read_at: Any = None
    rows: int | None = None
    whole: bool | None = None
    changes_up_to: Any = None


def source_list(context: typer.Context, as_json: AsJson = False) -> None:
    """A line for each source and kind."""
    with opened(context) as adapter:
        lines = _listed(adapter)
    emit(lines, as_json, lambda out: _draw_list(out, lines))


def _listed(adapter: "Adapter") -> list[_Listed]:
    from adapter.database import read_transaction
    from adapter.records.sources.sql import source_cursor
    from adapter.records.sources.sql.source_file import load_source

    lines = []
    for name, source in adapter.settings.sources.items():
        about = (name, str(source.file), source.schedule)
        path = adapter.settings.folder / source.file
        read_from = {}
        if path.suffix.lower() in (".yaml", ".yml"):
            with read_transaction(adapter.engine) as connection:
                read_from = source_cursor.load_cursors(connection, load_source(path).source)
        lines += [
            _Listed(*about, one.kind, one.read_at, one.rows, one.whole, one.value)
            for one in read_from.values()
        ] or [_Listed(*about)]
    return lines


def _draw_list(out: "Console", lines: list[_Listed]) -> None:
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
