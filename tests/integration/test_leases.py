"""The contract of claims, leases and turns, on both databases: one at a time, and none held by the dead."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hammer import HOSPITALS, LIMIT
from ledger_books import START, Books, wish
from sqlalchemy import Engine, text

from adapter.database import read_transaction, write_transaction
from adapter.errors import LeaseLost
from adapter.ledger.hospitals.circuit_breaker import PaceLimits
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome, Lease
from adapter.ledger.store import LedgerStore
from adapter.ledger.workers.death_detection import MAX_RETRY_DELAY
from adapter.testing import ManualClock

NAME = "bv"
LATER = timedelta(days=400)  # clocks of two hosts may be that far apart


class Host:
    """A worker on a host of its own: its own uptime, and a wall clock that is wrong."""

    def __init__(self, engine: Engine, wrong: timedelta = timedelta()) -> None:
        self.clock = ManualClock()
        self.ledger = LedgerStore(engine, clock=self.clock.uptime)
        self.wrong = wrong

    def claim(self, want: int = 1) -> list[Lease]:
        return self.ledger.shipments.claim(NAME, START + timedelta(hours=1) + self.wrong, 60, want)


def shipments(engine: Engine, *cadres: str, hospital: str = NAME) -> None:
    books = Books(engine, hospital)
    for cadre in cadres:
        books.wish(wish(f"{hospital}-{cadre}"), cadre=cadre)


def test_a_lease_is_taken_over_only_after_it_was_seen_unchanged_for_its_length(engine: Engine) -> None:
    shipments(engine, "c1")
    first, second = Host(engine), Host(engine, LATER)
    [lease] = first.claim()
    assert second.claim() == []  # however late it is there
    second.clock.advance(seconds=59)
    assert second.claim() == []
    second.clock.advance(seconds=2)
    [taken] = second.claim()
    assert (taken.cadre, taken.token != lease.token) == ("c1", True)
    assert taken.token.startswith(second.ledger.worker_id)


def test_a_lease_that_was_prolonged_meanwhile_is_watched_anew(engine: Engine) -> None:
    shipments(engine, "c1")
    first, second = Host(engine), Host(engine)
    [lease] = first.claim()
    assert second.claim() == []
    second.clock.advance(seconds=50)
    first.clock.advance(seconds=50)
    longer = first.ledger.start(lease, {"bv-c1": "v1"}, START + timedelta(hours=2), 60)
    assert longer.deadline == first.clock.uptime() + 60
    assert second.claim() == []
    second.clock.advance(seconds=50)
    assert second.claim() == []
    second.clock.advance(seconds=11)
    assert len(second.claim()) == 1


def test_who_waits_starts_to_count_when_he_first_looks(engine: Engine) -> None:
    shipments(engine, "c1")
    first, second = Host(engine), Host(engine)
    first.claim()
    second.clock.advance(seconds=10_000)
    assert second.claim() == []


def test_a_late_settle_is_refused_and_the_late_worker_sends_nothing_more(engine: Engine) -> None:
    shipments(engine, "c1")
    first, second = Host(engine), Host(engine)
    [lease] = first.claim()
    second.claim()
    first.ledger.shipments.ensure_remaining(lease, 30)
    for host in (first, second):
        host.clock.advance(seconds=61)
    [taken] = second.claim()
    with pytest.raises(LeaseLost):
        first.ledger.shipments.ensure_remaining(lease, 0)
    with pytest.raises(LeaseLost):
        first.ledger.start(lease, {"bv-c1": "v1"}, START, 60)
    second.ledger.start(taken, {"bv-c1": "v1"}, START, 60)
    with pytest.raises(LeaseLost):
        first.ledger.settle(lease, [DeliveryOutcome("bv-c1", EntryEvent.CONFIRM)], START)
    first.ledger.shipments.finish(lease, None, START)
    second.ledger.settle(
        taken, [DeliveryOutcome("bv-c1", EntryEvent.CONFIRM)], START
    )  # it is still the second one's


def test_the_owner_knows_before_anybody_else_that_a_lease_ended(engine: Engine) -> None:
    shipments(engine, "c1")
    host = Host(engine)
    [lease] = host.claim()
    host.clock.advance(seconds=31)
    with pytest.raises(LeaseLost):
        host.ledger.shipments.ensure_remaining(lease, 30)  # a request may take that long
    host.ledger.shipments.ensure_remaining(lease, 29)


def test_what_is_due_further_ahead_than_any_retry_is_due(engine: Engine) -> None:
    shipments(engine, "c1", "c2", "c3")
    host = Host(engine)
    now = START + timedelta(hours=1)
    for lease, ahead in zip(host.claim(3), (timedelta(minutes=5), MAX_RETRY_DELAY * 3, None), strict=True):
        due = now + ahead if ahead else None
        host.ledger.shipments.finish(lease, due, now)
    assert host.ledger.shipments.hospitals_due([NAME], now) == [NAME]
    assert [lease.cadre for lease in host.claim(3)] == ["c2"]
    assert host.ledger.shipments.hospitals_due([NAME], now) == []


def test_a_lease_that_ended_is_taken_back_where_nobody_claims(engine: Engine) -> None:
    shipments(engine, "c1")
    first, second = Host(engine), Host(engine)
    first.claim()
    now = START + timedelta(hours=1)
    for seconds in (0, 59):
        second.clock.advance(seconds=seconds)
        second.ledger.shipments.reclaim_expired({NAME: 60, "other": 60})
        assert second.ledger.shipments.hospitals_due([NAME], now) == []
    second.clock.advance(seconds=1)
    second.ledger.shipments.reclaim_expired({NAME: 60, "other": 60})
    assert second.ledger.shipments.hospitals_due([NAME], now) == [NAME]


def test_giving_back_and_claiming_are_one_transaction(engine: Engine) -> None:
    shipments(engine, "c1", "c2")
    host = Host(engine)
    [lease] = host.claim()
    following = host.ledger.shipments.finish(lease, None, START + timedelta(hours=1), next_lease_seconds=60)
    assert following is not None
    assert (lease.cadre, following.cadre) == ("c1", "c2")
    assert (
        host.ledger.shipments.finish(following, None, START + timedelta(hours=1), next_lease_seconds=60)
        is None
    )
    assert host.ledger.shipments.count_in_flight(NAME) == 0


def test_no_more_are_in_flight_than_the_hospital_admits(engine: Engine) -> None:
    shipments(engine, *(f"c{number}" for number in range(9)))
    shipments(engine, "c1", hospital="other")
    limits = {NAME: PaceLimits(concurrency=4)}  # half of it at first
    ledgers = [LedgerStore(engine, limits) for _ in range(3)]
    now = START + timedelta(hours=1)
    found = [lease for ledger in ledgers for lease in ledger.shipments.claim(NAME, now, 60, 9)]
    assert len(found) == 2
    assert len(ledgers[2].shipments.claim("other", now, 60, 9)) == 1  # which delays nobody else


def test_a_pair_is_never_in_flight_twice_whoever_claims(engine: Engine, database_url: str) -> None:
    for hospital in HOSPITALS:
        shipments(engine, *(f"c{number}" for number in range(LIMIT)), hospital=hospital)
    with write_transaction(engine) as connection:
        connection.execute(
            text("CREATE TABLE flying (hospital TEXT, cadre TEXT, PRIMARY KEY (hospital, cadre))")
        )
        connection.execute(text("CREATE TABLE flown (hospital TEXT, cadre TEXT)"))
    command = [sys.executable, str(Path(__file__).parents[1] / "hammer.py"), database_url, "8", "12"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    with read_transaction(engine) as connection:
        flown = connection.execute(text("SELECT hospital, count(*) FROM flown GROUP BY hospital")).all()
    assert {hospital for hospital, _ in flown} == set(HOSPITALS)
    assert sum(count for _, count in flown) > 40
    assert [Books(engine, name).ledger.shipments.count_in_flight(name) for name in HOSPITALS] == [0, 0]


# -- turns -----------------------------------------------------------------------------------


def test_a_turn_is_one_process_s_until_it_is_given_back(engine: Engine) -> None:
    first, second = Host(engine), Host(engine)
    turn = first.ledger.named_locks.acquire("plan:bv", 60)
    assert turn is not None
    assert second.ledger.named_locks.acquire("plan:bv", 60) is None
    assert second.ledger.named_locks.acquire("plan:other", 60) is not None
    first.ledger.named_locks.give_back(turn)
    assert second.ledger.named_locks.acquire("plan:bv", 60) is not None


def test_a_turn_without_a_sign_of_life_is_taken_over_and_its_late_holder_writes_nothing(
    engine: Engine,
) -> None:
    first, second = Host(engine), Host(engine)
    turn = first.ledger.named_locks.acquire("plan:bv", 60)
    assert turn is not None
    assert second.ledger.named_locks.acquire("plan:bv", 60) is None
    second.clock.advance(seconds=40)
    first.ledger.named_locks.renew()
    assert second.ledger.named_locks.acquire("plan:bv", 60) is None
    second.clock.advance(seconds=61)
    taken = second.ledger.named_locks.acquire("plan:bv", 60)
    assert taken is not None
    with pytest.raises(LeaseLost), write_transaction(engine) as connection:
        first.ledger.named_locks.verify_held(connection, turn)
    first.ledger.named_locks.give_back(turn)
    with write_transaction(engine) as connection:
        second.ledger.named_locks.verify_held(connection, taken)


def test_many_who_want_a_turn_get_it_once(engine: Engine) -> None:
    got: list[object] = []
    gate = threading.Barrier(8)

    def want() -> None:
        ledger = LedgerStore(engine)
        gate.wait()
        got.append(ledger.named_locks.acquire("plan:bv", 60))

    _together(want)
    assert sum(turn is not None for turn in got) == 1


def test_a_beat_is_taken_once(engine: Engine) -> None:
    got: list[bool] = []
    gate = threading.Barrier(8)
    LedgerStore(engine).named_locks.claim_run("plan:bv", None, START)

    def want() -> None:
        turns = LedgerStore(engine).named_locks
        seen = turns.next_runs(["plan:bv"])["plan:bv"]
        gate.wait()
        got.append(turns.claim_run("plan:bv", seen, START + timedelta(minutes=30)))

    _together(want)
    assert sorted(got) == [False] * 7 + [True]
    assert LedgerStore(engine).named_locks.next_runs(["plan:bv", "x"]) == {
        "plan:bv": START + timedelta(minutes=30),
        "x": None,
    }


def _together(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
