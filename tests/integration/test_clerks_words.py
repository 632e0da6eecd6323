"""What clerks call things, and what the import answers: the words it knows, and the way on it names."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from rich.console import Console
from sqlalchemy import Engine

from adapter.cli.commands.import_records import _draw
from adapter.database import read_transaction, write_transaction
from adapter.errors import ImportRefused
from adapter.pipeline.centre_words import load_words
from adapter.pipeline.layout_context import layout_context
from adapter.records.held_rows import HeldRowStore, HeldState
from adapter.records.importing.import_history import list_runs
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.importing.undo import undo_run
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sheets.layout import find_sheet
from adapter.records.sheets.template import write_template
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.settings import Settings
from adapter.testing import Centre

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEADER = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Xóa")
PEOPLE = [(f"A{n}", f"Lê Văn {chr(65 + n)}", "Nam", f"0{n}/03/1960", "T4", "") for n in range(1, 6)]
Row = Sequence[Any]


def imports(engine: Engine, folder: Path, sheets: dict[str, Sequence[Row]], **options: Any) -> ImportReport:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    book.save(folder / "a.xlsx")
    settings = Settings(database_url=f"sqlite:///{folder}/adapter.db")
    return run_import(
        engine,
        [folder / "a.xlsx"],
        max_deletions_percent=3,
        known_hospitals=frozenset({"bv"}),
        now=options.pop("now", NOW),
        inputs=InputOptions(layouts=layout_context(settings)),
        plausible=PlausibleRanges({}, {}),
        **options,
    )


def people(*rows: Row) -> dict[str, Sequence[Row]]:
    return {"Cán bộ": [HEADER, *rows]}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ((*PEOPLE[4][:5], "x"), "import.too_many_named_deletions"),
        ((*PEOPLE[4][:4], "T0", ""), "import.too_many_named_deletions"),
        (None, "import.too_many_deletions"),
    ],
)
def test_a_refused_deletion_says_what_lets_it_through(
    engine: Engine, tmp_path: Path, row: Row | None, text: str
) -> None:
    imports(engine, tmp_path, people(*PEOPLE))
    later = people(*PEOPLE[:4], *([row] if row else []))
    with pytest.raises(ImportRefused) as refused:
        imports(engine, tmp_path, later)
    assert refused.value.text == text
    helps = "--partial" if row is None else "--allow-deletions"
    assert helps in str(refused.value)
    assert ("--partial" in str(refused.value)) == (row is None)
    # And what it names does it.
    imports(engine, tmp_path, later, partial=row is None, allow_deletions=row is not None)


def test_a_mark_beside_rows_that_are_gone_is_the_cause_that_a_part_does_not_mend(
    engine: Engine, tmp_path: Path
) -> None:
    imports(engine, tmp_path, people(*PEOPLE))
    with pytest.raises(ImportRefused) as refused:
        imports(engine, tmp_path, people(*PEOPLE[:3], (*PEOPLE[3][:5], "x")))
    assert refused.value.text == "import.too_many_named_deletions"
    assert "1 of them" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Chuyển tuyến", "referral"),
        ("Chuyển viện", "referral"),
        ("Giấy giới thiệu", "referral"),
        ("Khám tại nhà", "visit"),
        ("Đưa đi khám", "visit"),
        ("Đi viện", "visit"),
        ("Sổ khám", "visit"),
        ("Danh sách cán bộ", "cadre"),
        ("Tiêm vắc xin", "immunization"),
        ("Phẫu thuật, thủ thuật", "procedure"),
        ("Bệnh lý", "diagnosis"),
    ],
)
def test_the_usual_words_name_a_sheet(name: str, kind: str) -> None:
    sheet = find_sheet(name)
    assert sheet is not None
    assert sheet.kind == kind


def test_a_clerks_referrals_come_in(engine: Engine, tmp_path: Path) -> None:
    header = (
        "Số phiếu",
        "Mã cán bộ",
        "Nơi chuyển đến",
        "Chuyên khoa",
        "Ngày chuyển",
        "Lý do chuyển",
        "Ưu tiên",
    )
    row = ("R1", "A1", "bv", "WORKUP-CARD", "01/10/2026", "đau ngực", "Khẩn")
    report = imports(engine, tmp_path, people(*PEOPLE) | {"Chuyển tuyến": [header, row]})
    assert (report.rejected, report.unread) == (0, ())
    found: Any = RecordStore(engine).get("referral", "R1")
    assert (found.hospital, found.service, found.reason, found.priority) == (
        "bv",
        "WORKUP-CARD",
        "đau ngực",
        "urgent",
    )


def test_a_sheet_that_is_left_out_with_rows_is_said_with_what_it_is_near(
    engine: Engine, tmp_path: Path
) -> None:
    rows = [("Mã cán bộ", "Dịch vụ", "Ngày hẹn"), ("A1", "WORKUP-CARD", "x"), ("A2", "WORKUP-CARD", "x")]
    sheets = {"Giấy đi khám ngoài": rows, "Ghi chú": [("một dòng",)], "Biểu": [("a",), ("b",), ("c",)]}
    report = imports(engine, tmp_path, people(*PEOPLE) | sheets)
    said = {line.split('"')[1]: line for line in report.unread}
    assert set(said) == {"Giấy đi khám ngoài", "Biểu"}
    assert "nearest to Referrals" in said["Giấy đi khám ngoài"]
    assert "Hospital" in said["Giấy đi khám ngoài"]
    assert "nearest" not in said["Biểu"]
    assert set(report.unread) < set(report.warnings)


def test_what_was_not_read_is_said_last(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = imports(engine, tmp_path, people(*PEOPLE) | {"Biểu": [("a",), ("b",), ("c",)]}, dry_run=True)
    _draw(Console(), report)
    said = capsys.readouterr()
    assert said.err.count("NOTHING") == 1
    assert "NOTHING" in " ".join(said.err.split("codes/plausible.csv")[-1].split())
    assert "NOTHING" not in said.out


def test_a_missing_column_says_that_nothing_came_in_and_the_ways_on(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as refused:
        imports(engine, tmp_path, people(*PEOPLE) | {"Lượt khám": [("Mã cán bộ", "Loại"), ("A1", "x")]})
    said = str(refused.value)
    assert "Nothing of any sheet was imported" in said
    assert "take this sheet out" in said
    assert "Started at" in said
    assert "Bắt đầu" not in said
    assert RecordStore(engine).get("cadre", "A1") is None


@pytest.mark.parametrize(
    ("written", "is_held"),
    [("Vaxigrip", True), ("Vaxigrip Tetra", True), ("vaxigrip", True), ("VX-NEW", False), ("FLU2026", False)],
)
def test_a_brand_waits_and_a_code_is_noted(
    engine: Engine, tmp_path: Path, written: str, *, is_held: bool
) -> None:
    rows = [("Mã mũi tiêm", "Mã cán bộ", "Vắc xin", "Ngày tiêm"), ("R1", "A1", written, "01/10/2026")]
    report = imports(engine, tmp_path, people(*PEOPLE) | {"Tiêm chủng": rows})
    assert (report.held, report.note_count) == ((1, 0) if is_held else (0, 1))


def test_a_held_word_gives_the_line_that_says_what_it_means(engine: Engine, tmp_path: Path) -> None:
    header = ("Mã thủ thuật", "Mã cán bộ", "Thủ thuật", "Bắt đầu")
    rows = [header, ("R1", "A1", "Thay băng", "01/10/2026"), ("R2", "A1", "Rửa, băng", "01/10/2026")]
    sheets = people(*PEOPLE) | {"Thủ thuật": rows}
    report = imports(engine, tmp_path, sheets)
    lines = [str(cell).rpartition(": ")[2] for cell in report.held_cells]
    assert lines == ["code,Thay băng,…", 'code,"Rửa, băng",…']
    (tmp_path / "words.csv").write_text(
        "field,word,meaning\n" + "\n".join(one.replace("…", "PR-DRESS") for one in lines), "utf-8"
    )
    assert imports(engine, tmp_path, sheets).held == 0


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("procedure", "code"),
        ("Thủ thuật", "code"),
        ("vắc xin", "vaccine"),
        ("immunization", "vaccine"),
        ("dịch vụ", "service"),
        ("referral", "service"),
        ("Diện", "tier"),
        ("servce", "service"),
    ],
)
def test_a_field_by_another_name_is_told_its_own(tmp_path: Path, word: str, meant: str) -> None:
    (tmp_path / "words.csv").write_text(f"field,word,meaning\n{word},a,b\n", "utf-8")
    with pytest.raises(ImportRefused) as refused:
        load_words(Settings(database_url=f"sqlite:///{tmp_path}/adapter.db"))
    assert refused.value.params["known"].split(", ")[0] == meant


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_template_says_where_t0_people_belong(tmp_path: Path, language: str) -> None:
    write_template(tmp_path / "t.xlsx", language)
    guide = load_workbook(tmp_path / "t.xlsx").worksheets[0]
    [said] = [str(cell.value) for (cell,) in guide.iter_rows() if "T0" in str(cell.value)]
    assert ("ở trang Cán bộ" if language == "vi" else "in the sheet Cadres") in said


def test_a_row_let_in_by_mistake_is_taken_back(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    try:
        rows = [("Mã mũi tiêm", "Mã cán bộ", "Vắc xin", "Ngày tiêm"), ("R1", "A1", "Vaxigrip", "01/10/2026")]
        engine = centre.open().engine
        imports(engine, tmp_path, people(*PEOPLE) | {"Tiêm chủng": rows}, now=NOW - timedelta(days=400))
        centre.run("import", "held", "release", "1", "--reason", "đúng")
        assert RecordStore(engine).get("immunization", "R1") is not None
        with read_transaction(engine) as connection:
            run = list_runs(connection)[0]
        assert (run.created, run.files[0][0]) == (1, "a.xlsx: Tiêm chủng 2")
        with write_transaction(engine) as connection:
            done = undo_run(connection, run, at=run.at + timedelta(hours=1), by="test")
        assert (done.removed, done.left) == (1, 0)
        assert RecordStore(engine).get("immunization", "R1") is None
        [row] = HeldRowStore(engine).rows()
        assert row.state is HeldState.WAITING
    finally:
        centre.close()
