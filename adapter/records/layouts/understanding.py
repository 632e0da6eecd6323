"""What a table is: its record type, its header, and what each column means. Pure but for reading its top.

The sheet's name says the record type. Where it does not, and the columns fit one, a person is asked.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from adapter.records.layouts.header_block import HeaderBlock, find_header_block, header_blocks
from adapter.records.layouts.measure_names import MeasureNames, MeasureTitle
from adapter.records.layouts.raw_table import MergedRange, NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableForm, TableReading
from adapter.records.layouts.saved_layout import LEFT_OUT, NAME_PART, OPEN, WIDE, SavedTable, fingerprint
from adapter.records.layouts.titles import match_title, name_part
from adapter.records.layouts.wide_sheet import PERSON_SHEET, VISIT_SHEET, WIDE_SHEET, is_wide_name
from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.layout import SHEETS, find_sheet
from adapter.records.sheets.words import NO_WORDS, Words
from adapter.texts import current_language

__all__ = ["LayoutContext", "measure_title", "missing_columns", "nearest_reading", "understand"]

_ENOUGH = 2  # columns of measures that make a table a wide one, however they are worded
_NO_MEASURES = MeasureNames(())
_ALIKE = 0.6
_TIER = re.compile(r"(?:diện\s*|tier\s*)?T\s*[0-5]", re.IGNORECASE)


@dataclass(frozen=True)
class LayoutContext:
    """What helps to understand tables: the measures' names, a centre's words, the layouts that were kept;
    `codes` are those that a field's code table has, by field.
    """

    measures: MeasureNames = _NO_MEASURES
    words: Words = NO_WORDS
    saved: Mapping[tuple[str, ...], SavedTable] = field(default_factory=dict)
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)


def understand(table: RawTable, name: str, context: LayoutContext) -> TableReading:
    """How the table is understood; `name` is its own without the number that a rejects file gives it."""
    top = table.top()
    return _with_tiers(_understand(name, top, table.merged(), context), top)


def _with_tiers(reading: TableReading, top: Sequence[NumberedRow]) -> TableReading:
    """Where no header of a table that is not of people says tiers, a column of T0 to T5 alone does:
    whom it calls T0 is hidden, whatever the column is called.
    """
    if reading.sheet in (None, PERSON_SHEET) or any(one.field == "tier" for one in reading.columns):
        return reading
    body = [cells for number, cells in top if number > max(reading.header.rows, default=0)]

    def says_tiers(column: ColumnReading) -> bool:
        cells = (cells[column.place] for cells in body if column.place < len(cells))
        texts = [text for cell in cells if (text := cell_text("" if cell is None else cell))]
        return bool(texts) and all(map(_TIER.fullmatch, texts))

    unused = (ColumnRole.UNKNOWN, ColumnRole.IGNORED)
    columns = tuple(
        replace(one, role=ColumnRole.PERSON, field="tier") if one.role in unused and says_tiers(one) else one
        for one in reading.columns
    )
    return replace(reading, columns=columns)


def _understand(
    name: str, top: Sequence[NumberedRow], merged: Sequence[MergedRange], context: LayoutContext
) -> TableReading:
    if saved := _saved(top, merged, context):
        return _as_saved(name, *saved, context.measures)
    named = find_sheet(name)
    if named is not None and (reading := _long(name, named, top, merged, context)) and _fits(reading):
        return reading
    read = _wide(name, top, merged, context)
    wide = read if read is not None and _is_wide(read, context.measures) else None
    if wide is not None and (is_wide_name(name) or named is SHEETS[2]):
        return wide
    if read is not None and is_wide_name(name) and any(map(any, read.header.titles)):
        return _asking(read)  # it says what it is, and that would be left out
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


def nearest_reading(table: RawTable, name: str, context: LayoutContext) -> TableReading | None:
    """The record type that a table which is none comes nearest to, by its columns and then its name; None
    where neither says anything.
    """
    top, merged = table.top(), table.merged()
    plain = fold_label(name)

    def nearness(reading: TableReading) -> tuple[int, float]:
        sheet = reading.sheet
        names = (sheet.vi, sheet.en, *sheet.aliases) if sheet else ()
        alike = (SequenceMatcher(None, plain, fold_label(one)).ratio() for one in names)
        return len(reading.having(ColumnRole.FIELD)), max(alike, default=0)

    nearest = max((_long(name, sheet, top, merged, context) for sheet in SHEETS), key=nearness)
    columns, alike = nearness(nearest)
    return nearest if columns > 1 or alike > _ALIKE else None


def missing_columns(reading: TableReading) -> tuple[str, ...]:
    """The headers, in the language in use, of what the record type requires and the table does not have."""
    language = current_language()
    fields = {one.field for one in reading.columns if one.role in (ColumnRole.FIELD, ColumnRole.NAME_PART)}
    sheet = reading.sheet
    if sheet is None:
        return ()
    if reading.form is TableForm.WIDE:
        needed = () if "visit" in fields else ("cadre", "type", "started_at")
        fields |= {"type"} if reading.visit_type else set()
        without = [sheet.column(field).header(language) for field in needed if field not in fields]
        return tuple(without if reading.having(ColumnRole.MEASURE) else [*without, measure_title()])
    if sheet.kind == "measurement" and "name" in fields:
        fields.add("measure")  # a measure by its name
    required = (column for column in sheet.columns if column.required and column.field not in fields)
    return tuple(column.header(language) for column in required)


def measure_title() -> str:
    """What the name of a measure is called, where a table lacks one."""
    return SHEETS[2].column("name").header(current_language())


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
    if sheet is not PERSON_SHEET:
        columns = tuple(map(_person, columns))
    return TableReading(name, sheet, TableForm.LONG, header, columns)


def _columns(header: HeaderBlock, sheet: Sheet, measures: MeasureNames) -> tuple[ColumnReading, ...]:
    found = []
    for place, titles in enumerate(header.titles):
        title = titles[0]
        column = next(filter(None, (match_title(sheet, one) for one in titles)), None)
        if column is not None:
            found.append(ColumnReading(place, title, ColumnRole.FIELD, column.field))
        elif title or _measure(titles, measures):
            found.append(_of_a_measure(place, titles, measures))
    return tuple(found)


def _of_a_measure(place: int, titles: Sequence[str], measures: MeasureNames) -> ColumnReading:
    """A column that is no field: a measure's, or not known."""
    if measure := _measure(titles, measures):
        return ColumnReading(place, titles[0], ColumnRole.MEASURE, measure.code, measure.unit)
    asked = (code for title in titles for code in measures.candidates(title)) if measures.measures else ()
    return ColumnReading(place, titles[0], ColumnRole.UNKNOWN, candidates=tuple(dict.fromkeys(asked)))


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
    """The table as a wide one; None where no measures are known."""
    measures = context.measures
    if not measures.measures:
        return None

    def recognise(title: str) -> object | None:
        column = match_title(WIDE_SHEET, title)
        return column.field if column else measures.find(title)

    header, _ = find_header_block(top, merged, recognise)
    header = _with_units(header, top, measures)
    columns = tuple(_person(one) for one in _columns(header, WIDE_SHEET, measures))
    return TableReading(name, WIDE_SHEET, TableForm.WIDE, header, columns)


