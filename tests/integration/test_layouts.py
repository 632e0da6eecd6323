"""Clerks' sheets as they are: titles, groups, totals, merged and split headers, other names, wide tables."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from dialect_files import Grid, write_csvs
from legacy_text import WRITERS
from openpyxl import Workbook
from sqlalchemy import Engine

from adapter.errors import ImportRefused
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.model import Cadre, Measurement, Visit
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sources import open_tabs
from adapter.records.sources.marked_cells import marked_cells
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore

CODES = Path(__file__).parents[2] / "mappings" / "codes"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
Rows = Sequence[Sequence[Any]]
HEADER = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý")
AN = ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4")
BA = ("A2", "Trần Thị Ba", "Nữ", "06/04/1961", "T5")
MEASURES = MeasureNames(
    [
        NamedMeasure("BIO-CREA", "Creatinin", "Creatinine", "µmol/L"),
        NamedMeasure("BIO-GLUF", "Glucose máu lúc đói", "Fasting glucose", "mmol/L"),
        NamedMeasure("BIO-GLU", "Glucose máu (bất kỳ)", "Glucose", "mmol/L"),
        NamedMeasure("URI-GLU", "Glucose niệu", "Glucose", ""),
        NamedMeasure("BIO-AST", "AST (GOT)", "AST", "U/L"),
        NamedMeasure("HEM-LYM", "Lympho (số lượng)", "Lymphocytes #", "G/L"),
        NamedMeasure("HEM-LYMP", "Lympho (%)", "Lymphocytes %", "%"),
        NamedMeasure("VS-SBP", "Huyết áp tâm thu", "Systolic blood pressure", "mmHg"),
        NamedMeasure("VS-DBP", "Huyết áp tâm trương", "Diastolic blood pressure", "mmHg"),
        NamedMeasure("URI-PRO", "Protein niệu", "Protein", ""),
        NamedMeasure("BIO-PROT", "Protein toàn phần", "Total protein", "g/L"),
    ],
    ["mmol/L", "µmol/L", "U/L", "G/L", "%", "mg/dL", "mmHg", "g/L"],
)


def imports(engine: Engine, *files: Path, **options: Any) -> ImportReport:
    options = {"inputs": InputOptions(layouts=LayoutContext(MEASURES))} | options
    given: dict[str, Any] = {"max_deletions_percent": 3, "known_hospitals": frozenset(), "now": NOW} | options
    return run_import(engine, list(files), **given)


def workbook(path: Path, sheets: dict[str, Rows], edit: Callable[[Any], object] | None = None) -> Path:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    if edit:
        edit(book)
    book.save(path)
    return path


def cadre(engine: Engine, key: str) -> Cadre | None:
    found = RecordStore(engine).get("cadre", key)
    assert found is None or isinstance(found, Cadre)
    return found


# rows that are no records ---------------------------------------------------------------------------


def test_titles_groups_totals_and_headers_again_are_no_records(engine: Engine, tmp_path: Path) -> None:
    rows = [
        ("DANH SÁCH CÁN BỘ THUỘC DIỆN QUẢN LÝ NĂM 2026",),
        (None, "Tỉnh ủy, ngày 05 tháng 01 năm 2026"),
        (),
        HEADER,
        ("(1)", "(2)", "(3)", "(4)", "(5)"),
        ("I. Khối Đảng, đoàn thể",),
        AN,
        ("Cộng:", 1),
        HEADER,
        (None, "II. Khối Nhà nước"),
        BA,
        ("Tổng cộng", None, None, None, 2),
        (None, "Tổng số: 2 người"),
        (None, None, None, "Hà Nội, ngày 05 tháng 01 năm 2026"),
        (None, "Người lập biểu", None, "Giám đốc"),
    ]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}))
    assert (report.kinds["cadre"].created, report.problem_count) == (2, 0)
    [line] = report.warnings
    assert "10 rows" not in line
    assert "5, 6, 8, 9, 10, 12, 13, 14, 15" in line


@pytest.mark.parametrize(
    ("rows", "left_out"),
    [
        ([("Cộng", None, "25 lượt")], [4]),
        ([("Cộng", None, "05 đồng chí")], [4]),
        ([("II", "KHỐI NHÀ NƯỚC"), ("A.", None, "Đảng ủy khối")], [4, 5]),
        ([(None, "NGƯỜI LẬP", None, "GIÁM ĐỐC"), ("Lò Thị Mận", None, None, "Vi Văn Đạt")], [4, 5]),
        ([("Tổng số", None, None, "1.025 trường hợp", "12 người")], [4]),
        ([("Người lập biểu", None, None, "GIÁM ĐỐC"), (None, "(đã ký)", None, "(Đã ký)")], [4, 5]),
        (
            [
                (None, "Phụ trách phòng", None, "KT. Giám đốc"),
                (None, None, None, "Phó giám đốc"),
                (),
                (None, "Lê Thị Bưởi", None, "BS. Nguyễn Văn Chín"),
            ],
            [4, 5, 7],
        ),
    ],
)
def test_what_is_counted_and_signed_below_a_table_is_no_record(
    engine: Engine, tmp_path: Path, rows: Rows, left_out: list[int]
) -> None:
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": [HEADER, AN, BA, *rows]}))
    assert (report.kinds["cadre"].created, report.problem_count) == (2, 0)
    [line] = report.warnings
    assert ", ".join(map(str, left_out)) in line


def test_below_signatures_too_what_may_be_a_record_is_not_left_out(engine: Engine, tmp_path: Path) -> None:
    below = [
        (None, "Người lập biểu", None, "Giám đốc"),
        ("A8", "Lê Thị Cúc", "Nữ", None, None),
        (None, "Lê Thị Cúc", "Nữ", "1950", None),
        (None, "Lê Thị Cúc", None, None, "Trung ương"),
    ]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": [HEADER, AN, *below]}))
    assert (report.kinds["cadre"].created, report.kinds["cadre"].rejected) == (1, 3)


@pytest.mark.parametrize(
    "row",
    [
        ("CB 0040",),  # a key, and nothing besides
        ("Phòng 1",),
        (None, "Lê Thị Cúc", "Nữ", "01/01/1950", "T4"),  # a person without a key
        ("Tổng", "Lê Thị Cúc", "Nữ", "01/01/1950", "T4"),
        (None, None, None, None, "T4"),
        (None, "Tống Văn Tám", "Nam"),
        ("A9", "Tổng cộng", "", "", ""),
    ],
)
def test_what_may_be_a_record_is_never_left_out(engine: Engine, tmp_path: Path, row: Any) -> None:
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": [HEADER, AN, row]}))
    assert report.kinds["cadre"].created + report.kinds["cadre"].rejected == 2
    assert report.kinds["cadre"].created == 1 or row[0] == "Tổng"


def test_the_same_in_a_csv(engine: Engine, tmp_path: Path) -> None:
    rows = [("DANH SÁCH",), HEADER, ("1", "2", "3", "4", "5"), AN, HEADER, BA, ("Tổng", "2")]
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(rows)
    path = tmp_path / "cadres.csv"
    path.write_text(text.getvalue(), "utf-8-sig")
    report = imports(engine, path)
    assert (report.kinds["cadre"].created, report.problem_count) == (2, 0)


@pytest.mark.parametrize("font", [None, *(one for one in WRITERS if one != "VPS")])  # two names are VNI's too
@pytest.mark.parametrize("kind", ["xlsx", "csv", "cp1258"])
def test_what_stands_around_a_table_is_known_in_old_fonts_too(
    engine: Engine, tmp_path: Path, kind: str, font: str | None
) -> None:
    """Totals beside running numbers, their count in the keys' column; headers again; who made the list."""
    write = WRITERS[font] if font else str
    header = ("STT", *map(write, HEADER))
    rows: Rows = [
        header,
        (1, *AN[:1], write(AN[1]), *AN[2:]),
        header,
        (write("Khối Đảng"),),
        (2, *BA[:1], *map(write, BA[1:3]), *BA[3:]),
        (write("Tổng cộng"), 2),
        (write("Cộng"), None, None, None, None, 2),
        (None, write("Người lập biểu")),
    ]
    if kind == "xlsx":
        path = workbook(tmp_path / "a.xlsx", {write("Cán bộ").replace("\x90", ""): rows})
    elif kind == "cp1258" and font:
        return  # text of an old font was never written in a Vietnamese code page
    else:
        grid = Grid("cadres", [["" if cell is None else cell for cell in row] for row in rows])
        encoding = "utf-8" if kind == "csv" else kind
        write_csvs(tmp_path, [grid], encoding, ",", said=False, quoted=True, ending="\n")
        path = tmp_path / "cadres.csv"
    report = imports(engine, path)
    assert (report.kinds["cadre"].created, [str(one) for one in report.problems]) == (2, [])


