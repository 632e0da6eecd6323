"""Migrations beside others: several processes at once, killed half-way, under load."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from ledger_books import Books, wish
from sqlalchemy import Engine, event, text
from unmade import emptied

from adapter import database
from adapter.database import migrate, read_transaction, write_transaction
from adapter.ledger.store import LedgerStore
from adapter.repository.repository import Repository
from adapter.repository.search_query import parse_query_string, parse_search

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


REINDEXED = "0020"
STORED = 450  # three pages


def store_results(engine: Engine) -> None:
    """Bring it to the version before what is stored is indexed anew, with results and one that is deleted."""
    for version in database._versions()[: database._versions().index(REINDEXED)]:
        database._step(engine, version)
    rows = [
        {
            "id": f"o{number:03}",
            "deleted": number == 7,
            "body": b""
            if number == 7
            else b'{"resourceType":"Observation","id":"o%03d","status":"final","code":{"text":"K"},'
            b'"issued":"2026-11-02T08:00:00Z","effectiveDateTime":"2026-11-02",'
            b'"subject":{"reference":"Patient/p%d"},"valueQuantity":{"value":%d}}'
            % (number, number % 9, number),
        }
        for number in range(STORED)
    ]
    resource = text(
        "INSERT INTO repository_resource (owner, type, id, version, deleted, updated, content, body) "
        "VALUES ('bv', 'Observation', :id, 1, :deleted, 1, :id, :body)"
    )
    index = text(
        "INSERT INTO repository_index (owner, type, id, name, system, value) "
        "VALUES ('bv', 'Observation', 'o001', :name, '', :value)"
    )
    kept = [{"name": "_content", "value": "x"}, {"name": "of-old", "value": "Patient/p1"}]
    with write_transaction(engine) as connection:
        connection.execute(resource, rows)
        connection.execute(index, kept)


def test_what_is_stored_is_indexed_anew_in_few_statements_also_after_a_kill(
    unmade: Engine, database_url: str
) -> None:
    store_results(unmade)
    before = version(unmade)
    process = start(database_url, "INSERT INTO repository_range")
    process.communicate(timeout=240)
    assert (process.returncode, version(unmade)) == (-9, before), "all of it or nothing"
    said: list[str] = []
    event.listen(unmade, "before_cursor_execute", lambda *given: said.append(given[2]))
    migrate(unmade)
    about = [one for one in said if "repository_index" in one or "repository_range" in one]
    assert len(about) < 40, "a handful for each page, and what makes the tables"
    found = Repository(unmade)
    for query, count in (
        ("subject=Patient/p1", 50),
        ("date=2026-11-02", STORED - 1),
        ("value-quantity=lt9", 8),
    ):
        asked = parse_search("Observation", parse_query_string(query))
        assert found.search("bv", asked).total == count, query
    with read_transaction(unmade) as connection:
        names = (
            connection.execute(text("SELECT name FROM repository_index WHERE id = 'o001'")).scalars().all()
        )
    assert "_content" in names
    assert "of-old" not in names


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
