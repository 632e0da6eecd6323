"""Workers at a hospital whose pace changes under way: paused, half-open, slow; as two processes see it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import Engine

from adapter.database import open_database, write_transaction
from adapter.delivery.http.client import HospitalClient
from adapter.delivery.http.rate_limit import AdaptiveBundleSize, HospitalRateLimiter
from adapter.delivery.worker import DeliverySummary, deliver
from adapter.fhir import codec
from adapter.ledger.entries.comparison import compare
from adapter.ledger.hospitals.circuit_breaker import BreakerState, HospitalMode, PaceLimits
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource
from adapter.ledger.store import LedgerStore
from adapter.testing import CAPABLE_SERVER, FakeHospital

SYSTEM = "https://centre.test/sid"
NAME = "bv"
PEOPLE = 60


def clock() -> datetime:
    return datetime.now(UTC)


def person(key: str) -> DesiredResource:
    value = codec.digest(key.encode())
    body = codec.dumps({"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}]})
    return DesiredResource(value, "Patient", 0, "cadre", key, codec.digest(body), body)


class Slow(FakeHospital):
    """Answers each Bundle after `seconds`, and remembers when it was asked and how many it served at once."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.asked_at: list[float] = []
        self.at_once = self.most_at_once = 0
        self._one = threading.Lock()

    def handle(self, request: httpx.Request) -> httpx.Response:
        with self._one:
            self.asked_at.append(time.monotonic())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.seconds)
        with self._one:
            self.at_once -= 1
            return super().handle(request)


Ledgers = Callable[[PaceLimits], LedgerStore]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledgers]:
    """The ledger as a process of its own sees it."""
    opened: list[Engine] = []

    def ledger(limits: PaceLimits) -> LedgerStore:
        opened.append(open_database(database_url))
        return LedgerStore(opened[-1], {NAME: limits})

    yield ledger
    for one in opened:
        one.dispose()


def wish(engine: Engine, people: int, each: int = 1) -> None:
    changes = {
        f"c{number}": compare([], [person(f"c{number}-{one}") for one in range(each)])
        for number in range(people)
    }
    with write_transaction(engine) as connection:
        LedgerStore(engine).plan(
            connection, NAME, changes, mapping_version="m", version="v", position=1, now=clock()
        )


def run(
    one: LedgerStore, hospital: FakeHospital, *, threads: int, patience: float = 5, timeout: float = 5
) -> DeliverySummary:
    gate = HospitalRateLimiter(one.hospitals, NAME)
    size = AdaptiveBundleSize(one.hospitals, NAME, clock, timeout=timeout, ceiling=50)
    with HospitalClient(hospital.base, transport=hospital.transport, gate=gate) as client:
        return deliver(
            NAME,
            client,
            one,
            system=SYSTEM,
            timeout=timeout,
            lease_seconds=60,
            max_entries=50,
            max_bytes=1_000_000,
            concurrency=threads,
            patience=patience,
            clock=clock,
            stop=threading.Event(),
            card=CAPABLE_SERVER,
            bundle_size=size,
        )


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_a_pause_stops_workers_of_other_processes_at_once_and_what_is_under_way_ends(
    engine: Engine, ledger: Ledgers, pool: ThreadPoolExecutor
) -> None:
    wish(engine, PEOPLE)
    hospital, limits = Slow(0.05), PaceLimits(concurrency=4)
    runs = [pool.submit(run, ledger(limits), hospital, threads=2) for _ in range(2)]
    while len(hospital.asked_at) < 10:
        time.sleep(0.01)
    person_ = LedgerStore(engine, {NAME: limits})
    person_.hospitals.set_mode(NAME, HospitalMode.PAUSED, by="cli:an", note=None, now=clock())
    paused = time.monotonic()
    assert not any(one.result(timeout=60).unreachable for one in runs)
    assert max(hospital.asked_at) - paused < 2
    counts = person_.counts(NAME)
    assert set(counts) == {EntryState.DELIVERED, EntryState.PENDING}
    assert person_.shipments.count_in_flight(NAME) == 0
    assert run(person_, hospital, threads=2, patience=0).requests == 0
    person_.hospitals.set_mode(NAME, HospitalMode.RUNNING, by="cli:an", note=None, now=clock())
    run(person_, hospital, threads=2)
    assert person_.counts(NAME) == {EntryState.DELIVERED: PEOPLE}
    assert len(hospital.resources) == PEOPLE


