"""Migrations beside others: several processes at once, killed half-way, under load."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from ledger_books import Books, wish
from sqlalchemy import Engine, text
from unmade import emptied

from adapter import database
from adapter.database import migrate, read_transaction, write_transaction
from adapter.ledger.store import LedgerStore

OLD = "0004"
_MIGRATE = """
import os, signal, sys
from sqlalchemy import event
from adapter.database import migrate, open_database

engine = open_database(sys.argv[1])
if len(sys.argv) > 2:
    @event.listens_for(engine, "before_cursor_execute")
    def _die(_connection, _cursor, statement, *_rest):
        if sys.argv[2] in statement:
            os.kill(os.getpid(), signal.SIGKILL)
migrate(engine)
"""


@pytest.fixture
def unmade(database_url: str) -> Iterator[Engine]:
    """A database without any table, on each system."""
    engine = emptied(database_url)
    yield engine
    engine.dispose()


def old(engine: Engine) -> None:
    """Bring it to a version whose next step changes tables that are full, with a resource in the ledger."""
    for version in database._versions()[: database._versions().index(OLD) + 1]:
        database._step(engine, version)
    with write_transaction(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO ledger_entry (hospital, identity, cadre, type, rank, kind, key, state, "
                "mapping_version, attempts, changed_at, remote_id) VALUES ('bv', 'a', 'c1', 'Observation', "
                "2, 'measurement', 'a', 'delivered', 'm1', 0, '2026-11-22 00:00:00+00:00', '7')"
            )
        )


def start(url: str, *dies_at: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _MIGRATE, url, *dies_at], stderr=subprocess.PIPE, text=True
    )


def version(engine: Engine) -> str:
    with read_transaction(engine) as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def is_whole(engine: Engine) -> None:
    assert version(engine) == database._versions()[-1]
    books = Books(engine)
    books.wish(wish("b"))
    books.send(wish("b"))


@pytest.mark.parametrize("is_old", [False, True], ids=["empty", "old"])
def test_four_processes_that_start_at_once_make_one_schema(
    unmade: Engine, database_url: str, *, is_old: bool
) -> None:
    if is_old:
        old(unmade)
    processes = [start(database_url) for _ in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    is_whole(unmade)


def test_killed_half_way_the_next_start_finishes(unmade: Engine, database_url: str) -> None:
    old(unmade)
    process = start(database_url, "CREATE TABLE server_card")
    process.communicate(timeout=240)
    assert process.returncode == -9
    assert version(unmade) == OLD
    with read_transaction(unmade) as connection:  # the step left nothing, and what works with it goes on
        assert connection.execute(text("SELECT count(*) FROM ledger_hospital")).scalar_one() == 0
    migrate(unmade)
    [entry] = LedgerStore(unmade).entries_of_record("measurement", "a")
    assert (entry.remote_id, entry.changed_at) == ("7", datetime(2026, 11, 22, tzinfo=UTC))
    is_whole(unmade)


def test_a_migration_that_waits_for_a_table_lets_the_others_through(postgres_url: str) -> None:
    engine = emptied(postgres_url)
    old(engine)
    count = text("SELECT count(*) FROM ledger_entry")
    with engine.connect() as slow, slow.begin():
        slow.execute(count)
        migrating = threading.Thread(target=migrate, args=(engine,))
        migrating.start()
        time.sleep(2)
        begun = time.monotonic()
        with read_transaction(engine) as connection:
            connection.execute(count)
        assert time.monotonic() - begun < 15
        assert migrating.is_alive()
    migrating.join(60)
    is_whole(engine)
    engine.dispose()
