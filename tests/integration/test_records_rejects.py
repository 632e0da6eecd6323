"""Bad cells: one clear line each, a rejects file, and a clean import of the corrected one."""

import csv
import os
import stat
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from adapter.database import write_transaction
from adapter.errors import ImportRefused
from adapter.records.importing.import_history import list_runs
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.importing.undo import undo_run
from adapter.records.store import RecordStore
from adapter.texts import set_language

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "fixtures" / "sample"
SMALL = SAMPLE / "small.xlsx"

# sheet, header, row in the sheet, the bad cell, what the line must say. One row each.
BAD: list[tuple[str, str, int, Any, str]] = [
    ("Cán bộ", "Họ và tên", 3, "Đào Văn 7", "a name"),
    ("Cán bộ", "Giới tính", 5, "đàn ông", "Male, Female, Unknown"),
    ("Cán bộ", "Ngày sinh", 7, "31/02/1960", "DD/MM/YYYY"),
    ("Cán bộ", "Diện quản lý", 8, "T9", "T1, T2"),
    ("Cán bộ", "Đồng ý chia sẻ", 16, "tất cả", "HIV"),
    ("Cán bộ", "Ngày mất", 17, "01/01/1900", "date of birth"),
    ("Lượt khám", "Loại", 2, "khám chơi", "Periodic check-up"),
    ("Lượt khám", "Kết thúc", 3, "01/01/2026 07:00", "before the start"),
    ("Lượt khám", "Bắt đầu", 10, "32/01/2026", "HH:MM"),
    ("Chỉ số", "Giá trị", 10, date(2026, 10, 8), "Excel"),
    ("Chỉ số", "Mã chỉ số", 12, None, "a value"),
    ("Chỉ số", "Mã lượt khám", 18, "CB-9999.K1", "key of a visit"),
    ("Chẩn đoán", "ICD-10", 2, "cao áp", "E11.9"),
    ("Chẩn đoán", "Mức độ", 3, "chắc", "Confirmed"),
    ("Chuyển khám", "Bệnh viện", 2, "bv-xa", "bv-tinh"),
    ("Chuyển khám", "Hạn", 3, "01/01/2026", "ordered"),
    ("Chuyển khám", "Mã phiếu", 7, "CB-0012.P1", "row 4"),
]
NOBODYS = (
    "Chỉ số",
    "Mã lượt khám",
    18,
)  # may be a T0 person's, since the file has some: not shown, not copied

# The same where nothing hangs on the cell: it is left out and noted.
LENIENT: list[tuple[str, str, int, Any, str]] = [
    ("Cán bộ", "Số CCCD", 9, 24064104761, "lost its zeros"),  # of nobody of that sex and year
    ("Cán bộ", "Số CMND cũ", 10, "12345", "9 digits"),
    ("Cán bộ", "Số thẻ BHYT", 11, "XX9", "BHYT"),
    ("Cán bộ", "Điện thoại", 13, "12345", "phone"),
    ("Cán bộ", "Tỉnh", 14, "02", "34 provinces"),
    ("Cán bộ", "Dân tộc", 15, "77", "ethnic group"),
    ("Lượt khám", "Hướng xử trí", 11, "uống thuốc", "Follow up"),
    ("Lượt khám", "Số mẫu", 12, "2,5", "whole number"),
    ("Chỉ số", "Ngưỡng trên", 14, "cao", "number"),
    ("Chỉ số", "Cờ", 16, "to", "High"),
]


def imports(engine: Engine, path: Path, **options: Any) -> ImportReport:
    return run_import(
        engine,
        [path],
        max_deletions_percent=3,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=NOW,
        **options,
    )


def cell(page: Any, header: str, row: int) -> Any:
    return page.cell(row, [title.value for title in page[1]].index(header) + 1)


def spoil(source: Path, target: Path, bad: list[Any] = BAD) -> dict[tuple[str, str, int], Any]:
    book = load_workbook(source)
    good = {}
    for sheet, header, row, value, _ in bad:
        spoilt = cell(book[sheet], header, row)
        good[sheet, header, row] = spoilt.value
        spoilt.value = value
    book.save(target)
    return good


