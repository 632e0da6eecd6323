"""What stands around a number: flags, units in its middle, vital signs, units as laboratories write them."""

from decimal import Decimal
from typing import Any

import pytest
from mapping_support import MAPPINGS, engine, record_of

from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.mapping.transforms.measured_values import MeasuredValueReader
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sheets.cell_parsers import CellError
from adapter.records.sheets.choices import parse_flag
from adapter.written_values import flag_apart, flags_agree, unit_apart

LOINC = "http://loinc.org"
VISIT = {"kind": "visit", "key": "V1", "cadre": "P1", "type": "checkup"}
VISIT |= {"started_at": "2026-10-02T08:00:00+07:00", "ended_at": "2026-10-02T11:00:00+07:00"}


@pytest.fixture(scope="module")
def codes() -> CodeTables:
    return load_code_tables(MAPPINGS / "codes", [])


def observation(measure: str, value: str, unit: str | None = None, **more: Any) -> dict[str, Any]:
    record = record_of(
        {
            "kind": "measurement",
            "key": "V1/x",
            "cadre": "P1",
            "visit": "V1",
            "measure": measure,
            "value": value,
        }
        | ({"unit": unit} if unit else {})
        | more
    )
    return engine().map(record, visit=record_of(dict(VISIT)))[0].resource


def loinc(resource: dict[str, Any]) -> list[str]:
    return [one["code"] for one in resource["code"]["coding"] if one["system"] == LOINC]


# -- flags -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "number", "flag"),
    [
        ("5.3 H", "5.3", "H"),
        ("5.3H", "5.3", "H"),
        ("*7.8", "7.8", "A"),
        ("7.8 *", "7.8", "A"),
        ("7.8↑", "7.8", "H"),
        ("7.8 ↓", "7.8", "L"),
        ("7.8 ↑↑", "7.8", "HH"),
        ("7,8 (H)", "7,8", "H"),
        ("7,8 [L]", "7,8", "L"),
        ("H 7.8", "7.8", "H"),
        ("(H)7.8", "7.8", "H"),
        ("7.8 L", "7.8", "L"),
        ("7.8 LL", "7.8", "LL"),
        ("7.8 ↑ H", "7.8", "H"),
        ("*7.8 H", "7.8", "H"),
        ("7.8 L*", "7.8", "L"),
        ("<0.1 L", "<0.1", "L"),
        ("7.8 mmol/L H", "7.8 mmol/L", "H"),
        ("97% L", "97%", "L"),
        ("150/95 H", "150/95", "H"),
        ("7.8 (Cao)", "7.8", "H"),
        ("7.8 tăng", "7.8", "H"),
        ("7.8 giảm", "7.8", "L"),
        ("5.3 N", "5.3", "N"),
        ("▲ 12", "12", "H"),
    ],
)
def test_a_flag_beside_a_number_is_taken_apart(written: str, number: str, flag: str) -> None:
    assert flag_apart(written) == (number, flag)


@pytest.mark.parametrize(
    "written",
    [
        *("A", "O", "AB", "H", "*", "âm tính", "dương tính *", "5.3", "<0.1", "120/80", "5 mmol/L", "7.8 h"),
        *("1+", "L 7.8 H", "HbA1c 6 H", "nhóm A", "T1 H", "5-10", "3 L/phút", "10 l", "Loại A", "", " "),
    ],
)
def test_what_is_no_flag_stays(written: str) -> None:
    assert flag_apart(written) is None


def test_high_and_low_contradict_and_abnormal_agrees_with_both() -> None:
    assert all(flags_agree(*pair) for pair in (("A", "L"), (None, "H"), ("H", "HH"), ("N", "N")))
    assert not any(flags_agree(*pair) for pair in (("H", "L"), ("N", "H"), ("LL", "H"), ("A", "N")))


@pytest.mark.parametrize(
    ("cell", "flag"),
    [("↑", "H"), ("*", "A"), ("Cao", "H"), ("h", "H"), ("LL", "LL"), ("(L)", "L"), ("N", "N")],
)
def test_a_flag_of_its_own_may_be_a_sign(cell: str, flag: str) -> None:
    assert parse_flag(cell) == flag
    with pytest.raises(CellError):
        parse_flag("?")


