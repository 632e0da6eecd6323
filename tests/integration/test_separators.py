"""Points and commas part thousands or decimals: by unit and range, by the file's other numbers, or held."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Measurement
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sheets.field_labels import plain_number
from adapter.records.store import RecordStore

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CODES = Path(__file__).parents[2] / "mappings" / "codes"
HEADER = ("Mã lượt khám", "Mã chỉ số", "Giá trị", "Đơn vị", "Ngưỡng dưới", "Ngưỡng trên", "Tên chỉ số")
COMMA = ("BIO-GLU", "5,3", "mmol/L", "3,9", "6,4")  # shows that the comma is the decimal one
POINT = ("BIO-GLU", "5.3", "mmol/L", "3.9", "6.4")
Row = tuple[str, ...]


def take(
    engine: Engine, folder: Path, *rows: Row, people: tuple[Row, ...] = ()
) -> tuple[ImportReport, dict[str, Measurement]]:
    """Each row's measure, value, unit, limits, in a visit of its own."""
    folder = folder / "csv"
    folder.mkdir(exist_ok=True)
    person = ("P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T5")
    visits = [(f"V{n}", "P1", "Khám định kỳ", "02/10/2026 08:00") for n in range(len(rows))]
    values = [(f"V{n}", row[0], *row[1:], *[""] * (len(HEADER) - 1 - len(row))) for n, row in enumerate(rows)]
    pages = {
        "Cán bộ": (("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"), [person, *people]),
        "Lượt khám": (("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"), visits),
        "Chỉ số": (HEADER, values),
    }
    for title, (header, lines) in pages.items():
        with (folder / f"{title}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, *lines])
    report = run_import(
        engine,
        [folder],
        max_deletions_percent=100,
        known_hospitals=frozenset(),
        now=NOW,
        plausible=load_ranges(CODES),
    )
    found = (one for one in RecordStore(engine).iterate("measurement") if isinstance(one, Measurement))
    return report, {one.visit: one for one in found}


@pytest.mark.parametrize(
    ("row", "value", "limits"),
    [
        (("HEM-PLT", "250.000", "/µL", "150.000", "400.000"), "250000", (150000, 400000)),
        (("HEM-PLT", "250,000", "/µL", "150,000", "400,000"), "250000", (150000, 400000)),
        (("HEM-WBC", "7.200", "/mm3", "4.000", "10.000"), "7200", (4000, 10000)),
        (("HEM-PLT", "250.000", "G/L", "150.000", "400.000"), "250.000", ("150.000", "400.000")),
        (("HEM-PLT", "250.000 /µL", ""), "250000 /µL", (None, None)),
        (("HEM-PLT", "250.000 H", "/µL"), "250000", (None, None)),
        (("HEM-PLT", "*250.000", "/µL"), "250000", (None, None)),
        (("BIO-K", "4.123", "mmol/L", "3.500", "5.100"), "4.123", ("3.500", "5.100")),
        (("BIO-K", "4,123", "mmol/L"), "4.123", (None, None)),
        (("URI-SG", "1.015", ""), "1.015", (None, None)),
        (("URI-SG", "1,015", ""), "1.015", (None, None)),
        (("HOR-TSH", "2,345", "mIU/L"), "2.345", (None, None)),
        (("HEM-WBC", "7.200-8.100", "/µL"), "7200-8100", (None, None)),
        (("BIO-CREA", "0.125", "mg/dL"), "0.125", (None, None)),
        (("HEM-PLT", "1.234.000", "/µL"), "1234000", (None, None)),
    ],
)
def test_the_unit_and_what_can_be_say_which_number_it_is(
    engine: Engine, tmp_path: Path, row: Row, value: str, limits: tuple[object, object]
) -> None:
    report, found = take(engine, tmp_path, row)
    assert report.rejected == 0
    assert report.kinds["measurement"].held == 0
    assert found["V0"].value == value
    expected = tuple(None if one is None else Decimal(str(one)) for one in limits)
    assert (found["V0"].low, found["V0"].high) == expected


_OPEN = ("BIO-BNP", "1.250", "pg/mL")


@pytest.mark.parametrize(
    "case",
    [
        (_OPEN, COMMA, "1250"),
        (_OPEN, POINT, "1.250"),
        (("BIO-BNP", "1,250", "pg/mL"), COMMA, "1.250"),
        (("BIO-BNP", "1,250", "pg/mL"), POINT, "1250"),
        (("TM-CA199", "> 1.000", "U/mL"), COMMA, ">1000"),
        (("TM-CA199", "> 1.000", "U/mL"), POINT, ">1.000"),
        (("TM-CEA", "1.250 H", "ng/mL"), COMMA, "1250"),
        (("XN-9", "12.345", "đv lạ"), COMMA, "12345"),
        (("XN-9", "12.345", "đv lạ"), ("XN-8", "1.234,5", ""), "12345"),
        (("XN-9", "12.345", "đv lạ"), ("XN-8", "1.234.567", ""), "12345"),
        (("XN-9", "12,345", "đv lạ"), ("XN-8", "1,234.5", ""), "12345"),
        (("XN-9", "12.345", "đv lạ"), ("XN-8", "0.125", ""), "12.345"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_else_the_files_other_numbers_say_it(
    engine: Engine, tmp_path: Path, case: tuple[Row, Row, str], first: bool
) -> None:
    row, beside, value = case
    rows = (row, beside) if first else (beside, row)
    report, found = take(engine, tmp_path, *rows)
    assert report.kinds["measurement"].held == 0
    assert found["V0" if first else "V1"].value == value


@pytest.mark.parametrize(
    ("rows", "why", "read"),
    [
        ((("BIO-CREA", "1.250", "µmol/L"),), "range", "1250"),  # nothing else says that the point parts
        ((("HEM-PLT", "250.000", "/µL", "150.000", "400.000"),), "range", "250000"),
        ((("BIO-CREA", "1.250", "µmol/L"), POINT), "range", "1250"),  # the file has it otherwise
        ((("BIO-CREA", "1,250", "µmol/L"), COMMA), "range", "1250"),
        ((("URI-SG", "1.015", ""), COMMA), "range", "1.015"),
        ((_OPEN, COMMA), "file", "1250"),  # both can be
        ((_OPEN, POINT), "file", "1.250"),
        ((("TM-CEA", "1.250 H", "ng/mL"), COMMA), "file", "1250"),
        ((("XN-9", "12.345", "đv lạ"), COMMA), "file", "12345"),
    ],
)
def test_how_a_separator_was_understood_is_said(
    engine: Engine, tmp_path: Path, rows: tuple[Row, ...], why: str, read: str
) -> None:
    report, found = take(engine, tmp_path, *rows)
    [said] = report.noted_cells
    assert (said.row, said.text, said.params["read"]) == (2, f"noted_separator_{why}", read)
    assert found["V0"].value == read
    assert read in str(said)
    assert plain_number(str(said.params["other"])) in str(said)


@pytest.mark.parametrize(
    "rows",
    [
        (("BIO-CREA", "1.250", "µmol/L"), COMMA),  # only so, and the file writes so
        (("BIO-CREA", "1,250", "µmol/L"), POINT),
        (("URI-SG", "1.015", ""), POINT),
        (("URI-SG", "1.015", ""),),  # as it stands
        (("BIO-K", "4.123", "mmol/L", "3.500", "5.100"),),
        (("BIO-CREA", "1250", "µmol/L"),),
    ],
)
def test_what_is_certain_is_not_said(engine: Engine, tmp_path: Path, rows: tuple[Row, ...]) -> None:
    report, _ = take(engine, tmp_path, *rows)
    assert report.noted_cells == ()


@pytest.mark.parametrize(
    "rows",
    [
        (_OPEN,),
        (_OPEN, ("HEM-PLT", "250", "G/L")),
        (_OPEN, COMMA, POINT),
        (("XN-9", "12.345", "đv lạ"),),
        (("XN-9", "12", "đv lạ", "1.500", "2.500"),),
        (("XN-9", "12.345", "", "", "1,500"), COMMA),
    ],
)
def test_what_stays_open_waits_for_a_person(engine: Engine, tmp_path: Path, rows: tuple[Row, ...]) -> None:
    report, found = take(engine, tmp_path, *rows)
    assert report.kinds["measurement"].held == 1
    assert "V0" not in found
    assert len(found) == len(rows) - 1
    (said,) = report.held_cells
    assert said.expected.startswith(rows[0][0])


@pytest.mark.parametrize(
    "text",
    ["theo dõi 1.250 ngày", "1.250 bệnh nhân; 3 ca", "ngày 1.250.000", "2026.123.45", "v1.250", "A1.250B"],
)
def test_numbers_in_sentences_stay(engine: Engine, tmp_path: Path, text: str) -> None:
    _, found = take(engine, tmp_path, ("EX-CARD", text, ""), COMMA)
    assert found["V0"].value == text


def test_other_cells_of_the_row_stay_as_they_were_read(engine: Engine, tmp_path: Path) -> None:
    row = ("HEM-PLT", "250.000", "/µL", "", "400.000", "Tiểu cầu 1.000")
    _, found = take(engine, tmp_path, row, COMMA)
    assert (found["V0"].value, found["V0"].name, found["V0"].low) == ("250000", "Tiểu cầu 1.000", None)
    assert take(engine, tmp_path, row, COMMA)[0].changes == 0


BOTH = ("TM-CEA", "1.250", "ng/mL")  # both can be
THOUSANDS = ("BIO-CREA", "1.250", "µmol/L")
DECIMAL = ("URI-SG", "1.015", "")


def lines(report: ImportReport) -> list[str]:
    return [str(one) for one in report.groups]


def test_what_parts_thousands_is_said_once_of_all_columns_of_a_sheet(engine: Engine, tmp_path: Path) -> None:
    """Of one column it was said, of another it was done in silence."""
    rows = (THOUSANDS, BOTH, ("TM-CEA", "1.300", "ng/mL"), ("BIO-BNP", "2.500", "pg/mL"), COMMA)
    report, found = take(engine, tmp_path, *rows)
    assert [found[f"V{n}"].value for n in range(4)] == ["1250", "1250", "1300", "2500"]
    by_file, by_range = lines(report)
    assert "3 rows" in by_file
    assert "1.250 → 1250" in by_file
    assert "2.500 → 2500" in by_file
    assert "1250" in by_range  # of BIO-CREA, though there it is certain
    assert report.note_count == 3  # what is certain is no doubt that is counted


@pytest.mark.parametrize("beside", [THOUSANDS, DECIMAL])
def test_where_one_column_waits_the_others_say_how_they_were_read(
    engine: Engine, tmp_path: Path, beside: Row
) -> None:
    report, found = take(engine, tmp_path, BOTH, ("BIO-BNP", "2.500", "pg/mL"), beside)
    assert set(found) == {"V2"}
    held, noted = lines(report)
    assert "2 rows" in held  # one line for both columns
    assert beside[1] in noted
    assert found["V2"].value in noted


@pytest.mark.parametrize("rows", [(BOTH, DECIMAL, COMMA), (DECIMAL, BOTH, COMMA), (THOUSANDS, POINT, BOTH)])
def test_what_is_certain_otherwise_lets_the_file_decide_nothing(
    engine: Engine, tmp_path: Path, rows: tuple[Row, ...]
) -> None:
    report, found = take(engine, tmp_path, *rows)
    assert report.kinds["measurement"].held == 1
    assert f"V{rows.index(BOTH)}" not in found
    assert len(found) == 2
