"""Tables of cells as files of five types: XLSX, XLS, XLSB, ODS, and CSVs in several encodings."""

import csv
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from html import escape
from pathlib import Path
from typing import Any

import xlwt
from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from pyxlsbwriter import XlsbWriter

__all__ = ["CSV_ENCODINGS", "WORKBOOKS", "Grid", "write_csvs", "write_workbook"]

Merged = tuple[int, int, int, int]  # first and last row, first and last column, from 0
WORKBOOKS = ("xlsx", "xls", "xlsb", "ods")
CSV_ENCODINGS = ("utf-8-sig", "utf-8", "utf-16", "cp1258")
_TONES = {"\u0300": b"\xcc", "\u0301": b"\xec", "\u0303": b"\xde", "\u0309": b"\xd2", "\u0323": b"\xf2"}
_NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)


@dataclass
class Grid:
    """A sheet: rows of cells, None or "" for an empty one, and which are merged."""

    name: str
    rows: list[list[Any]]
    merged: list[Merged] = field(default_factory=list)


def write_workbook(path: Path, grids: Sequence[Grid], *, mac: bool = False) -> None:
    """Write a workbook of the type that the path's suffix says; `mac`: days are counted from 1904."""
    write = {".xlsx": _xlsx, ".xls": _xls, ".xlsb": _xlsb, ".ods": _ods}[path.suffix]
    write(path, grids, mac)


def _xlsx(path: Path, grids: Sequence[Grid], mac: bool) -> None:
    book = Workbook(write_only=True)
    if mac:
        book.epoch = CALENDAR_MAC_1904
    for grid in grids:
        sheet = book.create_sheet(grid.name)
        for top, bottom, left, right in grid.merged:
            first, last = get_column_letter(left + 1), get_column_letter(right + 1)
            sheet.merged_cells.add(f"{first}{top + 1}:{last}{bottom + 1}")
        for row in grid.rows:
            sheet.append([None if cell == "" else cell for cell in row])
    book.save(path)


def _xls(path: Path, grids: Sequence[Grid], mac: bool) -> None:
    book = xlwt.Workbook(encoding="utf-8")
    book.dates_1904 = mac
    styles = {
        datetime: xlwt.easyxf(num_format_str="DD/MM/YYYY HH:MM"),
        date: xlwt.easyxf(num_format_str="DD/MM/YYYY"),
    }
    plain = xlwt.easyxf()
    for grid in grids:
        sheet = book.add_sheet(grid.name)
        for number, row in enumerate(grid.rows):
            for place, cell in enumerate(row):
                if cell not in ("", None):
                    sheet.write(number, place, cell, styles.get(type(cell), plain))
        for merged in grid.merged:
            sheet.merge(*merged)
    book.save(str(path))


def _xlsb(path: Path, grids: Sequence[Grid], _mac: bool) -> None:
    with XlsbWriter(str(path)) as book:
        for grid in grids:
            book.add_sheet(grid.name)
            width = max(map(len, grid.rows), default=0)
            book.write_sheet(
                [[None if cell == "" else cell for cell in _filled(row, width)] for row in grid.rows]
            )


def _filled(row: list[Any], width: int) -> list[Any]:
    return [*row, *[None] * (width - len(row))]


def _ods(path: Path, grids: Sequence[Grid], _mac: bool) -> None:
    tables = "".join(
        f'<table:table table:name="{escape(grid.name)}">{"".join(map(_ods_row, grid.rows))}</table:table>'
        for grid in grids
    )
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        content = f"<office:document-content {_NAMESPACES}>{body}</office:document-content>"
        archive.writestr("content.xml", f'<?xml version="1.0" encoding="UTF-8"?>{content}')


def _ods_row(row: list[Any]) -> str:
    return f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>"


def _ods_cell(cell: Any) -> str:
    if cell in ("", None):
        return "<table:table-cell/>"
    if isinstance(cell, date):
        text = f'office:value-type="date" office:date-value="{cell.isoformat()}"'
    elif isinstance(cell, int | float):
        text = f'office:value-type="float" office:value="{cell}"'
    else:
        text = 'office:value-type="string"'
    return f"<table:table-cell {text}><text:p>{escape(str(cell))}</text:p></table:table-cell>"


def write_csvs(
    folder: Path,
    grids: Iterable[Grid],
    encoding: str,
    separator: str,
    *,
    said: bool,
    quoted: bool,
    ending: str,
) -> None:
    """Write a CSV for each; `said`: with Excel's line `sep=;`."""
    for grid in grids:
        path = folder / f"{grid.name.replace('/', ' ')}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
            writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=ending)
            if said:
                file.write(f"sep={separator}{ending}")
            writer.writerows(grid.rows)
        text = path.read_bytes().decode()
        path.write_bytes(_windows(text) if encoding == "cp1258" else text.encode(encoding))


def _windows(text: str) -> bytes:
    """Windows-1258, in which a tone stands behind its letter."""
    known: Mapping[str, bytes] = {letter: _windows_letter(letter) for letter in set(text)}
    return b"".join(known[letter] for letter in text)


def _windows_letter(letter: str) -> bytes:
    parts = unicodedata.normalize("NFD", letter)
    tone = next((one for one in parts if one in _TONES), "")
    plain = unicodedata.normalize("NFC", parts.replace(tone, "") if tone else letter)
    return plain.encode("cp1258") + _TONES.get(tone, b"")