def test_a_critical_flag_goes_as_such() -> None:
    (interpretation,) = observation("BIO-K", "7.1", "mmol/L", flag="HH")["interpretation"]
    assert interpretation["coding"][-1]["code"] == "HH"
    assert interpretation["coding"][-1]["display"] == "Critical high"


# -- units in the middle -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "number", "unit"),
    [
        ("1m65", "1.65", "m"),
        ("1 m 65", "1.65", "m"),
        ("1M70", "1.70", "m"),
        ("1m6", "1.6", "m"),
        ("1m65cm", "1.65", "m"),
        ("36°5", "36.5", "°C"),
        ("36 độ 5", "36.5", "°C"),
        ("37º2", "37.2", "°C"),
        ("36°5C", "36.5", "°C"),
        ("36,5 độ", "36.5", "°C"),
        ("36.5°", "36.5", "°C"),
        ("65kg5", "65.5", "kg"),
    ],
)
def test_a_unit_that_stands_for_the_point(written: str, number: str, unit: str) -> None:
    assert unit_apart(written) == (number, unit)


@pytest.mark.parametrize(
    "written", ["1m", "3m", "ĐNT 3m", "1m5cm", "65 kg", "36.5", "m65", "1m65kg", "3°", "x"]
)
def test_what_is_no_such_value(written: str) -> None:
    assert unit_apart(written) is None


# -- vital signs (http://hl7.org/fhir/R4/observation-vitalsigns.html) ---------------------------------

_HEIGHT, _WEIGHT, _TEMPERATURE, _RATE, _PRESSURE = "8302-2", "29463-7", "8310-5", "8867-4", "85354-9"


@pytest.mark.parametrize(
    ("measure", "value", "unit", "code", "quantity"),
    [
        ("VS-HEIGHT", "1.65", "m", _HEIGHT, ("165", "cm")),
        ("VS-HEIGHT", "1650", "mm", _HEIGHT, ("165", "cm")),
        ("VS-HEIGHT", "1m65", None, _HEIGHT, ("165", "cm")),
        ("VS-HEIGHT", "1m65", "cm", _HEIGHT, ("165", "cm")),
        ("VS-HEIGHT", "1.65 m", None, _HEIGHT, ("165", "cm")),
        ("VS-HEIGHT", "165", "cm", _HEIGHT, ("165", "cm")),
        ("VS-HEIGHT", "165", None, _HEIGHT, ("165", "cm")),
        ("VS-WEIGHT", "65000", "g", _WEIGHT, ("65", "kg")),
        ("VS-WEIGHT", "65kg5", None, _WEIGHT, ("65.5", "kg")),
        ("VS-WEIGHT", "65.5", "Kg", _WEIGHT, ("65.5", "kg")),
        ("VS-TEMP", "36°5", None, _TEMPERATURE, ("36.5", "Cel")),
        ("VS-TEMP", "36.5", "ºC", _TEMPERATURE, ("36.5", "Cel")),
        ("VS-TEMP", "98.6", "°F", _TEMPERATURE, ("98.6", "[degF]")),
        ("VS-HR", "72", "nhịp/phút", _RATE, ("72", "/min")),
        ("VS-HR", "72", "bpm", _RATE, ("72", "/min")),
        ("VS-SPO2", "97", None, "59408-5", ("97", "%")),
    ],
)
def test_a_vital_sign_is_in_the_unit_of_its_profile(
    measure: str, value: str, unit: str | None, code: str, quantity: tuple[str, str]
) -> None:
    found = observation(measure, value, unit)
    assert loinc(found) == [code]
    assert found["valueQuantity"]["value"] == Decimal(quantity[0])
    assert found["valueQuantity"]["code"] == quantity[1]
    assert found["valueQuantity"]["unit"]


