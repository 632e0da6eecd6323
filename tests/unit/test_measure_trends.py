"""Values of one measure over years and hospitals are in one unit, and nothing is made up."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapter.insights.measure_trends import MeasureTrend, measure_trends
from adapter.insights.person_record import ShownResult
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.mapping.result_reading.reading import read_content
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.records.model import Measurement, Record, Visit, VisitKind

KNOWN = KnownMeasures(load_code_tables(Path("mappings/codes"), []))
VISIT = Visit(key="V", cadre="C", type=VisitKind.CHECKUP, started_at=date(2025, 4, 1))


def measured(measure: str, value: str, unit: str | None = None, **more: Any) -> Measurement:
    return Measurement(
        key=f"M-{measure}", cadre="C", visit="V", measure=measure, value=value, unit=unit, **more
    )


def came(loinc: str, value: str, unit: str, code: str, **more: Any) -> ShownResult:
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "effectiveDateTime": "2026-03-01T08:00:00+07:00",
        "valueQuantity": {
            "value": Decimal(value),
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": code,
        },
        **more,
    }
    content = read_content(resource, known=KNOWN, siblings=lambda _: None)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return ShownResult(
        "R",
        "bv-tinh",
        "Observation",
        content.status,
        content.title,
        content.summary,
        "",
        at,
        None,
        content,
        (),
    )


def trends(records: list[Record], *results: ShownResult) -> dict[str | None, MeasureTrend]:
    return {one.measure: one for one in measure_trends([VISIT, *records], results, KNOWN)}


def test_a_checkup_and_a_hospital_are_one_curve_in_one_unit() -> None:
    glucose = measured("BIO-GLUF", "5.6", "mmol/L", low=Decimal("3.9"), high=Decimal("6.4"))
    [one] = trends([glucose], came("14771-0", "6700", "µmol/L", "umol/L")).values()
    assert [(each.number, each.hospital) for each in one.points] == [
        (Decimal("5.6"), None),
        (Decimal("6.7"), "bv-tinh"),
    ]
    assert (one.unit, one.points[0].low, one.points[0].high) == ("mmol/L", Decimal("3.9"), Decimal("6.4"))
    assert one.points[1].words == "6700 µmol/L", "as it was written"


def test_a_pressure_is_two_measures() -> None:
    found = trends([measured("VS-BP", "150/95", "mmHg")])
    assert {name: one.last.number for name, one in found.items()} == {
        "VS-SBP": Decimal(150),
        "VS-DBP": Decimal(95),
    }


@pytest.mark.parametrize(
    ("value", "unit"), [("<0.1", "mmol/L"), ("âm tính", None), ("5.6", "mg"), ("5.6", "??")]
)
def test_what_is_no_number_in_that_unit_is_in_the_table_and_not_on_the_curve(
    value: str, unit: str | None
) -> None:
    [one] = trends([measured("BIO-CHOL", value, unit)]).values()
    assert (one.last.number, one.last.words.startswith(value)) == (None, True)


def test_a_value_is_abnormal_by_its_own_flag_or_range_and_by_nothing_else() -> None:
    def is_abnormal(**more: Any) -> bool:
        [one] = trends([measured("BIO-CHOL", "9.9", "mmol/L", **more)]).values()
        return one.last.is_abnormal

    assert not is_abnormal(), "no range of ours stands in for a laboratory's"
    assert is_abnormal(high=Decimal("5.2"))
    assert is_abnormal(flag="H")
    assert not is_abnormal(flag="N", high=Decimal("5.2")), "who flags it knows better"
    assert not is_abnormal(low=Decimal("3.9"))


def test_the_abnormal_come_first_and_what_was_withdrawn_is_not_there() -> None:
    records: list[Record] = [
        measured("BIO-ALB", "44", "g/L"),
        measured("BIO-CHOL", "9.9", "mmol/L", flag="H"),
        measured("VS-HEIGHT", "160", "cm", status="entered-in-error"),
    ]
    found = measure_trends([VISIT, *records], (), KNOWN)
    assert [one.measure for one in found] == ["BIO-CHOL", "BIO-ALB"]


def test_of_several_ranges_a_person_chooses() -> None:
    ranges = [{"low": {"value": Decimal(1)}, "high": {"value": Decimal(2)}} for _ in range(2)]
    [one] = trends([], came("14771-0", "5.6", "mmol/L", "mmol/L", referenceRange=ranges)).values()
    assert (one.last.low, one.last.is_abnormal) == (None, False)
    [one] = trends([], came("14771-0", "5.6", "mmol/L", "mmol/L", referenceRange=ranges[:1])).values()
    assert (one.last.high, one.last.is_abnormal) == (Decimal(2), True)
