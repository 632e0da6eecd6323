"""Entries that pass from one person's shipment to another's: all SQL on it."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from adapter.ledger import tables
from adapter.ledger.model import Lease
from adapter.ledger.shipments import ShipmentStore

__all__ = ["move"]

_E = tables.entry


def move(
    connection: Connection,
    source: Lease,
    target: Lease,
    records: Collection[tuple[str, str]] | None,
    now: datetime,
) -> int:
    """What is of these records (kind, key; None: everything) is sent with the shipment `target` from now
    on; returns how many entries. Both shipments must be leased. Raises LeaseLost.
    """
    for lease in (source, target):
        ShipmentStore.hold(connection, lease)
    theirs = select(_E.c.identity, _E.c.kind, _E.c.key).where(
        _E.c.hospital == source.hospital, _E.c.cadre == source.cadre
    )
    moving = [
        row.identity
        for row in connection.execute(theirs)
        if records is None or (row.kind, row.key) in records
    ]
    for identity in moving:
        connection.execute(
            update(_E)
            .where(_E.c.hospital == source.hospital, _E.c.identity == identity)
            .values(cadre=target.cadre)
        )
    if moving:
        ShipmentStore.wake(connection, source.hospital, [source.cadre, target.cadre], now)
    return len(moving)
