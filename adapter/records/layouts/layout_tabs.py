"""Tabs out of a table that was understood: rows with a header that every import knows."""

from collections.abc import Callable, Iterator
from functools import partial

from adapter.errors import ImportRefused
from adapter.records.layouts.body_rows import LeftOutRows, body_rows
from adapter.records.layouts.measure_names import MeasureNames
from adapter.records.layouts.person_columns import person_cells
from adapter.records.layouts.raw_table import NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableForm, TableReading
from adapter.records.layouts.rejected_rows import TableRejects
from adapter.records.layouts.titles import known_title
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.layouts.unpivot import wide_tabs
from adapter.records.layouts.unread_columns import UnreadColumns
from adapter.records.layouts.wide_sheet import PERSON_SHEET
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.tab import Tab
from adapter.records.sheets.tier_cell import TierReading

__all__ = ["column_letters", "key_place", "table_tabs", "tier_place"]

Warn = Callable[..., None]


def table_tabs(table: RawTable, reading: TableReading, context: LayoutContext, warn: Warn) -> list[Tab]:
    """The table's tabs, none where it is left out. Raises ImportRefused where a person must be asked."""
    if reading.sheet is None:
        return []
    if reading.form is TableForm.WIDE:
        _say_whose_rows(table, reading, warn)
        unread = UnreadColumns(
            reading, context.measures, partial(warn, sheet=table.name), partial=table.partial
        )
        return wide_tabs(table, reading, context, lambda: _records(table, reading, warn), warn, unread=unread)

    def rows(tab: Tab) -> Iterator[NumberedRow]:
        return _long_rows(table, reading, context, warn, tab)

    _say_whose_rows(table, reading, warn)
    for one in () if table.partial else _measures_elsewhere(reading, context.measures):
        warn("import.unread_column_elsewhere", sheet=table.name, header=one.title)
    long = Tab(table.source, table.name, reading.sheet, table.partial, table.size, table.csv, rows)
    long.people = [] if reading.sheet is PERSON_SHEET else person_cells(reading)
    if reading.sheet is not PERSON_SHEET and tier_place(reading) is not None:
        long.hidden_people = lambda tab: _called_t0(table, reading, context, tab)
    if not reading.having(ColumnRole.MEASURE):
        return [long]
    rejects = TableRejects(table, reading, context.measures, _records(table, reading, None))
    long.rejects = rejects
    measured = wide_tabs(
        table, reading, context, lambda: _records(table, reading, None), warn, rejects=rejects
    )
    return [long, *measured]


def _say_whose_rows(table: RawTable, reading: TableReading, warn: Warn) -> None:
    """Name the columns of a table that say whose a row is, and are not imported."""
    people = ", ".join(one.title for one in reading.having(ColumnRole.PERSON))
    if people and reading.layout is None:
        warn("layout.person_columns", sheet=table.name, headers=people)


def _measures_elsewhere(reading: TableReading, measures: MeasureNames) -> list[ColumnReading]:
    """Columns of measures in a table of records that have none: a list of people with their last results."""
    titles = reading.header.titles
    return [
        one
        for one in reading.having(ColumnRole.UNKNOWN)
        if any(measures.find(name) for name in titles[one.place])
    ]


def column_letters(place: int) -> str:
    """A column's name in a spreadsheet: 0 is A, 27 is AB."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _records(
    table: RawTable, reading: TableReading, warn: Warn | None
) -> Callable[[Tab], Iterator[NumberedRow]]:
    """The rows of a table that are records; what is left out is said where there is somebody to say it to."""

    def rows(tab: Tab) -> Iterator[NumberedRow]:
        left_out = LeftOutRows()
        key, tier = key_place(reading), tier_place(reading)
        body = body_rows(table.rows(tab), reading.header, key, tier, merged=table.merged(), left_out=left_out)
        nameless, width = _nameless(reading), len(reading.header.titles)
        found: dict[int, int] = {}
        for number, cells in body:
            if not nameless and len(cells) <= width:
                yield number, cells
                continue
            # A large sheet's later rows may be wider than its header; those of a CSV are refused.
            beyond = () if table.csv else range(width, len(cells))
            for place in (*nameless, *beyond):
                if place < len(cells) and cells[place] not in ("", None) and place not in found:
                    _refuse_split_name(table, reading, place, cells[place])
                    found[place] = number
            yield number, cells
        if warn is not None:
            if left_out.count:
                warn("layout.left_out", sheet=table.name, count=left_out.count, rows=str(left_out))
            for place, number in sorted(found.items()):
                column = column_letters(place)
                warn("layout.headerless", sheet=table.name, column=column, row=number)

    return rows


def _nameless(reading: TableReading) -> list[int]:
    known = {column.place for column in reading.columns}
    return [place for place in range(len(reading.header.titles)) if place not in known]


def _refuse_split_name(table: RawTable, reading: TableReading, place: int, cell: CellValue) -> None:
    """The column at the right of a name that has words and no header is the rest of the name."""
    is_person = reading.sheet is not None and reading.sheet.kind == "cadre"
    if not is_person or reading.place("name") != place - 1 or not isinstance(cell, str):
        return
    if cell_text(cell).replace(" ", "").isalpha():
        column = column_letters(place)
        raise ImportRefused("layout.split_name", file=table.source, sheet=table.name, column=column)


def key_place(reading: TableReading) -> int:
    """Where a row says whose it is: its own key, or a measurement's visit or person."""
    measured = reading.sheet is not None and reading.sheet.kind == "measurement"  # it needs no key of its own
    order = ("visit", "cadre", "key") if measured else ("key", "cadre")
    return next((place for field in order if (place := reading.place(field)) is not None), 0)


