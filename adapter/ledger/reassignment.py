"""Entries that pass from one person's shipment to another's: all SQL on it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from adapter.ledger.entries.comparison import PlannedChange
from adapter.ledger.schema import tables
from adapter.ledger.schema.values import DesiredResource, Lease, LedgerEntry
from adapter.ledger.shipments import ShipmentStore

__all__ = ["belongs_to_another", "current_owners", "reassign_changes", "reassign_records"]

_E = tables.entry
_REFILE = (
    update(_E)
    .where(_E.c.hospital == bindparam("b_hospital"), _E.c.identity == bindparam("b_identity"))
    .values({name: bindparam(f"b_{name}") for name in ("cadre", "kind", "key", "rank")})
)


def reassign_records(
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
        ShipmentStore.verify_lease(connection, lease)
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
        ShipmentStore.mark_due(connection, source.hospital, [source.cadre, target.cadre], now)
    return len(moving)


def belongs_to_another(change: PlannedChange, cadre: str) -> bool:
    """Whether a change planned for this cadre is of a line that stands under somebody else."""
    return change.entry is not None and change.entry.cadre != cadre


def current_owners(changes: Mapping[str, Sequence[PlannedChange]]) -> set[str]:
    """Under whom lines stand that are planned for somebody else (`changes` by cadre)."""
    return {
        one.entry.cadre
        for cadre, listed in changes.items()
        for one in listed
        if one.entry is not None and one.entry.cadre != cadre
    }


def reassign_changes(
    connection: Connection, hospital: str, changes: dict[str, list[PlannedChange]]
) -> tuple[dict[str, list[PlannedChange]], set[str]]:
    """Lines that are planned for a cadre (`changes` by cadre) and stand under another are sent with the
    cadre's shipment from now on. All of these shipments must be locked.

    Where somebody has the other's shipment under way, its lines stay: a request with them may be out, and no
    two shipments may have a resource in flight. Their changes are left out; returns the rest, and the cadres
    to plan again. What was sent from a shipment that nobody has under way and not answered is looked up
    before anything else, in the one that it passes to as in its own.
    """
    theirs = current_owners(changes)
    if not theirs:
        return changes, set()
    busy = ShipmentStore.in_flight_cadres(connection, hospital, theirs)
    kept: dict[str, list[PlannedChange]] = {cadre: [] for cadre in changes}
    late: set[str] = set()
    for cadre, listed in changes.items():
        for one in listed:
            if one.entry is not None and one.entry.cadre != cadre:
                if one.entry.cadre in busy:
                    late.add(cadre)
                    continue
                connection.execute(_REFILE, _refiled(cadre, one.entry, one.desired))
            kept[cadre].append(one)
    return kept, late


def _refiled(cadre: str, entry: LedgerEntry, wish: DesiredResource | None) -> dict[str, Any]:
    """The parameters of `_REFILE`. Of what nobody knew the record is known once it is wished for."""
    of = wish or entry
    line = {"b_hospital": entry.hospital, "b_identity": entry.identity, "b_cadre": cadre}
    return {**line, "b_kind": of.kind, "b_key": of.key, "b_rank": of.rank}
