"""Workbooks and CSVs into the store, in one transaction: all of it, or nothing if it is killed.

A file is the full state of the kinds it holds: what is gone from it becomes a tombstone. A bad row
costs itself alone. Rows of T0 people, and rows that belong to them, are refused before anything else
is looked at: they are counted, never stored, shown or written anywhere.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import chain, groupby, islice
from pathlib import Path

from sqlalchemy import Connection, Engine

from adapter import audit
from adapter.database import write
from adapter.errors import ImportRefused
from adapter.records.changes import Changes
from adapter.records.checking import Checking, Sorted
from adapter.records.columns import REASON, Headers, find_header
from adapter.records.model import RECORD_TYPES
from adapter.records.outcome import ImportReport, Problem
from adapter.records.reading import Tab, open_tabs
from adapter.records.rejects import Rejects
from adapter.records.rows import Known, ParsedRow, RowReader
from adapter.records.tally import Tally
from adapter.texts import say

__all__ = ["run"]

Progress = Callable[[int, int], None]
_CHUNK = 1000
_HEADER_WITHIN = 10  # rows that are not empty


class _DryRun(Exception):
    pass


def run(
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
    progress: Progress | None = None,
    on_problem: Callable[[Problem], None] | None = None,
    on_scrub: Callable[[Connection, str], None] | None = None,
) -> ImportReport:
    """Import `files`: workbooks, CSV files or folders of CSVs, together one state of the kinds they hold.

    `max_deletions_percent` of a kind's live records may go; past it ImportRefused, unless
    `allow_deletions`. `partial`: what the files do not hold stays. `rejects`: where rows that were not
    imported go (its suffix becomes .xlsx, or none for CSV input); an older rejects file there is replaced,
    or removed when no row is rejected. `known_measures` None: any measure.
    `progress` is called with (bytes done, bytes in all); `on_problem` with every bad cell;
    `on_scrub`, within the import's transaction, with the key of each person who is T0.
    Raises ImportRefused, with nothing changed, when a file as a whole cannot be imported.
    """
    tally = Tally(on_problem)
    limit = None if allow_deletions else max_deletions_percent
    with ExitStack() as stack:
        tabs = open_tabs(files, stack, tally.warn)
        as_csv = all(tab.csv for tab in tabs)
        refused = Rejects(None if dry_run else rejects, files, as_csv=as_csv)
        stack.callback(refused.close)
        try:
            with write(store_engine) as connection:
                known = Known(known_hospitals, known_measures, now)
                work = _Import(
                    Changes(connection),
                    tabs,
                    known=known,
                    tally=tally,
                    rejects=refused,
                    progress=progress,
                    on_scrub=None if on_scrub is None else lambda key: on_scrub(connection, key),
                )
                refused.sweep()  # under the store's lock, as all that writes is
                work.run(partial=partial, limit=limit)
                refused.seal()
                _audit(connection, now, tally)
                _undo_if(dry_run)
        except _DryRun:
            return tally.report(None, work.partial, dry_run=True)
        if tally.scrubbed or on_scrub:
            _forget(store_engine)
        # After the commit: killed in between, the same import run again writes the same rejects.
        return tally.report(refused.keep(), work.partial, dry_run=False)


def _forget(engine: Engine) -> None:
    """Empty SQLite's write-ahead log, which still holds what a scrub has removed."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _audit(connection: Connection, now: datetime, tally: Tally) -> None:
    """That it was imported, and how much was refused and erased: counts alone."""
    report = tally.report(None, partial=False, dry_run=False)
    details = {
        "kinds": {kind: vars(counts) for kind, counts in report.kinds.items()},
        "refused_people": report.refused_people,
        "refused_rows": report.refused_rows,
        "scrubbed": report.scrubbed,
    }
    audit.record(connection, at=now, actor="import", action="import.done", details=details)


def _undo_if(dry_run: bool) -> None:
    if dry_run:
        raise _DryRun


