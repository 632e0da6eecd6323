"""Cells that slip in a CSV, and formulas that nobody calculated: neither is taken for what it is not."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Cadre, Measurement
from adapter.records.store import RecordStore
from adapter.texts import set_language

NOW = datetime(2026, 11, 22, tzinfo=UTC)
VALUES = "Mã lượt khám,Mã chỉ số,Giá trị,Đơn vị,Ngưỡng dưới,Ngưỡng trên"
PEOPLE = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Điện thoại"]
VISITS = ["Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"]
AN = ["P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T5", "0912345678"]
VISIT = ["V1", "P1", "Khám định kỳ", "02/10/2026 08:00"]


def take(engine: Engine, *paths: Path) -> ImportReport:
    set_language("en")
    return run_import(
        engine, list(paths), max_deletions_percent=100, known_hospitals=frozenset(), now=NOW, rejects=None
    )


def measured(engine: Engine) -> dict[str, Measurement]:
    found = RecordStore(engine).iterate("measurement")
    return {one.measure: one for one in found if isinstance(one, Measurement)}


def phone(engine: Engine) -> str | None:
    (found,) = RecordStore(engine).iterate("cadre")
    assert isinstance(found, Cadre)
    return found.phone


@pytest.fixture
def visited(engine: Engine, tmp_path: Path) -> Engine:
    folder = tmp_path / "before"
    folder.mkdir()
    for title, rows in (("Cán bộ", [PEOPLE, AN]), ("Lượt khám", [VISITS, VISIT])):
        (folder / f"{title}.csv").write_text("\n".join(map(",".join, rows)), "utf-8")
    assert take(engine, folder).rejected == 0
    return engine


@pytest.mark.parametrize(
    "row",
    [
        "V1,BIO-K,4,1,mmol/L,3,5,5,1",
        "V1,BIO-K,4,1,mmol/L,3.5,5.1",
        "V1,BIO-K,4,1,mmol/L,,",
        "V1,BIO-K,4,1,,,",
        "V1,BIO-K,4.1,mmol/L,3,5,5.1",
        "V1,BIO-K,4.1,mmol/L,3.5,5.1,H",
        "V1,BIO-K,4.1,mmol/L,3.5,5.1,,x",
    ],
)
def test_a_row_longer_than_its_header_is_refused(visited: Engine, tmp_path: Path, row: str) -> None:
    """RFC 4180, 2.4: each line should contain the same number of fields throughout the file."""
    file = tmp_path / "Chỉ số.csv"
    file.write_text(f"{VALUES}\n{row}\nV1,BIO-NA,140,mmol/L,135,145\n", "utf-8")
    report = take(visited, file)
    assert set(measured(visited)) == {"BIO-NA"}
    (problem,) = report.problems
    assert problem.row == 2
    assert "no more cells than the header has" in problem.expected
    assert ": empty;" not in str(problem)  # of a row that has too much


@pytest.mark.parametrize(
    "row",
    [
        "V1,BIO-K,4.1,mmol/L,3.5,5.1,",
        "V1,BIO-K,4.1,mmol/L,3.5,5.1,,,,",
        'V1,BIO-K,"4,1",mmol/L,"3,5","5,1"',
        'V1,BIO-K,"4,1",mmol/L,"3,5","5,1",',
        "V1,BIO-K,4.1,mmol/L",
    ],
)
def test_an_empty_surplus_is_none(visited: Engine, tmp_path: Path, row: str) -> None:
    file = tmp_path / "Chỉ số.csv"
    file.write_text(f"{VALUES}\n{row}\n", "utf-8")
    assert take(visited, file).rejected == 0
    assert measured(visited)["BIO-K"].value == "4.1"


def xlsx(path: Path, number: str, value: str) -> Path:
    book = Workbook()
    book.remove(book.active)
    header = VALUES.split(",")
    pages = (
        ("Cán bộ", [PEOPLE, [*AN[:5], number]]),
        ("Lượt khám", [VISITS, VISIT]),
        ("Chỉ số", [header, ["V1", "BIO-K", value, "mmol/L", "=3+0.5", 5.1]]),
    )
    for title, rows in pages:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


_NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)


def _ods_cell(cell: str) -> str:
    if cell.startswith("="):
        return f"<table:table-cell table:formula={quoteattr(f'of:{cell}')}/>"
    return f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'


def ods(path: Path, number: str, value: str) -> Path:
    pages = (
        ("Cán bộ", [PEOPLE, [*AN[:5], number]]),
        ("Lượt khám", [VISITS, VISIT]),
        ("Chỉ số", [VALUES.split(","), ["V1", "BIO-K", value, "mmol/L", "=3+0.5", "5.1"]]),
    )
    tables = ""
    for title, rows in pages:
        lines = ""
        for row in rows:
            lines += f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>"
        tables += f'<table:table table:name="{title}">{lines}</table:table>'
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        archive.writestr("META-INF/manifest.xml", manifest)
        root = "office:document-content"
        archive.writestr("content.xml", f"<{root} {_NAMESPACES}>{body}</{root}>")
    return path


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_formula_without_a_result_takes_nothing_away(engine: Engine, tmp_path: Path, kind: str) -> None:
    make = {"xlsx": xlsx, "ods": ods}[kind]
    first = take(engine, make(tmp_path / f"a.{kind}", AN[5], "4.1"))
    assert first.rejected == 0
    assert phone(engine) == AN[5]
    assert measured(engine)["BIO-K"].low is None
    again = take(engine, make(tmp_path / f"a.{kind}", '="09"&1', "=4+0.1"))
    assert phone(engine) == AN[5]
    assert measured(engine)["BIO-K"].value == "4.1"
    assert again.kinds["measurement"].deleted == 0
    assert again.kinds["measurement"].rejected == 1
    said = [str(one.expected) for one in (*again.problems, *again.noted_cells)]
    assert len(said) >= 2
    assert all("calculated" in one or "stored" in one or "number" in one for one in said)
