"""The rejects file: rows that were not imported, as they were, each with the reason behind it.

Same form as the input (a workbook, or a folder of CSVs), readable by its owner alone, and marked, so
that importing it corrected deletes nothing that it does not hold.
"""

import csv
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from adapter.errors import ImportRefused
from adapter.records.choices import fold
from adapter.records.columns import REASON
from adapter.records.formats import Cell, plain
from adapter.records.reading import REJECTS_MARK, Tab
from adapter.texts import language, say

__all__ = ["Rejects"]


class _Writer(Protocol):
    def add(self, tab: Tab, header: list[Cell], cells: list[Cell], reason: str) -> None: ...

    def finish(self, path: Path) -> Path: ...

    def close(self) -> None: ...


class Rejects:
    """Collects rejected rows, streaming; nothing appears at `path` before `keep()`."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writer: _Writer | None = None

    def add(self, tab: Tab, header: list[Cell], cells: list[Cell], reason: str) -> None:
        """Add a row of a tab with the tab's header."""
        if self._path is None:
            return
        if self._writer is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = _Folder(self._path) if tab.csv else _Workbook(self._path)
            except OSError as error:
                raise ImportRefused("import.no_rejects", path=str(self._path)) from error
        self._writer.add(tab, header, cells, reason)

    def keep(self) -> Path | None:
        """Put the file in its place; its path, or None when nothing was rejected."""
        if self._writer is None or self._path is None:
            return None
        return self._writer.finish(self._path)

    def close(self) -> None:
        """Remove what was not kept."""
        if self._writer is not None:
            self._writer.close()


def _header(header: list[Cell]) -> tuple[list[Cell], int]:
    """The header with the reason's column last, and how many cells stand before it."""
    kept = [cell for cell in header if fold(plain(cell)) not in REASON.names]
    return [*kept, REASON.header(language())], len(kept)


def _row(header: list[Cell], cells: list[Cell], reason: str) -> list[Cell]:
    padded = [*cells, *[""] * (len(header) - len(cells))]
    kept = [
        cell for title, cell in zip(header, padded, strict=False) if fold(plain(title)) not in REASON.names
    ]
    return [*kept, reason]


class _Workbook:
    def __init__(self, path: Path) -> None:
        from openpyxl import Workbook

        self._book = Workbook(write_only=True)
        self._sheets: dict[str, Any] = {}
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".xlsx")  # 0600
        os.close(handle)
        self._temporary = Path(name)

    def add(self, tab: Tab, header: list[Cell], cells: list[Cell], reason: str) -> None:
        sheet = self._sheets.get(tab.title)
        if sheet is None:
            sheet = self._sheets[tab.title] = self._book.create_sheet(tab.title)
            sheet.append([_cell(sheet, cell) for cell in _header(header)[0]])
        sheet.append([_cell(sheet, cell) for cell in _row(header, cells, reason)])

    def finish(self, path: Path) -> Path:
        note = self._book.create_sheet(REJECTS_MARK)
        note.append([say("import.rejects_note")])
        self._book.save(self._temporary)
        target = path.with_suffix(".xlsx")
        self._temporary.replace(target)
        return target

    def close(self) -> None:
        self._temporary.unlink(missing_ok=True)


def _cell(sheet: Any, value: Cell) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, value=value)
    cell.data_type = "s"  # text stays text: what begins with "=" is no formula
    return cell


class _Folder:
    def __init__(self, path: Path) -> None:
        self._temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix="."))  # 0700
        self._stack = ExitStack()
        self._writers: dict[str, Any] = {}

    def add(self, tab: Tab, header: list[Cell], cells: list[Cell], reason: str) -> None:
        writer = self._writers.get(tab.title)
        if writer is None:
            handle = os.open(self._temporary / f"{tab.title}.csv", os.O_WRONLY | os.O_CREAT, 0o600)
            file = self._stack.enter_context(os.fdopen(handle, "w", encoding="utf-8-sig", newline=""))
            writer = self._writers[tab.title] = csv.writer(file)
            writer.writerow(_header(header)[0])
        writer.writerow(_row(header, cells, reason))

    def finish(self, path: Path) -> Path:
        self._stack.close()
        (self._temporary / f"{REJECTS_MARK}.txt").write_text(say("import.rejects_note") + "\n", "utf-8")
        target = path.with_suffix("") if path.suffix in (".xlsx", ".csv") else path
        if (target / f"{REJECTS_MARK}.txt").exists():  # only what an earlier import put there
            shutil.rmtree(target)
        self._temporary.replace(target)
        return target

    def close(self) -> None:
        self._stack.close()
        shutil.rmtree(self._temporary, ignore_errors=True)
