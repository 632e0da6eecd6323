"""`Patient/$everything`: what refers to a Patient, a page at a time, and nothing of another hospital's."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from adapter.database import open_database
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.repository.store import create_tables
from adapter.testing import serving
from adapter.web.app import fhir_app

FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('everything') / 'fhir.db'}")
    create_tables(engine)
    repository = Repository(engine, limits=RequestLimits(max_included=2))
    app = fhir_app(repository, identify=lambda request: request.headers["x-owner"], description="test")
    with serving(app) as url:
        with calling(url, "bv-a") as client:
            _fill(client)
        yield url
    engine.dispose()


def calling(base: str, owner: str) -> httpx.Client:
    return httpx.Client(base_url=f"{base}/fhir", headers={**FHIR, "x-owner": owner})


@pytest.fixture
def hospital(base: str) -> Iterator[httpx.Client]:
    with calling(base, "bv-a") as client:
        yield client


def _put(client: httpx.Client, type_: str, id_: str, **more: Any) -> None:
    sent = {"resourceType": type_, "id": id_, **more}
    assert client.put(f"/{type_}/{id_}", json=sent).status_code in (200, 201)


def _fill(client: httpx.Client) -> None:
    subject = {"subject": {"reference": "Patient/p1"}}
    for id_ in ("p1", "p2"):
        _put(client, "Patient", id_, managingOrganization={"reference": "Organization/org"})
    _put(client, "Organization", "org")
    _put(client, "Practitioner", "doctor")
    _put(client, "Practitioner", "nobody")
    for number in range(7):
        performer = [{"reference": "Practitioner/doctor"}]
        _put(client, "Observation", f"o{number}", **subject, performer=performer)
    _put(client, "Observation", "others", subject={"reference": "Patient/p2"})
    _put(client, "DiagnosticReport", "r1", **subject)
    _put(client, "Task", "t1", **{"for": {"reference": "Patient/p1"}})
    _put(client, "Observation", "gone", **subject)
    assert client.delete("/Observation/gone").status_code == 204


def _pages(client: httpx.Client, query: str = "") -> tuple[list[list[str]], list[str]]:
    """The matches of each page, and what came along with any."""
    url, pages, along = f"/Patient/p1/$everything{query}", [], []
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        entries = answer.json().get("entry", [])
        named = [(one["search"]["mode"], one["fullUrl"].partition("/fhir/")[2]) for one in entries]
        pages.append([name for mode, name in named if mode == "match"])
        along += [name for mode, name in named if mode == "include"]
        url = next((one["url"] for one in answer.json()["link"] if one["relation"] == "next"), "")
    return pages, along


ALL = [
    "Patient/p1",
    "DiagnosticReport/r1",
    *(f"Observation/o{number}" for number in range(7)),
    "Task/t1",
]


@pytest.mark.parametrize("count", [1, 3, 9, 10, 1000])
def test_every_page_goes_on_behind_the_last(hospital: httpx.Client, count: int) -> None:
    pages, along = _pages(hospital, f"?_count={count}")
    assert [one for page in pages for one in page] == ALL
    assert all(len(page) <= count + 1 for page in pages)
    assert set(along) == {"Organization/org", "Practitioner/doctor"}


def test_it_is_narrowed_by_type_and_by_change(hospital: httpx.Client) -> None:
    assert _pages(hospital, "?_type=Task,DiagnosticReport") == ([["DiagnosticReport/r1", "Task/t1"]], [])
    assert _pages(hospital, "?_type=Patient") == ([["Patient/p1"]], [])
    assert _pages(hospital, "?_since=2100-01-01T00:00:00Z") == ([[]], [])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("_count=x", 400),
        ("_count=99999999999999999999", 400),
        ("_type=Nonsense", 400),
        ("_cursor=x", 400),
        ("start=2026-01-01", 400),
        ("_since=yesterday", 400),
    ],
)
def test_what_cannot_be_followed_is_refused_in_words(hospital: httpx.Client, query: str, status: int) -> None:
    answer = hospital.get(f"/Patient/p1/$everything?{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")


def test_what_is_sent_along_has_its_limit(base: str) -> None:
    with calling(base, "bv-c") as client:
        _put(client, "Patient", "p1")
        for number in range(3):
            doctor = [{"reference": f"Practitioner/d{number}"}]
            _put(client, "Practitioner", f"d{number}")
            _put(client, "Observation", f"o{number}", subject={"reference": "Patient/p1"}, performer=doctor)
        answer = client.get("/Patient/p1/$everything")
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "too-costly")
        assert client.get("/Patient/p1/$everything?_count=2").status_code == 200


@pytest.mark.parametrize("id_", ["p1", "none", "x" * 65])
def test_anothers_patient_is_as_one_that_there_is_not(base: str, id_: str) -> None:
    with calling(base, "bv-b") as other:
        _put(other, "Observation", "mine", subject={"reference": "Patient/p1"})
        answer = other.get(f"/Patient/{id_}/$everything")
        assert answer.status_code == 404
        assert answer.json() == other.get("/Patient/never/$everything").json()
    with calling(base, "bv-a") as client:
        assert _pages(client)[0] == [ALL]


def test_it_is_said_where_it_is_and_answers_head(hospital: httpx.Client) -> None:
    [rest] = hospital.get("/metadata").json()["rest"]
    named = {
        one["type"]: [each["name"] for each in one.get("operation", ())]
        for one in rest["resource"]
        if one["type"] in ("Patient", "Observation")
    }
    assert named == {"Patient": ["everything"], "Observation": []}
    assert hospital.head("/Patient/p1/$everything").status_code == 200
    assert hospital.get("/Observation/o1/$everything").status_code == 404
