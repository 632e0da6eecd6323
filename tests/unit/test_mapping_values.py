"""Values, units, code tables and verbs, one by one; the sandbox; properties over arbitrary input."""

import csv
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError
from mapping_support import MAPPINGS, ROOT, context, engine, mappings, record_of

from adapter.fhir import codec
from adapter.fhir.validation.checker import check_resource
from adapter.mapping.expression_sandbox import ExpressionSandbox
from adapter.mapping.terminology.code_tables import LOINC_SYSTEM, UNFIT_UNIT, CodeTables, is_loinc_code
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.mapping.transforms.measured_values import MeasuredValue, MeasuredValueReader
from adapter.mapping.transforms.transforms import (
    JINJA_FILTERS,
    TRANSFORM_NAMES,
    TRANSFORM_SPECS,
    Transforms,
    human_name,
    only_system,
    or_default,
    to_fhir_date,
    to_fhir_instant,
    without_system,
)
from adapter.records.model import Visit, VisitKind

UCUM = "http://unitsofmeasure.org"


@pytest.fixture(scope="module")
def reader() -> MeasuredValueReader:
    problems: list[str] = []
    codes = load_code_tables(MAPPINGS / "codes", problems)
    assert problems == []
    return MeasuredValueReader(codes)


def quantity(value: str, unit: str | None, code: str | None, comparator: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"value": Decimal(value)}
    if comparator:
        found["comparator"] = comparator
    if unit:
        found["unit"] = unit
    return found | ({"system": UCUM, "code": code} if code else {})


def tenths(value: str, measured: str) -> dict[str, Any]:
    """Visual acuity, which has no unit in UCUM as it is written."""
    original = {"value": Decimal(measured), "unit": "x/10"}
    return {"extension": [translation(original)]} | quantity(value, None, "1")


def translation(measured: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation",
        "valueQuantity": measured,
    }


@pytest.mark.parametrize(
    ("measure", "value", "unit", "expected"),
    [
        ("BIO-GLU", "5.30", "mmol/L", quantity("5.30", "mmol/L", "mmol/L")),
        ("BIO-GLU", "5", "mmol/L", quantity("5", "mmol/L", "mmol/L")),
        ("BIO-CRP", "< 0.1", "mg/L", quantity("0.1", "mg/L", "mg/L", "<")),
        ("BIO-CRP", "≤0.1", "mg/L", quantity("0.1", "mg/L", "mg/L", "<=")),
        ("BIO-EGFR", ">90", "mL/min/1.73m2", quantity("90", "mL/min/1.73m2", "mL/min/{1.73_m2}", ">")),
        ("HEM-PLT", "250", "G/L", quantity("250", "G/L", "10*9/L")),
        ("HEM-RBC", "4.71", "T/L", quantity("4.71", "T/L", "10*12/L")),
        ("HEM-HGB", "130", "g/L", quantity("130", "g/L", "g/L")),
        ("BIO-CREA", "88", "\u03bcmol/L", quantity("88", "\u03bcmol/L", "umol/L")),
        ("BIO-CREA", "88", "\u00b5mol/L", quantity("88", "\u00b5mol/L", "umol/L")),
        ("BIO-CREA", "88", "µmol / l", quantity("88", "µmol / l", "umol/L")),
        ("TM-CA125", "12", "U/mL", quantity("12", "U/mL", "[arb'U]/mL")),
        ("VS-TEMP", "36.8", None, quantity("36.8", "°C", "Cel")),
        ("BIO-UREA", "5.1", None, quantity("5.1", None, None)),
        ("BIO-UREA", "5.1", "mmol", quantity("5.1", "mmol", None)),
        ("XN-1", "-2.5", "đv", quantity("-2.5", "đv", None)),
        ("EYE-VA-RU", "8/10", None, tenths("0.8", "8")),
        ("EYE-VA-RU", "10/10", "x/10", tenths("1.0", "10")),
        ("EYE-VA-RU", "8", "x/10", tenths("0.8", "8")),
        ("EYE-VA-RU", "8 x/10", None, tenths("0.8", "8")),
        ("BIO-CRP", "dưới 0.1", "mg/L", quantity("0.1", "mg/L", "mg/L", "<")),
        ("BIO-CRP", "Trên 100", "mg/L", quantity("100", "mg/L", "mg/L", ">")),
        ("BIO-CRP", "lớn hơn 100", "mg/L", quantity("100", "mg/L", "mg/L", ">")),
        ("BIO-CRP", ">= 100", "mg/L", quantity("100", "mg/L", "mg/L", ">=")),
        ("BIO-CRP", "\u226510", "mg/L", quantity("10", "mg/L", "mg/L", ">=")),
        ("BIO-CRP", "\u22120.5", "mg/L", quantity("-0.5", "mg/L", "mg/L")),
        ("BIO-CRP", "<5 mg/L", None, quantity("5", "mg/L", "mg/L", "<")),
        ("BIO-GLU", "5.30mmol/L", None, quantity("5.30", "mmol/L", "mmol/L")),
        ("BIO-GLU", "5.30 mmol / l", "mmol/L", quantity("5.30", "mmol / l", "mmol/L")),
        ("VS-TEMP", "36.8 °C", "°C", quantity("36.8", "°C", "Cel")),
    ],
)
def test_numbers(
    reader: MeasuredValueReader, measure: str, value: str, unit: str | None, expected: dict[str, Any]
) -> None:
    found = reader.read(measure, value, unit)
    assert replace(found, unit=None) == MeasuredValue(quantity=expected)
    assert codec.dumps(found.quantity) == codec.dumps(expected)  # the digits, not only the number


