"""Importing: what changes, what is refused, what becomes of the rest."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine, select

from adapter import audit
from adapter.errors import ImportRefused
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Cadre, Fulfilment, Measurement, Referral, Result
from adapter.records.sheets.layout import SHEETS
from adapter.records.store import RecordStore
from adapter.records.synthetic import write_workbook
from adapter.referrals.lifecycle import ReferralEvent
from adapter.referrals.sayings import ReferralSaying

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "fixtures" / "sample"
SMALL = SAMPLE / "small.xlsx"
HOSPITALS = frozenset({"bv-tinh", "bv-trung-uong"})
Edit = Callable[[Any], None]


def imports(engine: Engine, *files: Path, **options: Any) -> ImportReport:
    fixed: dict[str, Any] = {"max_deletions_percent": 3, "known_hospitals": HOSPITALS, "now": NOW}
    return run_import(engine, files, **fixed | options)


def edited(path: Path, edit: Edit, source: Path = SMALL) -> Path:
    book = load_workbook(source)
    edit(book)
    book.save(path)
    return path


def place(book: Any, sheet: str, header: str, row: int) -> Any:
    page = book[sheet]
    titles = [cell.value for cell in page[1]]
    return page.cell(row, titles.index(header) + 1)


def row_of(book: Any, sheet: str, key: str) -> int:
    return int(next(cell.row for cell in book[sheet]["A"] if cell.value == key))


def snapshot(engine: Engine) -> list[Any]:
    store = RecordStore(engine)
    return [record for kind in store.counts() for record in store.iterate(kind)]


def test_an_import_has_its_rows_counted(engine: Engine) -> None:
    """PostgreSQL looks through all of them for every thousand keys, while it holds the table for empty."""
    if engine.dialect.name != "postgresql":
        return
    imports(engine, SMALL)
    with engine.connect() as connection:
        counted = "SELECT reltuples FROM pg_class WHERE relname = 'record'"
        assert connection.exec_driver_sql(counted).scalar_one() > 0


def test_the_workbook_and_its_csvs_are_the_same_records(engine: Engine) -> None:
    first = imports(engine, SMALL)
    assert first.problem_count == 0
    head = RecordStore(engine).newest_position()
    again = imports(engine, SAMPLE / "small-csv")
    assert again.changes == 0
    assert again.rejects is None
    assert RecordStore(engine).newest_position() == head


def test_importing_twice_changes_nothing(engine: Engine) -> None:
    first = imports(engine, SMALL)
    assert first.kinds["cadre"].created == 20
    before, head = snapshot(engine), RecordStore(engine).newest_position()
    second = imports(engine, SMALL)
    assert second.changes == 0
    assert second.kinds["measurement"].unchanged == first.kinds["measurement"].created
    assert (snapshot(engine), RecordStore(engine).newest_position()) == (before, head)


def test_one_changed_cell_changes_one_record(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    store = RecordStore(engine)
    head = store.newest_position()

    def edit(book: Any) -> None:
        place(book, "Cán bộ", "Điện thoại", row_of(book, "Cán bộ", "CB-0002")).value = "0911 222 333"

    report = imports(engine, edited(tmp_path / "new.xlsx", edit))
    assert report.changes == 1
    assert store.changed_cadres(head, 10) == [("CB-0002", head + 1)]
    cadre = store.get("cadre", "CB-0002")
    assert isinstance(cadre, Cadre)
    assert cadre.phone == "0911222333"


def test_a_dry_run_counts_and_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    report = imports(engine, SMALL, dry_run=True, rejects=tmp_path / "rejects.xlsx")
    assert report.kinds["cadre"].created == 20
    assert report.dry_run
    assert snapshot(engine) == []
    assert list(tmp_path.glob("rejects*")) == []


# T0 -------------------------------------------------------------------------------------------------


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_t0_people_and_what_belongs_to_them_are_counted_and_nowhere(engine: Engine, tmp_path: Path) -> None:
    report = imports(engine, SMALL, rejects=tmp_path / "rejects.xlsx")
    assert report.refused_people == 3
    assert report.refused_rows == 3 + 3 + sum(1 for _ in t0_measurements())
    assert report.refused_places[0] == ("Cán bộ", 4)
    assert report.problem_count == 0
    assert report.rejects is None
    texts = [str(item) for item in snapshot(engine)]
    for telling in ("CB-0003", "022060120598"):
        assert not any(telling in text for text in texts)
        if engine.dialect.name == "sqlite":
            assert telling.encode() not in bytes_of(Path(str(engine.url.database)).parent)


def t0_measurements() -> Any:
    with (SAMPLE / "small-csv" / "Cán bộ.csv").open(encoding="utf-8-sig") as file:
        refused = {
            row["Mã cán bộ"] for row in csv.DictReader(file, delimiter=";") if row["Diện quản lý"] == "T0"
        }
    with (SAMPLE / "small-csv" / "Chỉ số.csv").open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file, delimiter=";"):
            if row["Mã lượt khám"].split(".")[0] in refused:
                yield row


def test_a_t0_row_with_bad_cells_is_neither_shown_nor_written(engine: Engine, tmp_path: Path) -> None:
    def edit(book: Any) -> None:
        place(book, "Cán bộ", "Ngày sinh", 4).value = "bí mật 1"
        place(book, "Cán bộ", "Diện quản lý", 4).value = " t0"
        place(book, "Chỉ số", "Giá trị", measured_row(book, "CB-0003.K1")).value = None
        place(book, "Cán bộ", "Giới tính", 2).value = "12"
        place(book, "Cán bộ", "Số CCCD", 4).value = "bí mật 2"
        place(book, "Cán bộ", "Số CCCD", 5).value = "12"

    found: list[Any] = []
    path = edited(tmp_path / "bad.xlsx", edit)
    report = imports(engine, path, rejects=tmp_path / "out" / "r.xlsx", on_problem=found.append)
    assert report.refused_people == 3
    assert {problem.sheet for problem in found} == {"Cán bộ"}
    assert report.rejects is not None
    written = "".join(
        str(cell) for page in load_workbook(report.rejects) for row in page.values for cell in row
    )
    assert {cell.row for cell in report.noted_cells} == {5}
    for telling in ("CB-0003", "bí mật 1", "bí mật 2"):
        assert telling not in written
        assert telling not in repr(report)


def measured_row(book: Any, visit: str) -> int:
    return row_of(book, "Chỉ số", visit) if book["Chỉ số"]["A1"].value == "Mã lượt khám" else next(
        cell.row for cell in book["Chỉ số"]["B"] if cell.value == visit
    )  # fmt: skip


def test_somebody_who_becomes_t0_leaves_the_store(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    store = RecordStore(engine)
    store.save_result(
        Result(
            key="R1", cadre="CB-0002", hospital="bv-tinh", type="Procedure", status="completed", resource="{}"
        )
    )
    head = store.newest_position()
    held = len(store.of_cadre("CB-0002"))
    assert held > 60

    def edit(book: Any) -> None:
        place(book, "Cán bộ", "Diện quản lý", row_of(book, "Cán bộ", "CB-0002")).value = "T0"

    path = edited(tmp_path / "new.xlsx", edit)
    with pytest.raises(ImportRefused, match="delete 1 of"):
        imports(engine, path)  # one of so few is more than 3 %
    report = imports(engine, path, allow_deletions=True)
    assert report.scrubbed == held
    assert store.of_cadre("CB-0002") == []
    assert store.cadres_by_identifier("033059112679") == []
    assert store.changed_cadres(head, 10) == []  # nothing is left that could be told of
    if engine.dialect.name == "sqlite":
        assert b"033059112679" not in bytes_of(Path(str(engine.url.database)).parent)


# deletions ------------------------------------------------------------------------------------------


def without(*keys: str) -> Edit:
    def edit(book: Any) -> None:
        for key in keys:
            book["Chuyển khám"].delete_rows(row_of(book, "Chuyển khám", key))

    return edit


def test_a_file_that_would_delete_much_is_refused_whole(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    before = snapshot(engine)
    path = edited(tmp_path / "less.xlsx", without("CB-0005.P1"))
    with pytest.raises(ImportRefused, match="--partial"):
        imports(engine, path)
    assert snapshot(engine) == before
    report = imports(engine, path, allow_deletions=True)
    assert report.kinds["referral"].deleted == 1
    row = RecordStore(engine).stored_record("referral", "CB-0005.P1")
    assert row is not None
    assert row.deleted
    assert row.record is None
    assert imports(engine, path, allow_deletions=True).changes == 0


def test_a_partial_file_deletes_nothing(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    report = imports(engine, edited(tmp_path / "less.xlsx", without("CB-0005.P1")), partial=True)
    assert report.changes == 0


def test_a_marked_row_is_deleted_even_from_a_partial_file(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)

    def edit(book: Any) -> None:
        page = book["Lượt khám"]
        page.cell(1, page.max_column + 1, "XOÁ")
        place(book, "Lượt khám", "XOÁ", row_of(book, "Lượt khám", "CB-0005.K1")).value = "x"

    store = RecordStore(engine)
    report = imports(engine, edited(tmp_path / "m.xlsx", edit), partial=True, allow_deletions=True)
    assert report.kinds["visit"].deleted == 1
    visits = {getattr(record, "visit", None) for record in store.of_cadre("CB-0005")}
    assert "CB-0005.K1" not in visits
    assert visits - {None}  # those of other visits stay


def test_a_cadre_takes_everything_along_but_results(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)

    def edit(book: Any) -> None:
        for name in book.sheetnames:
            if name != "Cán bộ":
                del book[name]
        book["Cán bộ"].delete_rows(row_of(book, "Cán bộ", "CB-0005"))

    store = RecordStore(engine)
    kept = Result(
        key="R", cadre="CB-0005", hospital="bv-tinh", type="Procedure", status="completed", resource="{}"
    )
    store.save_result(kept)
    imports(engine, edited(tmp_path / "m.xlsx", edit), allow_deletions=True)
    assert store.of_cadre("CB-0005") == [kept]


def test_a_fulfilled_referral_stays_fulfilled(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    store = RecordStore(engine)
    store.advance("CB-0005.P1", ReferralSaying((ReferralEvent.OUTCOME,)), "R1", NOW)
    assert imports(engine, SMALL).changes == 0

    def edit(book: Any) -> None:
        place(book, "Chuyển khám", "Lý do", row_of(book, "Chuyển khám", "CB-0005.P1")).value = "Khác"

    def fulfilled() -> tuple[Any, ...]:
        referral = store.get("referral", "CB-0005.P1")
        assert isinstance(referral, Referral)
        return referral.fulfilment, referral.fulfilled_by, referral.fulfilled_at, referral.reason

    imports(engine, edited(tmp_path / "a.xlsx", edit))
    assert fulfilled() == (Fulfilment.COMPLETED, "R1", NOW, "Khác")
    imports(engine, edited(tmp_path / "b.xlsx", without("CB-0005.P1")), allow_deletions=True)
    assert store.get("referral", "CB-0005.P1") is None
    assert imports(engine, SMALL).kinds["referral"].created == 1
    assert fulfilled()[:3] == (Fulfilment.COMPLETED, "R1", NOW)


def test_rows_without_a_readable_key_stop_deletions_of_their_kind(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)

    def edit(book: Any) -> None:
        place(book, "Chuyển khám", "Mã phiếu", row_of(book, "Chuyển khám", "CB-0005.P1")).value = None

    report = imports(engine, edited(tmp_path / "a.xlsx", edit))
    assert report.kinds["referral"].deleted == 0
    assert report.kinds["referral"].rejected == 1
    assert any("deleted" in line for line in report.warnings)


# files ----------------------------------------------------------------------------------------------


def one_cadre(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


CSV = "Key;Name;Sex;Date of birth;Tier\nA1;Lê Văn An;Nam;05/03/1960;T4\n"


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),
        CSV.encode("utf-16"),
        CSV.replace(";", ",").encode(),
        CSV.replace(";", "\t").encode(),
        CSV.replace("\n", "\r\n").encode(),
        CSV.replace("Lê Văn An", '"Lê\nVăn An"').encode(),
    ],
)
def test_csv_in_all_its_forms(engine: Engine, tmp_path: Path, content: bytes) -> None:
    report = imports(engine, one_cadre(tmp_path / "in", "cadres.csv", content))
    assert report.problem_count == 0
    cadre = RecordStore(engine).get("cadre", "A1")
    assert isinstance(cadre, Cadre)
    assert cadre.name == "Lê Văn An"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cadres.csv", CSV.encode().replace("Lê".encode(), b"L\xaa"), "UTF-8"),  # TCVN3
        ("cadres.csv", CSV.replace("Lê", '"Lê').encode(), "CSV"),
        ("cadres.csv", b"Key;Name\n", "Date of birth"),
        ("people.csv", CSV.encode(), "file's name says no record type"),
    ],
)
def test_files_that_are_refused(engine: Engine, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(ImportRefused, match=says):
        imports(engine, one_cadre(tmp_path / "in", name, content))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"hello"])
def test_a_damaged_workbook_is_refused(engine: Engine, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(ImportRefused):
        imports(engine, path)


def test_a_file_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"nowhere\.xlsx"):
        imports(engine, tmp_path / "nowhere.xlsx")


def test_a_refusal_in_a_later_sheet_undoes_the_earlier_ones(engine: Engine, tmp_path: Path) -> None:
    def edit(book: Any) -> None:
        book["Chuyển khám"]["A1"] = "Mã gì đó"

    with pytest.raises(ImportRefused, match="columns are missing: Key "):
        imports(engine, edited(tmp_path / "a.xlsx", edit))
    assert snapshot(engine) == []


def test_unknown_columns_and_measures_are_warned_about_once(engine: Engine, tmp_path: Path) -> None:
    def edit(book: Any) -> None:
        page = book["Cán bộ"]
        page.cell(1, page.max_column + 1, "Ghi chú riêng")
        book.create_sheet("Tạm")

    report = imports(engine, edited(tmp_path / "a.xlsx", edit), known_measures=frozenset({"VS-BP"}))
    assert sum("Ghi chú riêng" in line for line in report.warnings) == 1
    assert sum("Tạm" in line for line in report.warnings) == 1
    assert sum("BIO-GLUF" in line for line in report.warnings) == 1
    assert report.problem_count == 0


def test_progress_reaches_the_end(engine: Engine) -> None:
    seen: list[tuple[int, int]] = []
    imports(engine, SMALL, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] <= seen[-1][1]
    assert seen[-1][0] > 0.9 * seen[-1][1]


def test_values_keep_their_digits(engine: Engine, tmp_path: Path) -> None:
    book = Workbook()
    content: dict[Any, list[tuple[Any, ...]]] = {
        SHEETS[0]: [("A1", "Lê An", "Nam", "05/03/1960", "T4")],
        SHEETS[1]: [("V1", "A1", "Khám định kỳ", "202603150730")],
        SHEETS[2]: [(None, "V1", None, "BIO-GLUF", None, "5,30", "mmol/L", "3,90", "6,4")],
    }
    for sheet, rows in content.items():
        page = book.create_sheet(sheet.en)
        page.append([column.en for column in sheet.columns])
        for row in rows:
            page.append(row)
    del book["Sheet"]
    book.save(tmp_path / "a.xlsx")
    assert imports(engine, tmp_path / "a.xlsx").problem_count == 0
    found = RecordStore(engine).get("measurement", "V1/BIO-GLUF")
    assert isinstance(found, Measurement)
    assert (found.value, str(found.low), str(found.high), found.flag) == ("5.30", "3.90", "6.4", None)


# a killed import ------------------------------------------------------------------------------------

KILLED = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from adapter.database import open_database
from adapter.records.importing.importer import run_import
def progress(done, total):
    print("at", done, flush=True)
run_import(open_database(sys.argv[1]), [Path(sys.argv[2])], max_deletions_percent=3, now=datetime.now(UTC),
    known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}), progress=progress)
"""


