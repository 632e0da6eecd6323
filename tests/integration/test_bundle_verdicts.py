"""What `$validate` says of a Bundle and what becomes of it here: the same, but for what docs/for-hospitals.md
says is read by its meaning, or is nobody's to refuse.
"""

from copy import deepcopy
from typing import Any

import pytest
from sqlalchemy import create_engine

from adapter.errors import FhirError
from adapter.fhir.validation.checker import check_bundle, check_resource
from adapter.repository.interaction_errors import issues_of_error
from adapter.repository.repository import Repository
from adapter.repository.store import create_tables

UUIDS = [f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in range(5)]
PATIENT = {"resourceType": "Patient", "birthDate": "1960-03-12"}
DEVICE = {"resourceType": "Practitioner", "active": True}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('verdicts') / 'r.db'}")
    create_tables(engine)
    accepted = frozenset({"Patient", "Observation", "Practitioner", "Binary"})
    return Repository(engine, recognise_repeats=True, accepts=accepted, validate=check_resource)


def value(number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:lab", "value": str(number)}],
        "status": "final",
        "code": {"text": "Kali"},
        "subject": {"reference": UUIDS[0]},
        **more,
    }


def transaction(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    entries = [
        {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
        for url, one in zip(UUIDS, resources, strict=False)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries, **more}


def changed(bundle: dict[str, Any], place: int, **more: Any) -> dict[str, Any]:
    """With other parts of one entry; None leaves a part out."""
    found = deepcopy(bundle)
    entry = {**found["entry"][place], **more}
    found["entry"][place] = {name: part for name, part in entry.items() if part is not None}
    return found


def said(repository: Repository, bundle: dict[str, Any]) -> list[str | None]:
    """Where the endpoint found errors; [] where it took the whole."""
    try:
        repository.bundle("h", deepcopy(bundle), base="http://x/fhir")
    except FhirError as error:
        return sorted(str(one.expression) for one in issues_of_error(error))
    return []


def validated(bundle: dict[str, Any]) -> list[str | None]:
    return sorted(str(one.expression) for one in check_bundle(bundle) if one.is_error)


GOOD = transaction(PATIENT, value(1))
INSIDE = {"contained": [value(6, id="c")], "hasMember": [{"reference": "#c"}]}
ANYWHERE = {"url": "urn:x", "valueReference": {"reference": UUIDS[0]}}


@pytest.mark.parametrize(
    "bundle",
    [
        GOOD,
        transaction(DEVICE, value(2)),
        transaction(PATIENT, value(3, performer=[{"reference": UUIDS[2]}]), value(4)),
        transaction(PATIENT, value(5, contained=[{**value(6), "id": "c"}], hasMember=[{"reference": "#c"}])),
        transaction(
            DEVICE,
            value(7, subject=None, contained=[{**value(6), "id": "c"}], hasMember=[{"reference": "#c"}]),
        ),
        transaction(PATIENT, value(8, status="nonsense")),
        transaction(PATIENT, value(9, valueString="x", valueBoolean=True)),
        transaction({**PATIENT, "birthDate": "1960-13-12"}, value(10)),
        transaction(PATIENT, value(11, derivedFrom=[{"reference": UUIDS[0]}])),
        transaction(
            PATIENT, value(12, extension=[{"url": "urn:x", "valueReference": {"reference": UUIDS[0]}}])
        ),
    ],
    ids=lambda one: str(len(str(one))),
)
def test_what_stands_in_an_entry_is_judged_as_validate_judges_it(
    repository: Repository, bundle: dict[str, Any]
) -> None:
    pruned = deepcopy(bundle)
    for entry in pruned["entry"]:
        entry["resource"] = {name: part for name, part in entry["resource"].items() if part is not None}
    assert said(repository, pruned) == validated(pruned)


READ_BY_THEIR_MEANING = {
    "no request": changed(GOOD, 1, request=None),
    "no method": changed(GOOD, 1, request={"url": "Observation"}),
    "no url": changed(GOOD, 1, request={"method": "POST"}),
    "a method in small letters": changed(GOOD, 1, request={"method": "post", "url": "Observation"}),
    "an empty fullUrl": changed(GOOD, 1, fullUrl=""),
    "a fullUrl that is no address": changed(GOOD, 1, fullUrl="o7"),
    "a fullUrl of another id": changed(
        GOOD, 1, fullUrl="http://y/fhir/Observation/9", resource=value(13, id="8")
    ),
    "a type in capitals": {**GOOD, "type": "Transaction"},
    "no type": {name: part for name, part in GOOD.items() if name != "type"},
    "a total": {**GOOD, "total": 2},
    "what else it says of itself": {**GOOD, "timestamp": "yesterday", "identifier": "7", "link": [{}]},
    "a search beside an entry": changed(GOOD, 1, search={"mode": "perhaps"}),
    "an unknown part of an entry": changed(GOOD, 1, note="x"),
    "a response beside an entry": changed(GOOD, 1, response={"status": "201"}),
}
"""docs/for-hospitals.md, "Documents, messages and other Bundles": the envelope tells what is to be done with
its entries, and where that is certain nothing of a patient is gained by refusing them.
"""


@pytest.mark.parametrize("bundle", READ_BY_THEIR_MEANING.values(), ids=READ_BY_THEIR_MEANING)
def test_an_envelope_that_validate_calls_wrong_is_taken_where_its_meaning_is_certain(
    repository: Repository, bundle: dict[str, Any]
) -> None:
    found = [str(one) for one in validated(bundle)]
    assert found, "it is no difference any more: take it out, and out of the page for hospitals"
    assert not [one for one in found if ".resource." in one], "what stands in a resource is no envelope"
    assert said(repository, bundle) == []


NOBODYS_TO_REFUSE = {
    "a type that is not used here": transaction(
        PATIENT, value(20), {"resourceType": "Immunization", "status": "nonsense"}
    ),
    "what comes along with a read": changed(
        GOOD, 1, resource=value(21, status="nonsense"), request={"method": "GET", "url": "Patient?_count=1"}
    ),
}


@pytest.mark.parametrize("bundle", NOBODYS_TO_REFUSE.values(), ids=NOBODYS_TO_REFUSE)
def test_what_is_not_stored_is_not_judged(repository: Repository, bundle: dict[str, Any]) -> None:
    assert validated(bundle)
    assert said(repository, bundle) == []


@pytest.mark.parametrize(
    "bundle",
    [
        {**GOOD, "type": "nonsense"},
        {**GOOD, "entry": {}},
        changed(GOOD, 1, request={"method": "FETCH", "url": "Observation"}),
        changed(GOOD, 1, fullUrl=7),
        changed(GOOD, 1, fullUrl=UUIDS[0]),
    ],
    ids=["type", "entry", "method", "fullUrl", "twice the same fullUrl"],
)
def test_an_envelope_whose_meaning_is_uncertain_is_refused_by_both(
    repository: Repository, bundle: dict[str, Any]
) -> None:
    assert said(repository, bundle)
    assert validated(bundle)


@pytest.mark.parametrize(
    "bundle",
    [
        changed(GOOD, 1, request={"method": "POST", "url": "Nonsense"}),
        changed(GOOD, 1, request={"method": "PUT", "url": "Observation/1/2"}),
        changed(GOOD, 1, resource=None),
    ],
    ids=["url of no type", "url of nothing", "nothing to create"],
)
def test_what_cannot_be_carried_out_is_refused_though_r4_has_no_rule_for_it(
    repository: Repository, bundle: dict[str, Any]
) -> None:
    assert said(repository, bundle)
    assert validated(bundle) == []