@pytest.mark.parametrize(
    ("measure", "value", "field", "expected"),
    [
        ("SER-HBSAG", "ÂM TÍNH", "coded", "NEG"),
        ("SER-HBSAG", "a\u0302m ti\u0301nh", "coded", "NEG"),  # decomposed letters
        ("SER-HBSAG", "(+)", "coded", "POS"),
        ("URI-PRO", "+", "coded", "POS"),
        ("URI-PRO", "+++", "coded", "POS3"),
        ("URI-PRO", "Vết", "coded", "TRACE"),
        ("SER-AHBS", "âm tính", "coded", "NEG"),
        ("HEM-ABO", "0", "coded", "BG-O"),
        ("URI-PRO", "B", "word", "B"),
        ("CYT-PAP", "ASC-US", "word", "ASC-US"),
        ("EYE-VA-LU", "ĐNT 3m", "text", "ĐNT 3m"),
        ("EYE-VA-LU", "BBT", "text", "BBT"),
        ("EYE-VA-LU", "ST+", "text", "ST+"),
        ("EX-CARD", "120/80", "text", "120/80"),
        ("EX-CARD", "bình thường", "text", "bình thường"),
        ("BIO-GLU", "120/80", "text", "120/80"),
        ("BIO-GLU", "1.2.3", "text", "1.2.3"),
        ("BIO-GLU", "10-5", "text", "10-5"),
        *((measure, "007", "text", "007") for measure in ("BIO-GLU", "XN-1")),
        ("BIO-GLU", "\u0665", "text", "\u0665"),  # a digit, but not one that JSON knows
        ("BIO-GLU", "5,3", "text", "5,3"),
        ("BIO-GLU", "5.3 mg", "text", "5.3 mg"),  # no unit that the table knows stays text
        ("BIO-RF", "<1:20", "text", "<1:20"),
        ("VS-BP", "80-120", "text", "80-120"),
        *(
            ("SER-HBSAG", text, "coded", "NEG")
            for text in (
                *(
                    "Âm tính",
                    "âm tính.",
                    "ÂM  TÍNH ",
                    "Âm tính (-)",
                    "âm tính(-)",
                    "am tinh",
                    "AM TINH",
                    "Âm tinh",
                ),
                *(
                    "Neg.",
                    "NEG",
                    "Negative",
                    "(-)",
                    "( - )",
                    "(\u2013)",
                    "\uff08-\uff09",
                    "AT",
                    "Ât",
                ),
            )
        ),
        *(
            ("SER-HBSAG", text, "coded", "POS")
            for text in ("Dương tính", "duong tinh", "DUONG TINH (+)", "Pos.", "(+)", "( + )", "+", "ĐT")
        ),
        # a dash is also what people write where nothing was measured: none of these is a result
        *(
            (name, dash, "word", dash)
            for name in ("SER-HIV", "URI-PRO")
            for dash in ("-", "\u2212", "--", ".")
        ),
        *((name, dash, "text", dash) for name in ("BIO-GLU", "VS-BP", "XN-1") for dash in ("-", "\u2013")),
        ("SER-AHCV", "Không phát hiện", "coded", "ND"),
        ("CYT-HPV", "khong phat hien", "coded", "ND"),
        ("CYT-HPV", "phát hiện", "coded", "DET"),
        ("CYT-HPV", "không thấy phát hiện", "word", "không thấy phát hiện"),
        *(("SER-HIV", text, "word", text) for text in ("không làm", "chưa làm", "N/A", "KXĐ", "âm tính?")),
        ("XN-1", "8/10", "text", "8/10"),  # how much a pain hurts is no acuity
        ("HEM-ABO", "8/10", "word", "8/10"),
        ("SER-HBSAG", "đường tính", "word", "đường tính"),  # another word, not another spelling
        ("SER-HBSAG", "âm tỉnh", "word", "âm tỉnh"),
        ("SER-HBSAG", "không âm tính", "word", "không âm tính"),
        ("URI-PRO", "+ +", "coded", "POS2"),
        ("URI-PRO", "+/-", "coded", "TRACE"),
        ("URI-PRO", "vet", "coded", "TRACE"),
        ("CLS-TT14", "ii", "coded", "II"),
        ("CLS-CADRE", "B1", "coded", "B1"),
        ("CLS-CADRE", "B", "word", "B"),  # B1 or B2: not ours to say
    ],
)
def test_words(reader: MeasuredValueReader, measure: str, value: str, field: str, expected: str) -> None:
    found = reader.read(measure, value, None)
    assert replace(found, table="qualitative") == MeasuredValue(**{field: expected})