@pytest.mark.parametrize("font", WRITERS)
@pytest.mark.parametrize("name", ["Hoàng Thị Hường", "Phạm Hữu Cường", "Hà Văn Ước", "Đỗ Thà Ỷ"])
def test_a_name_of_an_old_font_over_two_columns_keeps_all_its_letters(
    engine: Engine, tmp_path: Path, font: str, name: str
) -> None:
    """TCVN3 writes ư as a letter that is not shown, a misread à has one that looks like a space."""
    write = WRITERS[font]
    family, _, given = name.rpartition(" ")
    header = [write(one) for one in ("Mã cán bộ", "Họ và tên đệm", "Tên", *HEADER[2:])]
    others = [
        (f"B{number}", write("Nguyễn Thị Hồng"), write("Hạnh"), "1", "05/03/1960", "T4")
        for number in range(3)
    ]
    rows = [header, ("A1", write(family), write(given), "1", "05/03/1960", "T4"), *others]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cadres": rows}))
    found = cadre(engine, "A1")
    refused = {one.row for one in report.problems}
    assert 2 in refused if found is None else found.name == name
    if font == "TCVN3 (ABC)":
        assert found is not None


def test_a_wide_sheet_in_an_old_font(engine: Engine, tmp_path: Path) -> None:
    write = WRITERS["TCVN3 (ABC)"]
    visits = [("Visit key", "Cadre key", "Type", "Started at"), ("V1", "A1", "checkup", "15/03/2026")]
    wide = [
        tuple(map(write, ("Mã lượt khám", "Protein toàn phần", "Glucose máu lúc đói (mmol/L)"))),
        ("V1", 70, 5.3),
    ]
    sheets: dict[str, Rows] = {"Cadres": [HEADER, AN], "Visits": visits, write("Kết quả theo hàng"): wide}
    report = imports(engine, workbook(tmp_path / "a.xlsx", sheets))
    assert (report.kinds["measurement"].created, report.problem_count, report.warnings) == (2, 0, ())


