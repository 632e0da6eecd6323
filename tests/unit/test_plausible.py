"""What can be true of a living person: values in their units, dates against each other. Pure."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import ImportRefused
from adapter.records.plausible.dates import KnownDates, date_findings
from adapter.records.plausible.ranges import load_ranges
from adapter.texts import LANGUAGES, say, set_language

CODES = Path(__file__).parents[2] / "mappings" / "codes"
RANGES = load_ranges(CODES)
TODAY = date(2026, 11, 22)


def why(measure: str, value: str, unit: str | None = None) -> str | None:
    found = RANGES.finding(measure, value, unit)
    return found and say(f"import.{found.text}", **found.params)


@pytest.mark.parametrize(
    ("measure", "value", "unit", "words"),
    [
        ("VS-HEIGHT", "1.65", "cm", "1.65: m?"),
        ("VS-HEIGHT", "1650", "cm", "1650: mm?"),
        ("VS-HEIGHT", "1.65", None, "1.65: m?"),
        ("VS-HEIGHT", "16.5", "cm", "54 to 275 cm"),
        ("VS-WEIGHT", "65000", "kg", "65000: g?"),
        ("VS-WEIGHT", "653", "kg", "20 to 250"),
        ("VS-TEMP", "98.6", "°C", "98.6: °F?"),
        ("VS-TEMP", "365", "°C", "26 to 45"),
        ("VS-SPO2", "0.97", "%", "fraction of 1"),
        ("HEM-HCT", "0.42", "%", "0.42: L/L?"),
        ("HEM-NEUP", "0.6", None, "fraction of 1"),
        ("BIO-HBA1C", "0.065", "%", "fraction of 1"),
        ("BIO-HBA1C", "48", "%", "mmol/mol?"),
        ("VS-BP", "12/8", "mmHg", "cmHg?"),
        ("VS-BP", "120", "mmHg", "120/80"),
        ("VS-BP", "80/120", "mmHg", "not below the first"),
        ("VS-SBP", "12", "mmHg", "12: cmHg?"),
        ("BIO-GLUF", "95", "mmol/L", "95: mg/dL?"),
        ("BIO-GLUF", ">300", "mmol/L", "300: mg/dL?"),
        ("BIO-CREA", "1.1", "µmol/L", "1.1: mg/dL?"),
        ("BIO-CHOL", "190", "mmol/L", "190: mg/dL?"),
        ("HEM-HGB", "13.5", "g/L", "13.5: g/dL?"),
        ("HEM-PLT", "250000", "G/L", "250000: /µL?"),
        ("HEM-PLT", "250000", "/mm3 máu", "/µL?"),
        ("HEM-WBC", "6500", "G/L", "6500: /µL?"),
        ("VS-HR", "-72", "lần/phút", "20 to 390"),
        ("VS-HR", "70-700", "lần/phút", "20 to 390"),
        ("BIO-GLUF", "08-Oct", "mmol/L", "not a number"),
        ("BIO-GLUF", "5;3", "mmol/L", "not a number"),
        ("BIO-CRP", "5;3", "mg/L", "not a number"),
        ("VS-HR", "đều", None, "the cell has words"),
        ("VS-HEIGHT", "1m65cao", None, "not a number"),
        ("VS-TEMP", "36°/5", None, "not a number"),
        ("BIO-K", "#####", "mmol/L", "not a number"),
        ("BIO-NA", "14O", "mmol/L", "not a number"),
        ("URI-SG", "1015", None, "1 to 1.1"),
        ("HEM-PLT", "25", "/mm3", "1000 to 2200000 /µL; 25: G/L?"),
        ("HEM-WBC", "1500000", "/µL", "50 to 1100000"),
        ("BIO-EGFR", "1200", None, "0.5 to 250 mL/phút/1,73m²"),
    ],
)
def test_what_hardly_can_be_is_found_and_the_slip_is_named(
    measure: str, value: str, unit: str | None, words: str
) -> None:
    assert words in (why(measure, value, unit) or "nothing")


@pytest.mark.parametrize(
    ("measure", "value", "unit"),
    [
        ("VS-HEIGHT", "1.65", "m"),
        ("VS-HEIGHT", "1650", "mm"),
        ("VS-BP", "120/80", "mmHg"),
        ("VS-BP", "120/80 mmHg", None),
        ("VS-BP", "12/8", "cmHg"),
        ("VS-TEMP", "98.6", "°F"),
        ("VS-HR", "70-80", "lần/phút"),
        ("BIO-GLUF", "95", "mg/dL"),
        ("BIO-GLUF", "5.3 mmol/L", None),
        ("BIO-GLUF", "<0.6", "mmol/L"),
        ("BIO-GLUF", "trên 30", "mmol/L"),
        ("BIO-GLUF", "5", "U/L"),  # another kind of unit: the mapping says so
        ("BIO-CRP", "âm tính", "mg/L"),
        ("BIO-RF", "1/80", "IU/mL"),
        ("TM-AFP", "68.40", "ng/mL"),
        ("HEM-PLT", "250", "x10^9/L"),
        ("EYE-VA-RU", "ĐNT 3m", "x/10"),
        ("EYE-VA-RU", "8/10", "x/10"),
        ("FUN-ECG", "Nhịp xoang đều", None),
        ("X-UNKNOWN", "1000000", "kg"),
    ],
)
def test_what_can_be_passes(measure: str, value: str, unit: str | None) -> None:
    assert why(measure, value, unit) is None


def test_every_numeric_measure_has_a_range_with_its_source() -> None:
    with (CODES / "measures.csv").open(encoding="utf-8") as lines:
        measures = [row for row in csv.DictReader(lines) if row["type"] == "quantity"]
    with (CODES / "plausible.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    words = {"EYE-VA-RU", "EYE-VA-LU", "EYE-VA-RC", "EYE-VA-LC"}  # ĐNT, BBT, ST±: often no number
    assert {row["code"] for row in measures} - words == {row["code"] for row in rows}
    assert [row for row in rows if not row["source"]] == []
    units = {row["code"]: row["unit"] for row in measures}
    firsts = {row["code"]: row["unit"] for row in reversed(rows)}
    without_unit = {"URI-SG", "URI-PH"}
    assert {code: unit for code, unit in firsts.items() if unit != units[code]}.keys() == without_unit


def test_reference_ranges_are_well_inside() -> None:
    with (CODES / "ranges.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            for name in ("low", "high"):
                try:
                    float(row[name])
                except ValueError:
                    continue
                assert why(row["code"], row[name]) is None, row


def test_a_bad_line_of_the_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "plausible.csv").write_text("code,unit,low,high,words,source\nVS-HR,/min,9,x,,\n", "utf-8")
    with pytest.raises(ImportRefused, match="line 2"):
        load_ranges(tmp_path)


KNOWN = KnownDates(date(1960, 3, 12), date(2026, 6, 1), date(2026, 3, 2), date(2026, 3, 2))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T08:00:00+07:00")


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("visit", {"started_at": at("1959-03-02")}, "refused_before_birth"),
        ("visit", {"started_at": at("2026-06-02")}, "held_after_death"),
        ("visit", {"started_at": at("2062-03-02")}, "held_after_death"),
        ("visit", {"started_at": at("2025-03-02"), "ended_at": at("2026-04-02")}, "held_long"),
        ("measurement", {"taken_at": at("2026-05-30")}, "held_far_from_visit"),
        ("measurement", {"taken_at": at("1926-03-02")}, "refused_before_birth"),
        ("diagnosis", {"recorded_on": date(1950, 1, 1)}, "refused_before_birth"),
        ("procedure", {"started_at": at("2026-06-03")}, "held_after_death"),
        ("immunization", {"given_at": at("1960-03-11")}, "refused_before_birth"),
        ("immunization", {"given_at": date(2026, 3, 2), "expires_on": date(2026, 3, 1)}, "held_expired"),
        ("referral", {"ordered_at": at("1926-03-02")}, "refused_before_birth"),
        ("referral", {"ordered_at": at("2026-03-02"), "due_on": date(2062, 3, 2)}, "held_due"),
        ("cadre", {"birth_date": date(2016, 3, 2)}, "held_age"),
        ("cadre", {"birth_date": date(1906, 3, 2)}, "held_age"),
        ("cadre", {"birth_date": date(1960, 3, 2), "deceased_on": date(2027, 1, 1)}, "expect_past"),
    ],
)
def test_dates_are_held_against_each_other(kind: str, fields: dict[str, Any], text: str) -> None:
    assert [one.text for one in date_findings(kind, fields, KNOWN, TODAY)] == [text]


def test_what_lies_in_the_future_is_held() -> None:
    alive = KnownDates(date(1960, 3, 12))
    for day, found in (
        ("2026-11-23", []),
        ("2026-11-24", ["noted_future"]),
        ("2026-12-24", ["held_future"]),
        ("2062-03-02", ["held_future"]),
    ):
        said = date_findings("visit", {"started_at": at(day)}, alive, TODAY)
        assert [one.text for one in said] == found


def test_a_day_is_a_day_in_viet_nam() -> None:
    born = KnownDates(date(1960, 3, 12))
    late = datetime(1960, 3, 11, 18, tzinfo=UTC)  # 01:00 of the 12th there
    assert date_findings("visit", {"started_at": late}, born, TODAY) == []


def test_nothing_known_finds_nothing() -> None:
    assert date_findings("visit", {"started_at": at("1959-03-02")}, KnownDates(), TODAY) == []
    assert date_findings("result", {}, KnownDates(), TODAY) == []


def test_findings_are_said_in_both_languages() -> None:
    finding = RANGES.finding("VS-HEIGHT", "1.65", "cm")
    assert finding
    said = set()
    for language in LANGUAGES:
        set_language(language)
        said.add(say(f"import.{finding.text}", **finding.params))
    set_language("en")
    assert len(said) == 2