def test_panels_titres_and_ranges(reader: MeasuredValueReader) -> None:
    parts = reader.read("VS-BP", "120 / 80", "mmHg").parts
    assert [(part.measure, part.value, part.unit) for part in parts] == [
        ("VS-SBP", "120", "mmHg"),
        ("VS-DBP", "80", "mmHg"),
    ]
    for titre in ("1/80", "1:80"):
        ratio = {"numerator": {"value": 1}, "denominator": {"value": 80}}
        assert reader.read("BIO-RF", titre, None) == MeasuredValue(ratio=ratio)
    for text in ("5-10", "5 \u2013 10", "5 đến 10", "từ 5 đến 10", "5 tới 10"):
        found = reader.read("XN-1", text, "/µL").range
        assert found == {"low": quantity("5", "/µL", "/uL"), "high": quantity("10", "/µL", "/uL")}
    assert [part.unit for part in reader.read("VS-BP", "120/80 mmHg", None).parts] == ["mmHg", "mmHg"]


def test_an_acuity_that_is_no_whole_number_of_tenths_stays_as_it_was_written(
    reader: MeasuredValueReader,
) -> None:
    assert reader.read("EYE-VA-RU", "8", "x/10").quantity == tenths("0.8", "8")
    assert reader.read("EYE-VA-RU", "0.5/10", None).quantity == tenths("0.05", "0.5")
    for written in ("0.8", "1.0", "1.5"):
        assert reader.read("EYE-VA-RU", written, "x/10").quantity == quantity(written, "x/10", None)


def test_a_number_without_a_unit_is_neither_mass_nor_moles() -> None:
    unknown: Counter[tuple[str, str]] = Counter()
    verbs = Transforms(mappings().codes, kinds={}, identify=str, identifier_system="", unknown=unknown)

    def systems(measure: str, value: str, unit: str | None) -> set[str]:
        found = verbs.measured_concept(measurement(measure, value, unit))
        assert found is not None
        return {coding["system"] for coding in found["coding"]}

    assert LOINC_SYSTEM not in systems("BIO-GLU", "95", None)
    assert unknown == {(UNFIT_UNIT, "BIO-GLU -"): 1}
    assert LOINC_SYSTEM in systems("BIO-GLU", "5.3", "mmol/L")
    assert LOINC_SYSTEM in systems("BIO-GLU", "5.3 mmol/L", None)
    assert LOINC_SYSTEM in systems("VS-WEIGHT", "60", None)  # its unit is implied
    assert LOINC_SYSTEM in systems("URI-PH", "6.5", None)


