"""How the sheets of files are understood, before anything of them is imported: each column with examples.

Text in the encoding of an old font is shown as an import would read it, and said to be so.

Of people who may be T0 nothing is shown: where a table says tiers, only rows of T1 to T5 give examples; where
it does not, columns that may say who somebody is give none.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from adapter.pipeline.application import Adapter
from adapter.pipeline.layout_context import layout_context
from adapter.records.importing.column_texts import (
    ColumnEncoding,
    FileEncodings,
    column_encodings,
    read_in_encoding,
)
from adapter.records.layouts.body_rows import LeftOutRows, body_rows
from adapter.records.layouts.layout_tabs import column_letters, key_place, tier_place
from adapter.records.layouts.raw_table import NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableReading
from adapter.records.layouts.understanding import LayoutContext, missing_columns, understand
from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.tier_cell import TierReading
from adapter.records.sheets.vietnamese_text.readings import legacy_readings
from adapter.records.sheets.words import Words
from adapter.records.sources.open_tabs import tables_of, without_sheet_number

__all__ = ["ColumnLook", "TableLook", "look_at_files"]

_EXAMPLES = 3
_SHOWN = 40
# Fields that say nothing of who somebody is.
_OF_NOBODY = frozenset(
    (
        *("measure", "value", "unit", "low", "high", "flag", "status", "type", "advice", "health_class"),
        *("cadre_class", "specimens", "certainty", "is_new", "icd10", "category", "service", "priority"),
        *("vaccine", "dose_number", "site", "code", "started_at", "ended_at", "taken_at", "given_at"),
        *("ordered_at", "due_on", "sex", "ethnic_group", "province"),
    )
)


@dataclass(frozen=True, slots=True)
class ColumnLook:
    """A column: how it was understood, and up to three of its values. `means` is a field or a measure's code,
    `name` what that is called; `candidates` what an unknown header may mean; `encoding` that of an old font,
    in which its text was written, "" for none.
    """

    column: str
    header: str
    role: str
    means: str
    name: str
    unit: str
    candidates: tuple[str, ...]
    examples: tuple[str, ...]
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class TableLook:
    """A sheet or a CSV. `record` None: none was found. `asked`: it is not imported before a person says that
    it is this one; `missing`: what the record type requires and the table does not have.
    """

    file: str
    sheet: str
    record: str | None
    record_name: str
    form: str
    header_rows: tuple[int, ...]
    asked: bool
    layout: str | None
    visit_type: str | None
    missing: tuple[str, ...]
    left_out: tuple[int, ...]
    columns: tuple[ColumnLook, ...]

    @property
    def waits(self) -> bool:
        """Whether it cannot be imported as it is."""
        return self.asked or bool(self.missing)


def look_at_files(adapter: Adapter, files: Sequence[Path]) -> tuple[TableLook, ...]:
    """How each table of the files is understood; imports nothing. Raises ImportRefused for what is none."""
    context = layout_context(adapter.settings)
    with ExitStack() as stack:
        return tuple(look for path in files for look in _look_at_file(tables_of(path, stack), context))


def _look_at_file(tables: Iterable[RawTable], context: LayoutContext) -> list[TableLook]:
    """Twice: what could be of two encodings is of that which other sheets are in, wherever they stand."""
    tables, encodings = list(tables), FileEncodings()
    for table in tables:
        _look(table, context, encodings)
    return [_look(table, context, encodings) for table in tables]


def _look(table: RawTable, context: LayoutContext, encodings: FileEncodings) -> TableLook:
    reading = understand(table, without_sheet_number(table.name) if table.partial else table.name, context)
    sheet, left_out = reading.sheet, LeftOutRows()
    key, tier = key_place(reading), tier_place(reading)
    body = list(
        body_rows(iter(table.top()), reading.header, key, tier, merged=table.merged(), left_out=left_out)
    )
    shown = _may_be_shown(reading, body, context.words)
    listed = list(_all_columns(reading, body))
    texts = {one.place: _texts(one, body, shown) for one in listed}
    found = column_encodings(
        {place: [text for text in said if not text.isascii()] for place, said in texts.items()}, encodings
    )
    columns = tuple(_column(one, reading, context, texts[one.place], found.get(one.place)) for one in listed)
    return TableLook(
        file=table.source,
        sheet=table.name,
        record=sheet.kind if sheet else None,
        record_name=f"{sheet.vi} / {sheet.en}" if sheet else "",
        form=str(reading.form),
        header_rows=reading.header.rows if sheet else (),
        asked=reading.asked,
        layout=reading.layout,
        visit_type=reading.visit_type,
        missing=missing_columns(reading),
        left_out=left_out.first,
        columns=columns if sheet else (),
    )


def _all_columns(reading: TableReading, body: Sequence[NumberedRow]) -> Iterator[ColumnReading]:
    known = {one.place: one for one in reading.columns}
    width = max((len(cells) for _, cells in body), default=0)
    for place in range(max(width, len(reading.header.titles))):
        if place in known:
            yield known[place]
        elif any(place < len(cells) and cells[place] not in ("", None) for _, cells in body):
            yield ColumnReading(place, "", ColumnRole.UNKNOWN)


def _may_be_shown(
    reading: TableReading, body: Sequence[NumberedRow], words: Words
) -> list[NumberedRow] | None:
    """The rows of people of T1 to T5; None where the table does not say tiers."""
    tier = tier_place(reading)
    if tier is None:
        return None
    return [row for row in body if tier < len(row[1]) and words.read_tier(row[1][tier]) is TierReading.KEPT]


def _texts(column: ColumnReading, body: Sequence[NumberedRow], shown: list[NumberedRow] | None) -> list[str]:
    """The column's cells that may be shown, as they are written."""
    of_nobody = column.role is ColumnRole.MEASURE or (
        column.role is ColumnRole.FIELD and column.field in _OF_NOBODY
    )
    rows = shown if shown is not None else body if of_nobody else ()
    cells_of = (cells[column.place] for _, cells in rows if column.place < len(cells))
    return [text for cell in cells_of if (text := cell_text(cell))]


def _column(
    column: ColumnReading,
    reading: TableReading,
    context: LayoutContext,
    texts: Sequence[str],
    encoding: ColumnEncoding | None,
) -> ColumnLook:
    examples = list(islice(dict.fromkeys(texts), _EXAMPLES))
    read = [read_in_encoding(text, encoding) for text in examples]
    return ColumnLook(
        column_letters(column.place),
        _header(column.title),
        str(column.role),
        column.field,
        _name(column, reading, context),
        column.unit,
        column.candidates,
        tuple(text[:_SHOWN] for text in read),
        (encoding.encoding or "") if encoding and read != examples else "",
    )


def _header(title: str) -> str:
    """A header as it was meant, where all encodings in which it can be Vietnamese agree."""
    meant = set(legacy_readings(title).values())
    return meant.pop() if len(meant) == 1 else title


def _name(column: ColumnReading, reading: TableReading, context: LayoutContext) -> str:
    if column.role is ColumnRole.MEASURE:
        known = context.measures.measures.get(column.field)
        return known.vi if known else ""
    if reading.sheet is None or not column.field:
        return ""
    known_columns = {one.field: one for one in reading.sheet.columns}
    return known_columns[column.field].vi if column.field in known_columns else ""
