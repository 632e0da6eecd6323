"""The head of the centre prints the year: in the browser and in every file, with the keyboard alone."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pypdfium2
import pytest
from console_browser import DESK, PHONE, SIZES, ConsoleWindow
from console_centre import TODAY, Console, now
from openpyxl import load_workbook
from sqlalchemy import select

from adapter.audit import audit
from adapter.database import read_transaction
from adapter.insights.insights import Insights
from adapter.report.outputs.tables import YearTable, shown_figure, year_tables
from adapter.texts import say_in

Window = Callable[..., ConsoleWindow]


def _tables(console: Console, language: str, *, for_outsiders: bool = False) -> list[YearTable]:
    """The figures as `adapter report` has them."""
    reader = Insights(console.adapter, "test", now)
    report, before = (
        reader.report(year, for_outsiders=for_outsiders, today=TODAY) for year in (TODAY.year, TODAY.year - 1)
    )
    assert report is not None
    assert before is not None
    return [table for table in year_tables(report, before, language) if table.rows]


def _seen(one: ConsoleWindow) -> list[list[Any]]:
    """Caption, and rows, of each table as it stands in the page."""
    found: list[list[Any]] = one.page.evaluate(
        "() => [...document.querySelectorAll('main table')].map(table => [table.caption.innerText.trim(),"
        " [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))])"
    )
    return found


def _expected(tables: list[YearTable]) -> list[list[Any]]:
    return [
        [table.title, [[row.label, *(shown_figure(cell) for cell in row.cells)] for row in table.rows]]
        for table in tables
    ]


def _taken(one: ConsoleWindow, button: str) -> bytes:
    """The file behind a button, which the keyboard presses."""
    one.tab_to(button)
    with one.page.expect_download() as download:
        one.page.keyboard.press("Enter")
    path = download.value.path()
    assert str(TODAY.year) in download.value.suggested_filename
    return path.read_bytes()


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_the_head_reads_the_year_and_takes_it_along(
    console: Console, window: Window, size: tuple[int, int], language: str
) -> None:
    def text(key: str, **params: Any) -> str:
        return say_in(language, key, **params)

    one = window("head", language=language, size=size)
    one.open(f"/year?year={TODAY.year - 1}")
    one.press(text("console_year.menu"))
    assert one.page.inner_text("h1") == text("year.title", year=TODAY.year)
    tables = _tables(console, language)
    assert _seen(one) == _expected(tables)
    assert sum(cell not in ("0", "") for _, rows in _seen(one) for row in rows for cell in row[1:]) > 10
    drawn = one.page.locator("svg.bars").all_inner_texts()
    assert len(drawn) == len(tables)
    one.check()
    shown = [cell for _, rows in _expected(tables) for row in rows for cell in row[1:]]
    lines = list(csv.reader(io.StringIO(_taken(one, text("console_year.file_csv")).decode("utf-8-sig"))))
    assert [line[3] for line in lines[1:]] == shown
    book = load_workbook(io.BytesIO(_taken(one, text("console_year.file_xlsx"))))
    cells = [
        str(cell)
        for sheet, table in zip((one for one in book.worksheets if one.max_row > 2), tables, strict=True)
        for row in sheet.iter_rows(3, 2 + len(table.rows), 2, 1 + len(table.columns), values_only=True)
        for cell in row
    ]
    assert cells == shown
    report = json.loads(_taken(one, text("console_year.file_fhir")))
    counts = {
        group["code"]["coding"][0]["code"]: [
            stratum["population"][0]["count"] for stratum in group["stratifier"][0]["stratum"]
        ]
        for group in report["group"]
    }
    for table in tables:
        for at in range(len(table.columns)):
            assert counts[f"{table.name}-{at}"] == [row.cells[at] for row in table.rows]
    with pypdfium2.PdfDocument(_taken(one, text("console_year.file_pdf"))) as document:
        said = " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())
    for _, rows in _expected(tables):
        for row in rows:
            assert " ".join(row) in said


def test_outsiders_get_no_small_figure(console: Console, window: Window) -> None:
    one = window("head")
    one.open("/year")
    one.press("Bản cho bên ngoài")
    assert _seen(one) == _expected(_tables(console, "vi", for_outsiders=True))
    figures = [cell for _, rows in _seen(one) for row in rows for cell in row[1:]]
    assert not {"1", "2", "3", "4"} & {*figures}
    assert "*" in figures
    one.check()
    lines = _taken(one, "CSV").decode("utf-8-sig").splitlines()[1:]
    assert not {"1", "2", "3", "4"} & {line.rpartition(",")[2] for line in lines}
    with read_transaction(console.adapter.engine) as connection:
        rows = connection.execute(select(audit.c.actor, audit.c.details).order_by(audit.c.seq.desc())).all()
    assert any('"for_outsiders":true' in row.details.replace(" ", "") for row in rows)


def test_the_year_before_and_a_year_of_nothing(window: Window) -> None:
    one = window("head", size=PHONE)
    one.open("/year")
    one.press(f"Báo cáo năm {TODAY.year - 1}")
    assert one.page.inner_text("h1") == f"Báo cáo năm {TODAY.year - 1}"
    one.check()
    for odd in ("?year=1", "?year=%00", "?year=99999", "?year=two", "?year=1900"):
        one.open(f"/year{odd}")
        assert "Báo cáo năm" in one.page.inner_text("h1")


def test_who_may_not_sees_no_year_and_takes_none(window: Window) -> None:
    for name in ("clerk", "nurse", "it"):
        one = window(name, size=DESK)
        one.open("/year")
        assert "Báo cáo năm" not in one.page.inner_text("main")
    one = window("auditor")
    one.open("/year")
    assert "Báo cáo năm" in one.page.inner_text("h1")
    assert one.page.locator("form[action='/year/export']").count() == 0


def test_figures_that_changed_meanwhile_are_not_printed_unseen(window: Window) -> None:
    one = window("head")
    one.open("/year")
    one.page.evaluate("document.querySelector('input[name=version]').value = 'older'")
    one.press("CSV")
    assert "Số liệu vừa thay đổi" in one.text
    assert one.page.inner_text("h1") == f"Báo cáo năm {TODAY.year}"
