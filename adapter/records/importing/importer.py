"""Workbooks, CSVs, databases and check-up forms into the store: in one transaction, all of it or nothing.

A file is the full state of the kinds it holds: what is gone from it becomes a tombstone. A bad row
costs itself alone. Rows of T0 people, and rows that belong to them, are refused before anything else
is looked at: they are counted, never stored, shown or written anywhere.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import wraps
from itertools import chain, groupby, islice
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.errors import ImportRefused, SourceDisconnected, SourceReplaced
from adapter.records.importing.import_report import CellProblem, ImportReport
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.rejects_file import RejectsFile
from adapter.records.importing.report_builder import ImportReportBuilder
from adapter.records.importing.row_checks import CheckedRows, RowChecker
from adapter.records.importing.row_reader import ImportContext, ParsedRow, RowReader
from adapter.records.model import RECORD_TYPES, Record
from adapter.records.sheets.columns import REASON_COLUMN, HeaderRow, find_header_row
from adapter.records.sheets.tab import Tab, TabSource
from adapter.records.sheets.words import NO_WORDS
from adapter.records.sources.open_tabs import InputOptions, open_tabs
from adapter.texts import say

__all__ = ["run_import"]

P = ParamSpec("P")
R = TypeVar("R")
ImportProgress = Callable[[int, int], None]
_CHUNK = 1000
_HEADER_WITHIN = 10  # rows that are not empty


class _DryRun(Exception):
    pass


def _or_whole(work: Callable[P, R]) -> Callable[P, R]:
    """Where what was read of changes is not enough (a new person has a past), all is read."""

    @wraps(work)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except SourceReplaced:
            inputs = kwargs.get("inputs") or InputOptions()
            kwargs["inputs"] = replace(cast(InputOptions, inputs), full=True)
            return work(*args, **kwargs)

    return again


# A connection that breaks half way has changed nothing here: all is read again.
@_or_whole
@retry(
    retry=retry_if_exception_type(SourceDisconnected),
    wait=wait_exponential(multiplier=0.5, max=8),
    stop=stop_after_attempt(4),
    reraise=True,
)
def run_import(
    store_engine: Engine,
    files: Sequence[Path],
    *,
    max_deletions_percent: float,
    known_hospitals: frozenset[str],
    now: datetime,
    known_measures: frozenset[str] | None = None,
    dry_run: bool = False,
    partial: bool = False,
    allow_deletions: bool = False,
    rejects: Path | None = None,
    progress: ImportProgress | None = None,
    on_problem: Callable[[CellProblem], None] | None = None,
    on_scrub: Callable[[Connection, str], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
    inputs: InputOptions | None = None,
) -> ImportReport:
    """Import `files`: workbooks, CSV files or folders of CSVs, together one state of the kinds they hold;
    databases (YAML, see `sql`) and check-up forms (XML, see `checkup`), read as `inputs` says.

    `max_deletions_percent` of a kind's live records may go; past it ImportRefused, unless
    `allow_deletions`. `partial`: what the files do not hold stays. `rejects`: where rows that were not
    imported go (its suffix becomes .xlsx, or none for CSV input); an older rejects file there is replaced,
    or removed when no row is rejected. `known_measures` None: any measure.
    `progress` is called with (bytes done, bytes in all); `on_problem` with every bad cell;
    `on_scrub`, within the import's transaction, with the key of each person who is T0;
    `on_record` with every record that the files hold.
    Raises ImportRefused or SourceError, with nothing changed, when a file as a whole cannot be imported.
    """
    tally = ImportReportBuilder(on_problem)
    limit = None if allow_deletions else max_deletions_percent
    with ExitStack() as stack:
        tabs = open_tabs(files, stack, tally.warn, inputs or InputOptions())
        as_csv = all(tab.csv for tab in tabs)
        refused = RejectsFile(None if dry_run else rejects, files, as_csv=as_csv)
        stack.callback(refused.close)
        origins = _origins(tabs)
        _gather(store_engine, origins, lambda: progress(0, len(tabs)) if progress else None)
        try:
            with write_transaction(store_engine) as connection:
                words = inputs.layouts.words if inputs else NO_WORDS
                known = ImportContext(known_hospitals, known_measures, now, words)
                work = _Import(
                    ImportWriter(connection),
                    tabs,
                    known=known,
                    tally=tally,
                    rejects=refused,
                    progress=progress,
                    on_scrub=None if on_scrub is None else lambda key: on_scrub(connection, key),
                    on_record=on_record,
                )
                refused.remove_leftovers()  # under the store's lock, as all that writes is
                for origin in origins:
                    origin.begin(connection, now)
                work.run(partial=partial, limit=limit)
                for origin in origins:
                    origin.finish()
                refused.seal()
                _audit(connection, now, tally)
                _undo_if(dry_run)
        except _DryRun:
            return tally.report(None, work.partial, dry_run=True)
        if tally.scrubbed or on_scrub:
            _forget(store_engine)
        # After the commit: killed in between, the same import run again writes the same rejects.
        return tally.report(refused.move_into_place(), work.partial, dry_run=False)


def _origins(tabs: list[Tab]) -> list[TabSource]:
    return list({id(tab.origin): tab.origin for tab in tabs if tab.origin is not None}.values())


def _gather(engine: Engine, origins: list[TabSource], on_page: Callable[[], None]) -> None:
    """Read what is far away while nobody waits: no transaction of the store is open meanwhile."""
    with read_transaction(engine) as connection:
        gathering = [origin.prefetch(connection) for origin in origins]
    for gather in gathering:
        if gather is not None:
            gather(on_page)


def _forget(engine: Engine) -> None:
    """Empty SQLite's write-ahead log, which still holds what a scrub has removed."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _audit(connection: Connection, now: datetime, tally: ImportReportBuilder) -> None:
    """That it was imported, and how much was refused and erased: counts alone."""
    report = tally.report(None, partial=False, dry_run=False)
    details = {
        "kinds": {kind: vars(counts) for kind, counts in report.kinds.items()},
        "refused_people": report.refused_people,
        "refused_rows": report.refused_rows,
        "scrubbed": report.scrubbed,
    }
    audit.append(connection, at=now, actor="import", action="import.done", details=details)


