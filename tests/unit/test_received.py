"""What refuses a hospital's result at the endpoint, and what is only warned of."""

from typing import Any

import pytest

from adapter.fhir.validation.checker import check_resource
from adapter.pipeline.inbound.reception import check_received

WEIGHT: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "vital-signs",
                }
            ]
        }
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-11-02",
    "valueQuantity": {"value": 63, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
}


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in (WEIGHT | more).items() if name not in names}


def test_a_vital_sign_as_its_profile_says() -> None:
    assert check_received(WEIGHT) == []


@pytest.mark.parametrize(
    "resource",
    [
        without("category"),
        without("subject"),
        without("effectiveDateTime"),
        without(valueQuantity={"value": 63, "unit": "kg"}),
        without("valueQuantity", valueString="63 kg"),
        without(meta={"profile": ["http://hl7.org/fhir/StructureDefinition/bmi"]}),
    ],
    ids=["no category", "no patient", "no day", "no code of the unit", "words", "another profile"],
)
def test_what_is_against_a_profile_is_warned_of_and_taken(resource: dict[str, Any]) -> None:
    assert any(issue.is_error for issue in check_resource(resource))
    issues = check_received(resource)
    assert [issue.severity for issue in issues] == ["warning"] * len(issues)
    assert issues


@pytest.mark.parametrize("resource", [without("status"), without(status="done"), without(valueQuantity=63)])
def test_what_is_against_r4_itself_is_refused(resource: dict[str, Any]) -> None:
    assert any(issue.is_error for issue in check_received(resource))
