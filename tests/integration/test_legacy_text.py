"""Workbooks in the encodings of old fonts: read as meant where a whole column agrees, else said."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from legacy_text import WRITERS, write_legacy_workbook
from openpyxl import Workbook, load_workbook
from sample import SMALL
from sqlalchemy import Engine

from adapter.database import open_database
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import KINDS
from adapter.records.store import RecordStore

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HEADER = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Địa chỉ"]
KEYS = {"Mã chỉ số", "Mã lượt khám", "Mã cán bộ", "Bệnh viện", "Dịch vụ", "Thủ thuật", "Vắc xin"}


def imports(engine: Engine, path: Path, **options: Any) -> ImportReport:
    return run_import(
        engine,
        [path],
        max_deletions_percent=100,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=NOW,
        **options,
    )


def people(path: Path, rows: list[tuple[str, str]], tier: str = "T5") -> Path:
    book = Workbook()
    book.active.title = "Cán bộ"
    book.active.append(HEADER)
    for number, (name, address) in enumerate(rows):
        book.active.append([f"N{number}", name, "Nam", "12/03/1960", tier, address])
    book.save(path)
    return path


def names(engine: Engine) -> list[str]:
    return [one.name for one in RecordStore(engine).iterate("cadre")]  # type: ignore[attr-defined]


def everything(engine: Engine) -> dict[str, list[Any]]:
    return {kind: list(RecordStore(engine).iterate(kind)) for kind in KINDS}


@pytest.mark.parametrize("encoding", WRITERS)
def test_the_sample_in_an_old_encoding_gives_the_same_records(
    engine: Engine, empty_sqlite: Path, tmp_path: Path, encoding: str
) -> None:
    path = write_legacy_workbook(SMALL, tmp_path / "old.xlsx", encoding, keep=KEYS.__contains__)
    report = imports(engine, path)
    assert [str(one) for one in report.problems] == []
    plain = open_database(f"sqlite:///{shutil.copy(empty_sqlite, tmp_path / 'plain.db')}")
    imports(plain, SMALL)
    assert everything(engine) == everything(plain)
    plain.dispose()
    same = {"UTF-8 read as Windows-1258": "UTF-8 read as Windows-1252"}  # for most letters
    assert {same.get(one.encoding, one.encoding) for one in report.conversions} == {
        same.get(encoding, encoding)
    }
    assert all(1 <= len(one.examples) <= 3 for one in report.conversions)


def test_what_was_read_otherwise_is_said_with_three_examples(engine: Engine, tmp_path: Path) -> None:
    rows = [("TrÇn ThÞ Hßa", "X· T©n Hßa"), ("Lª ThÞ Mai", ""), ("NguyÔn V¨n Nam", ""), ("Vò V¨n B¶o", "")]
    path = people(tmp_path / "a.xlsx", rows)
    said = imports(engine, path, dry_run=True)
    assert names(engine) == []
    report = imports(engine, path)
    assert said.conversions == report.conversions
    assert [(one.column, one.encoding, one.count) for one in report.conversions] == [
        ("Họ và tên", "TCVN3 (ABC)", 4),
        ("Địa chỉ", "TCVN3 (ABC)", 1),
    ]
    assert report.conversions[0].examples[0] == ("TrÇn ThÞ Hßa", "Trần Thị Hòa")
    assert len(report.conversions[0].examples) == 3
    assert '"TrÇn ThÞ Hßa" → "Trần Thị Hòa"' in str(report.conversions[0])
    assert names(engine) == ["Trần Thị Hòa", "Lê Thị Mai", "Nguyễn Văn Nam", "Vũ Văn Bảo"]


def test_columns_that_do_not_agree_are_not_converted_but_said(engine: Engine, tmp_path: Path) -> None:
    rows = [("TrÇn ThÞ Hßa", ""), ("Nguyeãn Vaên Höng", ""), ("Ngụy Như", "")]
    report = imports(engine, people(tmp_path / "a.xlsx", rows))
    assert names(engine) == ["Ngụy Như"]
    assert report.conversions == ()
    assert [
        (one.row, "Trần Thị Hòa" in str(one) or "Nguyễn Văn Hưng" in str(one)) for one in report.problems
    ] == [
        (2, True),
        (3, True),
    ]


def test_a_column_of_two_times_is_read_where_it_is_certain(engine: Engine, tmp_path: Path) -> None:
    rows = [("TrÇn ThÞ Hßa", ""), ("Lª ThÞ Mai", ""), ("Ngụy Như", ""), ("Nguyễn Thị Hòa", "")]
    report = imports(engine, people(tmp_path / "a.xlsx", rows))
    assert names(engine) == ["Trần Thị Hòa", "Lê Thị Mai", "Ngụy Như", "Nguyễn Thị Hòa"]
    assert report.problem_count == 0


def test_in_a_column_of_vni_a_name_that_could_be_either_is_vni(engine: Engine, tmp_path: Path) -> None:
    rows = [("Lyù Sôn", ""), ("Thu Sôn", ""), ("Nguyeãn Vaên Höng", "")]
    imports(engine, people(tmp_path / "a.xlsx", rows))
    assert names(engine) == ["Lý Sơn", "Thu Sơn", "Nguyễn Văn Hưng"]


def test_what_could_be_either_in_a_mixed_column_is_asked(engine: Engine, tmp_path: Path) -> None:
    rows = [("Lyù Vaên Sôn", ""), ("Thu Sôn", ""), ("Ngụy Như", "")]
    report = imports(engine, people(tmp_path / "a.xlsx", rows))
    assert names(engine) == ["Lý Văn Sơn", "Ngụy Như"]
    assert ["Thu Sơn" in str(one) for one in report.problems] == [True]


@pytest.mark.parametrize("beside", [True, False])
def test_what_could_be_of_two_encodings_is_of_that_of_the_other_sheets(
    engine: Engine, tmp_path: Path, *, beside: bool
) -> None:
    """\"X· T©n Hßa\" is something in TCVN3 and in VPS; the names are TCVN3, or say nothing."""
    path = people(tmp_path / "a.xlsx", [("TrÇn ThÞ Hßa" if beside else "Hoa", "")])
    book = load_workbook(path)
    page = book.create_sheet("Lượt khám")
    page.append(["Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Kết luận"])
    page.append(["V1", "N0", "Khám định kỳ", "16/03/2026", "X· T©n Hßa"])
    book.save(path)
    report = imports(engine, path)
    visits = [one.conclusion for one in RecordStore(engine).iterate("visit")]  # type: ignore[attr-defined]
    assert visits == (["Xã Tân Hòa"] if beside else [None])
    assert [one.column for one in report.conversions] == (["Họ và tên", "Kết luận"] if beside else [])


