"""Records come in: from workbooks, CSVs, databases and check-up forms."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

from adapter.errors import UsageError
from adapter.ledger.erasure import forget_bodies
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.access_audit import audit_look
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.dropped_files import forget_dropped
from adapter.pipeline.inbound.erasure import erase_everywhere
from adapter.pipeline.layout_context import layout_context
from adapter.records.importing.identity_checks import AllowedChanges
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Record
from adapter.records.plausible.ranges import PlausibleRanges, load_ranges
from adapter.records.sheets.key_space import key_space_of
from adapter.records.sources.open_tabs import InputOptions

__all__ = [
    "AllowedChanges",
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
    """Import files together as one state of the kinds they hold, and of the people of `list_name`: another
    centre's, with keys of its own. With `dry_run` nothing is stored, and the report says what would be. Of
    `admitted` (keys) a person says that they are T0 no more. Nothing undoes it at once: `UndoImport` does, by
    its number in the list of imports.
    """

    name: ClassVar[str] = "records.import"
    audited_as: ClassVar[tuple[str, ...]] = ("import.done",)
    files: tuple[Path, ...]
    dry_run: bool = False
    partial: bool = False
    allow_deletions: bool = False
    full: bool = False
    rejects: Path | None = None
    allowed: AllowedChanges = field(default_factory=AllowedChanges)
    list_name: str | None = None
    admitted: tuple[str, ...] = ()

    def look(self, context: OperationContext) -> ImportState:
        """What the import would begin from; a dry run says what it would do."""
        files = tuple((str(path), _digest(path)) for path in self._paths(context))
        return ImportState(context.adapter.records.newest_position(), files)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ImportReport:
        """Import. Raises ImportRefused or SourceError, with nothing changed, for a file as a whole."""
        key_space = key_space_of(self.list_name)
        if key_space is None:
            raise UsageError("imports.no_list_name", name=self.list_name)
        unchanged()
        inputs = _inputs(context.adapter, full=self.full)
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
            known_measures=_measures(inputs),
            now=context.clock(),
            progress=_counted(context),
            inputs=inputs,
            allowed=self.allowed,
            by=context.by,
            key_space=key_space,
            admitted=self.admitted,
            **_erasing(context.adapter, context.clock()),
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
        inputs=_inputs(adapter),
        by=f"source:{name}",
        **_erasing(adapter, now),
        plausible=_plausible(adapter),
    )


def check_source(context: OperationContext, path: Path, on_record: Callable[[Record], None]) -> ImportReport:
    """Read a source whole and store nothing; `on_record` is called with every record. Audited: some of it
    will be shown.
    """
    audit_look(context.adapter, "source.read", {}, by=context.by, now=context.clock())
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
        identities=lambda: context.adapter.identities,
        allowed=AllowedChanges(people=True, former=True, moves=True, clearing=True),  # nothing is written
        plausible=_plausible(context.adapter),
    )


def source_file(adapter: Adapter, path: Path) -> Path:
    """The file of a source of the settings, if the path is such a name and no file; else the path."""
    settings = adapter.settings
    if path.exists() or str(path) not in settings.sources:
        return path
    return settings.folder / settings.sources[str(path)].file


def _erasing(adapter: Adapter, now: datetime) -> dict[str, Any]:
    """What an import needs to take a person out of all stores, and to know this one again."""
    erase = partial(
        erase_everywhere,
        now=now,
        audit_subject=adapter.audit_subject,
        forget_files=partial(forget_dropped, adapter.settings),
    )
    return {"on_scrub": erase, "on_clear": forget_bodies, "identities": lambda: adapter.identities}


def _inputs(adapter: Adapter, *, full: bool = False) -> InputOptions:
    """How sources are read: the province's own form, if its mappings folder has one, and what sheets mean."""
    form = adapter.settings.mappings_folder / "sources" / "checkup.yaml"
    return InputOptions(
        full=full, form=form if form.is_file() else None, layouts=layout_context(adapter.settings)
    )


def _measures(inputs: InputOptions) -> frozenset[str] | None:
    """The codes of the centre's table: another one is kept, and said."""
    return frozenset(inputs.layouts.measures.measures) or None


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
