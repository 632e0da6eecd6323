"""FHIRPath Patch over real HTTP (http://hl7.org/fhir/R4/fhirpatch.html): simple paths, whatever is sent."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from adapter.database import open_database
from adapter.fhir.validation.checker import check_resource
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.repository.store import create_tables
from adapter.testing import serving
from adapter.web.app import fhir_app

FHIR = {"Content-Type": "application/fhir+json"}
AN = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:x", "value": "1"}, {"system": "urn:y", "value": "2", "use": "old"}],
    "name": [{"use": "official", "family": "Trần", "given": ["An", "Anna"]}, {"text": "An"}],
    "birthDate": "1960-01-02",
    "contact": [{"relationship": [{"text": "vợ"}], "name": {"text": "Bình"}}],
    "extension": [{"url": "urn:e", "valueString": "cũ"}],
}
OLD = "where(system='urn:y' and use='old')"
POTASSIUM = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"text": "Kali"},
    "valueQuantity": {"value": 5.30, "unit": "mmol/L"},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('patch') / 'fhir.db'}")
    create_tables(engine)
    limits = RequestLimits(max_patch_operations=20, max_patched_bytes=60_000)
    repository = Repository(engine, validate=check_resource, limits=limits)
    app = fhir_app(repository, identify=lambda request: request.headers["x-owner"], description="test")
    with serving(app) as url:
        yield f"{url}/fhir"
    engine.dispose()


@pytest.fixture
def http(base: str, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Of a hospital of its own, so that each test begins with the same two resources."""
    headers = {**FHIR, "x-owner": str(abs(hash(request.node.nodeid)))}
    with httpx.Client(base_url=base, headers=headers) as client:
        for one in (AN, POTASSIUM):
            assert client.put(f"/{one['resourceType']}/{one['id']}", json=one).status_code == 201
        yield client


def operation(type_: str, path: str, **more: Any) -> dict[str, Any]:
    """`value` is a part without its name; numbers are whole ones."""
    parts: list[dict[str, Any]] = [
        {"name": "type", "valueCode": type_},
        {"name": "path", "valueString": path},
    ]
    for name, said in more.items():
        if name == "value":
            parts.append({"name": "value", **said})
        else:
            parts.append({"name": name, "valueInteger" if isinstance(said, int) else "valueString": said})
    return {"name": "operation", "part": parts}


