"""A row whose name is another person's than its key's stays out, and a hidden person's leaves no trace."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine, select

from adapter.database import metadata
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.records.tables import record

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MEASURES = MeasureNames(
    [
        NamedMeasure("BIO-CREA", "Creatinin", "Creatinine", "µmol/L"),
        NamedMeasure("BIO-AST", "AST (GOT)", "AST", "U/L"),
    ],
    ["µmol/L", "U/L"],
)
PEOPLE = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("CB-20", "Đinh Công Hậu", "Nam", "05/03/1960", "T4"),
    ("CB-21", "Vi Văn Páo", "Nam", "06/04/1961", "T5"),
    ("CB-24", "Nông Thị Mai", "Nữ", "07/05/1962", "T5"),
]
HIDDEN = ("CB-07", "Trịnh Quang Tuyệt", "Nam", "02/09/1950", "T0")
WIDE = ("Mã cán bộ", "Họ và tên", "Loại", "Bắt đầu", "Ghi chú", "Creatinin", "AST (GOT)")
VISITS = ("Mã lượt khám", "Mã cán bộ", "Họ và tên", "Loại", "Bắt đầu")
VALUES = ("Mã lượt khám", "Họ và tên", "Mã chỉ số", "Giá trị")
Rows = Sequence[Sequence[Any]]


def book(path: Path, sheets: Mapping[str, Rows]) -> Path:
    made = Workbook()
    made.remove(made.worksheets[0])
    for title, rows in sheets.items():
        page = made.create_sheet(title)
        for row in rows:
            page.append(list(row))
    made.save(path)
    return path


def imported(engine: Engine, path: Path, sheets: Mapping[str, Rows], **options: Any) -> ImportReport:
    fixed: dict[str, Any] = {
        "max_deletions_percent": 100,
        "known_hospitals": frozenset(),
        "now": NOW,
        "rejects": path.with_name("rejects"),
        "inputs": InputOptions(layouts=LayoutContext(MEASURES)),
        "plausible": PlausibleRanges({}, {}),
    }
    return run_import(engine, [book(path, sheets)], **fixed | options)


def wide(key: str, name: str, day: str = "15/03/2026", creatinine: Any = 88, *more: Any) -> tuple[Any, ...]:
    return (key, name, "Khám định kỳ", day, "", creatinine, 30, *more)


def kept(engine: Engine, kind: str) -> list[str]:
    return [one.key for one in RecordStore(engine).iterate(kind)]


@pytest.mark.parametrize(
    "name",
    [
        "Trịnh Quang Tuyệt",
        "TRINH QUANG TUYET",
        "Ông Trịnh Q. Tuyệt",
        "Tuyệt Trịnh Quang",
        "TrÞnh Quang TuyÖt",
    ],
)
@pytest.mark.parametrize("day", ["15/03/2026", "31/02/2026"])
def test_a_hidden_persons_name_beside_anothers_key(
    engine: Engine, tmp_path: Path, name: str, day: str
) -> None:
    sheets = {
        "Cán bộ": [*PEOPLE, HIDDEN],
        "Kết quả theo hàng": [WIDE, wide("CB-20", "Đinh Công Hậu", "16/03/2026"), wide("CB-21", name, day)],
    }
    report = imported(engine, tmp_path / "a.xlsx", sheets)
    said = [report, *map(str, report.problems), report.as_json()]
    with engine.connect() as connection:
        said += [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
    told = "".join(map(repr, said))
    for telling in ("Tuyệt", "TUYET", "TuyÖt", "31/02/2026", "20260315"):
        assert telling not in told
    assert report.rejects is None
    assert (len(kept(engine, "visit")), len(kept(engine, "measurement"))) == (1, 2)
    assert report.kinds["visit"].withheld == 1


@pytest.mark.parametrize("hidden", [[HIDDEN], []])
def test_a_row_of_anothers_name_does_not_come_in(engine: Engine, tmp_path: Path, hidden: Rows) -> None:
    rows = [WIDE, wide("CB-20", "Nông Thị Mai"), wide("CB-24", "Nông Thị Mai", "17/03/2026")]
    report = imported(engine, tmp_path / "a.xlsx", {"Cán bộ": [*PEOPLE, *hidden], "Kết quả theo hàng": rows})
    assert (report.kinds["visit"].created, report.kinds["visit"].withheld) == (1, 1)
    assert (report.kinds["measurement"].created, report.kinds["measurement"].withheld) == (2, 2)
    [problem] = report.problems
    assert (problem.row, problem.column, problem.value) == (2, "Họ và tên", "")
    assert "somebody else's" in str(problem)
    assert report.rejects is None


def test_the_same_in_sheets_of_visits_and_of_values(engine: Engine, tmp_path: Path) -> None:
    visits = [
        VISITS,
        ("V1", "CB-20", "Nông Thị Mai", "Khám định kỳ", "15/03/2026"),
        ("V2", "CB-21", "Vi Văn Páo", "Khám định kỳ", "15/03/2026"),
    ]
    values = [VALUES, ("V2", "Đinh Công Hậu", "BIO-CREA", 88), ("V2", "Vi Van Pao", "BIO-AST", 30)]
    report = imported(engine, tmp_path / "a.xlsx", {"Cán bộ": PEOPLE, "Lượt khám": visits, "Chỉ số": values})
    assert kept(engine, "visit") == ["V2"]
    assert kept(engine, "measurement") == ["V2/BIO-AST"]
    assert [(one.sheet, one.row) for one in report.problems] == [("Lượt khám", 2), ("Chỉ số", 2)]


def test_what_is_stored_stays_where_the_row_is_not_known_to_be_its_persons(
    engine: Engine, tmp_path: Path
) -> None:
    sheets: dict[str, Rows] = {"Cán bộ": PEOPLE, "Kết quả theo hàng": [WIDE, wide("CB-20", "Đinh Công Hậu")]}
    imported(engine, tmp_path / "a.xlsx", sheets)
    before = kept(engine, "measurement")
    for row in (wide("CB-20", "Nông Thị Mai", "15/03/2026", ""), wide("CB-20", "Nông Thị Mai")[:5]):
        sheets["Kết quả theo hàng"] = [WIDE, row]
        imported(engine, tmp_path / "a.xlsx", sheets)
        assert kept(engine, "measurement") == before
        assert len(before) == 2
    marked = [(*WIDE, "Xóa"), (*wide("CB-20", "Nông Thị Mai"), "x")]
    imported(engine, tmp_path / "a.xlsx", sheets | {"Kết quả theo hàng": marked})
    assert kept(engine, "measurement") == before


@pytest.mark.parametrize(
    ("name", "noted"),
    [
        ("ĐINH CÔNG HẬU", False),
        ("Dinh Cong Hau", False),
        ("Ông Đinh Công Hậu (nghỉ hưu)", False),
        ("Hậu Đinh Công", False),
        ("Đinh Hậu", False),
        ("Đ. C. Hậu", False),
        ("Hậu", False),
        ("§inh C«ng HËu", False),
        ("", False),
        ("nt", True),
        ("Đinh Công Hậi", True),
        ("Đinh Công", True),
    ],
)
def test_a_persons_name_may_be_spelt_otherwise(
    engine: Engine, tmp_path: Path, name: str, noted: bool
) -> None:
    sheets: dict[str, Rows] = {"Cán bộ": [*PEOPLE, HIDDEN], "Kết quả theo hàng": [WIDE, wide("CB-20", name)]}
    report = imported(engine, tmp_path / "a.xlsx", sheets)
    assert report.kinds["measurement"].created == 2
    assert [one.text for one in report.noted_cells] == ["noted_name"] * noted
    assert not report.problems


@pytest.mark.parametrize(
    ("year", "comes"), [("1960", True), ("05/03/1960", True), (1960, True), ("1962", False)]
)
def test_the_year_of_birth_tells_namesakes_apart(
    engine: Engine, tmp_path: Path, year: Any, comes: bool
) -> None:
    rows = [(*WIDE, "Năm sinh"), wide("CB-20", "Đinh Công Hậu", "15/03/2026", 88, year)]
    report = imported(engine, tmp_path / "a.xlsx", {"Cán bộ": PEOPLE, "Kết quả theo hàng": rows})
    assert report.kinds["visit"].created == comes
    assert [one.column for one in report.problems] == ["Năm sinh"] * (not comes)


def test_a_namesake_of_a_hidden_person_is_called_so_by_right(engine: Engine, tmp_path: Path) -> None:
    people = [*PEOPLE, HIDDEN, ("CB-30", "Trịnh Quang Tuyệt", "Nam", "01/01/1970", "T5")]
    sheets: dict[str, Rows] = {
        "Cán bộ": people,
        "Kết quả theo hàng": [WIDE, wide("CB-30", "Trịnh Quang Tuyệt")],
    }
    assert imported(engine, tmp_path / "a.xlsx", sheets).kinds["measurement"].created == 2


def test_a_name_in_two_columns_is_one(engine: Engine, tmp_path: Path) -> None:
    header = ("Mã cán bộ", "Họ đệm", "Tên", *WIDE[2:])
    rows = [
        header,
        ("CB-21", "Trịnh Quang", "Tuyệt", *wide("", "")[2:]),
        ("CB-20", "Đinh Công", "Hậu", *wide("", "")[2:]),
    ]
    report = imported(engine, tmp_path / "a.xlsx", {"Cán bộ": PEOPLE, "Kết quả theo hàng": rows})
    assert (report.kinds["visit"].created, report.kinds["visit"].withheld) == (1, 1)
    assert not report.noted_cells


def test_what_is_made_of_one_row_has_one_number_below_a_hidden_persons(
    engine: Engine, tmp_path: Path
) -> None:
    """Without the hidden person's row, and not without each of its values: these tell how many there were."""
    rows = [
        WIDE,
        wide("CB-20", "Đinh Công Hậu"),
        wide("CB-07", "Trịnh Quang Tuyệt"),
        wide("CB-21", "Vi Văn Páo"),
        ("CB-07", "Trịnh Quang Tuyệt", "Khám định kỳ", "16/03/2026"),
        wide("CB-24", "Nông Thị Mai"),
    ]
    imported(engine, tmp_path / "a.xlsx", {"Cán bộ": [*PEOPLE, HIDDEN], "Kết quả theo hàng": rows})
    query = select(record.c.cadre, record.c.row).where(record.c.kind.in_(("visit", "measurement")))
    with engine.connect() as connection:
        found = connection.execute(query.distinct()).all()
    assert sorted(map(tuple, found)) == [("CB-20", 2), ("CB-21", 3), ("CB-24", 4)]


def test_a_row_that_is_shown_is_not_among_those_that_are_not(engine: Engine, tmp_path: Path) -> None:
    rows = [WIDE, wide("", "Đinh Công Hậu", "32/01/2026"), wide("CB-24", "Nông Thị Mai", "31/02/2026")]
    report = imported(engine, tmp_path / "a.xlsx", {"Cán bộ": [*PEOPLE, HIDDEN], "Kết quả theo hàng": rows})
    shown, hidden = (
        [str(one) for one in report.groups if one.first.column == "Bắt đầu" and one.first.hidden is is_hidden]
        for is_hidden in (False, True)
    )
    assert ["row 3," in line and "not shown here" not in line for line in shown] == [True]
    assert ["row 2," in line and "31/02" not in line for line in hidden] == [True]
