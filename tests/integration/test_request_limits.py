"""A request is answered within its limits, and beyond one with the limit and what was sent."""

import base64
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from adapter.database import open_database
from adapter.fhir.codec import DuplicatePropertyError, loads_strictly
from adapter.repository import store
from adapter.repository.repository import Repository
from adapter.repository.request_limits import DEFAULT_LIMITS, RequestLimits
from adapter.testing import serving
from adapter.web.app import fhir_app

LIMITS = RequestLimits(
    max_bytes=100_000, max_depth=20, max_values=2_000, max_narrative=1_000, max_entries=30,
    max_references=100, max_resource_references=20, max_identifiers=100, max_resource_identifiers=10,
    max_search_values=600, max_bundle_search_values=700, max_response_bytes=20_000,
)  # fmt: skip
FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('limits') / 'fhir.db'}")
    store.create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def server(engine: Engine) -> Iterator[str]:
    repository = Repository(engine, recognise_repeats=True, limits=LIMITS)
    identify = lambda request: request.headers.get("x-owner", "me")  # noqa: E731
    with serving(fhir_app(repository, identify=identify, description="test")) as url:
        yield url


@pytest.fixture
def http(server: str, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    headers = {"x-owner": str(abs(hash(request.node.nodeid))), **FHIR}
    with httpx.Client(base_url=f"{server}/fhir", headers=headers) as client:
        yield client


def patient(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:x", "value": f"p{number}"}],
        **more,
    }


def bundle(count: int, kind: str = "transaction", **more: Any) -> dict[str, Any]:
    request = {"method": "POST", "url": "Patient"}
    entries = [{"resource": patient(number, **more), "request": dict(request)} for number in range(count)]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def links(count: int) -> list[dict[str, str]]:
    return [{"reference": f"Organization/{number}"} for number in range(count)]


def div(length: int) -> dict[str, str]:
    return {"status": "generated", "div": "x" * length}


EMPTY = len(json.dumps(patient(text={"status": ""})))
BODIES: dict[str, Any] = {  # limit -> path, and the body that has so many of it
    "max_bytes": ("/Patient", lambda n: patient(text={"status": "x" * (n - EMPTY)})),
    "max_values": ("/Patient", lambda n: patient(x=[[]] * (n - 7))),
    "max_narrative": ("/Patient", lambda n: patient(text=div(n))),
    "max_entries": ("", bundle),
    "max_references": ("", lambda n: bundle(10, generalPractitioner=links(n // 10 + (n % 10 > 0)))),
    "max_resource_references": ("/Patient", lambda n: patient(generalPractitioner=links(n))),
    "max_identifiers": ("", lambda n: bundle(10, identifier=[{}] * (n // 10 + (n % 10 > 0)))),
    "max_resource_identifiers": ("/Patient", lambda n: patient(identifier=[{}] * n)),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_beyond_a_limit_is_a_413_that_says_both_numbers(http: httpx.Client, name: str) -> None:
    path, made = BODIES[name]
    limit: int = getattr(LIMITS, name)
    assert http.post(path, content=json.dumps(made(limit))).status_code in (200, 201)
    for sent in (limit + 1, 2 * limit):
        answer = http.post(path, content=json.dumps(made(sent)))
        [issue] = answer.json()["issue"]
        assert (answer.status_code, issue["code"]) == (
            413,
            "too-long" if name == "max_bytes" else "too-costly",
        )
        assert f"{limit:,}" in issue["details"]["text"]


def test_deep_json_is_refused(http: httpx.Client) -> None:
    for depth, status in ((18, 201), (20, 413), (1000, 413)):
        body = b'{"resourceType":"Patient","x":' + b"[" * depth + b"0" + b"]" * depth + b"}"
        assert http.post("/Patient", content=body).status_code == status


def test_a_search_takes_many_values_and_no_more(http: httpx.Client) -> None:
    made = [http.post("/Patient", content=json.dumps(patient(number))).json() for number in (1, 2)]
    for name, prefix in (("identifier", ""), ("identifier", "urn:x|"), ("_id", "")):
        for count, status in ((599, 200), (601, 422), (2_500, 422)):
            values = [
                made[0]["id"] if name == "_id" else f"{prefix}p1",
                *(f"{prefix}n{n}" for n in range(count - 1)),
            ]
            answer = http.post(
                "/Patient/_search",
                data={name: ",".join(values)},
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            assert answer.status_code == status, name
            if status == 200:
                assert answer.json()["total"] == 1
    many = http.get("/Patient?" + "&".join("_id=1" for _ in range(101)))
    assert (many.status_code, many.json()["issue"][0]["code"]) == (413, "too-costly")


def test_pages_end_before_they_are_too_long_and_leave_nothing_out(http: httpx.Client) -> None:
    for number in range(9):
        http.post("/Patient", content=json.dumps(patient(number, text={"status": "x" * 6_000})))
    for start in ("/Patient?_count=1000", "/Patient?_sort=-_lastUpdated"):
        seen: list[str] = []
        link: str | None = start
        while link:
            page = http.get(link)
            assert len(page.content) < LIMITS.max_response_bytes
            assert page.json()["total"] == 9
            seen += [entry["resource"]["id"] for entry in page.json()["entry"]]
            link = next((one["url"] for one in page.json()["link"] if one["relation"] == "next"), None)
        assert len(seen) == len(set(seen)) == 9


def test_history_pages_end_before_they_are_too_long(http: httpx.Client) -> None:
    for number in range(9):
        body = {**patient(number, text={"status": "x" * 6_000}), "id": "h"}
        http.put("/Patient/h", content=json.dumps(body))
    link: str | None = "/Patient/h/_history?_count=100"
    seen: list[str] = []
    while link:
        page = http.get(link)
        assert len(page.content) < LIMITS.max_response_bytes
        seen += [entry["resource"]["meta"]["versionId"] for entry in page.json()["entry"]]
        link = next((one["url"] for one in page.json()["link"] if one["relation"] == "next"), None)
    assert seen == [str(number) for number in range(9, 0, -1)]


def test_a_batch_is_answered_as_far_as_it_may_be_long(http: httpx.Client) -> None:
    for number in range(4):
        http.post("/Patient", content=json.dumps(patient(number, text={"status": "x" * 4_000})))
    entries = [{"request": {"method": "GET", "url": "Patient"}} for _ in range(30)]
    asked = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = http.post("", content=json.dumps(asked))
    statuses = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
    assert (answer.status_code, statuses) == (200, ["200", *["422"] * 29])
    assert len(answer.content) < 2 * LIMITS.max_response_bytes
    whole = http.post("", content=json.dumps({**asked, "type": "transaction"}))
    assert (whole.status_code, whole.json()["issue"][0]["code"]) == (422, "too-costly")


def test_the_conditions_of_a_bundle_are_counted_together(http: httpx.Client) -> None:
    asked = bundle(3)
    for number, entry in enumerate(asked["entry"]):
        values = ",".join(f"urn:x|{number}-{n}" for n in range(300))
        entry["request"]["ifNoneExist"] = f"identifier={values}"
    answer = http.post("", content=json.dumps(asked))
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "too-costly")
    assert "700" in answer.json()["issue"][0]["details"]["text"]


def test_searching_ends_when_its_time_is_over(engine: Engine) -> None:
    impatient = Repository(engine, limits=replace(LIMITS, max_search_seconds=0.0))
    with serving(fhir_app(impatient, identify=lambda _: "me", description="test")) as url:
        answer = httpx.get(f"{url}/fhir/Patient")
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "too-costly")


@pytest.mark.parametrize(
    "place",
    [
        [10**30, "a"], [-1, "a"], [True, "a"], [1.5, "a"], [1, "\ud800"], [1, "a\0"], ["a", "b"], [[], "a"],
        {"a": 1, "b": 2}, "ab", None, [1, "a", 2], [1, "x" * 500], ["\ud800", "\ud800"],
    ],
)  # fmt: skip
def test_an_odd_cursor_is_refused_in_words(http: httpx.Client, place: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    for sort in ("", "&_sort=_lastUpdated"):
        answer = http.get(f"/Patient?_cursor={cursor}{sort}")
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "invalid")


@pytest.mark.parametrize("sort", ["_id", "family", "birthdate", "identifier"])
def test_a_cursor_of_half_a_surrogate_pair_is_refused(http: httpx.Client, sort: str) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(["\ud800", "b"]).encode()).decode().rstrip("=")
    answer = http.get(f"/Patient?_cursor={cursor}&_sort={sort}")
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "invalid")


def test_a_deeply_nested_cursor_is_refused(http: httpx.Client) -> None:
    nested = base64.urlsafe_b64encode(b"[" * 5_000).decode()
    assert http.get(f"/Patient?_cursor={nested}").status_code == 400


def test_a_chain_a_circle_and_a_repeat_of_them_are_stored_once(http: httpx.Client) -> None:
    def linked(last: int | None) -> dict[str, Any]:
        asked = bundle(20)
        for number, entry in enumerate(asked["entry"]):
            entry["fullUrl"] = f"urn:uuid:00000000-0000-4000-8000-{number:012}"
            following = number + 1 if number < 19 else last
            if following is not None:
                entry["resource"]["link"] = [
                    {
                        "other": {"reference": f"urn:uuid:00000000-0000-4000-8000-{following:012}"},
                        "type": "seealso",
                    }
                ]
        return asked

    def send(asked: dict[str, Any]) -> list[str]:
        answer = http.post("", content=json.dumps(asked))
        assert answer.status_code == 200
        return [entry["response"]["location"] for entry in answer.json()["entry"]]

    assert send(linked(None)) == send(linked(None))
    assert len(set(send(linked(0)))) == 20


def test_a_batch_keeps_what_is_right_beside_what_is_wrong(http: httpx.Client) -> None:
    asked = bundle(30, "batch")
    for number in (3, 26):
        asked["entry"][number]["request"] = {
            "method": "PUT",
            "url": "Patient?identifier=urn:x|none&identifier=",
        }
    asked["entry"][7] = {"request": {"method": "GET", "url": "Patient/none"}}
    answer = http.post("", content=json.dumps(asked))
    statuses = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
    assert [n for n, status in enumerate(statuses) if status != "201"] == [3, 7, 26]
    assert http.get("/Patient?_summary=count").json()["total"] == 27


def test_a_repeated_property_is_found_at_once() -> None:
    names = ",".join(f'"n{number}":0' for number in range(100_000))
    with pytest.raises(DuplicatePropertyError, match="n99999"):
        loads_strictly(f'{{{names},"n99999":1}}'.encode())


def test_the_limits_are_said_in_metadata_and_in_the_pages_for_hospitals(http: httpx.Client) -> None:
    said = http.get("/metadata").json()["rest"][0]["documentation"]
    docs = Path(__file__).parents[2] / "docs"
    for field in fields(RequestLimits):
        assert f"{getattr(LIMITS, field.name):,}" in said
        for page in ("for-hospitals.md", "vi/for-hospitals.md"):
            number = f"{getattr(DEFAULT_LIMITS, field.name):,.0f}"
            assert f"| {number} |" in (docs / page).read_text("utf-8"), field.name