def test_each_bad_cell_is_one_clear_line_and_costs_its_row(engine: Engine, tmp_path: Path) -> None:
    good = spoil(SMALL, tmp_path / "bad.xlsx")
    report = imports(engine, tmp_path / "bad.xlsx", rejects=tmp_path / "rejects.xlsx")
    assert report.problem_count == len(BAD) >= 17
    for sheet, header, row, value, says in BAD:
        lines = [str(problem) for problem in report.problems if (problem.sheet, problem.row) == (sheet, row)]
        assert len(lines) == 1, (sheet, header, row)
        assert lines[0].startswith(f"Sheet {sheet}, row {row}, column {header}: ")
        assert says in lines[0]
        if (sheet, header, row) == NOBODYS:
            assert value not in lines[0]
        elif isinstance(value, str):
            assert f'"{value}"' in lines[0]
    counted = {kind: counts.created for kind, counts in report.kinds.items()}
    assert counted == {kind: RecordStore(engine).counts()[kind] for kind in counted}

    good.pop(NOBODYS)
    assert report.withheld == 1
    corrected = correct(report.rejects, good)
    again = imports(engine, corrected, rejects=tmp_path / "rejects2.xlsx")
    assert again.partial
    assert [str(problem) for problem in again.problems] == []
    assert (again.rejected, again.rejects) == (0, None)
    assert [counts.deleted for counts in again.kinds.values()] == [0] * len(again.kinds)
    assert imports(engine, SMALL).changes == 1  # but for nobody's row, together they are the whole good file


