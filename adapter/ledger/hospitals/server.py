"""Which server a hospital's part of the ledger was made with, and why nothing may be written there: all SQL
on that.

Remembered ids mean something at one server alone. So its address and its words are noted, and where it
is another, or lost what we delivered, the hospital is halted until a person says what it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Engine, delete, exists, func, or_, select, update

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.ledger.hospitals.store import HospitalStore
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.subscriptions.changes import forget_hospital, forget_resources
from adapter.subscriptions.topic import REFERRAL_TYPES

__all__ = ["DeliveredResource", "HaltReason", "ServerStore"]

_E, _H, _C, _S = tables.entry, tables.hospital, tables.server_card, tables.shipment
# Its id is remembered, and nobody is deleting it.
_RESTING = (EntryState.DELIVERED, EntryState.PENDING, EntryState.SENDING, EntryState.PARKED)
_SENT = (EntryState.DELIVERED, EntryState.SENDING, EntryState.UNKNOWN, EntryState.RETRACTING)
_FORGOTTEN = {"planned_position": 0, "planned_version": "", "failures": 0, "breaker": "closed"}
_LEARNT = ("failing_since", "not_before", "asked_until", "last_error", "allowed", "slowed_at", "entries")


class HaltReason(StrEnum):
    """Why nothing may be written at a hospital until a person has decided."""

    OTHER_SERVER = "other-server"  # another address, or it says that it is something else
    RESTORED = "restored"  # what we delivered last is not there, or its ids are others': an older backup


@dataclass(frozen=True, slots=True)
class DeliveredResource:
    """What a hospital took of us: its identity, that before a change of the identity key, and the id and
    version that it had there.
    """

    type: str
    identity: str
    remote_id: str
    etag: str | None
    former_identity: str | None = None


class ServerStore:
    """The server that each hospital's ledger belongs to. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- looking ---------------------------------------------------------------------------

    def has_sent(self, hospital: str) -> bool:
        """Whether the ledger says that anything is, or may be, at the hospital."""
        there = or_(_E.c.state.in_(_SENT), _E.c.remote_id.is_not(None))
        with read_transaction(self._engine) as connection:
            return bool(connection.execute(select(exists().where(_E.c.hospital == hospital, there))).scalar())

    def newest_delivered(self, hospital: str, count: int) -> list[DeliveredResource]:
        """What was delivered last and should be there, the newest first."""
        query = (
            select(_E.c.type, _E.c.identity, _E.c.remote_id, _E.c.etag, _E.c.former_identity)
            .where(
                _E.c.hospital == hospital,
                _E.c.delivered_at.is_not(None),
                _E.c.remote_id.is_not(None),
                _E.c.state.in_(_RESTING),
            )
            .order_by(_E.c.delivered_at.desc())
            .limit(count)
        )
        with read_transaction(self._engine) as connection:
            return [DeliveredResource(*row) for row in connection.execute(query)]

    # -- the one that it is ----------------------------------------------------------------

    def note(self, hospital: str, address: str, words: str | None = None) -> None:
        """The ledger belongs to this server; a card of before cards had an address is of it too."""
        with write_transaction(self._engine) as connection:
            HospitalStore.ensure(connection, hospital)
            self._put(connection, hospital, address, words)
            unnamed = (_C.c.hospital == hospital) & _C.c.base_url.is_(None)
            connection.execute(update(_C).where(unnamed).values(base_url=address))

    @staticmethod
    def _put(connection: Connection, hospital: str, address: str, words: str | None) -> None:
        values = {"server_url": address, "server_says": words and words[:500]}
        connection.execute(update(_H).where(_H.c.name == hospital).values(**values))

    def halt(self, hospital: str, why: HaltReason, now: datetime, *, by: str) -> bool:
        """Write nothing there from the next claim on; whether it was not halted before. Audited."""
        with write_transaction(self._engine) as connection:
            HospitalStore.ensure(connection, hospital)
            fresh = (_H.c.name == hospital) & _H.c.halted.is_(None)
            done = connection.execute(update(_H).where(fresh).values(halted=why, halted_at=now)).rowcount
            if done:
                details = {"why": str(why)}
                audit.append(
                    connection, at=now, actor=by, action="hospital.halted", hospital=hospital, details=details
                )
        return bool(done)

    # -- what a person says ----------------------------------------------------------------

    def move(
        self, hospital: str, address: str, *, by: str, now: datetime, unchanged: Callable[[], None]
    ) -> None:
        """It is the same server: the ledger and the card go along. `unchanged` may raise first."""
        with write_transaction(self._engine) as connection:
            self._lock(connection, hospital)
            unchanged()
            self._put(connection, hospital, address, None)
            connection.execute(update(_C).where(_C.c.hospital == hospital).values(base_url=address))
            self._go_on(connection, hospital)
            audit.append(connection, at=now, actor=by, action="hospital.moved", hospital=hospital)

    def accept(self, hospital: str, address: str, words: str | None, *, by: str, now: datetime) -> None:
        """The ledger was put right by reading this server back, so it belongs to it now. Ids of what was not
        delivered there are forgotten: it is found by its identifier. A card of another address is too.
        """
        with write_transaction(self._engine) as connection:
            self._lock(connection, hospital)
            waiting = _E.c.state.in_((EntryState.PENDING, EntryState.PARKED))
            mine = (_E.c.hospital == hospital) & waiting & _E.c.remote_id.is_not(None)
            of_referrals = mine & _E.c.type.in_(sorted(REFERRAL_TYPES))
            stale = connection.execute(select(_E.c.type, _E.c.remote_id).where(of_referrals)).all()
            forget_resources(connection, hospital, [(row.type, row.remote_id) for row in stale])
            connection.execute(update(_E).where(mine).values(remote_id=None, etag=None))
            self._put(connection, hospital, address, words)
            self._drop_card(connection, hospital, address)
            self._go_on(connection, hospital)
            audit.append(connection, at=now, actor=by, action="hospital.server_accepted", hospital=hospital)

    def forget(
        self,
        hospital: str,
        address: str,
        *,
        by: str,
        now: datetime,
        unchanged: Callable[[], None],
        details: Mapping[str, int],
    ) -> None:
        """It is another server, which holds nothing of ours: no line stays, all is planned from the start,
        and nothing is retracted. Whoever has a shipment under way finds its lease lost. Receipts stay.
        """
        with write_transaction(self._engine) as connection:
            self._lock(connection, hospital)
            unchanged()
            connection.execute(delete(_S).where(_S.c.hospital == hospital))
            connection.execute(delete(_E).where(_E.c.hospital == hospital))
            forget_hospital(connection, hospital)
            for known in (tables.person_disclosure, tables.policy_in_force):
                connection.execute(delete(known).where(known.c.hospital == hospital))
            self._put(connection, hospital, address, None)
            self._drop_card(connection, hospital, address)
            self._go_on(connection, hospital)
            anew = {**_FORGOTTEN, **dict.fromkeys(_LEARNT)}
            connection.execute(update(_H).where(_H.c.name == hospital).values(**anew))
            audit.append(
                connection,
                at=now,
                actor=by,
                action="hospital.forgotten",
                hospital=hospital,
                details=dict(details),
            )

    @staticmethod
    def _lock(connection: Connection, hospital: str) -> None:
        HospitalStore.ensure(connection, hospital)
        connection.execute(select(_H.c.name).where(_H.c.name == hospital).with_for_update())

    @staticmethod
    def _drop_card(connection: Connection, hospital: str, address: str) -> None:
        theirs = func.coalesce(_C.c.base_url, "") != address
        connection.execute(delete(_C).where(_C.c.hospital == hospital, theirs))

    @staticmethod
    def _go_on(connection: Connection, hospital: str) -> None:
        connection.execute(update(_H).where(_H.c.name == hospital).values(halted=None, halted_at=None))
