"""The FHIR API over real HTTP, held to http://hl7.org/fhir/R4/http.html."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import plainly
import pytest

from adapter.database import open_database
from adapter.fhir.codec import loads
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.xml.reader import loads_xml
from adapter.fhir.xml.writer import dumps_xml
from adapter.repository import store
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.testing import serving
from adapter.web.app import fhir_app

FHIR = {"Content-Type": "application/fhir+json"}
SYSTEM = "urn:x"


def validate(resource: dict[str, Any]) -> list[Issue]:
    if resource.get("active") == "many":
        return [Issue("error", "value", "no", f"Patient.name[{number}]") for number in range(5000)]
    if resource.get("active") == "perhaps":
        return [Issue("error", "value", "a boolean is expected", "Patient.active")]
    return []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('web') / 'fhir.db'}")
    store.create_tables(engine)
    app = fhir_app(
        Repository(engine, validate=validate, limits=RequestLimits(max_bytes=50_000, max_depth=20)),
        identify=lambda request: request.headers.get("x-owner", "me"),
        description="test",
    )
    with serving(app) as url:
        yield url
    engine.dispose()


@pytest.fixture
def http(server: str, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client with a store of its own."""
    headers = {"x-owner": str(abs(hash(request.node.nodeid)))}
    with httpx.Client(base_url=f"{server}/fhir", headers=headers) as client:
        yield client


def patient(value: str = "1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


def post(http: httpx.Client, resource: Any, path: str = "/Patient", **headers: str) -> httpx.Response:
    content = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    return http.post(path, content=content, headers={**FHIR, **headers})


def put(http: httpx.Client, path: str, resource: Any, **headers: str) -> httpx.Response:
    return http.put(path, content=json.dumps(resource), headers={**FHIR, **headers})


def issue(response: httpx.Response) -> dict[str, Any]:
    """The first issue of an OperationOutcome, which every error must have."""
    assert response.headers["content-type"].startswith("application/fhir+json"), response.text
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    first: dict[str, Any] = outcome["issue"][0]
    assert first["severity"] == "error"
    assert first["diagnostics"]
    return first


def test_metadata_needs_nobody_and_tells_the_truth(http: httpx.Client) -> None:
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    answer = http.get("/metadata")
    statement = answer.json()
    CapabilityStatement.model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == str(http.base_url).rstrip("/")
    rest = statement["rest"][0]
    assert [item["code"] for item in rest["interaction"]] == ["transaction", "batch", "history-system"]
    assert len(rest["resource"]) == 146
    assert rest["resource"][0]["versioning"] == "versioned", "If-Match is welcome, not demanded"
    for one in rest["resource"][:3]:  # what it says of a type can be asked for
        for param in one["searchParam"]:
            value = {"date": "2026", "composite": "1$1"}.get(param["type"], "1")
            assert http.get(f"/{one['type']}", params={param["name"]: value}).status_code == 200


SYSTEM_WIDE = {
    "transaction": ("POST", "", {"resourceType": "Bundle", "type": "transaction"}),
    "batch": ("POST", "", {"resourceType": "Bundle", "type": "batch"}),
    "search-system": ("GET", "?_id=1", None),
    "history-system": ("GET", "/_history", None),
}
OF_A_TYPE = {
    "read": ("GET", "/Basic/1", None),
    "vread": ("GET", "/Basic/1/_history/1", None),
    "update": ("PUT", "/Basic/1", {"resourceType": "Basic", "id": "1"}),
    "patch": ("PATCH", "/Basic/1", []),
    "delete": ("DELETE", "/Basic/1", None),
    "history-instance": ("GET", "/Basic/1/_history", None),
    "history-type": ("GET", "/Basic/_history", None),
    "create": ("POST", "/Basic", {"resourceType": "Basic"}),
    "search-type": ("GET", "/Basic", None),
}


@pytest.mark.parametrize("deletes", [True, False])
def test_metadata_names_what_can_be_asked_and_nothing_else(tmp_path: Path, deletes: bool) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'fhir.db'}")
    store.create_tables(engine)
    repository = Repository(engine, deletes=deletes)
    app = fhir_app(repository, identify=lambda _: "me", description="test")
    with serving(app) as url, httpx.Client(base_url=f"{url}/fhir", headers=FHIR) as client:
        [rest] = client.get("/metadata").json()["rest"]
        basic = next(one for one in rest["resource"] if one["type"] == "Basic")
        put(client, "/Basic/1", {"resourceType": "Basic", "id": "1"})
        for said, asked in ((rest, SYSTEM_WIDE), (basic, OF_A_TYPE)):
            named = {one["code"] for one in said["interaction"]}
            assert named <= asked.keys()
            for code, (method, path, body) in asked.items():
                content = None if body is None else json.dumps(body)
                status = client.request(method, path, content=content).status_code
                assert (code in named) == (status not in (404, 405)), (code, status)
        assert (basic["conditionalDelete"] == "single") == deletes
    engine.dispose()


