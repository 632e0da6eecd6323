"""Turns: what only one process does at a time, and when it is due next. All SQL on them.

A hospital is planned for, a source read, an inbox gone through by whoever takes its turn. There is no
leader: a beat of the schedule is taken by comparing and setting, and a turn whose holder has stopped is
taken over (see `death_detection`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, bindparam, or_, select, text, update

from adapter.database import read_transaction, write_transaction
from adapter.errors import LeaseLost
from adapter.ledger.schema import tables
from adapter.ledger.workers.death_detection import LivenessMonitor, UptimeClock, uptime

__all__ = ["NamedLock", "NamedLockStore"]

_T = tables.turn
_MAKE = text("INSERT INTO turn (name, signs) VALUES (:name, 0) ON CONFLICT (name) DO NOTHING")


@dataclass(frozen=True, slots=True)
class NamedLock:
    """A turn that this process has."""

    name: str
    token: str


class NamedLockStore:
    """Every method is one transaction, but those that take a connection. `worker` begins all its tokens."""

    def __init__(self, engine: Engine, worker: str, clock: UptimeClock = uptime) -> None:
        self._engine = engine
        self._worker = worker
        self._watch = LivenessMonitor(clock)

    def acquire(self, name: str, seconds: float) -> NamedLock | None:
        """Take the turn, from nobody or from one who gave no sign of life for `seconds`; None: it is
        somebody's.
        """
        row = self._row(name)
        free = row is None or row.holder is None or self._stopped(row, seconds)
        return self._take(name, row.holder if row else None) if free else None

    def next_runs(self, names: Sequence[str]) -> dict[str, datetime | None]:
        """When the next beat of each of these is, as far as anybody has said."""
        query = select(_T.c.name, _T.c.next_at).where(_T.c.name.in_(names))
        with read_transaction(self._engine) as connection:
            known = {row.name: row.next_at for row in connection.execute(query)}
        return {name: known.get(name) for name in names}

    def claim_run(self, name: str, seen: datetime | None, following: datetime) -> bool:
        """The beat `seen` is this process's, the next one is `following`; False: somebody was quicker."""
        with write_transaction(self._engine) as connection:
            connection.execute(_MAKE, {"name": name})
            same = _T.c.next_at.is_(None) if seen is None else _T.c.next_at == seen
            mine = connection.execute(update(_T).where(_T.c.name == name, same).values(next_at=following))
            return mine.rowcount == 1

    def renew(self) -> None:
        """A sign of life for all turns of this worker."""
        with write_transaction(self._engine) as connection:
            connection.execute(
                update(_T).where(_T.c.holder.startswith(self._worker)).values(signs=_T.c.signs + 1)
            )

    @staticmethod
    def verify_held(connection: Connection, turn: NamedLock) -> None:
        """Prove that the turn is still this process's. Raises LeaseLost."""
        mine = and_(_T.c.name == turn.name, _T.c.holder == turn.token)
        if connection.execute(update(_T).where(mine).values(signs=_T.c.signs + 1)).rowcount != 1:
            raise LeaseLost("ledger.turn_lost")

    def give_back(self, turn: NamedLock) -> None:
        """Somebody else may have it."""
        with write_transaction(self._engine) as connection:
            connection.execute(
                update(_T).where(_T.c.name == turn.name, _T.c.holder == turn.token).values(holder=None)
            )

    def _row(self, name: str) -> Row[Any] | None:
        with read_transaction(self._engine) as connection:
            return connection.execute(select(_T).where(_T.c.name == name)).one_or_none()

    def _stopped(self, row: Row[Any], seconds: float) -> bool:
        look: Mapping[Any, object] = {row.name: (row.holder, row.signs)}
        return row.name in self._watch.unchanged(row.name, look, seconds)

    def _take(self, name: str, holder: str | None) -> NamedLock | None:
        turn = NamedLock(name, self._worker + token_hex(8))
        with write_transaction(self._engine) as connection:
            connection.execute(_MAKE, {"name": name})
            free = or_(_T.c.holder.is_(None), _T.c.holder == bindparam("b_holder"))
            taken = connection.execute(
                update(_T).where(_T.c.name == name, free).values(holder=turn.token), {"b_holder": holder}
            )
        return turn if taken.rowcount == 1 else None