def test_a_csv_that_is_no_table_does_not_stop_the_others(engine: Engine, tmp_path: Path) -> None:
    notes = Grid("Ghi chú chung", [["Nộp trước ngày 15"], ["", "Hỏi chị Lan"]])
    grids = [Grid("Cán bộ", [list(HEADER), list(AN)]), notes]
    write_csvs(tmp_path, grids, "utf-8", ",", said=False, quoted=True, ending="\n")
    report = imports(engine, tmp_path)
    assert report.kinds["cadre"].created == 1
    assert "Ghi chú chung" in report.warnings[0]


# headers --------------------------------------------------------------------------------------------


def test_a_header_in_two_rows_with_merged_cells(engine: Engine, tmp_path: Path) -> None:
    rows = [
        ("DANH SÁCH",),
        ("Mã cán bộ", "Thông tin cá nhân", None, None, "Diện quản lý", "Thẻ BHYT", None, "Vợ/chồng", None),
        (None, "Họ và tên", "Giới tính", "Ngày sinh", None, "Mã thẻ", "Hạn dùng", "Họ và tên", "Điện thoại"),
        (*AN, "DN4010012345678", "31/12/2026", "Ai Đó", "0900000001"),
    ]

    def merge(book: Any) -> None:
        for cells in ("A1:I1", "A2:A3", "B2:D2", "E2:E3", "F2:G2", "H2:I2"):
            book["Cán bộ"].merge_cells(cells)

    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}, merge))
    assert report.problem_count == 0
    found = cadre(engine, "A1")
    assert found is not None
    assert (found.name, found.insurance, found.phone) == ("Lê Văn An", ("DN4010012345678",), None)
    assert sum("Hạn dùng" in line for line in report.warnings) == 1
    assert sum("Vợ/chồng / Điện thoại" in line for line in report.warnings) == 1


def test_a_header_in_two_rows_of_a_csv(engine: Engine, tmp_path: Path) -> None:
    text = "Mã cán bộ;Thông tin;;;Diện quản lý\n;Họ và tên;Giới tính;Ngày sinh;\n" + ";".join(AN) + "\n"
    path = tmp_path / "cadres.csv"
    path.write_text(text, "utf-8")
    report = imports(engine, path)
    assert report.problem_count == 0
    assert cadre(engine, "A1") is not None


NAMES: list[tuple[Rows, str | None]] = [
    ([("Mã cán bộ", "Họ và tên đệm", "Tên", *HEADER[2:]), ("A1", "Lê Văn", "An", *AN[2:])], None),
    ([("Mã cán bộ", "Tên", "Họ đệm", *HEADER[2:]), ("A1", "An", "Lê Văn", *AN[2:])], None),
    ([("Mã cán bộ", "Họ", "Đệm", "Tên", *HEADER[2:]), ("A1", "Lê", "Văn", "An", *AN[2:])], None),
    ([("Mã cán bộ", "Họ và tên", None, *HEADER[2:]), ("A1", "Lê Văn", "An", *AN[2:])], "B1:C1"),
    (
        [
            ("Mã cán bộ", "Họ và tên", None, *HEADER[2:]),
            (None, "Họ đệm", "Tên"),
            ("A1", "Lê Văn", "An", *AN[2:]),
        ],
        "B1:C1",
    ),
]


@pytest.mark.parametrize(("rows", "merged"), NAMES)
def test_a_name_over_several_columns(engine: Engine, tmp_path: Path, rows: Rows, merged: str | None) -> None:
    def merge(book: Any) -> None:
        if merged:
            book["Cán bộ"].merge_cells(merged)

    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}, merge))
    assert (report.problem_count, report.warnings) == (0, ())
    found = cadre(engine, "A1")
    assert found is not None
    assert found.name == "Lê Văn An"


def test_half_a_name_is_never_imported(engine: Engine, tmp_path: Path) -> None:
    rows = [("Mã cán bộ", "Họ và tên", None, *HEADER[2:]), ("A1", "Lê Văn", "An", *AN[2:])]
    with pytest.raises(ImportRefused, match="column C stands behind the name"):
        imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}))
    assert cadre(engine, "A1") is None


def test_a_column_without_a_header_is_named_where_it_holds_something(engine: Engine, tmp_path: Path) -> None:
    rows = [(*HEADER, None, None), (*AN, None, None), (*BA, None, "quan trọng")]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}))
    [line] = report.warnings
    assert "column G has no header" in line
    assert "row 3" in line
    assert "quan trọng" not in line


@pytest.mark.parametrize(
    "title",
    ["2. Họ và tên", "(2) Họ và tên", "Họ và tên (in hoa)", "Họ và tên / Full name", "HỌ VÀ TÊN\n(*)"],
)
def test_what_clerks_put_around_a_header(engine: Engine, tmp_path: Path, title: str) -> None:
    rows = [("Mã cán bộ", title, "Giới tính", "Ngày sinh (ngày/tháng/năm)", "Diện quản lý"), AN]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}))
    assert (report.kinds["cadre"].created, report.warnings) == (1, ())


