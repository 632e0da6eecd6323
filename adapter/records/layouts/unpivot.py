"""A wide table as measurements: a row for each of its cells, in a stream.

A cell says what it holds, and no more: an empty one that there is no such measurement (any more), a column
or a row that is not there says nothing. So nothing is ever missing from a wide table. Where a row names no
visit, one is made of person, kind of visit and day: the same file gives the same keys again.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from adapter.errors import ImportRefused
from adapter.records.layouts.measure_names import MeasureNames
from adapter.records.layouts.raw_table import NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableForm, TableReading
from adapter.records.layouts.titles import known_title
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.layouts.wide_sheet import VISIT_SHEET
from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text, parse_datetime
from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.tab import Tab, TabSource
from adapter.records.sheets.tier_cell import TierReading
from adapter.records.sheets.words import NO_WORDS, Words

__all__ = ["made_visit_key", "wide_tabs"]

_MEASUREMENT = SHEETS[2]
_FIELDS = ("visit", "cadre", "measure", "name", "value", "unit", "taken_at")
_HEADER = [_MEASUREMENT.column(field).vi for field in _FIELDS]
_PAGE = 1000
_SLIPPED = "…"
_VISIT_FIELDS = [column.field for column in VISIT_SHEET.columns]
_OF_A_MEASURE = {_MEASUREMENT.column(field).vi for field in ("measure", "name", "value", "unit")}
Records = Callable[[], Callable[[Tab], Iterator[NumberedRow]]]


def made_visit_key(cadre: CellValue, kind: CellValue, day: CellValue, words: Words = NO_WORDS) -> str:
    """The key of a visit that has none: person, kind and day, however the kind is worded. A kind or a day
    that cannot be read stays as it is written: the visit is refused, and its measurements wait for it.
    """
    try:
        code = words.parser("type", CHOICE_LISTS["visit_type"].parse)(kind)
    except CellError:
        code = cell_text(kind)
    try:
        written = f"{parse_datetime(day):%Y%m%d}"
    except CellError:
        written = cell_text(day)
    return f"{cell_text(cadre)}.{code}.{written}"


def wide_tabs(
    table: RawTable,
    reading: TableReading,
    context: LayoutContext,
    records: Records,
    warn: Callable[..., None],
) -> list[Tab]:
    """The tabs of a wide table: its measurements, before them the visits where it does not name them. Raises
    ImportRefused where a visit's kind or day is nowhere.
    """
    row = _WideRow(reading, context, lambda: warn("layout.unread_tier", sheet=table.name))
    names_visits = row.visit is not None
    if not names_visits:
        _require(table, reading)

    def hidden(tab: Tab) -> Iterator[dict[str, str]]:
        return row.hidden(records()(tab))

    def tab(sheet: Sheet, rows: Callable[[Iterator[NumberedRow]], Iterator[NumberedRow]]) -> Tab:
        def read(tab: Tab) -> Iterator[NumberedRow]:
            return rows(records()(tab))

        return Tab(
            table.source,
            table.name,
            sheet,
            True,
            table.size,
            table.csv,
            read,
            origin=row.empty if sheet is _MEASUREMENT else TabSource(),
            column_of=row.column_of if sheet is _MEASUREMENT else None,
            hidden_people=hidden if sheet is _MEASUREMENT and row.says_tiers else None,
        )

    measured = tab(_MEASUREMENT, row.measurements)
    return [measured] if names_visits else [tab(VISIT_SHEET, row.visits), measured]


def _require(table: RawTable, reading: TableReading) -> None:
    missing = [
        VISIT_SHEET.column(field).vi
        for field in ("type", "started_at")
        if reading.place(field) is None and not (field == "type" and reading.visit_type)
    ]
    if missing:
        raise ImportRefused(
            "layout.no_visit", file=table.source, sheet=table.name, missing=", ".join(missing)
        )


class _EmptyCells(TabSource):
    """What a wide table's empty cells say: there are no such measurements. What it does not hold at all is
    not missing. Of each visit it is remembered which measures are empty and which are not, a bit for each.
    """

    spares_seen = True

    def __init__(self, codes: list[str]) -> None:
        self._codes = codes
        self._visits: dict[str, tuple[int, int]] = {}

    def note(self, visit: str, empty: int, filled: int) -> None:
        """A row's cells: the same visit may stand in several rows."""
        before = self._visits.get(visit, (0, 0))
        self._visits[visit] = (before[0] | empty, before[1] | filled)

    def deleted_keys(self, tab: Tab) -> Iterator[list[str]]:
        keys = (
            f"{visit}/{code}"
            for visit, (empty, filled) in self._visits.items()
            for place, code in enumerate(self._codes)
            if (empty & ~filled) >> place & 1
        )
        while page := list(islice(keys, _PAGE)):
            yield page


