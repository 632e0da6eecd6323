"""Receipts: that a hospital no longer holds what it should not, proved by reading back. All SQL on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select

from adapter.database import read
from adapter.ledger import tables
from adapter.ledger.model import Entry, Settled

__all__ = ["Receipt", "ReceiptStore"]

_R = tables.receipt


@dataclass(frozen=True, slots=True)
class Receipt:
    """One resource that was taken back. `how`: "deleted", "entered-in-error" (kept there, marked so, and
    without what R4 does not require), or "not-there" (it had never arrived).
    """

    hospital: str
    identity: str
    proved_at: datetime
    type: str
    kind: str
    key: str
    remote_id: str | None
    how: str


class ReceiptStore:
    """What was taken back where. Receipts stay when the record is gone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @staticmethod
    def add(connection: Connection, settled: Iterable[tuple[Entry, Settled]], now: datetime) -> None:
        """A receipt for each entry that was proved to be gone, in the transaction that settles it."""
        rows = [
            {
                "hospital": entry.hospital,
                "identity": entry.identity,
                "proved_at": now,
                "type": entry.type,
                "kind": entry.kind,
                "key": entry.key,
                "remote_id": outcome.remote_id or entry.remote_id,
                "how": outcome.proof,
            }
            for entry, outcome in settled
            if outcome.proof
        ]
        if rows:
            connection.execute(insert(_R), rows)

    def of_record(self, kind: str, key: str) -> list[Receipt]:
        """What was taken back of one record, oldest first."""
        query = select(_R).where(_R.c.kind == kind, _R.c.key == key).order_by(_R.c.proved_at, _R.c.hospital)
        with read(self._engine) as connection:
            return [Receipt(**row._mapping) for row in connection.execute(query)]
