"""What became of a record at the hospitals over time: histories, and receipts of retraction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select

from adapter.database import read
from adapter.ledger import tables
from adapter.ledger.history import Transition, unpack

__all__ = ["PastStore", "Receipt"]

_E, _R = tables.entry, tables.receipt


@dataclass(frozen=True, slots=True)
class Receipt:
    """A proof that a hospital no longer holds a resource. `how`: "deleted", "entered-in-error" (kept there,
    marked so, with nothing left but what R4 requires), or "not-there" (it had never arrived).
    """

    hospital: str
    type: str
    identity: str
    remote_id: str | None
    proved_at: datetime
    how: str


class PastStore:
    """The past of one record."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_record(self, kind: str, key: str) -> dict[tuple[str, str], tuple[Transition, ...]]:
        """The transitions of each of its resources, by (hospital, identity)."""
        query = select(_E.c.hospital, _E.c.identity, _E.c.history).where(_E.c.kind == kind, _E.c.key == key)
        with read(self._engine) as connection:
            return {(row[0], row[1]): unpack(row[2]) for row in connection.execute(query)}

    def receipts(self, kind: str, key: str) -> tuple[Receipt, ...]:
        """The proofs that hospitals no longer hold what was made of it, oldest first."""
        columns = [_R.c[name] for name in Receipt.__dataclass_fields__]
        query = select(*columns).where(_R.c.kind == kind, _R.c.key == key).order_by(_R.c.proved_at)
        with read(self._engine) as connection:
            return tuple(Receipt(**row._mapping) for row in connection.execute(query))
