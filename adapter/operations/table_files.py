"""Tables written as a workbook or as a folder of CSVs, for their owner's eyes alone. What a spreadsheet would
take for a formula stays text.
"""

import csv
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import Any

from adapter.insights.export_rows import TableHeadings
from adapter.records.sheets.formula_cells import defused

__all__ = ["LONGEST_CELL", "CsvFolder", "WorkbookFile"]

LONGEST_CELL = 32_767  # characters: no cell of a workbook can hold more
_CUT = " … (CSV)"  # the folder of CSVs has the whole
# What XML, and so a workbook, cannot hold.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _beside(path: Path) -> Path:
    """Where it is written before it has its name; no two runs share one."""
    return path.with_name(f".{path.name}.{token_hex(4)}.part")


class WorkbookFile:
    """A workbook with a sheet for each table. `too_long` counts cells that it could not hold whole."""

    def __init__(
        self, path: Path, tables: Mapping[str, Sequence[str]], headings: Mapping[str, TableHeadings]
    ) -> None:
        from openpyxl import Workbook

        self._path = path
        self._part = _beside(path)
        self._columns = tables
        self._book = Workbook(write_only=True)
        self._sheets = {name: self._book.create_sheet(headings[name].title) for name in tables}
        self.too_long = 0
        for name, sheet in self._sheets.items():
            sheet.append(list(headings[name].columns))

    def add(self, table: str, row: Mapping[str, str]) -> None:
        """Add a row; columns that it has not stay empty."""
        sheet = self._sheets[table]
        sheet.append([self._cell(sheet, row.get(column, "")) for column in self._columns[table]])

    def _cell(self, sheet: Any, text: str) -> Any:
        from openpyxl.cell import WriteOnlyCell

        text = _UNWRITABLE.sub("\ufffd", text)
        if len(text) > LONGEST_CELL:
            self.too_long += 1
            text = text[: LONGEST_CELL - len(_CUT)] + _CUT
        cell = WriteOnlyCell(sheet, value=text or None)
        if text:
            cell.data_type = "s"
        return cell

    def seal(self) -> None:
        """Give it its name."""
        os.close(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        self._book.save(self._part)
        self._part.rename(self._path)

    def discard(self) -> None:
        """Leave nothing of it."""
        self._part.unlink(missing_ok=True)


class CsvFolder:
    """A folder with a CSV for each table: UTF-8 with a mark, commas."""

    too_long = 0

    def __init__(
        self, path: Path, tables: Mapping[str, Sequence[str]], headings: Mapping[str, TableHeadings]
    ) -> None:
        self._path = path
        self._part = _beside(path)
        self._part.mkdir(mode=0o700)
        self._columns = tables
        self._stack = ExitStack()
        self._writers = {name: self._writer(headings[name].title) for name in tables}
        for name, writer in self._writers.items():
            columns = headings[name].columns  # our own words
            writer.writerow(columns)

    def _writer(self, name: str) -> Any:
        handle = os.open(self._part / f"{name}.csv", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        file = os.fdopen(handle, "w", encoding="utf-8-sig", errors="replace", newline="")
        return csv.writer(self._stack.enter_context(file))

    def add(self, table: str, row: Mapping[str, str]) -> None:
        """Add a row; columns that it has not stay empty."""
        self._writers[table].writerow([defused(row.get(column, "")) for column in self._columns[table]])

    def seal(self) -> None:
        """Give it its name."""
        self._stack.close()
        self._part.rename(self._path)

    def discard(self) -> None:
        """Leave nothing of it."""
        self._stack.close()
        shutil.rmtree(self._part, ignore_errors=True)
