"""Searches by R4's parameters on real databases (http://hl7.org/fhir/R4/search.html)."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from adapter.errors import FhirError
from adapter.fhir.codec import dumps, loads
from adapter.repository.bundle_entries import Interaction
from adapter.repository.repository import Repository
from adapter.repository.response_bundles import searchset_bundle
from adapter.repository.search_query import page_cursor, parse_search
from adapter.testing import ManualClock

ME, OTHER = "bv-tinh", "bv-khac"
BASE = "https://here/fhir"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
MRN = {"coding": [{"system": "urn:type", "code": "MR"}]}


def pressure(value: str) -> dict[str, Any]:
    return {"value": Decimal(value), "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code}]}


def observation(id_: str, **more: Any) -> dict[str, Any]:
    said = {"resourceType": "Observation", "id": id_, "status": "final", "code": coded("2345-7")}
    return {**said, "subject": {"reference": "Patient/p1"}, **more}


RESOURCES: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"tag": [{"system": "urn:t", "code": "x"}], "profile": ["http://a.example/p/one|2"]},
        "identifier": [{"system": "urn:x", "value": "17", "type": MRN}],
        "name": [{"family": "Nguyễn", "given": ["Văn", "Ổn"]}],
        "telecom": [{"system": "phone", "value": "0912"}, {"system": "email", "value": "o@x.example"}],
        "birthDate": "1950-03",
        "gender": "male",
        "managingOrganization": {"identifier": {"system": "urn:o", "value": "O1"}},
        "generalPractitioner": [{"reference": "Practitioner/d1"}],
    },
    {
        "resourceType": "Patient",
        "id": "p2",
        "name": [{"text": "Trần Thị Đào"}],
        "birthDate": "1961-07-02",
        "deceasedDateTime": "2026-01-02",
        "link": [{"other": {"reference": "Patient/p1"}, "type": "seealso"}],
    },
    {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Lê"}]},
    observation(
        "o1",
        effectiveDateTime="2026-03-01",
        valueQuantity={"value": Decimal("5.40"), "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
    ),
    observation(
        "o2",
        effectivePeriod={"start": "2026-03-01T20:00:00Z"},
        code=coded("85354-9"),
        component=[
            {"code": coded("8480-6"), "valueQuantity": pressure("140")},
            {"code": coded("8462-4"), "valueQuantity": pressure("85")},
        ],
    ),
    observation(
        "o3",
        status="amended",
        subject={"reference": "Group/g1"},
        effectiveInstant="2026-03-02T00:30:00+07:00",
        valueCodeableConcept={**coded("LA6576-8"), "text": "Dương tính"},
    ),
    {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "code": coded("24323-8"),
        "subject": {"reference": "Patient/p1"},
        "result": [{"reference": "Observation/o1"}, {"reference": f"{BASE}/Observation/o2"}],
    },
    {
        "resourceType": "DocumentReference",
        "id": "n1",
        "status": "current",
        "masterIdentifier": {"system": "urn:m", "value": "M1"},
        "description": "Kết luận:\r\n\tổn định",
        "content": [{"attachment": {"contentType": "application/pdf", "url": "http://x.example/a/b"}}],
        "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/n0"}}],
    },
)


@pytest.fixture
def repository(engine: Engine) -> Repository:
    """The same resources of two hospitals; the other's are of other people."""
    made = Repository(engine, base=BASE, clock=ManualClock(step=timedelta(seconds=1)))
    for owner in (ME, OTHER):
        with made.write_transaction(owner) as writer:
            writer.run(
                [Interaction("PUT", one["resourceType"], one["id"], resource=one) for one in RESOURCES]
            )
    made.update(OTHER, {"resourceType": "Patient", "id": "p9", "name": [{"family": "Hidden"}]})
    made.update(OTHER, observation("o9", subject={"reference": "Patient/p9"}, code=coded("9-9")))
    return made


def found(repository: Repository, search: str) -> list[str]:
    kind, _, query = search.partition("?")
    params: Iterable[tuple[str, str]] = [
        (name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)
    ]
    page = repository.search(ME, parse_search(kind, params, base=BASE))
    assert page.total in (None, len(page.rows))
    return [row.id for row in page.rows]


