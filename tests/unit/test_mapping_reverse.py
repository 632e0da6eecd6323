"""The way back: fields of a result from what a hospital sent, whatever its shape."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.mapping.result_extraction import ResultFields, extract_result
from adapter.records.model import Result

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


def fields(resource: dict[str, Any]) -> ResultFields:
    return extract_result(
        resource, hospital="bv-tinh", key="R-1", cadre="C", referral="GT-1", received_at=NOW
    )


def test_report() -> None:
    found = fields(
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "24590-2", "display": "MR Brain"}]},
            "issued": "2026-03-20T10:00:00+07:00",
            "effectiveDateTime": "2026-03-19",
            "conclusion": " Không thấy tổn thương khu trú ",
        }
    )
    assert (found.code, found.title) == ("http://loinc.org|24590-2", "MR Brain")
    assert found.conclusion == "Không thấy tổn thương khu trú"
    assert found.issued_at.isoformat() == "2026-03-20T10:00:00+07:00"
    assert found.value is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"valueQuantity": {"value": Decimal("5.30"), "unit": "mmol/L"}}, "5.30 mmol/L"),
        ({"valueQuantity": {"value": Decimal("0.1"), "comparator": "<", "code": "mg/L"}}, "<0.1 mg/L"),
        ({"valueQuantity": {"value": Decimal("0.8"), "code": "1"}}, "0.8"),
        ({"valueString": "ĐNT 3m"}, "ĐNT 3m"),
        ({"valueBoolean": False}, "false"),
        ({"valueInteger": 0}, "0"),
        ({"valueCodeableConcept": {"coding": [{"code": "NEG", "display": "Âm tính"}]}}, "Âm tính"),
        ({"valueRange": {"low": {"value": 5}, "high": {"value": 10}}}, "5-10"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 80}}}, "1/80"),
        ({"valuePeriod": {"start": "2026-01-01", "end": "2026-01-02"}}, "2026-01-01 - 2026-01-02"),
        (
            {
                "component": [
                    {"code": {"text": "Tâm thu"}, "valueQuantity": {"value": 120, "unit": "mmHg"}},
                    {"code": {"text": "Tâm trương"}, "valueQuantity": {"value": 80, "unit": "mmHg"}},
                ]
            },
            "Tâm thu 120 mmHg; Tâm trương 80 mmHg",
        ),
        ({"dataAbsentReason": {"text": "x"}}, "(x)"),
    ],
)
def test_observation_values(value: dict[str, Any], text: str | None) -> None:
    assert (
        fields({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **value}).value
        == text
    )


def test_procedure_and_times() -> None:
    procedure = {"resourceType": "Procedure", "status": "completed", "code": {"text": "Đặt stent"}}
    found = fields(
        {
            **procedure,
            "performedPeriod": {"start": "2026-03", "end": "2026-03-20"},
            "outcome": {"text": "Tốt"},
        }
    )
    assert (found.title, found.conclusion) == ("Đặt stent", "Tốt")
    assert found.issued_at.isoformat() == "2026-03-20T00:00:00+07:00"
    assert (
        fields({**procedure, "performedDateTime": "2026-03"}).issued_at.isoformat()
        == "2026-03-01T00:00:00+07:00"
    )
    assert fields({**procedure, "performedDateTime": "soon"}).issued_at == NOW
    assert fields({**procedure, "note": [{"text": "a"}, {"text": "b"}]}).conclusion == "a; b"


def test_a_result_record_can_be_made_of_it() -> None:
    found = fields(
        {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueInteger": 1}
    )
    record = Result.model_validate({name: getattr(found, name) for name in ResultFields.__slots__})
    assert record.key == "R-1"
    assert (
        record.resource
        == '{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueInteger":1}'
    )


def test_other_types_are_no_results() -> None:
    with pytest.raises(ValueError, match="DiagnosticReport"):
        fields({"resourceType": "Patient"})


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=8)
    | st.just("9999-12-31T23:00:00-14:00"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "text", "value", "end", "low"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
_ELEMENTS = ["status", "code", "issued", "valueQuantity", "valueRange", "component", "note", "conclusionCode"]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["DiagnosticReport", "Observation", "Procedure"]),
    st.dictionaries(st.sampled_from([*_ELEMENTS, "outcome", "performedPeriod", "interpretation"]), _JSON),
)
def test_no_shape_raises(type_: str, content: dict[str, Any]) -> None:
    assert fields({**content, "resourceType": type_}).type == type_
