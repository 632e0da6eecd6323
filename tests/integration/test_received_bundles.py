"""Bundles of every type are taken in as what they are, and senders' clients as they are."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from endpoint_centre import CCCD, HOME, PATIENT, calling, centre_of_one, request_bundle

from adapter.database import read_transaction
from adapter.inbox.tables import inbox_item
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.testing import Centre

QUERY = f"identifier={CCCD}|024060012345"
UUID = "urn:uuid:11111111-1111-4111-8111-11111111111"
LAB = "https://bv-tinh.example/fhir/sid/result"
BAD = {"resourceType": "Observation", "status": "nonsense", "code": {"text": "Kali"}}
IMMUNIZATION = {
    "resourceType": "Immunization",
    "status": "completed",
    "vaccineCode": {"text": "x"},
    "patient": {"display": "x"},
    "occurrenceString": "x",
}


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    with centre_of_one(tmp_path / "centre", database_url) as centre:
        yield centre


@pytest.fixture
def hospital(centre: Centre) -> Iterator[httpx.Client]:
    with calling(centre) as client:
        yield client


def result(number: str, subject: str = f"{UUID}0", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": LAB, "value": number}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Kali"},
        "subject": {"reference": subject},
        "issued": "2026-11-02T09:40:00+07:00",
        "valueQuantity": {"value": 4.1, "unit": "mmol/L"},
        **more,
    }


def holding(kind: str | None, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = {"resourceType": "Bundle", "type": kind, "entry": list(entries), **more}
    return {name: part for name, part in found.items() if part is not None}


def at(number: int, resource: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"fullUrl": f"{UUID}{number}", "resource": resource, **more}


def states(centre: Centre) -> dict[str, str]:
    """What the inbox makes of each type."""
    with centre.open() as adapter:
        process_inbox(adapter, lambda: datetime.now(UTC))
        with read_transaction(adapter.engine) as connection:
            rows = connection.execute(inbox_item.select().order_by(inbox_item.c.id)).all()
    return {row.type: row.state for row in rows}


def locations(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["response"]["location"] for entry in answer.json()["entry"]]


def answers(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["response"]["status"][:3] for entry in answer.json()["entry"]]


MESSAGE = {
    "resourceType": "MessageHeader",
    "id": "m1",
    "eventCoding": {"system": "urn:x", "code": "R01"},
    "source": {"endpoint": "urn:lab"},
    "focus": [{"reference": f"{UUID}1"}],
}
COMPOSITION = {
    "resourceType": "Composition",
    "identifier": {"system": LAB, "value": "doc-7"},
    "status": "final",
    "type": {"text": "Giấy ra viện"},
    "subject": {"reference": f"{UUID}0"},
    "date": "2026-11-02",
    "author": [{"display": "BS. Trần"}],
    "title": "Giấy ra viện",
    "section": [{"title": "Xét nghiệm", "entry": [{"reference": f"{UUID}1"}]}],
}


@pytest.mark.parametrize("kind", ["collection", "searchset", "message", "document", None])
def test_what_a_bundle_of_any_type_holds_reaches_the_record(
    centre: Centre, hospital: httpx.Client, kind: str | None
) -> None:
    heads = {"message": [at(9, MESSAGE)], "document": [at(9, COMPOSITION)]}
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "warning", "code": "informational"}],
    }
    said = [{"resource": outcome, "search": {"mode": "outcome"}}] if kind == "searchset" else []
    sent = holding(kind, *heads.get(kind or "", []), at(0, PATIENT), at(1, result("S1")), *said)
    expected = {"message": ["202"], "document": ["201"]}.get(kind or "", [])
    last = {"searchset": ["202"], "document": ["201"]}.get(kind or "", [])
    assert answers(hospital.post("/fhir", json=sent)) == [*expected, "201", "201", *last]
    found = states(centre)
    assert found["Observation"] == "applied"
    assert found.get("DocumentReference") == ("unmatched" if kind == "document" else None)
    again = answers(hospital.post("/fhir", json=sent))
    assert "201" not in again, "the same again makes nothing new"
    assert states(centre) == found


def test_a_document_is_kept_whole_and_its_next_version_is_one(centre: Centre, hospital: httpx.Client) -> None:
    sent = holding(
        "document", at(9, COMPOSITION), at(0, PATIENT), at(1, result("S1")), timestamp="2026-11-02T10:00:00Z"
    )
    places = [
        entry["response"]["location"] for entry in hospital.post("/fhir/Bundle", json=sent).json()["entry"]
    ]
    kept = hospital.get(f"/fhir/{places[-1]}").json()
    assert (kept["entry"], kept["timestamp"]) == (sent["entry"], sent["timestamp"])
    reference = hospital.get(f"/fhir/{places[0]}").json()
    assert reference["content"][0]["attachment"]["url"] == f"Bundle/{kept['id']}"
    assert reference["subject"]["reference"] == places[1].partition("/_history")[0]
    corrected = {**COMPOSITION, "status": "amended", "title": "Giấy ra viện (sửa)"}
    newer = holding("document", at(9, corrected), at(0, PATIENT), at(1, result("S1")))
    assert answers(hospital.post("/fhir", json=newer)) == ["200", "200", "200", "201"]
    history = hospital.get(f"/fhir/DocumentReference/{reference['id']}/_history").json()
    assert [one["resource"]["docStatus"] for one in history["entry"]] == ["amended", "final"]
    assert hospital.get(f"/fhir/{places[-1]}").json() == kept
    assert hospital.put("/fhir/Bundle/x", json={**sent, "id": "x"}).status_code == 404
    assert hospital.post("/fhir", json=holding("document", at(0, PATIENT))).status_code == 400


def test_process_message_answers_with_a_message(centre: Centre, hospital: httpx.Client) -> None:
    [rest] = hospital.get("/fhir/metadata").json()["rest"]
    assert [one["name"] for one in rest["operation"]] == ["process-message"]
    sent = holding("message", at(9, MESSAGE), at(0, PATIENT), at(1, result("S1")), at(2, IMMUNIZATION))
    answer = hospital.post("/fhir/$process-message", json=sent)
    header, said = (entry["resource"] for entry in answer.json()["entry"])
    assert header["response"]["identifier"] == "m1"
    assert (header["response"]["code"], header["eventCoding"]) == ("ok", MESSAGE["eventCoding"])
    assert any("Immunization" in issue["diagnostics"] for issue in said["issue"])
    assert states(centre)["Observation"] == "applied"
    assert (
        hospital.post("/fhir/$process-message", json=holding("collection", at(0, PATIENT))).status_code == 400
    )
    broken = holding("message", at(9, MESSAGE), at(1, BAD))
    assert hospital.post("/fhir/$process-message", json=broken).status_code == 400
    assert [one["path"] for one in centre.run_json("inbox", "refused")] == ["$process-message"] * 2


def test_an_id_is_kept_only_where_a_full_url_says_whose_it_is(hospital: httpx.Client) -> None:
    def places(url: str | None, *notes: str) -> list[str]:
        named = {} if url is None else {"fullUrl": url}
        resources = (result("S1", "Patient/1", id="1", note=[{"text": one}]) for one in notes)
        sent = (holding("collection", {"resource": one, **named}) for one in resources)
        return [locations(hospital.post("/fhir", json=one))[0] for one in sent]

    assert places(f"{HOME}/Observation/1", "a", "b") == [f"Observation/1/_history/{one}" for one in (1, 2)]
    first, second = (one.split("/") for one in places("https://hub.example/fhir/Observation/1", "c", "d"))
    assert (first[1], second[3]) == (second[1], "2")
    third, fourth = (one.split("/") for one in places(None, "e", "f"))
    assert len({"1", first[1], third[1], fourth[1]}) == 4


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_what_is_not_used_here_refuses_nobody(centre: Centre, hospital: httpx.Client, kind: str) -> None:
    sent = request_bundle(
        PATIENT,
        IMMUNIZATION,
        result("S1", "Patient?identifier=http://fhir.ehealth.gov.vn/core/sid/citizen_id|024060012345"),
        kind=kind,
    )
    sent["entry"][1]["fullUrl"] = f"{UUID}7"
    sent["entry"][2]["resource"]["partOf"] = [{"reference": f"{UUID}7"}]
    answer = hospital.post("/fhir", json=sent)
    assert answers(answer) == ["201", "202", "201"]
    assert "not used" in answer.json()["entry"][1]["response"]["outcome"]["issue"][0]["diagnostics"]
    assert centre.run_json("inbox", "refused") == []
    alone = hospital.post("/fhir", json=request_bundle(IMMUNIZATION))
    assert (alone.status_code, alone.json()["issue"][0]["code"]) == (422, "not-supported")


def test_an_envelope_is_read_by_its_meaning_where_that_is_certain(hospital: httpx.Client) -> None:
    def entry(number: str, request: Any = None, **more: Any) -> dict[str, Any]:
        found = {"resource": result(number, "Patient/p1"), **more}
        return found if request is None else {**found, "request": request}

    for number, sent in enumerate((
        entry("1"),
        entry("2", {"method": "post", "url": "Observation"}),
        entry("3", {"method": "POST"}),
        entry("4", {"url": "Observation"}),
        entry("5", {"method": "POST", "url": "https://hub.example/fhir/Observation"}),
        entry("6", {"method": "POST", "url": "Observation/6"}),
        entry("7", {"method": "POST", "url": "/Observation/"}, fullUrl=""),
        entry("8", {"method": "PUT", "url": "Observation/o8"}),
    )):  # fmt: skip
        patient = {"resource": {**PATIENT, "id": "p1"}, "request": {"method": "POST", "url": "Patient"}}
        answer = hospital.post("/fhir", json=holding(" Transaction", patient, sent))
        assert answers(answer) == ["200" if number else "201", "201"], answer.text
        places = [one["response"]["location"].partition("/_history")[0] for one in answer.json()["entry"]]
        assert hospital.get(f"/fhir/{places[1]}").json()["subject"]["reference"] == places[0]
    for kind in ("history", "batch-response", "nonsense", 7):
        assert hospital.post("/fhir", json=holding(kind, entry("9"))).status_code == 400  # type: ignore[arg-type]
    wrong = entry("9", {"method": "PUT", "url": "Patient/1"})
    assert hospital.post("/fhir", json=holding("transaction", wrong)).status_code == 400


def test_a_task_may_name_what_it_is_based_on_by_a_urn(hospital: httpx.Client) -> None:
    task = {
        "resourceType": "Task",
        "status": "accepted",
        "intent": "order",
        "basedOn": [{"reference": f"{UUID}5"}],
    }
    assert answers(hospital.post("/fhir", json=request_bundle(task))) == ["201"]
    dangling = result("S1", f"{UUID}5")
    assert hospital.post("/fhir", json=request_bundle(dangling)).status_code == 400


def test_salvage_takes_what_is_sound_and_the_rest_waits(tmp_path: Path, database_url: str) -> None:
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}}
    sent = request_bundle(
        PATIENT,
        result("S1"),
        {**BAD, "subject": {"reference": f"{UUID}0"}},
        {**report, "result": [{"reference": f"{UUID}2"}]},
        {**report, "basedOn": [{"reference": "ServiceRequest?identifier=urn:x|1"}]},
    )
    for place, entry in enumerate(sent["entry"]):
        entry["fullUrl"] = f"{UUID}{place}"
    with (
        centre_of_one(tmp_path / "centre", database_url, salvage=True) as centre,
        calling(centre) as hospital,
    ):
        answer = hospital.post("/fhir", json=sent)
        assert answers(answer) == ["201", "201", "400", "424", "412"]
        assert states(centre)["Observation"] == "applied"
        [waits] = centre.run_json("inbox", "refused")
        left = json.loads(centre.run_json("inbox", "refused", str(waits["id"]))["body"])
        place = answer.json()["entry"][0]["response"]["location"].partition("/_history")[0]
        assert left["entry"][0]["resource"]["subject"]["reference"] == place
        kinds = [one["resource"]["resourceType"] for one in left["entry"]]
        assert kinds == ["Observation", "DiagnosticReport", "DiagnosticReport"]
        unsound = hospital.post("/fhir", json=request_bundle(BAD))
        assert unsound.status_code == 400


def test_without_salvage_a_transaction_stays_whole(centre: Centre, hospital: httpx.Client) -> None:
    assert hospital.post("/fhir", json=request_bundle(PATIENT, BAD)).status_code == 400
    assert hospital.get("/fhir/Patient").json()["total"] == 0
    assert len(centre.run_json("inbox", "refused")) == 1


def test_criteria_in_the_url_of_a_create_are_a_condition(hospital: httpx.Client) -> None:
    first = hospital.post(f"/fhir/Patient?{QUERY}", json=PATIENT)
    again = hospital.post(f"/fhir/Patient?{QUERY}&_format=json", json={**PATIENT, "active": True})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    for said in (f"{hospital.base_url}/fhir/Patient?{QUERY}", f"Patient?{QUERY}", QUERY):
        stated = hospital.post(
            "/fhir/Patient", json={**PATIENT, "active": False}, headers={"If-None-Exist": said}
        )
        assert (stated.status_code, stated.json()["id"]) == (200, first.json()["id"])
    both = hospital.post(f"/fhir/Patient?{QUERY}", json=PATIENT, headers={"If-None-Exist": "identifier=a|b"})
    assert both.status_code == 400
    for wrong in ("colour=red", "_count=1"):
        assert hospital.post(f"/fhir/Patient?{wrong}", json=PATIENT).status_code == 400
    other = {"If-None-Exist": f"https://other.example/fhir/Patient?{QUERY}"}
    assert hospital.post("/fhir/Patient", json=PATIENT, headers=other).status_code == 400
    entry = {
        "resource": {**PATIENT, "active": True},
        "request": {"method": "POST", "url": f"Patient?{QUERY}"},
    }
    assert answers(hospital.post("/fhir", json=holding("transaction", entry))) == ["200"]


def test_a_rest_hook_subscription_delivers_under_versions_of_its_own(hospital: httpx.Client) -> None:
    def put(id_: str, body: dict[str, Any], version: int | None = None) -> httpx.Response:
        headers = {} if version is None else {"If-Match": f'W/"{version}"'}
        return hospital.put(f"/fhir/Observation/{id_}", json={**body, "id": id_}, headers=headers)

    def noted(text: str, **more: Any) -> dict[str, Any]:
        return {**result("S1", "Patient/1", note=[{"text": text}]), **more}

    def deliver(version: int, text: str) -> httpx.Response:
        return put("o1", noted(text, meta={"versionId": str(version)}), version)

    got = [deliver(*one) for one in [(2, "a"), (2, "a"), (3, "b"), (7, "c"), (5, "b"), (7, "d")]]
    assert [one.status_code for one in got] == [201, 200, 200, 200, 412, 412]
    assert [one.headers["etag"] for one in got[:4]] == ['W/"1"', 'W/"1"', 'W/"2"', 'W/"3"']
    assert put("o1", noted("e")).headers["etag"] == 'W/"4"'
    assert put("o1", noted("g"), 2).status_code == 412
    assert deliver(8, "f").headers["etag"] == 'W/"5"', "what is noted outlives an update without a version"
    assert put("o2", noted("e")).status_code == 201
    assert put("o2", noted("z"), 9).status_code == 412
    assert put("o3", noted("e", meta={"versionId": "4"}), 3).status_code == 412


def test_a_version_that_was_overtaken_on_the_way_is_taken_and_a_stale_change_of_what_was_read_here_is_not(
    hospital: httpx.Client,
) -> None:
    """Refused, a rest-hook Subscription would try it for a minute, send nothing else, and give up."""

    def put(version: int, updated: str, text: str) -> httpx.Response:
        body = result("S1", "Patient/1", note=[{"text": text}])
        body |= {"id": "o1", "meta": {"versionId": str(version), "lastUpdated": updated}}
        return hospital.put("/fhir/Observation/o1", json=body, headers={"If-Match": f'W/"{version}"'})

    there = "2026-11-02T08:00:0{}.250Z"
    got = [put(version, there.format(version), f"lần {version}") for version in (5, 6, 9, 8, 7)]
    assert [one.status_code for one in got] == [201, 200, 200, 200, 200]
    assert [one.headers["etag"] for one in got] == [f'W/"{number}"' for number in range(1, 6)]
    written = hospital.get("/fhir/Observation/o1/_history/2").json()["meta"]["lastUpdated"]
    elsewhere = datetime.fromisoformat(written).astimezone(timezone(timedelta(hours=7)))
    for spelt in (written, elsewhere.isoformat()):
        stale = put(2, spelt, "đọc ở đây rồi sửa")
        assert (stale.status_code, stale.json()["issue"][0]["code"]) == (412, "conflict"), spelt
    assert hospital.get("/fhir/Observation/o1").headers["etag"] == 'W/"5"'


def test_a_notification_without_content_is_no_error(centre: Centre, hospital: httpx.Client) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "If-None-Exist": f"{hospital.base_url}/fhir",
    }
    for path in ("/fhir", "/fhir/"):
        answer = hospital.post(path, headers=headers)
        assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome")
    assert hospital.post("/fhir", content=b"a=b", headers=headers).status_code == 415
    assert len(centre.run_json("inbox", "refused")) == 1


def test_unknown_search_parameters_are_ignored_unless_handling_is_strict(hospital: httpx.Client) -> None:
    hospital.post("/fhir/Patient", json=PATIENT)
    found = hospital.get("/fhir/Patient?colour=red")
    assert (found.status_code, found.json()["total"]) == (200, 1)
    assert "colour" not in found.json()["link"][0]["url"]
    strict = hospital.get("/fhir/Patient?colour=red", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400
    assert hospital.put("/fhir/Patient?colour=red", json=PATIENT).status_code == 400


def test_gzip_may_have_several_members(hospital: httpx.Client) -> None:
    body = json.dumps(PATIENT).encode()
    packed = {"Content-Encoding": "gzip"}
    split = b"".join(gzip.compress(body[place : place + 9]) for place in range(0, len(body), 9))
    assert hospital.post("/fhir/Patient", content=split, headers=packed).status_code == 201
    for wrong in (split[:-4], split + b"tail", gzip.compress(b"") * 1001 + gzip.compress(body)):
        assert hospital.post("/fhir/Patient", content=wrong, headers=packed).status_code == 400
