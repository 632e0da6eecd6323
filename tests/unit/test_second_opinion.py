"""The models of fhir.resources are not heard where they are known to be wrong, and heard in all else."""

import pytest
from pydantic import ValidationError

from adapter.fhir.validation.checker import check_resource
from adapter.fhir.validation.second_opinion import KNOWN_ERRORS, KnownError, r4b_model, second_opinion


@pytest.mark.parametrize("known", KNOWN_ERRORS, ids=lambda known: known.name)
def test_a_known_error_is_still_one(known: KnownError) -> None:
    """Where a newer version takes the example, its line leaves the table."""
    type_name = known.example["resourceType"]
    with pytest.raises(ValidationError) as raised:
        r4b_model(type_name).model_validate(known.example)
    assert any(one["type"].endswith(known.problem) for one in raised.value.errors())
    assert second_opinion(known.example, type_name) == []
    assert check_resource(known.example) == []


def test_a_value_of_an_extension_may_be_extended_in_every_way() -> None:
    inner = {"extension": [{"url": "https://x.example/b", "valueCode": "x"}]}
    for value in (
        {"_valueString": inner},
        {"valueString": "a", "_valueString": inner},
        {"valueDateTime": "2026", "_valueDateTime": {"id": "a"}},
        {"valueCodeableConcept": {"text": "a", "_text": inner}},
        {"valueReference": {"reference": "Patient/1", **inner}},
        {"_valueBoolean": inner},
    ):
        resource = {"resourceType": "Patient", "extension": [{"url": "https://x.example/a", **value}]}
        assert check_resource(resource) == [], value


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Patient", "nickname": "A"},
        {"resourceType": "Patient", "_nickname": {"id": "a"}},
        {"resourceType": "Observation", "code": {"text": "x"}},
        {"resourceType": "Patient", "extension": [{"url": "https://x.example/a", "valueX": "a"}]},
        {"resourceType": "Patient", "extension": [{"url": "https://x.example/a", "_valueX": {"id": "a"}}]},
    ],
)
def test_what_is_no_known_error_is_heard(resource: dict[str, object]) -> None:
    assert second_opinion(resource, str(resource["resourceType"])) != []
