"""A formula that nobody calculated is no empty cell and no zero: what is stored stays, in all workbooks."""

import struct
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import xlwt
from dialect_files import Grid, write_workbook
from sqlalchemy import Engine

from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Cadre
from adapter.records.sources.marked_cells import marked_cells
from adapter.records.store import RecordStore
from adapter.texts import set_language

SHEET = "Cán bộ"
HEADER = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Địa chỉ", "Đơn vị"]
PERSON = ["P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T5", "Số 1", "Sở Y tế"]
_MARK = 123456.5  # stands where the formula will be
_SUM = struct.pack("<I", 7) + b"\x1e\x01\x00\x1e\x01\x00\x03" + bytes(4)  # 1+1 as MS-XLSB writes it


def written(path: Path, address: Any = _MARK) -> Path:
    write_workbook(path, [Grid(SHEET, [HEADER, [*PERSON[:5], address, *PERSON[6:]]])])
    return path


def changed(path: Path, entry: str, change: Callable[[bytes], bytes]) -> Path:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert change(contents[entry]) != contents[entry]
    contents[entry] = change(contents[entry])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def xls(path: Path) -> Path:
    return written(path, xlwt.Formula('"Số "&1'))


def xls_to_be_calculated(path: Path) -> Path:
    """As Perl's and PHP's writers do it: zero, to be calculated when it is opened."""
    content = xls(path).read_bytes().replace(b"\x60\x01\x02\x00", b"\xc1\x01\x02\x00")
    place = content.index(struct.pack("<Q", 0xFFFF000000000003))
    path.write_bytes(content[:place] + bytes(8) + b"\x03" + content[place + 9 :])
    return path


def xls_calculated(path: Path) -> Path:
    """The same empty text in a workbook that a spreadsheet saved: with RecalcId for another small record."""
    path.write_bytes(xls(path).read_bytes().replace(b"\x60\x01\x02\x00", b"\xc1\x01\x02\x00"))
    return path


def xlsb(path: Path, *, kind: int = 9, result: bytes = bytes(8), flags: int = 2) -> Path:
    number = struct.pack("<d", _MARK)

    def formula(content: bytes) -> bytes:
        place = content.index(b"\x05\x10" + struct.pack("<I", 5))
        cell = content[place + 2 : place + 10]
        assert content[place + 10 : place + 18] == number
        body = cell + result + struct.pack("<H", flags) + _SUM
        return content[:place] + bytes((kind, len(body))) + body + content[place + 18 :]

    return changed(written(path), "xl/worksheets/sheet1.bin", formula)


def xlsb_of_a_library(path: Path) -> Path:
    """No version of a spreadsheet is said to have calculated it."""
    version = b"\x9d\x01\x1a" + struct.pack("<I", 191029)
    return changed(
        xlsb(path, kind=8, result=bytes(4), flags=0),
        "xl/workbook.bin",
        lambda content: content.replace(version, version[:3] + bytes(4)),
    )


def ods(path: Path, attributes: str = "", inside: str = "") -> Path:
    def formula(content: bytes) -> bytes:
        text = content.decode()
        place = text.index(str(_MARK))
        start, end = text.rindex("<table:table-cell", 0, place), text.index("</table:table-cell>", place)
        cell = f'<table:table-cell table:formula="of:=1+1"{attributes}>{inside}'
        return (text[:start] + cell + text[end:]).encode()

    return changed(written(path), "content.xml", formula)


UNCALCULATED: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "xlwt": ("xls", xls),
    "xls to be calculated": ("xls", xls_to_be_calculated),
    "xlsb to be calculated, a number": ("xlsb", xlsb),
    "xlsb to be calculated, a text": ("xlsb", lambda path: xlsb(path, kind=8, result=bytes(4))),
    "xlsb of a library": ("xlsb", xlsb_of_a_library),
    "ods": ("ods", ods),
    "ods with a type only": ("ods", lambda path: ods(path, ' office:value-type="float"')),
    "ods with a text only by type": ("ods", lambda path: ods(path, ' office:value-type="string"')),
    "ods with an empty paragraph": ("ods", lambda path: ods(path, "", "<text:p/>")),
    "xlsx": ("xlsx", lambda path: written(path, "=1+1")),
}
CALCULATED: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "xls": ("xls", xls_calculated),
    "xlsb, zero": ("xlsb", lambda path: xlsb(path, flags=0)),
    "xlsb, an empty text": ("xlsb", lambda path: xlsb(path, kind=8, result=bytes(4), flags=0)),
    "xlsb, a result": ("xlsb", lambda path: xlsb(path, result=struct.pack("<d", 2.0))),
    "ods, an empty text": (
        "ods",
        lambda path: ods(path, ' office:value-type="string" office:string-value=""', "<text:p/>"),
    ),
    "ods, an empty paragraph": ("ods", lambda path: ods(path, ' office:value-type="string"', "<text:p/>")),
    "ods, zero": ("ods", lambda path: ods(path, ' office:value-type="float" office:value="0"')),
}


def imports(engine: Engine, path: Path) -> ImportReport:
    return run_import(
        engine,
        [path],
        max_deletions_percent=100,
        known_hospitals=frozenset(),
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize("case", UNCALCULATED)
def test_what_is_stored_stays_and_the_cell_is_named(engine: Engine, tmp_path: Path, case: str) -> None:
    kind, write = UNCALCULATED[case]
    imports(engine, written(tmp_path / f"before.{kind}", PERSON[5]))
    set_language("vi")
    try:
        in_vietnamese = imports(engine, write(tmp_path / f"a.{kind}"))
    finally:
        set_language("en")
    in_english = imports(engine, tmp_path / f"a.{kind}")
    for report, words in ((in_english, "never calculated"), (in_vietnamese, "chưa được tính")):
        said = {(one.row, one.column): one for one in (*report.problems, *report.noted_cells)}
        assert said.keys() == {(2, "Địa chỉ")}
        assert said[2, "Địa chỉ"].value == "=…"
        assert words in said[2, "Địa chỉ"].expected
    stored = RecordStore(engine).get("cadre", "P1")
    assert isinstance(stored, Cadre)
    assert stored.address == PERSON[5]


@pytest.mark.parametrize("case", CALCULATED)
def test_a_result_that_is_empty_or_zero_is_a_result(tmp_path: Path, case: str) -> None:
    kind, write = CALCULATED[case]
    assert marked_cells(write(tmp_path / f"a.{kind}"), SHEET) == {}
