"""Names where codes belong: looked up in the centre's tables, else held, never sent as if they were codes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from legacy_text import WRITERS
from openpyxl import Workbook
from sqlalchemy import Engine

from adapter.pipeline.layout_context import layout_context
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.settings import Settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PEOPLE = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
]
Row = Sequence[Any]


def sheet(kind: str, cell: Any) -> dict[str, Sequence[Row]]:
    """A sheet with one row that has the cell where its code belongs."""
    if kind == "referral":
        header = ("Mã phiếu", "Mã cán bộ", "Bệnh viện", "Dịch vụ", "Ngày chỉ định")
        return {"Chuyển khám": [header, ("R1", "A1", "bv", cell, "01/10/2026")]}
    if kind == "procedure":
        header = ("Mã thủ thuật", "Mã cán bộ", "Thủ thuật", "Bắt đầu")
        return {"Thủ thuật": [header, ("R1", "A1", cell, "01/10/2026")]}
    return {
        "Tiêm chủng": [("Mã mũi tiêm", "Mã cán bộ", "Vắc xin", "Ngày tiêm"), ("R1", "A1", cell, "01/10/2026")]
    }


FIELDS = {"referral": "service", "procedure": "code", "immunization": "vaccine"}


def imports(engine: Engine, folder: Path, sheets: dict[str, Sequence[Row]], words: str = "") -> ImportReport:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in ({"Cán bộ": PEOPLE} | sheets).items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    book.save(folder / "a.xlsx")
    if words:
        (folder / "words.csv").write_text(f"field,word,meaning\n{words}\n", "utf-8")
    settings = Settings(database_url=f"sqlite:///{folder}/adapter.db")
    return run_import(
        engine,
        [folder / "a.xlsx"],
        max_deletions_percent=100,
        known_hospitals=frozenset({"bv"}),
        now=NOW,
        inputs=InputOptions(layouts=layout_context(settings)),
        plausible=PlausibleRanges({}, {}),
    )


def stored(engine: Engine, kind: str) -> str | None:
    found: Any = RecordStore(engine).get(kind, "R1")
    return getattr(found, FIELDS[kind]) if found else None


@pytest.mark.parametrize(
    ("kind", "cell", "code"),
    [
        ("referral", "Khám chuyên khoa tim mạch", "WORKUP-CARD"),
        ("referral", "KHÁM CHUYÊN KHOA  TIM MẠCH", "WORKUP-CARD"),
        ("referral", "kham chuyen khoa tim mach", "WORKUP-CARD"),
        ("referral", WRITERS["TCVN3 (ABC)"]("Khám chuyên khoa tim mạch"), "WORKUP-CARD"),
        ("referral", "Cardiology work-up", "WORKUP-CARD"),
        ("referral", "WORKUP-CARD", "WORKUP-CARD"),
        ("referral", "workup-card", "WORKUP-CARD"),
        ("procedure", "Thay băng vết thương", "PR-DRESS"),
        ("procedure", "Dressing of wound", "PR-DRESS"),
        ("immunization", "Vắc xin cúm mùa", "VX-FLU"),
        ("immunization", "vắc-xin cúm mùa", "VX-FLU"),
    ],
)
def test_a_name_of_one_code_is_that_code(
    engine: Engine, tmp_path: Path, kind: str, cell: str, code: str
) -> None:
    report = imports(engine, tmp_path, sheet(kind, cell))
    assert (report.held, report.note_count, report.problem_count) == (0, 0, 0)
    assert stored(engine, kind) == code


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("cell", ["Khám gì đó", "Khám chuyên khoa", "tim mạch", "Cúm", "PR DRESS hai"])
def test_a_name_of_no_code_waits_for_a_person(engine: Engine, tmp_path: Path, kind: str, cell: str) -> None:
    report = imports(engine, tmp_path, sheet(kind, cell))
    assert (report.held, stored(engine, kind)) == (1, None)
    [said] = report.held_cells
    assert (said.value, said.text) == (cell, "held_unknown_word")
    assert "words.csv" in str(said)


@pytest.mark.parametrize("kind", FIELDS)
def test_a_code_of_no_table_comes_in_and_is_said(engine: Engine, tmp_path: Path, kind: str) -> None:
    report = imports(engine, tmp_path, sheet(kind, "XX-99"))
    assert (report.held, stored(engine, kind)) == (0, "XX-99")
    [said] = report.noted_cells
    assert (said.value, said.text) == ("XX-99", "noted_unknown_code")


def test_the_centres_own_words_win(engine: Engine, tmp_path: Path) -> None:
    words = "service,Khám chuyên khoa tim mạch,WORKUP-GEN\nservice,Khám gì đó,WORKUP-GI"
    imports(engine, tmp_path, sheet("referral", "Khám chuyên khoa tim mạch"), words)
    assert stored(engine, "referral") == "WORKUP-GEN"
    imports(engine, tmp_path, sheet("referral", "Khám gì đó"), words)
    assert stored(engine, "referral") == "WORKUP-GI"


def test_a_name_that_two_codes_have_is_none() -> None:
    """No code of the tables can be reached by a name that another one has, or that is another's code."""
    context = layout_context(Settings())
    for field in FIELDS.values():
        meant = set(context.words.of(field).values())
        assert meant <= context.codes[field]
        for code in context.codes[field]:
            assert context.words.parser(field, str)(code) == code