def test_a_decimal_comma_is_read_in_a_range_and_before_a_unit(reader: MeasuredValueReader) -> None:
    assert reader.read("BIO-GLU", "5,30 mmol/L", None).quantity == quantity("5.30", "mmol/L", "mmol/L")
    assert reader.read("BIO-GLU", "<0,1 mmol/L", None).quantity == quantity("0.1", "mmol/L", "mmol/L", "<")
    low, high = quantity("1.5", "mmol/L", "mmol/L"), quantity("2.0", "mmol/L", "mmol/L")
    assert reader.read("BIO-GLU", "1,5-2,0", "mmol/L").range == {"low": low, "high": high}
    for text in ("1,234,567-2", "1.5,2 mmol/L", "1,5,2 mmol/L", "1, 5-2", "dài 2,5 cm", "2,5cm bờ đều"):
        assert reader.read("XN-1", text, None) == MeasuredValue(text=text)


@pytest.mark.parametrize("unit", ["10*9/L", "x10^9/L", "10⁹/L", "×10⁹/l", "G/L"])
def test_a_count_is_one_however_its_power_of_ten_is_written(reader: MeasuredValueReader, unit: str) -> None:
    assert reader.read("HEM-WBC", "5.3", unit).quantity == quantity("5.3", unit, "10*9/L")


def test_values_are_converted_only_into_their_own_kind_and_keep_what_was_measured() -> None:
    verbs = Transforms(mappings().codes, kinds={}, identify=str, identifier_system="", unknown=Counter())
    glucose = measurement("BIO-GLU", "<5.30", "mmol/L", low=Decimal("3.9"))
    measured = quantity("5.30", "mmol/L", "mmol/L", "<")
    micro = quantity("5300", "umol/L", "umol/L", "<")
    found = verbs.quantity(glucose, "umol/L")
    assert found == {"extension": [translation(measured)]} | micro
    assert codec.dumps(found["value"]) == b"5300"
    low = quantity("3.9", "mmol/L", "mmol/L")
    limits = [{"low": {"extension": [translation(low)]} | quantity("3900", "umol/L", "umol/L")}]
    assert verbs.limits(glucose, "umol/L") == limits
    assert verbs.quantity(glucose, "mg/dL") == measured  # mass is not substance
    assert verbs.quantity(glucose, "mmol/L") == measured
    assert verbs.quantity(measurement("BIO-GLU", "5", "lạ"), "mmol/L") == quantity("5", "lạ", None)
    eye = verbs.quantity(measurement("EYE-VA-RU", "8/10", None), "%")
    assert eye is not None
    assert eye["extension"] == tenths("0.8", "8")["extension"]


def test_a_table_may_ask_for_a_unit(tmp_path: Path) -> None:
    shutil.copytree(MAPPINGS / "codes", tmp_path / "codes")
    table = tmp_path / "codes" / "measures.csv"
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    for row in rows:
        row["convert_to"] = "g/dL" if row["code"] == "HEM-HGB" else ""
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    problems: list[str] = []
    reader = MeasuredValueReader(load_code_tables(tmp_path / "codes", problems))
    assert problems == []
    found = reader.read("HEM-HGB", "130", "g/L").quantity
    original = quantity("130", "g/L", "g/L")
    assert found == {"extension": [translation(original)]} | quantity("13.0", "g/dL", "g/dL")
    assert reader.read("HEM-HGB", "13.0", "g/dL").quantity == quantity("13.0", "g/dL", "g/dL")
    assert reader.read("HEM-HGB", "8.1", "mmol/L").quantity == quantity("8.1", "mmol/L", "mmol/L")


def test_units_of_another_dimension_lose_the_international_code(reader: MeasuredValueReader) -> None:
    assert reader.unit_fits("BIO-GLU", "mmol/L")
    assert reader.unit_fits("BIO-GLU", None)
    assert not reader.unit_fits("BIO-GLU", "mg/dL")
    assert not reader.unit_fits("BIO-GLU", "mmol")
    assert reader.unit_fits("HOR-TSH", "mIU/L")
    assert reader.unit_fits("HOR-TSH", "µIU/mL")


def test_loinc_check_digits() -> None:
    assert is_loinc_code("14749-6")
    assert is_loinc_code("8480-6")
    assert is_loinc_code("LA6576-8")
    for wrong in ("14749-5", "41749-6", "14749", "-6", "", "14749-66"):
        assert not is_loinc_code(wrong)


