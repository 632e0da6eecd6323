"""Cells in Vietnamese formats: what is read, what is refused, and that nothing is guessed."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapter.records.sheets import cell_parsers, code_cells
from adapter.records.sheets.cell_parsers import CellError
from adapter.records.sheets.choices import CHOICE_LISTS, fold_label

AT = "2026-03-15T07:30:00+07:00"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-03-15", date(2026, 3, 15)),
        ("15/03/2026", date(2026, 3, 15)),
        ("2026/03/15", date(2026, 3, 15)),
        ("2026.3.15", date(2026, 3, 15)),
        ("5/3/2026", date(2026, 3, 5)),
        ("20260315", date(2026, 3, 15)),
        (20260315.0, date(2026, 3, 15)),
        (date(2026, 3, 15), date(2026, 3, 15)),
        (datetime(2026, 3, 15, tzinfo=cell_parsers.VIETNAM_OFFSET), date(2026, 3, 15)),
        ("29/02/2024", date(2024, 2, 29)),
    ],
)
def test_dates(cell: object, expected: date) -> None:
    assert cell_parsers.parse_date(cell) == expected


@pytest.mark.parametrize(
    "cell",
    ["31/02/2026", "29/02/2026", "15/03/26", "2026", "03/15/2026", 45000.0, "1899-12-31", "", "hôm qua"],
)
def test_what_is_no_date(cell: object) -> None:
    with pytest.raises(CellError):
        cell_parsers.parse_date(cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("202603150730", AT),
        (202603150730.0, AT),
        ("15/03/2026 07:30", AT),
        ("20260315 07:30", AT),
        ("20260315T07:30:00", AT),
        ("2026-03-15T07:30:00", AT),
        ("15/03/2026 7h30", AT),
        ("2026-03-15T00:30:00Z", AT),
        ("2026-03-15T09:30+09:00", AT),
        (datetime(2026, 3, 15, 7, 30), AT),  # noqa: DTZ001 - a spreadsheet's date cell has no zone
        ("15/03/2026", "2026-03-15T00:00:00+07:00"),
    ],
)
def test_instants(cell: object, expected: str) -> None:
    assert cell_parsers.parse_datetime(cell) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "cell",
    [
        "15/03/2026 25:00",
        "202603152560",
        "20260315 730",
        "20260315 07:30 08:00",
        "2026-03-15T07:30:00+99:00",
        "07:30",
    ],
)
def test_what_is_no_instant(cell: object) -> None:
    with pytest.raises(CellError):
        cell_parsers.parse_datetime(cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("5,30", "5.30"),
        ("5.30", "5.30"),
        (5.3, "5.3"),
        (0.1 + 0.2, "0.3"),
        (5.0, "5"),
        (120, "120"),
        ("1.234,5", "1234.5"),
        ("1,234.5", "1234.5"),
        ("1.234.567", "1234567"),
        ("1.015", "1.015"),  # urine's gravity, not a thousand and fifteen
        ("1,015", "1.015"),
        ("<0,1", "<0.1"),
        ("≤ 5", "<=5"),
        ("> 1.000,5", ">1000.5"),
        ("120/80", "120/80"),
        ("120 / 80", "120/80"),
        ("8/10", "8/10"),
        ("âm tính", "âm tính"),
        ("Âm  tính ", "Âm tính"),
        ("ĐNT 3m", "ĐNT 3m"),
        ("-", "-"),
        (1e-7, "0.0000001"),
    ],
)
def test_measured_values(cell: object, expected: str) -> None:
    assert cell_parsers.parse_value_as_written(cell) == expected


def test_a_value_that_excel_made_a_date_of_is_refused() -> None:
    with pytest.raises(CellError) as refused:
        cell_parsers.parse_value_as_written(date(2026, 10, 8))
    assert refused.value.expected == "expect_value"


@given(st.decimals(min_value=0, max_value=10**6, places=3))
def test_decimals_keep_their_digits_with_either_separator(value: Decimal) -> None:
    for written in (format(value, "f"), format(value, "f").replace(".", ",")):
        assert str(cell_parsers.parse_decimal(written)) == format(value, "f")


@example(float("inf"))
@example(float("nan"))
@example(10**400)
@given(
    st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.datetimes(), st.dates(), st.times())
)
def test_no_cell_breaks_a_parser(cell: object) -> None:
    for parse in (
        *(
            cell_parsers.parse_text,
            cell_parsers.parse_key,
            cell_parsers.parse_name,
            cell_parsers.parse_date,
            cell_parsers.parse_datetime,
            cell_parsers.parse_decimal,
        ),
        *(
            cell_parsers.parse_small_integer,
            cell_parsers.parse_value_as_written,
            cell_parsers.parse_boolean,
            code_cells.parse_citizen_id,
            code_cells.parse_old_citizen_id,
        ),
        *(
            code_cells.parse_insurance_numbers,
            code_cells.parse_phone,
            code_cells.parse_icd10,
            code_cells.parse_ethnic_group,
            code_cells.parse_province,
        ),
        *(cell_parsers.parse_list, CHOICE_LISTS["sex"].parse),
    ):
        try:
            parse(cell)
        except CellError:
            continue


@pytest.mark.parametrize(
    ("parse", "cell", "expected"),
    [
        (code_cells.parse_citizen_id, "024060012345", "024060012345"),
        (code_cells.parse_citizen_id, "024 060 012345", "024060012345"),
        (code_cells.parse_old_citizen_id, "121234567", "121234567"),
        (code_cells.parse_old_citizen_id, 121234567.0, "121234567"),
        (code_cells.parse_insurance_numbers, "DN4012345678901", ("DN4012345678901",)),
        (
            code_cells.parse_insurance_numbers,
            "dn4 01 2345678901; 0123456789",
            ("DN4012345678901", "0123456789"),
        ),
        (code_cells.parse_insurance_numbers, "024060012345", ("024060012345",)),
        (code_cells.parse_phone, "0912 345 678", "0912345678"),
        (code_cells.parse_phone, "+84 912.345.678", "0912345678"),
        (code_cells.parse_phone, 912345678.0, "0912345678"),
        (code_cells.parse_phone, "02043856789", "02043856789"),
        (code_cells.parse_icd10, "e11.9", "E11.9"),
        (code_cells.parse_icd10, "I10", "I10"),
        (code_cells.parse_icd10, "E119", "E11.9"),
        (code_cells.parse_icd10, "M07.3*", "M07.3*"),
        (code_cells.parse_ethnic_group, 1.0, "01"),
        (code_cells.parse_ethnic_group, "01 Kinh", "01"),
        (code_cells.parse_ethnic_group, "99", "99"),
        (code_cells.parse_province, "24", "24"),
        (code_cells.parse_province, 1.0, "01"),
        (cell_parsers.parse_name, "NGUYỄN THỊ  HỒNG", "NGUYỄN THỊ HỒNG"),
        (cell_parsers.parse_name, "Nguye\u0302\u0303n Va\u0306n An", "Nguyễn Văn An"),
        (cell_parsers.parse_name, "H'Hen Niê", "H'Hen Niê"),
        (cell_parsers.parse_text, "dán\u200b từ mạng", "dán từ mạng"),
        (cell_parsers.parse_list, "A; B,A", ("A", "B")),
        (cell_parsers.parse_boolean, "Có", True),
        (cell_parsers.parse_boolean, "0", False),
    ],
)
def test_codes_and_numbers(parse: object, cell: object, expected: object) -> None:
    assert parse(cell) == expected  # type: ignore[operator]


@pytest.mark.parametrize(
    ("parse", "cell", "expected"),
    [
        (code_cells.parse_citizen_id, "02406001234", "expect_citizen_id"),
        (code_cells.parse_citizen_id, 24060012345.0, "expect_citizen_id_text"),
        (code_cells.parse_citizen_id, "124060012345", "expect_citizen_id"),
        (code_cells.parse_citizen_id, "٠٢٤٠٦٠٠١٢٣٤٥", "expect_citizen_id"),
        (code_cells.parse_old_citizen_id, 12123456.0, "expect_old_citizen_id_text"),
        (code_cells.parse_insurance_numbers, "DN9012345678901", "expect_insurance"),
        (code_cells.parse_insurance_numbers, "DN4012345678901; 12", "expect_insurance"),
        (code_cells.parse_phone, "912345678", "expect_phone"),
        (code_cells.parse_icd10, "tăng huyết áp", "expect_icd10"),
        (code_cells.parse_ethnic_group, "56", "expect_ethnic_group"),
        (code_cells.parse_province, "02", "expect_province"),
        (cell_parsers.parse_name, "Nguyễn Văn 1", "expect_name"),
        (cell_parsers.parse_name, "...", "expect_name"),
        (cell_parsers.parse_name, "Nguyễn Văn \u0410n", "expect_one_script"),
        (cell_parsers.parse_name, "Le Van \u041d\u043e\u0430", "expect_one_script"),
        (cell_parsers.parse_name, "\u039dguyễn An", "expect_one_script"),
        (cell_parsers.parse_small_integer, "2,5", "expect_whole"),
        (cell_parsers.parse_decimal, "nhiều", "expect_decimal"),
    ],
)
def test_what_is_refused(parse: object, cell: object, expected: str) -> None:
    with pytest.raises(CellError) as refused:
        parse(cell)  # type: ignore[operator]
    assert refused.value.expected == expected


@pytest.mark.parametrize(
    ("number", "sex", "born", "disagrees"),
    [
        ("024060012345", "male", date(1960, 1, 1), False),
        ("024160012345", "male", date(1960, 1, 1), True),
        ("024161012345", "female", date(1960, 1, 1), True),
        ("024305012345", "female", date(2005, 1, 1), False),
        ("024160012345", "unknown", date(1960, 1, 1), False),
    ],
)
def test_a_citizen_id_that_disagrees(number: str, sex: str, born: date, disagrees: bool) -> None:
    assert code_cells.citizen_id_disagrees(number, sex, born) is disagrees


def test_choices_in_both_languages() -> None:
    for choice in CHOICE_LISTS.values():
        for language in ("vi", "en"):
            assert [choice.parse(label) for label in choice.labels(language)] == choice.codes
        assert [choice.parse(code) for code in choice.codes] == choice.codes


@pytest.mark.parametrize(
    ("choice", "cell"),
    [
        *[
            ("health_class", cell)
            for cell in ("I-II", "I/II", "I, II", "I II", "I.II", "Loại I - II", "II/III")
        ],
        *[("health_class", cell) for cell in ("2+", "II?", "±2", "-2", ">2", "1-2", "Loại II (2)")],
        *[("sex", cell) for cell in ("Nữ?", "-1", "1+", "1?", "Nam/Nữ")],
        *[("flag", "H?"), ("cadre_class", "B+"), ("cadre_class", "B1-B2"), ("cadre_class", "B1?")],
        *[("tier", "T1?"), ("tier", "T1+"), ("tier", "1-2"), ("yes_no", "có?"), ("certainty", "sơ bộ?")],
    ],
)
def test_marks_that_say_something_are_no_decoration(choice: str, cell: str) -> None:
    with pytest.raises(cell_parsers.CellError):
        CHOICE_LISTS[choice].parse(cell)


@pytest.mark.parametrize(
    ("choice", "cell", "code"),
    [
        *[
            ("health_class", cell, "II")
            for cell in ("Loại II.", "LOẠI  ii", "Loại: II", "LoạiII", "(II)", "2")
        ],
        *[("cadre_class", "B 1", "B1"), ("cadre_class", "Loại B2", "B2"), ("sex", "- Nam", "male")],
        *[
            ("visit_type", "check up", "checkup"),
            ("referral_status", "on hold", "on-hold"),
            ("flag", "H*", "H"),
        ],
    ],
)
def test_marks_that_say_nothing_are(choice: str, cell: str, code: str) -> None:
    assert CHOICE_LISTS[choice].parse(cell) == code


def test_folding() -> None:
    assert fold_label("  Ngày  SINH (*) ") == "ngaysinh"
    assert fold_label("Đối tượng") == "doituong"