def tier_place(reading: TableReading) -> int | None:
    """Where a row says a tier, whether it is imported from there or not."""
    roles = (ColumnRole.FIELD, ColumnRole.PERSON)
    return next((one.place for one in reading.columns if one.field == "tier" and one.role in roles), None)


def _called_t0(
    table: RawTable, reading: TableReading, context: LayoutContext, tab: Tab
) -> Iterator[dict[str, str]]:
    """Whom a table that is not of people calls T0: what it says of them."""
    places = {one.field: one.place for one in reading.having(ColumnRole.PERSON)}
    if (cadre := reading.place("cadre")) is not None:
        places["key"] = cadre
    for _, cells in _records(table, reading, None)(tab):
        if _is_refused(cells, reading, context):
            yield {field: cell_text(cells[place]) for field, place in places.items() if place < len(cells)}


def _is_refused(cells: list[CellValue], reading: TableReading, context: LayoutContext) -> bool:
    tier = tier_place(reading)
    cell = cells[tier] if tier is not None and tier < len(cells) else ""
    return context.words.read_tier(cell) is TierReading.REFUSED


def _long_rows(
    table: RawTable, reading: TableReading, context: LayoutContext, warn: Warn, tab: Tab
) -> Iterator[NumberedRow]:
    sheet, measures = reading.sheet, context.measures
    assert sheet is not None  # noqa: S101 # a table without one gives no tabs
    titles = _titles(sheet, reading)
    for one in () if table.partial else _measures_elsewhere(reading, measures):
        titles[one.place] = ""  # it was said
    parts = [one.place for one in reading.having(ColumnRole.NAME_PART)]
    measure, name = reading.place("measure"), reading.place("name")
    by_name = sheet.kind == "measurement" and measure is None
    if by_name:
        titles.append(sheet.column("measure").vi)
    if titles and reading.header.rows:
        yield reading.header.rows[-1], titles
    records = _records(table, reading, warn)(tab)
    if sheet is not PERSON_SHEET and tier_place(reading) is not None:
        records = (row for row in records if not _is_refused(row[1], reading, context))
    if sheet.kind == "measurement" and measures.measures:
        place = name if by_name else measure
        records = _with_codes(records, place, len(titles) - 1 if by_name else place, measures)
    yield from records if not parts else _joined(records, parts)


def _titles(sheet: Sheet, reading: TableReading) -> list[str]:
    """The header as every import knows it: a clerk's own words where they mean the same."""
    titles = [""] * len(reading.header.titles)
    named = False
    for one in reading.columns:
        if one.role is ColumnRole.FIELD:
            titles[one.place] = known_title(sheet, one.field, one.title)
        elif one.role is ColumnRole.NAME_PART and not named:
            titles[one.place], named = sheet.column("name").vi, True
        elif one.role is ColumnRole.UNKNOWN:
            titles[one.place] = one.title
    return titles


def _joined(rows: Iterator[NumberedRow], parts: list[int]) -> Iterator[NumberedRow]:
    """Rows with the name's parts in one cell, the leftmost of them in the header. Their letters stay as they
    are: in an old font's text some look like white space, or like nothing.
    """
    for number, cells in rows:
        words = [
            str(cells[place]).strip(" ") for place in parts if place < len(cells) and cells[place] is not None
        ]
        for place in parts:
            if place < len(cells):
                cells[place] = ""
        if parts[0] < len(cells):
            cells[parts[0]] = " ".join(filter(None, words))
        yield number, cells


def _with_codes(
    rows: Iterator[NumberedRow], place: int | None, target: int | None, measures: MeasureNames
) -> Iterator[NumberedRow]:
    """Rows with a measure's code where its name is written."""
    codes = measures.measures
    for number, cells in rows:
        if place is not None and target is not None and place < len(cells):
            written = cells[place]
            if place != target:
                cells.extend([""] * (target - len(cells)))
                found = measures.find(written) if isinstance(written, str) else None
                cells.insert(target, found.code if found else "")  # a name of no measure is none
            elif written.__class__ is str and written not in codes and (found := measures.find(written)):
                cells[target] = found.code
        yield number, cells