def test_all_measures_are_there_once_each() -> None:
    measures = mappings().codes.tables["measures"].concepts
    assert len(measures) == 142
    units = mappings().codes
    for concept in measures.values():
        if concept.more["unit"] and concept.more["ucum"] and concept.more["ucum"] != "1":
            known = units.unit(concept.more["unit"])
            assert known is not None, concept.code
            assert known.ucum == concept.more["ucum"], concept.code


def test_every_verb_is_described_and_every_description_is_a_verb() -> None:
    codes = CodeTables()
    verbs = Transforms(codes, kinds={}, identify=str, identifier_system="", unknown=Counter()).filters()
    assert verbs.keys() == TRANSFORM_SPECS.keys() == TRANSFORM_NAMES
    assert not TRANSFORM_NAMES & JINJA_FILTERS


def test_codings_are_chosen_by_system() -> None:
    concept = {"coding": [{"system": "a", "code": "1"}, {"system": "b", "code": "2"}], "text": "t"}
    assert without_system(concept, "b") == {"coding": [{"system": "a", "code": "1"}], "text": "t"}
    assert only_system(concept, "b") == {"coding": [{"system": "b", "code": "2"}], "text": "t"}
    assert only_system(concept, "c") == {"text": "t"}
    assert only_system({"coding": [{"system": "a", "code": "1"}]}, "c") is None
    assert without_system({"system": "a", "code": "1"}, "a") is None
    assert only_system({"system": "a", "code": "1"}, "a") == {"system": "a", "code": "1"}
    assert without_system(None, "a") is None
    assert len(concept["coding"]) == 2  # what came in is as it was


@pytest.mark.parametrize(
    ("value", "found"), [(None, "x"), ("", "x"), ([], "x"), (0, 0), (False, False), ("a", "a")]
)
def test_default_is_for_what_is_empty(value: object, found: object) -> None:
    assert or_default(value, "x") == found


def test_an_international_code_has_the_version_of_its_day() -> None:
    unknown: Counter[tuple[str, str]] = Counter()
    verbs = Transforms(mappings().codes, kinds={}, identify=str, identifier_system="", unknown=unknown)
    icd = "http://hl7.org/fhir/sid/icd-10"
    of = {day: verbs.classified("K29.7", "icd10", day) for day in _DAYS}
    assert of[_DAYS[0]] == {"system": icd, "code": "K29.7"}
    assert of[_DAYS[1]] == {"system": icd, "version": "3970/QĐ-BYT", "code": "K29.7"}
    assert of[_DAYS[2]] == {"system": icd, "version": "4469/QĐ-BYT", "code": "K29.7"}
    assert verbs.classified("K29.7", "icd10") == {"system": icd, "code": "K29.7"}
    evening = datetime(2020, 10, 28, 1, tzinfo=timezone(timedelta(hours=7)))  # still the 27th in UTC
    assert verbs.classified("K29.7", "icd10", evening) == of[_DAYS[2]]
    assert not unknown
    assert verbs.classified("viêm dạ dày", "icd10", _DAYS[2]) is None
    assert unknown == {("icd10", "viêm dạ dày"): 1}


_DAYS = (date(2010, 1, 1), date(2020, 10, 27), date(2020, 10, 28))


def test_times_dates_and_names() -> None:
    assert to_fhir_instant(datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)) == "2026-03-02T01:02:03+00:00"
    assert to_fhir_instant(None) is None
    with pytest.raises(ValueError, match="time zone"):
        to_fhir_instant(datetime(2026, 3, 2))  # noqa: DTZ001 - a moment without a zone is what must be refused
    assert to_fhir_date(date(2026, 3, 2)) == "2026-03-02"
    assert to_fhir_date("1960") == "1960"
    assert to_fhir_date(None) is None
    assert human_name("Nguyễn Văn An") == {
        "use": "official",
        "text": "Nguyễn Văn An",
        "family": "Nguyễn",
        "given": ["Văn", "An"],
    }
    assert human_name("  ") is None


@pytest.mark.parametrize("written", ["X-1\u2028", "\u00a0X-1", " X-1\t"])
def test_white_space_around_an_unknown_code_is_not_sent(written: str) -> None:
    code = engine().map(measurement(written, "5", "lạ"))[0].resource["code"]
    assert code["coding"][0]["code"] == "X-1"
    assert code["text"] == written


