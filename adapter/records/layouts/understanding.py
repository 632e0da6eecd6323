"""What a table is: its record type, its header, and what each column means. Pure but for reading its top.

The sheet's name says the record type. Where it does not, and the columns fit one, a person is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapter.records.layouts.header_block import HeaderBlock, find_header_block, header_blocks
from adapter.records.layouts.measure_names import MeasureNames, MeasureTitle
from adapter.records.layouts.raw_table import MergedRange, NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableForm, TableReading
from adapter.records.layouts.saved_layout import LEFT_OUT, NAME_PART, WIDE, SavedTable, fingerprint
from adapter.records.layouts.titles import match_title, name_part
from adapter.records.layouts.wide_sheet import PERSON_SHEET, VISIT_SHEET, WIDE_SHEET, is_wide_name
from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.layout import SHEETS, find_sheet
from adapter.records.sheets.words import NO_WORDS, Words

__all__ = ["LayoutContext", "missing_columns", "understand"]

_ENOUGH = 2  # columns of measures that make a table a wide one
_NO_MEASURES = MeasureNames(())


@dataclass(frozen=True)
class LayoutContext:
    """What helps to understand tables: the measures' names, a centre's words, the layouts that were kept."""

    measures: MeasureNames = _NO_MEASURES
    words: Words = NO_WORDS
    saved: Mapping[tuple[str, ...], SavedTable] = field(default_factory=dict)


def understand(table: RawTable, name: str, context: LayoutContext) -> TableReading:
    """How the table is understood; `name` is its own without the number that a rejects file gives it."""
    top, merged = table.top(), table.merged()
    if saved := _saved(top, merged, context):
        return _as_saved(name, *saved)
    named = find_sheet(name)
    if named is not None and (reading := _long(name, named, top, merged, context)) and _fits(reading):
        return reading
    wide = _wide(name, top, merged, context)
    if wide is not None and (is_wide_name(name) or named is SHEETS[2]):
        return wide
    others = [_long(name, sheet, top, merged, context) for sheet in SHEETS if sheet is not named]
    fitting = [wide] if wide else [one for one in others if _fits(one)]
    if fitting:
        likeliest = max(fitting, key=lambda one: len(one.columns) - len(one.having(ColumnRole.UNKNOWN)))
        return _asking(likeliest)
    if named is not None:
        return _long(name, named, top, merged, context)
    return TableReading(name, None, TableForm.LONG, HeaderBlock((), (), ()), ())


def _asking(reading: TableReading) -> TableReading:
    return replace(reading, asked=True)


def missing_columns(reading: TableReading) -> tuple[str, ...]:
    """The headers of what the record type requires and the table does not have."""
    fields = {one.field for one in reading.columns if one.role in (ColumnRole.FIELD, ColumnRole.NAME_PART)}
    sheet = reading.sheet
    if sheet is None:
        return ()
    if reading.form is TableForm.WIDE:
        needed = () if "visit" in fields else ("cadre", "type", "started_at")
        fields |= {"type"} if reading.visit_type else set()
        return tuple(sheet.column(field).vi for field in needed if field not in fields)
    if sheet.kind == "measurement" and "name" in fields:
        fields.add("measure")  # a measure by its name
    return tuple(column.vi for column in sheet.columns if column.required and column.field not in fields)


def _fits(reading: TableReading) -> bool:
    """Whether all that the record type requires is there."""
    return not missing_columns(reading)


def _long(
    name: str,
    sheet: Sheet,
    top: Sequence[NumberedRow],
    merged: Sequence[MergedRange],
    context: LayoutContext,
) -> TableReading:
    measures = context.measures if sheet is VISIT_SHEET else _NO_MEASURES

    def recognise(title: str) -> object | None:
        if sheet is PERSON_SHEET and (part := name_part(title)) is not None:
            return ("part", part)
        column = match_title(sheet, title)
        return column.field if column else measures.find(title)

    header, _ = find_header_block(top, merged, recognise)
    columns = _name_parts(sheet, header, _columns(header, sheet, measures))
    return TableReading(name, sheet, TableForm.LONG, header, columns)


def _columns(header: HeaderBlock, sheet: Sheet, measures: MeasureNames) -> tuple[ColumnReading, ...]:
    found = []
    for place, titles in enumerate(header.titles):
        title = titles[0]
        column = next(filter(None, (match_title(sheet, one) for one in titles)), None)
        if column is not None:
            found.append(ColumnReading(place, title, ColumnRole.FIELD, column.field))
        elif measure := _measure(titles, measures):
            found.append(ColumnReading(place, title, ColumnRole.MEASURE, measure.code, measure.unit))
        elif title:
            likely = tuple(measures.candidates(title)) if measures.measures else ()
            found.append(ColumnReading(place, title, ColumnRole.UNKNOWN, candidates=likely))
    return tuple(found)


def _measure(titles: Sequence[str], measures: MeasureNames) -> MeasureTitle | None:
    return next(filter(None, map(measures.find, titles)), None)


def _name_parts(
    sheet: Sheet, header: HeaderBlock, columns: tuple[ColumnReading, ...]
) -> tuple[ColumnReading, ...]:
    """A name over several columns: "Họ và tên đệm" and "Tên", or one header merged over them."""
    if sheet is not PERSON_SHEET:
        return columns
    parts = {one.place: part for one in columns if (part := name_part(one.title)) is not None}
    whole = next((one for one in columns if one.field == "name" and one.place not in parts), None)
    if whole is None and {0, 2} <= set(parts.values()) and len(set(parts.values())) == len(parts):
        places = sorted(parts, key=parts.__getitem__)
    elif whole is not None and whole.place + 1 in header.spans:
        places = [whole.place]
        while places[-1] + 1 in header.spans and not header.title(places[-1] + 1):
            places.append(places[-1] + 1)
    else:
        return columns
    if len(places) < 2:
        return columns
    joined = [ColumnReading(place, header.title(place), ColumnRole.NAME_PART, "name") for place in places]
    return (*(one for one in columns if one.place not in places), *joined)


def _wide(
    name: str, top: Sequence[NumberedRow], merged: Sequence[MergedRange], context: LayoutContext
) -> TableReading | None:
    """The table as a wide one; None where too few of its columns are measures, or no row says whose it is."""
    measures = context.measures
    if not measures.measures:
        return None

    def recognise(title: str) -> object | None:
        column = match_title(WIDE_SHEET, title)
        return column.field if column else measures.find(title)

    header, _ = find_header_block(top, merged, recognise)
    header = _with_units(header, top, measures)
    columns = tuple(_person(one) for one in _columns(header, WIDE_SHEET, measures))
    reading = TableReading(name, WIDE_SHEET, TableForm.WIDE, header, columns)
    whose = reading.place("cadre") is not None or reading.place("visit") is not None
    return reading if whose and len(reading.having(ColumnRole.MEASURE)) >= _ENOUGH else None


def _person(column: ColumnReading) -> ColumnReading:
    """What a wide table says of the person besides the key: known, but not imported from there."""
    known = match_title(PERSON_SHEET, column.title) if column.role is ColumnRole.UNKNOWN else None
    if known is None:
        return column
    return ColumnReading(column.place, column.title, ColumnRole.PERSON, known.field)


def _with_units(header: HeaderBlock, top: Sequence[NumberedRow], measures: MeasureNames) -> HeaderBlock:
    """A row of units below the measures' names belongs to the header."""
    below = next((cells for number, cells in top if header.rows and number == header.rows[-1] + 1), None)
    units = [cell_text(cell) if isinstance(cell, str) else str(cell or "") for cell in below or ()]
    if not any(units) or not all(
        not unit or measures.knows_unit(unit) or fold_label(unit) in ("donvi", "unit", "dvt")
        for unit in units
    ):
        return header
    units += [""] * (len(header.titles) - len(units))
    titles = tuple(
        (f"{names[0]} ({unit})", *names) if unit and measures.knows_unit(unit) and names[0] else names
        for names, unit in zip(header.titles, units, strict=False)
    )
    return HeaderBlock(
        (*header.rows, header.rows[-1] + 1), (*header.cells, tuple(units)), titles, header.spans
    )


