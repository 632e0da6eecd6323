"""What became of a record at the hospitals over time: histories, and receipts of retraction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select

from adapter.database import read_transaction
from adapter.ledger.schema import tables
from adapter.ledger.schema.transitions import Transition, unpack_transitions

__all__ = ["RecordHistoryStore", "RetractionReceipt"]

_E, _R = tables.entry, tables.receipt


@dataclass(frozen=True, slots=True)
class RetractionReceipt:
    """A proof that a hospital no longer holds a resource. `how`: "deleted", "entered-in-error" (kept there,
    marked so, with nothing left but what R4 requires), or "not-there" (it had never arrived).
    """

    hospital: str
    type: str
    identity: str
    remote_id: str | None
    proved_at: datetime
    how: str


class RecordHistoryStore:
    """The past of one record."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def transitions(self, kind: str, key: str) -> dict[tuple[str, str], tuple[Transition, ...]]:
        """The transitions of each of its resources, by (hospital, identity)."""
        query = select(_E.c.hospital, _E.c.identity, _E.c.history).where(_E.c.kind == kind, _E.c.key == key)
        with read_transaction(self._engine) as connection:
            return {(row[0], row[1]): unpack_transitions(row[2]) for row in connection.execute(query)}

    def receipts(self, kind: str, key: str) -> tuple[RetractionReceipt, ...]:
        """The proofs that hospitals no longer hold what was made of it, oldest first."""
        columns = [_R.c[name] for name in RetractionReceipt.__dataclass_fields__]
        query = select(*columns).where(_R.c.kind == kind, _R.c.key == key).order_by(_R.c.proved_at)
        with read_transaction(self._engine) as connection:
            return tuple(RetractionReceipt(**row._mapping) for row in connection.execute(query))
