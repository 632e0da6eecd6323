"""A sheet read in slices is the sheet read whole."""

import re
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from adapter.records.sources import open_tabs, xlsx_slices


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    book = Workbook()
    book.active.title = "Trước"  # type: ignore[union-attr]
    page = book.create_sheet("Chỉ số")
    for number in range(1, 4000):
        if number % 7 == 0 or 1500 < number < 1600:
            continue  # rows that are not there at all
        at = datetime(2026, 3, 1, 7, 30)  # noqa: DTZ001 - a spreadsheet's date cell has no zone
        for column, value in enumerate((f"chữ {number}", number, number / 7, date(2026, 3, 1), at, "<&>"), 2):
            page.cell(number, column, value)  # the first column stays empty
        if number > 2500:
            page.cell(number, 1, "đầu")
    page.cell(4200, 3, "xa")
    book.create_sheet("Sau")
    book.move_sheet("Chỉ số", 1)  # the order of the tabs is not the order of the entries
    book.save(tmp_path / "a.xlsx")
    return tmp_path / "a.xlsx"


def rows_of(path: Path, **options: int) -> list[tuple[int, list[Any]]]:
    with zipfile.ZipFile(path) as archive:
        entry = xlsx_slices.sheet_entries(archive)["Chỉ số"]
    return [
        (number, cells)
        for number, cells, _ in xlsx_slices.sliced_rows(path, "Chỉ số", entry, **options)
        if any(cell != "" for cell in cells)
    ]


def whole(path: Path) -> list[tuple[int, list[Any]]]:
    sheet = CalamineWorkbook.from_path(path).get_sheet_by_name("Chỉ số")
    return [
        (number, cells)
        for number, cells in enumerate(sheet.iter_rows(), 1)
        if any(cell != "" for cell in cells)
    ]


def trimmed(rows: list[tuple[int, list[Any]]]) -> list[tuple[int, list[Any]]]:
    return [
        (number, cells[: max(n for n, cell in enumerate(cells, 1) if cell != "")]) for number, cells in rows
    ]


def test_slices_are_the_whole(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_slices, "_BLOCK", 1000)
    with zipfile.ZipFile(workbook) as archive:
        assert (
            len(list(xlsx_slices._slices(archive, xlsx_slices.sheet_entries(archive)["Chỉ số"], 60_000))) > 5
        )
    sliced = rows_of(workbook, slice_bytes=60_000)
    assert len(sliced) > 3000
    assert trimmed(sliced) == trimmed(whole(workbook))


def test_rows_without_numbers_are_counted(workbook: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.xlsx"
    with zipfile.ZipFile(workbook) as old, zipfile.ZipFile(bare, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if "worksheets/sheet" in name:
                content = re.sub(rb'<row r="\d+"', b"<row", content)
                content = re.sub(rb'<c r="[A-Z]+\d+"', b"<c", content)
            new.writestr(name, content)
    assert trimmed(rows_of(bare, slice_bytes=60_000)) == trimmed(whole(bare))


def test_large_sheets_are_sliced(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import ExitStack

    def rows() -> list[tuple[int, list[Any]]]:
        with ExitStack() as stack:
            (tab,) = open_tabs.open_tabs([workbook], stack, lambda *_, **__: None, open_tabs.InputOptions())
            found = list(tab.rows())
            assert 0 < tab.done <= tab.size
            return found

    before = rows()
    monkeypatch.setattr(open_tabs, "SLICING_THRESHOLD_BYTES", 1)
    assert trimmed(rows()) == trimmed(before)
