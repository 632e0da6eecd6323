"""Headers: tolerant of spelling, strict about what is missing; template and sample agree with them."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from adapter.errors import ImportRefused
from adapter.records.model import RECORD_TYPES
from adapter.records.sheets.columns import HeaderRow, find_column
from adapter.records.sheets.layout import SHEETS, find_sheet
from adapter.records.sheets.template import write_template
from adapter.records.synthetic import sample_year, write_csv, write_workbook
from adapter.records.synthetic.clinical_values import (
    ABNORMAL_FINDINGS,
    CHECKUP_MEASURES,
    HIV_MEASURE,
    PAP_MEASURE,
)
from adapter.records.synthetic.treatments import PROCEDURES, VACCINES
from adapter.texts import catalogue

FIXTURES = Path(__file__).parents[2] / "fixtures" / "sample"
CADRES = SHEETS[0]


@pytest.mark.parametrize("name", ["Cán bộ", "CAN BO", "cadres", "cadre", " cán  bộ"])
def test_a_sheets_name(name: str) -> None:
    assert find_sheet(name) is CADRES


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("spell", [str, str.upper, lambda text: f" {text}  (*)"])
@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.kind)
def test_every_header_is_found(sheet: Any, language: str, spell: Any) -> None:
    headers = HeaderRow(sheet, [spell(column.header(language)) for column in sheet.columns], source="f")
    assert list(headers.places) == [column.field for column in sheet.columns]
    assert not headers.unknown


def test_every_column_is_a_field_and_has_its_text() -> None:
    for sheet in SHEETS:
        fields = RECORD_TYPES[sheet.kind].model_fields
        for column in sheet.columns:
            assert column.field in fields
            assert f"import.{column.expected}" in catalogue("en")


def test_a_missing_header_names_the_nearest() -> None:
    row = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sin", "Diện quản lý"]
    with pytest.raises(ImportRefused) as refused:
        HeaderRow(CADRES, row, source="a.xlsx")
    assert "Date of birth (? Ngày sin)" in str(refused.value)  # in the language in use


def test_a_header_twice_is_refused() -> None:
    row = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "NGAY SINH"]
    with pytest.raises(ImportRefused, match="NGAY SINH"):
        HeaderRow(CADRES, row, source="a.xlsx")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_template_has_every_sheet_note_and_list(tmp_path: Path, language: str) -> None:
    write_template(tmp_path / "t.xlsx", language)
    book = load_workbook(tmp_path / "t.xlsx")
    for sheet in SHEETS:
        page = book[sheet.title(language)]
        header = [cell.value for cell in page[1]]
        assert header[: len(sheet.columns)] == [column.header(language) for column in sheet.columns]
        assert all(cell.comment and cell.comment.text for cell in page[1])
        lists = {str(validation.sqref) for validation in page.data_validations.dataValidation}
        chosen = [c for c in sheet.columns if c.choice and c.expected != "expect_choices"]
        assert len(lists) == len(chosen) + 1  # and the column Deleted
        for validation in page.data_validations.dataValidation:
            assert len(validation.formula1) <= 255  # more than Excel opens


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for kind, row in sample_year():
        found[kind].append(row)
    return found


def test_the_sample_year_has_the_figures_of_the_domain(rows: dict[str, list[dict[str, Any]]]) -> None:
    tiers = {row["key"]: row["tier"] for row in rows["cadre"]}
    assert Counter(tiers.values()) == {"T0": 3, "T1": 24, "T2": 110, "T3": 150, "T4": 250, "T5": 400}
    visits = Counter(row["type"] for row in rows["visit"])
    assert visits["Khám định kỳ"] == 937
    assert visits["Khám tại nhà"] == 200
    assert visits["Đưa đi tuyến trên"] == 115
    assert all(row["specimens"] for row in rows["visit"] if row["type"] == "Khám tại nhà")
    abnormal = {row["cadre"] for row in rows["visit"] if row.get("advice") == "Chuyển khám"}
    assert len(abnormal) == 83
    assert sum(tiers[cadre] == "T1" for cadre in abnormal) == 2
    assert {row["cadre"] for row in rows["referral"] if row["category"] == "Khám thêm"} == abnormal
    treated = {row["cadre"] for row in rows["referral"] if row["category"] == "Điều trị"}
    assert len(treated) == 35
    assert "T1" not in {tiers[cadre] for cadre in treated}
    assert 59_000 < len(rows["measurement"]) < 61_000
    assert (len(rows["procedure"]), len(rows["immunization"])) == (60, 300)


def test_what_is_done_is_done_during_a_visit_or_after_the_check_up(
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    visits = {row["key"]: row for row in rows["visit"]}
    kinds = {visits[row["visit"]]["type"] for row in rows["procedure"]}
    assert kinds == {"Khám ngoại trú", "Khám tại nhà", "Đưa đi tuyến trên"}
    for row in (*rows["procedure"], *rows["immunization"]):
        assert row["visit"] is None or visits[row["visit"]]["cadre"] == row["cadre"]
    given = [row for row in rows["immunization"] if row["status"] == "Đã tiêm"]
    assert 0 < len(rows["immunization"]) - len(given) < 20
    assert all(row["lot"] for row in given)


def test_nobody_shares_a_number_or_a_t0_name(rows: dict[str, list[dict[str, Any]]]) -> None:
    for column in ("national_id", "phone", "key"):
        assert len({row[column] for row in rows["cadre"]}) == len(rows["cadre"])
    names = Counter(row["name"] for row in rows["cadre"])
    assert all(names[row["name"]] == 1 for row in rows["cadre"] if row["tier"] == "T0")


def test_t0_people_have_a_visit_with_measurements(rows: dict[str, list[dict[str, Any]]]) -> None:
    refused = {row["key"] for row in rows["cadre"] if row["tier"] == "T0"}
    visits = {row["key"]: row["cadre"] for row in rows["visit"]}
    measured = {visits[row["visit"]] for row in rows["measurement"]}
    assert refused <= measured


def test_the_sample_uses_the_shipped_codes() -> None:
    import csv

    codes = FIXTURES.parents[1] / "mappings" / "codes"
    with (codes / "measures.csv").open(encoding="utf-8") as file:
        units = {row["code"]: row["unit"] for row in csv.DictReader(file)}
    with (codes / "services.csv").open(encoding="utf-8") as file:
        services = {row["code"] for row in csv.DictReader(file)}
    with (codes / "procedures.csv").open(encoding="utf-8") as file:
        procedures = {row["code"] for row in csv.DictReader(file)}
    with (codes / "vaccines.csv").open(encoding="utf-8") as file:
        vaccines = {row["code"] for row in csv.DictReader(file)}
    assert {doing.code for some in PROCEDURES.values() for doing in some} <= procedures
    assert {vaccine.code for vaccine in VACCINES} <= vaccines
    for measure in (*CHECKUP_MEASURES, HIV_MEASURE, PAP_MEASURE):
        assert units[measure.code] == measure.unit
    for condition in ABNORMAL_FINDINGS:
        assert {*condition.services, condition.treatment} <= services
        assert {code for code, _ in condition.values} <= units.keys()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_workbook(tmp_path / name, seed=seed, cadres=20)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_the_small_sample_that_is_checked_in_is_the_generators(tmp_path: Path) -> None:
    write_csv(tmp_path / "csv", cadres=20)
    for path in (FIXTURES / "small-csv").iterdir():
        assert path.read_bytes() == (tmp_path / "csv" / path.name).read_bytes()
    write_workbook(tmp_path / "small.xlsx", cadres=20)
    made, kept = (load_workbook(path) for path in (tmp_path / "small.xlsx", FIXTURES / "small.xlsx"))
    for page in made:
        assert list(page.values) == list(kept[page.title].values)


@pytest.mark.parametrize(
    ("field", "titles"),
    [
        ("national_id", ("Số định danh cá nhân", "SỐ ĐỊNH DANH", "Mã định danh", "CCCD/CMND", "Số căn cước")),
        ("birth_date", ("Ngày tháng năm sinh", "Ngày, tháng, năm sinh", "Năm sinh", "NTNS")),
        ("sex", ("Phái", "Giới", "Giới tính", "Nam/Nữ")),
        ("insurance", ("Số thẻ BHYT", "Mã thẻ", "Mã số BHYT", "Thẻ bảo hiểm y tế")),
        ("phone", ("ĐT", "Điện thoại", "SĐT", "Số điện thoại", "ĐTDĐ", "Số ĐT")),
        ("position", ("Chức danh", "Chức vụ", "Chức vụ/Chức danh")),
        ("name", ("Họ tên", "Họ & tên", "Họ, chữ đệm và tên")),
        ("address", ("Nơi ở hiện nay", "Nơi cư trú")),
    ],
)
def test_the_words_that_clerks_use_for_a_column(field: str, titles: tuple[str, ...]) -> None:
    for title in titles:
        column = find_column(CADRES, title)
        assert column is not None
        assert column.field == field


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.kind)
def test_no_header_means_two_columns_by_their_own_names(sheet: Any) -> None:
    own = Counter(name for column in sheet.columns for name in set(column.names))
    assert [name for name, count in own.items() if count > 1] == []
