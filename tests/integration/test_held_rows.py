"""Rows that hardly can be true: held for a person, let in or dropped, superseded by good ones, never a T0."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from centre_states import CentreStates
from openpyxl import Workbook
from sample import SMALL
from sqlalchemy import Engine, select

from adapter.database import read_transaction
from adapter.records.held_rows import HeldRowStore, HeldState, file_digest
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sheets.cell_parsers import parse_value_as_written
from adapter.records.store import RecordStore
from adapter.records.tables import held_row
from adapter.report import latest_year
from adapter.testing import Centre
from adapter.testing.workbooks import with_cells

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CODES = Path(__file__).parents[2] / "mappings" / "codes"

PEOPLE = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Ngày mất"]
VISITS = ["Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Kết thúc"]
VALUES = ["Mã lượt khám", "Mã chỉ số", "Giá trị", "Đơn vị", "Thời điểm lấy", "Cờ"]

Rows = list[list[Any]]


def workbook(path: Path, values: Rows, visits: Rows | None = None, people: Rows | None = None) -> Path:
    book = Workbook()
    book.remove(book.active)
    pages: dict[str, Rows] = {
        "Cán bộ": [PEOPLE, *(people or [["P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T5", ""]])],
        "Lượt khám": [VISITS, *(visits or [["V1", "P1", "Khám định kỳ", "02/10/2026 08:00", ""]])],
        "Chỉ số": [VALUES, *values],
    }
    for name, lines in pages.items():
        page = book.create_sheet(name)
        for line in lines:
            page.append(line)
    book.save(path)
    return path


def imports(engine: Engine, path: Path, **options: Any) -> ImportReport:
    return run_import(
        engine,
        [path],
        max_deletions_percent=100,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=options.pop("now", NOW),
        plausible=load_ranges(CODES),
        **options,
    )


def test_a_row_that_hardly_can_be_is_held_with_all_that_it_says(engine: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path / "w.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""], ["V1", "VS-HR", 72, "", ""]])
    report = imports(engine, path)
    assert (report.held, report.rejected, report.kinds["measurement"].created) == (1, 0, 1)
    assert [str(one) for one in report.held_cells] == [
        'Sheet Chỉ số, row 2, column Giá trị: "1,65" waits for a person: '
        "VS-HEIGHT: a living person has 54 to 275 cm; 1.65: m?"
    ]
    assert RecordStore(engine).get("measurement", "V1/VS-HEIGHT") is None
    [row] = HeldRowStore(engine).rows()
    assert (row.kind, row.key, row.cadre, row.sheet, row.row) == (
        "measurement",
        "V1/VS-HEIGHT",
        "P1",
        "Chỉ số",
        2,
    )
    assert (row.source, row.file_digest) == ("w.xlsx", file_digest([path], "w.xlsx"))
    assert dict(row.cells)["Giá trị"] == "1,65"
    assert HeldRowStore(engine).backlog() == (1, NOW)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (("42%", "µmol/L", "", ""), "BIO-CREA: per cent, beside the unit µmol/L"),
        (("104 H", "µmol/L", "", "L"), "BIO-CREA: the value says another flag than its own column (Low)"),
        (("104%", "mmol/L", "", ""), "BIO-CREA: per cent, beside the unit mmol/L"),
        (("08-Oct", "µmol/L", "", ""), "BIO-CREA: not a number (in µmol/L); did the spreadsheet change it?"),
        (
            ("cao", "µmol/L", "", ""),
            "BIO-CREA: this measure is a number (in µmol/L), and the cell has words. "
            "Not done: leave it empty, or write: not done. Done: write the number",
        ),
    ],
)
def test_why_a_value_waits_is_told_once(
    engine: Engine, tmp_path: Path, cells: tuple[str, ...], why: str
) -> None:
    path = workbook(tmp_path / "w.xlsx", [["V1", "BIO-CREA", *cells]])
    assert [str(one).partition("person: ")[2] for one in imports(engine, path).held_cells] == [why]


@pytest.mark.parametrize("value", ["\uff18\uff18", "\u0668\u0668", "8\uff18", "8,\uff18"])
def test_digits_of_other_scripts_wait_for_a_person(value: str) -> None:
    ranges = load_ranges(Path(__file__).parents[2] / "mappings" / "codes")
    assert ranges.finding("BIO-CREA", parse_value_as_written(value), "µmol/L") is not None
    assert ranges.finding("BIO-CREA", parse_value_as_written("88"), "µmol/L") is None


def test_a_good_row_takes_the_place_and_a_held_one_does_not_overwrite(engine: Engine, tmp_path: Path) -> None:
    imports(engine, workbook(tmp_path / "a.xlsx", [["V1", "VS-HEIGHT", "165", "cm", ""]]))
    imports(engine, workbook(tmp_path / "b.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""]]))
    stored: Any = RecordStore(engine).get("measurement", "V1/VS-HEIGHT")
    assert stored.value == "165"
    assert [one.row for one in HeldRowStore(engine).rows()] == [2]
    imports(engine, workbook(tmp_path / "c.xlsx", [["V1", "VS-HEIGHT", "166", "cm", ""]]))
    assert HeldRowStore(engine).rows(None) == []


def test_the_same_row_again_waits_on_under_its_number(engine: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""]])
    imports(engine, path)
    [before] = HeldRowStore(engine).rows()
    imports(engine, path, now=NOW + timedelta(days=1))
    [again] = HeldRowStore(engine).rows()
    assert (again.id, again.held_at) == (before.id, before.held_at)
    imports(engine, workbook(path, [["V1", "VS-HEIGHT", "1,66", "cm", ""]]))
    assert [one.id for one in HeldRowStore(engine).rows()] == [before.id]


def test_a_dry_run_holds_nothing_and_says_it(engine: Engine, tmp_path: Path) -> None:
    report = imports(
        engine, workbook(tmp_path / "a.xlsx", [["V1", "VS-HEIGHT", "1,65", "", ""]]), dry_run=True
    )
    assert report.held == 1
    assert HeldRowStore(engine).rows(None) == []


def test_a_row_marked_deleted_waits_no_more(engine: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""]])
    imports(engine, path)
    VALUES.append("Xóa")
    try:
        imports(engine, workbook(path, [["V1", "VS-HEIGHT", "1,65", "cm", "", "", "x"]]))
    finally:
        VALUES.pop()
    assert HeldRowStore(engine).rows(None) == []


def test_a_visit_before_birth_is_refused_and_its_rows_wait(engine: Engine, tmp_path: Path) -> None:
    visits = [
        ["V1", "P1", "Khám định kỳ", "02/10/1926 08:00", ""],
        ["V2", "P1", "Khám định kỳ", "02/10/2026", ""],
    ]
    values = [["V1", "VS-HR", 72, "", ""], ["V2", "VS-HR", 72, "", "02/10/1926 08:00"]]
    report = imports(engine, workbook(tmp_path / "a.xlsx", values, visits))
    assert (report.held, report.rejected) == (0, 3)
    assert ["birth" in str(one) for one in report.problems] == [True, True]


@pytest.mark.parametrize("day", ["02/10/2062 08:00", "02/02/2027 08:00"])
def test_a_visit_in_the_future_is_held_and_its_rows_wait(engine: Engine, tmp_path: Path, day: str) -> None:
    visits = [["V1", "P1", "Khám định kỳ", day, ""]]
    report = imports(engine, workbook(tmp_path / "a.xlsx", [["V1", "VS-HR", 72, "", ""]], visits))
    assert (report.held, report.kinds["measurement"].waiting) == (1, 1)
    assert RecordStore(engine).get("visit", "V1") is None


def test_a_visit_of_the_next_weeks_comes_in_and_is_noted(engine: Engine, tmp_path: Path) -> None:
    visits = [["V1", "P1", "Khám định kỳ", "02/12/2026 08:00", ""]]
    report = imports(engine, workbook(tmp_path / "a.xlsx", [["V1", "VS-HR", 72, "", ""]], visits))
    assert (report.held, report.rejected, report.note_count) == (0, 0, 1)
    assert "this day has not come yet" in str(report.noted_cells[0])


def test_after_death_nothing_is_done_to_a_person(engine: Engine, tmp_path: Path) -> None:
    people = [["P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T5", "01/09/2026"]]
    report = imports(engine, workbook(tmp_path / "a.xlsx", [], people=people))
    assert [one.text for one in report.held_cells] == ["held_after_death"]


def test_a_person_who_becomes_t0_leaves_no_held_row(engine: Engine, tmp_path: Path) -> None:
    imports(engine, workbook(tmp_path / "a.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""]]))
    people = [["P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T0", ""]]
    report = imports(
        engine, workbook(tmp_path / "b.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""]], people=people)
    )
    assert (report.held, report.refused_people) == (0, 1)
    with read_transaction(engine) as connection:
        assert connection.execute(select(held_row)).all() == []


@pytest.mark.parametrize("tier", ["", "T?", "không rõ"])
def test_a_person_whose_tier_cannot_be_read_gets_no_held_row(
    engine: Engine, tmp_path: Path, tier: str
) -> None:
    people = [
        ["P1", "Nguyễn Văn An", "Nam", "12/03/1890", tier, ""],
        ["P2", "Lê Văn Bình", "Nam", "1960-03-12", "T5", ""],
    ]
    imports(engine, workbook(tmp_path / "a.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""]], people=people))
    assert HeldRowStore(engine).rows(None) == []


def test_a_person_who_leaves_takes_held_rows_along(engine: Engine, tmp_path: Path) -> None:
    imports(engine, workbook(tmp_path / "a.xlsx", [["V1", "VS-HEIGHT", "1,65", "cm", ""]]))
    people = [["P2", "Lê Văn Bình", "Nam", "12/03/1960", "T5", ""]]
    visits = [["V2", "P2", "Khám định kỳ", "02/10/2026 08:00", ""]]
    imports(engine, workbook(tmp_path / "b.xlsx", [["V2", "VS-HR", 72, "", ""]], visits, people))
    assert HeldRowStore(engine).rows(None) == []


def test_the_clean_sample_has_no_false_alarm(engine: Engine) -> None:
    report = imports(engine, SMALL, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert (report.held, report.problem_count) == (0, 0)
    assert report.rows > 1000


# through the command line -------------------------------------------------------------------------


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    centre = Centre(tmp_path)
    yield centre
    centre.close()


def _spoilt(path: Path) -> Path:
    """The small sample, its first height in metres."""
    spoilt: list[str] = []

    def keep(sheet: str, row: dict[str, Any]) -> bool:
        if sheet == "Chỉ số" and row["Mã chỉ số"] == "VS-HEIGHT" and not spoilt:
            spoilt.append(row["Mã lượt khám"])
            row["Giá trị"] = "1,65"
        return True

    return with_cells(SMALL, path, keep)


def _problems(centre: Centre) -> list[dict[str, Any]]:
    said = json.loads(centre.attempt("status", "--problems", "--json").stdout)
    return [one for one in said if one["code"] == "held"]


def test_a_measure_that_the_table_does_not_know_is_said(centre: Centre, tmp_path: Path) -> None:
    def keep(sheet: str, row: dict[str, Any]) -> bool:
        if sheet == "Chỉ số" and row["Mã chỉ số"] == "BIO-CREA":
            row["Mã chỉ số"] = "BIO-CREAX"
        return True

    done = centre.attempt("import", str(with_cells(SMALL, tmp_path / "year.xlsx", keep)), "--json")
    [line] = [one for one in json.loads(done.stdout)["warnings"] if "BIO-" in one]
    assert "BIO-CREAX" in line


def test_a_person_lets_a_row_in_and_it_stays_in(centre: Centre, tmp_path: Path) -> None:
    path = _spoilt(tmp_path / "year.xlsx")
    done = centre.attempt("import", str(path))
    assert done.returncode == 1
    assert "1.65: m?" in done.stderr
    assert "adapter import held" in done.stdout
    [row] = centre.run_json("import", "held")
    assert [one["value"] for one in row["findings"]] == ["1,65"]
    [problem] = _problems(centre)
    assert (problem["count"], problem["command"]) == (1, "adapter import held")
    assert centre.attempt("import", "held", "release", str(row["id"])).returncode == 2
    assert centre.attempt("import", "held", "release", "999", "--reason", "x").returncode == 2
    assert centre.attempt("import", "held", "release", str(row["id"]), "--reason", " ").returncode == 2
    centre.run("import", "held", "release", str(row["id"]), "--reason", "đã hỏi lại")
    assert centre.attempt("import", "held", "release", str(row["id"]), "--reason", "x").returncode == 2
    assert centre.run_json("import", "held") == []
    again = centre.attempt("import", str(path), "--json")
    assert again.returncode == 0
    counts = json.loads(again.stdout)["kinds"]["measurement"]
    assert (counts["held"], counts["changed"], counts["created"]) == (0, 0, 0)
    assert [one["state"] for one in centre.run_json("import", "held", "--state", "all")] == ["released"]
    assert _problems(centre) == []


def test_a_person_drops_a_row_and_is_not_asked_again(centre: Centre, tmp_path: Path) -> None:
    path = _spoilt(tmp_path / "year.xlsx")
    centre.attempt("import", str(path))
    [row] = centre.run_json("import", "held")
    centre.run("import", "held", "drop", str(row["id"]), "--reason", "không đo")
    again = centre.attempt("import", str(path), "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["kinds"]["measurement"]["dropped"] == 1
    assert centre.run_json("import", "held") == []
    assert centre.attempt("import", "held", "--state", "lost").returncode == 2
    centre.run("import", "held", "release", str(row["id"]), "--reason", "có đo")
    assert HeldState(centre.run_json("import", "held", "--state", "all")[0]["state"]) == HeldState.RELEASED


def test_a_report_without_a_year_is_not_a_slips(engine: Engine, tmp_path: Path) -> None:
    visits = [["V1", "P1", "Khám định kỳ", f"02/10/{year} 08:00", ""] for year in (2025, 2026, 2062)]
    visits = [[f"V{place}", *row[1:]] for place, row in enumerate(visits)]
    path = workbook(tmp_path / "a.xlsx", [], visits)
    run_import(engine, [path], max_deletions_percent=100, known_hospitals=frozenset(), now=NOW)  # as before
    assert latest_year(RecordStore(engine), NOW.date()) == 2026
    assert latest_year(RecordStore(engine), date(2024, 1, 1)) is None


def test_today_is_the_clocks_day(engine: Engine, tmp_path: Path) -> None:
    day = date(2030, 1, 2)
    visits = [["V1", "P1", "Khám định kỳ", f"{day:%d/%m/%Y} 08:00", ""]]
    path = workbook(tmp_path / "a.xlsx", [], visits)
    assert imports(engine, path, now=datetime(2030, 1, 2, tzinfo=UTC)).held == 0