class _WideRow:
    """How the cells of a row are found."""

    def __init__(self, reading: TableReading, context: LayoutContext, on_unread: Callable[[], None]) -> None:
        self.reading = reading
        self._width = len(reading.header.titles)
        self._words = context.words
        self._read_tier = context.words.read_tier
        self._on_unread = on_unread
        self.visit = reading.place("key" if reading.form is TableForm.LONG else "visit")
        self._measures = [
            (one.place, *_measure(one, context.measures)) for one in reading.having(ColumnRole.MEASURE)
        ]
        codes = list(dict.fromkeys(code for _, code, _, _ in self._measures))
        self._bits = [1 << codes.index(code) for _, code, _, _ in self._measures]
        self.empty = _EmptyCells(codes)
        self._of_visit = [reading.place(field) for field in ("cadre", "type", "started_at")]
        tiers = (one.place for one in reading.having(ColumnRole.PERSON) if one.field == "tier")
        self._tier = next(tiers, None)
        self._person = {one.field: one.place for one in reading.having(ColumnRole.PERSON)}
        if (cadre := reading.place("cadre")) is not None:
            self._person["key"] = cadre

    @property
    def says_tiers(self) -> bool:
        """Whether a column has them."""
        return self._tier is not None

    def _may_be_read(self, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        """Rows without those whose tier is T0, or cannot be read: nothing of these is looked at."""
        tier = self._tier
        allowed = (TierReading.KEPT, TierReading.PLAIN)
        for number, cells in rows:
            if tier is None or (found := self._read_tier(_at(cells, tier))) in allowed:
                yield number, cells
            elif found is TierReading.UNREADABLE:
                self._on_unread()

    def hidden(self, rows: Iterator[NumberedRow]) -> Iterator[dict[str, str]]:
        """Of the rows whose tier is T0, what they say of whom they are about."""
        for _, cells in rows:
            if self._read_tier(_at(cells, self._tier)) is TierReading.REFUSED:
                yield {field: cell_text(_at(cells, place)) for field, place in self._person.items()}

    def _slipped(self, cells: list[CellValue]) -> bool:
        """Whether the row has more cells than the header: what is made of it has one too many as well."""
        return len(cells) > self._width and any(cells[self._width :])

    def _key(self, cells: list[CellValue]) -> str:
        if self.visit is not None:
            return cell_text(_at(cells, self.visit))
        cadre, kind, day = self._of_visit
        kind_cell = self.reading.visit_type if kind is None else _at(cells, kind)
        return made_visit_key(_at(cells, cadre), kind_cell or "", _at(cells, day), self._words)

    def visits(self, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        """A visit for each person, kind and day."""
        reading = self.reading
        fields = [field for field in _VISIT_FIELDS if field == "key" or reading.place(field) is not None]
        constant = reading.visit_type if reading.place("type") is None else None
        written = {one.field: one.title for one in reading.having(ColumnRole.FIELD)}
        titles = [known_title(VISIT_SHEET, field, written.get(field, "")) for field in fields]
        yield reading.header.rows[-1], [*titles, VISIT_SHEET.column("type").vi] if constant else titles
        places = [reading.place(field) for field in fields]
        met: dict[str, list[CellValue]] = {}
        for number, cells in self._may_be_read(rows):
            key = self._key(cells)
            found = [key, *(_at(cells, place) for place in places[1:])]
            if self._slipped(cells):
                yield number, [*found, *([constant] if constant else ()), _SLIPPED]
                continue
            if met.setdefault(key, found) == found and met[key] is not found:
                continue  # the same visit in several rows: a laboratory's, a department's
            yield number, [*found, constant] if constant else found

    def measurements(self, rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        """A measurement for each cell of a measure's column."""
        cadre, taken = self.reading.place("cadre"), self.reading.place("taken_at")
        yield self.reading.header.rows[-1], list(_HEADER)
        for number, cells in self._may_be_read(rows):
            visit = self._key(cells)
            person, at = _at(cells, cadre), _at(cells, taken)
            empty = filled = 0
            for bit, (place, code, name, unit) in zip(self._bits, self._measures, strict=True):
                value = _at(cells, place)
                if value == "" or (value.__class__ is str and value.isspace()):
                    empty |= bit
                else:
                    filled |= bit
                    slipped = [_SLIPPED] if self._slipped(cells) else []
                    yield number, [visit, person, code, name, value, unit, at, *slipped]
            if not self._slipped(cells):
                self.empty.note(visit, empty, filled)

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
