"""How the sheets of files are understood, before anything of them is imported: each column with examples.

Text in the encoding of an old font is shown as an import would read it, and said to be so.

Of people who may be T0 nothing is shown: where a table says tiers, only rows of T1 to T5 give examples; where
it does not, columns that may say who somebody is give those of people whom another table or the records know.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from adapter.insights.look_guard import LookGuard, ReadTable
from adapter.pipeline.application import Adapter
from adapter.pipeline.layout_context import layout_context
from adapter.records.importing.column_texts import (
    ColumnEncoding,
    FileEncodings,
    column_encodings,
    read_in_encoding,
)
from adapter.records.importing.hidden_people import CONCEALED
from adapter.records.layouts.body_rows import LeftOutRows, body_rows
from adapter.records.layouts.layout_tabs import column_letters, key_place, tier_place
from adapter.records.layouts.raw_table import NumberedRow, RawTable
from adapter.records.layouts.reading import ColumnReading, ColumnRole, TableReading
from adapter.records.layouts.understanding import LayoutContext, missing_columns, understand
from adapter.records.layouts.wide_sheet import is_wide_name
from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.vietnamese_text.readings import legacy_readings
from adapter.records.sources.open_tabs import table_name, tables_of
from adapter.texts import current_language

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
    in which its text was written, "" for none. `tells`: the header is not shown, since it tells of somebody
    whose records are not handled.
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
    tells: bool = False


@dataclass(frozen=True, slots=True)
class TableLook:
    """A sheet or a CSV. `record` None: none was found. `asked`: it is not imported before a person says that
    it is this one, `is_named` though its name says so; `missing`: what the record type requires and the table
    does not have.
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
    is_named: bool = False
    is_csv: bool = False

    @property
    def waits(self) -> bool:
        """Whether it cannot be imported as it is."""
        return self.asked or bool(self.missing)


def look_at_files(adapter: Adapter, files: Sequence[Path]) -> tuple[TableLook, ...]:
    """How each table of the files is understood; imports nothing. Raises ImportRefused for what is none."""
    context = layout_context(adapter.settings)
    with ExitStack() as stack:
        read = [[_read(table, context) for table in tables_of(path, stack)] for path in files]
        guard = LookGuard(adapter, [one for tables in read for one in tables], context)
        return tuple(look for tables in read for look in _look_at_file(tables, context, guard))


def _read(table: RawTable, context: LayoutContext) -> ReadTable:
    return table, understand(table, table_name(table), context)


def _look_at_file(tables: Sequence[ReadTable], context: LayoutContext, guard: LookGuard) -> list[TableLook]:
    """Twice: what could be of two encodings is of that which other sheets are in, wherever they stand."""
    encodings = FileEncodings()
    for one in tables:
        _look(one, context, guard, encodings)
    return [_look(one, context, guard, encodings) for one in tables]


def _look(read: ReadTable, context: LayoutContext, guard: LookGuard, encodings: FileEncodings) -> TableLook:
    table, reading = read
    sheet, left_out = reading.sheet, LeftOutRows()
    key, tier = key_place(reading), tier_place(reading)
    body = list(
        body_rows(iter(table.top()), reading.header, key, tier, merged=table.merged(), left_out=left_out)
    )
    shown = [row for row in body if guard.may_show(reading, row[1])]
    listed = list(_all_columns(reading, body))
    says_tiers = tier is not None
    texts = {one.place: _texts(one, shown if says_tiers or _may_tell(one) else body, guard) for one in listed}
    found = column_encodings(
        {place: [text for text in said if not text.isascii()] for place, said in texts.items()}, encodings
    )
    examples = {place: _examples(said, found.get(place), guard) for place, said in texts.items()}
    looks = (_column(one, reading, context, examples[one.place]) for one in listed)
    titled = zip(looks, (guard.shown(one.title) == one.title for one in listed), strict=True)
    columns = tuple(one if said else replace(one, header=CONCEALED, tells=True) for one, said in titled)
    return TableLook(
        file=guard.shown(table.source),
        sheet=guard.shown(table.name),
        record=sheet.kind if sheet else None,
        record_name=sheet.title(current_language()) if sheet else "",
        form=str(reading.form),
        header_rows=reading.header.rows if sheet else (),
        asked=reading.asked,
        is_named=is_wide_name(reading.name),
        is_csv=table.csv,
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


def _may_tell(column: ColumnReading) -> bool:
    """Whether the column may say who somebody is."""
    of_nobody = column.role is ColumnRole.FIELD and column.field in _OF_NOBODY
    return column.role is not ColumnRole.MEASURE and not of_nobody


def _texts(column: ColumnReading, rows: Sequence[NumberedRow], guard: LookGuard) -> list[str]:
    """The column's cells of these rows, as they are written, without those that tell of somebody hidden."""
    cells_of = (cells[column.place] for _, cells in rows if column.place < len(cells))
    return [text for cell in cells_of if (text := cell_text(cell)) and not guard.is_secret(text)]


def _examples(
    texts: Sequence[str], encoding: ColumnEncoding | None, guard: LookGuard
) -> tuple[tuple[str, ...], str]:
    """Up to three of them as an import reads them, and the encoding where that is not as they are written."""
    pairs = ((text, read_in_encoding(text, encoding)) for text in dict.fromkeys(texts))
    examples = list(islice((pair for pair in pairs if not guard.is_secret(pair[1])), _EXAMPLES))
    is_converted = any(text != read for text, read in examples)
    name = (encoding.encoding or "") if encoding and is_converted else ""
    return tuple(read[:_SHOWN] for _, read in examples), name


def _column(
    column: ColumnReading,
    reading: TableReading,
    context: LayoutContext,
    shown: tuple[tuple[str, ...], str],
) -> ColumnLook:
    examples, encoding = shown
    return ColumnLook(
        column_letters(column.place),
        _header(column.title),
        str(column.role),
        column.field,
        _name(column, reading, context),
        column.unit,
        column.candidates,
        examples,
        encoding,
    )


def _header(title: str) -> str:
    """A header as it was meant, where all encodings in which it can be Vietnamese agree."""
    meant = set(legacy_readings(title).values())
    return meant.pop() if len(meant) == 1 else title


def _name(column: ColumnReading, reading: TableReading, context: LayoutContext) -> str:
    if column.role is ColumnRole.MEASURE:
        known = context.measures.measures.get(column.field)
        return "" if known is None else known.vi if current_language() == "vi" else known.en
    if reading.sheet is None or not column.field:
        return ""
    known_columns = {one.field: one for one in reading.sheet.columns}
    return known_columns[column.field].header(current_language()) if column.field in known_columns else ""