def test_one_shipment_over_all_workers_tries_a_hospital_that_was_away(
    engine: Engine, ledger: Ledgers, pool: ThreadPoolExecutor
) -> None:
    wish(engine, PEOPLE)
    limits = PaceLimits(concurrency=16)
    ledgers = [ledger(limits) for _ in range(4)]
    ledgers[0].hospitals.record_failure(NAME, "unreachable", now=clock())
    ledgers[0].hospitals.allow_probe(NAME, clock())
    claims = [pool.submit(one.shipments.claim, NAME, clock(), 60, 3) for one in ledgers for _ in range(2)]
    leases = [lease for claim in claims for lease in claim.result(timeout=60)]
    assert len(leases) == 1
    assert ledgers[1].hospitals.row(NAME).breaker == BreakerState.HALF_OPEN
    ledgers[0].hospitals.record_success(NAME, clock())
    assert len(ledgers[2].shipments.claim(NAME, clock(), 60, 99)) == 7  # half of the setting, less that one


def test_no_more_are_in_flight_than_the_hospital_admits_and_good_answers_admit_more(
    engine: Engine, ledger: Ledgers, pool: ThreadPoolExecutor
) -> None:
    wish(engine, PEOPLE)
    hospital, limits = Slow(0.02), PaceLimits(concurrency=3)
    runs = [pool.submit(run, ledger(limits), hospital, threads=4) for _ in range(2)]
    assert sum(one.result(timeout=60).resources for one in runs) == PEOPLE
    assert hospital.most_at_once <= 3


def test_a_hospital_that_is_back_gets_everything_after_its_first_answer(
    engine: Engine, ledger: Ledgers
) -> None:
    wish(engine, 12)
    hospital = Slow(0)
    down = [lambda _request: httpx.Response(503, json={"resourceType": "OperationOutcome"})]
    hospital.faults = [*down * 3]
    one = ledger(PaceLimits(concurrency=4))
    done = run(one, hospital, threads=4, patience=20)
    assert (done.resources, done.unreachable) == (12, False)
    row = one.hospitals.row(NAME)
    assert (row.breaker, row.failures, row.last_error) == ("closed", 0, None)
    assert {entry.attempts for entry in one.entries(NAME, ["c1"])["c1"]} == {0}
    assert json.dumps(sorted(one.counts(NAME).items())) == '[["delivered", 12]]'


def test_bundles_become_as_large_as_a_slow_server_manages_in_time(engine: Engine, ledger: Ledgers) -> None:
    """50 ms an entry and 1 s: 50 entries never end in time, 10 take more than a quarter of it."""

    class PerEntry(Slow):
        sizes: list[int]

        def handle(self, request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return FakeHospital.handle(self, request)
            entries = len(json.loads(request.content)["entry"])
            self.sizes.append(entries)
            if entries * 0.05 > 1:
                raise httpx.ReadTimeout("timed out")
            self.seconds = entries * 0.05
            return super().handle(request)

    wish(engine, 2, each=50)
    hospital, one = PerEntry(0), ledger(PaceLimits(concurrency=1))
    hospital.sizes = []
    assert run(one, hospital, threads=1, patience=20, timeout=1).resources == 100
    assert hospital.sizes[0] == 50
    assert sum(size > 20 for size in hospital.sizes) <= 2  # those that were never answered
    assert all(2 <= size <= 12 for size in hospital.sizes[4:-1])
    assert len(hospital.resources) == 100
    assert one.hospitals.row(NAME).entries in range(3, 11)


@pytest.mark.parametrize(
    ("error", "entries"), [(httpx.RemoteProtocolError, 50), (httpx.ReadError, 50), (httpx.ReadTimeout, 25)]
)
def test_a_line_that_breaks_early_says_nothing_of_the_size_of_bundles(
    engine: Engine, ledger: Ledgers, error: type[httpx.TransportError], entries: int
) -> None:
    class Breaks(Slow):
        broken = False

        def handle(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle(request)
            if request.method == "POST" and not self.broken:
                self.broken = True
                raise error("no answer")
            return answer

    wish(engine, 1, each=50)
    hospital, one = Breaks(0), ledger(PaceLimits(concurrency=1))
    assert run(one, hospital, threads=1, patience=20).resources == 50
    assert hospital.broken
    assert (one.hospitals.row(NAME).entries or 50) == entries


def test_every_request_passes_the_gate(engine: Engine, ledger: Ledgers) -> None:
    wish(engine, 25)
    hospital = Slow(0)
    one = ledger(PaceLimits(concurrency=4, per_second=10))
    assert run(one, hospital, threads=4).resources == 25
    gaps = hospital.asked_at[-1] - hospital.asked_at[0]
    assert 2.0 <= gaps <= 4.0  # 25 requests at 10 a second, less a quarter of a second that goes at once
