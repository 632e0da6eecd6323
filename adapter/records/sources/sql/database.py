"""A source's database: reached, read only, with a limit of time, and its complaints put into words."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    bindparam,
    column,
    create_engine,
    event,
    literal_column,
    make_url,
    or_,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from adapter.errors import SourceDisconnected, SourceError
from adapter.records.sources.sql.driver_values import as_text
from adapter.records.sources.sql.source_cursor import ChangeValue
from adapter.records.sources.sql.source_file import SqlSource
from adapter.settings import read_secret

__all__ = ["SourceDatabase", "open_source_database"]

_CONNECT_SECONDS = 10
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
# What the words of an error may hold: names and pieces of the query. Other errors may quote a value.
_PG_SYNTAX = "42"
_MY_SYNTAX = frozenset({1054, 1064, 1146, 1051, 1052, 1142, 1143, 1305, 1044, 1049, 1222})
_MY_LOGIN = frozenset({1044, 1045, 1698})
_MY_TIMEOUT = frozenset({1969, 3024})
_PG_TIMEOUT = "57014"
_PG_ENDED = frozenset({"57P01", "57P02", "57P03"})


class SourceDatabase:
    """One connection: everything is read in one transaction that only reads, one state of the database."""

    def __init__(self, source: SqlSource, connection: Connection) -> None:
        self._source = source
        self._connection = connection

    def rows(
        self, kind: str, query: str, changed: str | None = None, after: ChangeValue | None = None
    ) -> tuple[list[str], Iterator[Sequence[Any]]]:
        """The result's column names, and its rows, streamed; only those changed at `after` or later."""
        # A query has no parameters; a cast is no name. It may end in a comment.
        statement: Any = text(query.replace(":", r"\:") + "\n")
        if changed is not None:  # at the first reading too, so that what fails does not fail later
            inner = statement.columns(column(changed)).subquery("changes")
            at = inner.c[changed]
            statement = select(literal_column("*")).select_from(inner)
            if after is not None:
                statement = statement.where(or_(at >= bindparam("after", after), at.is_(None)))
        with _in_words(self._source, kind):
            result = self._connection.execution_options(
                stream_results=True, yield_per=self._source.page_rows
            ).execute(statement)
        return list(result.keys()), self._paged(kind, result)

    def _paged(self, kind: str, result: Any) -> Iterator[Sequence[Any]]:
        try:
            with _in_words(self._source, kind):
                for page in result.partitions():
                    yield from page
        finally:
            with suppress(SQLAlchemyError):
                result.close()


@contextmanager
def open_source_database(source: SqlSource) -> Iterator[SourceDatabase]:
    """Connect. Raises SourceDisconnected when it does not answer, SourceError when it refuses."""
    url = _url(source)
    engine = _engine(url, source)
    try:
        with _in_words(source, None):
            connection = engine.connect()
            connection.begin()
            _prepare(connection, source)
        try:
            yield SourceDatabase(source, connection)
        finally:
            with suppress(SQLAlchemyError):
                connection.invalidate()  # whatever is still streaming is not waited for
                connection.close()
    finally:
        engine.dispose()


def _url(source: SqlSource) -> URL:
    secret = read_secret(source.connection, folder=source.folder)
    try:
        url = make_url(secret.get_secret_value())
    except (ArgumentError, ValueError):
        raise SourceError("source.bad_url", source=source.source, reference=source.connection) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and url.database:
        path = (source.folder / Path(url.database).expanduser()).absolute()
        if not path.is_file():
            raise SourceError("source.no_file", source=source.source, reference=source.connection)
        return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    return url