def test_unknown_codes_are_counted_and_sent_as_they_are() -> None:
    made = engine()
    for _ in range(3):
        resource = made.map(measurement("XN-9", "5", "lạ"))[0].resource
    assert made.unknown_codes["measures", "XN-9"] == 3
    assert resource["code"] == {
        "coding": [{"system": "https://cadre-health.example/fhir/CodeSystem/measures", "code": "XN-9"}],
        "text": "XN-9",
    }


def test_resources_do_not_share_parts() -> None:
    made = engine()
    first, second = (made.map(measurement("BIO-GLU", "5.3", "mmol/L"))[0].resource for _ in range(2))
    first["valueQuantity"]["value"] = 0
    first["performer"][0]["display"] = "changed"
    first["code"]["coding"][0]["code"] = "changed"
    assert second == made.map(measurement("BIO-GLU", "5.3", "mmol/L"))[0].resource


def test_sandbox_reads_named_fields_only() -> None:
    sandbox = ExpressionSandbox(frozenset(("name",)))
    person = SimpleNamespace(name="a", tier="T1")
    assert sandbox.compile_expression("m.name")(m=person) == "a"
    for source in ("m.tier", "m['tier']", "m.__class__", "m.name.upper", "m.name['upper']"):
        with pytest.raises(SecurityError):
            sandbox.compile_expression(source)(m=person)


def test_documentation_lists_every_verb() -> None:
    text = (ROOT / "docs" / "mapping.md").read_text("utf-8")
    for verb in TRANSFORM_NAMES:
        assert f"| `{verb}" in text, verb
    for verb in JINJA_FILTERS:
        assert f"`{verb}`" in text, verb


def measurement(measure: str, value: str, unit: str | None, **more: Any) -> Any:
    return record_of(
        {
            "kind": "measurement",
            "key": "V/1",
            "cadre": "C",
            "visit": "V",
            "measure": measure,
            "value": value,
            "unit": unit,
            "taken_at": datetime(2026, 3, 2, 8, tzinfo=UTC),
            **more,
        }
    )


def mapped(measure: str, value: str, unit: str | None, visit: Any = None, **more: Any) -> dict[str, Any]:
    return engine().map(measurement(measure, value, unit, **more), visit=visit)[0].resource


@pytest.mark.parametrize("code", ["ser-hiv", "Ser-Hiv", "SER-HIV"])
def test_a_code_is_found_in_any_letter_case_and_sent_as_the_table_writes_it(code: str) -> None:
    codings = mapped(code, "âm tính", None)["code"]["coding"]
    assert [one["code"] for one in codings] == ["SER-HIV", "56888-1"]


@pytest.mark.parametrize("code", ["CLS-TT14", "cls-tt14"])
def test_a_class_has_the_code_of_its_own_scale(code: str) -> None:
    [coding] = mapped(code, "II", None)["valueCodeableConcept"]["coding"]
    assert (coding["system"].rpartition("/")[2], coding["code"]) == ("health-class", "II")


@pytest.mark.parametrize(
    ("measure", "unit", "ucum"),
    [
        ("HEM-PLT", "10^3/uL", "10*3/uL"),
        ("HEM-PLT", "K/uL", "10*3/uL"),
        ("HEM-PLT", "k/ul", "10*3/uL"),
        ("BIO-NA", "mEq/L", "meq/L"),
        ("VS-TEMP", "°F", "[degF]"),
        ("BIO-CREA", "umol/L", "umol/L"),
        ("BIO-GLUF", "mg/dL", "mg/dL"),
        ("HEM-HGB", "G/L", None),
        ("VS-WEIGHT", "cm", None),
        ("VS-TEMP", "mmHg", None),
    ],
)
def test_a_unit_is_coded_unless_it_contradicts_its_measure(measure: str, unit: str, ucum: str | None) -> None:
    value = mapped(measure, "98.6", unit)["valueQuantity"]
    assert (value["unit"], value.get("code"), "system" in value) == (unit, ucum, ucum is not None)


def test_the_code_of_a_panel_goes_only_with_a_panel() -> None:
    odd = mapped("VS-BP", "120/80/60", "mmHg")
    assert odd["valueString"] == "120/80/60"
    assert [one["code"] for one in odd["code"]["coding"]] == ["VS-BP"]
    assert "85354-9" in str(mapped("VS-BP", "120/80", "mmHg")["code"])