def test_cells_merged_downwards_hold_for_each_row(engine: Engine, tmp_path: Path) -> None:
    sheets: dict[str, Rows] = {
        "Cán bộ": [HEADER, AN],
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"),
            ("V1", "A1", "checkup", "15/03/2026"),
        ],
        "Chỉ số": [
            ("Mã lượt khám", "Mã chỉ số", "Giá trị"),
            ("V1", "BIO-CREA", "88"),
            (None, "BIO-GLUF", "5,1"),
            (None, "BIO-AST", "30"),
        ],
    }
    path = workbook(tmp_path / "a.xlsx", sheets, lambda book: book["Chỉ số"].merge_cells("A2:A4"))
    assert imports(engine, path).kinds["measurement"].created == 3
    path = workbook(tmp_path / "b.xlsx", sheets)  # without a merged cell nothing says whose they are
    assert imports(engine, path).kinds["measurement"].rejected == 2


def test_a_row_of_a_csv_with_more_cells_than_its_header_is_refused(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "cadres.csv"
    text = ",".join(HEADER) + ",Địa chỉ\n" + ",".join(AN) + ",Số 1, phố Hai\n" + ",".join(BA) + ",Số 3,,\n"
    path.write_text(text, "utf-8")
    report = imports(engine, path)
    assert (report.kinds["cadre"].created, report.kinds["cadre"].rejected) == (1, 1)
    assert "7" in str(report.problems[0])
    assert cadre(engine, "A1") is None


# which record type ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["DS 2026", "Sheet1", "Lượt khám"])
def test_a_sheet_under_another_name_is_asked_about(engine: Engine, tmp_path: Path, name: str) -> None:
    path = workbook(tmp_path / "a.xlsx", {name: [HEADER, AN], "Tạm": [("x", "y"), (1, 2)]})
    with pytest.raises(ImportRefused) as asked:
        imports(engine, path)
    assert asked.value.exit_code == 1
    assert f'"{name}": Cadres' in str(asked.value)
    assert "--look" in str(asked.value)
    assert cadre(engine, "A1") is None


# encodings ------------------------------------------------------------------------------------------

CSV = "Key;Name;Sex;Date of birth;Tier;Address\nA1;Lê Văn Đường;Nam;05/03/1960;T4;Số 1 phố Hai Bà Trưng\n"


def _windows(text: str) -> bytes:
    """Windows-1258: the tone behind its letter."""
    import unicodedata

    tones = {"\u0300": b"\xcc", "\u0301": b"\xec", "\u0303": b"\xde", "\u0309": b"\xd2", "\u0323": b"\xf2"}
    out = b""
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        tone = next((one for one in parts if one in tones), "")
        out += unicodedata.normalize("NFC", parts.replace(tone, "") if tone else letter).encode("cp1258")
        out += tones.get(tone, b"")
    return out


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),
        CSV.encode("utf-16"),
        CSV.encode("utf-16-le"),
        CSV.encode("utf-16-be"),
        _windows(CSV),
        _windows(CSV.replace(";", "\t")),
    ],
)
def test_encodings_of_a_csv(engine: Engine, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cadres.csv"
    path.write_bytes(content)
    assert imports(engine, path).problem_count == 0
    found = cadre(engine, "A1")
    assert found is not None
    assert (found.name, found.address) == ("Lê Văn Đường", "Số 1 phố Hai Bà Trưng")


@pytest.mark.parametrize(
    "content",
    [
        CSV.replace("Lê Văn Đường", "X").encode() + b"A2;L\xaa V\xa8n An;Nam;05/03/1960;T4;\n",  # TCVN3
        CSV.replace("Lê Văn Đường", "X").encode() + b"A2;Le\xe2 Va\xeen An;Nam;05/03/1960;T4;\n",  # VNI
        CSV.replace("Lê Văn Đường", "X").encode("utf-16-le").replace(b"\0", b"\xff\xff"),
    ],
)
def test_encodings_that_are_refused(engine: Engine, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cadres.csv"
    path.write_bytes(content)
    with pytest.raises(ImportRefused, match="UTF-8"):
        imports(engine, path)


# a row a person, a column a measure -----------------------------------------------------------------

WIDE = (
    "Mã cán bộ",
    "Họ và tên",
    "Loại",
    "Ngày khám",
    "Creatinin (µmol/L)",
    "Glucose máu lúc đói",
    "AST (U/L)",
)


def centre(tmp_path: Path) -> Path:
    return workbook(tmp_path / "centre.xlsx", {"Cán bộ": [HEADER, AN, BA]})


def measurement(engine: Engine, key: str) -> Measurement | None:
    found = RecordStore(engine).get("measurement", key)
    assert found is None or isinstance(found, Measurement)
    return found


def test_a_wide_sheet_makes_visits_and_measurements(engine: Engine, tmp_path: Path) -> None:
    imports(engine, centre(tmp_path))
    rows = [
        ("KẾT QUẢ XÉT NGHIỆM",),
        WIDE,
        ("A1", "Lê Văn An", "Khám định kỳ", "15/03/2026", 88, "5,1", "<5"),
        ("A2", "Trần Thị Ba", "Khám định kỳ", "16/03/2026", 70, None, 31),
        ("Trung bình", None, None, None, 79, 5.1, 31),
    ]
    path = workbook(tmp_path / "a.xlsx", {"Kết quả theo hàng": rows})
    report = imports(engine, path)
    assert (report.problem_count, report.kinds["visit"].created, report.kinds["measurement"].created) == (
        0,
        2,
        5,
    )
    visit = RecordStore(engine).get("visit", "A1.checkup.20260315")
    assert isinstance(visit, Visit)
    assert f"{visit.started_at:%Y-%m-%d}" == "2026-03-15"
    found = measurement(engine, "A1.checkup.20260315/BIO-CREA")
    assert found is not None
    assert (found.value, found.unit, found.name, found.cadre) == ("88", "µmol/L", "Creatinin", "A1")
    second = imports(engine, path)
    assert second.kinds["measurement"].unchanged == 5
    assert second.kinds["measurement"].deleted == 0


def test_an_emptied_cell_deletes_its_measurement_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    imports(engine, centre(tmp_path))
    row = ("A1", "Lê Văn An", "Khám định kỳ", "15/03/2026", 88, "5,1", "30")
    other = ("A2", "Trần Thị Ba", "Khám định kỳ", "16/03/2026", 70, 5, 31)
    imports(engine, workbook(tmp_path / "a.xlsx", {"Wide": [WIDE, row, other]}))
    path = workbook(tmp_path / "b.xlsx", {"Wide": [WIDE[:6], (*row[:4], None, "5,1")]})
    report = imports(engine, path, allow_deletions=True)
    assert report.kinds["measurement"].deleted == 1
    key = "A1.checkup.20260315"
    assert measurement(engine, f"{key}/BIO-CREA") is None
    assert measurement(engine, f"{key}/BIO-AST") is not None  # its column is not there
    assert measurement(engine, "A2.checkup.20260316/BIO-CREA") is not None  # its row neither


def test_a_wide_sheet_with_the_visits_own_keys(engine: Engine, tmp_path: Path) -> None:
    sheets: dict[str, Rows] = {
        "Cán bộ": [HEADER, AN],
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"),
            ("V1", "A1", "checkup", "15/03/2026"),
        ],
        "Chỉ số": [("Mã lượt khám", "Creatinin", "Glucose máu lúc đói"), ("V1", "88", "5,1")],
    }
    report = imports(engine, workbook(tmp_path / "a.xlsx", sheets))
    assert (report.problem_count, report.kinds["measurement"].created) == (0, 2)
    found = measurement(engine, "V1/BIO-CREA")
    assert found is not None
    assert found.unit is None  # the header says none


def test_measures_beside_visits(engine: Engine, tmp_path: Path) -> None:
    sheets: dict[str, Rows] = {
        "Cán bộ": [HEADER, AN],
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Huyết áp", None),
            (None, None, None, None, "Tâm thu", "Tâm trương"),
            ("V1", "A1", "checkup", "15/03/2026", 120, 80),
        ],
    }

    def merge(book: Any) -> None:
        for cells in ("A1:A2", "B1:B2", "C1:C2", "D1:D2", "E1:F1"):
            book["Lượt khám"].merge_cells(cells)

    report = imports(engine, workbook(tmp_path / "a.xlsx", sheets, merge))
    assert (report.problem_count, report.warnings) == (0, ())
    found = measurement(engine, "V1/VS-SBP")
    assert found is not None
    assert found.value == "120"
    assert measurement(engine, "V1/VS-DBP") is not None


