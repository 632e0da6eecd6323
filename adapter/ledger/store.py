"""The ledger: all its SQL. Every method is one transaction, none is open over HTTP."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
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
    select,
    update,
)

from adapter.awaited import identity_name, line_name, note_arrivals
from adapter.database import read_transaction, write_transaction
from adapter.errors import PlanChanged
from adapter.ledger import reassignment
from adapter.ledger.entries import bulk_statements
from adapter.ledger.entries.comparison import PlannedAction, PlannedChange, compare_again
from adapter.ledger.entries.row_values import (
    SettlementRow,
    desired_row,
    has_new_remote_id,
    referral_changes,
    retraction_row,
    settlement_row,
    stale_names,
)
from adapter.ledger.history import receipts
from adapter.ledger.hospitals.circuit_breaker import PaceLimits
from adapter.ledger.hospitals.server import ServerStore
from adapter.ledger.hospitals.store import HospitalStore
from adapter.ledger.hospitals.traffic import TrafficStore
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState, next_state
from adapter.ledger.schema.transitions import pack_transition
from adapter.ledger.schema.values import UNKNOWN_RECORD, DeliveryOutcome, Lease, LedgerEntry
from adapter.ledger.shipments import ShipmentStore
from adapter.ledger.workers.death_detection import UptimeClock, uptime
from adapter.ledger.workers.heartbeat import new_worker_id
from adapter.ledger.workers.named_locks import NamedLockStore
from adapter.ledger.workers.registry import WorkerStore
from adapter.subscriptions.changes import forget_resources, note_changes

__all__ = ["LedgerStore"]

_E = tables.entry

_STUCK = 3  # attempts to retract
_MANY = 500  # identities in one query
_COLUMNS = tuple(_E.c[name] for name in LedgerEntry.__dataclass_fields__)
_STATE = list(LedgerEntry.__dataclass_fields__).index("state")
_LINE_STATE = SettlementRow._fields.index("state")
_OF_HOSPITAL = select(*_COLUMNS).where(_E.c.hospital == bindparam("b_hospital"))
_OF_CADRES = _OF_HOSPITAL.where(_E.c.cadre.in_(bindparam("b_cadres", expanding=True)))
_LINES = _OF_HOSPITAL.where(_E.c.identity.in_(bindparam("b_identities", expanding=True)))


def _entry(row: Row[Any]) -> LedgerEntry:
    values = list(row)
    values[_STATE] = EntryState(values[_STATE])
    return LedgerEntry(*values)


def _line(row: Row[Any]) -> SettlementRow:
    values = list(row)
    values[_LINE_STATE] = EntryState(values[_LINE_STATE])
    return SettlementRow._make(values)


def _planned(change: PlannedChange, mapping_version: str, now: datetime) -> dict[str, Any] | None:
    """The row to write for one change: with `b_identity` an update, with `identity` a new line."""
    if change.entry is not None and change.action in (PlannedAction.UNCHANGED, PlannedAction.WAITING):
        return None
    if change.desired is not None:
        return desired_row(change.entry, change.desired, mapping_version, now)
    if change.action is PlannedAction.RETRACT and change.entry is not None:
        return retraction_row(change.entry, mapping_version, now)
    return None


class LedgerStore:
    """Desired and delivered, per hospital and resource. It is the queue. `limits`: each hospital's pace."""

    def __init__(
        self, engine: Engine, limits: Mapping[str, PaceLimits] | None = None, clock: UptimeClock = uptime
    ) -> None:
        self._engine = engine
        self.worker_id = new_worker_id()
        dialect = engine.dialect.name
        self._starting, self._settling = (
            bulk_statements.update_started(dialect),
            bulk_statements.update_settled(dialect),
        )
        self._reading, self._new_lines = (
            bulk_statements.select_for_settlement(dialect),
            bulk_statements.EntryInserter(engine.dialect),
        )
        self._of_records = bulk_statements.select_by_records(dialect, _COLUMNS)
        self.hospitals = HospitalStore(engine, limits)
        self.servers = ServerStore(engine)
        self.shipments = ShipmentStore(engine, self.hospitals, self.worker_id, clock)
        self.named_locks = NamedLockStore(engine, self.worker_id, clock)
        self.workers = WorkerStore(engine, clock)
        self.traffic = TrafficStore(engine)

    # -- planning --------------------------------------------------------------------------

    def entries(self, hospital: str, cadres: Sequence[str]) -> dict[str, list[LedgerEntry]]:
        """The lines of these cadres at a hospital, by cadre."""
        found: dict[str, list[LedgerEntry]] = {cadre: [] for cadre in cadres}
        with read_transaction(self._engine) as connection:
            rows = connection.execute(_OF_CADRES, {"b_hospital": hospital, "b_cadres": list(cadres)}).all()
        for entry in map(_entry, rows):
            found[entry.cadre].append(entry)
        return found

    def entries_of_records(self, hospital: str, records: Iterable[tuple[str, str]]) -> list[LedgerEntry]:
        """The lines of these records (kind, key) at a hospital, whoever they stand under."""
        rows = {str(number): list(one) for number, one in enumerate(records)}
        if not rows:
            return []
        with read_transaction(self._engine) as connection:
            found = connection.execute(
                self._of_records, {"rows": bulk_statements.rows_parameter(hospital, rows)}
            ).all()
        return list(map(_entry, found))

    def plan(
        self,
        connection: Connection,
        hospital: str,
        changes: dict[str, list[PlannedChange]],
        *,
        mapping_version: str,
        version: str,
        position: int,
        now: datetime,
    ) -> set[str]:
        """Write a plan down: `changes` by cadre, up to feed `position`, under plan `version`. What workers
        moved since it was compared is read again, so that nothing of theirs is written over. A line that
        stands under somebody else passes to the cadre it is planned for. Returns for whom something was
        left out, since the other's shipment is under way: they must be planned again.
        """
        current, late = reassignment.reassign_changes(
            connection, hospital, self._refreshed(connection, hospital, changes)
        )
        new, changed, dropped, woken = [], [], [], []
        for cadre, listed in current.items():
            rows = [row for row in (_planned(one, mapping_version, now) for one in listed) if row]
            new += [{"cadre": cadre, **row} for row in rows if "identity" in row]
            changed += [row for row in rows if "b_identity" in row]
            gone = [c.entry.identity for c in listed if c.action is PlannedAction.DROP and c.entry]
            dropped += gone
            if rows or gone or any(reassignment.belongs_to_another(one, cadre) for one in listed):
                woken.append(cadre)
        if new:
            self._new_lines.write(connection, hospital, new, now)
        if changed:
            connection.execute(self._by_identity(hospital, bindparam("b_step")), changed)
        if dropped:
            connection.execute(delete(_E).where(_E.c.hospital == hospital, _E.c.identity.in_(dropped)))
        self.shipments.mark_due(connection, hospital, woken, now)
        self.hospitals.record_plan_position(connection, hospital, position=position, version=version)
        return late

    def _refreshed(
        self, connection: Connection, hospital: str, changes: dict[str, list[PlannedChange]]
    ) -> dict[str, list[PlannedChange]]:
        """The changes to write, each on its line as it stands now; no worker moves any until the end."""
        wanted = {
            cadre: [
                one
                for one in listed
                if one.action not in (PlannedAction.UNCHANGED, PlannedAction.WAITING)
                or reassignment.belongs_to_another(one, cadre)
            ]
            for cadre, listed in changes.items()
        }
        old = [one.entry.identity for listed in wanted.values() for one in listed if one.entry]
        if not old:
            return wanted
        theirs = {cadre for cadre, listed in wanted.items() if listed}
        self.shipments.lock(connection, hospital, theirs | reassignment.current_owners(wanted))
        now = self._lines(connection, hospital, old)
        return {
            cadre: [compare_again(one, now.get(one.entry.identity)) if one.entry else one for one in listed]
            for cadre, listed in wanted.items()
        }

    @staticmethod
    def _lines(connection: Connection, hospital: str, identities: Sequence[str]) -> dict[str, LedgerEntry]:
        found: dict[str, LedgerEntry] = {}
        for start in range(0, len(identities), _MANY):
            given = {"b_hospital": hospital, "b_identities": list(identities[start : start + _MANY])}
            found |= {row.identity: _entry(row) for row in connection.execute(_LINES, given).all()}
        return found

    def _by_identity(self, hospital: str, step: ColumnElement[str] | str) -> Any:
        """An update of one line by its key, whose history gets one `step` more."""
        by_key = and_(_E.c.hospital == hospital, _E.c.identity == bindparam("b_identity"))
        return update(_E).where(by_key).values(history=tables.append_history(self._engine.dialect.name, step))

    # -- sending ---------------------------------------------------------------------------

    def start(
        self,
        lease: Lease,
        sent: Mapping[str, str],
        now: datetime,
        lease_seconds: float,
        answered: Sequence[DeliveryOutcome] = (),
    ) -> Lease:
        """These entries are about to be sent (identity -> digest of the body that goes), after what became
        of those `answered` is written down; the lease begins anew, as returned. Raises LeaseLost, and
        PlanChanged when what was read may be superseded: what was answered is written then, and nothing
        else. With nothing to send the lease is prolonged alone.
        """
        state = next_state(EntryState.PENDING, EntryEvent.START)
        rows = {identity: [digest] for identity, digest in sent.items()}
        with write_transaction(self._engine) as connection:
            begun = self.shipments.renew_lease(connection, lease, now, lease_seconds)
            self._settle(connection, lease, answered, now)
            if begun is not None and sent:
                connection.execute(
                    self._starting,
                    {
                        "b_before": EntryState.PENDING,
                        "b_state": state,
                        "b_step": pack_transition(state, now),
                        "b_at": now,
                        "rows": bulk_statements.rows_parameter(lease.hospital, rows),
                    },
                )
        if begun is None:
            raise PlanChanged("ledger.plan_changed")
        return begun

    def settle(self, lease: Lease, outcomes: Sequence[DeliveryOutcome], now: datetime) -> None:
        """Write down what became of the entries. Raises LeaseLost if another worker owns them now."""
        if not outcomes:
            return
        with write_transaction(self._engine) as connection:
            self.shipments.verify_lease(connection, lease)
            self._settle(connection, lease, outcomes, now)

    def finish(
        self,
        lease: Lease,
        answered: Sequence[DeliveryOutcome],
        due_at: datetime | None,
        now: datetime,
        *,
        counts_as_attempt: bool = False,
        next_lease_seconds: float = 0,
    ) -> Lease | None:
        """Write down what became of the entries that were answered last, and give the shipment back: the
        rest as in `ShipmentStore.finish`. Raises LeaseLost if there are any and another worker owns them now.
        """
        settle = partial(self._settle, lease=lease, outcomes=answered, now=now) if answered else None
        return self.shipments.finish(
            lease,
            due_at,
            now,
            counts_as_attempt=counts_as_attempt,
            next_lease_seconds=next_lease_seconds,
            settle=settle,
        )

    def _settle(
        self, connection: Connection, lease: Lease, outcomes: Sequence[DeliveryOutcome], now: datetime
    ) -> None:
        """Once the lease is proved."""
        if not outcomes:
            return
        lines = self._standing(connection, lease.hospital, [o.identity for o in outcomes])
        self._receipts(connection, lease.hospital, [o for o in outcomes if o.proof], now)
        changed = [settlement_row(lines[o.identity], o, now) for o in outcomes if o.identity in lines]
        for group in bulk_statements.settlement_groups(lease.hospital, changed):
            connection.execute(self._settling, group)
        known = {row["b_identity"]: row["remote_id"] for row in changed if row["remote_id"]}
        named = {identity: one for identity, one in known.items() if one != lines[identity].remote_id}
        names = [line_name(lease.hospital, one) for one in named.values()]
        note_arrivals(connection, [*map(identity_name, named), *names])
        proved = {one.identity for one in outcomes if one.proof}
        forget_resources(connection, lease.hospital, stale_names(lines, changed, proved))
        note_changes(connection, lease.hospital, referral_changes(lines, outcomes), now)
        moved = [line.rank for row in changed if has_new_remote_id(line := lines[row["b_identity"]], row)]
        if moved:
            self._send_again(connection, lease, min(moved), list(lines), now)

    def _standing(
        self, connection: Connection, hospital: str, identities: Sequence[str]
    ) -> dict[str, SettlementRow]:
        """How these lines stand now."""
        rows = connection.execute(
            self._reading, {"rows": bulk_statements.rows_parameter(hospital, dict.fromkeys(identities, ()))}
        )
        return {row[0]: _line(row) for row in rows.all()}

    def _receipts(
        self, connection: Connection, hospital: str, proved: Sequence[DeliveryOutcome], now: datetime
    ) -> None:
        """For what is proved to be gone, from its lines as they stand before that is written."""
        lines = self._lines(connection, hospital, [one.identity for one in proved])
        there = [(lines[one.identity], one) for one in proved if one.identity in lines]
        receipts.add_receipts(connection, there, now)

    def _send_again(
        self, connection: Connection, lease: Lease, rank: int, just_now: Sequence[str], now: datetime
    ) -> None:
        """What may refer to something that has another id now is planned anew: its body is not kept. What was
        settled `just_now` went with it, and refers to what it is now.
        """
        state, why = next_state(EntryState.DELIVERED, EntryEvent.ABSENT), "target-moved"
        more = tables.append_history(self._engine.dialect.name, pack_transition(state, now, why))
        values = {"state": state, "body": None, "delivered_digest": None, "reason": why, "changed_at": now}
        theirs = and_(_E.c.hospital == lease.hospital, _E.c.cadre == lease.cadre, _E.c.rank > rank)
        theirs = and_(theirs, _E.c.identity.not_in(just_now))
        connection.execute(
            update(_E).where(theirs, _E.c.state == EntryState.DELIVERED).values(**values, history=more)
        )

    def cadres_to_replan(self, hospital: str) -> list[str]:
        """Whose resources wait for a plan to make their content anew."""
        waits = and_(_E.c.hospital == hospital, _E.c.state == EntryState.PENDING, _E.c.body.is_(None))
        with read_transaction(self._engine) as connection:
            return list(connection.execute(select(_E.c.cadre).where(waits).distinct()).scalars())

    # -- looking ---------------------------------------------------------------------------

    def sample(self, hospital: str, count: int) -> list[LedgerEntry]:
        """A few resources of records, whichever come first."""
        few = (
            select(_E.c.identity)
            .where(_E.c.hospital == hospital, _E.c.kind != UNKNOWN_RECORD[0])
            .limit(count)
        )
        with read_transaction(self._engine) as connection:
            names = list(connection.execute(few).scalars())
        return list(self._select((_E.c.hospital == hospital) & _E.c.identity.in_(names)))

    def entries_of_record(self, kind: str, key: str) -> list[LedgerEntry]:
        """The lines of one record, one per hospital and resource."""
        return list(self._select(and_(_E.c.kind == kind, _E.c.key == key)))

    def hospitals_of(self, cadres: Collection[str]) -> set[str]:
        """Where anything of these people was ever planned."""
        query = select(_E.c.hospital).where(_E.c.cadre.in_(list(cadres))).distinct()
        with read_transaction(self._engine) as connection:
            return set(connection.execute(query).scalars())

    def by_identity(self, hospital: str, resource_type: str, value: str) -> LedgerEntry | None:
        """The line with that identity at a hospital, or that had it under the identity key before."""
        for column in (_E.c.identity, _E.c.former_identity):
            there = and_(_E.c.hospital == hospital, _E.c.type == resource_type, column == value)
            if (found := next(self._select(there), None)) is not None:
                return found
        return None

    def by_remote_id(self, hospital: str, resource_type: str, remote_id: str) -> LedgerEntry | None:
        """The line that the hospital knows by that id."""
        found = self._select(
            and_(_E.c.hospital == hospital, _E.c.type == resource_type, _E.c.remote_id == remote_id)
        )
        return next(found, None)

    def parked(self, hospital: str) -> Iterator[LedgerEntry]:
        """What waits for a person."""
        return self._select(and_(_E.c.hospital == hospital, _E.c.state == EntryState.PARKED))

    def _select(self, condition: ColumnElement[bool]) -> Iterator[LedgerEntry]:
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                select(*_COLUMNS).where(condition).order_by(_E.c.hospital, _E.c.rank)
            ).all()
        return iter([_entry(row) for row in rows])

    def count_stuck_retractions(self, hospital: str) -> int:
        """How many resources the hospital does not let go of, after several tries."""
        query = select(func.count()).where(
            _E.c.hospital == hospital, _E.c.state == EntryState.RETRACTING, _E.c.attempts >= _STUCK
        )
        with read_transaction(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def counts(self, hospital: str) -> dict[EntryState, int]:
        """How many resources are in each state."""
        query = select(_E.c.state, func.count()).where(_E.c.hospital == hospital).group_by(_E.c.state)
        with read_transaction(self._engine) as connection:
            return {EntryState(row[0]): int(row[1]) for row in connection.execute(query)}
