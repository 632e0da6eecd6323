"""SQLite's log is copied into the database beside the work; what can be redone is committed like anything."""

from pathlib import Path

import pytest
from endpoint_centre import centre_of_one
from sqlalchemy import Engine, text

from adapter.checkpoints import BackgroundCheckpoints
from adapter.database import open_database, read_transaction, write_transaction
from adapter.testing import until
from adapter.web.endpoint import running_endpoint


@pytest.fixture
def engine_of_file(tmp_path: Path) -> Engine:
    found = open_database(f"sqlite:///{tmp_path / 'some.db'}")
    with write_transaction(found) as connection:
        connection.execute(text("CREATE TABLE word (said TEXT)"))
    return found


def test_the_endpoint_copies_the_log_beside_its_work(tmp_path: Path, sqlite_url: str) -> None:
    with centre_of_one(tmp_path / "centre", sqlite_url) as centre, centre.open() as adapter:
        with running_endpoint(adapter):
            assert pragma(adapter.engine, "wal_autocheckpoint") > 10_000
        assert pragma(adapter.engine, "wal_autocheckpoint") == 1000


def write(engine: Engine, count: int) -> None:
    rows = [{"said": "x" * 2000} for _ in range(100)]
    for _ in range(count):
        with write_transaction(engine) as connection:
            connection.execute(text("INSERT INTO word VALUES (:said)"), rows)


def pragma(engine: Engine, name: str) -> int:
    with read_transaction(engine) as connection:
        return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def test_the_log_is_copied_beside_the_work_and_stays_short(engine_of_file: Engine, tmp_path: Path) -> None:
    database = tmp_path / "some.db"
    with BackgroundCheckpoints(engine_of_file):
        assert pragma(engine_of_file, "wal_autocheckpoint") > 10_000
        write(engine_of_file, 200)  # 40 MB
        assert until(lambda: database.stat().st_size > 39_000_000, 30), "it is in the log alone"
        write(engine_of_file, 1)
        assert (tmp_path / "some.db-wal").stat().st_size < 90_000_000
    assert pragma(engine_of_file, "wal_autocheckpoint") == 1000, "as SQLite does by itself"
    with read_transaction(engine_of_file) as connection:
        assert connection.execute(text("SELECT count(*) FROM word")).scalar_one() == 20_100


def test_what_can_be_redone_is_committed_and_what_comes_after_it_waits_for_the_disk(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        connection.execute(text("CREATE TABLE word (said VARCHAR(9))"))
    before = how(engine)
    with pytest.raises(ZeroDivisionError):
        fail(engine)
    note(engine, 1)
    with read_transaction(engine) as connection:
        assert connection.execute(text("SELECT said FROM word")).scalars().all() == ["1"]
    assert how(engine) == before


def note(engine: Engine, number: int) -> None:
    with write_transaction(engine, can_be_redone=True) as connection:
        connection.execute(text("INSERT INTO word VALUES (:said)"), {"said": str(number)})
        waits_for_no_disk = 1 if engine.dialect.name == "sqlite" else "off"
        assert connection.exec_driver_sql(asked(engine)).scalar_one() == waits_for_no_disk


def fail(engine: Engine) -> None:
    with write_transaction(engine, can_be_redone=True) as connection:
        connection.execute(text("INSERT INTO word VALUES ('0')"))
        raise ZeroDivisionError


def how(engine: Engine) -> object:
    """How the next transaction is committed."""
    with read_transaction(engine) as connection:
        return connection.exec_driver_sql(asked(engine)).scalar_one()


def asked(engine: Engine) -> str:
    return "PRAGMA synchronous" if engine.dialect.name == "sqlite" else "SHOW synchronous_commit"
