"""A record that an import gives to another person: a real database, a real hospital over HTTP."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import plainly
import pytest
from openpyxl import load_workbook
from snapshots import Snapshots, Urls, servers_moved
from sqlalchemy import Engine, delete, select, update

from adapter.database import open_database, read_transaction, write_transaction
from adapter.ledger.repairs import Repair, RepairStore
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.transitions import unpack_transitions
from adapter.ledger.schema.values import DeliveryOutcome, LedgerEntry
from adapter.operations.merge import MergeCadres
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state import changed_people
from adapter.pipeline.desired_state.changed_people import CENTRE_KEY
from adapter.pipeline.outbound import planning
from adapter.pipeline.outbound.planning import update_ledger
from adapter.pipeline.outbound.sync import RunContext, deliver_due, server_client
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing import importer
from adapter.records.importing.identity_checks import AllowedChanges
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.model import Cadre, Measurement, Record, Tier
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

SMALL = Path("fixtures/sample/small.xlsx")
NAME = "bv-tinh"
MEASURES = 5  # of each visit: all of them would take long
E = tables.entry


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


def clock() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people of the small sample: three who may go in full and have visits, one who may not go."""
    book = load_workbook(SMALL)
    rows = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}
    whose = {
        title: listed[0].index("Mã cán bộ") for title, listed in rows.items() if "Mã cán bộ" in listed[0]
    }
    visited = {row[whose["Lượt khám"]] for row in rows["Lượt khám"]}
    tier = rows["Cán bộ"][0].index("Diện quản lý")
    tiers = {row[whose["Cán bộ"]]: row[tier] for row in rows["Cán bộ"][1:]}
    full = [key for key, tier in tiers.items() if tier in ("T4", "T5") and key in visited]
    kept = {*full[:3], next(key for key, tier in tiers.items() if tier == "T1"), "Mã cán bộ"}
    visits = {row[0] for row in rows["Lượt khám"] if row[whose["Lượt khám"]] in kept}
    for title, place in whose.items():
        book[title].delete_rows(1, len(rows[title]))
        seen: Counter[Any] = Counter()
        for row in rows[title]:
            seen[row[1]] += 1
            if row[place] in kept or (row[place] is None and row[1] in visits and seen[row[1]] <= MEASURES):
                book[title].append(row)
    path = tmp_path_factory.mktemp("few") / "few.xlsx"
    book.save(path)
    return path