def test_a_row_of_units_below_the_measures(engine: Engine, tmp_path: Path) -> None:
    imports(engine, centre(tmp_path))
    rows = [
        (*WIDE[:4], "Creatinin", "Lympho", "AST"),
        (None, None, None, "Đơn vị", "µmol/L", "%", "U/L"),
        ("A1", "Lê Văn An", "Khám định kỳ", "15/03/2026", 88, "33", "30"),
    ]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Wide": rows}))
    assert report.problem_count == 0
    found = measurement(engine, "A1.checkup.20260315/HEM-LYMP")
    assert found is not None
    assert found.unit == "%"


def test_what_is_wrong_in_a_wide_sheet_names_the_measures_column(engine: Engine, tmp_path: Path) -> None:
    imports(engine, centre(tmp_path))
    rows = [
        WIDE,
        ("A1", "", "Khám định kỳ", "15/03/2026", date(2026, 10, 8), "5,1", "#N/A"),
        ("A2", "", "Khám định kỳ", "hôm qua", 70, 5, 31),
        ("A9", "", "Khám định kỳ", "16/03/2026", 70, 5, 31),
    ]
    report = imports(
        engine,
        workbook(tmp_path / "a.xlsx", {"Cán bộ": [HEADER, AN, BA], "Wide": rows}),
        rejects=tmp_path / "r.xlsx",
    )
    said = [(one.row, one.column) for one in report.problems]
    assert (2, "Creatinin (µmol/L)") in said
    assert (2, "AST (U/L)") in said
    assert (3, "Ngày khám") in said
    assert (4, "Mã cán bộ") in said
    assert report.kinds["measurement"].created == 1
    assert report.kinds["measurement"].rejected == 2 + 3 + 3
    assert report.rejects is not None
    again = imports(engine, report.rejects, rejects=tmp_path / "s.xlsx")
    assert again.kinds["measurement"].rejected == 8


def test_what_is_held_or_noted_in_a_wide_sheet_names_the_measures_column(
    engine: Engine, tmp_path: Path
) -> None:
    visits = [("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"), ("V1", "A1", "checkup", "15/03/2026")]
    wide = [("Mã lượt khám", "Creatinin (µmol/L)", "AST (U/L)"), ("V1", "88 (lấy lại)", "âm tính")]
    path = workbook(
        tmp_path / "a.xlsx", {"Cán bộ": [HEADER, AN], "Lượt khám": visits, "Kết quả theo hàng": wide}
    )
    report = imports(engine, path, plausible=load_ranges(CODES))
    assert [(one.row, one.column) for one in report.held_cells] == [(2, title) for title in wide[0][1:]]
    wide[1] = ("V1", "88", "không làm")
    path = workbook(tmp_path / "b.xlsx", {"Kết quả theo hàng": wide})
    [noted] = imports(engine, path, plausible=load_ranges(CODES)).noted_cells
    assert (noted.row, noted.column) == (2, "AST (U/L)")


