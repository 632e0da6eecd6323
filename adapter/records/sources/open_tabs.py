"""Files as tabs of rows: XLSX through calamine, CSV through the standard library.

Neither is held in memory as a whole: CSV is streamed, large sheets are read in slices (`xlsx_slices`).
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from adapter.errors import ImportRefused
from adapter.records.layouts.layout_tabs import table_tabs
from adapter.records.layouts.raw_table import MergedRange, NumberedRow, RawTable
from adapter.records.layouts.understanding import (
    LayoutContext,
    measure_title,
    missing_columns,
    nearest_reading,
    understand,
)
from adapter.records.layouts.wide_sheet import is_wide_name
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.columns import IGNORED_SHEETS
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.tab import Tab
from adapter.records.sources.csv_table import csv_table
from adapter.records.sources.marked_cells import MarkedCells, marked_cells
from adapter.records.sources.number_formats import mark_cells
from adapter.records.sources.workbook_limits import check_workbook
from adapter.records.sources.xlsx_slices import (
    SLICE_BYTES,
    SLICING_THRESHOLD_BYTES,
    cell_marks,
    merged_ranges,
    sheet_entries,
    sliced_rows,
)
from adapter.texts import current_language

__all__ = [
    "REJECTS_MARK",
    "InputOptions",
    "open_tabs",
    "table_name",
    "tables_of",
    "without_sheet_number",
]

REJECTS_MARK = "_rejects"  # a sheet or a file of this name: what is here is not everything
_NUMBER = re.compile(r"(?:\s*\(\d+\))+$")
_TOP_ROWS = 60  # rows that are not empty, which a table is understood by
_TOP_BYTES = 200_000
_ROWS_OF_RECORDS = 3  # a header and two rows


@dataclass(frozen=True)
class InputOptions:
    """How files are read that are not tables. `full`: a database is read whole, not only what changed;
    `form`: which element of a check-up form is which field (None: the national form); `layouts`: what helps
    to understand sheets.
    """

    full: bool = False
    form: Path | None = None
    layouts: LayoutContext = field(default_factory=LayoutContext)


def open_tabs(
    files: Sequence[Path], stack: ExitStack, warn: Callable[..., None], inputs: InputOptions
) -> list[Tab]:
    """The tabs of all files, ordered so that people come before what refers to them.

    Raises ImportRefused for a file that is neither, that is damaged, or that holds nothing we know.
    """
    tabs: list[Tab] = []
    for path in files:
        found = _other_tabs(path, inputs)
        if path.is_dir() or not found:  # a folder may hold both
            found += _tabs_of(path, stack, warn, inputs.layouts)
        if not found:
            raise ImportRefused("import.no_known_sheet", file=path.name)
        tabs += found
    # A wide table's visits are made when all others are known, its empty cells heard when all have been read.
    return sorted(
        tabs,
        key=lambda tab: (
            SHEETS.index(tab.sheet),
            tab.column_of is not None or tab.visits is not None,
        ),
    )


def _other_tabs(path: Path, inputs: InputOptions) -> list[Tab]:
    """The tabs of a database or of check-up forms; none if the path is neither."""
    if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
        from adapter.records.sources.sql.changed_and_gone_rows import source_tabs

        return source_tabs(path, full=inputs.full)
    forms = [path] if path.is_file() else sorted(path.glob("*"))
    if forms := [file for file in forms if file.suffix.lower() == ".xml" and file.is_file()]:
        from adapter.records.sources.checkup.tabs import form_tabs

        return form_tabs(forms, inputs.form)
    return []


def without_sheet_number(name: str) -> str:
    """A page's name without the number that a rejects file gives it: "Cán bộ (2)" is "Cán bộ"."""
    return _NUMBER.sub("", name)


def table_name(table: RawTable) -> str:
    """What the table is called, but for the number that a rejects file gives it."""
    return without_sheet_number(table.name) if table.partial else table.name


def _tabs_of(
    path: Path, stack: ExitStack, warn: Callable[..., None], context: LayoutContext
) -> Iterator[Tab]:
    asked: list[str] = []
    is_csv = False
    for table in tables_of(path, stack):
        is_csv = table.csv
        name = table_name(table)
        reading = understand(table, name, context)
        if reading.asked and is_wide_name(name):
            missing = ", ".join(missing_columns(reading)) or measure_title()
            raise ImportRefused("layout.ask_measures", file=path.name, sheet=table.name, missing=missing)
        if reading.asked and reading.sheet is not None:
            asked.append(f'"{table.name}": {reading.sheet.title(current_language())}')
        elif reading.sheet is not None:
            yield from table_tabs(table, reading, context, warn)
        elif reading.layout is None:
            _say_unread(path, table, warn, context)
    if asked:
        text = "layout.ask_csv" if is_csv else "layout.ask"
        raise ImportRefused(text, file=path.name, sheets="; ".join(asked))


