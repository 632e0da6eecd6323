"""The change feed: positions given out inside the writing transaction.

The row lock on the counter makes writers queue, on PostgreSQL as on SQLite, so a reader that saw
position 17 never later finds a 16 it has missed.
"""

from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from adapter.records.tables import erasure, feed

__all__ = ["ChangeFeed", "RecordsState", "newest_position", "records_state"]

_ROW = 1
_NEWEST = select(feed.c.position).where(feed.c.id == _ROW)
_STATE = select(select(erasure.c.mark).scalar_subquery(), _NEWEST.scalar_subquery())


class RecordsState(NamedTuple):
    """Another one whenever a record or a merge has changed, or somebody was erased."""

    mark: str
    position: int


class ChangeFeed:
    """Gives out positions on `connection`; call `close()` before the transaction commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        touched = connection.execute(update(feed).where(feed.c.id == _ROW).values(position=feed.c.position))
        if touched.rowcount == 0:
            _make_row(connection)
        self.position = int(connection.execute(select(feed.c.position).where(feed.c.id == _ROW)).scalar_one())

    def next(self) -> int:
        """The next position."""
        self.position += 1
        return self.position

    def close(self) -> None:
        """Write the newest position down."""
        self._connection.execute(update(feed).where(feed.c.id == _ROW).values(position=self.position))


def _make_row(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_or

        # Two first writers: the second waits here for the first to commit.
        connection.execute(insert_or(feed).values(id=_ROW, position=0).on_conflict_do_nothing())
        connection.execute(update(feed).where(feed.c.id == _ROW).values(position=feed.c.position))
    else:
        connection.execute(insert(feed).values(id=_ROW, position=0))


def newest_position(connection: Connection) -> int:
    """The newest position; 0 when nothing was ever written."""
    return int(connection.execute(_NEWEST).scalar() or 0)


def records_state(connection: Connection) -> RecordsState:
    """In which state the records are."""
    mark, position = connection.execute(_STATE).one()
    return RecordsState(str(mark or ""), int(position or 0))