def test_a_wish_to_be_answered_later_is_answered_now(http: httpx.Client) -> None:
    made = post(http, patient(), Prefer="respond-async, return=minimal")
    assert (made.status_code, made.content) == (201, b"")
    assert "preference-applied" not in made.headers


def test_create_says_where_it_is(http: httpx.Client) -> None:
    made = post(http, patient())
    assert made.status_code == 201
    assert made.headers["etag"] == 'W/"1"'
    assert made.headers["location"].startswith(f"{http.base_url}Patient/")
    assert made.headers["location"].endswith("/_history/1")
    assert http.get(made.headers["location"]).json() == made.json()
    body = http.get(f"/Patient/{made.json()['id']}")
    assert body.headers["etag"] == 'W/"1"'
    assert "last-modified" in body.headers
    assert body.content == made.content


def test_an_id_in_a_post_is_not_kept(http: httpx.Client) -> None:
    assert post(http, patient(id="mine")).json()["id"] != "mine"


@pytest.mark.parametrize(
    ("wanted", "type_of_body"), [("minimal", None), ("representation", "Patient"), ("OperationOutcome",) * 2]
)
def test_prefer_return(http: httpx.Client, wanted: str, type_of_body: str | None) -> None:
    made = post(http, patient(), Prefer=f"return={wanted}")
    assert made.status_code == 201
    assert (made.json()["resourceType"] if made.content else None) == type_of_body