def test_what_is_measured_in_person_has_the_time_of_its_visit() -> None:
    start, end = datetime(2026, 3, 2, 8, tzinfo=UTC), datetime(2026, 3, 2, 11, tzinfo=UTC)
    whole, begun = (
        Visit(key="V", cadre="C", type=VisitKind.OUTPATIENT, started_at=start, ended_at=end),
        Visit(key="V", cadre="C", type=VisitKind.OUTPATIENT, started_at=start),
    )
    period = {"start": "2026-03-02T08:00:00+00:00", "end": "2026-03-02T11:00:00+00:00"}
    for measure in ("VS-HR", "EX-CARD"):
        assert mapped(measure, "70", None, whole, taken_at=None)["effectivePeriod"] == period
        assert mapped(measure, "70", None, begun, taken_at=None)["effectiveDateTime"] == "2026-03-02"
    own = mapped("VS-HR", "70", None, whole)
    assert own["effectiveDateTime"] == "2026-03-02T08:00:00+00:00"
    assert "effectivePeriod" not in own
    for found in (
        mapped("BIO-GLUF", "5", None, whole, taken_at=None),
        mapped("VS-HR", "7", None, taken_at=None),
    ):
        assert not any(name.startswith("effective") for name in found)


def test_no_facility_code_is_invented() -> None:
    plain = replace(context(systems={}), facility_code="", centre_facility_code="")
    found = mappings().engine(plain).map(measurement("VS-HR", "70", None))[0].resource
    assert found["performer"] == [{"type": "Organization", "display": plain.centre_name}]
    named = mappings().engine(context(systems={})).map(measurement("VS-HR", "70", None))[0].resource
    assert named["performer"][0]["identifier"] == {
        "system": "http://fhir.ehealth.gov.vn/core/sid/provider-code",
        "value": "24999",
    }


def test_a_unit_behind_the_value_counts_as_the_unit() -> None:
    assert "14749-6" in str(mapped("BIO-GLU", "5.3 mmol/L", None)["code"])
    assert "14749-6" not in str(mapped("BIO-GLU", "95 mg/dL", None)["code"])


_ENGINES = (engine(), engine())
_CODES = st.sampled_from([*sorted(mappings().codes.tables["measures"].concepts), "XN-1", "VS-BP"])
# R4 has no control characters in a text; a record that holds one is parked, not changed
_CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"])
_TEXT = st.text(_CHARACTERS, min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
_VALUES = st.one_of(
    st.from_regex(r"[<>]?=?[0-9]{1,6}(\.[0-9]{1,4})?", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}[/:-][0-9]{1,3}", fullmatch=True),
    st.sampled_from(["âm tính", "(+)", "ĐNT 3m", "0", "+", "-", "1/0", "00", "0.0", "-0", "−5", "5 đến 10"]),
    st.builds("{} {}".format, st.integers(0, 99), st.sampled_from(["mg/L", "x/10", "%", "mmHg", "°C", "lạ"])),
    _TEXT,
)


@settings(max_examples=150, deadline=None)
@given(_CODES, _VALUES, st.one_of(st.none(), st.sampled_from(["mmol/L", "G/L", "x/10", "%"]), _TEXT))
@example("EYE-VA", "0-0", "x/10")
def test_any_measurement_becomes_a_valid_observation(measure: str, value: str, unit: str | None) -> None:
    record = measurement(measure, value, unit, low=Decimal("1.0"))
    made = _ENGINES[0].map(record)
    data = codec.dumps(made[0].resource)
    assert data == codec.dumps(_ENGINES[1].map(record)[0].resource)
    assert check_resource(codec.loads(data)) == []
    assert same_digits(value, made[0].resource)
    values = [name for name in made[0].resource if name.startswith("value") or name == "component"]
    assert len(values) == 1


def same_digits(value: str, resource: dict[str, Any]) -> bool:
    """Whether every number of the resource's value stands in the value as it was written."""
    numbers = [resource.get("valueQuantity", {}), *resource.get("valueRange", {}).values()]
    numbers = [one["extension"][0]["valueQuantity"] if "extension" in one else one for one in numbers]
    numbers += [part["valueQuantity"] for part in resource.get("component", ()) if "valueQuantity" in part]
    written = value.replace("\u2212", "-").replace(",", ".")
    return all(format(one["value"], "f") in written for one in numbers if "value" in one)