def test_of_t0_rows_of_a_wide_sheet_nothing_is_looked_at(engine: Engine, tmp_path: Path) -> None:
    imports(engine, centre(tmp_path))
    rows = [
        (*WIDE, "Diện quản lý"),
        ("A1", "", "Khám định kỳ", "15/03/2026", 88, "5,1", "30", "T4"),
        ("X1", "Người Ẩn", "Khám định kỳ", "15/03/2026", 99, "9,9", "99", "T0"),
        ("X2", "Người Khuất", "Khám định kỳ", "15/03/2026", 99, "9,9", "99", ""),
    ]
    path = workbook(tmp_path / "a.xlsx", {"Wide": rows})
    report = imports(engine, path, rejects=tmp_path / "r.xlsx")
    assert report.kinds["measurement"].created == 3
    assert "X1" not in str(report.as_json())
    assert "X2" not in str(report.as_json())
    assert not (tmp_path / "r.xlsx").exists()


@pytest.mark.parametrize("first", [True, False])
def test_whom_a_wide_sheet_calls_t0_is_hidden_in_every_other_sheet(
    engine: Engine, tmp_path: Path, *, first: bool
) -> None:
    """Stored as T4, or in nobody's sheet: what hangs on the key does not come in, nor do words of theirs."""
    imports(engine, centre(tmp_path))
    wide = (*WIDE, "Diện quản lý")
    sheets: dict[str, Rows] = {
        "Wide": [
            wide,
            ("A1", "Lê Văn An", "Khám định kỳ", "15/03/2026", 88, "5,1", "30", "T4"),
            ("A2", "Trần Thị Ba", "Khám định kỳ", "15/03/2026", 777, "7,77", "77", "T0"),
            ("X9", "Người Ẩn Danh", "Khám định kỳ", "15/03/2026", 777, "7,77", "77", "T0"),
        ],
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Kết luận"),
            ("V1", "A1", "Khám định kỳ", "16/03/2026", "ổn"),
            ("V2", "A2", "Khám định kỳ", "16/03/2026", "kết luận riêng"),
            ("V3", "a2", "Khám định kỳ", "16/03/2026", "kết luận riêng"),
            ("V9", "X9", "Khám định kỳ", "16/03/2026", "kết luận riêng"),
            ("V4", "A1", "Khám định kỳ", "17/03/2026", "đi cùng Người Ẩn Danh"),
        ],
    }
    listed = sheets if first else dict(reversed(sheets.items()))
    options = {"rejects": tmp_path / "r.xlsx", "partial": True}
    with pytest.raises(ImportRefused, match="1 of 2 cadres"):  # one of two people goes: that is asked
        imports(engine, workbook(tmp_path / "a.xlsx", listed), **options)
    assert cadre(engine, "A2")
    report = imports(engine, workbook(tmp_path / "a.xlsx", listed), **options, allow_deletions=True)
    assert cadre(engine, "A2") is None
    kept = {one.key for one in RecordStore(engine).iterate("visit")}
    assert kept == {"V1", "A1.checkup.20260315"}
    shown = str(report.as_json()) + "".join(map(str, report.problems)) + "".join(report.warnings)
    for hidden in ("X9", "Ẩn Danh", "777", "kết luận riêng"):
        assert hidden not in shown
    assert not (tmp_path / "r.xlsx").exists()


def test_a_wide_sheet_without_a_visit_is_asked_for_it(engine: Engine, tmp_path: Path) -> None:
    rows = [("Mã cán bộ", "Ngày khám", "Creatinin", "AST"), ("A1", "15/03/2026", 88, 30)]
    with pytest.raises(ImportRefused, match="Type"):
        imports(engine, workbook(tmp_path / "a.xlsx", {"Wide": rows}))
    with pytest.raises(ImportRefused, match='"KQXN tháng 3"'):
        imports(
            engine,
            workbook(
                tmp_path / "b.xlsx", {"KQXN tháng 3": [WIDE, ("A1", "", "checkup", "15/03/2026", 1, 2, 3)]}
            ),
        )


def test_measures_by_name_in_the_long_sheet(engine: Engine, tmp_path: Path) -> None:
    sheets: dict[str, Rows] = {
        "Cán bộ": [HEADER, AN],
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"),
            ("V1", "A1", "checkup", "15/03/2026"),
        ],
        "Chỉ số": [("Mã lượt khám", "Tên chỉ số", "Giá trị"), ("V1", "Creatinin", "88"), ("V1", "GOT", "30")],
    }
    report = imports(engine, workbook(tmp_path / "a.xlsx", sheets))
    assert (report.problem_count, report.kinds["measurement"].created) == (0, 2)
    assert measurement(engine, "V1/BIO-AST") is not None