def test_conditional_read(http: httpx.Client) -> None:
    made = post(http, patient())
    path = f"/Patient/{made.json()['id']}"
    for headers, status in [
        ({"If-None-Match": 'W/"1"'}, 304),
        ({"If-None-Match": '"9", W/"1"'}, 304),
        ({"If-None-Match": 'W/"2"'}, 200),
        ({"If-Modified-Since": made.headers["last-modified"]}, 304),
        ({"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
    ]:
        answer = http.get(path, headers=headers)
        assert answer.status_code == status, headers
        assert bool(answer.content) == (status == 200)
        assert answer.headers["etag"] == 'W/"1"'


def test_update_and_if_match(http: httpx.Client) -> None:
    assert put(http, "/Patient/p1", patient(id="p1")).status_code == 201
    changed = put(http, "/Patient/p1", patient(id="p1", active=True), **{"If-Match": 'W/"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, 'W/"2"')
    stale = put(http, "/Patient/p1", patient(id="p1"), **{"If-Match": 'W/"1"'})
    assert stale.status_code == 412
    assert issue(stale)["code"] == "conflict"
    assert put(http, "/Patient/p1", patient(id="p1"), **{"If-Match": "nonsense"}).status_code == 412


@pytest.mark.parametrize(
    ("path", "resource", "where"),
    [
        ("/Patient/p1", patient(), "Patient.id"),
        ("/Patient/p1", patient(id="p2"), "Patient.id"),
        ("/Patient/p1", {"resourceType": "Observation", "id": "p1"}, "resourceType"),
        ("/Patient/p_1", patient(id="p_1"), None),
        (f"/Patient/{'x' * 65}", patient(id="x" * 65), None),
        ("/Patient/p1", patient(id="p1", meta=[]), "Patient.meta"),
        ("/Patient/p1", patient(id="p1", active="perhaps"), "Patient.active"),
    ],
)
def test_a_wrong_update_is_told_where(
    http: httpx.Client, path: str, resource: dict[str, Any], where: str | None
) -> None:
    answer = put(http, path, resource)
    assert answer.status_code == 400
    assert issue(answer).get("expression") == ([where] if where else None)


def test_conditional_create_and_update(http: httpx.Client) -> None:
    condition = {"If-None-Exist": f"identifier={SYSTEM}|1"}
    first, second = post(http, patient(), **condition), post(http, patient(active=True), **condition)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["location"] == first.headers["location"]
    updated = put(http, f"/Patient?identifier={SYSTEM}%7C1", patient(active=True))
    assert (updated.status_code, updated.headers["etag"]) == (200, 'W/"2"')
    post(http, patient())
    several = put(http, f"/Patient?identifier={SYSTEM}|1", patient())
    assert (several.status_code, issue(several)["code"]) == (412, "multiple-matches")
    assert post(http, patient(), **condition).status_code == 412
    for header in ("", "colour=red", "_count=1"):
        assert post(http, patient(), **{"If-None-Exist": header}).status_code == 400
    assert put(http, "/Patient", patient()).status_code == 400


def test_delete(http: httpx.Client) -> None:
    made = post(http, patient())
    path = f"/Patient/{made.json()['id']}"
    gone = http.delete(path)
    assert (gone.status_code, gone.content, gone.headers["etag"]) == (204, b"", 'W/"2"')
    assert http.delete(path).status_code == 204
    assert http.delete("/Patient/never").status_code == 204
    read = http.get(path)
    assert (read.status_code, issue(read)["code"]) == (410, "deleted")
    assert http.delete("/Patient").status_code == 400
    assert http.delete(f"/Patient?identifier={SYSTEM}|1").status_code == 204
    history = http.get(f"{path}/_history").json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "PUT"]


def test_search_pages_by_links_alone(http: httpx.Client) -> None:
    for number in range(5):
        post(http, patient(str(number)))
    seen: list[str] = []
    url: str | None = f"/Patient?identifier={SYSTEM}%7C&_count=2"
    while url:
        page = http.get(url).json()
        assert (page["type"], page["total"]) == ("searchset", 5)
        for entry in page["entry"]:
            assert entry["search"] == {"mode": "match"}
            assert http.get(entry["fullUrl"]).json() == entry["resource"]
            seen.append(entry["resource"]["identifier"][0]["value"])
        links = {link["relation"]: link["url"] for link in page["link"]}
        assert "self" in links
        url = links.get("next")
    assert seen == ["0", "1", "2", "3", "4"]


def test_search_by_post_get_and_head_agree(http: httpx.Client) -> None:
    post(http, patient())
    form = http.post("/Patient/_search", data={"identifier": f"{SYSTEM}|1"}, params={"_count": "5"})
    plain = http.get("/Patient", params={"identifier": f"{SYSTEM}|1", "_count": "5"})
    assert form.json()["entry"] == plain.json()["entry"]
    head = http.head("/Patient", params={"identifier": f"{SYSTEM}|1"})
    assert (head.status_code, head.content) == (200, b"")
    counted = http.get("/Patient", params={"_summary": "count"}).json()
    assert counted["total"] == 1
    assert "entry" not in counted
    wrong = http.post("/Patient/_search", content=b"{}", headers=FHIR)
    assert (wrong.status_code, issue(wrong)["location"]) == (415, ["http.Content-Type"])


def test_an_unknown_parameter_is_named(http: httpx.Client) -> None:
    answer = http.get("/Patient?colour=red")
    assert answer.status_code == 400
    assert issue(answer)["location"] == ["http.colour"]
    assert "colour" in issue(answer)["diagnostics"]
    lenient = http.get("/Patient?colour=red", headers={"Prefer": "handling=lenient"})
    assert lenient.status_code == 200
    assert "colour" not in lenient.json()["link"][0]["url"]


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Accept": "application/fhir+json"}, "", 200),
        ({"Accept": "application/json"}, "", 200),
        ({"Accept": "text/html, */*;q=0.1"}, "", 200),
        ({"Accept": "application/fhir+json; fhirVersion=4.0"}, "", 200),
        ({"Accept": "application/fhir+json; fhirVersion=3.0"}, "", 406),
        ({"Accept": "text/turtle"}, "", 406),
        ({"Accept": "application/json;q=0"}, "", 406),
        ({"Accept": "application/fhir+xml"}, "?_format=json", 200),
        ({}, "?_format=application/fhir+json", 200),
        ({}, "?_format=ttl", 406),
    ],
)
def test_content_negotiation(http: httpx.Client, headers: dict[str, str], query: str, status: int) -> None:
    answer = http.get(f"/Patient{query}", headers=headers)
    assert answer.status_code == status
    if status == 406:
        assert issue(answer)["code"] == "not-supported"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/fhir+json", 201),
        ("application/json; charset=UTF-8", 201),
        ("application/fhir+json; fhirVersion=4.0", 201),
        ("application/fhir+json; fhirVersion=5.0", 415),
        ("application/fhir+xml; charset=latin-1", 415),
        ("text/turtle", 415),
        ("application/json; charset=latin-1", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
def test_content_types(http: httpx.Client, content_type: str, status: int) -> None:
    assert post(http, patient(), **{"Content-Type": content_type}).status_code == status


def xml(resource: Any) -> bytes:
    return dumps_xml(loads(json.dumps(resource)))


def test_xml_in_both_directions(http: httpx.Client) -> None:
    sent = {"resourceType": "Observation", "status": "final", "code": {"text": "Đường huyết"}}
    body = xml(sent).replace(b"<status", b'<text><status value="generated"/>' + DIV + b"</text><status")
    said = {"Content-Type": "application/fhir+xml"}
    made = http.post("/Observation", content=body, headers=said)
    assert made.status_code == 201
    assert made.headers["content-type"] == "application/fhir+xml; charset=utf-8"  # as it was asked
    path = made.headers["location"].partition("/fhir")[2].partition("/_history")[0]
    stored = http.get(path).content
    assert json.loads(stored)["text"]["div"] == DIV.decode()
    asked = http.get(path, headers={"Accept": "application/fhir+xml, application/fhir+json;q=0.5"})
    assert asked.content == dumps_xml(loads(stored))
    assert asked.headers["etag"] == made.headers["etag"]
    for query in (
        "/Observation?_format=xml",
        "/metadata?_format=application/fhir+xml",
        f"{path}/_history?_format=xml",
    ):
        found = http.get(query)
        assert (found.status_code, found.headers["content-type"]) == (200, made.headers["content-type"])
        assert (
            loads_xml(found.content) == loads(http.get(query.partition("?")[0]).content)
            or "metadata" in query
        )
    both = {"Accept": "application/fhir+json, application/fhir+xml", **said}
    again = http.put(path, content=asked.content, headers=both)
    assert again.content == stored  # the same content, so the same version
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": path[1:]}}],
    }
    answer = http.post("", content=xml(bundle), headers=said)
    assert loads_xml(answer.content)["entry"][0]["resource"] == loads(stored)


def test_xml_is_refused_in_xml_with_its_place(http: httpx.Client) -> None:
    body = b'<Patient xmlns="http://hl7.org/fhir">\n<active valu="true"/></Patient>'
    answer = http.post("/Patient", content=body, headers={"Content-Type": "application/fhir+xml"})
    outcome = loads_xml(answer.content)
    assert answer.status_code == 400
    assert outcome["issue"][0]["diagnostics"].endswith("line 2, column 1: FHIR has no attribute valu here")
    deep = b"<extension>" * 1000 + b"</extension>" * 1000
    for odd in (b"", b"{}", body.replace(b"valu=", b"value="), body.replace(b'<active valu="true"/>', deep)):
        status = http.post("/Patient", content=odd, headers={"Content-Type": "text/xml"}).status_code
        assert status == (201 if b"value=" in odd else 413 if deep in odd else 400)
    for path in ("/nowhere", "/Patient/none", "/Patient?colour=red"):
        assert (
            loads_xml(http.get(path, headers={"Accept": "text/xml"}).content)["resourceType"]
            == "OperationOutcome"
        )


DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Nguyễn Thị  Ổn &#160;</p></div>'.encode()
BROKEN = {
    "nothing": b"",
    "white space": b"  \n",
    "half": b'{"resourceType":"Patient"',
    "text after it": b'{"resourceType":"Patient"} x',
    "no object": b"[]",
    "a number": b"7",
    "no type": b"{}",
    "type is no text": b'{"resourceType":["Patient"]}',
    "another type": b'{"resourceType":"Observation"}',
    "not UTF-8": b'{"resourceType":"Patient","name":[{"text":"\xff"}]}',
    "UTF-16": '{"resourceType":"Patient"}'.encode("utf-16"),
    "lone surrogate": b'{"resourceType":"Patient","name":[{"text":"\\ud800"}]}',
    "control character": b'{"resourceType":"Patient","name":[{"text":"\\u0000"}]}',
    "raw control character": b'{"resourceType":"Patient","name":[{"text":"\x00"}]}',
    "NaN": b'{"resourceType":"Patient","multipleBirthInteger":NaN}',
    "infinite": b'{"resourceType":"Patient","multipleBirthInteger":Infinity}',
    "huge exponent": b'{"resourceType":"Patient","multipleBirthInteger":1e999999999}',
    "tiny exponent": b'{"resourceType":"Patient","multipleBirthInteger":1e-99999}',
    "endless digits": b'{"resourceType":"Patient","multipleBirthInteger":' + b"9" * 5000 + b"}",
    "a property twice": b'{"resourceType":"Patient","active":true,"active":false}',
    "bottomless": b'{"resourceType":"Patient","x":' + b"[" * 20_000,
    "bottomless and closed": b"[" * 5_000 + b"]" * 5_000,
    "id is no text": b'{"resourceType":"Patient","id":7}',
    "meta is no object": b'{"resourceType":"Patient","meta":"x"}',
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_body_is_a_400(http: httpx.Client, body: bytes) -> None:
    answer = post(http, body)
    assert answer.status_code == 400
    assert issue(answer)["code"] in ("structure", "value", "required", "invalid", "too-costly")
    assert http.get("/Patient?_summary=count").json()["total"] == 0


ODD = [
    {"resourceType": "Patient", "identifier": 5, "name": "x", "meta": {"tag": 1}},
    {"resourceType": "Patient", "identifier": [None, [], {"value": 5}, {"system": 5, "value": "7"}]},
    {"resourceType": "Observation", "subject": [{"reference": 5}], "basedOn": {"reference": {"x": 1}}},
    {"resourceType": "Observation", "subject": {"reference": ""}, "basedOn": [{"reference": "?"}]},
    {"resourceType": "Patient", "identifier": [{"system": "s" * 9000, "value": "v" * 9000}]},
    {"resourceType": "Patient", "text": {"div": 5}, "multipleBirthInteger": 12345678901234567890123},
    {"resourceType": "Patient", "id": None, "meta": {"versionId": "9", "lastUpdated": 5}},
]


@pytest.mark.parametrize("resource", ODD)
def test_odd_shapes_are_no_server_error(http: httpx.Client, resource: dict[str, Any]) -> None:
    kind = resource["resourceType"]
    single = post(http, resource, f"/{kind}")
    assert single.status_code in (201, 400), single.text
    bundle = {"resourceType": "Bundle", "type": "transaction",
              "entry": [{"resource": resource, "request": {"method": "POST", "url": kind}}]}  # fmt: skip
    assert post(http, bundle, "").status_code in (200, 400)


ODD_BUNDLES = [
    {"entry": {}}, {"entry": "x"}, {"entry": [[]]}, {"entry": [{"request": []}]},
    {"entry": [{"request": {"method": 5, "url": 5}}]},
    {"entry": [{"request": {"method": "GET", "url": "?"}}]},
    {"entry": [{"request": {"method": "GET", "url": "Patient/1/_history/x/y"}}]},
    {"entry": [{"request": {"method": "GET", "url": "Patient?identifier=%00"}}]},
    {"entry": [{"request": {"method": "DELETE", "url": "Patient"}}]},
    {"entry": [{"fullUrl": 5, "resource": patient(), "request": {"method": "POST", "url": "Patient"}}]},
    {"entry": [{"resource": 5, "request": {"method": "POST", "url": "Patient"}}]},
    {"entry": [{"resource": patient(), "request": {"method": "POST", "url": "Patient", "ifNoneExist": 5}}]},
    {"entry": [{"resource": patient(), "request": {"method": "PUT", "url": "Patient?", "ifMatch": {}}}]},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_BUNDLES)
def test_odd_bundles_are_told_where(http: httpx.Client, odd: dict[str, Any]) -> None:
    answer = post(http, {"resourceType": "Bundle", "type": "transaction", **odd}, "")
    assert answer.status_code == 400, answer.text
    assert issue(answer)["expression"][0].startswith("Bundle.entry")


def test_a_long_body_is_refused_while_it_is_read(http: httpx.Client) -> None:
    for size in (60_000, 190_000):
        declared = post(http, b" " * size)
        assert (declared.status_code, issue(declared)["code"]) == (413, "too-long")
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(2_000):
            sent += 1
            yield b" " * 10_000

    try:
        chunked = http.post("/Patient", content=endless(), headers=FHIR)
    except httpx.TransportError:
        pass  # the server hung up on us, which is right too
    else:
        assert chunked.status_code == 413
    assert sent < 2_000


def test_gzip(http: httpx.Client) -> None:
    packed = {"Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(patient()).encode())
    assert post(http, body, **packed).status_code == 201
    assert post(http, gzip.compress(b" " * 100_000_000), **packed).status_code == 413
    assert post(http, body[:-9], **packed).status_code == 400
    assert post(http, b"not gzip", **packed).status_code == 400
    assert post(http, body, **{"Content-Encoding": "br"}).status_code == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 405),
        ("PUT", "", 405),
        ("POST", "/metadata", 405),
        ("POST", "/Patient/1", 405),
        ("OPTIONS", "/Patient", 405),
        ("PUT", "/Patient/1/_history", 405),
        ("GET", "/Patient/1", 404),
        ("GET", "/Patient/1/_history", 404),
        ("GET", "/Patient/1/_history/1", 404),
        ("GET", "/Patient/a_b", 404),
        ("GET", "/Nothing", 404),
        ("GET", "/Nothing/1", 404),
        ("GET", "/patient", 404),
        ("GET", "/Patient/1/Observation", 404),
        ("GET", "/Patient/$everything", 404),
        ("GET", "/../secret", 404),
        ("GET", "/Patient/%00", 404),
    ],
)
def test_what_is_not_there_is_an_outcome(http: httpx.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    issue(answer)
    assert ("allow" in answer.headers) == (status == 405)


def test_a_bundle_of_very_many_entries_is_refused_before_it_is_read(http: httpx.Client) -> None:
    for kind in ("batch", "transaction"):
        answer = post(http, {"resourceType": "Bundle", "type": kind, "entry": [0] * 1001}, "")
        said = issue(answer)
        assert (answer.status_code, said["code"], said["expression"]) == (413, "too-costly", ["Bundle.entry"])


def test_many_errors_are_not_all_told(http: httpx.Client) -> None:
    answer = post(http, {"resourceType": "Bundle", "type": "transaction", "entry": [0] * 1000}, "")
    assert (answer.status_code, len(answer.json()["issue"])) == (400, 100)
    answer = post(http, {"resourceType": "Bundle", "type": "batch", "entry": [0] * 1000}, "")
    outcomes = [entry["response"]["outcome"]["issue"] for entry in answer.json()["entry"]]
    assert [len(issues) for issues in outcomes] == [1] * 1000
    assert len(many_issues(http, "/Patient/$validate")) == 100
    assert len(many_issues(http, "/Patient")) == 100
    many = {"resource": patient(active="many"), "request": {"method": "POST", "url": "Patient"}}
    answer = post(http, {"resourceType": "Bundle", "type": "batch", "entry": [many] * 3}, "")
    outcomes = [entry["response"]["outcome"]["issue"] for entry in answer.json()["entry"]]
    assert [len(issues) for issues in outcomes] == [100, 1, 1]


def many_issues(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    issues: list[dict[str, Any]] = post(http, patient(active="many"), path).json()["issue"]
    return issues


def test_only_bundles_go_to_the_base(http: httpx.Client) -> None:
    assert issue(post(http, patient(), ""))["expression"] == ["resourceType"]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": []}
    for path in ("", "/"):
        assert post(http, bundle, path).json() == {"resourceType": "Bundle", "type": "batch-response"}
    stored = post(http, {"resourceType": "Bundle", "type": "collection"}, "/Bundle")
    assert stored.status_code == 201


def test_validate_stores_nothing(http: httpx.Client) -> None:
    answer = post(http, patient(active="perhaps"), "/Patient/$validate")
    assert answer.status_code == 200
    assert answer.json()["issue"][0]["expression"] == ["Patient.active"]
    assert http.get("/Patient?_summary=count").json()["total"] == 0


def test_validate_compares_the_type_with_the_url(http: httpx.Client) -> None:
    answer = post(http, {"resourceType": "Observation"}, "/Patient/$validate")
    assert (answer.status_code, issue(answer)["expression"]) == (200, ["resourceType"])


def parameters(*said: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": list(said)}


def test_validate_takes_the_resource_in_parameters_too(http: httpx.Client) -> None:
    """As R4 has it, and as HAPI's client sends it."""
    wrong = {"name": "resource", "resource": patient(active="perhaps")}
    mode = {"name": "mode", "valueCode": "create"}
    answer = post(http, parameters(mode, wrong), "/Patient/$validate")
    assert (answer.status_code, issue(answer)["expression"]) == (200, ["Patient.active"])
    right = {"name": "resource", "resource": patient()}
    assert post(http, parameters(right), "/Patient/$validate").json()["issue"][0]["severity"] == "information"
    answer = post(http, parameters(right), "/Observation/$validate")
    assert (answer.status_code, issue(answer)["expression"]) == (200, ["resourceType"])


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        (parameters(), "", 400),
        ({"resourceType": "Parameters", "parameter": "x"}, "", 400),
        (parameters("x", {"name": "resource", "valueString": "x"}), "", 400),
        (parameters({"name": "resource", "resource": {"id": "x"}}), "", 400),
        (parameters(*[{"name": "resource", "resource": patient()}] * 2), "", 400),
        (patient(), "?profile=http://example.org/p", 422),
        (patient(), "?mode=delete", 422),
        (parameters({"name": "resource", "resource": patient()}, {"name": "profile"}), "", 422),
        (parameters({"name": "resource", "resource": patient()}, {"name": "mode"}), "", 422),
    ],
)
def test_validate_refuses_what_it_would_have_to_pass_over(
    http: httpx.Client, body: dict[str, Any], query: str, status: int
) -> None:
    answer = post(http, body, f"/Patient/$validate{query}")
    assert (answer.status_code, bool(issue(answer))) == (status, True)


def test_a_byte_order_mark_is_no_error(http: httpx.Client) -> None:
    assert post(http, b"\xef\xbb\xbf" + json.dumps(patient()).encode()).status_code == 201


def test_an_issue_about_a_header_names_the_header(http: httpx.Client) -> None:
    made = post(http, patient()).json()
    for headers, name in (({"If-Match": 'W/"7"'}, "If-Match"), ({"If-None-Match": "*"}, "If-None-Match")):
        answer = put(http, f"/Patient/{made['id']}", {**made, "active": True}, **headers)
        assert (answer.status_code, issue(answer)["location"]) == (412, [f"http.{name}"])


def test_history_since_and_pages(http: httpx.Client) -> None:
    for number in range(3):
        put(http, "/Patient/p1", patient(id="p1", multipleBirthInteger=number))
    page = http.get("/Patient/p1/_history?_count=2").json()
    assert (page["type"], page["total"], len(page["entry"])) == ("history", 3, 2)
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    last = http.get(following).json()
    assert [entry["resource"]["meta"]["versionId"] for entry in last["entry"]] == ["1"]
    late = http.get("/Patient/p1/_history", params={"_since": "2999-01-01"}).json()
    assert late["total"] == 0
    assert http.get("/Patient/p1/_history?_count=x").status_code == 400


def test_the_history_of_a_type_and_of_all(http: httpx.Client) -> None:
    for number in range(3):
        put(http, "/Patient/p1", patient(id="p1", multipleBirthInteger=number))
    put(http, "/Observation/o1", {"resourceType": "Observation", "id": "o1"})
    http.delete("/Patient/p1")

    def walked(path: str) -> list[tuple[str, str]]:
        found, url = [], f"{path}?_count=2&_since=2020-01-01"
        while url:
            page = http.get(url).json()
            assert page["type"] == "history"
            found += [(e["request"]["method"], e["response"]["etag"]) for e in page.get("entry", ())]
            url = next((one["url"] for one in page["link"] if one["relation"] == "next"), "")
        return found

    patients = [("DELETE", 'W/"4"'), *(("PUT", f'W/"{number}"') for number in (3, 2, 1))]
    assert walked("/Patient/_history") == patients
    everything = walked("/_history")
    assert sorted(everything) == sorted([*patients, ("PUT", 'W/"1"')])
    batch = {"resourceType": "Bundle", "type": "batch"}
    urls = ("Patient/_history?_count=1", "_history", "Nothing/_history", "_history?_count=x")
    batch["entry"] = [{"request": {"method": "GET", "url": url}} for url in urls]
    one, all_, unknown, odd = post(http, batch, "").json()["entry"]
    assert len(one["resource"]["entry"]) == 1
    assert one["resource"]["link"][1]["url"].startswith(f"{http.base_url}Patient/_history?_count=1&_cursor=")
    assert len(all_["resource"]["entry"]) == 5
    assert unknown["response"]["status"] == f"{http.get('/Nothing/_history').status_code} Not Found"
    assert odd["response"]["status"] == "400 Bad Request"
    with httpx.Client(base_url=http.base_url, headers={"x-owner": "stranger"}) as stranger:
        assert "entry" not in stranger.get("/_history").json()
        assert "entry" not in stranger.get("/Patient/_history").json()
    for path in ("/_history?_cursor=WzEsMiwzLDRd", "/Patient/_history?_cursor=1", "/_history?_at=2020"):
        assert http.get(path).status_code == 400
    assert post(http, patient(), "/Patient/_history").headers["allow"] == "GET, HEAD"


def test_decimals_survive_the_round_trip(http: httpx.Client) -> None:
    body = b'{"resourceType":"Observation","valueQuantity":{"value":5.300}}'
    made = post(http, body, "/Observation")
    assert str(loads(made.content)["valueQuantity"]["value"]) == "5.300"


def test_security_headers_are_on_errors_too(http: httpx.Client) -> None:
    for path in ("/metadata", "/Nothing"):
        headers = http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert (headers["x-frame-options"], headers["referrer-policy"]) == ("DENY", "no-referrer")
        assert headers["content-type"].startswith("application/fhir+json")


def test_an_unexpected_failure_tells_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    store.create_tables(engine)

    def broken(resource: dict[str, Any]) -> list[Issue]:
        raise RuntimeError(f"secret {resource}")

    app = fhir_app(Repository(engine, validate=broken), identify=lambda _: "me", description="test")
    with serving(app) as url:
        answer = plainly.post(f"{url}/fhir/Patient", content=json.dumps(patient("0123456789")), headers=FHIR)
    assert answer.status_code == 500
    assert issue(answer)["code"] == "exception"
    printed = "".join(capfd.readouterr())
    assert "secret" not in answer.text + printed
    assert "0123456789" not in answer.text + printed


def test_a_database_that_is_away_is_a_503(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'empty.db'}")  # without tables
    app = fhir_app(Repository(engine), identify=lambda _: "me", description="test")
    with serving(app) as url:
        answer = plainly.get(f"{url}/fhir/Patient")
        assert plainly.get(f"{url}/health").json() == {"status": "ok"}
        assert plainly.get(f"{url}/health/live").status_code == 200
        assert plainly.get(f"{url}/elsewhere").json()["resourceType"] == "OperationOutcome"
    assert (answer.status_code, issue(answer)["code"]) == (503, "transient")
    assert answer.headers["retry-after"] == "5"


def test_last_updated_is_now(http: httpx.Client) -> None:
    stamp = post(http, patient()).json()["meta"]["lastUpdated"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()) < 60
