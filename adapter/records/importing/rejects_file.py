"""The rejects file: rows that were not imported, as they were, each with the reason behind it.

Same form as the input (a workbook, or a folder of CSVs), readable by its owner alone, and marked, so
that importing it corrected deletes nothing that it does not hold.
"""

import csv
import fcntl
import os
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from adapter.errors import ImportRefused
from adapter.records.importing.import_history import describe_files
from adapter.records.importing.rejects_seal import is_as_written, seal_folder, seal_workbook
from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.columns import REASON_COLUMN
from adapter.records.sheets.formula_cells import defused
from adapter.records.sheets.layout import find_sheet
from adapter.records.sheets.tab import Tab
from adapter.records.sources.open_tabs import REJECTS_MARK, without_sheet_number
from adapter.records.sources.xlsx_slices import sheet_entries
from adapter.texts import current_language, say

__all__ = ["RejectsFile"]

_NOT_A_FOLDERS = (".xlsx", ".csv", ".yaml", ".yml", ".xml")  # endings of what may have been imported
_NOTE = f"{REJECTS_MARK}.txt"  # the mark of a folder
_WORK = ".adapter-rejects-"  # a folder of its owner alone, beside the target


class _Writer(Protocol):
    def add(self, tab: Tab, header: list[CellValue], cells: list[CellValue], reason: str) -> None: ...

    def seal(self) -> Path: ...

    def close(self) -> None: ...


class RejectsFile:
    """Collects rejected rows, streaming; nothing appears at the target before `move_into_place()`.

    `path` None: they are dropped. `inputs` are never removed. Raises ImportRefused when the target is
    something that no import has put there.
    """

    def __init__(self, path: Path | None, inputs: Sequence[Path] = (), *, as_csv: bool = False) -> None:
        self._target = None if path is None else _target(path, as_csv=as_csv)
        self._csv = as_csv
        self._inputs = [file.resolve() for file in inputs]
        self._writer: _Writer | None = None
        self._sealed: Path | None = None
        self.rows = 0  # that were added
        self.set_aside: Path | None = None  # where one went that somebody has corrected, and nobody imported
        if path is not None and self._target is not None and not _may_replace(self._target, as_csv=as_csv):
            raise ImportRefused("import.no_rejects", path=str(path))

    def remove_leftovers(self) -> None:
        """Remove what a killed import has left beside the target."""
        if self._target is not None:
            for folder in self._target.parent.glob(f"{_WORK}*"):
                _remove_if_left(folder)

    def add(self, tab: Tab, header: list[CellValue], cells: list[CellValue], reason: str) -> None:
        """Add a row of a tab with the tab's header."""
        if self._target is None:
            return
        if self._writer is None:
            try:
                self._target.parent.mkdir(parents=True, exist_ok=True)
                self._writer = _Folder(self._target.parent) if self._csv else _Workbook(self._target.parent)
            except OSError as error:
                raise ImportRefused("import.no_rejects", path=str(self._target)) from error
        self._writer.add(tab, header, cells, reason)
        self.rows += 1

    def seal(self) -> None:
        """Finish writing, so that all that can fail has happened before the import is committed."""
        if self._writer is not None:
            try:
                self._sealed = self._writer.seal()
            except OSError as error:
                raise ImportRefused("import.no_rejects", path=str(self._target)) from error

    def move_into_place(self, imported: Collection[str] = ()) -> Path | None:
        """Put the file in its place; its path, or None when nothing was rejected: an old one goes, but for
        one that somebody has corrected and not imported (`imported`: digests of what was, see
        `describe_files`): that is set aside.
        """
        if self._target is None:
            return None
        is_input = self._target.resolve() in self._inputs
        if not is_input and self._is_corrected(imported):
            self.set_aside = _free_name(self._target)
            self._target.rename(self.set_aside)
        if self._sealed is None:
            if not is_input and _is_ours(self._target):
                _remove(self._target)
            return None
        if self._target.is_dir():
            _remove(self._target)
        self._sealed.replace(self._target)
        return self._target

    def _is_corrected(self, imported: Collection[str]) -> bool:
        if self._target is None or not _is_ours(self._target) or is_as_written(self._target, _NOTE):
            return False
        return not {digest for _, digest in describe_files([self._target])}.issubset(imported)

    def close(self) -> None:
        """Remove what was not kept."""
        if self._writer is not None:
            self._writer.close()


def _target(path: Path, *, as_csv: bool) -> Path:
    if not as_csv:
        return path if path.is_dir() else path.with_suffix(".xlsx")
    return path.with_suffix("") if path.suffix.lower() in _NOT_A_FOLDERS else path


def _may_replace(target: Path, *, as_csv: bool) -> bool:
    if not target.exists() or (target.is_dir() == as_csv and _is_ours(target)):
        return True
    if target.is_dir():
        return as_csv and not any(target.iterdir())
    return not as_csv and target.stat().st_size == 0


def _is_ours(target: Path) -> bool:
    """Whether an import has put it there: it bears the mark."""
    if target.is_dir():
        return (target / _NOTE).exists()
    try:
        with zipfile.ZipFile(target) as archive:
            return any(fold_label(name) == fold_label(REJECTS_MARK) for name in sheet_entries(archive))
    except (OSError, zipfile.BadZipFile):
        return False


