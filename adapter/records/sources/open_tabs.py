"""Files as tabs of rows: XLSX through calamine, CSV through the standard library.

Neither is held in memory as a whole: CSV is streamed, large sheets are read in slices (`xlsx_slices`).
"""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from adapter.errors import ImportRefused
from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.columns import IGNORED_SHEETS, Sheet
from adapter.records.sheets.formula_cells import restored
from adapter.records.sheets.layout import SHEETS, find_sheet
from adapter.records.sheets.tab import Tab
from adapter.records.sources.workbook_limits import check_workbook
from adapter.records.sources.xlsx_slices import (
    SLICING_THRESHOLD_BYTES,
    error_cells,
    sheet_entries,
    sliced_rows,
)

__all__ = ["REJECTS_MARK", "InputOptions", "open_tabs", "without_sheet_number"]

REJECTS_MARK = "_rejects"  # a sheet or a file of this name: what is here is not everything
_NUMBER = re.compile(r"(?:\s*\(\d+\))+$")
_SEPARATOR = re.compile(r"\ufeff?\"?sep=([;,\t])", re.IGNORECASE)
_SEPARATORS = ";,\t"
_TOP_LINES = 12
_COLUMNS = 3  # separators at least: every sheet has four required columns
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class InputOptions:
    """How files are read that are not tables. `full`: a database is read whole, not only what changed;
    `form`: which element of a check-up form is which field (None: the national form).
    """

    full: bool = False
    form: Path | None = None


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
            found += _tabs_of(path, stack, warn)
        if not found:
            raise ImportRefused("import.no_known_sheet", file=path.name)
        tabs += found
    return sorted(tabs, key=lambda tab: SHEETS.index(tab.sheet))


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


def _tabs_of(path: Path, stack: ExitStack, warn: Callable[..., None]) -> Iterator[Tab]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".csv")
        partial = any(file.stem == REJECTS_MARK for file in path.iterdir())
        for file in files:
            sheet = find_sheet(without_sheet_number(file.stem) if partial else file.stem)
            if sheet is None:
                warn("import.unknown_sheet", file=path.name, sheet=file.name)
            else:
                yield _csv_tab(file, sheet, partial)
    elif not path.is_file():
        raise ImportRefused("import.no_file", file=str(path))
    elif path.suffix.lower() in (".csv", ".txt"):
        if sheet := find_sheet(path.stem):
            yield _csv_tab(path, sheet, partial=False)
    else:
        yield from _workbook_tabs(path, stack, warn)


def _workbook_tabs(path: Path, stack: ExitStack, warn: Callable[..., None]) -> Iterator[Tab]:
    places = _sheet_places(path)
    try:
        workbook = stack.enter_context(CalamineWorkbook.from_path(path))
    except (CalamineError, OSError, ValueError) as error:
        raise ImportRefused("import.not_a_workbook", file=path.name) from error
    names = workbook.sheet_names
    partial = any(fold_label(name) == fold_label(REJECTS_MARK) for name in names)
    for name in names:
        sheet = find_sheet(without_sheet_number(name) if partial else name)
        if sheet is not None:
            entry, size = places.get(name, ("", 1000))
            rows = (
                _sliced(path, name, entry)
                if size >= SLICING_THRESHOLD_BYTES
                else _whole(path, workbook, name, entry)
            )
            yield Tab(path.name, name, sheet, partial, size, False, rows)
        elif fold_label(name) not in IGNORED_SHEETS:
            warn("import.unknown_sheet", file=path.name, sheet=name)


def _whole(
    path: Path, workbook: CalamineWorkbook, name: str, entry: str
) -> Callable[[Tab], Iterator[tuple[int, list[CellValue]]]]:
    def rows(tab: Tab) -> Iterator[tuple[int, list[CellValue]]]:
        try:
            sheet = workbook.get_sheet_by_name(name)
        except (CalamineError, ValueError) as error:
            raise ImportRefused("import.not_a_workbook", file=path.name) from error
        share = tab.size / max(sheet.total_height, 1)
        errors = error_cells(path, entry) if entry else {}
        for number, cells in enumerate(sheet.iter_rows(), 1):
            for place, failed in errors.get(number, {}).items():
                if place < len(cells):
                    cells[place] = failed
            tab.done = min(int(number * share), tab.size)
            yield number, cells

    return rows


def _sliced(path: Path, name: str, entry: str) -> Callable[[Tab], Iterator[tuple[int, list[CellValue]]]]:
    def rows(tab: Tab) -> Iterator[tuple[int, list[CellValue]]]:
        try:
            for number, cells, done in sliced_rows(path, name, entry):
                tab.done = done
                yield number, cells
        except (CalamineError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ImportRefused("import.not_a_workbook", file=path.name) from error

    return rows


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


def _csv_tab(path: Path, sheet: Sheet, partial: bool) -> Tab:
    return Tab(
        path.name, path.stem, sheet, partial, path.stat().st_size, True, lambda tab: _csv_rows(path, tab)
    )


def _csv_rows(path: Path, tab: Tab) -> Iterator[tuple[int, list[CellValue]]]:
    with path.open("rb") as raw:
        start = raw.read(4)
        raw.seek(0)
        encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), "utf-8")
        wrapped = io.TextIOWrapper(raw, encoding, errors="strict", newline="")
        try:
            first = [wrapped.readline() for _ in range(_TOP_LINES)]
            wrapped.seek(0)
            reader = csv.reader(wrapped, delimiter=_delimiter(first), strict=True)
            for number, cells in enumerate(reader, 1):
                tab.done = raw.tell()
                if number > 1 or not _SEPARATOR.match(first[0]):
                    yield number, [restored(cell) if cell.startswith("'") else cell for cell in cells]
        except UnicodeDecodeError as error:
            raise ImportRefused("import.not_utf8", file=path.name) from error
        except csv.Error as error:
            raise ImportRefused("import.not_csv", file=path.name, line=reader.line_num) from error


def _delimiter(lines: list[str]) -> str:
    """What Excel's own first line says, else what is most frequent in the first line that looks a header."""
    if match := _SEPARATOR.match(lines[0]):
        return match[1]
    header = next((line for line in lines if max(map(line.count, _SEPARATORS)) >= _COLUMNS), lines[0])
    return max(_SEPARATORS, key=header.count)