def parameters(*operations: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": list(operations)}


def patch(http: httpx.Client, path: str, *operations: Any, **headers: str) -> httpx.Response:
    return http.patch(path, content=json.dumps(parameters(*operations)), headers=headers)


def patched(http: httpx.Client, *operations: Any, path: str = "/Patient/p1") -> dict[str, Any]:
    answer = patch(http, path, *operations)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = http.get(path).json()
    assert found == answer.json()
    return found


def test_each_operation_does_what_r4_says(http: httpx.Client) -> None:
    done = patched(
        http,
        operation("add", "Patient", name="gender", value={"valueCode": "male"}),
        operation("add", "Patient", name="deceased", value={"valueBoolean": True}),
        operation("add", "Patient.name[0]", name="given", value={"valueString": "Ba"}),
        operation("insert", "Patient.name[0].given", index=0, value={"valueString": "Bà"}),
        operation("move", "Patient.name.first().given", source=3, destination=1),
        operation("delete", "Patient.name.where(text = 'An')"),
        operation("delete", "Patient.telecom"),  # nothing is there, and nothing is wrong
        operation("replace", "birthDate", value={"valueDate": "1961"}),
        operation(
            "replace",
            "Patient.identifier.where(system='urn:y' and use='old').value",
            value={"valueString": "3"},
        ),
        operation("replace", "Patient.extension('urn:e').value", value={"valueCode": "moi"}),
    )
    assert done["gender"] == "male"
    assert done["deceasedBoolean"] is True
    assert done["name"] == [{"use": "official", "family": "Trần", "given": ["Bà", "Ba", "An", "Anna"]}]
    assert (done["birthDate"], done["identifier"][1]["value"]) == ("1961", "3")
    assert done["extension"] == [{"url": "urn:e", "valueCode": "moi"}]
    assert [one["resource"]["id"] for one in http.get("/Patient?birthdate=1961").json()["entry"]] == ["p1"]


def test_an_element_without_a_type_of_its_own_is_made_of_parts(http: httpx.Client) -> None:
    name = {"name": "name", "valueHumanName": {"text": "Chi"}}
    relation = {"name": "relationship", "valueCodeableConcept": {"text": "con"}}
    more = {"name": "relationship", "valueCodeableConcept": {"text": "người báo tin"}}
    added = patched(http, operation("add", "Patient", name="contact", value={"part": [name, relation, more]}))
    assert added["contact"][1] == {
        "name": {"text": "Chi"},
        "relationship": [{"text": "con"}, {"text": "người báo tin"}],
    }


def test_a_choice_is_named_without_its_type(http: httpx.Client) -> None:
    path = "/Observation/o1"
    unit = operation("replace", "Observation.value.ofType(Quantity).unit", value={"valueString": "mmol"})
    assert patched(http, unit, path=path)["valueQuantity"] == {"value": 5.3, "unit": "mmol"}
    text = operation("replace", "Observation.value", value={"valueString": "tan máu"})
    done = patched(http, text, path=path)
    assert (done["valueString"], "valueQuantity" in done) == ("tan máu", False)
    second = operation("add", "Observation", name="value", value={"valueInteger": 1})
    assert patch(http, path, second).status_code == 422, "there is one already, of another type"
    assert "valueString" not in patched(http, operation("delete", "Observation.value"), path=path)


def test_extensions_of_primitives_stay_beside_their_values(http: httpx.Client) -> None:
    note = {"extension": [{"url": "urn:n", "valueString": "x"}]}
    name = {"given": ["A", "B", "C"], "_given": [None, note, None]}
    http.put("/Patient/p2", json={"resourceType": "Patient", "id": "p2", "name": [name]})
    inserted = operation("insert", "Patient.name[0].given", index=0, value={"valueString": "Z"})
    moved = operation("move", "Patient.name[0].given", source=2, destination=3)
    [found] = patched(http, inserted, moved, path="/Patient/p2")["name"]
    assert found == {"given": ["Z", "A", "C", "B"], "_given": [None, None, None, note]}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (operation("replace", "Patient.name", value={"valueHumanName": {"text": "x"}}), 422),
        (operation("replace", "Patient.gender", value={"valueCode": "male"}), 422),
        (operation("replace", "Patient.birthDate", value={"valueString": "1960"}), 422),
        (operation("replace", "Patient.birthDate", value={"valueDate": "yesterday"}), 400),
        (operation("replace", "Patient.name[0]", value={"valueAddress": {"text": "x"}}), 422),
        (operation("replace", "Patient.id", value={"valueId": "p2"}), 422),
        (operation("replace", "Patient", value={"resource": {"resourceType": "Patient", "id": "p2"}}), 422),
        (operation("add", "Patient", name="birthDate", value={"valueDate": "1960"}), 422),
        (operation("add", "Patient", name="nonsense", value={"valueString": "x"}), 422),
        (operation("add", "Patient.birthDate", name="x", value={"valueString": "x"}), 422),
        (
            operation("add", "Patient", name="gender", value={"valueCode": "x", "_valueCode": {"id": "7"}}),
            422,
        ),
        (operation("insert", "Patient.name", index=3, value={"valueHumanName": {"text": "x"}}), 422),
        (operation("insert", "Patient.name[0]", index=0, value={"valueHumanName": {"text": "x"}}), 422),
        (operation("insert", "Patient.birthDate", index=0, value={"valueDate": "1960"}), 422),
        (operation("move", "Patient.name", source=0, destination=2), 422),
        (operation("move", "Patient.name", source=-1, destination=0), 400),
        (operation("move", "Patient.name", source=0), 400),
        (operation("delete", "Patient.name"), 422),
        (operation("copy", "Patient.name"), 400),
        (operation("delete", "Patient.name.where(use = 'official').given.combine(x)"), 422),
        (operation("delete", "Patient.name.where(given.exists())"), 422),
        (operation("delete", "Patient.managingOrganization.resolve()"), 422),
        (operation("delete", "Patient.descendants()"), 422),
        (operation("delete", "Patient.repeat(contact)"), 422),
        (operation("delete", "%resource.name"), 422),
        (operation("delete", "name | contact"), 422),
        (operation("delete", ""), 422),
        (operation("delete", ".name"), 422),
        (operation("delete", "Patient" + ".name" * 31), 422),
        (operation("delete", "name" + " " * 1000), 422),
        (operation("delete", "name.where(" + "text = 'x' and " * 40 + "text = 'x')"), 422),
        ({"name": "operation"}, 400),
        ({"name": "other", "part": []}, 400),
        (7, 400),
        ({"name": "operation", "part": [{"name": "type", "valueCode": "delete"}] * 2}, 400),
    ],
    ids=lambda one: str(one)[-90:],
)
def test_what_cannot_be_done_is_said_in_words_and_changes_nothing(
    http: httpx.Client, sent: Any, status: int
) -> None:
    first = operation("delete", "Patient.contact[0]")
    answer = patch(http, "/Patient/p1", first, sent)
    issue = answer.json()["issue"][0]
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert issue["expression"][0].startswith(("Parameters.parameter[1]", "Patient.")), issue
    assert http.get("/Patient/p1").headers["etag"] == 'W/"1"'


