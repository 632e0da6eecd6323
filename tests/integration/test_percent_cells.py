"""Cells that are shown as per cent: the value is what the cell shows, in every kind of workbook."""

import re
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine

from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Measurement
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sources.number_formats import percent_format
from adapter.records.sources.open_tabs import tables_of
from adapter.records.sources.xlsx_slices import cell_marks, sliced_rows
from adapter.records.store import RecordStore

ROOT = Path(__file__).parents[2]
WORKBOOKS = ROOT / "tests" / "workbooks"  # percent.xls by xlwt, percent.xlsb by pyxlsbwriter
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PERSON = (["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"],)
PERSON += (["P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T5"],)
VISIT = (["Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"], ["V1", "P1", "Khám định kỳ", "02/10/2026 08:00"])
HEADER = ["Mã lượt khám", "Mã chỉ số", "Giá trị", "Đơn vị", "Ngưỡng dưới", "Ngưỡng trên"]


def workbook(path: Path, *values: list[Any]) -> Path:
    """A cell (number, format) has that number format."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in (("Cán bộ", PERSON), ("Lượt khám", VISIT), ("Chỉ số", (HEADER, *values))):
        sheet = book.create_sheet(title)
        for number, row in enumerate(rows, 1):
            for column, cell in enumerate(row, 1):
                value, format_ = cell if isinstance(cell, tuple) else (cell, "General")
                sheet.cell(number, column, value).number_format = format_
    book.save(path)
    return path


def taken(engine: Engine, path: Path, **options: Any) -> tuple[ImportReport, dict[str, Measurement]]:
    report = run_import(
        engine,
        [path],
        max_deletions_percent=100,
        known_hospitals=frozenset(),
        now=NOW,
        plausible=load_ranges(ROOT / "mappings" / "codes"),
        **options,
    )
    found = (one for one in RecordStore(engine).iterate("measurement") if isinstance(one, Measurement))
    return report, {one.measure: one for one in found}


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("0.0%", 0.065, "6.5%"),
        ("0%", 0.42, "42%"),
        ("0.00%", 0.07, "7%"),
        ("0.0 %", 0.145, "14.5%"),
        ("[Red]0.0%;-0.0%", 0.065, "6.5%"),
        ("[Red]0.0%;-0.0%", -0.065, "-6.5%"),
        ("[Red]0.0%;-0.0%", 0, "0%"),
        ("[<1]0.0%;0.0", 0.065, "6.5%"),
        ("[<1]0.0%;0.0", 6.5, 6.5),
        ("[>=1]0;0%", 0.42, "42%"),
        ("[>=1]0;0%", 42, 42),
        ('[=0]"-";0%', 0.3, "30%"),
        ("[<0]0;[>1]0;0%", 0.3, "30%"),
        ("0;-0%", 0.5, 0.5),
        ("0;-0%", -0.5, "-50%"),
        ("[$-409]0%", 0.07, "7%"),
        ('"a;b"0%', 0.145, "14.5%"),
        ("# ?/?%", 0.5, "50%"),
        ("0%;;;@", 0.29, "29%"),
        ("0%", True, True),
        ("0%", "âm tính", "âm tính"),
    ],
)
def test_a_section_that_shows_per_cent_multiplies(code: str, value: object, shown: object) -> None:
    found = percent_format(code)
    assert found is not None
    assert found.shown(value) == shown


@pytest.mark.parametrize(
    "code",
    [
        '0.0"%"',
        '0.00" %"',
        r"0\%",
        "0.0‰",
        "General",
        "0.0_%",
        "0*%",
        '0;0;0;@"%"',
        "@%x"[:1],
        '0"100%"',
        r"0.0\ \%",
    ],
)
def test_a_quoted_escaped_or_absent_sign_multiplies_nothing(code: str) -> None:
    assert percent_format(code) is None


def test_what_the_cell_shows_goes_with_its_unit(engine: Engine, tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        ["V1", "BIO-HBA1C", (0.065, "0.0%"), "%", (0.04, "0.0%"), (0.06, "0.0%")],
        ["V1", "HEM-HCT", (0.42, "0%"), None, 37, 47],
        ["V1", "VS-SPO2", (97, '0"%"'), "%"],
        ["V1", "HEM-NEUP", (0.6, "[Red]0.0%;-0.0%"), " % "],
        ["V1", "HEM-LYMP", "30 %", None, "20%", "40 %"],
        ["V1", "HEM-MONOP", (6, r"0\%"), "%"],
        ["V1", "BIO-K", (4.1, "0.0"), "mmol/L"],
    )
    report, found = taken(engine, path)
    assert report.rejected == 0
    assert {key: (one.value, one.unit) for key, one in found.items()} == {
        "BIO-HBA1C": ("6.5", "%"),
        "HEM-HCT": ("42", "%"),
        "VS-SPO2": ("97", "%"),
        "HEM-NEUP": ("60", "%"),
        "HEM-LYMP": ("30", "%"),
        "HEM-MONOP": ("6", "%"),
        "BIO-K": ("4.1", "mmol/L"),
    }
    assert (found["BIO-HBA1C"].low, found["BIO-HBA1C"].high) == (4, 6)
    assert (found["HEM-HCT"].low, found["HEM-LYMP"].high) == (37, 40)
    assert taken(engine, path)[0].changes == 0


def test_per_cent_beside_another_unit_waits_for_a_person(engine: Engine, tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        ["V1", "HEM-HCT", (0.42, "0%"), "L/L"],
        ["V1", "BIO-CREA", (104, "0%"), "µmol/L"],
        ["V1", "BIO-HBA1C", 48, "mmol/mol", (0.2, "0%"), 42],
    )
    report, found = taken(engine, path)
    assert report.kinds["measurement"].held == 2
    assert set(found) == {"BIO-HBA1C"}
    assert (found["BIO-HBA1C"].low, found["BIO-HBA1C"].high) == (None, 42)


@pytest.mark.parametrize("kind", ["xls", "xlsb"])
def test_the_other_workbooks_of_excel_too(engine: Engine, kind: str) -> None:
    report, found = taken(engine, WORKBOOKS / f"percent.{kind}")
    values = {key: (one.value, one.unit) for key, one in found.items()}
    assert (values["BIO-HBA1C"], values["HEM-HCT"]) == (("6.5", "%"), ("42", "%"))
    assert values["VS-SPO2"] == ("97", "%")
    if kind == "xls":
        assert (values["HEM-NEUP"], values["HEM-LYMP"]) == (("60", "%"), ("30", "%"))
        assert (values["BIO-K"], values["TM-PSAR"]) == (("4.1", "mmol/L"), ("100", "%"))
        assert (found["BIO-HBA1C"].low, found["BIO-HBA1C"].high) == (4, 6)
        assert "HEM-MONOP" not in values  # a formula without a result
        assert report.kinds["measurement"].rejected == 1
    else:
        assert values["HEM-NEUP"] == ("100", "%")


_NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)


def _ods_cell(cell: object) -> str:
    if isinstance(cell, tuple):
        kind, value = cell
        return f'<table:table-cell office:value-type="{kind}" office:value="{value}"/>'
    return f'<table:table-cell office:value-type="string"><text:p>{cell or ""}</text:p></table:table-cell>'


def test_an_ods_too(engine: Engine, tmp_path: Path) -> None:
    values = (
        HEADER[:4],
        ["V1", "BIO-HBA1C", ("percentage", "0.065"), "%"],
        ["V1", "HEM-HCT", ("percentage", "0.42"), ""],
        ["V1", "VS-SPO2", ("float", "97"), "%"],
    )
    tables = ""
    for title, rows in (("Cán bộ", PERSON), ("Lượt khám", VISIT), ("Chỉ số", values)):
        lines = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        tables += f'<table:table table:name="{title}">{lines}</table:table>'
    path = tmp_path / "a.ods"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        archive.writestr("META-INF/manifest.xml", manifest)
        body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
        archive.writestr(
            "content.xml", f"<office:document-content {_NAMESPACES}>{body}</office:document-content>"
        )
    _, found = taken(engine, path)
    assert {key: (one.value, one.unit) for key, one in found.items()} == {
        "BIO-HBA1C": ("6.5", "%"),
        "HEM-HCT": ("42", "%"),
        "VS-SPO2": ("97", "%"),
    }


def test_a_large_sheet_is_read_alike(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", *(["V1", f"X-{n}", (n / 1000, "0.0%"), "%"] for n in range(400)))
    rows = list(sliced_rows(path, "Chỉ số", "xl/worksheets/sheet3.xml", slice_bytes=3_000))
    assert [cells[2] for _, cells, _ in rows[1:]] == [f"{n / 10:g}%" for n in range(400)]
    assert len({done for _, _, done in rows}) >= 1


def test_the_first_rows_are_shown_as_they_are_imported(tmp_path: Path) -> None:
    """What `adapter import --look` shows."""
    path = workbook(tmp_path / "a.xlsx", ["V1", "BIO-HBA1C", (0.065, "0.0%"), "%"])
    with ExitStack() as stack:
        tops = [table.top() for table in tables_of(path, stack)]
    shown = [cells[2] for _, cells in tops[-1] if cells[1] == "BIO-HBA1C"]
    assert shown == ["6.5%"]


_OOXML = "http://purl.oclc.org/ooxml"


def _prefixed(xml: str) -> str:
    name = xml.partition('xmlns="')[2].partition('"')[0]
    for tag in ("c", "v", "f"):
        xml = re.sub(rf"<(/?){tag}(?=[ >/])", rf"<\1x:{tag}", xml)
    return xml.replace("<worksheet ", f'<worksheet xmlns:x="{name}" ')


def _without_places(xml: str) -> str:
    return re.sub(r'<c r="[A-Z]+\d+"', "<c", xml)


def _in_single_quotes(xml: str) -> str:
    return re.sub(r'<c r="([A-Z]+\d+)" s="(\d+)"', r"<c s='\2' r='\1'", xml)


def _strict(xml: str) -> str:
    """ISO/IEC 29500-1's strict class, as "Strict Open XML Spreadsheet" is saved."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    xml = xml.replace(main, f"{_OOXML}/spreadsheetml/main")
    return xml.replace("http://schemas.openxmlformats.org/officeDocument/2006", f"{_OOXML}/officeDocument")


@pytest.mark.parametrize("change", [_prefixed, _without_places, _in_single_quotes, _strict])
def test_however_the_workbook_was_written(
    engine: Engine, tmp_path: Path, change: Callable[[str], str]
) -> None:
    plain = workbook(
        tmp_path / "plain.xlsx",
        ["V1", "BIO-HBA1C", (0.065, "0.0%"), "%"],
        ["V1", "BIO-K", 4.1, "mmol/L"],
        ["V1", "BIO-NA", "=1+1", "mmol/L"],
    )
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry.endswith("sheet3.xml") or (change is _strict and entry.startswith(("xl/", "_rels"))):
                content = change(content.decode()).encode()
            new.writestr(entry, content)
    assert CalamineWorkbook.from_path(path).get_sheet_by_name("Chỉ số").to_python()[2][2] == 4.1
    marks = cell_marks(path, "xl/worksheets/sheet3.xml")
    assert set(marks) == {2, 4}
    report, found = taken(engine, path)
    assert (found["BIO-HBA1C"].value, found["BIO-K"].value) == ("6.5", "4.1")
    assert report.kinds["measurement"].rejected == 1  # not calculated
