"""JSON Patch over real HTTP (RFC 6902, http://hl7.org/fhir/R4/http.html#patch), on both database systems."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from adapter.fhir.operation_outcome import Issue
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.testing import serving
from adapter.web.app import fhir_app

PATCH = {"Content-Type": "application/json-patch+json"}
ANNA = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:x", "value": "1"}],
    "name": [{"family": "Trần", "given": ["An", "Anna"]}],
    "active": True,
}
HEIGHT = (
    b'{"resourceType":"Observation","id":"o1",'
    b'"valueQuantity":{"value":5.30,"unit":"m"},"note":[{"text":"a/b~c"}]}'
)


def validate(resource: dict[str, Any]) -> list[Issue]:
    odd = resource.get("active") not in (None, True, False)
    return [Issue("error", "value", "a boolean is expected", "Patient.active")] if odd else []


@pytest.fixture
def http(engine: Engine) -> Iterator[httpx.Client]:
    limits = RequestLimits(max_bytes=20_000, max_depth=12, max_patch_operations=20, max_patched_bytes=60_000)
    repository = Repository(engine, validate=validate, limits=limits)
    app = fhir_app(repository, identify=lambda request: request.headers["x-owner"], description="test")
    with serving(app) as url, httpx.Client(base_url=f"{url}/fhir", headers={"x-owner": "me"}) as client:
        client.put("/Patient/p1", json=ANNA)
        client.put("/Observation/o1", content=HEIGHT)
        yield client


def patch(http: httpx.Client, path: str, *operations: object, **headers: str) -> httpx.Response:
    return http.patch(path, content=json.dumps(operations), headers={**PATCH, **headers})


def op(name: str, path: str, *value: object, **more: object) -> dict[str, object]:
    return {"op": name, "path": path, **({"value": value[0]} if value else {}), **more}


def test_each_operation_does_what_rfc_6902_says(http: httpx.Client) -> None:
    done = patch(
        http,
        "/Patient/p1",
        op("test", "/name/0", {"given": ["An", "Anna"], "family": "Trần"}),
        op("add", "/name/0/given/-", "Ba"),
        op("add", "/name/0/given/0", "Bà"),
        op("remove", "/name/0/given/2"),
        op("replace", "/active", False),
        op("add", "/birthDate", "1960-01-02"),
        op("copy", "/name/-", **{"from": "/name/0"}),
        op("move", "/name/1/text", **{"from": "/name/1/family"}),
        op("replace", "/name/0/given/1", "Ân"),
        **{"If-Match": 'W/"1"'},
    )
    assert (done.status_code, done.headers["etag"]) == (200, 'W/"2"')
    found = http.get("/Patient/p1").json()
    assert found == done.json()
    assert found["name"] == [
        {"family": "Trần", "given": ["Bà", "Ân", "Ba"]},
        {"given": ["Bà", "An", "Ba"], "text": "Trần"},
    ]
    assert (found["active"], found["birthDate"]) == (False, "1960-01-02")
    assert [one["id"] for one in (e["resource"] for e in http.get("/Patient?birthdate=1960").json()["entry"])]
    assert patch(http, "/Patient/p1").headers["etag"] == 'W/"2"', "nothing is changed by no operation"
    whole = {**found, "gender": "female"}
    assert patch(http, "/Patient/p1", op("replace", "", whole)).json()["gender"] == "female"


def test_what_is_not_patched_keeps_its_digits_and_numbers_are_compared_as_numbers(http: httpx.Client) -> None:
    tests = (op("test", "/valueQuantity/value", 5.3), op("test", "/note/0", {"text": "a/b~c"}))
    done = patch(http, "/Observation/o1", *tests, op("add", "/valueQuantity/a~1b~0", 1))
    assert b'{"value":5.30,"unit":"m","a/b~":1}' in done.content


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (op("test", "/active", 1), 409),
        (op("test", "/name/0/family", "Lê"), 409),
        (op("test", "/nothing", None), 422),
        (op("remove", "/nothing"), 422),
        (op("remove", "/name/1"), 422),
        (op("remove", "/name/-"), 422),
        (op("remove", "/name/00"), 422),
        (op("remove", ""), 422),
        (op("replace", "/gender", "male"), 422),
        (op("add", "/name/2", {}), 422),
        (op("add", "/active/x", 1), 422),
        (op("move", "/name/0/period", **{"from": "/name"}), 422),
        (op("replace", "/id", "p2"), 422),
        (op("replace", "/resourceType", "Person"), 422),
        (op("replace", "", [1]), 422),
        (op("replace", "/active", "perhaps"), 400),
        (op("replace", "/active"), 400),
        (op("copy", "/active"), 400),
        (op("remove", "name"), 400),
        (op("remove", "/a~2"), 400),
        (op("append", "/name", 1), 400),
        ({"op": ["add"]}, 400),
        (7, 400),
        (op("add", "/x", "\x01"), 400),
    ],
)
def test_a_patch_that_fails_changes_nothing(http: httpx.Client, operation: object, status: int) -> None:
    answer = patch(http, "/Patient/p1", op("add", "/birthDate", "1960"), operation)
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["diagnostics"]
    assert http.get("/Patient/p1").headers["etag"] == 'W/"1"'


def test_what_a_patch_costs_is_bounded(http: httpx.Client) -> None:
    doubling = [op("copy", "/name/-", **{"from": "/name/0"})]
    doubling += [op("copy", f"/extension{n}", **{"from": ""}) for n in range(15)]
    assert patch(http, "/Patient/p1", *doubling).status_code in (413, 422)
    deeper = [op("copy", "/name/0/x", **{"from": "/name"})] * 10
    assert patch(http, "/Patient/p1", *deeper).status_code in (413, 422)
    assert patch(http, "/Patient/p1", *[op("test", "/active", True)] * 21).status_code == 413
    long = [op("add", "/language", "x" * 9_000)]
    assert patch(http, "/Patient/p1", *long).status_code == 200
    again = [op("copy", f"/{name}", **{"from": "/language"}) for name in "ab"]
    assert patch(http, "/Patient/p1", *again).status_code == 413, "no resource grows beyond what may be sent"
    assert http.get("/Patient/p1").headers["etag"] == 'W/"2"'


def test_whom_a_patch_may_change(http: httpx.Client) -> None:
    change = op("replace", "/active", False)
    assert patch(http, "/Patient/p1", change, **{"If-Match": 'W/"7"'}).status_code == 412
    assert patch(http, "/Patient/p2", change).status_code == 404
    assert patch(http, "/Patient/p1", change, **{"x-owner": "another"}).status_code == 404
    assert patch(http, "/Patient?identifier=urn:x|2", change).status_code == 404
    assert patch(http, "/Patient?identifier=urn:x|1", change).json()["active"] is False
    http.put("/Patient/p3", json={**ANNA, "id": "p3"})
    assert patch(http, "/Patient?identifier=urn:x|1", change).status_code == 412
    http.delete("/Patient/p3")
    assert patch(http, "/Patient/p3", change).status_code == 404
    other = http.patch("/Patient/p1", json={"resourceType": "Parameters"})
    assert other.status_code == 422
    assert "json-patch" in other.json()["issue"][0]["diagnostics"]
    assert http.patch("/Patient/p1", content="x", headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"active": false}', "application/json"),  # a merge patch (RFC 7396), as fhirpy sends it
        (b'[{"op": "replace", "path": "/active", "value": false}]', "application/fhir+json"),
        (b'{"resourceType": "Patient", "id": "p1", "active": false}', "application/fhir+json"),
        (b'<Patient xmlns="http://hl7.org/fhir"><active value="false"/></Patient>', "application/fhir+xml"),
    ],
)
def test_what_is_no_patch_is_told_which_there_are(http: httpx.Client, body: bytes, kind: str) -> None:
    headers = {"Content-Type": kind, "Accept": "application/fhir+json"}
    refused = http.patch("/Patient/p1", content=body, headers=headers)
    (said,) = refused.json()["issue"]
    assert (refused.status_code, said["code"], said["location"]) == (
        422,
        "not-supported",
        ["http.Content-Type"],
    )
    assert "json-patch" in said["diagnostics"]
    assert http.get("/Patient/p1").json()["active"] is True


def binary(url: str, *operations: object, data: str | None = None, **more: object) -> dict[str, Any]:
    encoded = base64.b64encode(json.dumps(operations).encode()).decode() if data is None else data
    resource = {"resourceType": "Binary", "contentType": PATCH["Content-Type"], "data": encoded}
    return {"resource": resource, "request": {"method": "PATCH", "url": url, **more}}


def test_patches_in_bundles(http: httpx.Client) -> None:
    def bundle(kind: str, *entries: object) -> httpx.Response:
        sent = {"resourceType": "Bundle", "type": kind, "entry": entries}
        return http.post("", json=sent, headers={"Prefer": "return=representation"})

    change = op("replace", "/active", False)
    done = bundle("transaction", binary("Patient/p1", change, ifMatch='W/"1"'), binary("Observation?_id=o1"))
    first, second = done.json()["entry"]
    assert (first["resource"]["active"], first["response"]["etag"]) == (False, 'W/"2"')
    assert second["response"]["status"] == "200 OK"
    back = op("replace", "/active", True)
    refused = bundle("transaction", binary("Patient/p1", back), binary("Observation/o1", op("remove", "/x")))
    assert refused.status_code == 422
    assert http.get("/Patient/p1").json()["active"] is False, "all or nothing"
    parameters = {
        "resource": {"resourceType": "Parameters"},
        "request": {"method": "PATCH", "url": "Patient/p1"},
    }
    answers = bundle(
        "batch",
        binary("Patient/p1", back),
        binary("Patient/p1", op("test", "/active", False)),
        binary("Patient/p1", data="*"),
        binary("Patient/p1", data=base64.b64encode(b'[{"op":"add","path":"/a","value":"\\u0000"}]').decode()),
        parameters,
    ).json()["entry"]
    codes = [one["response"]["status"][:3] for one in answers]
    assert codes == ["200", "409", "400", "400", "422"]
    assert http.get("/Patient/p1").headers["etag"] == 'W/"3"'
