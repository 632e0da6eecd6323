"""Under a pseudonym a resource says on which day, and not at what time; what R4 requires stays."""

from typing import Any

import pytest

from adapter.disclosure.days import without_times
from adapter.disclosure.pseudonymisation import pseudonymised
from adapter.fhir.validation.checker import check_resource

AT, DAY = "2026-10-02T08:15:00+07:00", "2026-10-02"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (
            {"resourceType": "Encounter", "period": {"start": AT, "end": AT}},
            {"period": {"start": DAY, "end": DAY}},
        ),
        ({"resourceType": "Observation", "effectiveDateTime": AT}, {"effectiveDateTime": DAY}),
        (
            {"resourceType": "Observation", "effectivePeriod": {"start": AT}},
            {"effectivePeriod": {"start": DAY}},
        ),
        ({"resourceType": "Specimen", "collection": {"collectedPeriod": {"end": AT}}}, None),
        ({"resourceType": "ServiceRequest", "authoredOn": AT}, {"authoredOn": DAY}),
        ({"resourceType": "Task", "authoredOn": AT, "restriction": {"period": {"end": AT}}}, None),
        ({"resourceType": "CarePlan", "created": AT, "period": {"start": AT}}, None),
        ({"resourceType": "Immunization", "occurrenceDateTime": AT, "expirationDate": DAY}, None),
        ({"resourceType": "Procedure", "performedPeriod": {"start": AT, "end": AT}}, None),
        ({"resourceType": "Condition", "recordedDate": AT, "onsetPeriod": {"start": AT}}, None),
        (
            {"resourceType": "Observation", "extension": [{"url": "http://a.example", "valueDateTime": AT}]},
            None,
        ),
        ({"resourceType": "Encounter", "identifier": [{"value": "x", "period": {"start": AT}}]}, None),
        (
            {
                "resourceType": "Encounter",
                "contained": [{"resourceType": "Procedure", "performedDateTime": AT}],
            },
            None,
        ),
        (
            {"resourceType": "MedicationRequest", "dosageInstruction": [{"timing": {"event": [AT, DAY]}}]},
            None,
        ),
    ],
)
def test_every_moment_becomes_its_day(resource: dict[str, Any], expected: dict[str, Any] | None) -> None:
    before = str(resource)
    left = pseudonymised(resource, "https://a.example")
    assert str(left) == before.replace(AT, DAY)
    assert str(resource) == before  # what the mapping remembers is not changed
    if expected is not None:
        assert left == {"resourceType": resource["resourceType"], **expected}


def test_an_instant_which_takes_no_date_is_midnight() -> None:
    provenance = {
        "resourceType": "Provenance",
        "target": [{"reference": "Patient/1"}],
        "recorded": AT,
        "agent": [{"who": {"display": "x"}}],
    }
    left = without_times(provenance)
    assert left["recorded"] == "2026-10-02T00:00:00+07:00"
    assert [issue for issue in check_resource(left) if issue.is_error] == []


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-10-01T23:30:00Z", "2026-10-02"),
        ("2026-10-01T16:59:59.999Z", "2026-10-01"),
        ("2026-10-02T00:30:00+09:00", "2026-10-01"),
        ("9999-12-31T23:00:00Z", "9999-12-31"),
    ],
)
def test_the_day_is_that_of_the_centre(moment: str, day: str) -> None:
    """Else a period that was written with two offsets could end before it began."""
    assert (
        without_times({"resourceType": "Observation", "effectiveDateTime": moment})["effectiveDateTime"]
        == day
    )


@pytest.mark.parametrize("written", ["2026", "2026-10", DAY, "8 T 8", ""])
def test_what_is_no_moment_is_left_alone(written: str) -> None:
    resource = {"resourceType": "Observation", "effectiveDateTime": written, "valueString": AT}
    assert without_times(resource) is resource
