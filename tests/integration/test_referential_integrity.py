"""What a hospital refers to must be there, where the centre has set it so: by `Type/id` in its own space."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoint_centre import PATIENT, calling, centre_of_one
from sqlalchemy import Engine

from adapter.errors import FhirError
from adapter.fhir.codec import loads
from adapter.repository.interaction_errors import issues_of_error
from adapter.repository.repository import Repository

BASE = "https://centre.example/fhir"
UUID = "urn:uuid:00000000-0000-4000-8000-00000000000"
STRICT, LOOSE = "bv-a", "bv-b"


@pytest.fixture
def repository(engine: Engine) -> Repository:
    found = Repository(engine, base=BASE, needs_targets=lambda owner: owner == STRICT)
    found.update(STRICT, {"resourceType": "Patient", "id": "p1"})
    found.update(LOOSE, {"resourceType": "Patient", "id": "theirs"})
    return found


def value(subject: str, id_: str = "o1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "subject": {"reference": subject}, **more}


def put(resource: dict[str, Any], url: str | None = None, **more: Any) -> dict[str, Any]:
    place = url or f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": place}, **more}


def bundle(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def refused(act: Callable[[], Any]) -> tuple[int, str, str | None]:
    with pytest.raises(FhirError) as raised:
        act()
    [issue] = issues_of_error(raised.value)
    return raised.value.status, issue.code, issue.expression


@pytest.mark.parametrize(
    "reference", ["Patient/never", "Patient/theirs", f"{BASE}/Patient/never", "Patient/never/_history/1"]
)
def test_what_is_not_there_is_refused_with_its_place(repository: Repository, reference: str) -> None:
    found = refused(lambda: repository.update(STRICT, value(reference)))
    assert found == (422, "not-found", "Observation.subject.reference")
    assert repository.counts(STRICT) == {"Patient": 1}
    assert repository.update(LOOSE, value(reference)).status == 201, "it is off for others"


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1",
        f"{BASE}/Patient/p1",
        "Patient/p1/_history/1",
        "https://bv-a.example/fhir/Patient/51",
        "urn:uuid:00000000-0000-4000-8000-000000000009",
    ],
)
def test_what_is_there_or_elsewhere_is_taken(repository: Repository, reference: str) -> None:
    assert repository.update(STRICT, value(reference)).status == 201


def test_a_contained_resource_and_an_identifier_need_nothing_else(repository: Repository) -> None:
    inside = value("#p", contained=[{"resourceType": "Patient", "id": "p"}])
    assert repository.update(STRICT, inside).status == 201
    named = value("Patient/p1", basedOn=[{"identifier": {"system": "urn:x", "value": "7"}}])
    assert repository.update(STRICT, named).status == 200
    lost = value("#p", contained=[value("Patient/never", "p")])
    assert refused(lambda: repository.update(STRICT, lost))[2] == "Observation.contained[0].subject.reference"


def test_what_comes_along_is_there(repository: Repository) -> None:
    patient = put({"resourceType": "Patient", "id": "p2"})
    both = bundle(put(value("Patient/p2")), patient)
    repository.bundle(STRICT, both, base=BASE)
    new = {"resourceType": "Patient"}
    linked = bundle(
        put(value(f"{UUID}1", "o2")),
        {"fullUrl": f"{UUID}1", "resource": new, "request": {"method": "POST", "url": "Patient"}},
    )
    repository.bundle(STRICT, linked, base=BASE)
    at_home = put(value("Patient/9", "o3"), fullUrl="https://bv-a.example/fhir/Observation/o3")
    with pytest.raises(FhirError):  # it is stored as it is, and would lead to what is not here
        repository.bundle(STRICT, bundle(at_home), base=BASE)


def test_what_is_deleted_is_not_there(repository: Repository) -> None:
    gone = {"request": {"method": "DELETE", "url": "Patient/p1"}}
    found = refused(lambda: repository.bundle(STRICT, bundle(gone, put(value("Patient/p1"))), base=BASE))
    assert found == (422, "not-found", "Bundle.entry[1].resource.subject.reference")
    repository.delete(STRICT, "Patient", "p1")
    assert refused(lambda: repository.update(STRICT, value("Patient/p1")))[0] == 422


def test_one_entry_of_a_batch_alone_is_refused(repository: Repository) -> None:
    sent = bundle(put(value("Patient/never")), put(value("Patient/p1", "o2")), kind="batch")
    answer = loads(repository.bundle(STRICT, sent, base=BASE).body)
    assert [one["response"]["status"][:3] for one in answer["entry"]] == ["422", "201"]


@pytest.mark.parametrize("is_set", [False, True])
def test_it_is_a_setting_of_a_hospital_and_off(tmp_path: Path, is_set: bool) -> None:
    more = {"referential_integrity": True} if is_set else {}
    url = f"sqlite:///{tmp_path / 'adapter.db'}"
    with centre_of_one(tmp_path / "centre", url, **more) as centre, calling(centre) as hospital:
        sent = {**value("Patient/never"), "status": "final", "code": {"text": "Kali"}}
        answer = hospital.put("/fhir/Observation/o1", json=sent)
        assert answer.status_code == (422 if is_set else 201), answer.text
        assert hospital.put("/fhir/Patient/never", json={**PATIENT, "id": "never"}).status_code == 201
        assert hospital.put("/fhir/Observation/o1", json=sent).status_code == (201 if is_set else 200)
