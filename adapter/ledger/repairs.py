"""What reading back corrects in the ledger: all SQL on it. Only under the lease of the shipment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from adapter.awaited import line_name, note_arrivals
from adapter.database import write_transaction
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState, next_state
from adapter.ledger.schema.transitions import pack_transition
from adapter.ledger.schema.values import UNKNOWN_RECORD, DesiredResource, Lease, LedgerEntry
from adapter.ledger.shipments import ShipmentStore
from adapter.subscriptions.changes import ReferralChange, forget_resources, note_changes
from adapter.subscriptions.topic import REFERRAL_TYPES

__all__ = ["Repair", "RepairStore"]

_E = tables.entry
_NOTHING_SENT = {"sent_digest": None, "delivered_digest": None, "delivered_at": None, "attempts": 0}


@dataclass(frozen=True, slots=True)
class Repair:
    """What to write of one entry. `holds`: the hospital has it as it should be, as `remote_id`. Else it has
    something else (None: nothing): `desired` is sent again, or without one it is retracted again.
    """

    entry: LedgerEntry
    holds: bool
    desired: DesiredResource | None = None
    remote_id: str | None = None
    etag: str | None = None


class RepairStore:
    """Corrects entries that are not what the hospital was found to hold."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, lease: Lease, repairs: Sequence[Repair], now: datetime) -> int:
        """Write them down and wake the shipment; returns how many still stood as they were read. Raises
        LeaseLost when another worker owns them now.
        """
        if not repairs:
            return 0
        with write_transaction(self._engine) as connection:
            ShipmentStore.verify_lease(connection, lease)
            done = sum(_written(connection, lease, one, now) for one in repairs)
            ShipmentStore.mark_due(connection, lease.hospital, [lease.cadre], now)
        return done

    def retract_unknown(
        self, hospital: str, strangers: Sequence[tuple[str, str, str, int]], cadre: str, now: datetime
    ) -> int:
        """(type, identity, remote id, rank) of what the hospital holds of ours and nobody wishes for: it
        goes with the shipment `cadre`. Returns how many were not known before.
        """
        with write_transaction(self._engine) as connection:
            known = _known(connection, hospital, [one[1] for one in strangers])
            fresh = {one[1]: one for one in strangers if one[1] not in known}
            rows = [
                _stranger(one) | {"hospital": hospital, "cadre": cadre, "changed_at": now}
                for one in fresh.values()
            ]
            if rows:
                connection.execute(insert(_E), rows)
                ShipmentStore.mark_due(connection, hospital, [cadre], now)
        return len(rows)


def _known(connection: Connection, hospital: str, identities: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(identities), 500):
        query = select(_E.c.identity).where(
            _E.c.hospital == hospital, _E.c.identity.in_(identities[start : start + 500])
        )
        found |= set(connection.execute(query).scalars())
    return found


def _written(connection: Connection, lease: Lease, repair: Repair, now: datetime) -> int:
    entry = repair.entry
    stands = (
        _E.c.hospital == entry.hospital,
        _E.c.cadre == lease.cadre,  # what stands under somebody else may be under way
        _E.c.identity == entry.identity,
        _E.c.state == entry.state,
        _E.c.desired_digest.is_not_distinct_from(entry.desired_digest),
    )
    state = next_state(entry.state, _event(repair))
    values: dict[str, Any] = {"state": state, "remote_id": repair.remote_id, "etag": repair.etag}
    values |= {"reason": None, "detail": None, "changed_at": now}
    if state is EntryState.DELIVERED:
        values |= {"delivered_digest": entry.desired_digest, "delivered_at": now, "body": None, "attempts": 0}
    else:
        values |= {**_NOTHING_SENT, "reason": "read-back"}
        values |= {"body": repair.desired.body} if repair.desired is not None else {}
    more = tables.append_history(connection.dialect.name, pack_transition(state, now, "read-back"))
    if repair.remote_id and repair.remote_id != entry.remote_id:
        note_arrivals(connection, [line_name(entry.hospital, repair.remote_id)])
    written = connection.execute(update(_E).where(*stands).values(**values, history=more)).rowcount
    if written and entry.remote_id not in (None, repair.remote_id) and entry.type in REFERRAL_TYPES:
        # no line names it any more, for whoever would erase it
        forget_resources(connection, entry.hospital, [(entry.type, entry.remote_id)])
    if written and state is EntryState.DELIVERED:
        note_changes(connection, entry.hospital, _referral_change(repair), now)
    return written


def _referral_change(repair: Repair) -> list[ReferralChange]:
    """What a hospital took whose answer never came, and that is found there now."""
    entry, remote_id = repair.entry, repair.remote_id or repair.entry.remote_id
    if entry.state is EntryState.DELIVERED or entry.type not in REFERRAL_TYPES or remote_id is None:
        return []
    return [ReferralChange(entry.type, remote_id, "update" if entry.delivered_at else "create")]


def _event(repair: Repair) -> EntryEvent:
    if repair.holds or repair.desired is None:
        return EntryEvent.CONFIRM  # of what should not be there: it is, and is retracted
    return EntryEvent.RELEASE if repair.entry.state is EntryState.PARKED else EntryEvent.ABSENT


def _stranger(one: tuple[str, str, str, int]) -> dict[str, Any]:
    resource_type, identity, remote_id, rank = one
    kind, key = UNKNOWN_RECORD
    return {
        "identity": identity,
        "type": resource_type,
        "rank": rank,
        "kind": kind,
        "key": key,
        "state": EntryState.RETRACTING,
        "remote_id": remote_id,
        "mapping_version": "",
        "attempts": 0,
        "reason": "read-back",
    }
