"""A wide table as measurements: a row for each of its cells, in a stream.

A cell says what it holds, and no more: an empty one that there is no such measurement (any more), a column
or a row that is not there says nothing; a row that is marked deleted, that its values are gone. So nothing is
ever missing from a wide table. Where a row names no visit, it is of the one of its person, kind and day, and
where there is none, one is made of these: the same file gives the same keys again. Of what cannot be read no
key is made.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from adapter.errors import ImportRefused
from adapter.records.layouts.empty_cells import EmptyCells
from adapter.records.layouts.measure_names import MeasureNames
from adapter.records.layouts.person_columns import person_cells, said_of
from adapter.records.layouts.raw_table import NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableForm, TableReading
from adapter.records.layouts.rejected_rows import TableRejects
from adapter.records.layouts.row_visits import RowVisit, VisitsElsewhere, asked_visit
from adapter.records.layouts.titles import known_title
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.layouts.unread_columns import UnreadColumns
from adapter.records.layouts.wide_sheet import HELD_COLUMN, VISIT_SHEET
from adapter.records.sheets.cell_parsers import (
    CellError,
    CellValue,
    cell_text,
    is_blank,
    parse_boolean,
)
from adapter.records.sheets.columns import DELETED_COLUMN, Sheet
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.tab import PersonCell, Tab, TabSource
from adapter.records.sheets.tier_cell import TierReading
from adapter.records.sheets.visit_finder import AskedVisit, VisitFinder, made_key
from adapter.texts import current_language

__all__ = ["wide_tabs"]

_MEASUREMENT = SHEETS[2]
_FIELDS = ("visit", "cadre", "measure", "name", "value", "unit", "taken_at")
_HEADER = [_MEASUREMENT.column(field).vi for field in _FIELDS]
_PAGE = 1000
_SLIPPED = "…"
_MARK = "x"
_VISIT_FIELDS = [column.field for column in VISIT_SHEET.columns]
_OF_A_MEASURE = {_MEASUREMENT.column(field).vi for field in ("measure", "name", "value", "unit")}
Records = Callable[[], Callable[[Tab], Iterator[NumberedRow]]]


def wide_tabs(
    table: RawTable,
    reading: TableReading,
    context: LayoutContext,
    records: Records,
    warn: Callable[..., None],
    *,
    rejects: TableRejects | None = None,
    unread: UnreadColumns | None = None,
) -> list[Tab]:
    """The tabs of a wide table: its measurements, before them the visits where it does not name them.
    `rejects`: where another tab of the table notes what was rejected; `unread` looks at columns that are not
    known. Raises ImportRefused where a visit's
    kind or day is nowhere.
    """
    row = _WideRow(reading, context, partial(warn, sheet=table.name), unread)
    if row.visit is None:
        _require(table, reading)

    def read_again(tab: Tab) -> Iterator[NumberedRow]:
        return row.may_be_read(records()(tab), quiet=True)

    if rejects is None:
        rejects = TableRejects(
            table,
            reading,
            context.measures,
            read_again,
            elsewhere=row.finder.elsewhere,
            replaces=row.replaces,
        )

    def hidden(tab: Tab) -> Iterator[dict[str, str]]:
        return row.hidden(records()(tab))

    def tab(sheet: Sheet, rows: Callable[[Iterator[NumberedRow]], Iterator[NumberedRow]]) -> Tab:
        def read(tab: Tab) -> Iterator[NumberedRow]:
            row.look_ahead(read_again(tab))
            return rows(records()(tab))

        measured = sheet is _MEASUREMENT
        # Of a rejects file an empty cell says nothing: it is of a value that came in.
        origin = None if table.partial else row.empty if measured else TabSource()
        return Tab(
            table.source,
            table.name,
            sheet,
            True,
            table.size,
            table.csv,
            read,
            origin=origin,
            column_of=row.column_of if measured else None,
            hidden_people=hidden if measured and row.says_tiers else None,
            rejects=rejects,
            visits=row.finder if row.makes_visits else None,
            replaces=row.replaces,
            people=row.people_of(sheet),
            doubtful=row.empty.doubtful,
        )

    measured = tab(_MEASUREMENT, row.measurements)
    return [tab(VISIT_SHEET, row.visits), measured] if row.makes_visits else [measured]


def _require(table: RawTable, reading: TableReading) -> None:
    missing = [
        VISIT_SHEET.column(field).header(current_language())
        for field in ("type", "started_at")
        if reading.place(field) is None and not (field == "type" and reading.visit_type)
    ]
    if missing:
        raise ImportRefused(
            "layout.no_visit", file=table.source, sheet=table.name, missing=", ".join(missing)
        )


class _WideRow:
    """How the cells of a row are found."""

    def __init__(
        self,
        reading: TableReading,
        context: LayoutContext,
        warn: Callable[..., None],
        unread: UnreadColumns | None,
    ) -> None:
        self.reading = reading
        self._width = len(reading.header.titles)
        self._words = context.words
        self._read_tier = context.words.read_tier
        self._warn = warn
        self.finder = VisitFinder(self._forget)
        self.visit = reading.place("key" if reading.form is TableForm.LONG else "visit")
        self._measures = [
            (one.place, *_measure(one, context.measures)) for one in reading.having(ColumnRole.MEASURE)
        ]
        codes = list(dict.fromkeys(code for _, code, _, _ in self._measures))
        self._bits = [1 << codes.index(code) for _, code, _, _ in self._measures]
        self.empty = EmptyCells(codes, unread)
        has_kind = reading.place("type") is not None or bool(reading.visit_type)
        self._of_visit = [reading.place(field) for field in ("cadre", "type", "started_at")]
        self.makes_visits = self.visit is None or (
            reading.form is TableForm.WIDE and None not in (self._of_visit[0], self._of_visit[2]) and has_kind
        )
        self._corrects = reading.place(HELD_COLUMN.field)
        self.replaces: dict[int, str] = {}  # by the row's number, the held visit that it corrects
        self._deleted = reading.place(DELETED_COLUMN.field)
        self._mark_title = [] if self._deleted is None else [DELETED_COLUMN.vi]
        # Of visits that have a marked row: what other rows hold of them, a bit for each measure.
        self._held_elsewhere: dict[str, int] | None = None
        tiers = (one.place for one in reading.having(ColumnRole.PERSON) if one.field == "tier")
        self._tier = next(tiers, None)
        self._people = person_cells(reading)
        self._person = {one.field: one.place for one in reading.having(ColumnRole.PERSON)}
        if (cadre := reading.place("cadre")) is not None:
            self._person["key"] = cadre

    @property
    def says_tiers(self) -> bool:
        """Whether a column has them."""
        return self._tier is not None

    def _visit_fields(self) -> list[str]:
        return [field for field in _VISIT_FIELDS if field == "key" or self.reading.place(field) is not None]

    def _constant_type(self) -> str | None:
        return self.reading.visit_type if self.reading.place("type") is None else None

    def _titles(self, sheet: Sheet) -> list[str]:
        """The header of what is made of rows. What says who a row is about has no title: it is not read."""
        titles = _HEADER
        if sheet is VISIT_SHEET:
            written = {one.field: one.title for one in self.reading.having(ColumnRole.FIELD)}
            titles = [
                known_title(VISIT_SHEET, field, written.get(field, "")) for field in self._visit_fields()
            ]
            titles += [VISIT_SHEET.column("type").vi] if self._constant_type() else []
        return [*titles, *self._mark_title, *[""] * len(self._people)]

    def people_of(self, sheet: Sheet) -> list[PersonCell]:
        """Where what a row says of its person stands in the rows that are made of it: before the surplus."""
        made = self._titles(sheet)
        start = len(made) - len(self._people)
        return [one._replace(places=(start + place,)) for place, one in enumerate(self._people)]

    def _said(self, cells: list[CellValue]) -> list[CellValue]:
        return [said_of(one, cells) for one in self._people]

    def may_be_read(self, rows: Iterator[NumberedRow], *, quiet: bool = False) -> Iterator[NumberedRow]:
        """Rows without those whose tier is T0, or cannot be read: nothing of these is looked at."""
        tier = self._tier
        allowed = (TierReading.KEPT, TierReading.PLAIN)
        for number, cells in rows:
            if tier is None or (found := self._read_tier(_at(cells, tier))) in allowed:
                yield number, cells
            elif found is TierReading.UNREADABLE and not quiet:
                self._warn("layout.unread_tier")

    def hidden(self, rows: Iterator[NumberedRow]) -> Iterator[dict[str, str]]:
        """Of the rows whose tier is T0, what they say of whom they are about."""
        for _, cells in rows:
            if self._read_tier(_at(cells, self._tier)) is TierReading.REFUSED:
                yield {field: cell_text(_at(cells, place)) for field, place in self._person.items()}

    def _slipped(self, cells: list[CellValue]) -> bool:
        """Whether the row has more cells than the header: what is made of it has one too many as well."""
        return len(cells) > self._width and any(cells[self._width :])

    def _forget(self) -> None:
        """What was made of rows before it was known which visits there are."""
        self._held_elsewhere = None
        self.empty.clear()

    def _keyed(self, rows: Iterator[NumberedRow]) -> Iterator[tuple[int, list[CellValue], RowVisit]]:
        """The rows with their visits, which are asked for a page at a time."""
        while page := list(islice(rows, _PAGE)):
            asked = [self._asked(cells) for _, cells in page]
            self.finder.ask({one for one in asked if isinstance(one, tuple)})
            for (number, cells), one in zip(page, asked, strict=True):
                if held := cell_text(_at(cells, self._corrects)):
                    self.replaces[number] = held
                yield number, cells, self._visit(number, cells, one)

    def _asked(self, cells: list[CellValue]) -> str | AskedVisit | None:
        """The key that the row names, or else what one is made of; None where that cannot be read."""
        named = "" if self.visit is None else cell_text(_at(cells, self.visit))
        if named or not self.makes_visits:
            return named
        cadre, kind, day = self._of_visit
        kind_cell = self.reading.visit_type if kind is None else _at(cells, kind)
        return asked_visit(_at(cells, cadre), kind_cell or "", _at(cells, day), self._words)

    def _visit(self, number: int, cells: list[CellValue], asked: str | AskedVisit | None) -> RowVisit:
        """The row's visit. Where it cannot be told it is the row's alone, for this import, so that its
        measurements wait for their visit.
        """
        if isinstance(asked, str):
            self.finder.elsewhere.add(number)
            return RowVisit(asked)
        if asked is None:
            return RowVisit(f"?{number}", known=False, made=True)
        found = self.finder.of(asked)
        if found is None or (found.has_made and self._mark(cells) == _MARK):
            return RowVisit(made_key(asked), made=True)
        if len(found.keys) > 1:
            self.finder.doubtful[number] = tuple(key for key, _ in found.keys)
            return RowVisit(f"?{number}", known=False, made=True)
        self.finder.elsewhere.add(number)
        (key, owner), *_ = found.keys
        return RowVisit(key, owner=None if owner == asked[0] else owner)

    def _mark(self, cells: list[CellValue]) -> CellValue:
        """What the row says of being deleted: the mark, nothing, or what cannot be read."""
        cell = _at(cells, self._deleted)
        if not cell_text(cell):
            return ""
        try:
            return _MARK if parse_boolean(cell) else ""
        except CellError:
            return cell

    def look_ahead(self, rows: Iterator[NumberedRow]) -> None:
        """Find out what of the visits with a marked row other rows hold: that stays."""
        if self._deleted is None or self._held_elsewhere is not None:
            return
        marked: set[str] = set()
        filled: dict[str, int] = {}
        for _, cells, (key, *_) in self._keyed(rows):
            if self._mark(cells) == _MARK:
                marked.add(key)
            else:
                filled[key] = filled.get(key, 0) | sum(
                    {bit for bit, *_, value in self._values(cells) if value != ""}
                )
        self._held_elsewhere = {key: filled[key] for key in marked & filled.keys()}
        self.finder.close_questions()

    def _values(self, cells: list[CellValue]) -> Iterator[tuple[int, str, str, str, CellValue]]:
        """Bit, code, name, unit and cell of each measure; blanks are nothing."""
        for bit, (place, code, name, unit) in zip(self._bits, self._measures, strict=True):
            value = _at(cells, place)
            blank = value.__class__ is str and (not value or is_blank(value))
            yield bit, code, name, unit, "" if blank else value

    def visits(self, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        """A visit for each person, kind and day."""
        reading = self.reading
        constant = self._constant_type()
        yield reading.header.rows[-1], self._titles(VISIT_SHEET)
        places = [reading.place(field) for field in self._visit_fields()]
        met: dict[str, list[CellValue]] = {}
        elsewhere = VisitsElsewhere(reading)
        for number, cells, (key, known, made, _) in self._keyed(self.may_be_read(rows)):
            if not made:
                elsewhere.note(key, cells)
                continue
            mark = self._mark(cells) if known else ""
            marks = [mark] if self._mark_title else []
            if mark == _MARK and (key in (self._held_elsewhere or {}) or key in met):
                continue  # another row holds the visit, or it goes already
            found = [
                key,
                *(_at(cells, place) for place in places[1:]),
                *([constant] if constant else ()),
                *marks,
            ]
            said = self._said(cells)
            if self._slipped(cells):
                yield number, [*found, *said, _SLIPPED]
                continue
            if met.setdefault(key, found) == found and met[key] is not found:
                continue  # the same visit in several rows: a laboratory's, a department's
            yield number, [*found, *said]
        if self.finder.is_open:
            self.finder.close_questions()
            elsewhere.say(self._warn)

    def measurements(self, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        """A measurement for each cell of a measure's column; of a row that is marked, also of empty ones."""
        cadre, taken = self.reading.place("cadre"), self.reading.place("taken_at")
        yield self.reading.header.rows[-1], self._titles(_MEASUREMENT)
        gone: dict[str, int] = {}
        for number, cells, (visit, known, _, owner) in self._keyed(self.may_be_read(rows)):
            mark = self._mark(cells) if known else ""
            said = (self._held_elsewhere or {}).get(visit, 0) | gone.get(visit, 0)
            slipped = [_SLIPPED] if self._slipped(cells) else []
            behind = [*([mark] if self._mark_title else ()), *self._said(cells), *slipped]
            person, at = owner or _at(cells, cadre), _at(cells, taken)
            empty = filled = 0
            for bit, code, name, unit, value in self._values(cells):
                if value == "":
                    empty |= bit
                else:
                    filled |= bit
                if not bit & said if mark == _MARK else value != "":
                    yield number, [visit, person, code, name, value, unit, at, *behind]
                    said |= bit
            if mark == _MARK:
                gone[visit] = said
            if filled and self.empty.unread is not None:
                self.empty.unread.note(number, cells)
            if known and not slipped and not mark:
                self.empty.note(number, visit, empty, filled)
                if self._people and not filled:
                    self.empty.note_silent(number, person, [""] * len(_FIELDS) + behind)

    def column_of(self, cells: list[CellValue], column: str) -> str:
        """The header of the measure's column where one of a measurement's cells is wrong."""
        if column not in _OF_A_MEASURE or len(cells) < len(_FIELDS):
            return column
        code = cells[_FIELDS.index("measure")]
        return next(
            (one.title for one in self.reading.having(ColumnRole.MEASURE) if one.field == code), column
        )


def _measure(column: ColumnReading, measures: MeasureNames) -> tuple[str, str, str]:
    known = measures.measures.get(column.field)
    return column.field, known.vi if known else column.title, column.unit


def _at(cells: list[CellValue], place: int | None) -> CellValue:
    cell = cells[place] if place is not None and place < len(cells) else ""
    return "" if cell is None else cell
