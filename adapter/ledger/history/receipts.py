"""Receipts: that a hospital no longer holds what it should not, proved by reading back."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert

from adapter.ledger.schema import tables
from adapter.ledger.schema.values import DeliveryOutcome, LedgerEntry

__all__ = ["add_receipts"]


def add_receipts(
    connection: Connection, settled: Iterable[tuple[LedgerEntry, DeliveryOutcome]], now: datetime
) -> None:
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
        connection.execute(insert(tables.receipt), rows)