def test_a_bad_cell_that_nothing_hangs_on_costs_itself(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    before = {kind: list(RecordStore(engine).iterate(kind)) for kind in ("cadre", "visit", "measurement")}
    spoil(SMALL, tmp_path / "bad.xlsx", LENIENT)
    report = imports(engine, tmp_path / "bad.xlsx", rejects=tmp_path / "rejects.xlsx")
    assert (report.problem_count, report.rejected, report.rejects) == (0, 0, None)
    assert report.note_count == len(LENIENT) == 10
    for sheet, header, row, value, says in LENIENT:
        [line] = [str(cell) for cell in report.noted_cells if (cell.sheet, cell.row) == (sheet, row)]
        assert line.startswith(f"Sheet {sheet}, row {row}, column {header}: ")
        assert "left out" in line
        assert says in line
        assert not isinstance(value, str) or f'"{value}"' in line
    after = {kind: list(RecordStore(engine).iterate(kind)) for kind in before}
    assert after == before  # what was stored of such a cell is not cleared


def correct(rejects: Path | None, good: dict[tuple[str, str, int], Any]) -> Path:
    """Put the good cells back, as a person would who reads the reason behind each row."""
    assert rejects is not None
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    book = load_workbook(rejects)
    original = load_workbook(SMALL)
    for (sheet, header, row), value in good.items():
        keys = [c.value for c in original[sheet][row]]
        page = book[sheet]
        for candidate in page.iter_rows(min_row=2):
            values = [c.value for c in candidate][: len(keys)]
            if sum(a == b for a, b in zip(values, keys, strict=True)) == len(keys) - 1:
                corrected = cell(page, header, int(candidate[0].row or 0))
                corrected.value = value
                corrected.number_format = "General"  # no date's any more
                break
        else:
            pytest.fail(f"{sheet} {row} {header} is not in the rejects")
    book.save(rejects)
    return rejects


def test_what_waits_for_a_rejected_row_comes_with_it(engine: Engine, tmp_path: Path) -> None:
    book = load_workbook(SMALL)
    cell(book["Cán bộ"], "Ngày sinh", 2).value = "hôm nọ"
    book.save(tmp_path / "bad.xlsx")
    report = imports(engine, tmp_path / "bad.xlsx", rejects=tmp_path / "r.xlsx")
    assert report.problem_count == 1
    assert report.kinds["visit"].waiting >= 1
    assert report.kinds["measurement"].waiting >= 60
    assert RecordStore(engine).of_cadre("CB-0001") == []


def test_a_rejected_row_keeps_what_is_stored(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    before = RecordStore(engine).of_cadre("CB-0001")
    book = load_workbook(SMALL)
    cell(book["Cán bộ"], "Ngày sinh", 2).value = "hôm nọ"
    book.save(tmp_path / "bad.xlsx")
    report = imports(engine, tmp_path / "bad.xlsx")
    assert report.rejected == 1
    assert RecordStore(engine).of_cadre("CB-0001") == before


def test_csv_rejects_are_a_folder_of_csvs(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in (SAMPLE / "small-csv").iterdir():
        text = path.read_text("utf-8-sig")
        (folder / path.name).write_text(text.replace("CB-0001;Phạm", "CB-0001;=1+1 Phạm"), "utf-8")
    report = imports(engine, folder, rejects=tmp_path / "in.rejects")
    assert report.rejects == tmp_path / "in.rejects"
    assert stat.S_IMODE(report.rejects.stat().st_mode) == 0o700
    assert folder.exists()
    file = report.rejects / "Cán bộ.csv"
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["Họ và tên"] for row in rows] == ["'=1+1 Phạm Văn Tuấn"]
    assert rows[0]["Rejected because"].startswith("Họ và tên: ")
    file.write_text(file.read_text("utf-8-sig").replace("'=1+1 ", ""), "utf-8-sig")
    again = imports(engine, report.rejects)
    assert again.partial
    assert again.problem_count == 0
    assert imports(engine, SMALL).changes == 0


def test_text_that_begins_with_an_equals_sign_is_no_formula_in_the_rejects(
    engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "cadres.csv").write_text("Key;Name;Sex;Date of birth;Tier\nA;x;Nam;1960-01-01;T4\n", "utf-8")
    book = load_workbook(SMALL)
    name = cell(book["Cán bộ"], "Họ và tên", 2)
    name.value = "=HYPERLINK(1)"
    name.data_type = "s"
    book.save(tmp_path / "bad.xlsx")
    report = imports(engine, tmp_path / "bad.xlsx", rejects=tmp_path / "r.xlsx")
    assert report.rejects is not None
    kept = cell(load_workbook(report.rejects)["Cán bộ"], "Họ và tên", 2)
    assert (kept.value, kept.data_type) == ("=HYPERLINK(1)", "s")


def test_the_lines_in_vietnamese(engine: Engine, tmp_path: Path) -> None:
    spoil(SMALL, tmp_path / "bad.xlsx")
    set_language("vi")
    try:
        report = imports(engine, tmp_path / "bad.xlsx")
        lines = [str(problem) for problem in report.problems]
    finally:
        set_language("en")
    assert all(line.startswith("Trang ") and "cần" in line for line in lines)
    assert 'Trang Cán bộ, dòng 7, cột Ngày sinh: "31/02/1960"; cần ngày: DD/MM/YYYY' in lines[2]


PEOPLE = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý")
GOOD = {"Họ và tên": "Lê An", "Giới tính": "Nam", "Ngày sinh": "05/03/1960", "Diện quản lý": "T4"}


def people(path: Path, order: tuple[str, ...], rows: dict[str, str], sheet: str = "Cán bộ") -> Path:
    """A workbook of people (key: date of birth), its columns in an order."""
    book = Workbook()
    page = book.create_sheet(sheet)
    del book["Sheet"]
    page.append(order)
    for key, born in rows.items():
        values = {"Mã cán bộ": key} | GOOD | {"Ngày sinh": born}
        page.append([values[title] for title in order])
    book.save(path)
    return path


def test_files_with_their_columns_in_another_order(engine: Engine, tmp_path: Path) -> None:
    files = [
        people(tmp_path / "a.xlsx", PEOPLE, {"A1": "hôm nọ", "A2": "01/01/1970"}),
        people(tmp_path / "b.xlsx", PEOPLE[::-1], {"B1": "hôm kia"}),
        people(tmp_path / "c.xlsx", PEOPLE[::-1], {"C1": "hôm qua"}, sheet="CÁN BỘ"),
    ]
    fixed: dict[str, Any] = {"max_deletions_percent": 3, "known_hospitals": frozenset(), "now": NOW}
    report = run_import(engine, files, rejects=tmp_path / "r.xlsx", **fixed)
    assert report.rejects is not None
    book = load_workbook(report.rejects)
    assert book.sheetnames == ["Cán bộ", "Cán bộ (2)", "_rejects"]
    for page in book.worksheets[:2]:
        for row in page.iter_rows(min_row=2):
            cell(page, "Ngày sinh", int(row[0].row or 0)).value = "05/03/1960"
    book.save(report.rejects)
    again = imports(engine, report.rejects, rejects=tmp_path / "again.xlsx")
    assert [str(problem) for problem in again.problems] == []
    assert {record.key for record in RecordStore(engine).iterate("cadre")} == {"A1", "A2", "B1", "C1"}


def test_a_clean_import_removes_the_rejects_of_the_last(engine: Engine, tmp_path: Path) -> None:
    bad = people(tmp_path / "a.xlsx", PEOPLE, {"A1": "hôm nọ"})
    target = tmp_path / "r.xlsx"
    assert imports(engine, bad, rejects=target).rejects == target
    good = people(tmp_path / "a.xlsx", PEOPLE, {"A1": "01/01/1970"})
    assert imports(engine, good, rejects=target).rejects is None
    assert not target.exists()
    for name in ("in", "r"):
        (tmp_path / name).mkdir()
    (tmp_path / "r" / "_rejects.txt").write_text("")
    (tmp_path / "in" / "cadres.csv").write_text(
        "Key;Name;Sex;Date of birth;Tier\nA1;An;Nam;196;T4\n", "utf-8"
    )
    assert imports(engine, tmp_path / "in", rejects=tmp_path / "r").rejected == 1
    (tmp_path / "in" / "cadres.csv").write_text("Key;Name;Sex;Date of birth;Tier\n", "utf-8")
    imports(engine, tmp_path / "in", rejects=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def corrected(path: Path) -> bytes:
    """A clerk writes the right date into the rejects, with a program that writes the whole file anew."""
    book = load_workbook(path)
    book["Cán bộ"]["D2"] = "02/02/1972"
    book.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("clean", [True, False])
def test_rejects_that_a_clerk_has_corrected_are_kept_until_they_are_imported(
    engine: Engine, tmp_path: Path, clean: bool
) -> None:
    bad = people(tmp_path / "a.xlsx", PEOPLE, {"A1": "hôm nọ", "A2": "01/01/1970"})
    target = tmp_path / "r.xlsx"
    imports(engine, bad, rejects=target)
    imports(engine, bad, rejects=target)
    assert [one.name for one in tmp_path.glob("r*")] == ["r.xlsx"], "nobody had touched it"
    work = corrected(target)
    again = people(tmp_path / "a.xlsx", PEOPLE, {"A2": "01/01/1970"}) if clean else bad
    report = imports(engine, again, rejects=target)
    kept = tmp_path / "r-corrected.xlsx"
    assert kept.read_bytes() == work
    assert [line for line in report.warnings if str(kept) in line]
    assert target.exists() != clean
    assert imports(engine, kept).kinds["cadre"].created == 1
    if not clean:
        kept.replace(target)  # what was imported is not kept again
        imports(engine, bad, rejects=target)
        assert sorted(one.name for one in tmp_path.glob("r*")) == ["r.xlsx"]


@pytest.mark.parametrize("parts", [("Họ và tên",), ("Họ đệm", "Tên")])
def test_rejects_say_still_whose_they_are(engine: Engine, tmp_path: Path, parts: tuple[str, ...]) -> None:
    """A clerk who changes the key there is told when the name is another person's."""
    book = Workbook()
    page, visits = book.active, book.create_sheet("Lượt khám")
    assert page is not None
    page.title = "Cán bộ"
    page.append(list(PEOPLE))
    page.append(["A1", "Lê Văn An", "Nam", "01/01/1970", "T4"])
    page.append(["A2", "Trần Thị Bình", "Nữ", "01/01/1971", "T5"])
    visits.append(["Mã lượt khám", "Mã cán bộ", *parts, "Loại", "Bắt đầu"])
    name = ("Lê Văn", "An") if len(parts) > 1 else ("Lê Văn An",)
    visits.append(["V1", "A1", *name, "khám chơi", "02/03/2026"])
    book.save(tmp_path / "b.xlsx")
    rejected = imports(engine, tmp_path / "b.xlsx", rejects=tmp_path / "r.xlsx").rejects
    assert rejected is not None
    book = load_workbook(rejected)
    page = book["Lượt khám"]
    assert [cell.value for cell in page[1]][2 : 2 + len(parts)] == list(parts)
    page.cell(2, 3 + len(parts)).value = "Khám định kỳ"
    page["B2"] = "A2"
    book.save(rejected)
    report = imports(engine, rejected)
    assert (report.kinds["visit"].created, report.withheld) == (0, 1)


def test_corrected_rejects_are_kept_again_where_their_import_was_taken_back(
    engine: Engine, tmp_path: Path
) -> None:
    bad = people(tmp_path / "a.xlsx", PEOPLE, {"A1": "hôm nọ"})
    target = tmp_path / "r.xlsx"
    imports(engine, bad, rejects=target)
    corrected(target)
    imports(engine, target)
    with write_transaction(engine) as connection:
        undo_run(connection, list_runs(connection)[0], at=NOW, by="test")
    imports(engine, bad, rejects=target)
    assert (tmp_path / "r-corrected.xlsx").exists()
    (tmp_path / "r-corrected.xlsx").replace(target)
    with write_transaction(engine) as connection:
        undo_run(connection, list_runs(connection)[0], at=NOW, by="test")
    imports(engine, bad, rejects=target)
    assert not (tmp_path / "r-corrected.xlsx").exists(), "it is imported again"


def test_a_folder_of_rejects_that_a_clerk_has_corrected_is_kept(engine: Engine, tmp_path: Path) -> None:
    header = "Key;Name;Sex;Date of birth;Tier\n"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cadres.csv").write_text(f"{header}A1;An;Nam;196;T4\n", "utf-8")
    imports(engine, tmp_path / "in", rejects=tmp_path / "r")
    imports(engine, tmp_path / "in", rejects=tmp_path / "r")
    assert not (tmp_path / "r-corrected").exists()
    (table,) = (tmp_path / "r").glob("*.csv")
    table.write_text(table.read_text("utf-8").replace(",196,", ",1960,"), "utf-8")
    imports(engine, tmp_path / "in", rejects=tmp_path / "r")
    assert imports(engine, tmp_path / "r-corrected").kinds["cadre"].created == 1
    assert (tmp_path / "r").is_dir()


def test_what_is_no_rejects_file_is_neither_replaced_nor_removed(engine: Engine, tmp_path: Path) -> None:
    bad = people(tmp_path / "a.xlsx", PEOPLE, {"A1": "hôm nọ", "A2": "01/01/1970"})
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir.xlsx").mkdir()
    mine = people(tmp_path / "mine.xlsx", PEOPLE, {"M": "01/01/1970"})
    before = mine.read_bytes()
    for target in (tmp_path / "dir", tmp_path / "dir.xlsx", mine, bad):
        with pytest.raises(ImportRefused, match="--rejects"):
            imports(engine, bad, rejects=target)
    assert mine.read_bytes() == before
    assert list(RecordStore(engine).iterate("cadre")) == []  # refused before anything was imported


KILLED = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from adapter.database import open_database
from adapter.records.importing.importer import run_import
def progress(done, total):
    os.kill(os.getpid(), signal.SIGKILL)
run_import(open_database(sys.argv[1]), [Path(sys.argv[2])], max_deletions_percent=3, now=datetime.now(UTC),
    known_hospitals=frozenset(), progress=progress, rejects=Path(sys.argv[3]))
"""


def test_a_killed_import_leaves_people_in_one_closed_folder_alone(engine: Engine, tmp_path: Path) -> None:
    rows = {f"A{number}": "hôm nọ" for number in range(1500)}
    source = people(tmp_path / "a.xlsx", PEOPLE, rows)
    common, out = tmp_path / "tmp", tmp_path / "out"
    common.mkdir()
    url = engine.url.render_as_string(hide_password=False)
    arguments = [sys.executable, "-c", KILLED, url, str(source), str(out / "r.xlsx")]
    killed = subprocess.run(arguments, env=os.environ | {"TMPDIR": str(common)}, check=False)
    assert killed.returncode == -9
    assert list(common.iterdir()) == []
    (left,) = out.iterdir()
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    assert list(left.iterdir())
    good = people(tmp_path / "a.xlsx", PEOPLE, {"A1": "01/01/1970"})
    imports(engine, good, rejects=out / "r.xlsx")
    assert list(out.iterdir()) == []


def test_truth_values_and_failed_formulas_are_called_what_they_are(engine: Engine, tmp_path: Path) -> None:
    book = load_workbook(SMALL)
    cell(book["Chỉ số"], "Giá trị", 10).value = True
    for sheet, header, row in (("Chỉ số", "Giá trị", 12), ("Cán bộ", "Điện thoại", 2)):
        failed = cell(book[sheet], header, row)
        failed.value = "#N/A"
        assert failed.data_type == "e"
    book.save(tmp_path / "bad.xlsx")
    report = imports(engine, tmp_path / "bad.xlsx")
    cells = (*report.problems, *report.noted_cells)
    lines = {(cell.row, cell.column): str(cell) for cell in cells}
    assert len(lines) == 3
    assert "expected a value; the formula" in lines[2, "Điện thoại"]  # though it may stay empty
    assert '"#N/A"; expected a value; the formula' in lines[12, "Giá trị"]
    assert "TRUE" in lines[10, "Giá trị"]
