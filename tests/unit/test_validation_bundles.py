"""Entries of a Bundle: what their fullUrl says, and where references between them lead."""

import time
from typing import Any

import pytest

from adapter.fhir.validation.checker import check_resource

Json = dict[str, Any]
BASE = "https://his.example/fhir"
UUIDS = [f"urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a{number:04}" for number in range(4)]
PATIENT = {"resourceType": "Patient", "id": "p1", "active": True}
NEW = {"resourceType": "Patient", "active": True}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "invalid"}]}
PUT = {"request": {"method": "PUT", "url": "Patient/p1"}}
POST = {"request": {"method": "POST", "url": "Patient"}}
DONE = {"response": {"status": "200"}}


def observation(subject: str, **more: Any) -> Json:
    found = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}
    return found | {"subject": {"reference": subject}}


def composition(**more: Any) -> Json:
    found = {"resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2026-03-02"}
    return found | {"title": "x", "author": [{"display": "x"}], **more}


def bundle(type_: str, *entries: Json) -> Json:
    more = {}
    if type_ == "document":
        more = {"timestamp": "2026-03-02T08:00:00Z", "identifier": {"system": f"{BASE}/sid", "value": "1"}}
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries), **more}


def errors(resource: Json) -> list[tuple[str | None, str | None]]:
    return [(one.rule, one.expression) for one in check_resource(resource) if one.is_error]


@pytest.mark.parametrize(
    ("entry", "type_"),
    [
        ({"fullUrl": "Patient/p1", "resource": PATIENT}, "collection"),
        ({"fullUrl": "/fhir/Patient/p1", "resource": PATIENT}, "collection"),
        ({"fullUrl": "p1", "resource": PATIENT, **PUT}, "transaction"),
        ({"fullUrl": f"{BASE}/Patient/p2", "resource": PATIENT}, "collection"),
        ({"fullUrl": f"{BASE}/Observation/p1", "resource": PATIENT}, "collection"),
        ({"fullUrl": f"{BASE}/Patient/p2", "resource": PATIENT, **PUT}, "transaction"),
        ({"fullUrl": f"{BASE}/Patient/p1", "resource": NEW}, "collection"),
        ({"fullUrl": "http://his.example/Patient/P1", "resource": PATIENT}, "searchset"),
        ({"resource": PATIENT}, "collection"),
        ({"resource": PATIENT}, "searchset"),
        ({"resource": PATIENT, **PUT, **DONE}, "history"),
        ({"resource": NEW}, "collection"),
    ],
)
def test_a_full_url_is_there_and_names_its_resource(entry: Json, type_: str) -> None:
    assert errors(bundle(type_, entry)) == [("full-url", "Bundle.entry[0].fullUrl")]


@pytest.mark.parametrize(
    "url", ["urn:uuid:1", UUIDS[0].upper().replace("URN:UUID", "urn:uuid"), "urn:oid:1.02"]
)
def test_what_calls_itself_a_uuid_or_oid_is_one(url: str) -> None:
    assert errors(bundle("collection", {"fullUrl": url, "resource": PATIENT})) == [
        ("format", "Bundle.entry[0].fullUrl")
    ]


@pytest.mark.parametrize(
    ("entry", "type_"),
    [
        ({"fullUrl": f"{BASE}/Patient/p1", "resource": PATIENT}, "collection"),
        ({"fullUrl": UUIDS[0], "resource": PATIENT}, "collection"),
        ({"fullUrl": "urn:oid:1.2.840.1", "resource": PATIENT}, "collection"),
        ({"fullUrl": f"{BASE}/custom/7", "resource": PATIENT}, "collection"),
        ({"fullUrl": f"{BASE}/Khám/p1", "resource": PATIENT}, "collection"),
        ({"fullUrl": f"{BASE}/Patient/p9", "resource": NEW, **POST}, "transaction"),
        ({"resource": NEW, **POST}, "transaction"),
        ({"resource": PATIENT, **PUT}, "batch"),
        (DONE, "batch-response"),
        ({"resource": PATIENT, **DONE}, "transaction-response"),
        ({"request": {"method": "DELETE", "url": "Patient/p1"}, **DONE}, "history"),
        ({"resource": OUTCOME, "search": {"mode": "outcome"}}, "searchset"),
    ],
)
def test_what_r4_allows_of_a_full_url(entry: Json, type_: str) -> None:
    assert errors(bundle(type_, entry)) == []


