"""`adapter serve` answers when a result is stored and matches it afterwards: a real process, over HTTP."""

import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from inbox_centre import put_records, receive_version
from sqlalchemy import Engine

from adapter.database import write_transaction
from adapter.fhir import codec
from adapter.hospital_tokens import issue_token
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.matching_worker import MatchingWorker
from adapter.records.model import Cadre, Sex, Tier
from adapter.testing import Centre, ManualClock, until
from adapter.web.request_activity import RequestActivity

HOSPITALS = {name: {"base_url": "http://10.0.0.7:8080/fhir"} for name in ("bv-a", "bv-b")}
NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


def observation(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:his:result", "value": str(number)}],
        "status": "final",
        "code": {"text": "Kali"},
        "subject": {"identifier": {"system": "urn:his:patient", "value": f"{number:012}"}},
    }


def flood(engine: Engine, hospital: str, count: int) -> None:
    with write_transaction(engine) as connection:
        for number in range(count):
            one = observation(number)
            receive_version(
                connection,
                hospital=hospital,
                type="Observation",
                id=f"f{number}",
                version=1,
                resource=one,
                body=codec.dumps(one),
                now=NOW,
            )


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    with Centre(tmp_path / "centre", hospitals=HOSPITALS, database_url=database_url) as centre:
        yield centre


def test_killed_between_answer_and_matching_nothing_is_lost_and_a_flood_delays_nobody(centre: Centre) -> None:
    with centre.open() as adapter:
        token = issue_token(adapter.engine, "bv-b", NOW, by="test")
        flood(adapter.engine, "bv-a", 700)
        url = f"{centre.start_endpoint()}/Observation"  # answers, whatever waits
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(url, json=observation(1), headers=headers)
        assert centre.stop("serve", signal.SIGKILL) == -signal.SIGKILL
        assert answer.status_code == 201
        assert adapter.inbox.counts("bv-b")["new"] + adapter.inbox.counts("bv-b")["unmatched"] == 1
        assert adapter.inbox.counts("bv-a")["new"] > 0

        centre.start_endpoint()
        httpx.post(url, json=observation(2), headers=headers)
        assert until(lambda: adapter.inbox.counts("bv-b")["unmatched"] == 2, 30, every=0.01)
        assert adapter.inbox.counts("bv-a")["new"] > 0, "it did not wait for the others"
        assert centre.stop("serve") == 0


def test_where_requests_never_end_all_hospitals_have_their_turn(tmp_path: Path, sqlite_url: str) -> None:
    names = [f"bv-{letter}" for letter in "abcdefghij"]
    hospitals = dict.fromkeys(names, HOSPITALS["bv-a"])
    with (
        Centre(tmp_path / "centre", hospitals=hospitals, database_url=sqlite_url) as centre,
        centre.open() as adapter,
    ):
        for name in names:
            flood(adapter.engine, name, 80)
        with MatchingWorker(adapter, lambda: NOW, quiet_seconds=lambda: 0.0):
            assert until(lambda: all(adapter.inbox.counts(name)["unmatched"] for name in names), 60)
            assert adapter.inbox.counts("bv-a")["new"] > 0, "one after the other"


def test_matching_waits_for_a_gap_between_requests_but_not_for_long(tmp_path: Path, sqlite_url: str) -> None:

    with (
        Centre(tmp_path / "centre", hospitals=HOSPITALS, database_url=sqlite_url) as centre,
        centre.open() as adapter,
    ):
        flood(adapter.engine, "bv-a", 1)
        begun = monotonic()
        with MatchingWorker(adapter, lambda: NOW, quiet_seconds=lambda: 0.0):
            assert until(lambda: adapter.inbox.counts()["unmatched"] == 1, 30, every=0.005)
            assert monotonic() - begun > 0.1, "it did not wait for the request"


def test_a_request_is_noted_while_it_is_answered() -> None:
    clock = ManualClock(NOW)
    activity = RequestActivity(clock.uptime)
    clock.advance(seconds=2)
    assert activity.quiet_seconds() == 2
    activity.begin()
    activity.begin()
    activity.end()
    clock.advance(seconds=1)
    assert activity.quiet_seconds() == 0
    activity.end()
    clock.advance(seconds=3)
    assert activity.quiet_seconds() == 3


def test_whoever_comes_into_the_record_is_found(centre: Centre) -> None:
    """By a record's change: without that nothing is looked at."""
    an = Cadre(
        key="CB-1",
        name="Nguyễn Văn An",
        sex=Sex.MALE,
        birth_date=date(1955, 3, 14),
        tier=Tier.T4,
        national_id="000000000001",
    )
    with centre.open() as adapter:
        flood(adapter.engine, "bv-a", 3)
        assert process_inbox(adapter, lambda: NOW) == {"unmatched": 3}
        assert process_inbox(adapter, lambda: NOW) == {}
        put_records(adapter.engine, [an])
        assert process_inbox(adapter, lambda: NOW) == {"unmatched": 1}
        candidates = {one.resource_id: [c.cadre for c in one.candidates] for one in adapter.inbox.items()}
        assert candidates == {"f0": [], "f1": ["CB-1"], "f2": []}
