"""Records and code tables that remember what was read of them."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from adapter.mapping.terminology.code_tables import CodeTable, CodeTables

__all__ = ["FieldRead", "ReadTracker", "TableLookup"]


@dataclass(frozen=True, slots=True)
class FieldRead:
    """One field of one record."""

    kind: str
    key: str
    field: str


@dataclass(frozen=True, slots=True)
class TableLookup:
    """One row of a code table: its file in the folder of mappings, and the line."""

    file: str
    line: int


class ReadTracker:
    """What was read since it was last asked."""

    def __init__(self) -> None:
        self._reads: dict[FieldRead, None] = {}
        self._lookups: dict[TableLookup, None] = {}

    def take_all(self) -> tuple[tuple[FieldRead, ...], tuple[TableLookup, ...]]:
        """What was read, in order, once each; and forget it."""
        found = tuple(self._reads), tuple(self._lookups)
        self._reads, self._lookups = {}, {}
        return found

    def record(self, record: Any) -> Any:
        """The record, watched; a plain value (None, a key) stays what it is."""
        return record if record is None or isinstance(record, str) else _WatchedRecord(record, self)

    def codes(self, codes: CodeTables) -> CodeTables:
        """The same tables and units, watched."""
        known = {one.name: getattr(codes, one.name) for one in fields(codes)}
        tables = {name: self._table(table) for name, table in codes.tables.items()}
        watched = _WatchedCodes(**{**known, "tables": tables})
        object.__setattr__(watched, "watch", self)  # frozen, as all code tables are
        return watched

    def _table(self, table: CodeTable) -> CodeTable:
        watched = _WatchedTable(**{one.name: getattr(table, one.name) for one in fields(table) if one.init})
        object.__setattr__(watched, "watch", self)
        return watched

    def note_read(self, read: FieldRead) -> None:
        """A field was read."""
        self._reads[read] = None

    def note_lookup(self, file: str, found: Any) -> None:
        """A row was found; several of one code are all noted."""
        for row in found if isinstance(found, tuple | list) else (found,):
            line = getattr(row, "line", 0)
            if line:
                self._lookups[TableLookup(getattr(row, "file", "") or file, line)] = None


class _WatchedRecord:
    """Answers as the record does."""

    __slots__ = ("_record", "_watch")

    def __init__(self, record: Any, watch: ReadTracker) -> None:
        self._record = record
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._record, name)
        if name != "kind":
            kind = getattr(self._record, "kind", "origin")
            self._watch.note_read(FieldRead(kind, str(getattr(self._record, "key", "")), name))
        return value


class _WatchedTable(CodeTable):
    watch: ReadTracker

    def find(self, *asked: Any, **more: Any) -> Any:
        found = super().find(*asked, **more)
        self.watch.note_lookup(self.file, found)
        return found


class _WatchedCodes(CodeTables):
    watch: ReadTracker
    cache_size: ClassVar[int] = 0  # a remembered answer is looked up nowhere

    def version(self, *asked: Any, **more: Any) -> Any:
        found = super().version(*asked, **more)
        self.watch.note_lookup("codes/systems.csv", found)
        return found

    def unit(self, *asked: Any, **more: Any) -> Any:
        found = super().unit(*asked, **more)
        self.watch.note_lookup("codes/units.csv", found)
        return found
