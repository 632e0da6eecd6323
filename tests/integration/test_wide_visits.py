"""Results by row that name no visit are of the visit of their person, kind and day, never of a second."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from adapter.database import write_transaction
from adapter.records.importing.import_history import list_runs
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.importing.undo import ImportUndo, undo_run
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.merges import Merge, MergeStore
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.texts import say

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
    ],
    ["µmol/L", "U/L"],
)
VISITS: list[Row] = [
    ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Kết luận"),
    ("LK-1", "A1", "Khám định kỳ", "15/03/2026", "THA"),
]
WIDE = ("Mã cán bộ", "Mã lượt khám", "Loại", "Bắt đầu", "Creatinin", "AST (GOT)", "Xóa")
VALUES = ("A1", None, "Khám định kỳ", "15/03/2026", 88, 30, None)
MADE = "A1.checkup.20260315"


@pytest.fixture
def people(engine: Engine, tmp_path: Path) -> Engine:
    imports(engine, tmp_path, {"Cán bộ": PEOPLE})
    return engine


def imports(engine: Engine, folder: Path, sheets: dict[str, Sequence[Row]], **options: Any) -> ImportReport:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    book.save(folder / "a.xlsx")
    return again(engine, folder / "a.xlsx", **options)


def again(engine: Engine, file: Path, **options: Any) -> ImportReport:
    given: dict[str, Any] = {
        "max_deletions_percent": 100,
        "known_hospitals": frozenset(),
        "now": NOW,
        "inputs": InputOptions(layouts=LayoutContext(MEASURES)),
    }
    return run_import(engine, [file], **(given | options))


def keys(engine: Engine, kind: str) -> set[str]:
    return {one.key for one in RecordStore(engine).iterate(kind)}


def wide(*rows: Row) -> dict[str, Sequence[Row]]:
    return {"Kết quả theo hàng": [WIDE, *rows]}


@pytest.mark.parametrize(
    "values",
    [
        VALUES,
        (*VALUES[:2], "checkup", *VALUES[3:]),
        (*VALUES[:3], "2026-03-15 08:30", *VALUES[4:]),
        (*VALUES[:3], datetime(2026, 3, 15, 7), *VALUES[4:]),  # noqa: DTZ001 # as a cell has it
    ],
)
def test_results_are_of_the_visit_of_their_person_kind_and_day(
    people: Engine, tmp_path: Path, values: Row
) -> None:
    report = imports(people, tmp_path, wide(values) | {"Lượt khám": VISITS})  # the results stand first
    assert (report.rejected, keys(people, "visit")) == (0, {"LK-1"})
    assert keys(people, "measurement") == {"LK-1/BIO-CREA", "LK-1/BIO-AST"}
    assert any("LK-1" in line for line in report.warnings)
    assert imports(people, tmp_path, wide(values) | {"Lượt khám": VISITS}).changes == 0
    assert imports(people, tmp_path, wide(values)).changes == 0  # it is stored by now


def test_another_kind_or_day_is_another_visit(people: Engine, tmp_path: Path) -> None:
    rows = [(*VALUES[:2], "Ngoại trú", *VALUES[3:]), (*VALUES[:3], "15/03/2025", *VALUES[4:])]
    report = imports(people, tmp_path, wide(*rows) | {"Lượt khám": VISITS})
    made = {"A1.outpatient.20260315", "A1.checkup.20250315"}
    assert (report.rejected, keys(people, "visit")) == (0, {"LK-1", *made})


def test_of_several_visits_none_is_chosen(people: Engine, tmp_path: Path) -> None:
    visits = [*VISITS, ("LK-2", "A1", "checkup", "2026-03-15 14:00", "")]
    rejects = tmp_path / "r.xlsx"
    report = imports(people, tmp_path, wide(VALUES) | {"Lượt khám": visits}, rejects=rejects)
    assert (keys(people, "visit"), keys(people, "measurement")) == ({"LK-1", "LK-2"}, set())
    assert ["LK-1, LK-2" in str(one) for one in report.problems] == [True]
    book = load_workbook(rejects)
    page = book["Kết quả theo hàng"]
    assert "LK-1, LK-2" in str(page.cell(2, page.max_column).value)
    page.cell(2, WIDE.index("Mã lượt khám") + 1).value = "LK-2"
    book.save(rejects)
    assert again(people, rejects).rejected == 0
    assert keys(people, "measurement") == {"LK-2/BIO-CREA", "LK-2/BIO-AST"}


def test_a_visit_that_was_made_of_results_gets_no_second_key(people: Engine, tmp_path: Path) -> None:
    imports(people, tmp_path, wide(VALUES))
    report = imports(people, tmp_path, {"Lượt khám": VISITS})
    assert [MADE in str(one) for one in report.problems] == [True]
    assert (keys(people, "visit"), len(keys(people, "measurement"))) == ({MADE}, 2)  # and nothing is gone
    both = wide(VALUES) | {"Lượt khám": VISITS}
    assert (imports(people, tmp_path, both).rejected, keys(people, "visit")) == (1, {MADE})
    imports(people, tmp_path, wide((*VALUES[:6], "x")))  # the ways on: the clerk's key,
    assert (imports(people, tmp_path, both).rejected, keys(people, "visit")) == (0, {"LK-1"})
    imports(people, tmp_path, wide((*VALUES[:6], "x")))
    assert (keys(people, "visit"), keys(people, "measurement")) == ({"LK-1"}, set())


def test_or_the_made_key_is_written_to_the_visit(people: Engine, tmp_path: Path) -> None:
    imports(people, tmp_path, wide(VALUES))
    visits = [VISITS[0], (MADE, *VISITS[1][1:])]
    assert imports(people, tmp_path, {"Lượt khám": visits} | wide(VALUES)).rejected == 1  # it has two rows
    found: Any = RecordStore(people).get("visit", MADE)
    assert found.conclusion == "THA"
    assert keys(people, "measurement") == {f"{MADE}/BIO-CREA", f"{MADE}/BIO-AST"}


def test_results_of_a_visit_that_was_rejected_wait_for_it(people: Engine, tmp_path: Path) -> None:
    spoilt = [(*VISITS[0], "Xóa"), (*VISITS[1], "hả")]
    rejects = tmp_path / "r.xlsx"
    imports(people, tmp_path, wide(VALUES) | {"Lượt khám": spoilt}, rejects=rejects)
    assert (keys(people, "visit"), keys(people, "measurement")) == (set(), set())
    book = load_workbook(rejects)
    page = book["Kết quả theo hàng"]
    assert page.cell(2, page.max_column).value == say("import.waits_for_parent")
    visits = book["Lượt khám"]
    visits.cell(2, 6).value = None
    book.save(rejects)
    assert again(people, rejects).rejected == 0
    assert keys(people, "measurement") == {"LK-1/BIO-CREA", "LK-1/BIO-AST"}


def test_what_waits_for_its_person_says_so(engine: Engine, tmp_path: Path) -> None:
    spoilt = [PEOPLE[0], (*PEOPLE[1][:3], "45/45/1960", "T4")]
    rejects = tmp_path / "r.xlsx"
    imports(engine, tmp_path, {"Cán bộ": spoilt} | wide(VALUES), rejects=rejects)
    page = load_workbook(rejects)["Kết quả theo hàng"]
    assert page.cell(2, page.max_column).value == say("import.waits_for_parent")


def test_people_who_were_merged_are_one(people: Engine, tmp_path: Path) -> None:
    imports(people, tmp_path, {"Lượt khám": VISITS})
    with write_transaction(people) as connection:
        MergeStore.add(connection, Merge("A2", "A1", NOW, "test"))
    report = imports(people, tmp_path, wide(("A2", *VALUES[1:])))
    assert (report.rejected, keys(people, "visit")) == (0, {"LK-1"})
    assert keys(people, "measurement") == {"LK-1/BIO-CREA", "LK-1/BIO-AST"}


def test_the_same_value_under_another_visit_of_that_day_is_said(people: Engine, tmp_path: Path) -> None:
    visits = [*VISITS, ("LK-2", "A1", "Ngoại trú", "15/03/2026", "")]
    sheets = {"Lượt khám": visits} | wide(("A1", "LK-1", *VALUES[2:]))
    assert imports(people, tmp_path, sheets).note_count == 0
    report = imports(people, tmp_path, wide(("A1", "LK-2", "Ngoại trú", "15/03/2026", 88, 31, None)))
    assert [(one.column, "LK-1" in str(one)) for one in report.noted_cells] == [("Creatinin", True)]


def test_a_sheet_of_visits_says_nothing_of_visits_made_of_results(people: Engine, tmp_path: Path) -> None:
    """These have no line there: they stay with their values, and it is said."""
    imports(people, tmp_path, wide(VALUES))
    others = [*VISITS[:1], ("LK-2", "A2", "Khám định kỳ", "16/03/2026", "")]
    values = [("Mã lượt khám", "Mã chỉ số", "Giá trị"), ("LK-2", "BIO-AST", 31)]
    full = {"Lượt khám": others, "Chỉ số": values}
    report = imports(people, tmp_path, full, max_deletions_percent=3)  # nor is it a mass deletion
    assert (keys(people, "visit"), report.rejected) == ({MADE, "LK-2"}, 0)
    assert keys(people, "measurement") == {f"{MADE}/BIO-CREA", f"{MADE}/BIO-AST", "LK-2/BIO-AST"}
    said = [line for line in report.warnings if "results by row" in line]
    assert [line.split(" are ")[0] for line in said] == ["1 visits", "2 measurements"]
    assert [one.deleted for one in report.kinds.values()] == [0, 0]
    again_ = imports(people, tmp_path, full, dry_run=True)
    assert again_.changes == 0
    assert said == [line for line in again_.warnings if "results by row" in line]
    imports(people, tmp_path, wide((*VALUES[:6], "x")))  # the way to delete it
    assert (keys(people, "visit"), keys(people, "measurement")) == ({"LK-2"}, {"LK-2/BIO-AST"})


@pytest.mark.parametrize("adopted", [True, False])
def test_whose_key_is_the_sheets_own_is_missing_as_ever(
    people: Engine, tmp_path: Path, *, adopted: bool
) -> None:
    """A visit whose key only looks made; one that has another day by now is the sheet's own."""
    if adopted:
        imports(people, tmp_path, wide(VALUES))
        imports(people, tmp_path, {"Lượt khám": [VISITS[0], (MADE, "A1", *VISITS[1][2:3], "17/03/2026", "")]})
    else:
        imports(people, tmp_path, {"Lượt khám": [VISITS[0], ("A2.checkup.20260315", *VISITS[1][1:])]})
    others = [VISITS[0], ("LK-2", "A2", "Khám định kỳ", "16/03/2026", "")]
    report = imports(people, tmp_path, {"Lượt khám": others})
    assert (keys(people, "visit"), keys(people, "measurement")) == ({"LK-2"}, set())
    assert not any("results by row" in line for line in report.warnings)


