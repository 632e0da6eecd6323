"""What the endpoint refuses for its content is not lost: it waits as it came, within bounds, for a person."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from endpoint_centre import DUC, PATIENT, calling, centre_of_one, request_bundle
from sqlalchemy import Engine, func, select

from adapter.audit import audit
from adapter.database import read_transaction, write_transaction
from adapter.fhir.operation_outcome import Issue
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.inbox.quarantine.store import QuarantineLimits, QuarantineStore
from adapter.inbox.quarantine.tables import refused_request, refused_volume
from adapter.telemetry import REFUSED_REQUESTS
from adapter.testing import Centre

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
BAD = {"resourceType": "Observation", "status": "nonsense", "code": {"text": "Kali"}}
CLAIM = {
    "resourceType": "Claim",
    "status": "active",
    "type": {"text": "x"},
    "use": "claim",
    "patient": {"display": "x"},
    "created": "2026-11-02",
    "provider": {"display": "x"},
    "priority": {"text": "x"},
    "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "x"}}],
}


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    with centre_of_one(tmp_path / "centre", database_url) as centre:
        yield centre


@pytest.fixture
def hospital(centre: Centre) -> Iterator[httpx.Client]:
    with calling(centre) as client:
        yield client


def waiting(centre: Centre) -> list[dict[str, Any]]:
    found = centre.run_json("inbox", "refused")
    assert isinstance(found, list)
    return found


def test_every_refused_write_waits_as_it_came(centre: Centre, hospital: httpx.Client) -> None:
    counted = REFUSED_REQUESTS.labels(hospital="bv-tinh", status="400")
    before = counted._value.get()
    spaced = json.dumps(BAD, indent=3)
    sent = [
        ("POST", "/fhir/Observation", spaced, {}, 400),
        ("POST", "/fhir/Observation", "{ no JSON", {}, 400),
        ("POST", "/fhir/Observation", "<Observation/>", {"Content-Type": "text/csv"}, 415),
        ("POST", "/fhir/Claim", json.dumps(CLAIM), {}, 404),
        ("PUT", "/fhir/Observation?identifier=a|b", json.dumps(BAD), {"If-Match": 'W/"1"'}, 400),
        ("POST", "/fhir", json.dumps(request_bundle(BAD)), {}, 400),
        ("POST", "/fhir", json.dumps(request_bundle(BAD, kind="batch")), {}, 200),
    ]
    for method, path, body, headers, status in sent:
        answer = hospital.request(method, path, content=body, headers=headers)
        assert answer.status_code == status, answer.text
    listed = list(reversed(waiting(centre)))
    assert [(one["method"], one["path"], one["status"]) for one in listed] == [
        (method, path.removeprefix("/fhir").lstrip("/").partition("?")[0], status if status > 200 else 400)
        for method, path, _, _, status in sent
    ]
    assert {one["kind"] for one in listed if one["path"] == ""} == {"400 code-invalid status"}
    shown = [centre.run_json("inbox", "refused", str(one["id"])) for one in listed]
    assert [one["body"] for one in shown[:-1]] == [body for _, _, body, _, _ in sent[:-1]]
    assert shown[4]["url"] == "Observation?identifier=a|b"
    assert shown[4]["conditions"] == {"if-match": 'W/"1"'}
    assert shown[0]["issues"][0]["expression"] == "Observation.status"
    assert counted._value.get() == before + 5
    assert "Observation.status" in centre.run("inbox", "refused", str(listed[0]["id"]))


def test_what_is_no_loss_is_not_kept(centre: Centre, hospital: httpx.Client) -> None:
    made = hospital.put("/fhir/Observation/a1", json={**BAD, "status": "final", "id": "a1"})
    stale = {"If-Match": 'W/"7"'}
    assert made.status_code == 201
    refused = [
        hospital.get("/fhir/Claim"),
        hospital.post("/fhir/Observation/$validate", json=BAD),
        hospital.post("/fhir/Observation", json=BAD, headers={"Authorization": "Bearer wrong"}),
        hospital.put("/fhir/Observation/a1", json={**BAD, "status": "final", "id": "a1"}, headers=stale),
        hospital.post("/fhir/Observation", content=b'{"a": "' + b"x" * 5_000_001 + b'"}'),
        hospital.delete("/fhir/Observation/a1"),
    ]
    assert [one.status_code for one in refused] == [404, 200, 401, 412, 413, 405]
    assert waiting(centre) == []
    assert "Nothing" in centre.run("inbox", "refused")


def test_the_same_again_is_one_row_and_a_problem_until_it_is_discarded(
    centre: Centre, hospital: httpx.Client
) -> None:
    for text in ("Kali", "Kali", "Natri"):
        hospital.post("/fhir/Observation", json={**BAD, "code": {"text": text}})
    hospital.post("/fhir/Observation", json={"resourceType": "Observation"})
    assert sorted(one["times"] for one in waiting(centre)) == [1, 1, 2]
    [problem] = [one for one in centre.run_json("status", "--problems", code=1) if one["code"] == "refused"]
    assert (problem["hospital"], problem["count"], problem["command"]) == (
        *("bv-tinh", 3),
        "adapter inbox refused",
    )
    assert "3 requests were refused for what they hold, of 2 kinds" in problem["words"]
    for one in waiting(centre):
        centre.run("inbox", "refused", "--discard", str(one["id"]))
    assert waiting(centre) == []
    assert centre.run_json("status", "--problems") == []
    with centre.open() as adapter, read_transaction(adapter.engine) as connection:
        rows = connection.execute(
            select(audit.c.hospital, audit.c.details).where(audit.c.action == "inbox.refused_discarded")
        ).all()
        assert connection.execute(select(refused_volume.c.bytes)).scalar_one() == 0
    assert len(rows) == 3
    assert {row.hospital for row in rows} == {"bv-tinh"}
    assert "Kali" not in str(rows)


def test_a_retry_takes_what_can_be_taken_now(centre: Centre, hospital: httpx.Client) -> None:
    """What a request refers to came meanwhile; what is refused still waits on, alone."""
    plain = {"resourceType": "Observation", "status": "final", "code": {"text": "Kali"}}
    unknown = {**plain, "subject": {"reference": "Patient?identifier=urn:x|1"}}
    assert hospital.post("/fhir", json=request_bundle(BAD, unknown, kind="batch")).status_code == 200
    assert hospital.post("/fhir/Observation", json=unknown).status_code == 412
    in_xml = (
        '<Observation xmlns="http://hl7.org/fhir"><status value="final"/><code><text value="Natri"/></code>'
        '<subject><reference value="Patient?identifier=urn:x|1"/></subject></Observation>'
    )
    xml = {"Content-Type": "application/fhir+xml"}
    assert hospital.post("/fhir/Observation", content=in_xml, headers=xml).status_code == 412
    numbers = sorted(one["id"] for one in waiting(centre))
    patient = {**PATIENT, "identifier": [{"system": "urn:x", "value": "1"}]}
    for number in numbers:
        again = centre.run_json("inbox", "refused", "--retry", str(number), code=1)
        assert again["taken"] is False
    assert hospital.post("/fhir/Patient", json=patient).status_code == 201
    for number in numbers[1:]:
        assert centre.run_json("inbox", "refused", str(number), "--retry")["taken"] is True
    centre.run("inbox", "refused", "--retry", str(numbers[0]), code=1)
    [left] = waiting(centre)
    shown = centre.run_json("inbox", "refused", str(left["id"]))
    assert [one["resource"] for one in json.loads(shown["body"])["entry"]] == [BAD]
    assert hospital.get("/fhir/Observation").json()["total"] == 2
    with centre.open() as adapter, read_transaction(adapter.engine) as connection:
        actions = connection.execute(select(audit.c.action)).scalars().all()
    assert actions.count("inbox.refused_retried") == 6
    assert "There is no refused request 999" in centre.attempt("inbox", "refused", "999").stderr
    assert centre.attempt("inbox", "refused", "--retry").returncode == 2


def test_bounds_let_the_oldest_go_and_nobody_takes_anothers_room(engine: Engine) -> None:
    limits = QuarantineLimits(all_bytes=60_000, hospital_bytes=40_000)
    issue = Issue("error", "value", "x")

    def keep(hospital: str, number: int, size: int = 4_000) -> bool:
        body = f"{number:05}".encode() * (size // 5)
        refused = RefusedRequest(hospital, "POST", "Observation", body, 400, (issue,))
        with write_transaction(engine) as connection:
            return QuarantineStore.keep(connection, refused, limits, NOW + timedelta(seconds=number))

    assert not keep("a", 0, 50_000)
    for number in range(1, 4):
        assert keep("b", number)
    for number in range(4, 60):
        assert keep("a", number)
    assert keep("a", 58)  # again
    with read_transaction(engine) as connection:
        kept = connection.execute(
            select(refused_request.c.hospital, func.count(), func.sum(refused_request.c.size))
            .group_by(refused_request.c.hospital)
            .order_by(refused_request.c.hospital)
        ).all()
        sums = dict(connection.execute(select(refused_volume.c.hospital, refused_volume.c.bytes)).all())
        newest = connection.execute(select(func.max(refused_request.c.last_at))).scalar_one()
    assert [(row[0], row[1]) for row in kept] == [("a", 7), ("b", 3)]
    assert {row[0]: row[2] for row in kept} == sums
    assert newest == NOW + timedelta(seconds=59)
    for number in range(60, 80):
        assert keep("c", number)
    store = QuarantineStore(engine)
    left = store.backlog()
    assert sum(one.count for one in left.values()) * 5_013 <= limits.all_bytes
    assert left["b"].count == 3
    assert store.forget(NOW + timedelta(seconds=70)) == 7  # two floods have shares alike
    assert store.backlog().keys() == {"c"}


def test_nothing_stays_of_who_is_t0_now(centre: Centre, hospital: httpx.Client) -> None:
    """By number, by name, by our identity, and what refers to a Patient that is told of; the others stay."""
    someone = {"reference": "Patient/p-of-him"}
    him = {**PATIENT, "id": "p-of-him", "gender": "nonsense"}
    del him["identifier"]
    sent = [
        ("/fhir/Observation", {**BAD, "subject": {"identifier": PATIENT["identifier"][0]}}),
        ("/fhir/Observation", {**BAD, "subject": someone}),
        ("/fhir/Patient", him),
        ("/fhir/Observation", {**BAD, "note": [{"text": "<b>Do Van Duc</b>, mẫu 2"}]}),
        (f"/fhir/Observation?identifier=urn:x|{DUC.national_id}", BAD),
        ("/fhir/Observation", BAD),
        ("/fhir/Observation", {**BAD, "note": [{"text": "Đỗ Văn Đức, 1971"}], "birthDate": "1971-01-01"}),
    ]
    for path, body in sent:
        method = "PUT" if "?" in path else "POST"
        assert hospital.request(method, path, json=body).status_code == 400
    assert len(waiting(centre)) == len(sent)
    table = centre.folder / "cadres.csv"
    table.write_text(
        "Key;Name;Sex;Date of birth;Tier;Citizen id\n"
        f"{DUC.key};{DUC.name};Nam;12/03/1960;T0;{DUC.national_id}\n"
    )
    centre.run("import", str(table), "--allow-deletions")
    with centre.open() as adapter:
        assert adapter.records.get("cadre", DUC.key) is None
    left = [centre.run_json("inbox", "refused", str(one["id"])) for one in waiting(centre)]
    assert sorted(json.loads(one["body"]).get("birthDate", "") for one in left) == ["", "1971-01-01"]
    for path, body in sent[:2]:
        assert hospital.post(path, json=body).status_code == 400
    assert len(waiting(centre)) == 2, "who was erased is not kept again"