@pytest.mark.parametrize(
    ("measure", "value", "unit"),
    [
        ("VS-HR", "đều", None),
        ("VS-HR", "70-80", None),
        ("VS-HR", "72", "mmHg"),
        ("VS-BMI", "bình thường", None),
        ("VS-HEIGHT", "cao", "cm"),
        ("VS-HEIGHT", "165", "gang"),
        ("VS-HEIGHT", "165", "kg"),
        ("VS-HEIGHT", "36°5", None),
        ("VS-TEMP", "không sốt", None),
        ("VS-TEMP", "36-37", "°C"),
        ("VS-RR", "1/16", None),
        ("VS-BP", "12/8", None),
        ("VS-BP", "12/8", "mmHg"),
        ("VS-BP", "bình thường", "mmHg"),
        ("VS-BP", "120", "mmHg"),
        ("VS-BP", "120/80/60", "mmHg"),
        ("VS-BP", "120/80", "cm"),
    ],
)
def test_what_its_profile_forbids_goes_without_the_international_code(
    measure: str, value: str, unit: str | None
) -> None:
    found = observation(measure, value, unit)
    assert loinc(found) == []
    assert found["code"]["coding"][0]["code"] == measure


@pytest.mark.parametrize(
    ("value", "unit", "numbers"),
    [
        ("120/80", "mmHg", (120, 80)),
        ("120/80", None, (120, 80)),
        ("120/80 mmHg", None, (120, 80)),
        ("12/8", "cmHg", (120, 80)),
        ("12/8 cmHg", None, (120, 80)),
        ("12.5/8.0", "cmHg", (125, 80)),
    ],
)
def test_a_blood_pressure_is_in_millimetres(value: str, unit: str | None, numbers: tuple[int, int]) -> None:
    found = observation("VS-BP", value, unit)
    assert loinc(found) == [_PRESSURE]
    parts = [part["valueQuantity"] for part in found["component"]]
    assert [part["value"] for part in parts] == list(map(Decimal, numbers))
    assert {part["code"] for part in parts} == {"mm[Hg]"}


@pytest.mark.parametrize(
    ("measure", "value", "unit", "said"),
    [
        ("VS-HEIGHT", "1m65", None, None),
        ("VS-HEIGHT", "1m65", "cm", None),
        ("VS-HEIGHT", "9m65", None, "held_range"),
        ("VS-TEMP", "36°5", None, None),
        ("VS-TEMP", "63°5", "°C", "held_range"),
        ("VS-WEIGHT", "36°5", None, "held_words"),
        ("VS-BP", "12/8", "cmHg", None),
        ("VS-BP", "12/8 cmHg", None, None),
        ("VS-BP", "12/8", None, "held_unit"),
        ("VS-BP", "12/8 mmHg", None, "held_unit"),
    ],
)
def test_such_values_wait_for_nobody_where_they_can_be_true(
    measure: str, value: str, unit: str | None, said: str | None
) -> None:
    found = load_ranges(MAPPINGS / "codes").finding(measure, value, unit)
    assert (found and found.text) == said