def test_who_is_gone_takes_visits_made_of_results_along(people: Engine, tmp_path: Path) -> None:
    imports(people, tmp_path, wide(VALUES, ("A2", *VALUES[1:])))
    imports(people, tmp_path, {"Cán bộ": PEOPLE[:2]})
    assert keys(people, "visit") == {MADE}


def test_in_another_list_they_stay_too(people: Engine, tmp_path: Path) -> None:
    options = {"key_space": "@kh"}
    imports(people, tmp_path, {"Cán bộ": PEOPLE}, **options)
    imports(people, tmp_path, wide(VALUES), **options)
    others = [VISITS[0], ("LK-2", "A2", "Khám định kỳ", "16/03/2026", "")]
    imports(people, tmp_path, {"Lượt khám": others}, **options)
    assert keys(people, "visit") == {f"{MADE}@kh", "LK-2@kh"}


def as_csv(folder: Path, sheets: dict[str, Sequence[Row]]) -> Path:
    folder.mkdir()
    for name, rows in sheets.items():
        lines = (";".join("" if cell is None else str(cell) for cell in row) for row in rows)
        (folder / f"{name}.csv").write_text("\n".join(lines), "utf-8")
    return folder


def test_in_csv_files_it_is_the_same(people: Engine, tmp_path: Path) -> None:
    folder = as_csv(tmp_path / "both", wide(VALUES) | {"Lượt khám": VISITS})
    report = again(people, folder)
    assert (report.rejected, keys(people, "visit")) == (0, {"LK-1"})
    assert keys(people, "measurement") == {"LK-1/BIO-CREA", "LK-1/BIO-AST"}
    assert any("LK-1" in line for line in report.warnings)
    alone = as_csv(tmp_path / "alone", wide((*VALUES[:4], 90, *VALUES[5:]))) / "Kết quả theo hàng.csv"
    report = again(people, alone)  # it is stored by now
    assert (report.rejected, keys(people, "visit"), report.kinds["measurement"].changed) == (0, {"LK-1"}, 1)
    doubtful = as_csv(tmp_path / "two", wide(VALUES) | {"Lượt khám": [*VISITS, ("LK-2", *VISITS[1][1:])]})
    report = again(people, doubtful, rejects=tmp_path / "r", partial=True)
    assert ["LK-1, LK-2" in str(one) for one in report.problems] == [True]
    given = (tmp_path / "r" / "Kết quả theo hàng.csv").read_text("utf-8-sig")
    assert "LK-1, LK-2" in given