@pytest.mark.parametrize(
    ("title", "code", "unit"),
    [
        ("BIO-CREA", "BIO-CREA", ""),
        ("Creatinin (µmol/L)", "BIO-CREA", "µmol/L"),
        ("Creatinin (\u03bcmol/l)", "BIO-CREA", "\u03bcmol/l"),
        ("CREATININ [mg/dL]", "BIO-CREA", "mg/dL"),
        ("Creatinin, µmol/L", "BIO-CREA", "µmol/L"),
        ("Creatinin µmol/L", "BIO-CREA", "µmol/L"),
        ("Creatinine", "BIO-CREA", ""),
        ("GOT", "BIO-AST", ""),
        ("AST", "BIO-AST", ""),
        ("Lympho (%)", "HEM-LYMP", "%"),
        ("Lympho (G/L)", "HEM-LYM", "G/L"),
        ("Lympho", None, ""),
        ("Glucose", None, ""),  # in the blood, or in the urine
        ("Protein", None, ""),
        ("Creatinin (mg/phút)", None, ""),  # a unit that nobody knows
        ("Ghi chú", None, ""),
        ("", None, ""),
    ],
)
def test_which_measure_a_header_means(title: str, code: str | None, unit: str) -> None:
    found = MEASURES.find(title)
    assert (found.code if found else None, found.unit if found else "") == (code, unit)


# formulas -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
def test_a_formula_without_its_result_is_not_empty(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(open_tabs, "SLICING_THRESHOLD_BYTES", 1)
    rows = [
        (*HEADER, "Địa chỉ"),
        (*AN, '="Số "&1'),
        (*BA, "Số 2"),
        ("A3", "Lê Cúc", "Nữ", "=D2", "T5", "#N/A"),
    ]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}))
    assert report.kinds["cadre"].created == 2
    said = {(one.row, one.column): one.expected for one in (*report.problems, *report.noted_cells)}
    assert "never calculated" in said[2, "Địa chỉ"]
    assert said[4, "Ngày sinh"] in said[2, "Địa chỉ"]  # there it cost the cell alone
    assert cadre(engine, "A3") is None
    first = cadre(engine, "A1")
    assert first is not None
    assert first.address is None


