"""Many rows written at once, in the caller's transaction."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table, insert

__all__ = ["insert_rows", "insert_tuples"]

_ROWS_AT_ONCE: Final = (64, 16, 4, 1)  # few texts, which SQLite keeps prepared; its parameters: below 32,766


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, which all have the same columns. `connection.execute` prepares each of many thousands by
    itself, which takes as long as the database's own work: here the statement is compiled once, and only what
    a column's type asks for is converted.
    """
    if not rows:
        return
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name, values in columns.items():
        if convert := _conversion(table, name, connection.dialect):
            columns[name] = list(map(lru_cache(typed=True)(convert), values))  # moments are often the same
    insert_tuples(connection, table, tuple(columns), list(zip(*columns.values(), strict=True)))


def insert_tuples(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows of what stands in these columns, as the driver takes it: no type converts anything."""
    if not rows:
        return
    statement, in_order = _insert_statement(table, connection.dialect, columns)
    if in_order is None:
        connection.exec_driver_sql(statement, [dict(zip(columns, row, strict=True)) for row in rows])
        return
    if in_order != list(columns):
        places = itemgetter(*(columns.index(name) for name in in_order))
        rows = [places(row) for row in rows]
    start = 0
    for size in _ROWS_AT_ONCE:
        blocks = range(start, len(rows) - size + 1, size)
        if blocks:
            values = [tuple(chain.from_iterable(rows[place : place + size])) for place in blocks]
            connection.exec_driver_sql(_of_rows(statement, size), values)
            start = blocks[-1] + size


@lru_cache(maxsize=256)
def _of_rows(statement: str, rows: int) -> str:
    """The same statement for so many rows. The driver lets go of Python's interpreter for every one that it
    carries out, and waits beside a busy thread to have it back.
    """
    beginning, _, row = statement.rpartition(" VALUES ")
    return f"{beginning} VALUES {', '.join([row] * rows)}"


def _conversion(table: Table, column: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    convert: Callable[[Any], Any] | None = table.c[column].type.dialect_impl(dialect).bind_processor(dialect)
    return convert


@lru_cache(maxsize=256)
def _insert_statement(
    table: Table, dialect: Dialect, columns: tuple[str, ...]
) -> tuple[str, list[str] | None]:
    """The text, and the columns in the order of its parameters where these have no names."""
    statement = insert(table).compile(dialect=dialect, column_keys=list(columns))
    return str(statement), statement.positiontup
