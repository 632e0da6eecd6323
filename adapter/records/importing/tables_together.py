"""Several tables of results in one import may be about one visit: what they say of it is united. Where they
say two things of the same, the later one is refused, with the place of the other.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.importing.row_reader import RowReader
from adapter.records.importing.stored_records import StoredRow
from adapter.records.serialisation import parse_record
from adapter.records.sheets.tab import Tab

__all__ = ["TablesTogether"]

Met = Mapping[str, tuple[str, int]]  # key -> sheet and row that had it first


class _SaidOfVisit:
    """What tables said of a visit that is made of their rows, and which they are."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.tabs: set[int] = set()


class TablesTogether:
    """The tables of an import, of which each row has a visit of its own or names one."""

    def __init__(self, changes: ImportWriter, tabs: Iterable[Tab]) -> None:
        self._changes = changes
        self._several = sum(tab.visits is not None and tab.sheet.kind == "visit" for tab in tabs) > 1
        self._visits: dict[str, _SaidOfVisit] = {}

    def note(self, tab: Tab, row: ParsedRow, stored: StoredRow | None) -> None:
        """A visit of a row that no other table has had: what the next will be compared with."""
        if not self._makes(tab) or row.bad or row.deleted or row.key is None:
            return
        self._say(self._visits.setdefault(row.key, _SaidOfVisit()), tab, row)
        _keep(row, stored)

    def unite(
        self, tab: Tab, reader: RowReader, rows: list[ParsedRow], met: Met, stored: Mapping[str, StoredRow]
    ) -> tuple[set[int], set[int]]:
        """Of rows whose keys other rows had before: the ids of those that are of the same visit by right, and
        among them of values that stand and need not be said again. They are bad where they contradict; of a
        visit they say all that is known by now.
        """
        if not rows or (tab.sheet.kind != "visit" and tab.column_of is None):
            return set(), set()
        if tab.sheet.kind == "visit":
            return {id(row) for row in rows if self._is_united(tab, reader, row, met, stored)}, set()
        united = self._same_values(tab, reader, rows, met, stored)
        return united, {id(row) for row in rows if id(row) in united and not row.bad}

    def _makes(self, tab: Tab) -> bool:
        return self._several and tab.visits is not None and tab.sheet.kind == "visit"

    @staticmethod
    def _say(said: _SaidOfVisit, tab: Tab, row: ParsedRow) -> None:
        said.fields.update(row.fields)
        said.tabs.add(id(tab))

    def _is_united(
        self, tab: Tab, reader: RowReader, row: ParsedRow, met: Met, stored: Mapping[str, StoredRow]
    ) -> bool:
        said = self._visits.get(str(row.key))
        if not self._makes(tab) or said is None or id(tab) in said.tabs or row.deleted:
            return False
        row.fields["started_at"] = said.fields["started_at"]  # of one day: the first to say it
        other = [name for name, value in row.fields.items() if said.fields.get(name, value) != value]
        sheet, number = met[str(row.key)]
        for name in other:
            reader.add_invalid_cell(row, name, "expect_same_visit", sheet=sheet, row=number)
        if not row.bad:
            row.fields = said.fields | row.fields
            self._say(said, tab, row)
            _keep(row, stored.get(str(row.key)))
        return True

    def _same_values(
        self, tab: Tab, reader: RowReader, rows: list[ParsedRow], met: Met, stored: Mapping[str, StoredRow]
    ) -> set[int]:
        elsewhere = {
            key: row
            for row in reversed(rows)  # the first of several stays
            if (found := stored.get(key := str(row.key)))
            and not (found.deleted or row.bad or row.deleted)
            and (found.source, found.sheet) != (tab.source, tab.title)
        }
        if not elsewhere:
            return set()
        for key in self._changes.rejected_keys("measurement", list(elsewhere)):
            del elsewhere[key]
        for key, body in self._changes.stored.live_bodies("measurement", list(elsewhere)):
            row, value = elsewhere[key], orjson.loads(body)
            if (str(row.fields["value"]), row.fields.get("unit")) != (value["value"], value.get("unit")):
                sheet, number = met[key]
                reader.add_invalid_cell(row, "value", "expect_same_value", sheet=sheet, row=number)
        return {id(row) for row in elsewhere.values()}


def _keep(row: ParsedRow, stored: StoredRow | None) -> None:
    """What another table may have said of the visit stays: an empty cell of one does not clear it."""
    if stored is not None and stored.body and not stored.deleted:
        before = parse_record("visit", stored.body)
        given = {name: getattr(before, name) for name in before.model_fields_set}
        row.fields = given | row.fields