def undo(engine: Engine, later: int) -> ImportUndo:
    """The newest import is taken back."""
    with write_transaction(engine) as connection:
        run = list_runs(connection)[0]
        return undo_run(connection, run, at=NOW + timedelta(hours=later), by="test")


def test_results_are_taken_back_and_their_visit_stays(people: Engine, tmp_path: Path) -> None:
    imports(people, tmp_path, {"Lượt khám": VISITS})
    imports(people, tmp_path, wide(VALUES), now=NOW + timedelta(hours=1))
    done = undo(people, 2)
    assert (done.removed, done.left) == (2, 0)
    assert (keys(people, "visit"), keys(people, "measurement")) == ({"LK-1"}, set())
    undo(people, 3)
    assert keys(people, "measurement") == {"LK-1/BIO-CREA", "LK-1/BIO-AST"}


def test_a_visit_that_was_made_is_taken_back_with_its_results(people: Engine, tmp_path: Path) -> None:
    """Unless more of them came in since."""
    imports(people, tmp_path, wide((*VALUES[:5], None, None)))
    undo(people, 1)
    assert (keys(people, "visit"), keys(people, "measurement")) == (set(), set())
    imports(people, tmp_path, wide((*VALUES[:5], None, None)), now=NOW + timedelta(hours=2))
    with write_transaction(people) as connection:
        first = list_runs(connection)[0]
    imports(people, tmp_path, wide((*VALUES[:4], None, 30, None)), now=NOW + timedelta(hours=3), partial=True)
    with write_transaction(people) as connection:
        done = undo_run(connection, first, at=NOW + timedelta(hours=4), by="test")
    assert done.left == 2  # the visit; its value was deleted by the empty cell since
    assert (keys(people, "visit"), keys(people, "measurement")) == ({MADE}, {f"{MADE}/BIO-AST"})


