"""`adapter import held release`, killed in the middle: the record is there with all that is said of it, or
the row waits as before.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.demo.processes import until
from adapter.records.held_rows import HeldRowStore, HeldState
from adapter.records.importing.import_history import list_runs
from adapter.records.store import RecordStore
from adapter.testing import Centre

SHEETS = {
    "Cán bộ": [
        ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
        ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ],
    "Lượt khám": [
        ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"),
        ("LK-1", "A1", "Khám định kỳ", "15/03/2062"),
    ],
}
# Statements of a release, in their order: what stands still there, and that of many rows it is done to.
PLACES = {
    "the list of imports": ("import_run", "INSERT"),
    "the record": ("record", "INSERT"),
    "the decision": ("held_row", "UPDATE"),
    "the audit": ("audit", "INSERT"),
}
_ROWS = 200


@pytest.fixture
def centre(engine: Engine, tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path, database_url=engine.url.render_as_string(hide_password=False))
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in SHEETS.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
    book.save(tmp_path / "a.xlsx")
    made.run("import", "a.xlsx", code=1)
    yield made
    made.close()


def release(centre: Centre, engine: Engine) -> tuple[str, ...]:
    [row] = HeldRowStore(engine).rows(None)
    return ("import", "held", "release", str(row.id), "--reason", "đã hỏi lại")


def is_whole(engine: Engine) -> bool:
    """Whether the row is let in; AssertionError where it is by half."""
    [row] = HeldRowStore(engine).rows(None)
    here = {one.key for one in RecordStore(engine).iterate("visit")}
    with read_transaction(engine) as connection:
        runs = len(list_runs(connection))
        actions = connection.execute(select(audit.audit.c.action)).scalars().all()
    found = (row.state, here, runs, actions.count("import.released"))
    let_in = row.state is HeldState.RELEASED
    assert found == (row.state, {"LK-1"} if let_in else set(), 1 + let_in, int(let_in))
    assert let_in or row.state is HeldState.WAITING
    return let_in


class Standstill:
    """A statement that does not end: whoever issues it stands in the middle of a transaction."""

    def __init__(self, engine: Engine, table: str, event: str) -> None:
        self._engine, self._table = engine, table
        self._postgresql = engine.dialect.name == "postgresql"
        with write_transaction(engine) as connection:
            for statement in self._made(table, event):
                connection.execute(text(statement))

    def _made(self, table: str, event: str) -> list[str]:
        if self._postgresql:
            function = "CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS"
            body = "$$ BEGIN PERFORM pg_sleep(120); RETURN NULL; END $$"
            trigger = f"CREATE TRIGGER stand AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION stand()"
            return [f"{function} {body}", trigger]
        rows = ", ".join(f"({number})" for number in range(_ROWS))
        many = "SELECT count(*) FROM many a, many b, many c, many d, many e, many f"
        return [
            "CREATE TABLE many (n INTEGER)",
            f"INSERT INTO many VALUES {rows}",  # noqa: S608 - numbers
            f"CREATE TRIGGER stand AFTER {event} ON {table} BEGIN {many}; END",
        ]

    def is_reached(self) -> bool:
        if self._postgresql:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            with read_transaction(self._engine) as connection:
                return bool(connection.execute(text(asked)).scalar_one())
        if not self._is_locked():
            return False
        time.sleep(0.5)  # longer than any of its statements takes
        return self._is_locked()

    def _is_locked(self) -> bool:
        with self._engine.connect() as connection:
            connection.execute(text("PRAGMA busy_timeout = 0"))
            try:
                connection.execute(text("BEGIN IMMEDIATE"))
            except OperationalError:
                return True
            finally:
                connection.rollback()
                connection.invalidate()
        return False

    def end(self) -> None:
        if self._postgresql:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            with read_transaction(self._engine) as connection:
                connection.execute(text(ended))
            until(lambda: not self.is_reached(), 30, every=0.05)
        with write_transaction(self._engine) as connection:
            on = f" ON {self._table}" if self._postgresql else ""
            connection.execute(text(f"DROP TRIGGER stand{on}"))
            connection.execute(text("DROP FUNCTION stand()" if self._postgresql else "DROP TABLE many"))


@pytest.mark.parametrize("place", PLACES)
def test_killed_in_the_middle_of_a_release_the_row_waits(centre: Centre, engine: Engine, place: str) -> None:
    standstill = Standstill(engine, *PLACES[place])
    centre.start("release", *release(centre, engine))
    assert until(standstill.is_reached, 60, every=0.05)
    assert centre.stop("release", signal.SIGKILL) == -signal.SIGKILL
    standstill.end()
    assert not is_whole(engine)
    centre.run(*release(centre, engine))  # and it can be let in as if nothing had been
    assert is_whole(engine)


def test_killed_at_any_moment_it_is_whole_or_absent(centre: Centre, engine: Engine) -> None:
    began = time.monotonic()
    centre.run("import", "held")
    takes = time.monotonic() - began
    moments = (0.6, 0.8, 0.9, 1.0, 1.1, 1.3)
    for share in moments:
        centre.start("release", *release(centre, engine))
        time.sleep(takes * share)
        centre.stop("release", signal.SIGKILL)
        if is_whole(engine):
            break
    else:
        centre.run(*release(centre, engine))
    assert is_whole(engine)
    assert centre.run_json("import", "held") == []
