"""The endpoint that hospitals call: tokens, what it accepts, and durability before acknowledgement."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import plainly
import pytest
from sqlalchemy import Engine, select

from adapter.database import open_database, read_transaction
from adapter.hospital_tokens import (
    hospital_of_token,
    hospital_token,
    issue_token,
    list_tokens,
    revoke_tokens,
)
from adapter.repository.repository import Repository
from adapter.repository.tables import repository_resource
from adapter.repository.write_plan import VersionChange
from adapter.testing import serving
from adapter.web.app import endpoint_app, fhir_app
from adapter.web.fair_turns import HospitalShare

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOSPITAL = "bv-tinh"
FHIR = {"Content-Type": "application/fhir+json"}
REPORT = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "CT"}}


def test_tokens_are_stored_as_hashes_and_can_be_ended(engine: Engine) -> None:
    first, second = (
        issue_token(engine, HOSPITAL, NOW, by="test"),
        issue_token(engine, HOSPITAL, NOW, by="test"),
    )
    other = issue_token(engine, "bv-trung-uong", NOW, by="test")
    assert len({first, second, other}) == 3
    assert [hospital_of_token(engine, token, NOW) for token in (first, second, other)] == [
        HOSPITAL, HOSPITAL, "bv-trung-uong",
    ]  # fmt: skip
    with read_transaction(engine) as connection:
        stored = [row.token for row in connection.execute(select(hospital_token))]
    assert not {first, second, other} & set(stored)
    assert hospital_of_token(engine, first + "x", NOW) is None
    assert hospital_of_token(engine, stored[0], NOW) is None, "the hash is no token"

    assert all(token.last_used == NOW for token in list_tokens(engine))
    one = list_tokens(engine)[0]
    assert revoke_tokens(engine, HOSPITAL, NOW, name=one.name, by="test") == 1
    assert revoke_tokens(engine, HOSPITAL, NOW, name="%", by="test") == 0
    assert sum(hospital_of_token(engine, token, NOW) is not None for token in (first, second)) == 1
    assert revoke_tokens(engine, HOSPITAL, NOW, by="test") == 1
    assert hospital_of_token(engine, other, NOW) == "bv-trung-uong"


@pytest.fixture
def told() -> list[VersionChange]:
    return []


@pytest.fixture
def url(engine: Engine, told: list[VersionChange]) -> Iterator[str]:
    def processing_fails() -> None:
        raise RuntimeError("the record store is away")

    app = endpoint_app(
        engine, on_changes=lambda _, changes: told.extend(changes), after_receive=processing_fails
    )
    with serving(app) as address:
        yield f"{address}/fhir"


def send(url: str, body: dict[str, Any], token: str | None, **headers: str) -> httpx.Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return plainly.post(url, content=json.dumps(body), headers={**FHIR, **headers})


def test_only_a_token_lets_in(engine: Engine, url: str, told: list[VersionChange]) -> None:
    token = issue_token(engine, HOSPITAL, NOW, by="test")
    for wrong in (None, "wrong", "", token[:-1], "tokén"):
        headers = {"Authorization": f"Bearer {wrong}".encode()} if wrong else {}
        answer = plainly.post(
            f"{url}/DiagnosticReport", content=json.dumps(REPORT), headers={**FHIR, **headers}
        )
        assert answer.status_code == 401, wrong
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["issue"][0]["code"] == "login"
    assert send(f"{url}/DiagnosticReport", REPORT, None, Authorization=f"Basic {token}").status_code == 401
    assert plainly.get(f"{url}/metadata").status_code == 200
    assert told == []
    assert send(f"{url}/DiagnosticReport", REPORT, token, Authorization=f"bearer {token}").status_code == 201
    revoke_tokens(engine, HOSPITAL, NOW, by="test")
    assert send(f"{url}/DiagnosticReport", REPORT, token).status_code == 401


def test_a_delivery_is_told_once_and_failing_afterwards_does_not_matter(
    engine: Engine, url: str, told: list[VersionChange]
) -> None:
    token = issue_token(engine, HOSPITAL, NOW, by="test")
    first, second = (send(f"{url}/DiagnosticReport", REPORT, token) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["location"] == second.headers["location"]
    assert [(change.owner, change.type) for change in told] == [(HOSPITAL, "DiagnosticReport")]


def test_hospitals_do_not_see_each_other(engine: Engine, url: str) -> None:
    mine, theirs = (
        issue_token(engine, HOSPITAL, NOW, by="test"),
        issue_token(engine, "bv-trung-uong", NOW, by="test"),
    )
    made = send(f"{url}/DiagnosticReport", REPORT, mine)
    for token, status in ((mine, 200), (theirs, 404)):
        headers = {"Authorization": f"Bearer {token}"}
        assert plainly.get(made.headers["location"], headers=headers).status_code == status


def test_a_document_comes_along_with_its_report(engine: Engine, url: str, told: list[VersionChange]) -> None:
    token = issue_token(engine, HOSPITAL, NOW, by="test")
    name = "urn:uuid:11111111-1111-4111-8111-111111111112"
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": "JVBERi0xLjQ="}
    report = {**REPORT, "presentedForm": [{"contentType": "application/pdf", "url": name}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": name, "resource": binary, "request": {"method": "POST", "url": "Binary"}},
            {"resource": report, "request": {"method": "POST", "url": "DiagnosticReport"}},
        ],
    }
    assert send(url, bundle, token).status_code == 200
    [document, of_it] = sorted(told, key=lambda one: one.type)
    assert (document.type, document.resource["data"]) == ("Binary", "JVBERi0xLjQ=")
    assert of_it.resource["presentedForm"][0]["url"] == f"Binary/{document.id}"
    assert send(f"{url}/Binary", binary, token).status_code in (200, 201), "also before it"


def test_what_is_no_result_is_not_accepted(engine: Engine, url: str, told: list[VersionChange]) -> None:
    token = issue_token(engine, HOSPITAL, NOW, by="test")
    medication = {"resourceType": "Medication"}
    assert send(f"{url}/Medication", medication, token).status_code == 404
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": medication, "request": {"method": "POST", "url": "Medication"}},
        ],
    }
    answer = send(url, bundle, token)
    assert answer.status_code == 422
    issue = answer.json()["issue"][0]
    assert (issue["code"], issue["expression"]) == ("not-supported", ["Bundle.entry[0].request.url"])
    assert "DiagnosticReport" in issue["diagnostics"]
    headers = {"Authorization": f"Bearer {token}"}
    for path, allowed in (
        ("/1", "GET, HEAD, PUT, PATCH"),
        ("?identifier=a|b", "GET, HEAD, POST, PUT, PATCH"),
    ):
        refused = plainly.delete(f"{url}/DiagnosticReport{path}", headers=headers)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        assert httpx.patch(f"{url}/DiagnosticReport{path}", headers=headers).status_code == 422, "no patch"
    assert told == []
    statement = plainly.get(f"{url}/metadata").json()
    assert {r["type"] for r in statement["rest"][0]["resource"]} >= {"DiagnosticReport", "Task"}
    assert "delete" not in json.dumps(statement["rest"])


SERVER = """
    import sys
    from adapter.database import open_database
    from adapter.web.app import endpoint_app
    from adapter.web.server import run_server
    engine = open_database(sys.argv[1])
    run_server(endpoint_app(engine, on_changes=lambda *_: None), "127.0.0.1", int(sys.argv[2]))
