"""Whether a server's copy is what was sent, and what is left of a resource that is entered in error."""

from typing import Any

import pytest

from adapter.fhir import codec
from adapter.fhir.entered_in_error import as_entered_in_error, has_entered_in_error, is_entered_in_error
from adapter.fhir.server_copy import differing_elements, matches_allowing_progress, same_content
from adapter.fhir.validation.checker import check_resource

SYSTEM = "https://centre.test/sid"
OURS = codec.loads(
    """{"resourceType":"Observation","status":"final","subject":{"reference":"Patient/7"},
    "effectiveDateTime":"2026-01-02T08:00:00+07:00","valueQuantity":{"value":5.30},
    "contained":[{"resourceType":"Device","id":"d","status":"active"},
      {"resourceType":"Specimen","id":"s","status":"available"}],
    "device":{"reference":"#d"},"specimen":{"reference":"#s"}}"""
)


def theirs(**changed: Any) -> dict[str, Any]:
    copy = codec.loads(codec.dumps(OURS))
    return {"id": "1", "meta": {"versionId": "3"}, **copy, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"text": {"status": "generated", "div": "<div>made by the server</div>"}},
        {"subject": {"reference": "http://other.test/fhir/Patient/7"}},
        {"subject": {"reference": "Patient/7/_history/2"}},
        {"valueQuantity": {"value": codec.loads("5.3")}},
        {"valueQuantity": {"value": codec.loads("5.300")}},
        {"effectiveDateTime": "2026-01-02T01:00:00Z"},
        {"effectiveDateTime": "2026-01-02T01:00:00.000+00:00"},
        {
            "contained": [
                {"resourceType": "Specimen", "id": "x2", "status": "available"},
                {"resourceType": "Device", "id": "x1", "status": "active"},
            ],
            "device": {"reference": "#x1"},
            "specimen": {"reference": "#x2"},
        },
    ],
)
def test_what_servers_change_of_their_own_accord_is_no_difference(changed: dict[str, Any]) -> None:
    assert same_content(OURS, theirs(**changed))
    assert differing_elements(OURS, theirs(**changed)) == []


@pytest.mark.parametrize(
    ("changed", "elements"),
    [
        ({"status": "amended"}, ["Observation.status"]),
        ({"subject": {"reference": "Patient/8"}}, ["Observation.subject.reference"]),
        ({"valueQuantity": {"value": codec.loads("5.31")}}, ["Observation.valueQuantity.value"]),
        ({"effectiveDateTime": "2026-01-02T08:00:00Z"}, ["Observation.effectiveDateTime"]),
        ({"effectiveDateTime": "2026-01-02"}, ["Observation.effectiveDateTime"]),
        ({"note": [{"text": "theirs"}]}, ["Observation.note.text"]),
        ({"device": {"reference": "#s"}, "specimen": {"reference": "#d"}}, None),
        ({"contained": [{"resourceType": "Device", "id": "d", "status": "inactive"}]}, None),
    ],
)
def test_everything_else_is_a_difference_named_without_its_value(
    changed: dict[str, Any], elements: list[str] | None
) -> None:
    assert not same_content(OURS, theirs(**changed))
    if elements is not None:
        assert differing_elements(OURS, theirs(**changed)) == elements


def identified(resource_type: str, **content: Any) -> dict[str, Any]:
    mine = {"system": SYSTEM, "value": "abc"}
    national = {"system": "http://gov.test/id", "value": "001099000001"}
    return {"resourceType": resource_type, "id": "9", "identifier": [national, mine], **content}


SUBJECT = {"subject": {"reference": "Patient/7"}}
CODE = {"code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}}
HL7 = "http://terminology.hl7.org/CodeSystem"
IMP = {"class": {"system": f"{HL7}/v3-ActCode", "code": "AMB"}}
DONE = {"occurrenceDateTime": "2026-01-02", "patient": {"reference": "Patient/7"}}


@pytest.mark.parametrize(
    ("resource", "left"),
    [
        (identified("Observation", status="final", **CODE, **SUBJECT, valueString="x"), {"status", "code"}),
        (identified("Encounter", status="finished", **IMP, **SUBJECT), {"status", "class"}),
        (
            identified("ServiceRequest", status="active", intent="order", **SUBJECT),
            {"status", "intent", "subject"},
        ),
        (identified("Procedure", status="completed", **CODE, **SUBJECT), {"status", "subject"}),
        (
            identified("Immunization", status="completed", vaccineCode={"text": "x"}, lotNumber="1", **DONE),
            {"status", "vaccineCode", "patient", "occurrenceDateTime"},
        ),
        (
            identified(
                "Condition",
                clinicalStatus={"coding": [{"system": f"{HL7}/condition-clinical", "code": "active"}]},
                **CODE,
                **SUBJECT,
            ),
            {"verificationStatus", "subject"},
        ),
    ],
)
def test_what_is_entered_in_error_keeps_only_what_r4_requires(
    resource: dict[str, Any], left: set[str]
) -> None:
    assert not is_entered_in_error(resource, SYSTEM)
    made = as_entered_in_error(resource, SYSTEM)
    assert made is not None
    assert made.keys() == left | {"resourceType", "identifier"}
    assert made["identifier"] == [{"system": SYSTEM, "value": "abc"}]
    assert b"entered-in-error" in codec.dumps(made)
    assert [issue.text for issue in check_resource(made) if issue.is_error] == []
    assert is_entered_in_error({**made, "id": "9", "meta": {"versionId": "2"}}, SYSTEM)
    assert not is_entered_in_error({**made, "note": [{"text": "left behind"}]}, SYSTEM)


def test_a_type_without_such_a_status_cannot_be_marked() -> None:
    assert not has_entered_in_error("Patient")
    assert not has_entered_in_error("Provenance")
    assert as_entered_in_error(identified("Patient"), SYSTEM) is None


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "as_good"),
    [
        ("ServiceRequest", "active", "completed", True),
        ("ServiceRequest", "completed", "active", True),
        ("ServiceRequest", "active", "active", True),
        ("ServiceRequest", "active", "on-hold", False),
        ("ServiceRequest", "revoked", "completed", False),
        ("ServiceRequest", "completed", "entered-in-error", False),
        ("Task", "requested", "accepted", True),
        ("Task", "in-progress", "requested", True),
        ("Task", "cancelled", "completed", False),
        ("Observation", "final", "amended", False),
    ],
)
def test_what_a_hospital_got_on_with_is_not_sent_again(
    kind: str, ours: str, theirs: str, as_good: bool
) -> None:
    sent = {"resourceType": kind, "status": ours, "priority": "urgent"}
    assert matches_allowing_progress(sent, {**sent, "id": "1", "status": theirs}) is as_good
    assert not matches_allowing_progress(sent, {**sent, "status": theirs, "priority": "routine"})
