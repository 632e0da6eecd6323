"""Several tables of results by row in one import: of one visit they say one thing together."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Row = Sequence[Any]
PEOPLE: list[Row] = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ("A2", "Trần Thị Ba", "Nữ", "06/04/1961", "T5"),
]
MEASURES = MeasureNames(
    [
        NamedMeasure("BIO-CREA", "Creatinin", "Creatinine", "µmol/L"),
        NamedMeasure("BIO-AST", "AST (GOT)", "AST", "U/L"),
        NamedMeasure("VS-HR", "Mạch", "Pulse", "/min"),
    ],
    ["µmol/L", "U/L", "/min"],
)
WHOSE = ("Mã cán bộ", "Loại", "Bắt đầu")
AN = ("A1", "Khám định kỳ", "15/03/2026")
BA = ("A2", "Khám định kỳ", "16/03/2026")
MADE = "A1.checkup.20260315"
FIRST, SECOND = "Wide", "Kết quả theo hàng"
Sheets = dict[str, list[Row]]


@pytest.fixture
def people(engine: Engine, tmp_path: Path) -> Engine:
    imports(engine, tmp_path, {"Cán bộ": PEOPLE})
    return engine


def book(path: Path, sheets: Sheets) -> Path:
    made = Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        page = made.create_sheet(name)
        for row in rows:
            page.append(list(row))
    made.save(path)
    return path


def imports(engine: Engine, folder: Path, sheets: Sheets, **options: Any) -> ImportReport:
    return again(engine, [book(folder / "a.xlsx", sheets)], **options)


def again(engine: Engine, files: list[Path], **options: Any) -> ImportReport:
    given: dict[str, Any] = {
        "max_deletions_percent": 100,
        "known_hospitals": frozenset(),
        "now": NOW,
        "inputs": InputOptions(layouts=LayoutContext(MEASURES)),
    }
    return run_import(engine, files, **(given | options))


def stored(engine: Engine, kind: str) -> dict[str, Any]:
    return {one.key: one for one in RecordStore(engine).iterate(kind)}


def values(engine: Engine) -> dict[str, str]:
    return {key: one.value for key, one in stored(engine, "measurement").items()}


LAB: Sheets = {
    FIRST: [(*WHOSE, "Creatinin", "AST (GOT)"), (*AN, 88, ""), (*BA, 70, 20)],
    SECOND: [(*WHOSE, "Mạch", "AST (GOT)"), (*AN, 71, 30), (*BA, 72, "")],
}
TOGETHER = {
    f"{MADE}/BIO-CREA": "88",
    f"{MADE}/BIO-AST": "30",
    f"{MADE}/VS-HR": "71",
    "A2.checkup.20260316/BIO-CREA": "70",
    "A2.checkup.20260316/BIO-AST": "20",
    "A2.checkup.20260316/VS-HR": "72",
}


@pytest.mark.parametrize("turned", [False, True])
def test_values_of_one_visit_are_united(people: Engine, tmp_path: Path, *, turned: bool) -> None:
    """Each table has a cell that the other leaves empty; the same file again changes nothing."""
    sheets = dict(reversed(LAB.items())) if turned else LAB
    report = imports(people, tmp_path, sheets)
    assert (report.rejected, report.problem_count, values(people)) == (0, 0, TOGETHER)
    assert set(stored(people, "visit")) == {MADE, "A2.checkup.20260316"}
    report = imports(people, tmp_path, sheets)
    assert (report.rejected, report.changes, values(people)) == (0, 0, TOGETHER)


def test_in_two_files_too(people: Engine, tmp_path: Path) -> None:
    """Sheets of one name among them."""
    files = [book(tmp_path / f"{place}.xlsx", {SECOND: rows}) for place, rows in enumerate(LAB.values())]
    for _ in range(2):
        report = again(people, files)
        assert (report.rejected, values(people)) == (0, TOGETHER)
    assert report.changes == 0


def test_a_value_that_both_have_comes_in_once(people: Engine, tmp_path: Path) -> None:
    sheets: Sheets = {
        FIRST: [(*WHOSE, "Creatinin", "AST (GOT)"), (*AN, 88, 30)],
        SECOND: [(*WHOSE, "Mạch", "AST (GOT)"), (*AN, 71, "30")],
    }
    for _ in range(2):
        report = imports(people, tmp_path, sheets)
        assert (report.rejected, report.problem_count, len(values(people))) == (0, 0, 3)
    assert (report.changes, report.kinds["measurement"].unchanged) == (0, 4)


def test_two_values_of_one_measure_are_refused_by_name(people: Engine, tmp_path: Path) -> None:
    """The first stays, the second comes back with the place of the first; corrected, it comes in."""
    sheets: Sheets = {
        FIRST: [(*WHOSE, "Creatinin", "AST (GOT)"), (*BA, 70, 20), (*AN, 88, 30)],
        SECOND: [(*WHOSE, "Mạch", "AST (GOT)"), (*AN, 71, 31)],
    }
    rejects = tmp_path / "r.xlsx"
    report = imports(people, tmp_path, sheets, rejects=rejects)
    [problem] = report.problems
    assert (problem.sheet, problem.row, problem.column, problem.value) == (SECOND, 2, "AST (GOT)", "31")
    assert (problem.params["sheet"], problem.params["row"]) == (FIRST, 3)
    assert "the value that sheet Wide, row 3 has" in str(problem)
    assert (values(people)[f"{MADE}/BIO-AST"], values(people)[f"{MADE}/VS-HR"]) == ("30", "71")
    given = load_workbook(rejects)
    page = given[SECOND]
    titles = [cell.value for cell in page[1]]
    assert page.cell(2, titles.index("AST (GOT)") + 1).value == 31
    assert imports(people, tmp_path, sheets).changes == 0
    assert again(people, [rejects]).rejected == 0  # the second was right
    assert values(people)[f"{MADE}/BIO-AST"] == "31"


def test_another_unit_is_another_value(people: Engine, tmp_path: Path) -> None:
    sheets: Sheets = {
        FIRST: [(*WHOSE, "Creatinin (µmol/L)", "AST (GOT)"), (*AN, 88, 30)],
        SECOND: [(*WHOSE, "Mạch", "Creatinin"), (*AN, 71, 88)],
    }
    report = imports(people, tmp_path, sheets)
    assert [one.column for one in report.problems] == ["Creatinin"]
    assert stored(people, "measurement")[f"{MADE}/BIO-CREA"].unit == "µmol/L"


def test_what_each_says_of_the_visit_is_united(people: Engine, tmp_path: Path) -> None:
    sheets: Sheets = {
        FIRST: [(*WHOSE, "Lý do", "Kết luận", "Creatinin"), (*AN, "định kỳ", "", 88), (*BA, "", "ổn", 70)],
        SECOND: [(*WHOSE, "Kết luận", "Mạch"), (*AN[:2], "2026-03-15 08:30", "THA", 71), (*BA, "", 72)],
    }
    for _ in range(2):
        report = imports(people, tmp_path, sheets, max_deletions_percent=0)
        assert (report.rejected, report.problem_count) == (0, 0)
        visits = stored(people, "visit")
        assert (visits[MADE].reason, visits[MADE].conclusion) == ("định kỳ", "THA")
        assert visits["A2.checkup.20260316"].conclusion == "ổn"
    assert report.changes == 0


def test_two_conclusions_of_one_visit_are_refused_by_name(people: Engine, tmp_path: Path) -> None:
    sheets: Sheets = {
        FIRST: [(*WHOSE, "Kết luận", "Creatinin", "AST"), (*AN, "ổn", 88, 30)],
        SECOND: [(*WHOSE, "Kết luận", "Mạch", "AST"), (*AN, "THA", 71, 30)],
    }
    report = imports(people, tmp_path, sheets, rejects=tmp_path / "r.xlsx")
    [problem] = report.problems
    assert (problem.column, problem.value, problem.params["sheet"]) == ("Kết luận", "THA", FIRST)
    assert stored(people, "visit")[MADE].conclusion == "ổn"
    assert f"{MADE}/VS-HR" in values(people)  # the values are of the visit all the same
    assert "Kết luận" in [cell.value for cell in load_workbook(tmp_path / "r.xlsx")[SECOND][1]]


def test_in_one_table_a_visit_still_stands_once(people: Engine, tmp_path: Path) -> None:
    rows = [(*WHOSE, "Kết luận", "Creatinin", "AST"), (*AN, "ổn", 88, ""), (*AN, "THA", "", 30)]
    report = imports(people, tmp_path, {FIRST: rows, SECOND: [(*WHOSE, "Mạch", "AST"), (*BA, 71, 30)]})
    assert [one.text for one in report.problems] == ["expect_once"]
    rows = [(*WHOSE, "Creatinin", "AST"), (*AN, 88, ""), (*AN, 88, 30)]
    report = imports(people, tmp_path, {FIRST: rows, SECOND: [(*WHOSE, "Mạch", "AST"), (*BA, 71, 30)]})
    assert [one.text for one in report.problems] == ["expect_once"]


def test_a_named_visit_is_united_too(people: Engine, tmp_path: Path) -> None:
    visits: list[Row] = [("Mã lượt khám", *WHOSE), ("LK-1", *AN)]
    sheets: Sheets = {
        "Lượt khám": visits,
        FIRST: [("Mã lượt khám", "Creatinin", "AST"), ("LK-1", 88, 30)],
        SECOND: [(*WHOSE, "Mạch", "AST"), (*AN, 71, 30)],
    }
    for _ in range(2):
        report = imports(people, tmp_path, sheets)
        assert (report.rejected, set(stored(people, "visit"))) == (0, {"LK-1"})
    assert values(people) == {"LK-1/BIO-CREA": "88", "LK-1/BIO-AST": "30", "LK-1/VS-HR": "71"}


def test_a_sheet_of_values_may_say_the_same(people: Engine, tmp_path: Path) -> None:
    sheets: Sheets = {
        "Lượt khám": [("Mã lượt khám", *WHOSE), ("LK-1", *AN)],
        "Chỉ số": [("Mã lượt khám", "Mã chỉ số", "Giá trị", "Đơn vị"), ("LK-1", "BIO-AST", 30, "U/L")],
        FIRST: [(*WHOSE, "Creatinin", "AST (U/L)"), (*AN, 88, 30)],
    }
    for _ in range(2):
        assert imports(people, tmp_path, sheets).rejected == 0
    sheets[FIRST][1] = (*AN, 88, 31)
    report = imports(people, tmp_path, sheets)
    assert [(one.column, one.text) for one in report.problems] == [("AST (U/L)", "expect_same_value")]
    assert values(people)["LK-1/BIO-AST"] == "30"


def test_where_the_first_was_rejected_the_second_waits_for_it(people: Engine, tmp_path: Path) -> None:
    """Last year's value is no proof of what this file says."""
    imports(people, tmp_path, {FIRST: [(*WHOSE, "Creatinin", "AST"), (*AN, 88, 31)]})
    sheets: Sheets = {
        FIRST: [(*WHOSE, "Creatinin", "AST"), (*AN, 88, "#N/A")],
        SECOND: [(*WHOSE, "Mạch", "AST"), (*AN, 71, 31)],
    }
    report = imports(people, tmp_path, sheets)
    assert [(one.sheet, one.text) for one in report.problems] == [
        (FIRST, "expect_no_error"),
        (SECOND, "expect_once"),
    ]


def test_a_mark_in_one_table_does_not_undo_what_another_holds(people: Engine, tmp_path: Path) -> None:
    imports(people, tmp_path, LAB)
    marked: Sheets = {
        FIRST: LAB[FIRST],
        SECOND: [(*WHOSE, "Mạch", "AST", "Xóa"), (*AN, 71, 30, "x"), (*BA, 72, "", "")],
    }
    report = imports(people, tmp_path, marked)
    assert report.rejected > 0
    assert MADE in stored(people, "visit")
    assert values(people)[f"{MADE}/BIO-CREA"] == "88"