def entries(*resources: Json) -> list[Json]:
    return [
        {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
        for url, one in zip(UUIDS, resources, strict=False)
    ]


PRACTITIONER = {"resourceType": "Practitioner", "active": True}
NESTED = {"title": "y", "focus": {"reference": "Patient/7"}, "entry": [{"display": "x"}]}
WRONG_SUBJECT = [("reference", "Bundle.entry[0].resource.subject.reference")]


def test_a_link_that_leads_to_an_entry_of_a_forbidden_type_is_refused() -> None:
    assert errors(bundle("transaction", *entries(observation(UUIDS[1]), PRACTITIONER))) == WRONG_SUBJECT
    assert errors(bundle("transaction", *entries(observation(UUIDS[1]), NEW))) == []
    backwards = entries(PRACTITIONER, observation(UUIDS[0]))
    assert errors(bundle("batch", *backwards)) == [
        ("reference", "Bundle.entry[1].resource.subject.reference")
    ]
    component = observation(UUIDS[1], performer=[{"reference": UUIDS[2]}])
    assert errors(bundle("transaction", *entries(component, NEW, observation("Patient/1")))) == [
        ("reference", "Bundle.entry[0].resource.performer[0].reference")
    ]


def test_a_link_to_a_url_that_says_no_type_is_followed_too() -> None:
    custom = {"fullUrl": f"{BASE}/custom/7", "resource": PRACTITIONER | {"id": "7"}}
    own = {"fullUrl": UUIDS[0], "resource": observation(f"{BASE}/custom/7")}
    assert errors(bundle("collection", own, custom)) == WRONG_SUBJECT


def test_a_contained_resource_links_to_entries_too() -> None:
    inner = observation(UUIDS[1], id="c")
    outer = observation("Patient/1", contained=[inner], hasMember=[{"reference": "#c"}])
    assert errors(bundle("transaction", *entries(outer, PRACTITIONER))) == [
        ("reference", "Bundle.entry[0].resource.contained[0].subject.reference")
    ]


def test_a_link_that_leads_nowhere_in_the_bundle_may_lead_outside() -> None:
    assert errors(bundle("transaction", *entries(observation("Patient/77")))) == []
    assert errors(bundle("collection", {"fullUrl": UUIDS[0], "resource": observation(UUIDS[3])})) == []


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"subject": {"reference": "Patient/7"}}, "subject"),
        ({"subject": {"reference": UUIDS[3]}}, "subject"),
        ({"author": [{"display": "x"}, {"reference": "Practitioner/7"}]}, "author[1]"),
        ({"encounter": {"reference": "Encounter/7"}}, "encounter"),
        ({"custodian": {"reference": "Organization/7"}}, "custodian"),
        ({"attester": [{"mode": "legal", "party": {"reference": "Practitioner/7"}}]}, "attester[0].party"),
        ({"event": [{"detail": [{"reference": "Procedure/7"}]}]}, "event[0].detail[0]"),
        ({"section": [{"title": "x", "entry": [{"reference": "Condition/7"}]}]}, "section[0].entry[0]"),
        (
            {"section": [{"title": "x", "section": [NESTED]}]},
            "section[0].section[0].focus",
        ),
    ],
)
def test_a_document_holds_what_its_composition_refers_to(more: Json, path: str) -> None:
    first = {"fullUrl": f"{BASE}/Composition/1", "resource": composition(id="1", **more)}
    assert errors(bundle("document", first)) == [
        ("bundle-reference", f"Bundle.entry[0].resource.{path}.reference")
    ]


@pytest.mark.parametrize("reference", ["Patient/p1", f"{BASE}/Patient/p1", "Patient/p1/_history/3"])
def test_a_document_is_whole_however_it_refers(reference: str) -> None:
    own = composition(
        id="1",
        subject={"reference": reference},
        relatesTo=[{"code": "replaces", "targetReference": {"reference": "Composition/older"}}],
    )
    first = {"fullUrl": f"{BASE}/Composition/1", "resource": own}
    assert errors(bundle("document", first, {"fullUrl": f"{BASE}/Patient/p1", "resource": PATIENT})) == []


def test_a_message_holds_its_focus() -> None:
    header = {
        "resourceType": "MessageHeader",
        "eventUri": "https://his.example/admit",
        "source": {"endpoint": "https://his.example"},
        "focus": [{"reference": UUIDS[1]}],
    }
    first = {"fullUrl": UUIDS[0], "resource": header}
    assert errors(bundle("message", first)) == [
        ("bundle-reference", "Bundle.entry[0].resource.focus[0].reference")
    ]
    assert errors(bundle("message", first, {"fullUrl": UUIDS[1], "resource": PATIENT})) == []


@pytest.mark.parametrize("odd", [None, 5, "x", [], [[]], {}, {"a": 1}, [None], [5], {"resourceType": []}])
@pytest.mark.parametrize("where", ["type", "entry", "fullUrl", "resource", "request", "search"])
def test_no_shape_raises(odd: Any, where: str) -> None:
    entry = {"fullUrl": UUIDS[0], "resource": observation(UUIDS[1]), **PUT}
    whole = bundle("document", entry, entry | {where: odd})
    check_resource(whole | {where: odd} if where in ("type", "entry") else whole)
    check_resource(whole | {"type": odd, "entry": [odd, entry, {where: odd}]})


def test_it_takes_time_that_grows_with_the_entries() -> None:
    def seconds(count: int) -> float:
        listed = [
            {
                "fullUrl": f"urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-{number:012}",
                "resource": observation(f"urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-{(number * 7) % count:012}"),
            }
            for number in range(count)
        ]
        started = time.process_time()
        assert len(check_resource(bundle("collection", *listed), second_opinion=False)) == 100
        return time.process_time() - started

    seconds(100)
    assert seconds(8_000) < 8 * max(seconds(2_000), 0.02)
