"""The helpers for tests: the fake hospital and the sandbox process answer alike, and time moves when told."""

import ast
import doctest
import re
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from adapter import testing
from adapter.delivery.http.client import HospitalClient, HttpResponse, NoResponse
from adapter.testing import (
    Centre,
    FakeHospital,
    HospitalProcess,
    ManualClock,
    answers,
    drops,
    refuses_connection,
    serving,
    times_out,
)

ROOT = Path(__file__).parents[2]
SYSTEM = "urn:centre"
_numbers = count(1)
Json = dict[str, Any]


# -- one contract: the fake and the real process -------------------------------------------


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HospitalProcess]:
    with HospitalProcess(tmp_path_factory.mktemp("hospital")) as process:
        yield process
        assert process.stop() == 0


@pytest.fixture(params=["fake", "process"])
def server(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of an empty fake, or of the process, which holds what other tests left there."""
    if request.param == "fake":
        hospital = FakeHospital()
        client = httpx.Client(base_url=hospital.base, transport=hospital.transport)
    else:
        client = httpx.Client(base_url=request.getfixturevalue("process").base_url, timeout=30)
    with client:
        yield client


def patient(value: str | None = None, **more: Any) -> Json:
    """Somebody whom no other test knows."""
    value = value or f"P-{next(_numbers)}"
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


def condition(resource: Json) -> str:
    return f"identifier={SYSTEM}|{resource['identifier'][0]['value']}"


def by_identifier(resource: Json) -> str:
    return f"Patient?{condition(resource)}"


def found(server: httpx.Client, resource: Json) -> list[Json]:
    bundle = server.get(by_identifier(resource)).json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    assert bundle["total"] == len(bundle.get("entry", ()))
    return [entry["resource"] for entry in bundle.get("entry", ())]


def created(server: httpx.Client, resource: Json) -> str:
    """The id that the server gave it."""
    answer = server.post("Patient", json=resource)
    assert answer.status_code == 201
    return answer.headers["Location"].split("/Patient/")[1].split("/")[0]


def refused(answer: httpx.Response, status: int) -> bool:
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    return (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")


def test_what_is_created_can_be_read_under_the_location_it_was_given(server: httpx.Client) -> None:
    answer = server.post("Patient", json=patient(active=True))
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"1"')
    assert re.fullmatch(rf"{server.base_url}Patient/[A-Za-z0-9.-]+/_history/1", answer.headers["Location"])
    read = server.get(answer.headers["Location"].partition("/_history")[0])
    assert (read.status_code, read.headers["ETag"]) == (200, 'W/"1"')
    assert read.headers["Content-Type"].startswith("application/fhir+json")
    assert (read.json()["active"], read.json()["meta"]["versionId"]) == (True, "1")
    assert answer.json() == read.json()
    assert refused(server.get("Patient/never-was"), 404)


def test_what_exists_is_not_created_again(server: httpx.Client) -> None:
    one = patient()
    only_if = {"If-None-Exist": condition(one)}
    statuses = [server.post("Patient", json=one, headers=only_if).status_code for _ in range(2)]
    assert statuses == [201, 200]
    assert len(found(server, one)) == 1


def test_a_conditional_update_creates_then_updates(server: httpx.Client) -> None:
    one = patient()
    first = server.put(by_identifier(one), json=one)
    second = server.put(by_identifier(one), json={**one, "active": True})
    assert [(one.status_code, one.headers["ETag"]) for one in (first, second)] == [
        (201, 'W/"1"'),
        (200, 'W/"2"'),
    ]
    [there] = found(server, one)
    assert (there["active"], there["meta"]["versionId"]) == (True, "2")


def test_a_condition_that_two_meet_is_a_412_and_nothing_changes(server: httpx.Client) -> None:
    one = patient()
    created(server, one)
    created(server, one)
    assert refused(server.put(by_identifier(one), json={**one, "active": True}), 412)
    assert refused(server.post("Patient", json=one, headers={"If-None-Exist": condition(one)}), 412)
    assert [there.get("active") for there in found(server, one)] == [None, None]


def test_an_update_of_another_version_is_a_412(server: httpx.Client) -> None:
    one = patient()
    url = f"Patient/{(id_ := created(server, one))}"
    newer = {**one, "id": id_, "active": True}
    assert server.put(url, json=newer, headers={"If-Match": 'W/"1"'}).headers["ETag"] == 'W/"2"'
    assert refused(server.put(url, json={**one, "id": id_}, headers={"If-Match": 'W/"1"'}), 412)
    assert server.get(url).json()["active"] is True


def test_a_transaction_resolves_what_refers_within_it(server: httpx.Client) -> None:
    one, urn = patient(), "urn:uuid:0b2f5a40-1df6-4f5e-a1d3-5a9d1a1f3c11"
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": urn},
    }
    entries = [(urn, one, by_identifier(one), "PUT"), (urn[:-1] + "2", observation, "Observation", "POST")]
    answer = server.post("", json=bundle("transaction", entries))
    assert (answer.status_code, answer.json()["type"]) == (200, "transaction-response")
    responses = [entry["response"] for entry in answer.json()["entry"]]
    assert [(one["status"][:3], one["etag"]) for one in responses] == [("201", 'W/"1"')] * 2
    location = responses[1]["location"].partition("/_history")[0]
    there = server.get(location).json()
    assert there["subject"]["reference"] == f"Patient/{found(server, one)[0]['id']}"


def bundle(kind: str, entries: list[tuple[str, Json, str, str]]) -> Json:
    listed = [
        {"fullUrl": urn, "resource": resource, "request": {"method": method, "url": url}}
        for urn, resource, url, method in entries
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": listed}


@pytest.mark.parametrize(("kind", "status", "stored"), [("transaction", 412, 0), ("batch", 200, 1)])
def test_a_transaction_is_done_as_a_whole_and_a_batch_entry_by_entry(
    server: httpx.Client, kind: str, status: int, stored: int
) -> None:
    good, doubled = patient(), patient()
    created(server, doubled)
    created(server, doubled)
    entries = [
        ("urn:uuid:0b2f5a40-1df6-4f5e-a1d3-5a9d1a1f3c21", good, by_identifier(good), "PUT"),
        ("urn:uuid:0b2f5a40-1df6-4f5e-a1d3-5a9d1a1f3c22", doubled, by_identifier(doubled), "PUT"),
    ]
    answer = server.post("", json=bundle(kind, entries))
    assert answer.status_code == status
    assert len(found(server, good)) == stored
    if kind == "batch":
        assert [one["response"]["status"][:3] for one in answer.json()["entry"]] == ["201", "412"]


def test_a_search_finds_each_of_several_identifiers(server: httpx.Client) -> None:
    ones = [patient() for _ in range(3)]
    for one in ones:
        created(server, one)
    tokens = ",".join(f"{SYSTEM}|{one['identifier'][0]['value']}" for one in ones[:2])
    answer = server.get("Patient", params={"identifier": tokens}).json()
    values = [entry["resource"]["identifier"][0]["value"] for entry in answer["entry"]]
    assert sorted(values) == sorted(one["identifier"][0]["value"] for one in ones[:2])
    assert found(server, patient()) == []
    counted = server.get("Patient", params={"identifier": tokens, "_summary": "count"}).json()
    assert (counted["total"], counted.get("entry", [])) == (2, [])


def test_what_was_deleted_is_gone_and_can_be_made_anew(server: httpx.Client) -> None:
    one = patient()
    url = f"Patient/{(id_ := created(server, one))}"
    assert [server.delete(url).status_code for _ in range(2)] == [204, 204]
    assert refused(server.get(url), 410)
    assert found(server, one) == []
    assert server.put(url, json={**one, "id": id_}).status_code == 201


def test_what_is_not_understood_is_refused(server: httpx.Client) -> None:
    assert refused(
        server.post("Patient", content=b"{", headers={"Content-Type": "application/fhir+json"}), 400
    )
    assert refused(server.get("Patient", params={"no-such-parameter": "1"}), 400)


def test_it_says_what_it_is(server: httpx.Client) -> None:
    statement = server.get("metadata").json()
    assert (statement["resourceType"], statement["fhirVersion"]) == ("CapabilityStatement", "4.0.1")


# -- the fake alone ------------------------------------------------------------------------


def test_each_fault_is_met_once_and_in_turn() -> None:
    hospital = FakeHospital(faults=[answers(503), None, drops, times_out, refuses_connection])
    with HospitalClient(hospital.base, transport=hospital.transport, sleep=lambda _: None) as client:
        said = [client.get("Patient") for _ in range(3)]
    assert [one.status for one in said if isinstance(one, HttpResponse)] == [200]
    assert [one.why for one in said if isinstance(one, NoResponse)] == ["dropped", "timeout"]
    assert len(hospital.requests) == 4
    assert hospital.faults == [refuses_connection]


def test_a_fault_after_the_commit_hides_what_was_done() -> None:
    hospital = FakeHospital(faults_after_commit=[drops])
    with (
        httpx.Client(base_url=hospital.base, transport=hospital.transport) as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.post("Patient", json=patient())
    assert (len(hospital.of_type("Patient")), hospital.writes) == (1, 1)


@respx.mock(assert_all_called=False)
def test_it_stands_on_a_respx_router_beside_others(respx_mock: respx.MockRouter) -> None:
    hospital = FakeHospital()
    route = hospital.mount(respx_mock)
    elsewhere = respx_mock.get("https://elsewhere.test/").respond(418)
    assert httpx.post(f"{hospital.base}/Patient", json=patient()).status_code == 201
    assert httpx.get("https://elsewhere.test/").status_code == 418
    assert (route.call_count, elsewhere.call_count) == (1, 1)
    assert len(hospital.of_type("Patient")) == 1


# -- the process alone ---------------------------------------------------------------------


def test_a_hospital_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="no-such-fault"),
        HospitalProcess(tmp_path, faults=("no-such-fault",)),
    ):
        pass


# -- the clock -----------------------------------------------------------------------------


def test_time_moves_when_it_is_told_to() -> None:
    start = datetime(2026, 3, 1, 7, tzinfo=timezone(timedelta(hours=7)))
    clock = ManualClock(start)
    assert clock() == clock() == clock.now == start
    assert clock().tzinfo is UTC
    assert clock.advance(hours=1, seconds=30) == clock() == start + timedelta(hours=1, seconds=30)
    clock.set(start)
    assert (clock(), clock.uptime()) == (start, 3630.0)


def test_time_may_pass_at_every_look() -> None:
    clock = ManualClock(step=timedelta(seconds=1))
    first = clock()
    assert clock() - first == timedelta(seconds=1)
    assert clock.now == clock.now
    assert clock.uptime() == 2.0


def test_time_never_passes_backwards_and_a_moment_has_a_zone() -> None:
    clock = ManualClock()
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(seconds=-1)
    with pytest.raises(ValueError, match="no time zone"):
        clock.set(datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


def test_waiting_for_an_event_moves_the_clock_and_nothing_else() -> None:
    clock = ManualClock()
    event = clock.event()
    assert (event.wait(3600), clock.uptime()) == (False, 3600.0)
    threading.Thread(target=event.set).start()
    assert event.wait()
    assert (event.wait(3600), clock.uptime()) == (True, 3600.0)


# -- the centre, and serving ---------------------------------------------------------------


def test_a_centre_has_the_settings_it_was_given(tmp_path: Path) -> None:
    hospitals = {"bv-one": {"display": 'Bệnh viện "Một"'}, "bv-two": {"base_url": "https://two.test/fhir"}}
    more = {
        "patience_seconds": 9,
        "centre": {"phone": "0123456789"},
        "alarm": {"mail": {"host": "mail.test", "sender": "a@b.c", "to": ["x@y.z"]}},
    }
    centre = Centre(tmp_path / "new", hospitals=hospitals, settings=more)
    read = centre.settings()
    assert list(centre.ports) == ["bv-one"]
    assert read.hospital("bv-one").display == 'Bệnh viện "Một"'
    assert read.hospital("bv-one").base_url == f"http://127.0.0.1:{centre.ports['bv-one']}/fhir"
    assert read.hospital("bv-two").base_url == "https://two.test/fhir"
    assert (read.patience_seconds, read.centre.phone) == (9, "0123456789")
    assert read.alarm.mail is not None
    assert read.alarm.mail.to == ("x@y.z",)


def test_a_command_that_ends_otherwise_says_what_it_said(tmp_path: Path) -> None:
    with Centre(tmp_path) as centre, pytest.raises(AssertionError, match="bv-none"):
        centre.run("sync", "bv-none")


def test_an_application_is_served_as_long_as_it_is_needed() -> None:
    async def app(_scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with serving(app) as url:
        assert httpx.get(url).status_code == 204
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


# -- what is public, and what is written about it ------------------------------------------


def test_the_example_in_the_docstring_holds() -> None:
    done = doctest.testmod(testing)
    assert done.attempted
    assert not done.failed


def _examples() -> list[str]:
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", _examples(), ids=lambda text: text.splitlines()[0].lstrip("# "))
def test_the_examples_on_the_page_run(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/testing.md", "exec"), {"__name__": "example"})  # noqa: S102 - our own page


def test_the_page_names_all_that_is_public_and_nothing_else() -> None:
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    table = page.partition("## All of it")[2]
    named = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert named == set(testing.__all__)
    assert sorted(testing.__all__) == sorted(set(testing.__all__))
    assert [name for name in testing.__all__ if not hasattr(testing, name)] == []


def test_it_needs_nothing_that_is_not_installed_with_the_adapter() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    developing = {re.split(r"[^\w-]", one)[0].replace("-", "_") for one in groups["dev"]}
    assert "respx" in developing
    imported = set()
    for module in (ROOT / "adapter" / "testing").glob("*.py"):
        for node in ast.parse(module.read_text("utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported |= {getattr(node, "module", None) or one.name for one in node.names}
    assert {name.split(".")[0] for name in imported} & developing == set()