@pytest.mark.parametrize("large", [False, True])
def test_merged_cells_of_a_large_sheet(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(open_tabs, "SLICING_THRESHOLD_BYTES", 1)
    rows, merged = NAMES[4]
    path = workbook(tmp_path / "a.xlsx", {"Cán bộ": rows}, lambda book: book["Cán bộ"].merge_cells(merged))
    assert imports(engine, path).kinds["cadre"].created == 1


WORKBOOKS = Path(__file__).parents[1] / "workbooks"  # by SheetJS and pyxlsbwriter, with an error put in
_ODS = """<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
><office:body><office:spreadsheet><table:table table:name="Cán bộ">{rows}</table:table></office:spreadsheet>
</office:body></office:document-content>"""
_TEXT = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
_FAILED = (
    '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value=""'
    ' calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
)
_NOT_CALCULATED = '<table:table-cell table:formula="of:=1+1"/>'


def ods(path: Path) -> Path:
    import zipfile

    rows = [(*HEADER, "Địa chỉ"), (*AN, "Số 1"), (*BA, None), ("A3", "Lê Cúc", "Nữ", "06/04/1961", "T5", "")]
    lines = [[_FAILED if cell is None else _TEXT.format(cell) for cell in row] for row in rows]
    lines[3][5] = _NOT_CALCULATED
    body = "".join(f"<table:table-row>{''.join(line)}</table:table-row>" for line in lines)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", _ODS.format(rows=body).replace("\n", " ").replace("> <", "><"))
    return path


@pytest.mark.parametrize(
    ("kind", "created", "said"),
    [
        ("xls", 4, {(4, "#N/A"), (5, "#DIV/0!")}),
        ("xlsb", 2, {(3, "#N/A")}),
        ("ods", 3, {(3, "#N/A"), (4, "=…")}),
    ],
)
def test_an_error_in_other_workbooks_is_no_empty_cell(
    engine: Engine, tmp_path: Path, kind: str, created: int, said: set[tuple[int, str]]
) -> None:
    path = ods(tmp_path / "a.ods") if kind == "ods" else WORKBOOKS / f"failed.{kind}"
    report = imports(engine, path, rejects=tmp_path / "r.xlsx")
    assert {(one.row, one.value) for one in (*report.problems, *report.noted_cells)} == said
    assert report.kinds["cadre"].created == created


@pytest.mark.parametrize("content", [b"", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_workbook_has_no_marked_cells(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xls").write_bytes(content)
    assert marked_cells(tmp_path / "a.xls", "Cán bộ") == {}


def test_a_cut_workbook_has_no_marked_cells_or_some(tmp_path: Path) -> None:
    for kind in ("xls", "xlsb"):
        content = (WORKBOOKS / f"failed.{kind}").read_bytes()
        for size in range(0, len(content), 97):
            (tmp_path / "a").write_bytes(content[:size])
            assert len(marked_cells(tmp_path / "a", "Cán bộ")) <= 2


# two places for one measurement ---------------------------------------------------------------------


def test_an_empty_cell_does_not_delete_what_another_place_holds(engine: Engine, tmp_path: Path) -> None:
    visits = [
        ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Creatinin"),
        ("V1", "A1", "checkup", "15/03/2026"),
    ]
    sheets: dict[str, Rows] = {
        "Cán bộ": [HEADER, AN],
        "Lượt khám": visits,
        "Chỉ số": [("Mã lượt khám", "Mã chỉ số", "Giá trị"), ("V1", "BIO-CREA", "88")],
        "Wide": [
            ("Mã lượt khám", "Creatinin (µmol/L)", "AST", "AST (U/L)"),
            ("V1", None, None, 30),
        ],
    }
    path = workbook(tmp_path / "a.xlsx", sheets)
    for _ in range(2):
        assert imports(engine, path).problem_count == 0
        for key, value in (("V1/BIO-CREA", "88"), ("V1/BIO-AST", "30")):
            found = measurement(engine, key)
            assert found is not None
            assert found.value == value


def test_the_same_measurement_in_two_columns_is_refused(engine: Engine, tmp_path: Path) -> None:
    imports(engine, centre(tmp_path))
    rows = [
        ("Mã cán bộ", "Loại", "Ngày khám", "Creatinin (µmol/L)", "Creatinin (mg/dL)"),
        ("A1", "checkup", "15/03/2026", 88, 1),
    ]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Wide": rows}))
    assert (report.kinds["measurement"].created, report.kinds["measurement"].rejected) == (1, 1)


def test_a_column_beyond_the_header_of_a_large_sheet_is_named(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_tabs, "SLICING_THRESHOLD_BYTES", 1)
    monkeypatch.setattr(open_tabs, "SLICE_BYTES", 2_000)
    monkeypatch.setattr(open_tabs, "_TOP_BYTES", 2_000)
    many = [(f"B{number}", *AN[1:]) for number in range(200)]
    report = imports(
        engine, workbook(tmp_path / "a.xlsx", {"Cán bộ": [HEADER, *many, (*BA, None, "quan trọng")]})
    )
    assert report.kinds["cadre"].created == 201
    assert sum("column G has no header" in line for line in report.warnings) == 1


@pytest.mark.parametrize("key", ["X1", "x1", "X-1"])
def test_a_t0_persons_row_of_a_wide_sheet_is_refused_and_nowhere(
    engine: Engine, tmp_path: Path, key: str
) -> None:
    sheets: dict[str, Rows] = {
        "Cán bộ": [HEADER, AN, ("X1", "Người Ẩn", "Nam", "05/03/1950", "T0")],
        "Wide": [
            WIDE,
            ("A1", "", "Khám định kỳ", "15/03/2026", 88, "5,1", "30"),
            (key, "Người Ẩn", "Khám định kỳ", "16/03/2026", 777, "7,77", "hỏng"),
        ],
    }
    report = imports(engine, workbook(tmp_path / "a.xlsx", sheets), rejects=tmp_path / "r.xlsx")
    assert (report.kinds["visit"].created, report.kinds["measurement"].created) == (1, 3)
    assert (report.refused_people, report.refused_rows) == (1, 5)
    shown = str(report.as_json())
    for hidden in ("Ẩn", "777", "7,77", "20260316"):
        assert hidden not in shown
    assert not (tmp_path / "r.xlsx").exists()


def test_columns_of_a_wide_sheet_that_are_not_imported_are_named(engine: Engine, tmp_path: Path) -> None:
    imports(engine, centre(tmp_path))
    rows = [(*WIDE, "Glucose", "Ghi chú"), ("A1", "", "checkup", "15/03/2026", 88, 5, 30, 5, "x")]
    report = imports(engine, workbook(tmp_path / "a.xlsx", {"Wide": rows}))
    assert report.kinds["measurement"].created == 3
    [unread] = report.unread
    assert '"Glucose" was NOT imported' in unread
    assert "it may be BIO-GLU" in unread
    assert report.unread_columns == 1
    assert any("Ghi chú" in line for line in report.warnings)
    assert any("Họ và tên say who it is" in line for line in report.warnings)


def test_a_name_in_the_long_sheet_that_means_no_measure_is_refused(engine: Engine, tmp_path: Path) -> None:
    sheets: dict[str, Rows] = {
        "Cán bộ": [HEADER, AN],
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"),
            ("V1", "A1", "checkup", "15/03/2026"),
        ],
        "Chỉ số": [("Mã lượt khám", "Tên chỉ số", "Giá trị"), ("V1", "Glucose", "88"), ("V1", "GOT", "30")],
    }
    report = imports(engine, workbook(tmp_path / "a.xlsx", sheets))
    assert (report.kinds["measurement"].created, report.kinds["measurement"].rejected) == (1, 1)


def test_a_row_of_a_wide_csv_with_more_cells_than_its_header_is_refused(
    engine: Engine, tmp_path: Path
) -> None:
    imports(engine, centre(tmp_path))
    (tmp_path / "wide.csv").write_text(
        ",".join(WIDE) + '\nA1,"",checkup,15/03/2026,88,"5,1",30\nA2,"",checkup,16/03/2026,70,5,1,31\n',
        "utf-8",
    )
    report = imports(engine, tmp_path / "wide.csv")
    assert (report.kinds["visit"].created, report.kinds["visit"].rejected) == (1, 1)
    assert (report.kinds["measurement"].created, report.kinds["measurement"].rejected) == (3, 3)
    (tmp_path / "measurement.csv").write_text(
        "Mã lượt khám,Tên chỉ số,Giá trị\nA1.checkup.20260315,GOT,5,1\n", "utf-8"
    )
    report = imports(engine, tmp_path / "measurement.csv", partial=True)
    assert (report.kinds["measurement"].created, report.kinds["measurement"].rejected) == (0, 1)
