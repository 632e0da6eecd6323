"""A hospital's row, shared by all workers: rate, breaker, switch, size; on SQLite and on PostgreSQL."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from adapter import audit
from adapter.database import open_database, read_transaction, write_transaction
from adapter.delivery.http.rate_limit import AdaptiveBundleSize, HospitalRateLimiter
from adapter.ledger.hospitals.circuit_breaker import BreakerState, HospitalMode, PaceLimits
from adapter.ledger.hospitals.store import HospitalStore
from adapter.service_hours import ServiceHours

NAME = "bv"
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LIMITS = PaceLimits(concurrency=8)


def store(engine: Engine, limits: PaceLimits = LIMITS) -> HospitalStore:
    return HospitalStore(engine, {NAME: limits})


def admits(one: HospitalStore, engine: Engine, now: datetime) -> int:
    with write_transaction(engine) as connection:
        return one.max_in_flight(connection, NAME, now)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Writes:
    """Counts the statements that change a table."""

    def __init__(self, engine: Engine) -> None:
        from sqlalchemy import event

        self.count = 0
        event.listen(engine, "before_cursor_execute", self)

    def __call__(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        self.count += statement.startswith(("UPDATE", "INSERT", "DELETE"))


def test_the_breaker_is_shared_and_lets_one_through_before_it_closes(engine: Engine) -> None:
    here, there = store(engine), store(engine)
    here.record_success(NAME, NOW)
    assert admits(there, engine, NOW) == 4
    there.record_failure(NAME, "busy", retry_after=30, now=NOW)
    assert admits(here, engine, NOW) == 0
    standing = here.admission(NAME, NOW)
    assert standing.why == "breaker"
    assert standing.until is not None
    assert timedelta(seconds=30) <= standing.until - NOW <= timedelta(seconds=36)
    here.record_success(NAME, after(1))  # was under way when it opened
    assert admits(there, engine, after(1)) == 0
    assert admits(there, engine, after(40)) == 1
    assert here.row(NAME).breaker == BreakerState.HALF_OPEN
    assert admits(here, engine, after(40)) == 1  # all in all: who claims compares with what is held
    here.record_success(NAME, after(41))
    row = there.row(NAME)
    assert (row.breaker, row.failures, row.not_before, row.last_error) == ("closed", 0, None, None)
    assert admits(there, engine, after(41)) == 2  # it was too much at a time


def test_health_is_written_only_when_it_is_news(engine: Engine) -> None:
    one = store(engine)
    one.record_success(NAME, NOW)
    writes = Writes(engine)
    for second in range(9):
        one.record_success(NAME, after(second))
    assert writes.count == 0
    one.record_failure(NAME, "timeout", now=after(9))
    opened = writes.count
    assert opened == 1
    for _ in range(20):
        one.record_failure(NAME, "timeout", now=after(9.5))  # all that were under way with it
    assert writes.count == opened
    assert one.row(NAME).failures == 1


def test_a_refused_token_waits_long_until_another_one_is_in_the_settings(engine: Engine) -> None:
    one = store(engine)
    one.record_token_mark(NAME, "first", NOW)
    one.record_failure(NAME, "auth", now=NOW)
    one.record_token_mark(NAME, "first", after(1))
    one.allow_probe(NAME, after(1))  # a new run
    assert admits(one, engine, after(890)) == 0
    one.record_token_mark(NAME, "second", after(891))
    assert admits(one, engine, after(891)) == 1
    one.record_failure(NAME, "auth", now=after(892))
    assert admits(one, engine, after(893)) == 0


def test_a_new_run_tries_what_was_unreachable_but_leaves_alone_who_asked_for_it(engine: Engine) -> None:
    one = store(engine)
    for second in range(8):
        one.record_failure(NAME, "unreachable", now=after(second * 500))
        admits(one, engine, after(second * 500 + 400))
    one.record_failure(NAME, "unreachable", now=after(4000))
    assert admits(one, engine, after(4001)) == 0
    one.allow_probe(NAME, after(4001))
    assert admits(one, engine, after(4001)) == 1
    one.record_failure(NAME, "server-error", retry_after=600, now=after(4002))
    one.allow_probe(NAME, after(4003))
    assert admits(one, engine, after(4003)) == 0


def test_a_breaker_is_closed_by_hand_and_the_audit_knows_who_did_it(engine: Engine) -> None:
    one = store(engine)
    one.record_failure(NAME, "auth", now=NOW)
    one.record_answers(NAME, good=0, entries=3, now=NOW)
    one.reset(NAME, by="cli:an", now=after(1))
    assert admits(one, engine, after(1)) == 4
    assert one.row(NAME).entries is None
    with read_transaction(engine) as connection:
        rows = connection.execute(select(audit.audit.c.actor, audit.audit.c.action, audit.audit.c.hospital))
        assert rows.all() == [("cli:an", "hospital.reset", NAME)]


@pytest.mark.parametrize(
    ("jump", "why", "asked"),
    [
        (timedelta(hours=3), "busy", 3600),
        (timedelta(days=400), "busy", 3600),
        (timedelta(hours=1), "dropped", None),
    ],
)
def test_a_moment_that_a_wrong_clock_wrote_holds_nobody(
    engine: Engine, jump: timedelta, why: str, asked: float | None
) -> None:
    one = store(engine)
    one.record_failure(NAME, why, retry_after=asked, now=NOW + jump)
    assert admits(one, engine, NOW) == 1
    one.record_success(NAME, NOW)
    assert one.row(NAME).last_contact == NOW
    assert admits(one, engine, NOW) > 0


def test_nothing_is_admitted_outside_the_hours_or_while_it_is_paused(engine: Engine) -> None:
    night = store(engine, PaceLimits(concurrency=8, hours=ServiceHours.of(["22:00-05:00"], [])))
    assert admits(night, engine, NOW) == 0  # 15:00 in Viet Nam
    assert night.admission(NAME, NOW).until == datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert admits(night, engine, after(7 * 3600)) == 4
    one, other = store(engine), store(engine)
    one.set_mode(NAME, HospitalMode.PAUSED, by="cli:an", note="moves house", now=NOW)
    assert admits(other, engine, NOW) == 0
    assert other.admission(NAME, NOW).until is None
    row = other.row(NAME)
    assert (row.mode, row.mode_by, row.mode_at, row.mode_note) == ("paused", "cli:an", NOW, "moves house")
    one.set_mode(NAME, HospitalMode.DRAINING, by="cli:an", note=None, now=NOW)
    assert admits(other, engine, NOW) == 4
    one.set_mode(NAME, HospitalMode.RUNNING, by="cli:an", note=None, now=NOW)
    with read_transaction(engine) as connection:
        actions = connection.execute(select(audit.audit.c.action, audit.audit.c.details)).all()
    assert [row.action for row in actions] == ["hospital.paused", "hospital.draining", "hospital.running"]
    assert "house" not in json.dumps([row.details for row in actions])


_SENDER = """
import sys, time
from datetime import UTC, datetime
from adapter.database import open_database
from adapter.delivery.http.rate_limit import HospitalRateLimiter
from adapter.ledger.hospitals.store import HospitalStore
from adapter.ledger.hospitals.circuit_breaker import PaceLimits