def test_a_killed_import_leaves_nothing_and_can_be_repeated(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "sample.xlsx"
    write_workbook(path, cadres=120)
    url = engine.url.render_as_string(hide_password=False)
    with subprocess.Popen([sys.executable, "-c", KILLED, url, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(4):  # past the people and visits, among the measurements
            assert process.stdout.readline().startswith(b"at")
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while snapshot(engine) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert snapshot(engine) == []
    assert imports(engine, path).kinds["cadre"].created == 120


# above the headers ----------------------------------------------------------------------------------


def test_titles_above_the_headers(engine: Engine, tmp_path: Path) -> None:
    def edit(book: Any) -> None:
        page = book["Cán bộ"]
        place(book, "Cán bộ", "Ngày sinh", 2).value = "hôm nọ"
        page.insert_rows(1, 3)
        page["A1"] = "DANH SÁCH CÁN BỘ NĂM 2026"
        page["B2"] = "Cán bộ"

    found: list[Any] = []
    report = imports(engine, edited(tmp_path / "a.xlsx", edit), on_problem=found.append)
    assert report.kinds["cadre"].created == 19
    assert [problem.row for problem in found] == [5]


@pytest.mark.parametrize("top", ["sep=;\n", "Danh sách, năm 2026\n", "DANH SÁCH;;;;\n\n", "\ufeffsep=;\n"])
def test_lines_above_the_headers_of_a_csv(engine: Engine, tmp_path: Path, top: str) -> None:
    report = imports(engine, one_cadre(tmp_path / "in", "cadres.csv", (top + CSV + "B;?\n").encode()))
    assert report.kinds["cadre"].created == 1
    assert {problem.row for problem in report.problems} == {3 + top.count("\n")}


def test_no_header_says_which_row_was_taken_for_it(engine: Engine, tmp_path: Path) -> None:
    text = "DANH SÁCH\nKey;Name;Sex;Born\nA1;Lê An;Nam;1960\n"
    with pytest.raises(ImportRefused, match="row 2 was taken as the header"):
        imports(engine, one_cadre(tmp_path / "in", "cadres.csv", text.encode()))


def test_an_import_is_audited_in_counts(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL, dry_run=True)
    imports(engine, SMALL)
    with engine.connect() as connection:
        rows = list(connection.execute(select(audit.audit)))
    assert [(row.actor, row.action) for row in rows] == [("import", "import.done")]
    details = json.loads(rows[0].details)
    assert details["kinds"]["cadre"]["created"] == 20
    assert (details["by"], details["allowed"]) == ("import", [])
    assert details.keys() == {
        "kinds",
        "by",
        "allowed",
    }  # how many were T0 is nobody's business who reads the audit later
    assert "CB-" not in rows[0].details