class Site:
    """A centre with a few people and its hospital. `visit` is a visit of `former` with all that belongs
    to it; `owner` is to have it. `withheld` is somebody of whom nothing may go.
    """

    def __init__(self, engine: Engine, folder: Path, base: str) -> None:
        self.base = base
        (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
        settings = Settings(
            identity_key=f"file:{folder / 'identity.key'}",
            database_url=f"sqlite:///{folder / 'adapter.db'}",
            patience_seconds=20,
            hospitals={
                NAME: HospitalSettings(
                    name=NAME, display=NAME, level="provincial", base_url=f"{base}/fhir", timeout_seconds=1
                )
            },
        )
        self.adapter = Adapter(settings, engine)

    def begin(self, few: Path) -> None:
        self.adapter.cards.put(NAME, CAPABLE_SERVER, clock())
        self.load(few)

    def choose(self) -> None:
        found = [one for one in self.adapter.records.iterate("cadre") if isinstance(one, Cadre)]
        full = [one.key for one in found if one.tier in (Tier.T4, Tier.T5)]
        visited = [key for key in full if self.of(key)]
        self.former, self.owner, self.third = visited[:3]
        self.withheld = next(one.key for one in found if one.tier is Tier.T1)
        self.visit = next(one.visit for one in self.of(self.former) if isinstance(one, Measurement))
        self.moving = [one for one in self.of(self.former) if self.visit in (one.key, _visit(one))]
        assert {one.kind for one in self.moving} >= {"visit", "measurement"}

    def load(self, file: Path) -> None:
        importer.run_import(
            self.adapter.engine,
            [file],
            max_deletions_percent=3,
            known_hospitals=frozenset((NAME, "bv-trung-uong")),
            now=clock(),
            allowed=AllowedChanges(moves=True),
        )

    def of(self, cadre: str) -> list[Record]:
        return [one for one in self.adapter.records.of_cadre(cadre) if one.kind != "cadre"]

    # -- what an import writes -------------------------------------------------------------

    def give(self, cadre: str) -> None:
        """The visit and all that belongs to it is this person's."""
        with write_transaction(self.adapter.engine) as connection:
            changes = ImportWriter(connection, clock())
            for one in self.moving:
                changes.upsert([(one.model_copy(update={"cadre": cadre}), 2)], "new.xlsx", "sheet", clock())
            changes.close()

    def remove(self) -> None:
        with write_transaction(self.adapter.engine) as connection:
            changes = ImportWriter(connection, clock())
            changes.tombstone("visit", [self.visit])
            changes.close()

    def touch(self, cadre: str) -> None:
        """Something else of this person changes."""
        person = self.adapter.records.get("cadre", cadre)
        assert isinstance(person, Cadre)
        changed = person.model_copy(update={"phone": f"09{clock().microsecond:08}"})
        with write_transaction(self.adapter.engine) as connection:
            changes = ImportWriter(connection, clock())
            changes.upsert([(changed, 2)], "new.xlsx", "sheet", clock())
            changes.close()

    # -- the ledger ------------------------------------------------------------------------

    def plan(self, **how: Any) -> int:
        return update_ledger(self.adapter, self.adapter.destination(NAME), clock(), silent, **how)

    def deliver(self) -> None:
        work = RunContext(self.adapter, clock, silent, threading.Event())
        hospital = self.adapter.settings.hospital(NAME)
        with server_client(self.adapter, hospital, clock()) as client:
            deliver_due(work, hospital, client, patience=20)

    def sync(self) -> None:
        """Twice where something was made anew: it has another id then, and what refers to it goes again."""
        done = run_sync(self.adapter, [NAME], clock, silent).hospitals[NAME]
        if done.waiting and self.adapter.ledger.cadres_to_replan(NAME):
            done = run_sync(self.adapter, [NAME], clock, silent).hospitals[NAME]
        assert not done.problems
        assert done.parked == done.unknown == done.waiting == 0

    def lines(self) -> list[LedgerEntry]:
        """Those of the records that move."""
        found = [
            line for one in self.moving for line in self.adapter.ledger.entries_of_record(one.kind, one.key)
        ]
        assert found
        return sorted(found, key=lambda line: line.identity)

    def states(self) -> set[tuple[str, EntryState]]:
        return {(one.cadre, one.state) for one in self.lines()}

    def force(self, state: EntryState, **values: Any) -> None:
        """All of the moving records' lines stand like this."""
        lines = [one.identity for one in self.lines()]
        with write_transaction(self.adapter.engine) as connection:
            connection.execute(update(E).where(E.c.identity.in_(lines)).values(state=state, **values))

    def ever_retracted(self) -> bool:
        lines = [one.identity for one in self.lines()]
        query = select(E.c.history).where(E.c.hospital == NAME, E.c.identity.in_(lines))
        with read_transaction(self.adapter.engine) as connection:
            steps = [
                step.after
                for history in connection.execute(query).scalars()
                for step in unpack_transitions(history)
            ]
        assert EntryState.PENDING in steps
        return EntryState.RETRACTING in steps

    # -- the hospital ----------------------------------------------------------------------

    def found(self, resource_type: str, identity: str) -> list[dict[str, Any]]:
        url = f"{self.base}/fhir/{resource_type}?identifier={identity}"
        return [entry["resource"] for entry in plainly.get(url).json().get("entry", [])]

    def patient(self, cadre: str) -> str:
        identity = self.adapter.destination(NAME).identify("Patient", "cadre", cadre)
        [resource] = self.found("Patient", identity)
        return f"Patient/{resource['id']}"

    def subjects(self) -> set[str]:
        """Whom the hospital holds the moving records of; each of them once, or not at all."""
        subjects = set()
        for line in self.lines():
            there = self.found(line.type, line.identity)
            assert len(there) <= 1
            subjects |= {(one.get("subject") or one["patient"])["reference"] for one in there}
            assert bool(there) is (line.state is EntryState.DELIVERED)
        return subjects

    def check(self, cadre: str) -> None:
        """The hospital holds all of it as this person's, and the ledger says so."""
        assert self.states() == {(cadre, EntryState.DELIVERED)}
        assert self.subjects() == {self.patient(cadre)}
        assert self.plan() == 0


def _visit(one: Record) -> str | None:
    return getattr(one, "visit", None)


@pytest.fixture
def site(
    database_system: str, few: Path, tmp_path: Path, first: Path, snapshots: Snapshots
) -> Iterator[Site]:
    """All is delivered."""

    def synced(urls: Urls) -> None:
        with opened(urls, first) as site:
            site.begin(few)
            site.sync()

    copies = snapshots.copies("moved", {"adapter": database_system, "hospital": "sqlite"}, tmp_path, synced)
    with opened(copies, tmp_path) as site:
        servers_moved(site.adapter)
        site.choose()
        yield site


@pytest.fixture
def unsynced_site(
    database_system: str, few: Path, tmp_path: Path, first: Path, snapshots: Snapshots
) -> Iterator[Site]:
    def imported(urls: Urls) -> None:
        with opened(urls, first) as site:
            site.begin(few)

    copies = snapshots.copies("few", {"adapter": database_system, "hospital": "sqlite"}, tmp_path, imported)
    with opened(copies, tmp_path) as site:
        site.choose()
        yield site


@pytest.fixture
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a snapshot is made."""
    return tmp_path_factory.mktemp("first")


@contextmanager
def opened(urls: Urls, folder: Path) -> Iterator[Site]:
    engines = {role: open_database(url) for role, url in urls.items()}
    with serving(SandboxHospital(engines["hospital"], NAME).app) as base:
        yield Site(engines["adapter"], folder, base)
    for engine in engines.values():
        engine.dispose()


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is planned on a page of their own, but for those who share a position."""
    monkeypatch.setattr(changed_people, "_FIRST_PAGES", ())
    monkeypatch.setattr(changed_people, "_PAGE", 1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way is waited for in vain."""
    monkeypatch.setattr(planning, "_TRIES", 2)
    monkeypatch.setattr(planning, "_PAUSE", 0.01)


def _delivered(_site: Site) -> None:
    pass


def _parked(site: Site) -> None:
    site.force(EntryState.PARKED, reason="refused", delivered_digest=None, body=b"{}")


def _unknown(site: Site) -> None:
    site.force(
        EntryState.UNKNOWN,
        delivered_digest=None,
        sent_at=clock() - timedelta(hours=1),
        reason="timeout",
        changed_at=clock() - timedelta(hours=1),
    )


def _sending(site: Site) -> None:
    """Whoever sent it died; his lease was taken back."""
    nothing = dict.fromkeys(("delivered_digest", "delivered_at", "remote_id", "etag"))
    site.force(EntryState.SENDING, sent_at=clock() - timedelta(hours=1), **nothing)


def _retracting(site: Site) -> None:
    site.remove()
    site.plan()
    assert site.states() == {(site.former, EntryState.RETRACTING)}


def _retracted(site: Site) -> None:
    site.remove()
    site.sync()
    assert site.states() == {(site.former, EntryState.RETRACTED)}


def _together(_site: Site) -> None:
    pass


def _former_first(site: Site) -> None:
    site.touch(site.owner)


def _owner_first(site: Site) -> None:
    site.touch(site.former)


def _owner_alone(site: Site) -> None:
    """The feed names the third person as the former owner."""
    site.give(site.third)
    site.give(site.owner)
    found = {
        cadre
        for cadre, _ in site.adapter.records.changed_cadres(site.adapter.records.newest_position() - 2, 9)
    }
    assert found == {site.third, site.owner}


States = Callable[[Site], None]
HOW: Sequence[tuple[States, States]] = (
    *((stands, _together) for stands in (_delivered, _parked, _unknown, _sending, _retracting, _retracted)),
    *((_delivered, order) for order in (_former_first, _owner_first, _owner_alone)),
    *((_unknown, order) for order in (_former_first, _owner_alone)),
)


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize(("stands", "order"), HOW)
def test_it_becomes_the_new_owners_however_it_stood(site: Site, stands: States, order: States) -> None:
    stands(site)
    if order is not _owner_alone:
        site.give(site.owner)
    order(site)
    site.sync()
    site.check(site.owner)
    assert site.ever_retracted() is (stands in (_retracting, _retracted))


@pytest.mark.parametrize("order", [_former_first, _owner_first, _owner_alone])
def test_on_one_page_too(unsynced_site: Site, order: States) -> None:
    site = unsynced_site
    site.plan()
    if order is not _owner_alone:
        site.give(site.owner)
    order(site)
    site.plan()  # while nothing was ever sent
    assert site.states() == {(site.owner, EntryState.PENDING)}
    site.deliver()
    site.check(site.owner)
    assert not site.ever_retracted()


@pytest.mark.parametrize("order", [_together, _owner_alone])
def test_an_import_is_enough(site: Site, tmp_path: Path, few: Path, order: States) -> None:
    if order is _owner_alone:
        site.give(site.third)
    book = load_workbook(few)
    for sheet in book:
        titles = [cell.value for cell in sheet[1]]
        for row in sheet.iter_rows(min_row=2):
            whose = row[titles.index("Mã cán bộ")]
            if whose.value and site.visit in [cell.value for cell in row]:
                whose.value = site.owner
    book.save(tmp_path / "new.xlsx")
    site.load(tmp_path / "new.xlsx")
    site.sync()
    site.check(site.owner)


def test_what_may_not_go_of_the_new_owner_is_retracted(site: Site) -> None:
    site.give(site.third)
    site.give(site.withheld)
    site.plan()
    assert site.states() == {(site.withheld, EntryState.RETRACTING)}
    site.sync()
    assert site.states() == {(site.withheld, EntryState.RETRACTED)}
    assert site.subjects() == set()
    site.give(site.owner)
    site.sync()
    site.check(site.owner)


def test_what_moved_and_was_deleted_before_anybody_planned_is_retracted(site: Site) -> None:
    site.give(site.third)
    site.give(site.owner)
    site.remove()
    site.sync()
    assert site.states() == {(site.owner, EntryState.RETRACTED)}
    assert site.subjects() == set()


@pytest.mark.usefixtures("one_by_one")
def test_while_nothing_can_be_updated_it_leaves(site: Site) -> None:
    site.give(site.owner)
    site.plan(only_removals=True)
    assert site.states() == {(site.owner, EntryState.RETRACTING)}
    site.sync()
    site.check(site.owner)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("state", [EntryState.SENDING, EntryState.DELIVERED, EntryState.RETRACTING])
def test_nothing_that_is_under_way_is_taken(unsynced_site: Site, state: EntryState) -> None:
    """Somebody has the former owner's shipment: he ends in peace, and then it passes."""
    site = unsynced_site
    ledger = site.adapter.ledger
    site.sync()
    if state is EntryState.RETRACTING:
        _retracting(site)
    lease = ledger.shipments.claim_one(NAME, site.former, clock(), 60)
    assert lease is not None
    if state is EntryState.SENDING:
        site.force(EntryState.PENDING, body=b"{}")
        ledger.start(lease, {one.identity: one.desired_digest or "" for one in site.lines()}, clock(), 60)
    before = site.lines()
    site.give(site.owner)
    site.touch(site.third)
    site.plan()
    assert site.lines() == before
    row = ledger.hospitals.row(NAME)
    assert row.planned_position < site.adapter.records.newest_position()
    assert site.adapter.ledger.cadres_to_replan(NAME) == []
    assert _pending(site, site.third)  # nobody else waits for it
    site.plan()
    assert site.lines() == before
    event = {EntryState.SENDING: EntryEvent.CONFIRM, EntryState.RETRACTING: EntryEvent.GONE}.get(state)
    if event is not None:
        proof = "deleted" if event is EntryEvent.GONE else None
        outcome = [DeliveryOutcome(one.identity, event, one.remote_id, proof=proof) for one in before]
        ledger.settle(lease, outcome, clock())
    if state is EntryState.RETRACTING:
        for one in before:
            plainly.delete(f"{site.base}/fhir/{one.type}/{one.remote_id}")
    ledger.shipments.give_back(lease)
    site.sync()
    site.check(site.owner)
    assert ledger.hospitals.row(NAME).planned_position == site.adapter.records.newest_position()


def _pending(site: Site, cadre: str) -> bool:
    return any(one.state is EntryState.PENDING for one in site.adapter.ledger.entries(NAME, [cadre])[cadre])


def test_what_ends_meanwhile_passes_in_the_same_plan(site: Site) -> None:
    shipments = site.adapter.ledger.shipments
    lease = shipments.claim_one(NAME, site.former, clock(), 60)
    assert lease is not None
    site.give(site.owner)
    ending = threading.Timer(0.7, shipments.give_back, [lease])
    ending.start()
    site.plan()
    ending.join()
    assert site.states() == {(site.owner, EntryState.PENDING)}
    assert site.adapter.ledger.hospitals.row(NAME).planned_position == site.adapter.records.newest_position()


def test_two_deliver_while_it_moves_to_and_fro(unsynced_site: Site) -> None:
    site = unsynced_site
    site.plan()
    over = threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        own = Adapter(site.adapter.settings, site.adapter.engine)
        hospital = own.settings.hospital(NAME)
        try:
            with server_client(own, hospital, clock()) as client:
                work = RunContext(own, clock, silent, threading.Event())
                while not over.wait(0.02):
                    done = deliver_due(work, hospital, client, threads=2)
                    assert not done.failed
        except BaseException as error:
            failed.append(error)
            raise

    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    try:
        for turn in range(8):
            site.give((site.owner, site.third, site.former)[turn % 3])
            (_together, _former_first, _owner_first)[turn % 3](site)
            site.plan()
        site.give(site.owner)
        site.plan()
    finally:
        over.set()
        for one in workers:
            one.join()
    assert not failed
    site.sync()
    site.check(site.owner)


def test_what_no_record_was_known_for_is_taken_over_too(site: Site) -> None:
    """The ledger was lost with the records, the hospital was told to forget; then the records came back."""
    before = site.lines()
    strangers = [(one.type, one.identity, one.remote_id or "", one.rank) for one in before]
    with write_transaction(site.adapter.engine) as connection:
        connection.execute(delete(E).where(E.c.identity.in_([one.identity for one in before])))
    assert RepairStore(site.adapter.engine).retract_unknown(NAME, strangers, CENTRE_KEY, clock()) == len(
        before
    )
    site.deliver()
    assert all(site.found(one.type, one.identity) == [] for one in before)
    site.touch(site.former)
    site.sync()
    site.check(site.former)
    assert {(one.kind, one.key, one.rank) for one in site.lines()} == {
        (one.kind, one.key, one.rank) for one in before
    }


def test_a_repair_leaves_what_stands_under_somebody_else(site: Site) -> None:
    before = site.lines()
    lease = site.adapter.ledger.shipments.claim_one(NAME, site.owner, clock(), 60)
    assert lease is not None
    repairs = [Repair(one, holds=False) for one in before]
    assert RepairStore(site.adapter.engine).write(lease, repairs, clock()) == 0
    assert site.lines() == before


def test_what_leaves_a_merged_name_leaves_the_survivor(unsynced_site: Site) -> None:
    site = unsynced_site
    merging = MergeCadres(site.former, site.third, despite_numbers=True)
    merging.perform(OperationContext(site.adapter, "test", clock))
    site.sync()
    site.check(site.third)
    head = site.adapter.records.newest_position()
    site.give(site.owner)
    named = {cadre for cadre, _ in site.adapter.records.changed_cadres(head, 1)}
    assert named == {site.former, site.third, site.owner}
    site.sync()
    site.check(site.owner)
    site.give(site.withheld)
    site.sync()
    assert site.subjects() == set()
