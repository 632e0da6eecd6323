"""What went to a hospital is counted by hour, outcome and latency, for all processes, and kept a month."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from adapter.delivery.http.client import HospitalClient
from adapter.delivery.http.traffic_meter import TrafficMeter
from adapter.ledger.hospitals.traffic import TrafficCell, TrafficHour, TrafficOutcome, TrafficStore

NOW = datetime(2026, 11, 22, 8, 40, tzinfo=UTC)
HOUR = NOW.replace(minute=0)
DONE, SILENT = TrafficOutcome.DONE, TrafficOutcome.SILENT


def _hours(store: TrafficStore, hospital: str = "bv") -> list[TrafficHour]:
    return list(store.hours(hospital, NOW - timedelta(days=40), NOW + timedelta(hours=1)))


@pytest.mark.parametrize(
    ("status", "seconds", "outcome", "within"),
    [
        (200, 0.02, "done", 100),
        (201, 0.1, "done", 100),
        (304, 0.11, "done", 250),
        (412, 1.0, "refused", 1_000),
        (429, 29.0, "busy", 30_000),
        (503, 31.0, "busy", 0),
        (500, 3.0, "failed", 5_000),
        (None, 30.0, "silent", 30_000),
    ],
)
def test_where_a_request_is_counted(status: int | None, seconds: float, outcome: str, within: int) -> None:
    cell = TrafficCell.of_request(NOW, status, seconds)
    assert (cell.hour, cell.outcome, cell.within_ms) == (HOUR, outcome, within)


def test_processes_add_up_by_hour(engine: Engine) -> None:
    one, other = TrafficStore(engine), TrafficStore(engine)
    quick, slow = TrafficCell(HOUR, DONE, 100), TrafficCell(HOUR, DONE, 0)
    one.add("bv", {quick: 3, TrafficCell(HOUR, SILENT, 30_000): 1})
    other.add("bv", {quick: 4, slow: 1})
    other.add("bv", {TrafficCell(HOUR - timedelta(hours=2), DONE, 500): 1})
    other.add("bv-2", {quick: 9})
    earlier, now = _hours(one)
    assert earlier.hour == HOUR - timedelta(hours=2)
    assert (now.hour, now.requests, now.outcomes) == (HOUR, 9, {DONE: 8, SILENT: 1})
    assert list(now.latencies.items()) == [(100, 7), (0, 1)]  # what nobody answered took no time
    assert (now.within(0.5), now.within(0.95)) == (100, 0)
    assert TrafficHour(HOUR).within(0.5) is None


def test_only_what_is_old_is_forgotten(engine: Engine) -> None:
    store = TrafficStore(engine)
    for back in (0, 40):
        store.add("bv", {TrafficCell(HOUR - timedelta(days=back), DONE, 100): 1})
    store.add("bv-2", {TrafficCell(HOUR - timedelta(days=40), DONE, 100): 1})
    assert store.forget("bv", NOW - timedelta(days=31)) == 1
    assert [one.hour for one in _hours(store)] == [HOUR]
    assert store.hours("bv-2", NOW - timedelta(days=41), NOW)


@pytest.fixture
def answers() -> list[int]:
    """Statuses that the hospital answers with, in their order; nought: the line breaks."""
    return [200, 404, 0]


def test_a_client_counts_each_request_and_writes_seldom(engine: Engine, answers: list[int]) -> None:
    def hospital(_request: httpx.Request) -> httpx.Response:
        status = answers.pop(0)
        if not status:
            raise httpx.ReadError("gone")
        return httpx.Response(status, json={})

    passed = [0.0]
    store = TrafficStore(engine)
    meter = TrafficMeter(store, "bv", lambda: NOW, elapsed=lambda: passed[0])
    client = HospitalClient("http://h.test/fhir", transport=httpx.MockTransport(hospital), meter=meter)
    client.send("GET", "Patient/1")
    client.send("GET", "Patient/2")
    assert _hours(store) == []
    passed[0] = 16.0
    client.send("POST", "", b"{}", repeatable=False)
    [hour] = _hours(store)
    assert hour.outcomes == {DONE: 1, TrafficOutcome.REFUSED: 1, SILENT: 1}
    answers.append(200)
    client.send("GET", "Patient/3")
    client.close()
    assert [one.requests for one in _hours(store)] == [4]


class _AwayAtFirst(TrafficStore):
    """A database that cannot be reached the first time."""

    tries = 0

    def add(self, hospital: str, counted: Mapping[TrafficCell, int]) -> None:
        self.tries += 1
        if self.tries == 1:
            raise OperationalError("INSERT", {}, Exception("away"))
        super().add(hospital, counted)


def test_what_the_database_does_not_take_is_kept(engine: Engine) -> None:
    meter = TrafficMeter(_AwayAtFirst(engine), "bv", lambda: NOW)
    meter.count(200, 0.1)
    meter.flush()
    assert _hours(TrafficStore(engine)) == []
    meter.flush()
    assert [one.requests for one in _hours(TrafficStore(engine))] == [1]
