"""Values as clerks write them: not done, two numbers of a blood pressure, words for a number, classes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from adapter.pipeline.layout_context import layout_context
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Measurement, Visit
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sheets.cell_parsers import CellError
from adapter.records.sheets.layout import find_sheet
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.settings import Settings
from adapter.written_values import says_not_done

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CODES = Path(__file__).parents[2] / "mappings" / "codes"
PERSON = ("P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T4")
VISIT = ("V1", "P1", "Khám định kỳ", "02/10/2026")
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
        max_deletions_percent=100,
        known_hospitals=frozenset(),
        now=NOW,
        inputs=InputOptions(layouts=layout_context(settings)),
        plausible=load_ranges(CODES),
        **options,
    )


def people(*visits: Row, more: Sequence[str] = ()) -> dict[str, Sequence[Row]]:
    return {
        "Cán bộ": [("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"), PERSON],
        "Lượt khám": [("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", *more), *(visits or (VISIT,))],
    }


def long(measure: str, value: Any) -> dict[str, Sequence[Row]]:
    return people() | {"Chỉ số": [("Mã lượt khám", "Mã chỉ số", "Giá trị"), ("V1", measure, value)]}


def wide(header: str, value: Any) -> dict[str, Sequence[Row]]:
    header_row = ("Mã cán bộ", "Loại", "Ngày khám", "Cân nặng", header)
    return people() | {"Kết quả theo hàng": [header_row, ("P1", "Khám định kỳ", "02/10/2026", 60, value)]}


def values(engine: Engine) -> dict[str, str]:
    found = RecordStore(engine).iterate("measurement")
    return {one.measure: one.value for one in found if isinstance(one, Measurement)}


NUMERIC = [
    *("không làm", "KHÔNG LÀM", "KLM", "klm.", "ko làm", "Chưa làm", "không thực hiện", "không đo"),
    *("-", "--", "–", "không", "Ko", "n/a", "...", "không có"),
]


@pytest.mark.parametrize("form", [long, wide])
@pytest.mark.parametrize("written", ["KLM", "-", "không"])
def test_not_done_is_no_value_and_is_said(engine: Engine, tmp_path: Path, form: Any, written: str) -> None:
    measure = "BIO-CREA" if form is long else "Creatinin"
    imports(engine, tmp_path, form(measure, "80"))
    assert values(engine)["BIO-CREA"] == "80"
    report = imports(engine, tmp_path, form(measure, written))
    assert "BIO-CREA" not in values(engine)  # as an empty cell, not as a value that stays
    assert (report.rejected, report.held, report.kinds["measurement"].deleted) == (0, 0, 1)
    [noted] = report.noted_cells
    assert (noted.text, noted.value) == ("noted_not_done", written)
    again = imports(engine, tmp_path, form(measure, written))
    assert (again.changes, again.note_count) == (0, 1)


@pytest.mark.parametrize("written", NUMERIC)
def test_what_says_not_done_where_a_number_is_expected(written: str) -> None:
    assert says_not_done(written, numeric=True)


@pytest.mark.parametrize(
    "written", ["0", "5", "âm tính", "(-)", "+", "H", "không đỏ", "-5", "- 5", "A", "đạt"]
)
def test_what_does_not(written: str) -> None:
    assert not says_not_done(written, numeric=True)


@pytest.mark.parametrize("written", ["-", "không", "Không có", "không đỏ", "âm tính", "(-)"])
def test_a_result_in_words_may_be_a_dash_or_no(engine: Engine, tmp_path: Path, written: str) -> None:
    imports(engine, tmp_path, long("SER-HBSAG", written))
    assert values(engine) == {"SER-HBSAG": written}


@pytest.mark.parametrize("measure", ["SER-HBSAG", "EX-CARD", "XN-9"])
def test_of_words_too_not_done_is_no_result(engine: Engine, tmp_path: Path, measure: str) -> None:
    report = imports(engine, tmp_path, long(measure, "Không làm"))
    assert values(engine) == {}
    assert report.note_count == 1


@pytest.mark.parametrize("written", ["âm tính", "dương tính", "vỡ hồng cầu", "bình thường?"])
def test_words_for_a_number_wait_with_what_to_do(engine: Engine, tmp_path: Path, written: str) -> None:
    report = imports(engine, tmp_path, long("BIO-CREA", written))
    [held] = report.held_cells
    assert held.text == "held_text"
    assert "µmol/L" in held.expected
    assert "not done" in held.expected


@pytest.mark.parametrize("header", ["Huyết áp", "HA", "HA (mmHg)", "Huyết áp (mmHg)", "VS-BP"])
@pytest.mark.parametrize("written", ["140/90", "140 / 90", "140/90 mmHg"])
def test_both_numbers_of_a_blood_pressure_stand_in_one_column(
    engine: Engine, tmp_path: Path, header: str, written: str
) -> None:
    report = imports(engine, tmp_path, wide(header, written))
    assert (report.held, report.rejected) == (0, 0)
    assert values(engine)["VS-BP"].startswith("140/90")


@pytest.mark.parametrize("measure", ["VS-SBP", "VS-DBP"])
@pytest.mark.parametrize("written", ["140/90", "140/90 mmHg"])
def test_two_numbers_where_one_belongs_are_told_where_they_go(
    engine: Engine, tmp_path: Path, measure: str, written: str
) -> None:
    report = imports(engine, tmp_path, long(measure, written))
    [held] = report.held_cells
    assert held.text == "held_pressure_pair"
    assert "VS-BP" in held.expected


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *(("Loại II", "II"), ("loại 2", "II"), ("2", "II"), ("II", "II"), ("SK loại II", "II")),
        *(("Sức khỏe loại 2", "II"), ("Xếp loại IV", "IV"), ("loại 5", "V"), ("LOẠI III", "III")),
        *(("Khỏe", "II"), ("Hạng 1", "I")),
    ],
)
def test_a_health_class_as_clerks_write_it(engine: Engine, tmp_path: Path, written: str, read: str) -> None:
    report = imports(engine, tmp_path, people((*VISIT, written), more=("Phân loại SK",)))
    assert report.note_count == 0
    [visit] = RecordStore(engine).iterate("visit")
    assert isinstance(visit, Visit)
    assert (visit.health_class, visit.cadre_class) == (read, None)


@pytest.mark.parametrize("written", ["A", "B1", "B2", "Loại B1", "SK loại C", "loại D"])
def test_a_cadre_class_goes_into_its_own_column(engine: Engine, tmp_path: Path, written: str) -> None:
    report = imports(engine, tmp_path, people((*VISIT, written), more=("Phân loại sức khỏe",)))
    [noted] = report.noted_cells
    assert "Class I, Class II" in noted.expected
    assert "Cadre class" in noted.expected
    imports(engine, tmp_path, people((*VISIT, written), more=("PL cán bộ",)))
    [visit] = RecordStore(engine).iterate("visit")
    assert isinstance(visit, Visit)
    assert (visit.health_class, visit.cadre_class) == (None, written.rsplit(maxsplit=1)[-1])


@pytest.mark.parametrize("written", ["I-II", "II?", "2+", "loại VI", "loại 23", "khá", "E"])
def test_what_is_no_class_is_none(written: str) -> None:
    sheet = find_sheet("Lượt khám")
    assert sheet is not None
    with pytest.raises(CellError) as error:
        sheet.column("health_class").parse(written)
    assert error.value.expected == "expect_choice"


@pytest.mark.parametrize(
    ("header", "found", "likely"),
    [
        ("Hồng cầu", None, {"HEM-RBC", "URI-BLD"}),  # the count, or the dipstick
        ("Bạch cầu", None, {"HEM-WBC", "URI-LEU"}),
        ("Tiểu cầu", "HEM-PLT", set()),
        ("Số lượng hồng cầu", "HEM-RBC", set()),
        ("Hồng cầu (BLD)", "URI-BLD", set()),
        ("Calcium", "BIO-CA", set()),
        ("HA tối đa", "VS-SBP", set()),
        ("LDL", None, {"BIO-LDL", "BIO-LDLC"}),
    ],
)
def test_a_name_that_may_be_bloods_or_urines_is_neither(
    tmp_path: Path, header: str, found: str | None, likely: set[str]
) -> None:
    measures = layout_context(Settings(database_url=f"sqlite:///{tmp_path}/adapter.db")).measures
    meant = measures.find(header)
    assert (meant and meant.code) == found
    assert likely <= set(measures.candidates(header))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("kind", ["visit", "measurement"])
def test_a_row_of_somebody_unknown_says_what_to_do_and_nothing_of_its_own(
    engine: Engine, tmp_path: Path, kind: str, rows: int
) -> None:
    """Where somebody is T0 it may be theirs: counted, never copied."""
    sheets = people()
    sheets["Cán bộ"] = [*sheets["Cán bộ"], ("P0", "Lê Thị Kín", "Nữ", "01/01/1950", "T0")]
    if kind == "visit":
        strange = [(f"V9{n}", f"LẠ-{n}", "Khám định kỳ", "02/10/2026") for n in range(rows)]
        sheets["Lượt khám"] = [*sheets["Lượt khám"], *strange]
    else:
        strange = [(f"LẠ-{n}", "BIO-CREA", 80 + n) for n in range(rows)]
        sheets["Chỉ số"] = [("Mã lượt khám", "Mã chỉ số", "Giá trị"), *strange]
    report = imports(engine, tmp_path, sheets, rejects=tmp_path / "rejects.xlsx")
    assert (report.withheld, report.rejects) == (rows, None)
    [said] = map(str, report.groups)
    assert "LẠ" not in said
    first = 3 if kind == "visit" else 2
    assert (f"row {first}" if rows == 1 else ", ".join(map(str, range(first, first + rows)))) in said
    assert "Open the source file at this row" in said
    assert ("of the sheet Cadres" if kind == "visit" else "of the sheet Visits") in said
    assert "cannot be read" not in said  # it can


def test_where_nobody_is_hidden_the_key_is_shown_and_copied(engine: Engine, tmp_path: Path) -> None:
    sheets = people(VISIT, ("V9", "LẠ-1", "Khám định kỳ", "02/10/2026"))
    report = imports(engine, tmp_path, sheets, rejects=tmp_path / "rejects.xlsx")
    assert (report.withheld, report.rejected) == (0, 1)
    [said] = map(str, report.groups)
    assert '"LẠ-1"' in said
    assert report.rejects is not None


def test_a_rejected_row_names_whom_it_waits_for_and_keeps_the_clerks_headers(
    engine: Engine, tmp_path: Path
) -> None:
    sheets = people()
    sheets["Cán bộ"] = [sheets["Cán bộ"][0], (*PERSON[:2], "đàn ông", *PERSON[3:])]
    sheets["Chỉ số"] = [("Mã lượt khám", "Mã chỉ số", "Giá trị"), ("V1", "BIO-CREA", 80)]
    sheets["Kết quả theo hàng"] = [
        ("Mã cán bộ", "Loại", "Ngày khám", "Sinh hóa", ""),
        ("", "", "", "Creatinin", "AST"),
        ("P1", "Khám ngoại trú", "04/10/2026", 81, 31),
    ]
    report = imports(engine, tmp_path, sheets, rejects=tmp_path / "rejects.xlsx")
    assert report.rejects is not None
    book = load_workbook(report.rejects)
    visit, measure, wide = (book[name] for name in ("Lượt khám", "Chỉ số", "Kết quả theo hàng"))
    assert "the person P1" in str(visit.cell(2, visit.max_column).value)
    assert "the visit V1" in str(measure.cell(2, measure.max_column).value)
    assert [cell.value for cell in wide[1]][3:5] == ["Creatinin", "AST"]


@pytest.mark.parametrize("form", [long, wide])
@pytest.mark.parametrize("written", ["\u200b", "\ufeff", "\u00a0", " ", "\u200b\u00a0"])
def test_a_cell_that_only_looks_filled_is_empty(
    engine: Engine, tmp_path: Path, form: Any, written: str
) -> None:
    measure = "BIO-CREA" if form is long else "Creatinin"
    report = imports(engine, tmp_path, form(measure, written))
    assert "BIO-CREA" not in values(engine)
    assert report.rejected == (form is long)  # there the column is required


@pytest.mark.parametrize("written", ["\u200bKLM", "không  làm", "Không làm.", " - ", "KLM\u00a0"])
def test_what_cannot_be_seen_changes_nothing(engine: Engine, tmp_path: Path, written: str) -> None:
    report = imports(engine, tmp_path, long("BIO-CREA", written))
    assert [one.text for one in report.noted_cells] == ["noted_not_done"]


PANEL = (
    "Glucose (mmol/L)",
    "HbA1c (%)",
    "Urê (mmol/L)",
    "Creatinin (µmol/L)",
    "AST (U/L)",
    "ALT (U/L)",
    "Hgb (g/L)",
)


def test_a_row_whose_cells_have_moved_waits_as_a_whole(engine: Engine, tmp_path: Path) -> None:
    """What only happens to be possible in its new column does not come in beside what hardly can be."""
    header = ("Mã cán bộ", "Loại", "Ngày khám", *PANEL)
    good = ("P1", "Khám định kỳ", "02/10/2026", 5.1, 5.6, 5.8, 82, 27, 25, 141)
    moved = ("P2", "Khám định kỳ", "02/10/2026", 162, 5.1, 5.6, 5.8, 1082, 27, 2.5)
    sheets = people() | {"Kết quả theo hàng": [header, good, moved]}
    sheets["Cán bộ"] = [*sheets["Cán bộ"], ("P2", "Trần Thị Bình", "Nữ", "01/07/1962", "T5")]
    report = imports(engine, tmp_path, sheets)
    found = [one for one in RecordStore(engine).iterate("measurement") if isinstance(one, Measurement)]
    assert {one.cadre for one in found} == {"P1"}
    assert (len(found), report.held) == (7, 7)
    assert {one.text for one in report.held_cells} >= {"held_beside"}


def test_a_row_that_is_there_twice_is_one_line(engine: Engine, tmp_path: Path) -> None:
    """Not one for each of its measures."""
    header = ("Mã cán bộ", "Loại", "Ngày khám", *PANEL)
    row = ("P1", "Khám định kỳ", "02/10/2026", 5.1, 5.6, 5.8, 82, 27, 25, 141)
    report = imports(engine, tmp_path, people() | {"Kết quả theo hàng": [header, row, row]})
    assert report.kinds["measurement"].rejected == len(PANEL)
    [group] = [one for one in report.groups if one.first.text == "expect_once"]
    assert set(PANEL) <= set(group.columns)


def test_in_a_file_of_results_alone_whoever_is_unknown_may_be_t0(engine: Engine, tmp_path: Path) -> None:
    header = ("Mã cán bộ", "Họ và tên", "Loại", "Ngày khám", *PANEL)
    row = ("P17", "Tạ Quang Thắng", "Khám định kỳ", "02/10/2026", 5.1, 5.6, 5.8, 82, 27, 25, 141)
    report = imports(
        engine, tmp_path, {"Kết quả theo hàng": [header, row]}, rejects=tmp_path / "rejects.xlsx"
    )
    assert (report.accepted, report.rejects) == (0, None)
    said = " ".join((*map(str, report.groups), *report.warnings))
    assert "P17" not in said
    assert "Thắng" not in said
