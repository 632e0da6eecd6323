"""The ledger: all its SQL. Every method is one transaction, none is open over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
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
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from adapter.database import read, write
from adapter.errors import LeaseLost
from adapter.ledger import tables
from adapter.ledger.diff import Action, Change
from adapter.ledger.model import Entry, HospitalState, Lease, Settled
from adapter.ledger.rows import same_columns, settled
from adapter.ledger.state import Event, State, next_state

__all__ = ["LedgerStore"]

_E, _S, _H = tables.entry, tables.shipment, tables.hospital

_CONTACT_NEWS = timedelta(seconds=10)
_STUCK = 3  # attempts to retract
_COLUMNS = [_E.c[name] for name in Entry.__dataclass_fields__]


def _entry(row: Row[Any]) -> Entry:
    values = row._mapping
    return Entry(**{**values, "state": State(values["state"])})


class LedgerStore:
    """Desired and delivered, per hospital and resource. It is the queue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- hospitals -------------------------------------------------------------------------

    def hospital(self, name: str) -> HospitalState:
        """The hospital's row; one that was never planned for has position 0."""
        with read(self._engine) as connection:
            row = connection.execute(select(_H).where(_H.c.name == name)).one_or_none()
        return HospitalState(**row._mapping) if row else HospitalState(name, 0, "", 0, None, None, None)

    def reached(self, name: str, now: datetime) -> None:
        """The hospital answered as it should: its breaker closes. Written only when that is news."""
        state = self.hospital(name)
        recently = state.last_contact is not None and now - state.last_contact < _CONTACT_NEWS
        if state.failures or state.not_before or not recently:
            self._set_hospital(name, failures=0, not_before=None, last_contact=now, last_error=None)

    def failed(self, name: str, error: str) -> int:
        """The hospital could not be reached, or is busy. Returns how many failures there were in a row."""
        with write(self._engine) as connection:
            self._ensure_hospital(connection, name)
            connection.execute(
                update(_H).where(_H.c.name == name).values(failures=_H.c.failures + 1, last_error=error[:500])
            )
            return int(connection.execute(select(_H.c.failures).where(_H.c.name == name)).scalar_one())

    def hold_off(self, name: str, until: datetime) -> None:
        """Open the breaker: nothing is claimed for the hospital before `until`."""
        self._set_hospital(name, not_before=until)

    def probe(self, name: str) -> None:
        """A new run may try at once, unless the hospital itself asked to be left alone until a time."""
        with write(self._engine) as connection:
            connection.execute(
                update(_H).where(_H.c.name == name, _H.c.last_error != "busy").values(not_before=None)
            )

    def _set_hospital(self, name: str, **values: Any) -> None:
        with write(self._engine) as connection:
            self._ensure_hospital(connection, name)
            connection.execute(update(_H).where(_H.c.name == name).values(**values))

    @staticmethod
    def _ensure_hospital(connection: Connection, name: str) -> None:
        if connection.execute(select(_H.c.name).where(_H.c.name == name)).one_or_none() is None:
            connection.execute(
                insert(_H).values(name=name, planned_position=0, planned_version="", failures=0)
            )

    # -- planning --------------------------------------------------------------------------

    def entries(self, hospital: str, cadres: Sequence[str]) -> dict[str, list[Entry]]:
        """The lines of these cadres at a hospital, by cadre."""
        found: dict[str, list[Entry]] = {cadre: [] for cadre in cadres}
        query = select(*_COLUMNS).where(_E.c.hospital == hospital, _E.c.cadre.in_(cadres))
        with read(self._engine) as connection:
            for row in connection.execute(query):
                found[row.cadre].append(_entry(row))
        return found

    def plan(
        self,
        connection: Connection,
        hospital: str,
        changes: dict[str, list[Change]],
        *,
        mapping_version: str,
        version: str,
        position: int,
        now: datetime,
    ) -> None:
        """Write a plan down: `changes` by cadre, up to feed `position`, under plan `version`."""
        new, changed, dropped, woken = [], [], [], []
        for cadre, listed in changes.items():
            rows = [self._planned(hospital, cadre, change, mapping_version, now) for change in listed]
            new += [row for row in rows if row is not None and "b_identity" not in row]
            changed += [row for row in rows if row is not None and "b_identity" in row]
            dropped += [c.entry.identity for c in listed if c.action is Action.DROP and c.entry]
            if any(row is not None for row in rows):
                woken.append(cadre)
        if new:
            connection.execute(insert(_E), new)
        if changed:
            connection.execute(self._by_identity(hospital), changed)
        if dropped:
            connection.execute(delete(_E).where(_E.c.hospital == hospital, _E.c.identity.in_(dropped)))
        self._wake(connection, hospital, woken, now)
        self._ensure_hospital(connection, hospital)
        connection.execute(
            update(_H).where(_H.c.name == hospital).values(planned_position=position, planned_version=version)
        )

    @staticmethod
    def _by_identity(hospital: str) -> Any:
        return update(_E).where(_E.c.hospital == hospital, _E.c.identity == bindparam("b_identity"))

    def _planned(
        self, hospital: str, cadre: str, change: Change, version: str, now: datetime
    ) -> dict[str, Any] | None:
        """The row to write for one change: with `b_identity` an update, without a new line."""
        entry, wish = change.entry, change.desired
        if change.action in (Action.UNCHANGED, Action.WAITING, Action.DROP):
            return None
        if change.action is Action.RETRACT and entry is not None:
            return {
                "b_identity": entry.identity,
                **same_columns(entry),
                "state": next_state(entry.state, Event.RETRACT),
                "desired_digest": None,
                "body": None,
                "mapping_version": version,
                "changed_at": now,
            }
        if wish is None:
            return None
        event = Event.INVALID if wish.problem else Event.DESIRE
        state = next_state(entry.state if entry else State.PENDING, event)
        wanted = {
            "state": state,
            "desired_digest": wish.digest,
            "body": wish.body,
            "mapping_version": version,
            "attempts": 0,
            "reason": "invalid" if wish.problem else None,
            "detail": (wish.problem or "")[:500] or None,
            "changed_at": now,
        }
        if entry is not None:
            if state is State.PENDING and entry.delivered_digest == wish.digest:
                wanted |= {"state": next_state(state, Event.CONFIRM), "body": None}
            gone = {"remote_id": None, "etag": None} if entry.state is State.RETRACTED else {}
            return {"b_identity": entry.identity, **same_columns(entry), **wanted, **gone}
        identity = {"hospital": hospital, "identity": wish.identity, "cadre": cadre, "type": wish.type}
        return {**identity, "rank": wish.rank, "kind": wish.kind, "key": wish.key, **wanted}

    @staticmethod
    def _wake(connection: Connection, hospital: str, cadres: list[str], now: datetime) -> None:
        if not cadres:
            return
        mine = and_(_S.c.hospital == hospital, _S.c.cadre.in_(cadres))
        there = set(connection.execute(select(_S.c.cadre).where(mine)).scalars())
        connection.execute(update(_S).where(mine).values(due_at=now, attempts=0, wish=_S.c.wish + 1))
        fresh = [cadre for cadre in cadres if cadre not in there]
        if fresh:
            row = {"hospital": hospital, "due_at": now, "attempts": 0, "wish": 0}
            connection.execute(insert(_S), [{**row, "cadre": cadre} for cadre in fresh])

    # -- shipments -------------------------------------------------------------------------

    def claim(self, hospital: str, now: datetime, lease_seconds: float) -> Lease | None:
        """Take one due shipment, or None: nothing is due, or the hospital's breaker is open."""
        free = or_(_S.c.lease_until.is_(None), _S.c.lease_until < now)
        due = (
            select(_S)
            .where(_S.c.hospital == hospital, _S.c.due_at <= now, free)
            .order_by(_S.c.due_at, _S.c.cadre)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with write(self._engine) as connection:
            blocked = select(_H.c.name).where(_H.c.name == hospital, _H.c.not_before > now)
            if connection.execute(blocked).one_or_none():
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

    def break_leases(self, hospital: str) -> int:
        """Free every shipment of a hospital. Only for who holds the lock that all its workers take."""
        with write(self._engine) as connection:
            return connection.execute(
                update(_S)
                .where(_S.c.hospital == hospital, _S.c.lease_token.is_not(None))
                .values(lease_token=None, lease_until=None)
            ).rowcount

    def start(self, lease: Lease, sent: Mapping[str, str], until: datetime, now: datetime) -> None:
        """These entries are about to be sent (identity -> digest of the body that goes); the lease is
        prolonged to `until`. Raises LeaseLost.
        """
        with write(self._engine) as connection:
            self._hold(connection, lease, until)
            # One row at a time, by primary key: given a list of identities, SQLite's planner walks the
            # index on states, which is the whole backlog in a first sync (600 against 2,300 resources/s).
            connection.execute(
                self._by_identity(lease.hospital)
                .where(_E.c.state == State.PENDING)
                .values(
                    state=next_state(State.PENDING, Event.START),
                    sent_digest=bindparam("b_sent"),
                    delivered_digest=None,
                    changed_at=now,
                ),
                [{"b_identity": identity, "b_sent": digest} for identity, digest in sent.items()],
            )

    @staticmethod
    def _hold(connection: Connection, lease: Lease, until: datetime | None) -> None:
        mine = and_(
            _S.c.hospital == lease.hospital, _S.c.cadre == lease.cadre, _S.c.lease_token == lease.token
        )
        values = {"lease_until": until} if until else {"lease_token": lease.token}
        if connection.execute(update(_S).where(mine).values(**values)).rowcount != 1:
            raise LeaseLost("ledger.lease_lost")

    def settle(self, lease: Lease, outcomes: Sequence[Settled], now: datetime) -> None:
        """Write down what became of the entries. Raises LeaseLost if another worker owns them now."""
        if not outcomes:
            return
        with write(self._engine) as connection:
            self._hold(connection, lease, None)
            query = select(*_COLUMNS).where(
                _E.c.hospital == lease.hospital, _E.c.identity.in_([o.identity for o in outcomes])
            )
            rows = {row.identity: _entry(row) for row in connection.execute(query)}
            changed = [settled(rows[o.identity], o, now) for o in outcomes if o.identity in rows]
            if changed:
                connection.execute(self._by_identity(lease.hospital), changed)

    def finish(self, lease: Lease, due_at: datetime | None, now: datetime, *, burn: bool = False) -> None:
        """Give the shipment back, due again at `due_at` (None: nothing more to do). A plan that was
        written meanwhile makes it due at once.
        """
        mine = and_(
            _S.c.hospital == lease.hospital, _S.c.cadre == lease.cadre, _S.c.lease_token == lease.token
        )
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

    # -- looking ---------------------------------------------------------------------------

    def of_record(self, kind: str, key: str) -> list[Entry]:
        """The lines of one record, one per hospital and resource."""
        return list(self._select(and_(_E.c.kind == kind, _E.c.key == key)))

    def by_identity(self, hospital: str, resource_type: str, value: str) -> Entry | None:
        """The line with that identity at a hospital."""
        found = self._select(
            and_(_E.c.hospital == hospital, _E.c.type == resource_type, _E.c.identity == value)
        )
        return next(found, None)

    def by_remote(self, hospital: str, resource_type: str, remote_id: str) -> Entry | None:
        """The line that the hospital knows by that id."""
        found = self._select(
            and_(_E.c.hospital == hospital, _E.c.type == resource_type, _E.c.remote_id == remote_id)
        )
        return next(found, None)

    def parked(self, hospital: str) -> Iterator[Entry]:
        """What waits for a person."""
        return self._select(and_(_E.c.hospital == hospital, _E.c.state == State.PARKED))

    def _select(self, condition: ColumnElement[bool]) -> Iterator[Entry]:
        with read(self._engine) as connection:
            rows = connection.execute(
                select(*_COLUMNS).where(condition).order_by(_E.c.hospital, _E.c.rank)
            ).all()
        return iter([_entry(row) for row in rows])

    def stuck(self, hospital: str) -> int:
        """How many resources the hospital does not let go of, after several tries."""
        query = select(func.count()).where(
            _E.c.hospital == hospital, _E.c.state == State.RETRACTING, _E.c.attempts >= _STUCK
        )
        with read(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def counts(self, hospital: str) -> dict[State, int]:
        """How many resources are in each state."""
        query = select(_E.c.state, func.count()).where(_E.c.hospital == hospital).group_by(_E.c.state)
        with read(self._engine) as connection:
            return {State(row[0]): int(row[1]) for row in connection.execute(query)}