# -- units as laboratories write them ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "unit", "ucum"),
    [
        ("BIO-AST", "UI/L", "U/L"),
        ("BIO-AST", "UI/l", "U/L"),
        ("BIO-ALT", "IU/L", "U/L"),
        ("BIO-GGT", "U/L 37°C", "U/L"),
        ("BIO-GGT", "UI/L (37°C)", "U/L"),
        ("BIO-ALP", "ĐV/L", "U/L"),
        ("BIO-ALP", "đơn vị/l", "U/L"),
        ("HOR-TSH", "µUI/mL", "u[IU]/mL"),
        ("HOR-TSH", "μUI/ml", "u[IU]/mL"),
        ("HOR-TSH", "uUI/mL", "u[IU]/mL"),
        ("HOR-TSH", "mUI/L", "m[IU]/L"),
        ("SER-AHBS", "mUI/mL", "m[IU]/mL"),
        ("SER-AHBS", "UI/L", "[IU]/L"),
        ("BIO-RF", "UI/mL", "[IU]/mL"),
        ("TM-CA199", "UI/mL", "[IU]/mL"),
        ("HEM-PLT", "/mm3", "/uL"),
        ("HEM-PLT", "/mm³", "/uL"),
        ("HEM-WBC", "TB/mm3", "/uL"),
        ("HEM-WBC", "tế bào/µL", "/uL"),
        ("HEM-WBC", "cells/uL", "/uL"),
        ("HEM-WBC", "K/mm3", "10*3/uL"),
        ("HEM-WBC", "10^3/mm3", "10*3/uL"),
        ("HEM-WBC", "nghìn/mm3", "10*3/uL"),
        ("HEM-RBC", "M/mm3", "10*6/uL"),
        ("HEM-RBC", "triệu/mm3", "10*6/uL"),
        ("HEM-RBC", "10e6/µL", "10*6/uL"),
        ("HEM-PLT", "10e9/L", "10*9/L"),
        ("HEM-PLT", "10E9/L", "10*9/L"),
        ("HEM-PLT", "Giga/L", "10*9/L"),
        ("HEM-PLT", "giga/l", "10*9/L"),
        ("HEM-PLT", "x 10^9/L", "10*9/L"),
        ("HEM-PLT", "10 9/L", "10*9/L"),
        ("HEM-RBC", "Téra/L", "10*12/L"),
        ("HEM-RBC", "Tera/l", "10*12/L"),
        ("HEM-RBC", "10e12/L", "10*12/L"),
        ("BIO-FER", "mcg/L", "ug/L"),
        ("BIO-CRP", "mcg/mL", "ug/mL"),
        ("BIO-CRP", "mg/lít", "mg/L"),
        ("HEM-HGB", "gr/L", "g/L"),
        ("HEM-HGB", "g/lít", "g/L"),
        ("BIO-GLU", "mmol/lít", "mmol/L"),
        ("BIO-GLU", "mmole/L", "mmol/L"),
        ("BIO-CREA", "mcmol/L", "umol/L"),
        ("BIO-CREA", "micromol/L", "umol/L"),
        ("HEM-ESR", "mm/hr", "mm/h"),
        ("HEM-ESR", "mm/1h", "mm/h"),
        ("HEM-ESR", "mm/heure", "mm/h"),
        ("HEM-MCV", "µm³", "um3"),
        ("HEM-MCV", "fl", "fL"),
        ("HEM-MCH", "pg/TB", "pg"),
        ("BIO-EGFR", "ml/ph/1,73m2", "mL/min/{1.73_m2}"),
        ("BIO-EGFR", "mL/min/1.73 m²", "mL/min/{1.73_m2}"),
        ("BIO-EGFR", "ml/mn/1,73m²", "mL/min/{1.73_m2}"),
        ("URI-ACR", "mg/mmol creatinin", "mg/mmol"),
    ],
)
def test_a_unit_as_laboratories_write_it_is_coded_and_keeps_its_words(
    measure: str, unit: str, ucum: str
) -> None:
    found = observation(measure, "25", unit)
    assert found["valueQuantity"]["code"] == ucum
    assert found["valueQuantity"]["unit"] == unit
    assert len(loinc(found)) == 1


@pytest.mark.parametrize(
    ("measure", "unit"),
    [
        ("BIO-GLU", "UI/L"),
        ("HEM-PLT", "mm/hr"),
        ("BIO-FER", "Giga/L"),
        ("HEM-WBC", "mcg/L"),
        ("HOR-TSH", "mUI"),
        ("BIO-AST", "mm3"),
        ("HEM-RBC", "10e/L"),
    ],
)
def test_a_unit_of_another_kind_or_of_none_takes_the_code_away(measure: str, unit: str) -> None:
    assert loinc(observation(measure, "25", unit)) == []


def test_mega_is_no_milli_and_metre_no_molar(codes: CodeTables) -> None:
    for unit in ("µM", "nM", "L", "l", "u", "109", "10^/L"):
        assert codes.unit(unit) is None
    assert MeasuredValueReader(codes).unit_fits("HOR-TSH", "mUI/L")
