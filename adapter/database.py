"""One SQLAlchemy engine, on SQLite (embedded default) or PostgreSQL.

Every store module declares its own tables on `metadata`; Alembic's migrations make them.
SQLite: write-ahead log, synchronous=FULL, so a commit survives power loss; `write_transaction()` takes the
write lock at once (BEGIN IMMEDIATE), so two writers queue instead of failing half way.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Table,
    Text,
    any_,
    create_engine,
    event,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.types import TypeDecorator

from adapter.errors import Busy, SchemaNewer, SettingsError

__all__ = [
    "UtcDateTime",
    "empty_write_ahead_log",
    "erase_free_space",
    "is_one_of",
    "known_versions",
    "metadata",
    "migrate",
    "open_database",
    "read_transaction",
    "refresh_statistics",
    "schema_is_newer",
    "shared_read_transaction",
    "write_transaction",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_BUSY_SECONDS = 60
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_NOT_AVAILABLE = "55P03"  # https://www.postgresql.org/docs/current/errcodes-appendix.html
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "secure_delete=ON",  # what is removed is overwritten, not only let go
)
_VACUUM_SECONDS = 5
_LOCK_TRIES = 12  # each waits five seconds, and lets the others through before the next


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC; SQLite has no zones of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _as_utc(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        # SQLite has them as ISO texts in UTC. To read them at once takes a fifth of the time, and every line
        # of the ledger has three.
        return _of_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _of_text(value: str | None) -> datetime | None:
    return None if value is None else _as_utc(datetime.fromisoformat(value))


def _as_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def open_database(url: str, *, pool_size: int = 16) -> Engine:
    """Open `url` (sqlite:///file or postgresql+psycopg://…). Makes a SQLite file's folder; no tables.
    Raises SettingsError for another system, or a URL that cannot be read (it may hold a password: it is
    not quoted).
    """
    try:
        return _open(url, pool_size)
    except (ArgumentError, ValueError) as error:
        raise SettingsError("settings.malformed_database", system=url.split(":", 1)[0]) from error


def _open(url: str, pool_size: int) -> Engine:
    if url.startswith("sqlite"):
        return _open_sqlite(url)
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not url.startswith("postgresql+psycopg://"):
        raise SettingsError("settings.bad_database", url=url.split(":", 1)[0])
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # A process that is stopped in a transaction, or cut off, must not keep its locks for ever.
        connection.execute(f"SET idle_in_transaction_session_timeout = '{_BUSY_SECONDS}s'")
        connection.commit()

    return engine


def _open_sqlite(url: str) -> Engine:
    path = url.removeprefix("sqlite:///")
    if path and path != ":memory:":
        Path(path).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT":
            return  # VACUUM is refused within a transaction
        mode = options.get("sqlite_begin", "")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


@contextmanager
def write_transaction(engine: Engine, *, can_be_redone: bool = False) -> Iterator[Connection]:
    """A transaction that writes: committed at the end, rolled back on an exception. What can be redone, since
    nobody was told of it, is on the disk with the next transaction that must be: a killed process loses
    nothing of it, a power cut may.
    """
    with _one_writer(engine), engine.connect() as connection:
        connection.execution_options(sqlite_begin="IMMEDIATE")
        with _committed_later(connection) if can_be_redone else connection.begin():
            yield connection


@contextmanager
def _committed_later(connection: Connection) -> Iterator[None]:
    """A transaction after which nobody waits for the disk."""
    if connection.dialect.name == "postgresql":
        with connection.begin():
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
            yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA synchronous=NORMAL")  # takes effect between transactions alone
    try:
        with connection.begin():
            yield
    finally:
        driver.execute("PRAGMA synchronous=FULL")


_writers: WeakKeyDictionary[Engine, threading.RLock] = WeakKeyDictionary()
_writers_lock = threading.Lock()


def _one_writer(engine: Engine) -> AbstractContextManager[object]:
    """SQLite has one writer. Threads of one process queue on a lock, which hands over at once; SQLite's
    own waiting is sleeping and trying again, and is left to other processes.
    """
    if engine.dialect.name != "sqlite":
        return nullcontext()
    with _writers_lock:
        return _writers.setdefault(engine, threading.RLock())


def is_one_of(connection: Connection, column: Column[str], texts: Iterable[str]) -> ColumnElement[bool]:
    """`column IN texts`, for many: one parameter. SQLAlchemy makes a parameter of each text, which takes
    longer than the database needs to find them.
    """
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(texts), ARRAY(Text)))
    listed = func.json_each(orjson.dumps(list(texts)).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def refresh_statistics(connection: Connection, *tables: Table) -> None:
    """Have PostgreSQL count rows of the transaction under way. Nobody else can see them, so it would go on to
    plan for tables that are empty, and look through all of their rows again for every thousand keys.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in tables)}")


def empty_write_ahead_log(engine: Engine) -> None:
    """SQLite's write-ahead log still holds what was removed."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def erase_free_space(engine: Engine) -> None:
    """After something had to be erased for good: write the tables anew, so that what was removed is not left
    in free space. Where others do not let go of a table for long, PostgreSQL's is only cleared for use.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            with suppress(OperationalError):  # somebody is reading: freed pages are overwritten anyhow
                connection.exec_driver_sql("VACUUM")
        else:
            connection.exec_driver_sql(f"SET lock_timeout = '{_VACUUM_SECONDS}s'")
            for table in inspect(connection).get_table_names():
                _rewrite(connection, table)
    empty_write_ahead_log(engine)


def _rewrite(connection: Connection, table: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote(table)
    try:
        connection.exec_driver_sql(f"VACUUM (FULL) {quoted}")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        connection.exec_driver_sql(f"VACUUM {quoted}")


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: one consistent snapshot on SQLite."""
    shared = _shared_reading.get()
    if shared is not None and shared.engine is engine:
        yield shared
        return
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def shared_read_transaction(engine: Engine) -> Iterator[None]:
    """Whatever this thread reads in here is read in one transaction: to begin a dozen takes longer than to
    read a dozen rows. Nothing is to be written in here, and what was begun in here not read on afterwards.
    """
    with read_transaction(engine) as connection:
        token = _shared_reading.set(connection)
        try:
            yield
        finally:
            _shared_reading.reset(token)


_shared_reading: ContextVar[Connection | None] = ContextVar("shared_reading", default=None)


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version. Safe to call at every start, from several processes, while
    others work: one takes each step, in a transaction of its own, and the others wait for it. Killed in
    between, the next start goes on. Raises SchemaNewer where a newer adapter was here, Busy when others
    do not let go of a table for long.
    """
    version = _version(engine)
    pending = _versions()
    if version is not None:
        if version not in pending:
            raise SchemaNewer("database.newer")
        pending = pending[pending.index(version) + 1 :]
    for step in pending:  # mostly none, which spares every command the time to load Alembic
        _step(engine, step)


def schema_is_newer(engine: Engine) -> bool:
    """Whether a newer adapter has brought the schema to a version that this one does not know."""
    version = _version(engine)
    return version is not None and version not in _versions()


def _step(engine: Engine, version: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["engine"] = engine
    for _ in range(_LOCK_TRIES):
        try:
            command.upgrade(config, version)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
        else:
            return
    raise Busy("database.locked")


def known_versions() -> list[str]:
    """The versions of the schema that this adapter can bring up to date, the newest last."""
    return _versions()


@cache
def _versions() -> list[str]:
    return sorted(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with read_transaction(engine) as connection:
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version
