"""A database as tabs of rows: what changed since the last reading, what is gone, and where reading stands."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from adapter.errors import SourceError, SourceReplaced
from adapter.records.sheets import cell_parsers
from adapter.records.sheets.cell_parsers import VIETNAM_OFFSET, CellError, CellValue
from adapter.records.sheets.columns import KEY_FIELD, Sheet, find_column
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.tab import Tab, TabSource
from adapter.records.sources.sql import source_cursor as cursors
from adapter.records.sources.sql.database import SourceDatabase, open_source_database
from adapter.records.sources.sql.driver_values import cell_reader, is_zero_day
from adapter.records.sources.sql.source_cursor import ChangeValue, SourceCursor
from adapter.records.sources.sql.source_file import SourceQuery, SqlSource, load_source
from adapter.records.sources.sql.spool import Spool

__all__ = ["source_tabs"]

_SHEETS = {sheet.kind: sheet for sheet in SHEETS}


@dataclass
class _Reading:
    """One query as it is read: the newest change met, and the oldest of a row that was rejected."""

    query: SourceQuery
    after: ChangeValue | None = None  # from where it is read; None: everything
    whole: bool = True
    header: list[str] = field(default_factory=list)
    spooled: Spool | None = None  # of (change, cells)
    deleted: Spool | None = None  # of keys
    keys: Spool | None = None
    rows: int = 0
    refused: int = 0
    newest: ChangeValue | None = None
    oldest_rejected: ChangeValue | None = None
    waiting: dict[int, ChangeValue | None] = field(default_factory=dict)  # rows that are not yet settled


def source_tabs(path: Path, *, full: bool) -> list[Tab]:
    """The tabs of a source file, one for each query. Raises SourceError when the file is wrong."""
    source = load_source(path)
    origin = _SqlOrigin(source, full=full)
    return [
        Tab(
            source.source,
            kind,
            _SHEETS[kind],
            False,
            1,
            True,
            origin.read,
            origin=origin,
            peek=partial(origin.peek, kind),
        )
        for kind in source.kinds
    ]


class _SqlOrigin(TabSource):
    def __init__(self, source: SqlSource, *, full: bool) -> None:
        self._source = source
        self._full = full
        self._readings = {kind: _Reading(query) for kind, query in source.queries.items()}
        self._zone = VIETNAM_OFFSET if source.time_zone == "Asia/Ho_Chi_Minh" else source.zone
        self._cursors: dict[tuple[str, str], SourceCursor] = {}
        self._people = ""

    # before the transaction ----------------------------------------------------------------------

    def prefetch(self, connection: Connection) -> Callable[[Callable[[], None]], None]:
        """Reads all that there is to read. The database may be slow, and nobody is to wait for it."""
        self._cursors = cursors.load_cursors(connection, self._source.source)
        self._people = cursors.people_digest(connection)
        for kind, reading in self._readings.items():
            reading.after = self._after(kind, reading.query)
            reading.whole = reading.after is None
        return self._read_all

    def _read_all(self, told: Callable[[], None]) -> None:
        with open_source_database(self._source) as database:
            for kind in self._source.kinds:
                self._read_kind(database, kind, told)

    def _read_kind(self, database: SourceDatabase, kind: str, told: Callable[[], None]) -> None:
        reading, sheet = self._readings[kind], _SHEETS[kind]
        names, rows = database.rows(kind, reading.query.query, reading.query.changed, reading.after)
        place = self._change_place(kind, names, reading.query.changed)
        columns = [find_column(sheet, name) for name in names]
        kept = [at for at, column in enumerate(columns) if at != place or column is not None]
        readers = [(at, cell_reader(columns[at], self._zone)) for at in kept]
        reading.header = [names[at] for at in kept]

        def spooled(row: Sequence[Any]) -> tuple[ChangeValue | None, list[CellValue]]:
            change = None if place is None else self._change(kind, row[place])
            return change, [read(row[at]) for at, read in readers]

        reading.spooled = Spool(map(spooled, rows), told)
        reading.deleted = self._keys(database, sheet, reading.query.deleted, told)
        reading.keys = self._keys(database, sheet, reading.query.keys, told)

    def _keys(
        self, database: SourceDatabase, sheet: Sheet, query: str | None, told: Callable[[], None]
    ) -> Spool | None:
        if query is None:
            return None
        names, rows = database.rows(sheet.kind, query)
        return Spool(map(_key_reader(self._source.source, sheet, names), rows), told)

    # rows ----------------------------------------------------------------------------------------

    def begin(self, connection: Connection, now: datetime) -> None:
        self._store: Connection = connection
        self._now = now
        if cursors.load_cursors(connection, self._source.source) != self._cursors:
            raise self._moved()  # what that import has written is newer than what is here

    def _moved(self) -> SourceReplaced:
        return SourceReplaced("source.moved", source=self._source.source)

    def read(self, tab: Tab) -> Iterator[tuple[int, list[CellValue]]]:
        """The header, then the rows: of everything, or of what changed."""
        reading = self._readings[tab.sheet.kind]
        if not reading.whole and cursors.people_digest(self._store) != self._people:
            raise self._moved()
        tab.partial = not reading.whole or reading.query.missing == "keep"
        tab.conceal_unknown = not (reading.whole and {"cadre", "visit"} <= self._source.queries.keys())
        yield 0, reading.header
        for number, (change, cells) in enumerate(reading.spooled or (), 1):
            reading.rows = number
            reading.waiting[number] = change
            yield number, cells
        tab.done = tab.size

    def peek(self, kind: str) -> Iterator[tuple[int, list[CellValue]]]:
        """The header and the rows, before they are read."""
        reading = self._readings[kind]
        yield 0, reading.header
        for number, (_, cells) in enumerate(reading.spooled.peek() if reading.spooled else (), 1):
            yield number, cells

    def _after(self, kind: str, query: SourceQuery) -> ChangeValue | None:
        """From where to read; None: everything. People are always read whole (their tiers decide about
        all else), and everything is when somebody came or went: a new person has a past.
        """
        before = self._cursors.get((self._source.source, kind))
        if self._full or query.changed is None or before is None or before.value is None:
            return None
        if (before.version, before.people) != (self._version(query), self._people):
            return None
        return cursors.restart_value(before.value, timedelta(minutes=self._source.overlap_minutes))

    def _version(self, query: SourceQuery) -> str:
        parts = (query.query, query.changed or "", self._source.connection, self._source.time_zone)
        return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    def _change_place(self, kind: str, names: list[str], changed: str | None) -> int | None:
        if changed is None:
            return None
        folded = [name.casefold() for name in names]
        if changed.casefold() in folded:
            return folded.index(changed.casefold())
        near = get_close_matches(changed, names, 1) or ["-"]
        raise SourceError(
            "source.no_change", source=self._source.source, kind=kind, column=changed, near=near[0]
        )

    def _change(self, kind: str, value: Any) -> ChangeValue | None:
        if is_zero_day(value):
            return None
        if value is None or (isinstance(value, ChangeValue) and not isinstance(value, bool)):
            return value
        raise SourceError(
            "source.bad_change", source=self._source.source, kind=kind, type=type(value).__name__
        )

    # what became of them -------------------------------------------------------------------------

    def note_refused(self, tab: Tab, refused: Sequence[int]) -> None:
        reading = self._readings[tab.sheet.kind]
        reading.refused += len(refused)
        for number in refused:
            reading.waiting.pop(number, None)

    def note_rejected(self, tab: Tab, rejected: Sequence[int]) -> None:
        reading = self._readings[tab.sheet.kind]
        for number in rejected:
            change = reading.waiting.get(number)
            reading.oldest_rejected = cursors.earlier_change(reading.oldest_rejected, change)
        for change in reading.waiting.values():
            reading.newest = cursors.later_change(reading.newest, change)
        reading.waiting.clear()

    def deleted_keys(self, tab: Tab) -> Iterator[list[str]]:
        spooled = self._readings[tab.sheet.kind].deleted
        for page in spooled.pages() if spooled else ():
            yield [key for key in page if key is not None]

    def existing_keys(self, tab: Tab) -> Iterator[list[str | None]] | None:
        spooled = self._readings[tab.sheet.kind].keys
        return spooled.pages() if spooled else None

    def finish(self) -> None:
        people = cursors.people_digest(self._store)
        for kind, reading in self._readings.items():
            before = self._cursors.get((self._source.source, kind))
            cursor = SourceCursor(
                source=self._source.source,
                kind=kind,
                version=self._version(reading.query),
                people=people,
                value=cursors.next_value(
                    None if before is None or reading.whole else before.value,
                    reading.newest,
                    reading.oldest_rejected,
                    self._now,
                    self._zone,
                ),
                read_at=self._now,
                rows=reading.rows - reading.refused,
                whole=reading.whole,
            )
            cursors.save_cursor(self._store, cursor)


def _key_reader(source: str, sheet: Sheet, names: list[str]) -> Callable[[Sequence[Any]], str | None]:
    """How a row of keys is read: its key, or a measurement's visit and measure. None: it cannot be."""
    known = [find_column(sheet, name) for name in names]
    places = {column.field: at for at, column in enumerate(known) if column is not None}
    parts: tuple[str, ...] = (KEY_FIELD,)
    if KEY_FIELD not in places and len(names) == 1:
        places[KEY_FIELD] = 0
    elif KEY_FIELD not in places and sheet.kind == "measurement":
        parts = ("visit", "measure")
    if not places.keys() >= set(parts):
        raise SourceError("source.no_key", source=source, kind=sheet.kind)

    cell = cell_reader(None, VIETNAM_OFFSET)  # a key is here what it is in a row: a DECIMAL without its zeros

    def read(row: Sequence[Any]) -> str | None:
        try:
            return "/".join(cell_parsers.parse_key(cell(row[places[part]])) for part in parts)
        except CellError:
            return None

    return read