url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
hospitals = HospitalStore(open_database(url), {"bv": PaceLimits(per_second=rate)})
limiter = HospitalRateLimiter(hospitals, "bv", lambda: datetime.now(UTC))
limiter.acquire()
print("ready", flush=True)
sys.stdin.readline()
end = time.time() + seconds
while True:
    limiter.acquire()
    if time.time() > end:
        break
    print(time.time())
"""


def test_two_processes_share_a_rate(engine: Engine, database_url: str) -> None:
    rate, seconds = 24.0, 5.0
    arguments = [sys.executable, "-c", _SENDER, database_url, str(rate), str(seconds)]
    senders = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for sender in senders:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "ready\n"
    for sender in senders:
        assert sender.stdin is not None
        sender.stdin.write("\n")
        sender.stdin.flush()
    sent = [[float(line) for line in sender.communicate(timeout=60)[0].split()] for sender in senders]
    times = sorted(chain.from_iterable(sent))
    measured = (len(times) - 1) / (times[-1] - times[0])
    assert 0.8 * rate <= measured <= 1.2 * rate
    assert max(sum(at <= other < at + 1 for other in times) for at in times) <= 2 * rate
    assert min(map(len, sent)) > 0.2 * len(times)  # neither starves


def test_requests_are_reserved_in_blocks(engine: Engine) -> None:
    writes = Writes(engine)
    slept: list[float] = []
    passed = 0.0

    def sleep(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        slept.append(seconds)

    one = HospitalStore(engine, {NAME: PaceLimits(per_second=1e6)})
    gate = HospitalRateLimiter(one, NAME, lambda: NOW, sleep=sleep, elapsed=lambda: passed)
    for _ in range(1000):
        gate.acquire()
    assert writes.count <= 12  # the row, then blocks that double


def test_what_a_process_does_not_use_is_not_lost_to_the_others(engine: Engine) -> None:
    passed = 0.0
    one = HospitalStore(engine, {NAME: PaceLimits(per_second=1000)})
    gates = [
        HospitalRateLimiter(one, NAME, lambda: NOW, sleep=lambda _: None, elapsed=lambda: passed)
        for _ in range(3)
    ]
    before = []
    for _ in range(10):  # each sends once in two seconds, none waits for what another holds
        for gate in gates:
            gate.acquire()
        passed += 2
        before.append(one.reserve_requests(NAME, 0))
    assert before == [0] * 10


def test_a_gate_without_a_rate_asks_nobody_and_waits_only_when_told(engine: Engine) -> None:
    writes = Writes(engine)
    slept: list[float] = []
    gate = HospitalRateLimiter(store(engine), NAME, lambda: NOW, sleep=slept.append, elapsed=lambda: 0.0)
    gate.acquire()
    gate.observe(200, None)
    gate.observe(None, None)
    gate.acquire()
    assert (writes.count, slept) == (0, [])
    gate.observe(429, 3)
    gate.acquire()
    assert slept == [3]
    assert store(engine).row(NAME).allowed == 2  # half as many shipments
    gate.observe(503, 1000)
    gate.acquire()
    assert slept == [3, 5]  # what asks for longer opens the breaker


def test_a_gate_goes_on_by_itself_while_the_database_is_away(tmp_path: Path) -> None:
    away_engine = open_database(f"sqlite:///{tmp_path}")  # a folder
    away = HospitalStore(away_engine, {NAME: PaceLimits(per_second=8)})
    slept: list[float] = []
    gate = HospitalRateLimiter(away, NAME, lambda: NOW, sleep=slept.append, elapsed=lambda: 0.0)
    gate.acquire()
    gate.observe(429, 0)
    assert slept == [0.125]
    away_engine.dispose()


def test_bundles_shrink_for_all_workers_and_grow_again(engine: Engine) -> None:
    passed = 0.0

    def worker() -> AdaptiveBundleSize:
        return AdaptiveBundleSize(
            store(engine), NAME, lambda: NOW, timeout=30, ceiling=50, elapsed=lambda: passed
        )

    one, other = worker(), worker()
    assert (one.max_entries(), other.max_entries()) == (50, 50)
    one.observe(50, None)
    one.observe(25, None)
    assert one.max_entries() == 12
    passed = 3
    assert other.max_entries() == 12
    sizes = []
    for _ in range(6):
        other.observe(other.max_entries(), 1.0)
        passed += 1
        sizes.append(other.max_entries())
    assert sizes == [13, 14, 15, 16, 17, 18]
    assert store(engine).row(NAME).allowed == pytest.approx(5.4)  # 4 good answers for the fifth, then 5


def test_what_got_better_is_written_once_a_second_at_most(engine: Engine) -> None:
    passed = 0.0
    many = AdaptiveBundleSize(
        store(engine), NAME, lambda: NOW, timeout=30, ceiling=50, elapsed=lambda: passed
    )
    many.max_entries()
    many.observe(50, 1.0)
    writes = Writes(engine)
    for _ in range(100):
        passed += 0.005
        many.observe(50, 1.0)
    assert writes.count == 0


def test_threads_of_many_workers_do_not_queue_for_the_row(engine: Engine) -> None:
    """Eight workers that claim, answer and reserve at once: the row is no bottleneck."""
    workers = [HospitalStore(engine, {NAME: PaceLimits(concurrency=16, per_second=10_000)}) for _ in range(8)]
    workers[0].record_success(NAME, datetime.now(UTC))
    longest = []

    def work(one: HospitalStore) -> None:
        for _ in range(15):
            began = time.perf_counter()
            admits(one, engine, datetime.now(UTC))
            one.record_success(NAME, datetime.now(UTC))
            one.reserve_requests(NAME, 2500)
            longest.append(time.perf_counter() - began)

    began = time.perf_counter()
    run_all([lambda one=one: work(one) for one in workers])
    assert len(longest) == 120
    assert time.perf_counter() - began < 30  # seconds for 120 rounds: 4 a second would be a convoy


def run_all(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