class _Import:
    """One import under way."""

    def __init__(
        self,
        changes: Changes,
        tabs: list[Tab],
        *,
        known: Known,
        tally: Tally,
        rejects: Rejects,
        progress: Progress | None,
        on_scrub: Callable[[str], None] | None = None,
    ) -> None:
        self._changes = changes
        self._tabs = tabs
        self._known = known
        self._tally = tally
        self._rejects = rejects
        self._progress = progress
        self._on_scrub = on_scrub
        self._checking = Checking(changes, tally)
        self._total = sum(tab.size for tab in tabs)
        self._past = 0
        self.partial = any(tab.partial for tab in tabs)

    def run(self, *, partial: bool, limit: float | None) -> None:
        """Every kind in turn: its rows, then what is gone, so that children meet the new state."""
        self.partial = self.partial or partial
        for kind, tabs in groupby(self._tabs, key=lambda tab: tab.sheet.kind):
            before = self._changes.count(kind)
            deleted = 0
            readable = True
            rows = 0
            for tab in tabs:
                outcome = self._tab(tab)
                deleted += outcome.deleted
                readable = readable and outcome.keys_readable
                rows += outcome.rows
            if kind == "cadre":
                deleted += self._scrub()
            if rows and not readable and not self.partial:
                self._tally.warn("import.keys_unreadable", kind=say(f"import.kind_{kind}"))
            elif rows and not self.partial:
                deleted += self._gone(kind)
            elif before and not self.partial:
                self._tally.warn("import.empty_sheet", kind=say(f"import.kind_{kind}"))
            if limit is not None and deleted * 100 > before * limit:
                raise ImportRefused(
                    "import.too_many_deletions",
                    kind=say(f"import.kind_{kind}"),
                    deleted=deleted,
                    live=before,
                    limit=f"{limit:g}",
                )
        self._changes.close()

    def _tab(self, tab: Tab) -> Sorted:
        rows = tab.rows()
        total = Sorted()
        top = list(islice(rows, _HEADER_WITHIN))
        if not top:
            return total
        place = find_header(tab.sheet, [cells for _, cells in top])
        line, header = top[place]
        headers = Headers(tab.sheet, header, source=tab.source, number=line)
        self.partial = self.partial or REASON.field in headers.places
        for title in headers.unknown:
            self._tally.warn("import.unknown_column", sheet=tab.title, header=title)
        reader = RowReader(tab.sheet, headers, self._known)
        parsed = (reader.read(number, cells) for number, cells in chain(top[place + 1 :], rows))
        while chunk := list(islice(parsed, _CHUNK)):
            total = total.plus(self._chunk(tab, header, reader, chunk))
            if self._progress:
                self._progress(min(self._past + tab.done, self._total), self._total)
        self._past += tab.size
        return total

    def _chunk(self, tab: Tab, header: list[object], reader: RowReader, chunk: list[ParsedRow]) -> Sorted:
        found = self._checking.sort(tab, reader, chunk)
        kind = tab.sheet.kind
        self._tally.rows += len(chunk)
        if found.good:
            type_ = RECORD_TYPES[kind]
            records = [(type_(**row.fields), row.number) for row in found.good]
            created, changed = self._changes.upsert(records, tab.source, tab.title, self._known.now)
            self._tally.add(
                kind, created=created, changed=changed, unchanged=len(records) - created - changed
            )
        if found.marked:
            found.deleted = self._bury(kind, [row.key for row in found.marked if row.key])
        for row, reason in found.bad:
            self._rejects.add(tab, header, row.cells, reason)
        found.forget()
        return found

    def _gone(self, kind: str) -> int:
        return sum(self._bury(kind, keys) for keys in self._changes.gone(kind))

    def _bury(self, kind: str, keys: list[str]) -> int:
        counts = self._changes.tombstone(kind, keys)
        for name, count in counts.items():
            self._tally.add(name, deleted=count)
        return counts.get(kind, 0)

    def _scrub(self) -> int:
        """People who are T0 now leave the store with everything it holds of them; how many were live."""
        refused = self._checking.refused_cadres
        live = len(self._changes.live("cadre", refused)) if refused else 0
        for key in refused:
            self._tally.scrubbed += self._changes.scrub(key)
            if self._on_scrub is not None:
                self._on_scrub(key)
        return live