def _undo_if(dry_run: bool) -> None:
    if dry_run:
        raise _DryRun


class _Import:
    """One import under way."""

    def __init__(
        self,
        changes: ImportWriter,
        tabs: list[Tab],
        *,
        known: ImportContext,
        tally: ImportReportBuilder,
        rejects: RejectsFile,
        progress: ImportProgress | None,
        on_scrub: Callable[[str], None] | None = None,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        self._changes = changes
        self._tabs = tabs
        self._known = known
        self._tally = tally
        self._rejects = rejects
        self._progress = progress
        self._on_scrub = on_scrub
        self._on_record = on_record
        self._checking = RowChecker(changes, tally)
        self._total = sum(tab.size for tab in tabs)
        self._past = 0
        self._keeps = False
        self.partial = any(tab.partial for tab in tabs if tab.origin is None)

    def run(self, *, partial: bool, limit: float | None) -> None:
        """Every kind in turn: its rows, then what is gone, so that children meet the new state."""
        self.partial = self.partial or partial
        self._keeps = partial
        for kind, tabs in groupby(self._tabs, key=lambda tab: tab.sheet.kind):
            before = self._changes.count(kind)
            deleted = 0
            whole: dict[str | None, CheckedRows] = {}  # by what may be missing: a source's records, or all
            for tab in tabs:
                outcome = self._tab(tab)
                deleted += outcome.deleted + self._said(tab, outcome)
                if not (self.partial if tab.origin is None else partial or tab.partial):
                    whose = tab.source if tab.origin else None
                    whole[whose] = whole.get(whose, CheckedRows()).plus(outcome)
            if kind == "cadre":
                deleted += self._scrub()
            deleted += sum(self._missing(kind, whose, found, before) for whose, found in whole.items())
            if limit is not None and deleted * 100 > before * limit:
                raise ImportRefused(
                    "import.too_many_deletions",
                    kind=say(f"import.kind_{kind}"),
                    deleted=deleted,
                    live=before,
                    limit=f"{limit:g}",
                )
        self._changes.close()

    def _said(self, tab: Tab, outcome: CheckedRows) -> int:
        """Tombstones of the keys that the tab's origin says are gone, or does not list any more."""
        if tab.origin is None:
            return 0
        deleted = sum(self._bury(tab.sheet.kind, keys) for keys in self._gone(tab, tab.origin))
        present = tab.origin.existing_keys(tab)
        if present is None or self._keeps:
            return deleted
        listed = CheckedRows()
        for page in present:
            keys = [key for key in page if key is not None]
            stored = self._changes.live_owners(tab.sheet.kind, keys).keys()
            new = sorted(stored - self._changes.seen_rows(tab.sheet.kind, sorted(stored)).keys())
            self._changes.mark_seen(tab.sheet.kind, tab.title, [(key, 0) for key in new])
            listed = listed.plus(CheckedRows(rows=len(page), keys_readable=len(keys) == len(page)))
        listed.keys_readable = listed.keys_readable and outcome.keys_readable
        return deleted + self._missing(tab.sheet.kind, tab.source, listed, 1)

    def _gone(self, tab: Tab, origin: TabSource) -> Iterator[list[str]]:
        for keys in origin.deleted_keys(tab):
            seen = self._changes.seen_rows(tab.sheet.kind, keys) if origin.spares_seen else {}
            yield [key for key in keys if key not in seen]

    def _missing(self, kind: str, whose: str | None, read: CheckedRows, before: int) -> int:
        """Tombstones of what was not met any more, unless too little was read to say so."""
        if read.rows and read.keys_readable:
            return sum(self._bury(kind, keys) for keys in self._changes.unseen_keys(kind, whose))
        if read.rows or before:
            problem = "import.keys_unreadable" if read.rows else "import.empty_sheet"
            self._tally.warn(problem, kind=say(f"import.kind_{kind}"))
        return 0

    def _tab(self, tab: Tab) -> CheckedRows:
        rows = tab.rows()
        total = CheckedRows()
        top = list(islice(rows, _HEADER_WITHIN))
        if not top:
            return total
        place = find_header_row(tab.sheet, [cells for _, cells in top])
        line, header = top[place]
        headers = HeaderRow(tab.sheet, header, source=tab.source, number=line)
        self.partial = self.partial or REASON_COLUMN.field in headers.places
        for title in headers.unknown:
            self._tally.warn("import.unknown_column", sheet=tab.title, header=title)
        reader = RowReader(tab.sheet, headers, self._known, len(header) if tab.csv else None)
        parsed = (reader.read(number, cells) for number, cells in chain(top[place + 1 :], rows))
        while chunk := list(islice(parsed, _CHUNK)):
            total = total.plus(self._chunk(tab, header, reader, chunk))
            if self._progress:
                self._progress(min(self._past + tab.done, self._total), self._total)
        self._past += tab.size
        return total

    def _chunk(
        self, tab: Tab, header: list[object], reader: RowReader, chunk: list[ParsedRow]
    ) -> CheckedRows:
        found = self._checking.check_chunk(tab, reader, chunk)
        kind = tab.sheet.kind
        self._tally.rows += len(chunk)
        if found.good:
            type_ = RECORD_TYPES[kind]
            records = [(type_(**row.fields), row.number) for row in found.good]
            for record, _ in records if self._on_record else ():
                self._on_record(record)  # type: ignore[misc] # looked at just now
            created, changed = self._changes.upsert(records, tab.source, tab.title, self._known.now)
            self._tally.add(
                kind, created=created, changed=changed, unchanged=len(records) - created - changed
            )
        if found.marked:
            found.deleted = self._bury(kind, [row.key for row in found.marked if row.key])
        for row, reason in found.bad:
            self._rejects.add(tab, header, row.cells, reason)
        if tab.origin is not None:
            tab.origin.note_rejected(tab, [row.number for row, _ in found.bad])
        found.drop_rows()
        return found

    def _bury(self, kind: str, keys: list[str]) -> int:
        counts = self._changes.tombstone(kind, keys)
        for name, count in counts.items():
            self._tally.add(name, deleted=count)
        return counts.get(kind, 0)

    def _scrub(self) -> int:
        """People who are T0 now leave the store with everything it holds of them; how many were live."""
        refused = self._checking.refused_cadres
        refused |= self._changes.same_people(refused)  # whoever is the same person is T0 too
        live = len(self._changes.live_owners("cadre", refused)) if refused else 0
        for key in refused:
            self._tally.scrubbed += self._changes.scrub(key)
            if self._on_scrub is not None:
                self._on_scrub(key)
        return live