def test_a_dry_run_says_which_visit_it_is_and_stores_nothing(people: Engine, tmp_path: Path) -> None:
    both = wide(VALUES, ("A2", *VALUES[1:])) | {"Lượt khám": VISITS}
    tried = imports(people, tmp_path, both, dry_run=True)
    assert (keys(people, "visit"), keys(people, "measurement")) == (set(), set())
    report = imports(people, tmp_path, both)
    assert (tried.kinds, tried.warnings) == (report.kinds, report.warnings)
    assert keys(people, "visit") == {"LK-1", "A2.checkup.20260315"}
    second = {"Lượt khám": [*VISITS, ("LK-3", "A2", *VISITS[1][2:])]}
    tried = imports(people, tmp_path, second, dry_run=True)
    assert ["A2.checkup.20260315" in str(one) for one in tried.problems] == [True]
    assert imports(people, tmp_path, second).problems == tried.problems


def test_another_list_has_visits_of_its_own(people: Engine, tmp_path: Path) -> None:
    """The same keys are other people's there."""
    imports(people, tmp_path, {"Lượt khám": VISITS})
    other: dict[str, Any] = {"key_space": "@kh"}
    imports(people, tmp_path, {"Cán bộ": PEOPLE}, **other)
    report = imports(people, tmp_path, wide(VALUES), **other)
    assert (report.rejected, keys(people, "visit")) == (0, {"LK-1", f"{MADE}@kh"})
    report = imports(people, tmp_path, {"Lượt khám": VISITS}, **other)
    assert [MADE in str(one) and "@kh" not in str(one) for one in report.problems] == [True]
    named = [VISITS[0], ("LK-9", "A2", *VISITS[1][2:])]
    report = imports(people, tmp_path, wide(("A2", *VALUES[1:])) | {"Lượt khám": named}, **other)
    assert keys(people, "visit") == {"LK-1", f"{MADE}@kh", "LK-9@kh"}
    assert any("LK-9" in line and "LK-9@kh" not in line for line in report.warnings)
    assert {one for one in keys(people, "measurement") if "LK-9" in one} == {
        "LK-9@kh/BIO-CREA",
        "LK-9@kh/BIO-AST",
    }


@pytest.mark.parametrize(("agreeing", "said"), [(0, 0), (1, 0), (2, 2), (3, 3), (4, 4)])
def test_one_value_among_many_may_be_the_same_twice(
    people: Engine, tmp_path: Path, agreeing: int, said: int
) -> None:
    """Half of what two visits of a day both have must be the same before it is said."""
    codes = ["BIO-CREA", "BIO-AST", "VS-HR", "VS-SPO2"]
    title = ("Mã lượt khám", "Mã chỉ số", "Giá trị")
    other = [("LK-2", code, 80 + place + (place >= agreeing)) for place, code in enumerate(codes)]
    sheets: dict[str, Sequence[Row]] = {
        "Lượt khám": [*VISITS, ("LK-2", "A1", "Ngoại trú", "15/03/2026", "")],
        "Chỉ số": [title, *(("LK-1", code, 80 + place) for place, code in enumerate(codes))],
    }
    imports(people, tmp_path, sheets)
    report = imports(people, tmp_path, {"Chỉ số": [title, *other]}, partial=True)
    assert report.note_count == said