def test_a_patch_costs_what_its_limits_say(http: httpx.Client) -> None:
    one = operation("delete", "Patient.telecom")
    assert patch(http, "/Patient/p1", *[one] * 20).status_code == 200
    assert patch(http, "/Patient/p1", *[one] * 21).status_code == 413
    many = {"resourceType": "Patient", "id": "p3", "name": [{"text": str(n)} for n in range(400)]}
    http.put("/Patient/p3", json=many)
    looking = [operation("delete", f"Patient.name.where(text = 'x{n}')") for n in range(20)]
    answer = patch(http, "/Patient/p3", *looking)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "too-costly")
    assert patch(http, "/Patient/p3", looking[0]).status_code == 200


def test_conditions_and_versions_hold_as_for_any_patch(http: httpx.Client) -> None:
    change = operation("delete", "Patient.birthDate")
    assert patch(http, "/Patient/p1", change, **{"If-Match": 'W/"7"'}).status_code == 412
    assert patch(http, "/Patient?identifier=urn:x|none", change).status_code == 404
    assert "birthDate" not in patch(http, "/Patient?identifier=urn:x|1", change).json()


def test_anothers_resource_is_as_one_that_there_is_not(http: httpx.Client) -> None:
    change = operation("delete", "Patient.birthDate")
    refused = patch(http, "/Patient/p1", change, **{"x-owner": "another"})
    never = patch(http, "/Patient/never", change, **{"x-owner": "another"})
    assert (refused.status_code, refused.json()) == (404, never.json())
    by_number = patch(http, "/Patient?identifier=urn:x|1", change, **{"x-owner": "another"})
    assert by_number.status_code == 404
    assert http.get("/Patient/p1").json()["birthDate"] == "1960-01-02"


def test_it_comes_in_bundles_and_in_xml(http: httpx.Client) -> None:
    change = operation("replace", "Patient.birthDate", value={"valueDate": "1962"})
    entry = {"resource": parameters(change), "request": {"method": "PATCH", "url": "Patient/p1"}}
    wrong = {**entry, "request": {"method": "PATCH", "url": "Patient/never"}}
    sent = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    assert http.post("", json=sent).status_code == 200
    assert http.get("/Patient/p1").json()["birthDate"] == "1962"
    assert http.post("", json={**sent, "entry": [entry, wrong]}).status_code in (400, 404)
    batch = http.post("", json={**sent, "type": "batch", "entry": [entry, wrong]}).json()
    assert [one["response"]["status"][:3] for one in batch["entry"]] == ["200", "404"]
    part = '<part><name value="type"/><valueCode value="delete"/></part>'
    part += '<part><name value="path"/><valueString value="Patient.birthDate"/></part>'
    xml = f'<parameter><name value="operation"/>{part}</parameter>'
    xml = f'<Parameters xmlns="http://hl7.org/fhir">{xml}</Parameters>'
    answer = http.patch("/Patient/p1", content=xml, headers={"Content-Type": "application/fhir+xml"})
    assert answer.status_code == 200, answer.text
    assert "birthDate" not in http.get("/Patient/p1").json()
    assert "application/fhir+json" in http.get("/metadata").json()["patchFormat"]
