"""What was rejected of a table that several kinds of rows are made of, as rows of that table.

A clerk corrects the row as it was written, and what is made of it is made anew: no key of what was wrong, and
no value without its visit. Where the visit came in, only the cells that did not are given back, so that the
others stay as they are by then; a row that has slipped is given back with its surplus, and refused again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from adapter.records.layouts.measure_names import MeasureNames, MeasureTitle
from adapter.records.layouts.raw_table import NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableForm, TableReading
from adapter.records.layouts.titles import known_title
from adapter.records.layouts.wide_sheet import HELD_COLUMN, PERSON_SHEET, VISIT_SHEET, WIDE_SHEET
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.columns import DELETED_COLUMN, REASON_COLUMN, Sheet
from adapter.records.sheets.tab import RejectedRow, Tab
from adapter.texts import say

__all__ = ["TableRejects"]

_OURS = (REASON_COLUMN.field, HELD_COLUMN.field)  # columns that are written anew each time
_NOT_SAID = "-"  # stands for a header that may not be said
_WHOSE = ("visit", "cadre", "type", "started_at", "taken_at")  # fields that a value cannot do without


class TableRejects:
    """The rejects of one table. `rows` gives it once more, without what may not be looked at. `elsewhere`:
    numbers of the rows whose visit is not made of them; `replaces`: the held visits that rows correct.
    """

    def __init__(
        self,
        table: RawTable,
        reading: TableReading,
        measures: MeasureNames,
        rows: Callable[[Tab], Iterator[NumberedRow]],
        *,
        elsewhere: Collection[int] = (),
        replaces: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self._table = table
        self._reading = reading
        self._measures = measures
        self._rows = rows
        self._is_long = reading.form is TableForm.LONG  # a sheet of visits with measures beside them
        self._elsewhere = elsewhere
        self._replaces = replaces
        self._held: set[str] = set()  # visits among those that did not come in
        self._held_for: dict[int, Sequence[str]] = {}  # by the row's number, why its visit waits
        self._reasons: dict[int, dict[str, None]] = {}  # by the row's number, each once
        self._visit_of: dict[int, str] = {}
        self._codes: dict[int, set[str]] = {}  # measures of the row that did not come in
        self._visits: set[str] = set()  # that did not come in

    def note(self, tab: Tab, number: int, cells: list[CellValue], reasons: Sequence[str]) -> None:
        """A visit or a measurement that was made of the row did not come in."""
        waits = say("import.waits_for_parent")
        if tab.sheet.kind == VISIT_SHEET.kind:
            place = (self._reading.place("key") or 0) if self._is_long else 0
            key = cell_text(cells[place] or "") if place < len(cells) else ""
            self._visits.add(key)
        else:
            key, code = cell_text(cells[0]), str(cells[2])
            self._codes.setdefault(number, set()).add(code)
        self._visit_of[number] = key
        if key in self._visits:
            reasons = [reason for reason in reasons if reason != waits]
        elif waits in reasons and number not in self._elsewhere:
            self._visits.add(key)
            self._held.add(key)
        self._reasons.setdefault(number, {}).update(dict.fromkeys(reasons))

    def note_held(self, number: int, reasons: Sequence[str]) -> None:
        """A visit that was made of the row waits for a person, and its values with it."""
        self._held_for[number] = reasons

    def rows(self, is_secret: Callable[[CellValue], bool]) -> Iterator[RejectedRow]:
        """The rows with what was wrong; those whose visit did not come in are whole."""
        if not self._reasons:
            return
        waits = say("import.waits_for_parent")
        whole, parts = self._page(is_secret, whole=True), self._page(is_secret, whole=False)
        for number, cells in self._rows(whole.tab):
            if number not in self._reasons:
                continue
            slipped = [cell for cell in cells[len(self._reading.header.titles) :] if cell not in ("", None)]
            page = whole if slipped or self._visit_of[number] in self._visits else parts
            row = [*page.row(cells, self._codes.get(number, set())), *self._corrected(page, number), *slipped]
            shown = ["" if is_secret(cell) else cell for cell in row]
            reasons = dict.fromkeys((*self._held_for.get(number, ()), *self._reasons[number]))
            if len(reasons) > 1:
                reasons.pop(waits, None)
            reason = "; ".join(reasons) or waits
            yield page.tab, page.header, shown, reason

    def _page(self, is_secret: Callable[[CellValue], bool], *, whole: bool) -> "_Page":
        sheet = VISIT_SHEET if self._is_long and whole else WIDE_SHEET
        table = self._table
        title = table.name if sheet is VISIT_SHEET else sheet.vi
        tab = Tab(table.source, title, sheet, True, table.size, table.csv, lambda _: iter(()))
        columns = [one for one in self._reading.columns if whole or self._is_needed(one)]
        columns = [
            one
            for one in sorted(columns, key=lambda one: one.place)
            if one.role is not ColumnRole.IGNORED and one.field not in _OURS
        ]
        constant = None if self._reading.place("type") is not None else self._reading.visit_type
        header = [self._title(sheet, one, is_secret(one.title)) for one in columns]
        if constant:
            header.append(VISIT_SHEET.column("type").vi)
        says_held = whole and sheet is WIDE_SHEET and bool(self._held or self._replaces)
        if says_held:
            header.append(HELD_COLUMN.vi)
        return _Page(tab, header, columns, constant, whole=whole, says_held=says_held)

    def _corrected(self, page: "_Page", number: int) -> list[str]:
        """The held visit in whose place comes what the row will say."""
        visit = self._visit_of[number]
        held = visit if visit in self._held else self._replaces.get(number, "")
        return [held] if page.says_held else []

    def _is_needed(self, column: ColumnReading) -> bool:
        if column.role is ColumnRole.FIELD:
            fields = ("key", "cadre") if self._is_long else _WHOSE
            return column.field in (*fields, DELETED_COLUMN.field)
        if column.role is ColumnRole.MEASURE:
            return any(
                column.field in codes
                for number, codes in self._codes.items()
                if self._visit_of[number] not in self._visits
            )
        return column.role is ColumnRole.PERSON

    def _title(self, sheet: Sheet, column: ColumnReading, secret: bool) -> str:
        """A header that means the same there, whatever layout the table was read by."""
        if column.role is ColumnRole.MEASURE:
            meant = MeasureTitle(column.field, column.unit)
            written = f"{column.field} ({column.unit})" if column.unit else column.field
            titles = () if secret else (column.title, *self._reading.header.titles[column.place])
            return next((one for one in titles if self._measures.find(one) == meant), written)
        if secret and column.role is ColumnRole.PERSON:
            return PERSON_SHEET.column(column.field).vi
        if column.role is not ColumnRole.FIELD:
            return _NOT_SAID if secret else column.title
        if column.field == "key" and sheet is WIDE_SHEET:
            return sheet.column("visit").vi
        return known_title(sheet, column.field, column.title)


class _Page:
    """One form of the rows: header, and where its cells come from."""

    def __init__(
        self,
        tab: Tab,
        header: list[CellValue],
        columns: Sequence[ColumnReading],
        constant: str | None,
        *,
        whole: bool,
        says_held: bool,
    ) -> None:
        self.tab, self.header, self.says_held = tab, header, says_held
        self._columns, self._constant, self._whole = columns, constant, whole

    def row(self, cells: list[CellValue], codes: set[str]) -> list[CellValue]:
        """The cells of the columns; of measures that came in they are empty."""
        found = [
            ""
            if (one.role is ColumnRole.MEASURE and not self._whole and one.field not in codes)
            or one.place >= len(cells)
            else cells[one.place]
            for one in self._columns
        ]
        return [*found, self._constant] if self._constant else found