def _engine(url: URL, source: SqlSource) -> Engine:
    arguments: dict[str, Any] = {}
    options: dict[str, Any] = {}
    backend = url.get_backend_name()
    if backend == "postgresql":
        limit = int(source.timeout_seconds * 1000)
        arguments = {"connect_timeout": _CONNECT_SECONDS, "options": f"-c statement_timeout={limit}"}
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    elif backend in ("mysql", "mariadb"):
        limit = int(source.timeout_seconds) + 1
        arguments = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": limit, "charset": "utf8mb4"}
        options = {"isolation_level": "REPEATABLE READ"}
    try:
        engine = create_engine(
            url, poolclass=NullPool, connect_args=arguments, execution_options=options, hide_parameters=True
        )
    except (NoSuchModuleError, ImportError) as error:
        raise SourceError("source.no_driver", source=source.source, driver=url.drivername) from error
    if backend == "sqlite":
        _limit_sqlite(engine, source.timeout_seconds)
    elif backend in ("mysql", "mariadb"):
        _limit_mysql(engine, source)
    return engine


def _limit_sqlite(engine: Engine, seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=ON")
        connection.text_factory = as_text  # the driver's own complaint would quote the value

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    @event.listens_for(engine, "before_cursor_execute")
    def _limit(connection: Any, *_: object) -> None:
        end = time.monotonic() + seconds
        connection.connection.driver_connection.set_progress_handler(lambda: time.monotonic() > end, 100_000)


def _limit_mysql(engine: Engine, source: SqlSource) -> None:
    offset = datetime.now(source.zone).strftime("%z")

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            # A TIMESTAMP is shown in the session's zone.
            cursor.execute(f"SET SESSION time_zone = '{offset[:3]}:{offset[3:]}'")
            cursor.execute("SET SESSION net_write_timeout = 600")  # the import may be slower than the server


def _prepare(connection: Connection, source: SqlSource) -> None:
    if connection.dialect.name not in ("mysql", "mariadb"):
        return
    if getattr(connection.dialect, "is_mariadb", False):
        connection.exec_driver_sql(f"SET SESSION max_statement_time = {source.timeout_seconds}")
    else:
        connection.exec_driver_sql(f"SET SESSION max_execution_time = {int(source.timeout_seconds * 1000)}")


@contextmanager
def _in_words(source: SqlSource, kind: str | None) -> Iterator[None]:
    """SQLAlchemy's errors as the adapter's; `kind` None: while connecting."""
    try:
        yield
    except ImportError as error:
        raise SourceError("source.no_driver", source=source.source, driver=error.name or "-") from error
    except DBAPIError as error:
        raise _said(source, kind, error) from None  # the driver's own error may hold a value
    except SQLAlchemyError as error:
        problem = type(error).__name__
        raise SourceError(
            "source.bad_query", source=source.source, kind=kind or "-", problem=problem
        ) from None


def _said(source: SqlSource, kind: str | None, error: DBAPIError) -> SourceError:
    name, said = source.source, str(error.orig)
    code = getattr(error.orig, "sqlstate", None) or ""
    number = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if number in _MY_LOGIN or "authentication failed" in said or "no password supplied" in said:
        return SourceError("source.refused", source=name, reference=source.connection)
    if code == _PG_TIMEOUT or number in _MY_TIMEOUT or said == "interrupted":
        return SourceError(
            "source.timeout", source=name, kind=kind or "-", seconds=f"{source.timeout_seconds:g}"
        )
    if kind is None:
        problem = str(error.orig.args[-1]).splitlines()[0] if number is not None else "-"  # type: ignore[union-attr]
        kind_of_error = SourceError if _is_words(error, code, number) else SourceDisconnected
        return kind_of_error("source.unreachable", source=name, problem=problem)
    if error.connection_invalidated or code in _PG_ENDED:
        return SourceDisconnected("source.lost", source=name, kind=kind or "-")
    problem = said.splitlines()[0] if _is_words(error, code, number) else type(error.orig).__name__
    if isinstance(number, int) and _is_words(error, code, number):
        problem = str(error.orig.args[1])  # type: ignore[union-attr] # it has a number, so it is there
    return SourceError("source.bad_query", source=name, kind=kind or "-", problem=problem)


def _is_words(error: DBAPIError, code: str, number: Any) -> bool:
    """Whether what the database says names only tables, columns and the query's own words."""
    if code:
        return code.startswith(_PG_SYNTAX)
    if isinstance(number, int):
        return number in _MY_SYNTAX
    return type(error.orig).__module__ == "sqlite3" and type(error.orig).__name__ == "OperationalError"
