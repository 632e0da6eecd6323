"""All SQL of what was read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite

from adapter.database import read_transaction, write_transaction
from adapter.inbox.polling.tables import poll_mark
from adapter.inbox.tables import inbox_item

__all__ = ["PollMark", "PollStore"]


@dataclass(frozen=True, slots=True)
class PollMark:
    """How far one type of one hospital was read. `watermark` is of the hospital's clock, the rest of ours."""

    hospital: str
    type: str
    watermark: datetime | None = None
    done_at: datetime | None = None
    failing_since: datetime | None = None
    problem: str | None = None


class PollStore:
    """The marks of one database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def of_hospital(self, hospital: str) -> Mapping[str, PollMark]:
        """By type."""
        query = select(poll_mark).where(poll_mark.c.hospital == hospital)
        with read_transaction(self.engine) as connection:
            return {row.type: PollMark(**row._mapping) for row in connection.execute(query)}

    def known_versions(
        self, hospital: str, type_: str, ids: Collection[str]
    ) -> frozenset[tuple[str, int, datetime]]:
        """Of these resources the versions that came already: id, and number and moment as its server said."""
        item = inbox_item.c
        query = select(item.resource_id, item.sender_version, item.sender_updated).where(
            item.hospital == hospital,
            item.type == type_,
            item.resource_id.in_(ids),
            item.sender_version.is_not(None),
        )
        with read_transaction(self.engine) as connection:
            return frozenset(tuple(row) for row in connection.execute(query)) if ids else frozenset()

    def note_done(self, hospital: str, type_: str, watermark: datetime | None, now: datetime) -> None:
        """It was read to the end; a watermark never goes back."""
        self._put(
            PollMark(hospital, type_, watermark, now),
            {"watermark": watermark, "done_at": now, "failing_since": None, "problem": None},
        )

    def note_failed(self, hospital: str, type_: str, problem: str, now: datetime) -> None:
        """It was not; since when that is stays."""
        since = func.coalesce(poll_mark.c.failing_since, now)
        self._put(
            PollMark(hospital, type_, None, None, now, problem), {"failing_since": since, "problem": problem}
        )

    def _put(self, mark: PollMark, changed: Mapping[str, object]) -> None:
        insert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        values = {name: getattr(mark, name) for name in mark.__slots__}
        statement = insert(poll_mark).values(**values)
        with write_transaction(self.engine) as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["hospital", "type"], set_=dict(changed))
            )
