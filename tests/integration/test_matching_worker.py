"""`adapter serve` answers when a result is stored and matches it afterwards: a real process, over HTTP."""

import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from inbox_centre import put_records
from sqlalchemy import Engine

from adapter.database import write_transaction
from adapter.fhir import codec
from adapter.hospital_tokens import issue_token
from adapter.inbox.receive import receive_version
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.records.model import Cadre, Sex, Tier
from adapter.testing import Centre, until

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
