"""Processes at work: registered, found out when they die, told when a newer adapter takes over."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledger_books import START, Books, wish
from sqlalchemy import Engine, text

from adapter.database import write_transaction
from adapter.errors import SchemaNewer
from adapter.ledger.store import LedgerStore
from adapter.ledger.workers.heartbeat import Heartbeat
from adapter.pipeline.application import Adapter
from adapter.settings import Settings
from adapter.testing import ManualClock

NAME = "bv"
_AT_WORK = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from adapter.database import open_database
from adapter.ledger.workers.heartbeat import Heartbeat
from adapter.ledger.store import LedgerStore

ledger = LedgerStore(open_database(sys.argv[1]))
clock = lambda: datetime.now(UTC)
with Heartbeat(ledger.worker_id, ledger.workers, ledger.named_locks, Path(sys.argv[2]), clock):
    print(len(ledger.shipments.claim("bv", clock(), 3600)), flush=True)
    ledger.named_locks.acquire("plan:bv", 3600)
    print("holds", flush=True)
    time.sleep(600)
"""


@contextmanager
def elsewhere(url: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process of this host that has a shipment and a turn."""
    command = [sys.executable, "-c", _AT_WORK, url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        assert process.stdout.readline() == "holds\n"
        try:
            yield process
        finally:
            process.kill()


def present(ledger: LedgerStore, folder: Path) -> Heartbeat:
    return Heartbeat(ledger.worker_id, ledger.workers, ledger.named_locks, folder, lambda: datetime.now(UTC))


def test_what_a_killed_process_had_is_free_at_once_and_what_a_living_one_has_is_not(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    Books(engine, NAME).wish(wish("a"))
    ledger, now = LedgerStore(engine), datetime.now(UTC)
    with elsewhere(database_url, tmp_path) as process, present(ledger, tmp_path) as presence:
        presence.reap_dead()
        assert len(ledger.workers.all()) == 2
        assert ledger.shipments.claim(NAME, now, 3600) == []
        assert ledger.named_locks.acquire("plan:bv", 3600) is None
        process.kill()
        process.wait()
        presence.reap_dead()
        assert [one.id for one in ledger.workers.all()] == [ledger.worker_id]
        assert len(ledger.shipments.claim(NAME, now, 3600)) == 1
        assert ledger.named_locks.acquire("plan:bv", 3600) is not None
    assert list(tmp_path.glob("*.lock")) == []


def test_a_process_that_ends_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    Books(engine, NAME).wish(wish("a"))
    ledger = LedgerStore(engine)
    with present(ledger, tmp_path):
        ledger.shipments.claim(NAME, datetime.now(UTC), 3600)
        ledger.named_locks.acquire("plan:bv", 3600)
        assert [one.id for one in ledger.workers.all()] == [ledger.worker_id]
    after = LedgerStore(engine)
    assert after.workers.all() == []
    assert len(after.shipments.claim(NAME, datetime.now(UTC), 3600)) == 1
    assert after.named_locks.acquire("plan:bv", 3600) is not None


def test_workers_of_other_hosts_are_forgotten_after_a_while_and_come_back_with_a_sign(engine: Engine) -> None:
    ticks = ManualClock()
    here, there = LedgerStore(engine, clock=ticks.uptime), LedgerStore(engine)
    presence = Heartbeat(there.worker_id, there.workers, there.named_locks, Path("unused"), lambda: START)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Heartbeat, "reap_dead", lambda _self: None)
        presence.beat()
        here.workers.remove_silent(60)
        ticks.advance(seconds=59)
        here.workers.remove_silent(60)
        assert [one.id for one in here.workers.all()] == [there.worker_id]
        ticks.advance(seconds=2)
        here.workers.remove_silent(60)
        assert here.workers.all() == []
        presence.beat()
        assert [one.id for one in here.workers.all()] == [there.worker_id]


def test_work_stops_when_a_newer_adapter_takes_the_database_over(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.ledger.workers.heartbeat._BEAT", 0.05)
    settings = Settings(database_url=database_url)
    settings._folder = tmp_path
    stop = threading.Event()

    def work() -> None:
        with Adapter(settings, engine).as_worker(lambda: datetime.now(UTC), stop):
            assert not stop.is_set()
            with write_transaction(engine) as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            assert stop.wait(20)

    with pytest.raises(SchemaNewer):
        work()
    with pytest.raises(SchemaNewer):
        Adapter.open(settings)
