"""Shipments: who may send for which hospital and cadre, and when. All SQL on them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_hex

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, insert, or_, select, text, update

from adapter.database import read, write
from adapter.errors import LeaseLost, PlanChanged
from adapter.ledger import tables
from adapter.ledger.hospitals import HospitalStore
from adapter.ledger.model import Lease

__all__ = ["ShipmentStore"]

_S = tables.shipment
_ONE_CLAIMER = text("SELECT pg_advisory_xact_lock(727275, hashtext(:hospital))")


class ShipmentStore:
    """The queue: one shipment per hospital and cadre, never two in flight. Every method is one transaction,
    but those that take a connection, which take part in the caller's.
    """

    def __init__(self, engine: Engine, hospitals: HospitalStore) -> None:
        self._engine = engine
        self._hospitals = hospitals

    @staticmethod
    def wake(connection: Connection, hospital: str, cadres: Sequence[str], now: datetime) -> None:
        """These shipments are due now, and whoever has one under way sees that there is a newer plan."""
        if not cadres:
            return
        mine = and_(_S.c.hospital == hospital, _S.c.cadre.in_(cadres))
        there = set(connection.execute(select(_S.c.cadre).where(mine)).scalars())
        connection.execute(update(_S).where(mine).values(due_at=now, attempts=0, wish=_S.c.wish + 1))
        fresh = [cadre for cadre in cadres if cadre not in there]
        if fresh:
            row = {"hospital": hospital, "due_at": now, "attempts": 0, "wish": 0}
            connection.execute(insert(_S), [{**row, "cadre": cadre} for cadre in fresh])

    def claim(self, hospital: str, now: datetime, lease_seconds: float) -> Lease | None:
        """Take one due shipment, or None: nothing is due, or the hospital admits no more."""
        free = or_(_S.c.lease_until.is_(None), _S.c.lease_until < now)
        due = (
            select(_S)
            .where(_S.c.hospital == hospital, _S.c.due_at <= now, free)
            .order_by(_S.c.due_at, _S.c.cadre)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with write(self._engine) as connection:
            if connection.dialect.name == "postgresql":  # how many are held is counted: one at a time
                connection.execute(_ONE_CLAIMER, {"hospital": hospital})
            room = self._hospitals.admits(connection, hospital, now)
            held = select(func.count()).where(_S.c.hospital == hospital, _S.c.lease_until >= now)
            if room == 0 or room <= connection.execute(held).scalar_one():
                return None
            row = connection.execute(due).one_or_none()
            if row is None:
                return None
            lease = Lease(
                hospital,
                row.cadre,
                token_hex(16),
                now + timedelta(seconds=lease_seconds),
                row.attempts,
                row.wish,
            )
            connection.execute(
                update(_S)
                .where(_S.c.hospital == hospital, _S.c.cadre == row.cadre)
                .values(lease_token=lease.token, lease_until=lease.until)
            )
        return lease

    def claim_one(self, hospital: str, cadre: str, now: datetime, lease_seconds: float) -> Lease | None:
        """Take this shipment, due or not; None when somebody else has it. Made if there is none."""
        mine = and_(_S.c.hospital == hospital, _S.c.cadre == cadre)
        with write(self._engine) as connection:
            row = connection.execute(select(_S).where(mine).with_for_update(skip_locked=True)).one_or_none()
            if row is None and connection.execute(select(_S.c.cadre).where(mine)).one_or_none() is None:
                connection.execute(insert(_S).values(hospital=hospital, cadre=cadre, attempts=0, wish=0))
                row = connection.execute(select(_S).where(mine)).one()
            if row is None or (row.lease_until is not None and row.lease_until >= now):
                return None
            until = now + timedelta(seconds=lease_seconds)
            lease = Lease(hospital, cadre, token_hex(16), until, row.attempts, row.wish)
            connection.execute(update(_S).where(mine).values(lease_token=lease.token, lease_until=until))
        return lease

    def give_back(self, lease: Lease) -> None:
        """Give a shipment back as it was; when it is due does not change."""
        mine = and_(
            _S.c.hospital == lease.hospital, _S.c.cadre == lease.cadre, _S.c.lease_token == lease.token
        )
        with write(self._engine) as connection:
            connection.execute(update(_S).where(mine).values(lease_token=None, lease_until=None))

    def break_leases(self, hospital: str) -> int:
        """Free every shipment of a hospital. Only for who holds the lock that all its workers take."""
        with write(self._engine) as connection:
            return connection.execute(
                update(_S)
                .where(_S.c.hospital == hospital, _S.c.lease_token.is_not(None))
                .values(lease_token=None, lease_until=None)
            ).rowcount

    def finish(self, lease: Lease, due_at: datetime | None, now: datetime, *, burn: bool = False) -> None:
        """Give the shipment back, due again at `due_at` (None: nothing more to do). A plan that was
        written meanwhile makes it due at once.
        """
        mine = _mine(lease)
        free = {"lease_token": None, "lease_until": None}
        with write(self._engine) as connection:
            same = connection.execute(
                update(_S)
                .where(mine, _S.c.wish == lease.wish)
                .values(due_at=due_at, attempts=lease.attempts + burn, **free)
            )
            if same.rowcount != 1:
                connection.execute(update(_S).where(mine).values(due_at=now, **free))

    def next_due(self, hospital: str) -> datetime | None:
        """When the next shipment is due or its lease ends, whichever is later; None if none ever is."""
        later = func.max if self._engine.dialect.name == "sqlite" else func.greatest
        when = later(_S.c.due_at, func.coalesce(_S.c.lease_until, _S.c.due_at), type_=_S.c.due_at.type)
        query = select(func.min(when, type_=_S.c.due_at.type)).where(
            _S.c.hospital == hospital, _S.c.due_at.is_not(None)
        )
        with read(self._engine) as connection:
            due: datetime | None = connection.execute(query).scalar_one()
        return due

    @staticmethod
    def lock(connection: Connection, hospital: str, cadres: Sequence[str]) -> None:
        """Until the transaction ends no worker starts or settles anything of these shipments."""
        mine = and_(_S.c.hospital == hospital, _S.c.cadre.in_(cadres))
        connection.execute(select(_S.c.cadre).where(mine).order_by(_S.c.cadre).with_for_update()).all()

    @staticmethod
    def hold(connection: Connection, lease: Lease) -> None:
        """Prove that the lease still holds. Raises LeaseLost."""
        values = {"lease_token": lease.token}
        if connection.execute(update(_S).where(_mine(lease)).values(**values)).rowcount != 1:
            raise LeaseLost("ledger.lease_lost")

    @staticmethod
    def begin(connection: Connection, lease: Lease, until: datetime) -> None:
        """Prove that the lease still holds and no newer plan was written, and prolong it to `until`.
        Raises LeaseLost, PlanChanged.
        """
        same = and_(_mine(lease), _S.c.wish == lease.wish)
        if connection.execute(update(_S).where(same).values(lease_until=until)).rowcount != 1:
            ShipmentStore.hold(connection, lease)
            raise PlanChanged("ledger.plan_changed")


def _mine(lease: Lease) -> ColumnElement[bool]:
    return and_(_S.c.hospital == lease.hospital, _S.c.cadre == lease.cadre, _S.c.lease_token == lease.token)
