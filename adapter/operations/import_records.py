"""Records come in: from workbooks, CSVs, databases and check-up forms."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar

from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import erase_received
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Record
from adapter.records.plausible.ranges import PlausibleRanges, load_ranges
from adapter.records.sources.open_tabs import InputOptions

__all__ = [
    "ImportRecords",
    "ImportReport",
    "ImportState",
    "Record",
    "check_source",
    "import_source",
    "source_file",
]


@dataclass(frozen=True, slots=True)
class ImportState:
    """What an import begins from: how far the change feed got, and what the files are now (digests)."""

    position: int
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ImportRecords(Operation[ImportState, ImportReport]):
    """Import files together as one state of the kinds they hold. With `dry_run` nothing is stored, and the
    report says what would be. Nothing undoes it yet.
    """

    name: ClassVar[str] = "records.import"
    audited_as: ClassVar[tuple[str, ...]] = ("import.done",)
    files: tuple[Path, ...]
    dry_run: bool = False
    partial: bool = False
    allow_deletions: bool = False
    full: bool = False
    rejects: Path | None = None

    def look(self, context: OperationContext) -> ImportState:
        """What the import would begin from; a dry run says what it would do."""
        files = tuple((str(path), _digest(path)) for path in self._paths(context))
        return ImportState(context.adapter.records.newest_position(), files)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ImportReport:
        """Import. Raises ImportRefused or SourceError, with nothing changed, for a file as a whole."""
        unchanged()
        settings, paths = context.adapter.settings, self._paths(context)
        return run_import(
            context.adapter.engine,
            paths,
            dry_run=self.dry_run,
            partial=self.partial,
            allow_deletions=self.allow_deletions,
            max_deletions_percent=settings.max_deletions_percent,
            rejects=self.rejects or _rejects_file(paths[0]),
            known_hospitals=frozenset(settings.hospitals),
            known_measures=None,
            now=context.clock(),
            progress=_counted(context),
            on_scrub=erase_received,
            inputs=_inputs(context.adapter, full=self.full),
            plausible=_plausible(context.adapter),
        )

    def _paths(self, context: OperationContext) -> list[Path]:
        return [source_file(context.adapter, path) for path in self.files]


def import_source(adapter: Adapter, name: str, now: datetime) -> ImportReport:
    """Import a source of the settings; its rejects go into the data folder."""
    settings = adapter.settings
    return run_import(
        adapter.engine,
        [settings.folder / settings.sources[name].file],
        max_deletions_percent=settings.max_deletions_percent,
        rejects=settings.data_folder / f"{name}.rejects",
        known_hospitals=frozenset(settings.hospitals),
        now=now,
        on_scrub=erase_received,
        inputs=_inputs(adapter),
        plausible=_plausible(adapter),
    )


def check_source(context: OperationContext, path: Path, on_record: Callable[[Record], None]) -> ImportReport:
    """Read a source whole and store nothing; `on_record` is called with every record."""
    return run_import(
        context.adapter.engine,
        [path],
        dry_run=True,
        allow_deletions=True,
        max_deletions_percent=100,
        known_hospitals=frozenset(context.adapter.settings.hospitals),
        now=context.clock(),
        progress=_counted(context),
        on_record=on_record,
        inputs=_inputs(context.adapter, full=True),
        plausible=_plausible(context.adapter),
    )


def source_file(adapter: Adapter, path: Path) -> Path:
    """The file of a source of the settings, if the path is such a name and no file; else the path."""
    settings = adapter.settings
    if path.exists() or str(path) not in settings.sources:
        return path
    return settings.folder / settings.sources[str(path)].file


def _inputs(adapter: Adapter, *, full: bool = False) -> InputOptions:
    """How sources are read: the province's own form, if its mappings folder has one."""
    form = adapter.settings.mappings_folder / "sources" / "checkup.yaml"
    return InputOptions(full=full, form=form if form.is_file() else None)


def _plausible(adapter: Adapter) -> PlausibleRanges:
    """What the centre's table says can be; without one only dates are looked at."""
    return load_ranges(adapter.settings.mappings_folder / "codes")


def _counted(context: OperationContext) -> Callable[[int, int], None]:
    return lambda done, total: context.progress("import", None, done, total)


def _rejects_file(first: Path) -> Path:
    """Beside the first file: `year.xlsx` is rejected into `year.rejects.xlsx`."""
    stem = first.with_suffix("") if first.is_file() else first
    return stem.with_name(f"{stem.name}.rejects{first.suffix if first.is_file() else ''}")


def _digest(path: Path) -> str:
    """Of a file's content, or of all files in a folder; empty where there is nothing. Of a source file it is
    the file's, not its database's.
    """
    if path.is_dir():
        listed = [(one.name, _digest(one)) for one in sorted(path.iterdir()) if one.is_file()]
        return blake2b(repr(listed).encode(), digest_size=12).hexdigest()
    return blake2b(path.read_bytes(), digest_size=12).hexdigest() if path.is_file() else ""