def _say_unread(path: Path, table: RawTable, warn: Callable[..., None], context: LayoutContext) -> None:
    """A sheet that is none; what has rows below a header may be records, and is said with what it is near."""
    if len(table.top()) < _ROWS_OF_RECORDS:
        warn("import.unknown_sheet", file=path.name, sheet=table.name)
        return
    nearest = nearest_reading(table, table.name, context)
    if nearest is None or nearest.sheet is None:
        warn("import.unread_sheet", file=path.name, sheet=table.name)
        return
    record = nearest.sheet.title(current_language())
    missing = ", ".join(missing_columns(nearest)) or "-"
    warn("import.unread_sheet_near", file=path.name, sheet=table.name, record=record, missing=missing)


def tables_of(path: Path, stack: ExitStack) -> Iterator[RawTable]:
    """The tables of a workbook, a CSV or a folder of CSVs, but for those that are the adapter's own notes."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".csv")
        partial = any(file.stem == REJECTS_MARK for file in path.iterdir())
        for file in files:
            yield csv_table(file, partial)
    elif not path.is_file():
        raise ImportRefused("import.no_file", file=str(path))
    elif path.suffix.lower() in (".csv", ".txt"):
        yield csv_table(path, False)
    else:
        yield from _workbook_tables(path, stack)


def _workbook_tables(path: Path, stack: ExitStack) -> Iterator[RawTable]:
    places = _sheet_places(path)
    try:
        workbook = stack.enter_context(CalamineWorkbook.from_path(path))
    except (CalamineError, OSError, ValueError) as error:
        raise ImportRefused("import.not_a_workbook", file=path.name) from error
    names = [one.name for one in workbook.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    partial = any(fold_label(name) == fold_label(REJECTS_MARK) for name in names)
    for name in names:
        if fold_label(name) not in IGNORED_SHEETS:
            entry, size = places.get(name, ("", 1000))
            if size >= SLICING_THRESHOLD_BYTES:
                yield _sliced(path, name, entry, size, partial)
            else:
                yield _Whole(path, workbook, name, entry, size).table(partial)


class _Whole:
    """A sheet that calamine reads at once. What was read to understand it is read once: the import has it."""

    def __init__(self, path: Path, workbook: CalamineWorkbook, name: str, entry: str, size: int) -> None:
        self._path, self._workbook, self._name = path, workbook, name
        self._entry, self._size = entry, size
        self._sheet: CalamineSheet | None = None
        self._marks: MarkedCells | None = None

    def table(self, partial: bool) -> RawTable:
        return RawTable(
            self._path.name, self._name, partial, self._size, False, self._rows, self._top, self._merged
        )

    def _open(self) -> CalamineSheet:
        if self._sheet is None:
            try:
                self._sheet = self._workbook.get_sheet_by_name(self._name)
            except (CalamineError, ValueError) as error:
                raise ImportRefused("import.not_a_workbook", file=self._path.name) from error
        return self._sheet

    def _merged(self) -> Sequence[MergedRange]:
        return self._open().merged_cell_ranges or ()

    def _top(self) -> Sequence[NumberedRow]:
        rows = self._marked()
        return list(islice(((n, cells) for n, cells in rows if cells.count("") != len(cells)), _TOP_ROWS))

    def _marked(self) -> Iterator[NumberedRow]:
        """The rows, their cells as they are shown: what a format or a failed formula makes of them."""
        sheet = self._open()
        if self._marks is None:
            xlsx = self._entry
            self._marks = cell_marks(self._path, xlsx) if xlsx else marked_cells(self._path, self._name)
        for number, cells in enumerate(sheet.iter_rows(), 1):
            if self._marks:
                mark_cells(cells, self._marks.get(number, {}))
            yield number, cells

    def _rows(self, tab: Tab) -> Iterator[NumberedRow]:
        share = tab.size / max(self._open().total_height, 1)
        for number, cells in self._marked():
            tab.done = min(int(number * share), tab.size)
            yield number, cells


def _sliced(path: Path, name: str, entry: str, size: int, partial: bool) -> RawTable:
    def read(tab: Tab | None, slice_bytes: int) -> Iterator[NumberedRow]:
        try:
            for number, cells, done in sliced_rows(path, name, entry, slice_bytes=slice_bytes):
                if tab is not None:
                    tab.done = done
                yield number, cells
        except (CalamineError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ImportRefused("import.not_a_workbook", file=path.name) from error

    def top() -> Sequence[NumberedRow]:
        rows = read(None, _TOP_BYTES)
        return list(islice(((n, cells) for n, cells in rows if cells.count("") != len(cells)), _TOP_ROWS))

    def merged() -> Sequence[MergedRange]:
        return merged_ranges(path, entry)

    return RawTable(
        path.name, name, partial, size, False, lambda tab: read(tab, SLICE_BYTES), top, cache(merged)
    )


def _sheet_places(path: Path) -> dict[str, tuple[str, int]]:
    """Each sheet's entry in the workbook and its unpacked bytes; none if it is no zip (XLS)."""
    try:
        if not zipfile.is_zipfile(path):
            return {}
        with zipfile.ZipFile(path) as archive:
            check_workbook(path, archive)
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            entries = sheet_entries(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise ImportRefused("import.not_a_workbook", file=path.name) from error
    return {name: (entry, sizes[entry]) for name, entry in entries.items()}