@pytest.mark.parametrize(("whose", "sure"), [("N0", True), ("X1", False)], ids=["anybody", "T0"])
def test_a_sheet_that_comes_later_settles_a_doubt_unless_it_is_a_t0_persons(
    engine: Engine, tmp_path: Path, whose: str, *, sure: bool
) -> None:
    path = people(tmp_path / "a.xlsx", [("Hoa", "X· T©n Hßa")])
    book = load_workbook(path)
    book.active.append(["X1", "An", "Nam", "12/03/1960", "T0", ""])
    page = book.create_sheet("Lượt khám")
    page.append(["Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Kết luận"])
    page.append(["V1", whose, "Khám định kỳ", "16/03/2026", "TrÇn ThÞ Hßa kh¸m l¹i"])
    book.save(path)
    imports(engine, path)
    [cadre] = RecordStore(engine).iterate("cadre")
    assert cadre.address == ("Xã Tân Hòa" if sure else None)  # type: ignore[attr-defined]


def test_one_odd_word_among_vietnamese_decides_nothing(engine: Engine, tmp_path: Path) -> None:
    rows = [("Nguyễn Văn An", ""), ("Trần Thị Bình", ""), ("Lª An", "")]
    report = imports(engine, people(tmp_path / "a.xlsx", rows))
    assert report.conversions == ()
    assert [one.row for one in report.problems] == [4]


def test_foreign_and_minority_names_stay(engine: Engine, tmp_path: Path) -> None:
    rows = [("Müller", ""), ("Y Bhiăt Niê", ""), ("Ksor Phước", ""), ("H'Hoa Êban", "")]
    report = imports(engine, people(tmp_path / "a.xlsx", rows))
    assert names(engine) == [name for name, _ in rows]
    assert report.problem_count == 0


def test_what_comes_after_the_first_look_is_held_to_it(engine: Engine, tmp_path: Path) -> None:
    rows = (
        [("Nguyễn Văn An", "")] * 1001
        + [("TrÇn ThÞ Hßa", ""), ("Lª ThÞ Mai", "")]
        + [("Lê Văn Ba", "")] * 1000
    )
    report = imports(
        engine, people(tmp_path / "a.xlsx", [*rows, ("Nguyeãn Vaên Höng", ""), ("Vò V¨n B¶o", "")])
    )
    assert [one.row for one in report.problems] == [len(rows) + 2]
    assert [one.count for one in report.conversions] == [3]


def test_no_t0_persons_text_decides_or_is_shown(engine: Engine, tmp_path: Path) -> None:
    path = people(tmp_path / "a.xlsx", [("NguyÔn V¨n MËt", "")], tier="T0")
    book = load_workbook(path)
    book.active.append(["N1", "Lyù Vaên Sôn", "Nam", "12/03/1960", "T5", ""])
    book.active.append(["N2", "TrÇn ThÞ Kho", "Nam", "12/03/1960", "", ""])
    book.save(path)
    report = imports(engine, path)
    assert names(engine) == ["Lý Văn Sơn"]
    assert [one.examples for one in report.conversions] == [(("Lyù Vaên Sôn", "Lý Văn Sơn"),)]
    assert "Kho" not in "".join(map(str, report.problems))


def test_a_rejected_row_keeps_the_files_letters(engine: Engine, tmp_path: Path) -> None:
    path = people(tmp_path / "a.xlsx", [("TrÇn ThÞ Hßa", ""), ("Lª ThÞ Mai", "")])
    book = load_workbook(path)
    book.active["D2"] = "31/02/1960"
    book.save(path)
    report = imports(engine, path, rejects=tmp_path / "rejects.xlsx")
    assert report.rejects
    assert load_workbook(report.rejects).worksheets[0]["B2"].value == "TrÇn ThÞ Hßa"
    assert [one.examples for one in report.conversions] == [(("Lª ThÞ Mai", "Lê Thị Mai"),)]