def _is_wide(reading: TableReading, measures: MeasureNames) -> bool:
    """Whether it is one: a row says whose it is, and there are measures enough; one that is called as the
    table calls it is enough where a row says the day too.
    """
    has = {one.field for one in reading.having(ColumnRole.FIELD)}
    found = reading.having(ColumnRole.MEASURE)
    if not has & {"cadre", "visit"} or not found:
        return False
    titles = reading.header.titles
    is_exact = any(measures.is_exact(title) for one in found for title in titles[one.place])
    return len(found) >= _ENOUGH or (is_exact and bool(has & {"visit", "started_at", "taken_at"}))


def _person(column: ColumnReading) -> ColumnReading:
    """What a table that is not of people says of them besides the key: known, but not imported from there."""
    unused = column.role in (ColumnRole.UNKNOWN, ColumnRole.IGNORED)
    known = match_title(PERSON_SHEET, column.title) if unused else None
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


def _as_saved(name: str, header: HeaderBlock, saved: SavedTable, measures: MeasureNames) -> TableReading:
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
        if role is ColumnRole.UNKNOWN:
            columns.append(_of_a_measure(place, titles, measures))
        else:
            columns.append(ColumnReading(place, titles[0], role, means, column.unit))
    form = TableForm.WIDE if saved.record == WIDE else TableForm.LONG
    if sheet is not PERSON_SHEET:  # whom a row calls T0 is hidden, whether the column is imported or not
        columns = [_person(one) for one in columns]
    return TableReading(
        name, sheet, form, header, tuple(columns), layout=saved.layout, visit_type=saved.visit_type
    )


def _saved_role(means: str, fields: set[str]) -> ColumnRole:
    if means == OPEN:
        return ColumnRole.UNKNOWN
    if means == LEFT_OUT:
        return ColumnRole.IGNORED
    if means == NAME_PART:
        return ColumnRole.NAME_PART
    return ColumnRole.FIELD if means in fields else ColumnRole.MEASURE
