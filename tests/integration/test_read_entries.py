"""A GET in a batch is answered as the same GET alone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from adapter.database import open_database
from adapter.repository.repository import Repository
from adapter.repository.store import create_tables
from adapter.testing import serving
from adapter.web.app import fhir_app

FHIR = {"Content-Type": "application/fhir+json", "x-owner": "bv-a"}
STRICT = {"Prefer": "handling=strict"}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('reads') / 'fhir.db'}")
    create_tables(engine)
    repository = Repository(
        engine,
        recognise_repeats=True,
        accepts=frozenset({"Patient", "Observation"}),
        keeps=frozenset({"Bundle"}),
    )
    app = fhir_app(repository, identify=lambda request: request.headers["x-owner"], description="test")
    with serving(app) as url, httpx.Client(base_url=f"{url}/fhir", headers=FHIR) as client:
        for gender in ("male", "female"):
            client.put("/Patient/p1", json={"resourceType": "Patient", "id": "p1", "gender": gender})
        subject = {"reference": "Patient/p1"}
        client.put("/Observation/o1", json={"resourceType": "Observation", "id": "o1", "subject": subject})
        yield client
    engine.dispose()


def in_batch(client: httpx.Client, url: str, headers: dict[str, str], **asked: str) -> tuple[int, Any]:
    entry = {"request": {"method": "GET", "url": url, **asked}}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    (answer,) = client.post("", json=batch, headers=headers).raise_for_status().json()["entry"]
    return int(answer["response"]["status"][:3]), answer.get("resource") or answer["response"].get("outcome")


def issues(outcome: Any) -> list[tuple[str, str]]:
    return [(one["severity"], one["code"]) for one in outcome["issue"]]


@pytest.mark.parametrize("headers", [{}, STRICT], ids=["lenient", "strict"])
@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("Patient/p1", 200),
        ("Patient/p1?_format=json", 200),
        ("Patient/nobody", 404),
        ("Patient/not%20an%20id", 404),
        ("Patient/p1/_history", 200),
        ("Patient/p1/_history/1", 200),
        ("Patient/p1/_history/9", 404),
        ("Patient/p1/_history/x", 404),
        ("Patient/p1/_history?_count=1", 200),
        ("Patient/p1/_history?color=red", 400),
        ("Patient/_history", 200),
        ("_history?_count=2", 200),
        ("Patient?gender=female", 200),
        ("Patient?gender=female&color=red", None),
        ("Patient?birthdate=yesterday", 400),
        ("Patient/p1/$everything", 200),
        ("Patient/p1/$everything?_type=Observation", 200),
        ("Patient/p1/$everything?_cursor=x", 400),
        ("Patient/nobody/$everything", 404),
        ("Observation/o1/$everything", 404),
        ("Medication", 404),
        ("Medication/m1", 404),
        ("Nothing/1", 404),
        ("Bundle/b1", 404),
        ("Bundle", 200),
    ],
)
def test_a_get_in_a_batch_is_answered_as_alone(
    hospital: httpx.Client, url: str, status: int | None, headers: dict[str, str]
) -> None:
    expected = status or (400 if headers else 200)
    alone = hospital.get(f"/{url}", headers=headers)
    found, content = in_batch(hospital, url, headers)
    assert (found, alone.status_code) == (expected, expected), content
    if expected == 200:
        assert content == alone.json()
    else:
        assert issues(content) == issues(alone.json())


@pytest.mark.parametrize(
    ("name", "element", "value", "status"),
    [
        ("If-None-Match", "ifNoneMatch", 'W/"2"', 304),
        ("If-None-Match", "ifNoneMatch", '"2"', 304),
        ("If-None-Match", "ifNoneMatch", 'W/"1", W/"2"', 304),
        ("If-None-Match", "ifNoneMatch", "*", 304),
        ("If-None-Match", "ifNoneMatch", 'W/"1"', 200),
    ],
)
def test_a_conditional_get_in_a_batch_too(
    hospital: httpx.Client, name: str, element: str, value: str, status: int
) -> None:
    assert hospital.get("/Patient/p1", headers={name: value}).status_code == status
    assert in_batch(hospital, "Patient/p1", {}, **{element: value})[0] == status


def test_and_one_since_our_own_moment_to_the_millisecond(hospital: httpx.Client) -> None:
    batch = {"resourceType": "Bundle", "type": "batch"}
    batch["entry"] = [{"request": {"method": "GET", "url": "Patient/p1"}}]
    [entry] = hospital.post("", json=batch).json()["entry"]
    updated = entry["response"]["lastModified"]
    assert in_batch(hospital, "Patient/p1", {}, ifModifiedSince=updated)[0] == 304
    before = (datetime.fromisoformat(updated) - timedelta(milliseconds=1)).isoformat()
    assert in_batch(hospital, "Patient/p1", {}, ifModifiedSince=before)[0] == 200


@pytest.mark.parametrize(("moment", "status"), [("2099-01-01T00:00:00Z", 304), ("1999-01-01T00:00:00Z", 200)])
def test_and_one_since_a_moment(hospital: httpx.Client, moment: str, status: int) -> None:
    assert in_batch(hospital, "Patient/p1", {}, ifModifiedSince=moment)[0] == status