def _free_name(target: Path) -> Path:
    """`year.rejects.xlsx` is set aside as `year.rejects-corrected.xlsx`, the next one with a number."""
    suffix = "" if target.is_dir() else target.suffix
    stem = f"{target.name.removesuffix(suffix)}-corrected"
    names = (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}" for number in count(1))
    return next(path for name in names if not (path := target.with_name(name)).exists())


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink()


class _Work:
    """A folder for what is not finished, 0700, locked while its import lives."""

    def __init__(self, parent: Path) -> None:
        self.path = Path(tempfile.mkdtemp(dir=parent, prefix=_WORK))
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @contextmanager
    def holds_temporaries(self) -> Iterator[None]:
        """Files that a library makes for itself come here, not into the system's folder for all."""
        before, tempfile.tempdir = tempfile.tempdir, str(self.path)
        try:
            yield
        finally:
            tempfile.tempdir = before

    def remove(self) -> None:
        """The folder and the lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_if_left(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass  # another import is at work in it
    finally:
        os.close(lock)


class _Pages:
    """One page for every title and header: files may have their columns in another order."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}
        self._used: dict[str, int] = {}

    def name(self, tab: Tab, header: list[CellValue]) -> tuple[str, bool]:
        """The page's name, and whether it is new: "Cán bộ", then "Cán bộ (2)"."""
        title = without_sheet_number(tab.title)
        if find_sheet(title) is not tab.sheet:
            title = tab.sheet.vi  # the sheet had another name, or another form: this one is known
        key = (fold_label(title), tuple(cell_text(cell) for cell in header))
        if key in self._names:
            return self._names[key], False
        count = self._used[key[0]] = self._used.get(key[0], 0) + 1
        self._names[key] = title if count == 1 else f"{title} ({count})"
        return self._names[key], True


def _header(header: list[CellValue]) -> tuple[list[CellValue], int]:
    """The header with the reason's column last, and how many cells stand before it."""
    kept = [cell for cell in header if fold_label(cell_text(cell)) not in REASON_COLUMN.names]
    return [*kept, REASON_COLUMN.header(current_language())], len(kept)


def _row(header: list[CellValue], cells: list[CellValue], reason: str) -> list[CellValue]:
    padded = [*cells, *[""] * (len(header) - len(cells))]
    kept = [
        cell
        for title, cell in zip(header, padded, strict=False)
        if fold_label(cell_text(title)) not in REASON_COLUMN.names
    ]
    return [*kept, reason, *cells[len(header) :]]  # what has slipped is refused again, and not cut short


class _Workbook:
    def __init__(self, parent: Path) -> None:
        from openpyxl import Workbook

        self._book = Workbook(write_only=True)
        self._sheets: dict[str, Any] = {}
        self._pages = _Pages()
        self._work = _Work(parent)

    def add(self, tab: Tab, header: list[CellValue], cells: list[CellValue], reason: str) -> None:
        name, new = self._pages.name(tab, header)
        with self._work.holds_temporaries():
            if new:
                sheet = self._sheets[name] = self._book.create_sheet(name)
                sheet.append([_cell(sheet, cell) for cell in _header(header)[0]])
            sheet = self._sheets[name]
            sheet.append([_cell(sheet, cell) for cell in _row(header, cells, reason)])

    def seal(self) -> Path:
        file = self._work.path / "rejects.xlsx"
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
        with self._work.holds_temporaries():
            note = self._book.create_sheet(REJECTS_MARK)
            note.append([say("import.rejects_note")])
            self._book.save(file)
        seal_workbook(file)
        self._sheets.clear()
        return file

    def close(self) -> None:
        # Sheets that were not saved are ended now: openpyxl would complain of a file that is gone, later and
        # on the terminal.
        for sheet in self._sheets.values():
            with suppress(OSError, ValueError):
                sheet.close()
        self._work.remove()


def _cell(sheet: Any, value: CellValue) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, value=value)
    cell.data_type = "s"  # text stays text: what begins with "=" is no formula
    return cell


class _Folder:
    def __init__(self, parent: Path) -> None:
        self._work = _Work(parent)
        self._folder = self._work.path / "rejects"
        self._folder.mkdir(mode=0o700)
        self._stack = ExitStack()
        self._pages = _Pages()
        self._writers: dict[str, Any] = {}

    def add(self, tab: Tab, header: list[CellValue], cells: list[CellValue], reason: str) -> None:
        name, new = self._pages.name(tab, header)
        if new:
            handle = os.open(self._folder / f"{name}.csv", os.O_WRONLY | os.O_CREAT, 0o600)
            file = self._stack.enter_context(os.fdopen(handle, "w", encoding="utf-8-sig", newline=""))
            self._writers[name] = csv.writer(file)
            self._writers[name].writerow(map(defused, _header(header)[0]))
        self._writers[name].writerow(map(defused, _row(header, cells, reason)))

    def seal(self) -> Path:
        self._stack.close()
        (self._folder / _NOTE).write_text(say("import.rejects_note") + "\n", "utf-8")
        seal_folder(self._folder / _NOTE)
        return self._folder

    def close(self) -> None:
        self._stack.close()
        self._work.remove()
