"""Uploaded workbooks until they are imported or thrown away, a day at most. All SQL on them; what they hold
is sealed (`draft_seal`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from adapter.database import read_transaction, write_transaction
from adapter.records.tables import import_draft, import_run

__all__ = ["KEPT", "DraftState", "ImportDraft", "ImportDraftStore", "forget_all", "records_version"]

KEPT: Final = timedelta(days=1)
_D = import_draft.c


class DraftState(StrEnum):
    """How far one is: looked through first, imported when somebody says yes to what was found."""

    UPLOADED = "uploaded"
    CHECKING = "checking"
    CHECKED = "checked"
    REFUSED = "refused"
    IMPORTING = "importing"
    IMPORTED = "imported"

    @property
    def is_under_way(self) -> bool:
        """Whether a process is at it."""
        return self in (DraftState.CHECKING, DraftState.IMPORTING)


@dataclass(frozen=True, slots=True)
class ImportDraft:
    """One without its content. `size` in bytes; `options` is JSON, `report` and `rejects` are sealed; `seen`:
    see `records_version`.
    """

    id: int
    uploaded_at: datetime
    uploaded_by: str
    size: int
    digest: str
    state: DraftState
    options: str
    seen: str | None
    report: bytes | None
    rejects: bytes | None


_LISTED = [column for column in import_draft.c if column.name != "content"]


class ImportDraftStore:
    """The drafts of one database. Each method without a `connection` is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @staticmethod
    def add(connection: Connection, *, by: str, now: datetime, size: int, digest: str) -> int:
        """Make one, whose content is still to be put in; gives its number."""
        values = {
            "uploaded_at": now,
            "uploaded_by": by,
            "size": size,
            "digest": digest,
            "state": DraftState.UPLOADED,
            "options": "{}",
            "content": b"",
        }
        made = connection.execute(insert(import_draft).values(values).returning(_D.id))
        return int(made.scalar_one())

    @staticmethod
    def put_content(connection: Connection, number: int, sealed: bytes) -> None:
        """What it holds."""
        connection.execute(update(import_draft).where(_D.id == number).values(content=sealed))

    def all(self, now: datetime) -> Sequence[ImportDraft]:
        """Those of the last day, the newest first."""
        query = select(*_LISTED).where(_D.uploaded_at > now - KEPT).order_by(_D.id.desc())
        with read_transaction(self._engine) as connection:
            return [_draft(row) for row in connection.execute(query)]

    def get(self, number: int, now: datetime) -> ImportDraft | None:
        """The one of that number, unless its day is over."""
        query = select(*_LISTED).where(_D.id == number, _D.uploaded_at > now - KEPT)
        with read_transaction(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else _draft(row)

    def content(self, number: int) -> bytes:
        """What it holds, sealed; b"" where it was emptied."""
        with read_transaction(self._engine) as connection:
            found = connection.execute(select(_D.content).where(_D.id == number)).scalar()
        return bytes(found or b"")

    def held_bytes(self) -> int:
        """How much all of them hold."""
        with read_transaction(self._engine) as connection:
            return int(connection.execute(select(func.coalesce(func.sum(_D.size), 0))).scalar_one())

    def move(self, number: int, before: DraftState, after: DraftState, options: str | None = None) -> bool:
        """From one state to another; False where somebody was quicker."""
        values = {"state": after} if options is None else {"state": after, "options": options}
        this = (_D.id == number) & (_D.state == before)
        with write_transaction(self._engine) as connection:
            return bool(connection.execute(update(import_draft).where(this).values(values)).rowcount)

    @staticmethod
    def finish(
        connection: Connection,
        number: int,
        state: DraftState,
        *,
        report: bytes,
        rejects: bytes | None = None,
        seen: str | None = None,
    ) -> None:
        """What came of it. One that was imported holds its content no more."""
        values: dict[str, object] = {"state": state, "report": report, "rejects": rejects, "seen": seen}
        if state is DraftState.IMPORTED:
            values |= {"content": b"", "size": 0}
        connection.execute(update(import_draft).where(_D.id == number).values(values))

    @staticmethod
    def remove(connection: Connection, number: int) -> bool:
        """Throw it away; False where it is not there, or under way."""
        this = (_D.id == number) & _D.state.not_in([one for one in DraftState if one.is_under_way])
        return bool(connection.execute(delete(import_draft).where(this)).rowcount)

    def purge(self, now: datetime) -> int:
        """Forget those whose day is over; gives how many."""
        old = now - KEPT >= _D.uploaded_at
        with read_transaction(self._engine) as connection:
            if connection.execute(select(_D.id).where(old).limit(1)).first() is None:
                return 0
        with write_transaction(self._engine) as connection:
            return connection.execute(delete(import_draft).where(old)).rowcount


def forget_all(connection: Connection) -> None:
    """Somebody became T0, and any workbook may tell of them: all go. Of the one that is being imported
    only what comes of it stays.
    """
    connection.execute(delete(import_draft).where(_D.state != DraftState.IMPORTING))
    connection.execute(update(import_draft).values(content=b"", size=0, report=None, rejects=None))


def records_version(connection: Connection) -> str:
    """Names what an import would begin from: the last import that changed something. What hospitals send does
    not make it another one: no workbook holds that.
    """
    return str(connection.execute(select(func.max(import_run.c.id))).scalar() or 0)


def _draft(row: Row[Any]) -> ImportDraft:
    values = dict(row._mapping)
    return ImportDraft(**{**values, "state": DraftState(values["state"])})