def _saved(
    top: Sequence[NumberedRow], merged: Sequence[MergedRange], context: LayoutContext
) -> tuple[HeaderBlock, SavedTable] | None:
    blocks = header_blocks(top, merged) if context.saved else []
    blocks += [_with_units(block, top, context.measures) for block in blocks]
    for block in blocks:
        written = fingerprint(titles[0] for titles in block.titles)
        if written and (saved := context.saved.get(written)):
            return block, saved
    return None


def _as_saved(name: str, header: HeaderBlock, saved: SavedTable) -> TableReading:
    said = iter([one for one in saved.columns if fold_label(one.header)])
    columns: list[ColumnReading] = []
    sheet = saved.sheet
    fields = {one.field for one in sheet.columns} | {"deleted"} if sheet else set()
    for place, titles in enumerate(header.titles):
        if not fold_label(titles[0]):
            if columns and columns[-1].role is ColumnRole.NAME_PART and place in header.spans:
                columns.append(ColumnReading(place, titles[0], ColumnRole.NAME_PART, "name"))
            continue
        column = next(said)
        role = _saved_role(column.means, fields)
        means = "name" if role is ColumnRole.NAME_PART else column.means
        columns.append(ColumnReading(place, titles[0], role, means, column.unit))
    form = TableForm.WIDE if saved.record == WIDE else TableForm.LONG
    return TableReading(
        name, sheet, form, header, tuple(columns), layout=saved.layout, visit_type=saved.visit_type
    )


def _saved_role(means: str, fields: set[str]) -> ColumnRole:
    if means == LEFT_OUT:
        return ColumnRole.IGNORED
    if means == NAME_PART:
        return ColumnRole.NAME_PART
    return ColumnRole.FIELD if means in fields else ColumnRole.MEASURE