SEARCHES = {
    # strings: without case and accents, from the beginning
    "Patient?name=nguyen": ["p1"],
    "Patient?family=NGUY": ["p1"],
    "Patient?given=on": ["p1"],
    "Patient?name=uyen": [],
    "Patient?name:contains=uyen": ["p1"],
    "DocumentReference?description:exact=Kết luận:\r\n\tổn định": ["n1"],
    "DocumentReference?description=ket luan:\non": ["n1"],
    "Patient?name:exact=Nguyễn": ["p1"],
    "Patient?name:exact=nguyễn": [],
    "Patient?name=tran thi d,nguy": ["p1", "p2"],
    "Patient?name=100%25": [],
    # tokens
    "Patient?gender=male": ["p1"],
    "Patient?gender=http://hl7.org/fhir/administrative-gender|male": ["p1"],
    "Patient?gender:not=male": ["p2"],
    "Patient?gender:missing=true": ["p2"],
    "Patient?gender:missing=false": ["p1"],
    "Patient?identifier:of-type=urn:type|MR|17": ["p1"],
    "Patient?identifier:of-type=urn:type|XX|17": [],
    "Patient?phone=0912": ["p1"],
    "Patient?email=0912": [],
    "Patient?telecom=o@x.example": ["p1"],
    "Patient?deceased=true": ["p2"],
    "Patient?deceased=false": ["p1"],
    "Patient?_tag=urn:t|x": ["p1"],
    "Observation?code=http://loinc.org|2345-7": ["o1", "o3"],
    "Observation?code=http://loinc.org|": ["o1", "o2", "o3"],
    "Observation?code=urn:x|2345-7": [],
    "Observation?combo-code=8480-6": ["o2"],
    "Observation?status=final&code=85354-9,x": ["o2"],
    "Observation?_id=o1,o3&status=amended": ["o3"],
    "DocumentReference?identifier=urn:m|M1": ["n1"],
    # uris
    "Patient?_profile=http://a.example/p/one|2": ["p1"],
    "Patient?_profile:below=http://a.example/p": ["p1"],
    "Patient?_profile:below=http://a.example/q": [],
    "DocumentReference?location=http://x.example/a/b": ["n1"],
    "DocumentReference?location:below=http://x.example/a": ["n1"],
    "DocumentReference?location:below=http://x.example/a/bc": [],
    "DocumentReference?location:above=http://x.example/a/b/c": ["n1"],
    "DocumentReference?contenttype=application/pdf": ["n1"],
    # references
    "Observation?subject=Patient/p1": ["o1", "o2"],
    "Observation?subject:Patient=p1": ["o1", "o2"],
    "Observation?subject=Group/g1": ["o3"],
    "Observation?patient=Group/g1": [],
    "Observation?patient:missing=true": ["o3"],
    "Patient?organization:identifier=urn:o|O1": ["p1"],
    f"DiagnosticReport?result={BASE}/Observation/o2": ["r1"],
    # dates: a day without a zone is Viet Nam's
    "Observation?date=2026-03-01": ["o1"],
    "Observation?date=2026-03": ["o1", "o3"],
    "Observation?date=ge2026-03-02": ["o2", "o3"],
    "Observation?date=sa2026-03-01": ["o2", "o3"],
    "Observation?date=lt2026-03-02": ["o1"],
    "Observation?date=eb2026-03-02": ["o1"],
    "Observation?date=gt2026-03-01T17:29:00Z&date=lt2026-03-02T01:00:00+07:00": ["o3"],
    "Observation?date=2026-03-01T17:30:00Z": ["o3"],
    "Observation?date=2026-03-01T17:30:00.000Z": [],
    "Observation?date=ne2026-03-01": ["o2", "o3"],
    "Patient?birthdate=1950": ["p1"],
    "Patient?birthdate=le1950-03-31": ["p1"],
    "Patient?death-date=2026": ["p2"],
    # quantities
    "Observation?value-quantity=5.4": ["o1"],
    "Observation?value-quantity=5": ["o1"],
    "Observation?value-quantity=5.44": [],
    "Observation?value-quantity=gt5.39|http://unitsofmeasure.org|mmol/L": ["o1"],
    "Observation?value-quantity=gt5.39|http://unitsofmeasure.org|mg/dL": [],
    "Observation?value-quantity=5.4||mmol/L": ["o1"],
    "Observation?value-quantity=ap5": ["o1"],
    "Observation?combo-value-quantity=ge140": ["o2"],
    # composites: what stands together
    "Observation?component-code-value-quantity=8480-6$ge140": ["o2"],
    "Observation?component-code-value-quantity=http://loinc.org|8480-6$140||mmHg": ["o2"],
    "Observation?component-code-value-quantity=8462-4$ge140": [],
    "Observation?combo-code-value-quantity=2345-7$lt6": ["o1"],
    "Observation?combo-code-value-quantity=8462-4$lt100": ["o2"],
    "Observation?code-value-concept=2345-7$LA6576-8": ["o3"],
    "DocumentReference?relationship=replaces$DocumentReference/n0": ["n1"],
    "DocumentReference?relationship=appends$DocumentReference/n0": [],
    # chains and _has
    "Observation?subject:Patient.name=nguyen": ["o1", "o2"],
    "Observation?patient.birthdate=lt1960": ["o1", "o2"],
    "Observation?subject.gender=female": [],
    "Observation?subject:Patient._id=p1&code=85354-9": ["o2"],
    "DiagnosticReport?result.value-quantity=gt5": ["r1"],
    "Patient?general-practitioner:Practitioner.name=le": ["p1"],
    "Patient?_has:Observation:patient:code=85354-9": ["p1"],
    "Patient?_has:Observation:patient:code=9-9": [],
    "Observation?_has:DiagnosticReport:result:status=final": ["o1", "o2"],
    "Observation?subject:Patient.name=hidden": [],
    # order
    "Observation?_sort=-date": ["o2", "o3", "o1"],
    "Observation?_sort=status,-_id": ["o3", "o2", "o1"],
    "Patient?_sort=-birthdate": ["p2", "p1"],
    "Patient?_sort=gender": ["p2", "p1"],
    "Observation?_sort=-_lastUpdated&_total=none&_summary=true": ["o3", "o2", "o1"],
}