"""


def started(engine: Engine, port: int) -> subprocess.Popen[bytes]:
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SERVER), url, str(port)])
    for _ in range(400):
        try:
            plainly.get(f"http://127.0.0.1:{port}/health")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise AssertionError("the server did not start")


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_what_was_acknowledged_survives_kill_9_and_sigterm_ends_cleanly(engine: Engine) -> None:
    token, port = issue_token(engine, HOSPITAL, NOW, by="test"), free_port()
    process = started(engine, port)
    answer = send(f"http://127.0.0.1:{port}/fhir/DiagnosticReport", REPORT, token)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert answer.status_code == 201
    with read_transaction(engine) as connection:
        assert [row.type for row in connection.execute(select(repository_resource))] == ["DiagnosticReport"]
    process = started(engine, port)
    again = send(f"http://127.0.0.1:{port}/fhir/DiagnosticReport", REPORT, token)
    assert (again.status_code, again.headers["location"]) == (200, answer.headers["location"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def test_the_token_table_is_migrated(tmp_path: Path) -> None:
    from adapter.database import migrate

    engine = open_database(f"sqlite:///{tmp_path / 'fresh.db'}")
    migrate(engine)
    assert list_tokens(engine) == []
    engine.dispose()


def test_wrong_tokens_are_slowed_down_and_the_right_one_is_not(engine: Engine, url: str) -> None:
    right = {"Authorization": f"Bearer {issue_token(engine, 'bv', NOW, by='test')}"}
    wrong = [
        httpx.get(f"{url}/Patient", headers={"Authorization": f"Bearer cfa_{number}"}) for number in range(9)
    ]
    assert {answer.status_code for answer in wrong} >= {401, 429}
    assert wrong[-1].json()["issue"][0]["code"] == "throttled"
    assert int(wrong[-1].headers["retry-after"]) >= 1
    assert httpx.get(f"{url}/Patient", headers=right).status_code == 200


@pytest.mark.parametrize(("share", "text"), [(HospitalShare(1), "second"), (HospitalShare(0, 1), "once")])
def test_a_hospital_has_its_share_and_the_others_theirs(
    engine: Engine, share: HospitalShare, text: str
) -> None:
    shares = {"a": share, "b": HospitalShare()}
    app = fhir_app(
        Repository(engine),
        identify=lambda request: request.headers["x-owner"],
        description="test",
        share_of=shares.__getitem__,
    )
    with serving(app) as base, ThreadPoolExecutor(8) as threads:

        def ask(owner: str) -> httpx.Response:
            return httpx.get(f"{base}/fhir/Patient", headers={"x-owner": owner}, timeout=60)

        answers = list(threads.map(ask, "aaaaaaaaaaaaaaaab"))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert text in refused[0].json()["issue"][0]["details"]["text"]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert answers[-1].status_code == 200
    assert int(refused[0].headers["retry-after"]) == 1
