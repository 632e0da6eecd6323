"""Rows of wide sheets that are marked in the column Xóa, and sheets with a single measure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from adapter.errors import ImportRefused
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Row = Sequence[Any]
PEOPLE = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ("A2", "Trần Thị Ba", "Nữ", "06/04/1961", "T5"),
]
MEASURES = MeasureNames(
    [
        NamedMeasure("BIO-CREA", "Creatinin", "Creatinine", "µmol/L"),
        NamedMeasure("BIO-GLUF", "Glucose máu lúc đói", "Fasting glucose", "mmol/L"),
        NamedMeasure("BIO-AST", "AST (GOT)", "AST", "U/L"),
    ],
    ["mmol/L", "µmol/L", "U/L"],
)
WIDE = ("Mã cán bộ", "Loại", "Ngày khám", "Creatinin", "AST", "Xóa")
FIRST = ("A1", "checkup", "15/03/2026", 88, 30, None)
SECOND = ("A2", "checkup", "16/03/2026", 70, 31, None)
VISIT = "A1.checkup.20260315"


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
    given: dict[str, Any] = {
        "max_deletions_percent": 100,
        "known_hospitals": frozenset(),
        "now": NOW,
        "inputs": InputOptions(layouts=LayoutContext(MEASURES)),
    }
    return run_import(engine, [folder / "a.xlsx"], **(given | options))


def keys(engine: Engine, kind: str) -> set[str]:
    return {one.key for one in RecordStore(engine).iterate(kind)}


@pytest.mark.parametrize("mark", ["x", "Có", 1, True, "YES"])
def test_a_marked_row_takes_its_visit_and_values_back(people: Engine, tmp_path: Path, mark: Any) -> None:
    imports(people, tmp_path, {"Wide": [WIDE, FIRST, SECOND]})
    report = imports(people, tmp_path, {"Wide": [WIDE, (*FIRST[:5], mark), SECOND]})
    assert (report.rejected, report.kinds["visit"].deleted, report.kinds["measurement"].deleted) == (0, 1, 2)
    assert keys(people, "visit") == {"A2.checkup.20260316"}
    assert keys(people, "measurement") == {"A2.checkup.20260316/BIO-CREA", "A2.checkup.20260316/BIO-AST"}
    assert imports(people, tmp_path, {"Wide": [WIDE, (*FIRST[:5], mark), SECOND]}).changes == 0
    assert imports(people, tmp_path, {"Wide": [WIDE, FIRST, SECOND]}).kinds["measurement"].created == 2


@pytest.mark.parametrize("mark", [None, "", "không", 0, "no"])
def test_what_is_not_marked_stays(people: Engine, tmp_path: Path, mark: Any) -> None:
    report = imports(people, tmp_path, {"Wide": [WIDE, (*FIRST[:5], mark)]})
    assert report.kinds["measurement"].created == 2


@pytest.mark.parametrize("first", [True, False])
def test_a_row_that_took_the_place_of_a_marked_one_stays(
    people: Engine, tmp_path: Path, *, first: bool
) -> None:
    imports(people, tmp_path, {"Wide": [WIDE, FIRST]})
    rows = [(*FIRST[:5], "x"), ("A1", "Khám định kỳ", "2026-03-15", 91, None, None)]
    report = imports(people, tmp_path, {"Wide": [WIDE, *(rows if first else reversed(rows))]})
    assert report.rejected == 0
    assert keys(people, "visit") == {VISIT}
    found: Any = RecordStore(people).get("measurement", f"{VISIT}/BIO-CREA")
    assert found.value == "91"
    assert keys(people, "measurement") == {f"{VISIT}/BIO-CREA"}


def test_two_marked_rows_of_one_visit_and_two_columns_of_one_measure(people: Engine, tmp_path: Path) -> None:
    wide = ("Mã cán bộ", "Loại", "Ngày khám", "Creatinin (µmol/L)", "Creatinin", "Xóa")
    imports(people, tmp_path, {"Wide": [wide, ("A1", "checkup", "15/03/2026", 88, None, None)]})
    marked = ("A1", "checkup", "15/03/2026", 88, None, "x")
    report = imports(people, tmp_path, {"Wide": [wide, marked, (*marked[:3], None, 88, "x")]})
    assert (report.rejected, report.kinds["measurement"].deleted) == (0, 1)
    assert keys(people, "visit") == set()


def test_the_values_of_a_visit_with_a_key_of_its_own_go_and_the_visit_stays(
    people: Engine, tmp_path: Path
) -> None:
    sheets: dict[str, Sequence[Row]] = {
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"),
            ("V1", "A1", "checkup", "15/03/2026"),
        ],
        "Chỉ số": [("Mã lượt khám", "Mã chỉ số", "Giá trị"), ("V1", "BIO-GLUF", "5,1")],
        "Wide": [("Mã lượt khám", "Creatinin", "AST", "Xóa"), ("V1", 88, 30, None)],
    }
    imports(people, tmp_path, sheets)
    report = imports(people, tmp_path, sheets | {"Wide": [sheets["Wide"][0], ("V1", 88, None, "x")]})
    assert (report.rejected, report.kinds["measurement"].deleted) == (0, 2)
    assert keys(people, "visit") == {"V1"}
    assert keys(people, "measurement") == {"V1/BIO-GLUF"}


def test_measures_beside_a_marked_visit_go_with_it(people: Engine, tmp_path: Path) -> None:
    header = ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Creatinin", "AST", "Xóa")
    row = ("V1", "A1", "checkup", "15/03/2026", 88, 30)
    imports(people, tmp_path, {"Lượt khám": [header, (*row, None)]})
    report = imports(people, tmp_path, {"Lượt khám": [header, (*row, "x")]})
    assert (report.rejected, report.kinds["visit"].deleted, report.kinds["measurement"].deleted) == (0, 1, 2)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (("A1", "checkup", "13/14/2026", 88, 30, "x"), "Ngày khám"),
        (("A1", "checkup", "15/03/2026", 99, 30, "hả"), "Xóa"),
    ],
)
def test_a_marked_row_that_cannot_be_read_is_rejected(
    people: Engine, tmp_path: Path, row: Row, column: str
) -> None:
    imports(people, tmp_path, {"Wide": [WIDE, FIRST]})
    report = imports(people, tmp_path, {"Wide": [WIDE, row]}, rejects=tmp_path / "r.xlsx")
    assert (report.kinds["visit"].rejected, report.kinds["measurement"].rejected) == (1, 2)
    assert {one.column for one in report.problems} == {column}
    assert keys(people, "visit") == {VISIT}
    found: Any = RecordStore(people).get("measurement", f"{VISIT}/BIO-CREA")
    assert found.value == "88"


def test_deleting_by_marks_is_asked_as_elsewhere(people: Engine, tmp_path: Path) -> None:
    imports(people, tmp_path, {"Wide": [WIDE, FIRST, SECOND]})
    marked = {"Wide": [WIDE, (*FIRST[:5], "x")]}
    for partial in (False, True):  # which is no way out: nothing goes for being absent
        with pytest.raises(ImportRefused, match="--allow-deletions") as refused:
            imports(people, tmp_path, marked, max_deletions_percent=3, partial=partial)
        assert "--partial" not in str(refused.value)
    assert len(keys(people, "visit")) == 2


# a single measure -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sheet", ["Kết quả theo hàng", "Results by row", "Chỉ số", "Wide"])
@pytest.mark.parametrize("title", ["Creatinin", "Creatinin (µmol/L)", "BIO-CREA", "glucose máu lúc đói"])
def test_one_measure_is_enough_where_it_is_called_as_in_the_table(
    people: Engine, tmp_path: Path, sheet: str, title: str
) -> None:
    rows = [("Mã cán bộ", "Loại", "Ngày khám", title), ("A1", "checkup", "15/03/2026", 5)]
    report = imports(people, tmp_path, {sheet: rows})
    assert (report.rejected, report.kinds["measurement"].created) == (0, 1)


@pytest.mark.parametrize(
    "header",
    [
        ("Mã cán bộ", "Loại", "Ngày khám", "AST"),  # half a name
        ("Mã cán bộ", "Loại", "Ngày khám", "Creat"),  # of no measure
        ("Mã cán bộ", "Loại", "Ngày khám", "Ghi chú"),
        ("Mã cán bộ", "Loại", "Lúc nào", "Creatinin"),  # of no day
        ("Mã BN", "Loại", "Ngày khám", "Creatinin"),  # of nobody
        ("Họ tên", "Loại", "Ngày khám", "Creatinin"),
    ],
)
def test_else_a_person_is_asked(people: Engine, tmp_path: Path, header: Row) -> None:
    rows = [header, ("A1", "checkup", "15/03/2026", 5)]
    with pytest.raises(ImportRefused, match="--look"):
        imports(people, tmp_path, {"Kết quả theo hàng": rows})


def test_a_sheet_of_another_name_with_one_measure_is_asked_about(people: Engine, tmp_path: Path) -> None:
    rows = [("Mã cán bộ", "Loại", "Ngày khám", "Creatinin"), ("A1", "checkup", "15/03/2026", 5)]
    with pytest.raises(ImportRefused, match="KQ tháng 3"):
        imports(people, tmp_path, {"KQ tháng 3": rows})


def test_an_empty_sheet_for_results_is_left_out(people: Engine, tmp_path: Path) -> None:
    report = imports(people, tmp_path, {"Cán bộ": PEOPLE, "Kết quả theo hàng": []})
    assert report.kinds["cadre"].unchanged == 2