def test_each_search_finds_what_r4_says(repository: Repository) -> None:
    assert {search: found(repository, search) for search in SEARCHES} == SEARCHES


@pytest.mark.parametrize(
    "search",
    [
        "Observation?code:above=1", "Observation?subject:Practitioner=1", "Observation?date:exact=2026",
        "Observation?value-quantity=many", "Observation?value-quantity=5|x",
        "Observation?code-value-quantity=5",
        "Patient?gender:missing=perhaps", "Patient?identifier:of-type=MR|17",
        "Observation?subject.colour=red",
        "Observation?subject.organization.name=x", "Patient?_has:Observation:code:status=final",
        "Patient?_has:Observation:patient:colour=red", "Observation?_sort=colour",
        "Observation?_include=Observation:code", "Observation?_include=Nothing:subject", "Observation?near=1",
        "Observation?_sort=code-value-concept", "Observation?_sort=code,date,status,_id",
        "Patient?_id:exact=1",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(search: str) -> None:
    kind, _, query = search.partition("?")
    name, _, value = query.partition("=")
    with pytest.raises(FhirError) as caught:
        parse_search(kind, [(name, value)], base=BASE)
    assert caught.value.status == 400


def sent(repository: Repository, kind: str, *params: tuple[str, str]) -> dict[str, Any]:
    query = parse_search(kind, params, base=BASE)
    bundle: dict[str, Any] = loads(searchset_bundle(query, repository.search(ME, query), BASE))
    return bundle


@pytest.mark.parametrize(
    ("kind", "params", "along"),
    [
        ("Observation", [("_id", "o1"), ("_include", "Observation:subject")], ["Patient/p1"]),
        ("Observation", [("_id", "o3"), ("_include", "Observation:patient")], []),
        ("Observation", [("_id", "o1"), ("_include", "Observation:subject:Group")], []),
        ("Observation", [("_id", "o1"), ("_revinclude", "DiagnosticReport:result")], ["DiagnosticReport/r1"]),
        (
            "DiagnosticReport",
            [("_include", "DiagnosticReport:result"), ("_include:iterate", "Observation:subject")],
            ["Observation/o1", "Observation/o2", "Patient/p1"],
        ),
        (
            "Patient",
            [
                ("_id", "p1"),
                ("_revinclude", "Observation:patient"),
                ("_include", "Patient:general-practitioner"),
            ],
            ["Observation/o1", "Observation/o2", "Practitioner/d1"],
        ),
        ("Patient", [("_id", "p2"), ("_include", "Patient:link")], ["Patient/p1"]),
    ],
)
def test_what_is_sent_along(
    repository: Repository, kind: str, params: list[tuple[str, str]], along: list[str]
) -> None:
    bundle = sent(repository, kind, *params)
    included = [one["fullUrl"] for one in bundle["entry"] if one["search"]["mode"] == "include"]
    assert included == [f"{BASE}/{one}" for one in along]
    assert bundle["total"] == 1


def test_parts_of_resources_say_so(repository: Repository) -> None:
    (entry,) = sent(repository, "Observation", ("_id", "o1"), ("_elements", "value,subject"))["entry"]
    part = entry["resource"]
    assert part.keys() == {"resourceType", "id", "meta", "status", "code", "subject", "valueQuantity"}
    assert dumps(part["valueQuantity"]["value"]) == b"5.40"
    assert part["meta"]["tag"][-1]["code"] == "SUBSETTED"
    (entry,) = sent(repository, "Patient", ("_id", "p1"), ("_summary", "text"))["entry"]
    assert entry["resource"].keys() == {"resourceType", "id", "meta"}
    (entry,) = sent(repository, "DocumentReference", ("_summary", "true"))["entry"]
    assert "total" not in sent(repository, "Patient", ("_total", "none"))


def test_pages_in_any_order_hold_each_match_once(repository: Repository) -> None:
    for sort in ("-date,status", "value-quantity", "code,-_lastUpdated", "-subject"):
        params = [("_sort", sort), ("_count", "1")]
        seen, query = [], parse_search("Observation", params)
        while True:
            page = repository.search(ME, query)
            seen += [row.id for row in page.rows]
            if page.place is None:
                break
            query = parse_search("Observation", [*params, ("_cursor", page_cursor(page.place))])
        assert sorted(seen) == ["o1", "o2", "o3"]
