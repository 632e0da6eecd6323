"""What a look at a file may show of its rows: those of people of T1 to T5 whom the files or the records name,
and no words that tell of anybody hidden.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from adapter.database import read_transaction
from adapter.errors import ImportRefused
from adapter.pipeline.application import Adapter
from adapter.records.erased_names import ErasedNames
from adapter.records.importing.hidden_in_files import hidden_in_table
from adapter.records.importing.hidden_people import HiddenPeople, PersonWords, find_hidden_people, open_rows
from adapter.records.importing.row_reader import ImportContext, RowReader
from adapter.records.layouts.layout_tabs import table_tabs, tier_place
from adapter.records.layouts.raw_table import RawTable
from adapter.records.layouts.reading import TableReading
from adapter.records.layouts.understanding import LayoutContext, missing_columns
from adapter.records.model import Cadre, Visit
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.tab import Tab
from adapter.records.sheets.tier_cell import TierReading

__all__ = ["LookGuard", "ReadTable"]

ReadTable = tuple[RawTable, TableReading]


class LookGuard:
    """Reads the people of all tables ahead, as an import does. Where not all is there that they are known by,
    nothing that may say who somebody is is shown of tables that do not say tiers.
    """

    def __init__(self, adapter: Adapter, tables: Sequence[ReadTable], context: LayoutContext) -> None:
        self._adapter = adapter
        self._tables = tables
        self._words = context.words
        self._known: dict[str, bool] = {}  # people, and whether rows of theirs may be shown
        self._visits: dict[str, str] | None = None
        with read_transaction(adapter.engine) as connection:
            self._hidden = HiddenPeople(ErasedNames(connection, lambda: adapter.identities))
        known = ImportContext(frozenset(), None, datetime.now(UTC), words=context.words, codes=context.codes)
        for table, reading in tables:  # though they cannot be imported
            for person in hidden_in_table(table, reading, context, self._hidden):
                self._hidden.add(person)
        self._is_blind = any(_is_of_people(reading) and missing_columns(reading) for _, reading in tables)
        try:
            tabs = [tab for table, reading in tables for tab in _tabs_of_people(table, reading, context)]
            find_hidden_people(tabs, known, self._hidden, lambda: None, complete=False)
            for tab in tabs:
                self._read_people(tab, known)
        except ImportRefused:  # as it stands it cannot be imported either
            self._is_blind = True

    def is_secret(self, text: CellValue) -> bool:
        """Whether a cell or a title tells of somebody hidden."""
        return self._hidden.is_told_of(text)

    def shown(self, text: str) -> str:
        """What may be said of a name or a header."""
        return self._hidden.shown(text)

    def may_show(self, reading: TableReading, cells: Sequence[CellValue]) -> bool:
        """Whether examples may be taken from this row: its own tier says so, or it is known whose it is."""
        owner = (
            _text_at(cells, reading.place("key")) if _is_of_people(reading) else self._owner(reading, cells)
        )
        if (tier := tier_place(reading)) is not None:
            is_kept = self._words.read_tier(_at(cells, tier)) is TierReading.KEPT
            return is_kept and not self._hidden.has_key(owner) and self._known.get(owner or "", True)
        return owner is not None and not self._is_blind and self._is_known(owner)

    def _owner(self, reading: TableReading, cells: Sequence[CellValue]) -> str | None:
        if owner := _text_at(cells, reading.place("cadre")):
            return owner
        visit = _text_at(cells, reading.place("visit"))
        if not visit:
            return None
        if self._visits is None:
            self._visits = dict(_visits(self._tables))
        if visit in self._visits:
            return self._visits[visit]
        stored = self._adapter.records.get(Visit.kind, visit)
        return stored.cadre if isinstance(stored, Visit) else None

    def _is_known(self, key: str) -> bool:
        if key not in self._known:
            is_hidden = self._hidden.has_key(key) or self._hidden.erased_key(key)
            self._known[key] = not is_hidden and self._adapter.records.get(Cadre.kind, key) is not None
        return self._known[key]

    def _read_people(self, tab: Tab, known: ImportContext) -> None:
        opened = open_rows(tab, tab.read_ahead(), complete=False) if tab.sheet.kind == Cadre.kind else None
        if opened is None:
            return
        headers, _, rows = opened
        reader = RowReader(tab.sheet, headers, known)
        tier = reader.place("tier")
        for _, cells in rows:
            person = PersonWords.of(reader, cells)
            is_kept = self._words.read_tier(_at(cells, tier)) is TierReading.KEPT
            hides = self._hidden.has_key(person.key) or self._hidden.resembles(person)
            self._known[person.key] = is_kept and not hides and self._known.get(person.key, True)


def _tabs_of_people(table: RawTable, reading: TableReading, context: LayoutContext) -> list[Tab]:
    """Those that an import would look for hidden people in."""
    if reading.sheet is None or not (_is_of_people(reading) or tier_place(reading) is not None):
        return []
    return table_tabs(table, reading, context, lambda *_, **__: None)


def _is_of_people(reading: TableReading) -> bool:
    return reading.sheet is not None and reading.sheet.kind == Cadre.kind


def _visits(tables: Sequence[ReadTable]) -> list[tuple[str, str]]:
    found = []
    for table, reading in tables:
        key, cadre = reading.place("key"), reading.place("cadre")
        if reading.sheet is None or reading.sheet.kind != Visit.kind or key is None or cadre is None:
            continue
        found += [(_text_at(cells, key), _text_at(cells, cadre)) for _, cells in table.top()]
    return found


def _text_at(cells: Sequence[CellValue], place: int | None) -> str:
    return cell_text(_at(cells, place))


def _at(cells: Sequence[CellValue], place: int | None) -> CellValue:
    cell = cells[place] if place is not None and place < len(cells) else ""
    return "" if cell is None else cell
