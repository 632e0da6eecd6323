"""Shipments: who may send for which hospital and cadre, and when. All SQL on them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from adapter.database import read_transaction, write_transaction
from adapter.errors import LeaseLost
from adapter.ledger.hospitals.store import HospitalStore
from adapter.ledger.schema import tables
from adapter.ledger.schema.values import Lease
from adapter.ledger.workers.death_detection import MAX_RETRY_DELAY, LivenessMonitor, UptimeClock, uptime

__all__ = ["ShipmentStore"]

_S, _H = tables.shipment, tables.hospital
_FREE = {"lease_token": None, "lease_until": None}
_ONE_CLAIMER = text("SELECT pg_advisory_xact_lock(727275, hashtext(:hospital))")

# Made once: to put a statement together takes Python longer than the database needs to run it, and these
# run for every Bundle.
_HOSPITAL = _S.c.hospital == bindparam("b_hospital")
_OURS = and_(_HOSPITAL, _S.c.cadre == bindparam("b_cadre"), _S.c.lease_token == bindparam("b_token"))
_SAME_WISH = and_(_OURS, _S.c.wish == bindparam("b_wish"))
_HOLD = update(_S).where(_OURS).values(lease_token=_S.c.lease_token)
_BEGIN = update(_S).where(_SAME_WISH).values(lease_until=bindparam("b_until", type_=_S.c.lease_until.type))
_FINISH = (
    update(_S)
    .where(_SAME_WISH)
    .values(
        due_at=bindparam("b_due_at", type_=_S.c.due_at.type),
        attempts=bindparam("b_attempts", type_=_S.c.attempts.type),
        **_FREE,
    )
)
_LEASE = (
    update(_S)
    .where(_HOSPITAL, _S.c.cadre.in_(bindparam("b_cadres", expanding=True)))
    .values(lease_token=bindparam("b_token"), lease_until=bindparam("b_until", type_=_S.c.lease_until.type))
)
_HELD = select(_S.c.cadre, _S.c.lease_token, _S.c.lease_until).where(_HOSPITAL, _S.c.lease_token.is_not(None))
_WAITING = _S.c.due_at <= bindparam("b_now")
# What failed before goes after all others: what a hospital fails on must not be its probe each time.
_NEXT = tuple(
    select(_S.c.cadre, _S.c.attempts, _S.c.wish)
    .where(_HOSPITAL, due, _S.c.lease_token.is_(None))
    .order_by(_S.c.due_at, _S.c.cadre)
    .limit(bindparam("b_limit", type_=_S.c.attempts.type))
    .with_for_update(skip_locked=True)
    for due in (
        and_(_WAITING, _S.c.attempts == 0),
        and_(_WAITING, _S.c.attempts > 0),
        _S.c.due_at > bindparam("b_now"),
    )
)


class ShipmentStore:
    """The queue: one shipment per hospital and cadre, never two in flight. Every method is one transaction,
    but those that take a connection, which take part in the caller's. `worker` begins all its tokens.
    """

    def __init__(
        self, engine: Engine, hospitals: HospitalStore, worker: str, clock: UptimeClock = uptime
    ) -> None:
        self._engine = engine
        self._hospitals = hospitals
        self._worker = worker
        self._clock = clock
        self._watch = LivenessMonitor(clock)

    # -- wishes ----------------------------------------------------------------------------

    @staticmethod
    def lock(connection: Connection, hospital: str, cadres: Collection[str]) -> None:
        """Whoever has one of these shipments under way waits before his next step until the transaction
        ends. Whoever writes entries without a lease calls this first.
        """
        if connection.dialect.name != "sqlite":  # where a transaction that writes is alone anyhow
            mine = and_(_S.c.hospital == hospital, _S.c.cadre.in_(cadres))
            connection.execute(select(_S.c.cadre).where(mine).order_by(_S.c.cadre).with_for_update())

    @staticmethod
    def in_flight_cadres(connection: Connection, hospital: str, cadres: Collection[str]) -> set[str]:
        """Which of these shipments somebody has under way. After `lock` that stays so."""
        mine = and_(_S.c.hospital == hospital, _S.c.cadre.in_(cadres), _S.c.lease_token.is_not(None))
        return set(connection.execute(select(_S.c.cadre).where(mine)).scalars())

    @staticmethod
    def mark_due(connection: Connection, hospital: str, cadres: Sequence[str], now: datetime) -> None:
        """These shipments are due now, and whoever has one under way sees that there is a newer plan."""
        if not cadres:
            return
        mine = and_(_S.c.hospital == hospital, _S.c.cadre.in_(cadres))
        there = set(connection.execute(select(_S.c.cadre).where(mine)).scalars())
        if there:
            connection.execute(update(_S).where(mine).values(due_at=now, attempts=0, wish=_S.c.wish + 1))
        fresh = [cadre for cadre in cadres if cadre not in there]
        if fresh:
            row = {"hospital": hospital, "due_at": now, "attempts": 0, "wish": 0}
            connection.execute(insert(_S), [{**row, "cadre": cadre} for cadre in fresh])

    # -- leases ----------------------------------------------------------------------------

    def claim(self, hospital: str, now: datetime, lease_seconds: float, max_count: int = 1) -> list[Lease]:
        """Take up to `max_count` due shipments; none when nothing is due, or the hospital admits no more."""
        with write_transaction(self._engine) as connection:
            return self._claim(connection, hospital, now, lease_seconds, max_count)

    def claim_one(self, hospital: str, cadre: str, now: datetime, lease_seconds: float) -> Lease | None:
        """Take this shipment, due or not; None when somebody else has it. Made if there is none."""
        mine = and_(_S.c.hospital == hospital, _S.c.cadre == cadre)
        with write_transaction(self._engine) as connection:
            row = connection.execute(select(_S).where(mine).with_for_update(skip_locked=True)).one_or_none()
            if row is None and connection.execute(select(_S.c.cadre).where(mine)).one_or_none() is None:
                connection.execute(insert(_S).values(hospital=hospital, cadre=cadre, attempts=0, wish=0))
                row = connection.execute(select(_S).where(mine)).one()
            if row is None or row.lease_token is not None:
                return None
            [lease] = self._leased(connection, hospital, [row], now, lease_seconds)
        return lease

    def give_back(self, lease: Lease) -> None:
        """Give a shipment back as it was; when it is due does not change."""
        with write_transaction(self._engine) as connection:
            connection.execute(update(_S).where(_mine(lease)).values(**_FREE))

    def finish(
        self,
        lease: Lease,
        due_at: datetime | None,
        now: datetime,
        *,
        counts_as_attempt: bool = False,
        next_lease_seconds: float = 0,
        settle: Callable[[Connection], None] | None = None,
    ) -> Lease | None:
        """Give the shipment back, due again at `due_at` (None: nothing more to do). A plan that was
        written meanwhile makes it due at once. With `next_lease_seconds`, the length of a lease in seconds,
        the next one that is due is claimed in the same transaction. `settle` writes what is left to write of
        it, in the same transaction too: then LeaseLost is raised if it is another's by now.
        """
        left = {"b_due_at": due_at, "b_attempts": lease.attempts + counts_as_attempt}
        with write_transaction(self._engine) as connection:
            if next_lease_seconds:
                self._one_claimer(connection, lease.hospital)
            done = connection.execute(_FINISH, {**_key(lease), **left})
            if done.rowcount != 1:
                done = connection.execute(update(_S).where(_mine(lease)).values(due_at=now, **_FREE))
            if settle is not None:
                if done.rowcount != 1:
                    raise LeaseLost("ledger.lease_lost")
                settle(connection)
            if not next_lease_seconds:
                return None
            return next(iter(self._claim(connection, lease.hospital, now, next_lease_seconds, 1)), None)

    @staticmethod
    def verify_lease(connection: Connection, lease: Lease) -> None:
        """Prove that the lease still holds. Raises LeaseLost."""
        if connection.execute(_HOLD, _key(lease)).rowcount != 1:
            raise LeaseLost("ledger.lease_lost")

    def renew_lease(
        self, connection: Connection, lease: Lease, now: datetime, seconds: float
    ) -> Lease | None:
        """Prove that the lease still holds: something is about to be sent. The lease begins anew and lasts
        `seconds`; None when a newer plan was written, and nothing must be. Raises LeaseLost.
        """
        begun, until = self._clock(), now + timedelta(seconds=seconds)
        if connection.execute(_BEGIN, {**_key(lease), "b_until": until}).rowcount == 1:
            return replace(lease, deadline=begun + seconds)
        self.verify_lease(connection, lease)
        return None

    def ensure_remaining(self, lease: Lease, seconds: float) -> None:
        """Raises LeaseLost unless the lease surely holds for `seconds` more. Asks no database: a process
        that was stopped for a while sees it before it sends anything.
        """
        if self._clock() + seconds > lease.deadline:
            raise LeaseLost("ledger.lease_lost")

    def reclaim_expired(self, lengths: Mapping[str, float]) -> None:
        """Take away leases that were seen unchanged for their length (hospital -> seconds): their owners
        stopped. For who claims nothing, since nothing else is due. Call it every few seconds.
        """
        held = dict[str, dict[str, object]]((name, {}) for name in lengths)
        query = select(_S.c.hospital, _S.c.cadre, _S.c.lease_token, _S.c.lease_until).where(
            _S.c.lease_token.is_not(None), _S.c.hospital.in_(lengths)
        )
        with read_transaction(self._engine) as connection:
            for row in connection.execute(query):
                held[row.hospital][row.cadre] = (row.lease_token, row.lease_until)
        for name, looks in held.items():
            if self._watch.unchanged(name, looks, lengths[name]):
                with write_transaction(self._engine) as connection:
                    self._held(connection, name, lengths[name])

    # -- looking ---------------------------------------------------------------------------

    def hospitals_due(self, hospitals: Sequence[str], now: datetime) -> list[str]:
        """Which of these hospitals something is due for."""
        mine = _S.c.hospital == _H.c.name
        due = or_(_S.c.due_at <= now, _S.c.due_at > now + MAX_RETRY_DELAY)
        query = select(_H.c.name).where(
            _H.c.name.in_(hospitals), exists().where(mine, due, _S.c.lease_token.is_(None))
        )
        with read_transaction(self._engine) as connection:
            return list(connection.execute(query).scalars())

    def next_due(self, hospital: str) -> datetime | None:
        """When the next shipment is due that nobody has under way; None if none ever is."""
        query = (
            select(_S.c.due_at)
            .where(_S.c.hospital == hospital, _S.c.due_at.is_not(None), _S.c.lease_token.is_(None))
            .order_by(_S.c.due_at)
            .limit(1)
        )
        with read_transaction(self._engine) as connection:
            due: datetime | None = connection.execute(query).scalar()
        return due

    def count_in_flight(self, hospital: str) -> int:
        """How many shipments somebody has under way."""
        query = select(func.count()).where(_S.c.hospital == hospital, _S.c.lease_token.is_not(None))
        with read_transaction(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    # -- inside ----------------------------------------------------------------------------

    @staticmethod
    def _one_claimer(connection: Connection, hospital: str) -> None:
        """How many are in flight is counted before one more is taken, so one claims at a time."""
        if connection.dialect.name != "sqlite":
            connection.execute(_ONE_CLAIMER, {"hospital": hospital})

    def _claim(
        self, connection: Connection, hospital: str, now: datetime, seconds: float, want: int
    ) -> list[Lease]:
        self._one_claimer(connection, hospital)
        held = self._held(connection, hospital, seconds)  # shipments before the hospital's row, as plans do
        room = self._hospitals.max_in_flight(connection, hospital, now) - held
        rows = self._free(connection, hospital, now, min(want, room)) if room > 0 else []
        return self._leased(connection, hospital, rows, now, seconds) if rows else []

    def _leased(
        self, connection: Connection, hospital: str, rows: Sequence[Any], now: datetime, seconds: float
    ) -> list[Lease]:
        token, begun = self._worker + token_hex(8), self._clock()
        until = now + timedelta(seconds=seconds)
        given = {"b_hospital": hospital, "b_cadres": [row.cadre for row in rows]}
        connection.execute(_LEASE, {**given, "b_token": token, "b_until": until})
        return [Lease(hospital, row.cadre, token, begun + seconds, row.attempts, row.wish) for row in rows]

    def _held(self, connection: Connection, hospital: str, seconds: float) -> int:
        """How many are under way; leases that were seen unchanged for `seconds` are taken away first."""
        rows = connection.execute(_HELD, {"b_hospital": hospital})
        held = {row.cadre: (row.lease_token, row.lease_until) for row in rows}
        stopped = self._watch.unchanged(hospital, held, seconds)
        for cadre in stopped:
            token, until = held[cadre]
            connection.execute(
                update(_S)
                .where(
                    _S.c.hospital == hospital,
                    _S.c.cadre == cadre,
                    _S.c.lease_token == token,
                    _S.c.lease_until == until,
                )
                .values(**_FREE)
            )
        return len(held) - len(stopped)

    @staticmethod
    def _free(
        connection: Connection, hospital: str, now: datetime, limit: int
    ) -> Sequence[Row[Any, Any, Any]]:
        moments = (now, now, now + MAX_RETRY_DELAY)
        for query, moment in zip(_NEXT, moments, strict=True):
            given = {"b_hospital": hospital, "b_now": moment, "b_limit": limit}
            if rows := connection.execute(query, given).all():
                return rows
        return []


def _key(lease: Lease) -> dict[str, Any]:
    return {
        "b_hospital": lease.hospital,
        "b_cadre": lease.cadre,
        "b_token": lease.token,
        "b_wish": lease.plan_number,
    }


def _mine(lease: Lease) -> ColumnElement[bool]:
    return and_(_S.c.hospital == lease.hospital, _S.c.cadre == lease.cadre, _S.c.lease_token == lease.token)
