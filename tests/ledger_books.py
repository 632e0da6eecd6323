"""A ledger worked by hand: wishes, claims, outcomes, without mappings and without a hospital."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select

from adapter.database import read_transaction, write_transaction
from adapter.ledger.entries.comparison import PlannedChange, compare
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.transitions import unpack_transitions
from adapter.ledger.schema.values import DeliveryOutcome, DesiredResource, Lease, LedgerEntry
from adapter.ledger.store import LedgerStore

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def wish(
    key: str, content: str = "v1", problem: str | None = None, *, type_: str = "Observation"
) -> DesiredResource:
    """What a hospital should hold of the record `key`, whose identity is the same."""
    kind = {"Patient": "cadre", "ServiceRequest": "referral"}.get(type_, "measurement")
    return DesiredResource(key, type_, 2, kind, key, content, content.encode(), problem)


class Books:
    """A ledger, its clock, and the verbs of planners and workers for one hospital."""

    def __init__(self, engine: Engine, hospital: str = "bv") -> None:
        self.engine = engine
        self.hospital = hospital
        self.ledger = LedgerStore(engine)
        self.now = START

    def compared(self, *wanted: DesiredResource, cadre: str = "c1") -> list[PlannedChange]:
        return compare(self.ledger.entries(self.hospital, [cadre])[cadre], wanted)

    def write(self, changes: list[PlannedChange], cadre: str = "c1") -> None:
        self.now += timedelta(seconds=1)
        with write_transaction(self.engine) as connection:
            self.ledger.plan(
                connection,
                self.hospital,
                {cadre: changes},
                mapping_version="m1",
                version="v1",
                position=1,
                now=self.now,
            )

    def wish(self, *wanted: DesiredResource, cadre: str = "c1") -> None:
        self.write(self.compared(*wanted, cadre=cadre), cadre)

    def claim(self) -> Lease:
        [lease] = self.ledger.shipments.claim(self.hospital, self.now + timedelta(seconds=1), 60)
        return lease

    def start(self, lease: Lease, *wanted: DesiredResource) -> None:
        self.now += timedelta(seconds=1)
        sent = {one.identity: one.digest for one in wanted}
        self.ledger.start(lease, sent, self.now, 60)

    def settle(self, lease: Lease, *outcomes: DeliveryOutcome) -> None:
        self.now += timedelta(seconds=1)
        self.ledger.settle(lease, outcomes, self.now)

    def give_back(self, lease: Lease) -> None:
        self.ledger.shipments.finish(lease, None, self.now)

    def send(
        self, *wanted: DesiredResource, event: EntryEvent = EntryEvent.CONFIRM, reason: str | None = None
    ) -> None:
        """One shipment: what is pending of `wanted` is sent and settled alike."""
        lease = self.claim()
        self.start(lease, *wanted)
        self.settle(lease, *(DeliveryOutcome(one.identity, event, reason=reason) for one in wanted))
        self.give_back(lease)

    def entry(self, key: str, cadre: str = "c1") -> LedgerEntry:
        found = self.ledger.entries(self.hospital, [cadre])[cadre]
        [entry] = [one for one in found if one.identity == key]
        return entry

    def column(self, key: str, name: str) -> object:
        query = select(tables.entry.c[name]).where(tables.entry.c.identity == key)
        with read_transaction(self.engine) as connection:
            return connection.execute(query).scalar_one()

    def steps(self, key: str) -> list[tuple[EntryState, str | None]]:
        packed = self.column(key, "history")
        assert isinstance(packed, str)
        return [(one.after, one.reason) for one in unpack_transitions(packed)]
