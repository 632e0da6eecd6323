"""What happens at the endpoint is in the audit, and a stranger cannot fill it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import plainly
import pytest
from sqlalchemy import Engine, select

from adapter import audit
from adapter.database import read_transaction
from adapter.hospital_tokens import issue_token
from adapter.testing import ManualClock, serving
from adapter.web.access_counter import AccessCounter
from adapter.web.app import endpoint_app

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
FHIR = {"Content-Type": "application/fhir+json"}
REPORT = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "CT"}}


def _said(engine: Engine) -> list[tuple[str, str | None, str, int]]:
    """Action, hospital, how and count of each row."""
    with read_transaction(engine) as connection:
        rows = connection.execute(select(audit.audit).order_by(audit.audit.c.seq)).all()
    found = [(row, json.loads(row.details)) for row in rows]
    return [
        (row.action, row.hospital, details["how"], details["count"])
        for row, details in found
        if "how" in details
    ]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def counter(engine: Engine, clock: ManualClock) -> AccessCounter:
    return AccessCounter(engine, clock)


@pytest.fixture
def url(engine: Engine) -> Iterator[str]:
    with serving(endpoint_app(engine, on_changes=lambda *_: None)) as address:
        yield f"{address}/fhir"


def test_refused_logins_are_audited(engine: Engine, url: str) -> None:
    for token in ("", "Bearer wrong", "Basic abc", "Bearer"):
        headers = {"Authorization": token} if token else {}
        assert plainly.get(f"{url}/DiagnosticReport", headers=headers).status_code == 401
    assert _said(engine) == [("login.refused", None, "127.0.0.1", 1)]
    with read_transaction(engine) as connection:
        assert "wrong" not in repr(connection.execute(select(audit.audit)).all())


def test_every_way_to_read_is_audited_and_writing_is_not(engine: Engine, url: str) -> None:
    headers = {**FHIR, "Authorization": f"Bearer {issue_token(engine, 'bv-tinh', NOW, by='test')}"}

    def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
        return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}

    made = plainly.post(f"{url}/DiagnosticReport", content=json.dumps(REPORT), headers=headers)
    write = {
        "resource": {**REPORT, "code": {"text": "MR"}},
        "request": {"method": "POST", "url": "DiagnosticReport"},
    }
    assert plainly.post(url, content=json.dumps(bundle(write)), headers=headers).status_code == 200
    assert plainly.get(f"{url}/metadata").status_code == 200
    assert _said(engine) == []
    where = f"{url}/DiagnosticReport/{made.json()['id']}"
    read = {"request": {"method": "GET", "url": f"DiagnosticReport/{made.json()['id']}"}}
    for address in (
        where,
        where,
        f"{where}/_history/1",
        f"{where}/_history",
        f"{url}/DiagnosticReport?_count=1",
    ):
        assert plainly.get(address, headers=headers).status_code == 200
    assert plainly.post(url, content=json.dumps(bundle(write, read)), headers=headers).status_code == 200
    assert plainly.get(f"{url}/DiagnosticReport/nobodys", headers=headers).status_code == 404
    assert _said(engine) == [
        ("endpoint.read", "bv-tinh", how, 1) for how in ("read", "history", "search", "bundle")
    ]


def test_the_first_of_an_hour_is_told_at_once_and_the_rest_as_one_sum(
    engine: Engine, counter: AccessCounter, clock: ManualClock
) -> None:
    for _ in range(1000):
        counter.refused_login("192.0.2.7")
        counter.read("bv-tinh", "read")
    assert [row[3] for row in _said(engine)] == [1, 1]
    clock.advance(hours=1)
    counter.read("bv-tinh", "read")
    assert _said(engine)[2:] == [
        ("login.refused", None, "192.0.2.7", 999),
        ("endpoint.read", "bv-tinh", "read", 999),
        ("endpoint.read", "bv-tinh", "read", 1),
    ]
    counter.flush()
    assert len(_said(engine)) == 5  # nothing more to be said
    assert audit.verify_chain(engine) is None


def test_many_strangers_make_few_rows(engine: Engine, counter: AccessCounter, clock: ManualClock) -> None:
    for number in range(3000):
        counter.refused_login(f"192.0.{number // 250}.{number % 250}")
    assert len(_said(engine)) == 101
    counter.flush()
    assert sum(row[3] for row in _said(engine)) == 3000
    assert _said(engine)[-1] == ("login.refused", None, "others", 2899)


def test_what_was_counted_is_written_down_at_the_end(engine: Engine, counter: AccessCounter) -> None:
    for _ in range(3):
        counter.refused_login("unknown")
    counter.flush()
    assert [row[3] for row in _said(engine)] == [1, 2]


def test_who_is_not_in_the_settings_is_nobody_at_once(engine: Engine) -> None:
    """A hospital that was taken out of the settings: its token is refused though nobody revoked it."""
    headers = {**FHIR, "Authorization": f"Bearer {issue_token(engine, 'bv-cu', NOW, by='test')}"}
    for hospitals, status in (({"bv-cu"}, 200), ({"bv-tinh"}, 401), (set(), 401)):
        app = endpoint_app(engine, on_changes=lambda *_: None, hospitals=hospitals)
        with serving(app) as address:
            assert plainly.get(f"{address}/fhir/DiagnosticReport", headers=headers).status_code == status
            made = plainly.post(f"{address}/fhir/Observation", content=b"{}", headers=headers)
            assert (made.status_code == 401) == (status == 401)
    assert _said(engine)[-1][0] == "login.refused"
