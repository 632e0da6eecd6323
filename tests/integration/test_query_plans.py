"""No statement that must stay proportional to change reads all of a table that grows.

Every public method of every store is driven on a full database (`query_stories`, `filled`), and every
statement that it really issues is explained there, with its parameters (`query_plans`). SQLite is asked
twice: as it ships, without statistics, since nobody runs ANALYZE on it, and with them.

A method that is new must be named in METHODS, a statement that no story reaches fails, and so does an entry
in KNOWN_SCANS that is not true any more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filled
import pytest
from filled import BV, CHANGES, GROWING, NOW, SMALL, cadre
from query_plans import Function, Reach, Read, Watch, executing, public, sites
from query_stores import NOT_EVERYWHERE, OTHERS, STORES, module_of
from query_stories import STORIES
from sqlalchemy import Engine, Table

from adapter import audit, awaited, withheld
from adapter.database import metadata
from adapter.inbox import erasure as inbox_erase
from adapter.inbox import latest, receive, rulings
from adapter.inbox.acknowledgements.store import AcknowledgementStore
from adapter.inbox.polling.store import PollStore
from adapter.inbox.quarantine.store import QuarantineStore
from adapter.inbox.quarantine.tables import refused_request
from adapter.inbox.queue import InboxQueue
from adapter.inbox.recognition import Recognition
from adapter.inbox.store import InboxStore
from adapter.inbox.tables import inbox_item
from adapter.ledger import named_lines, reassignment
from adapter.ledger.disclosures import DisclosureStore
from adapter.ledger.entries.bulk_statements import EntryInserter
from adapter.ledger.history import receipts, retention
from adapter.ledger.history.record_history import RecordHistoryStore
from adapter.ledger.hospitals.server import ServerStore
from adapter.ledger.monitoring.overdue import OverdueStore
from adapter.ledger.parking import ParkedStore
from adapter.ledger.repairs import RepairStore
from adapter.ledger.schema import tables as ledger
from adapter.ledger.shipments import ShipmentStore
from adapter.ledger.store import LedgerStore
from adapter.ledger.workers.registry import WorkerStore
from adapter.records import change_feed, lookups, reassignments, result_views
from adapter.records import tables as records
from adapter.records.change_feed import ChangeFeed
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.stored_records import StoredRecords
from adapter.records.merges import MergeStore
from adapter.records.sources.checkup import tabs
from adapter.records.sources.sql import source_cursor as cursors
from adapter.records.store import RecordStore
from adapter.repository import erasure as repository_erase
from adapter.repository import history_statements, search_statements, sender_versions
from adapter.repository import store as repository
from adapter.repository import tables as repository_tables
from adapter.subscriptions import changes as subscription_changes
from adapter.subscriptions.store import SubscriptionStore

ROWS, STATE, PLACE = Reach.ROWS, Reach.STATE, Reach.PLACE
_ASKS_NOTHING = "asks the database nothing"
_ERASES = "reads all there is when somebody becomes T0: a trace may be anywhere"
_COUNTS = "counts all there is, which is what it is for"
_WALKS = "walks all there is, a page at a time, which is what it is for"
_STOPS = "stops at the first that it meets"

# What each public method of a store may look at of a table that grows, or why it is left out.
METHODS: dict[Function, Reach | str] = {
    # the ledger: planning and sending
    LedgerStore.entries: ROWS,
    LedgerStore.entries_of_records: ROWS,
    LedgerStore.plan: ROWS,
    LedgerStore.start: ROWS,
    LedgerStore.settle: ROWS,
    LedgerStore.finish: ROWS,
    LedgerStore.cadres_to_replan: STATE,
    EntryInserter.write: ROWS,
    receipts.add_receipts: ROWS,
    reassignment.reassign_records: ROWS,
    reassignment.reassign_changes: ROWS,
    reassignment.belongs_to_another: _ASKS_NOTHING,
    reassignment.current_owners: _ASKS_NOTHING,
    DisclosureStore.people: ROWS,
    DisclosureStore.write: ROWS,
    DisclosureStore.aside: STATE,
    DisclosureStore.weight: STATE,
    DisclosureStore.stop_updates: ROWS,
    DisclosureStore.held: _COUNTS,
    DisclosureStore.active_policy: "hospitals are few",
    DisclosureStore.activate: "hospitals are few",
    # the ledger: the queue
    ShipmentStore.lock: ROWS,
    ShipmentStore.in_flight_cadres: ROWS,
    ShipmentStore.mark_due: ROWS,
    ShipmentStore.claim: PLACE,
    ShipmentStore.claim_one: ROWS,
    ShipmentStore.give_back: ROWS,
    ShipmentStore.finish: PLACE,
    ShipmentStore.verify_lease: ROWS,
    ShipmentStore.renew_lease: ROWS,
    ShipmentStore.ensure_remaining: _ASKS_NOTHING,
    ShipmentStore.reclaim_expired: ROWS,
    ShipmentStore.hospitals_due: PLACE,
    ShipmentStore.next_due: PLACE,
    ShipmentStore.count_in_flight: ROWS,
    # the ledger: which server it is of
    ServerStore.newest_delivered: PLACE,
    ServerStore.has_sent: _STOPS,
    ServerStore.note: "hospitals are few",
    ServerStore.halt: "hospitals are few",
    ServerStore.move: "hospitals are few",
    ServerStore.accept: STATE,
    ServerStore.forget: "deletes all there is of a hospital, which is what it is for",
    # the ledger: the processes
    WorkerStore.remove: ROWS,
    WorkerStore.record_heartbeat: "workers are few",
    WorkerStore.all: "workers are few",
    WorkerStore.remove_silent: "workers are few",
    # the ledger: looking
    LedgerStore.sample: _STOPS,
    LedgerStore.entries_of_record: ROWS,
    LedgerStore.hospitals_of: ROWS,
    LedgerStore.by_identity: ROWS,
    LedgerStore.by_remote_id: ROWS,
    named_lines.lines_by_identity: ROWS,
    named_lines.lines_by_remote_id: ROWS,
    named_lines.held_etags: ROWS,
    named_lines.held_records: ROWS,
    named_lines.wished_lines: STATE,
    named_lines.lines_of_person: ROWS,
    LedgerStore.parked: STATE,
    LedgerStore.count_stuck_retractions: STATE,
    LedgerStore.counts: _COUNTS,
    RecordHistoryStore.transitions: ROWS,
    RecordHistoryStore.receipts: ROWS,
    OverdueStore.has_entries: _STOPS,
    OverdueStore.unknown: STATE,
    OverdueStore.retracting: STATE,
    OverdueStore.nameless_retractions: STATE,
    OverdueStore.undelivered_referrals: STATE,
    OverdueStore.delivered_referrals: STATE,
    OverdueStore.delivered_among: ROWS,
    OverdueStore.unclaimed_shipments: PLACE,
    OverdueStore.unconfigured_hospitals: STATE,
    OverdueStore.silent_workers: ROWS,
    # the ledger: what waits for a person, is corrected, is forgotten
    ParkedStore.groups: STATE,
    ParkedStore.count_too_old: STATE,
    ParkedStore.cadres: STATE,
    ParkedStore.release: STATE,
    ParkedStore.park_outdated: STATE,
    RepairStore.write: ROWS,
    RepairStore.retract_unknown: ROWS,
    retention.purge_expired: STATE,
    # the records
    RecordStore.get: ROWS,
    RecordStore.stored_record: ROWS,
    RecordStore.find: ROWS,
    RecordStore.of_cadre: ROWS,
    RecordStore.of_cadres: ROWS,
    RecordStore.stored_of_cadres: ROWS,
    RecordStore.changed_cadres: PLACE,
    RecordStore.changed_records: PLACE,
    RecordStore.reassigned_to: ROWS,
    RecordStore.reassigned_among: ROWS,
    RecordStore.keys_recorded_under: ROWS,
    RecordStore.imported_among: ROWS,
    RecordStore.newest_position: ROWS,
    RecordStore.iterate: _WALKS,
    RecordStore.stored_of_kind: _WALKS,
    RecordStore.counts: _COUNTS,
    RecordStore.cadres_by_identifier: ROWS,
    lookups.cadres_by_identifiers: ROWS,
    lookups.cadres_by_names: ROWS,
    lookups.live_records: ROWS,
    lookups.survivors_of: ROWS,
    result_views.note_stated: ROWS,
    result_views.forget_result: ROWS,
    result_views.attention_of: ROWS,
    result_views.unseen: PLACE,
    result_views.views_of: ROWS,
    result_views.put_view: ROWS,
    result_views.withdraw_view: ROWS,
    result_views.open_tasks: STATE,
    result_views.close_task: ROWS,
    result_views.reopen_task: ROWS,
    result_views.erase_views: ROWS,
    result_views.forget_telling: _ERASES,
    RecordStore.names_by_identifier: ROWS,
    RecordStore.save_result: ROWS,
    RecordStore.lives: ROWS,
    RecordStore.advance: ROWS,
    RecordStore.amend_referral: ROWS,
    RecordStore.take_back: ROWS,
    RecordStore.answer_again: ROWS,
    MergeStore.list: "shows all merges to a person",
    MergeStore.without_survivor: "looks at all merges, for the table of problems",
    MergeStore.survivor: ROWS,
    MergeStore.losers_of: ROWS,
    MergeStore.recorded_names: ROWS,
    MergeStore.survivors: ROWS,
    MergeStore.add: ROWS,
    MergeStore.undo: ROWS,
    MergeStore.same_people: ROWS,
    ChangeFeed.__init__: ROWS,
    ChangeFeed.next: _ASKS_NOTHING,
    ChangeFeed.close: ROWS,
    change_feed.newest_position: ROWS,
    change_feed.records_state: ROWS,
    reassignments.former_owner: _ASKS_NOTHING,
    reassignments.reassigned_to: ROWS,
    reassignments.reassigned_among: ROWS,
    # an import
    ImportWriter.__init__: "empties what the import before has met",
    ImportWriter.close: "empties what this import has met",
    ImportWriter.seen_rows: ROWS,
    ImportWriter.mark_seen: ROWS,
    ImportWriter.mark_rejected: ROWS,
    ImportWriter.rejected_keys: ROWS,
    StoredRecords.live_owners: ROWS,
    StoredRecords.rows: ROWS,
    StoredRecords.visits_of_people: ROWS,
    StoredRecords.survivors: "merges are few",
    StoredRecords.visit_years: ROWS,
    StoredRecords.visits_of: _ASKS_NOTHING,
    StoredRecords.live_bodies: ROWS,
    StoredRecords.count: _COUNTS,
    StoredRecords.unseen_keys: _WALKS,
    ImportWriter.upsert: ROWS,
    ImportWriter.tombstone: ROWS,
    StoredRecords.same_people: ROWS,
    ImportWriter.scrub: _ERASES,
    StoredRecords.sharing: ROWS,
    ImportWriter.clear_others: _ERASES,
    ImportWriter.lock_erasures: "writes one row",
    cursors.load_cursors: ROWS,
    cursors.save_cursor: ROWS,
    cursors.people_digest: "makes a digest of everybody, once for a query of a source",
    cursors.restart_value: _ASKS_NOTHING,
    cursors.next_value: _ASKS_NOTHING,
    cursors.later_change: _ASKS_NOTHING,
    cursors.earlier_change: _ASKS_NOTHING,
    tabs.form_tabs: "asks nothing until its rows are read, which nobody but a story does here",
    # the inbox
    receive.receive_versions: ROWS,
    Recognition.find: ROWS,
    Recognition.has_version: ROWS,
    Recognition.mark: ROWS,
    Recognition.add_marks: ROWS,
    Recognition.list_members: ROWS,
    Recognition.unknown: ROWS,
    Recognition.begin_lineages: ROWS,
    sender_versions.sender_versions: ROWS,
    sender_versions.written_here: ROWS,
    sender_versions.sender_version_row: _ASKS_NOTHING,
    AcknowledgementStore.find: ROWS,
    AcknowledgementStore.add: ROWS,
    AcknowledgementStore.forget: PLACE,
    PollStore.of_hospital: ROWS,
    PollStore.known_versions: ROWS,
    PollStore.note_done: ROWS,
    PollStore.note_failed: ROWS,
    QuarantineStore.keep: ROWS,
    QuarantineStore.diagnose: ROWS,
    QuarantineStore.waiting: _STOPS,
    QuarantineStore.get: ROWS,
    QuarantineStore.remove: ROWS,
    QuarantineStore.backlog: _COUNTS,
    QuarantineStore.forget: PLACE,
    QuarantineStore.all_bodies: _ERASES,
    # what hospitals subscribed to
    SubscriptionStore.of_hospital: ROWS,
    SubscriptionStore.listed: ROWS,
    SubscriptionStore.locked: ROWS,
    SubscriptionStore.header_lines: ROWS,
    SubscriptionStore.add: ROWS,
    SubscriptionStore.replace: ROWS,
    SubscriptionStore.remove: "deletes all events of one, which is what it is for",
    SubscriptionStore.number_events: ROWS,
    SubscriptionStore.changes: PLACE,
    SubscriptionStore.lines_of: ROWS,
    SubscriptionStore.one: ROWS,
    SubscriptionStore.taken: ROWS,
    SubscriptionStore.failed: ROWS,
    SubscriptionStore.turn_off: ROWS,
    SubscriptionStore.purge: PLACE,
    SubscriptionStore.with_waiting: ROWS,
    SubscriptionStore.in_error: "subscriptions are few",
    SubscriptionStore.all_bodies: _ERASES,
    SubscriptionStore.put_body: ROWS,
    subscription_changes.note_changes: ROWS,
    subscription_changes.forget_resources: _ERASES,
    subscription_changes.forget_hospital: "deletes all there is of a hospital, which is what it is for",
    InboxStore.get: ROWS,
    InboxStore.items: PLACE,
    latest.latest_items: PLACE,
    InboxStore.of_cadre: ROWS,
    InboxStore.reassign: ROWS,
    InboxStore.counts: _COUNTS,
    InboxStore.unmatched_backlog: STATE,
    InboxStore.newest_version: ROWS,
    InboxStore.newest_versions: ROWS,
    InboxStore.newest_items_named: ROWS,
    InboxStore.versions: ROWS,
    InboxStore.lineage_versions: ROWS,
    InboxStore.of_lineage: ROWS,
    InboxStore.is_first: ROWS,
    InboxStore.linked_version: ROWS,
    InboxStore.listed_by: ROWS,
    InboxStore.lists_of: ROWS,
    InboxStore.belong_to: ROWS,
    InboxStore.was_somebody_else: ROWS,
    InboxStore.others_of: ROWS,
    InboxStore.order_statements: ROWS,
    InboxStore.join_lineage: ROWS,
    InboxStore.unseen: STATE,
    InboxStore.mark_seen: ROWS,
    InboxStore.settle: ROWS,
    InboxQueue.hospitals: ROWS,
    InboxQueue.due: STATE,
    InboxQueue.wake_awaiting: PLACE,
    InboxQueue.wake_all: STATE,
    InboxQueue.record_failure: ROWS,
    awaited.await_names: ROWS,
    awaited.forget_awaited: ROWS,
    awaited.is_anything_awaited: _STOPS,
    awaited.has_arrivals: _STOPS,
    awaited.note_arrivals: ROWS,
    awaited.take_arrivals: PLACE,
    awaited.sent_name: _ASKS_NOTHING,
    awaited.line_name: _ASKS_NOTHING,
    awaited.number_name: _ASKS_NOTHING,
    awaited.identity_name: _ASKS_NOTHING,
    awaited.person_name: _ASKS_NOTHING,
    awaited.patient_name: _ASKS_NOTHING,
    awaited.record_name: _ASKS_NOTHING,
    rulings.number_subject: _ASKS_NOTHING,
    rulings.item_subject: _ASKS_NOTHING,
    rulings.ruled_cadres: ROWS,
    rulings.all_rulings: PLACE,
    rulings.put_rulings: ROWS,
    rulings.remove_rulings: ROWS,
    rulings.remove_ruling: ROWS,
    rulings.erase_rulings: ROWS,
    inbox_erase.erase_cadre: ROWS,
    inbox_erase.erase_resources: ROWS,
    inbox_erase.forget_resource: _ERASES,
    inbox_erase.forget_candidate: _ERASES,
    inbox_erase.all_bodies: _ERASES,
    # the endpoint's repository
    repository.create_tables: "makes the tables",
    repository.lock_owner: ROWS,
    repository.current_versions: ROWS,
    repository.current_with_bodies: ROWS,
    repository.ids_by_identifier: ROWS,
    repository.ids_by_content: ROWS,
    repository.insert_versions: ROWS,
    repository.select_version: ROWS,
    repository.select_history: ROWS,
    history_statements.owned_types: _STOPS,
    history_statements.select_versions: PLACE,
    repository.body_lengths: ROWS,
    search_statements.limited_time: _ASKS_NOTHING,
    search_statements.end_statements_after: ROWS,
    search_statements.matching_ids: PLACE,
    search_statements.count_matches: PLACE,
    search_statements.select_page: PLACE,
    search_statements.ids_referred_to: ROWS,
    search_statements.ids_that_refer: ROWS,
    search_statements.ids_behind: ROWS,
    repository.count_by_type: _COUNTS,
    repository_erase.erase_resource: ROWS,
    repository_erase.forget_resource: _ERASES,
    repository_erase.all_bodies: _ERASES,
    # the audit
    audit.append: ROWS,
    audit.append_events: ROWS,
    audit.change_key: _WALKS,
    audit.chain_head: ROWS,
    audit.newest: ROWS,
    audit.hash_at: ROWS,
    audit.verify_chain: _WALKS,
    audit.check_chain: _WALKS,
    audit.use_key: _ASKS_NOTHING,
    audit.has_appended: _ASKS_NOTHING,
    withheld.set_withheld: ROWS,
    withheld.forget_withheld: _ERASES,
    withheld.rename_subjects: _WALKS,
    withheld.withheld_of_subject: ROWS,
    withheld.withheld_of_person: ROWS,
    withheld.withheld_counts: "sums up all that is kept back from a hospital, for a person",
}

SQLITE, ANALYZED, POSTGRESQL = "sqlite", "sqlite-analyzed", "postgresql"
_SQLITE = {SQLITE, ANALYZED}
_ALL = {*_SQLITE, POSTGRESQL}


@dataclass(frozen=True)
class Known:
    """A scan that there is: on which systems, and why it is borne."""

    systems: set[str]
    why: str


_BY_DISTINCT = "to name each person once SQLite walks the index of people, not that of states"
_BY_KIND = "SQLite prefers the beginning of the primary key to the index of people"
_NO_SURVIVORS = "no index has who survived; merges are few"
_NO_REFERRAL = "no index of the inbox has the referral; only an erasure asks"
_AVERAGES = "SQLite knows how many are in a state on average only, and most are in one"

KNOWN_SCANS: dict[tuple[Function, Table], Known] = {
    # at every sync
    (LedgerStore.cadres_to_replan, ledger.entry): Known({SQLITE}, _BY_DISTINCT),
    (ParkedStore.park_outdated, ledger.entry): Known({SQLITE}, _BY_DISTINCT),
    (retention.purge_expired, ledger.receipt): Known(_ALL, "no index has when a receipt was made"),
    (MergeStore.recorded_names, records.record_merge): Known(_ALL, _NO_SURVIVORS),
    # at every look for work
    (ShipmentStore.hospitals_due, ledger.shipment): Known(
        {POSTGRESQL}, "PostgreSQL reads shipments up to the first that is due: all of them if none is"
    ),
    # when something has another id at a hospital, is withdrawn, deleted or retracted
    (LedgerStore.settle, ledger.entry): Known(
        {SQLITE}, "to send again what refers to it SQLite reads all that is delivered, not the person's lines"
    ),
    (RecordStore.save_result, records.record): Known({SQLITE}, _BY_KIND),
    (RecordStore.take_back, records.record): Known({SQLITE}, _BY_KIND),
    (RecordStore.answer_again, records.record): Known({SQLITE}, _BY_KIND),
    (ImportWriter.tombstone, records.record): Known({SQLITE}, _BY_KIND),
    (retention.purge_expired, ledger.shipment): Known(
        _ALL, "looks for all without lines, if there is anything old"
    ),
    # when a person asks
    (ParkedStore.cadres, ledger.entry): Known({SQLITE}, _BY_DISTINCT),
    (ParkedStore.release, ledger.entry): Known({SQLITE}, _BY_DISTINCT),
    (RecordStore.find, records.record): Known({SQLITE, POSTGRESQL}, "kind comes first in its index"),
    (InboxStore.items, inbox_item): Known({SQLITE}, "each page sorts all that the hospital sent"),
    (QuarantineStore.keep, refused_request): Known(_ALL, "goes from the oldest on, until there is room"),
    (InboxStore.unmatched_backlog, inbox_item): Known({ANALYZED}, _AVERAGES),
    (OverdueStore.delivered_referrals, ledger.entry): Known(
        _ALL, "all referrals: SQL cannot tell which are held"
    ),
    (OverdueStore.undelivered_referrals, ledger.entry): Known({ANALYZED}, _AVERAGES),
    (named_lines.wished_lines, ledger.entry): Known(
        _ALL, "all referrals of a hospital, when its clerk asks for the list: the records know their order"
    ),
    (search_statements.select_page, repository_tables.repository_resource): Known(
        _SQLITE, "SQLite goes in the order of the page through all of the type, until the page is full"
    ),
    # when people are merged or erased
    (LedgerStore.hospitals_of, ledger.entry): Known({SQLITE, POSTGRESQL}, "hospital is first in its index"),
    (MergeStore.same_people, records.record_merge): Known(_ALL, _NO_SURVIVORS),
    (MergeStore.add, records.record_merge): Known(_ALL, _NO_SURVIVORS),
    (inbox_erase.erase_cadre, inbox_item): Known({SQLITE, ANALYZED}, _NO_REFERRAL),
}


@dataclass(frozen=True)
class Full:
    """A full database on which all stories were told, and what was read."""

    system: str
    engine: Engine
    watch: Watch

    def too_wide(self) -> list[Read]:
        """What was read of more than its method may look at."""
        return [one for one in self.watch.reads if _is_too_wide(one)]


def _is_too_wide(one: Read) -> bool:
    limit = METHODS[one.by] if one.by else ROWS
    return isinstance(limit, Reach) and one.reach > limit


@pytest.fixture(scope="module")
def full_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full SQLite file to copy."""
    return filled.sqlite_file(tmp_path_factory.mktemp("full") / "adapter.db")


@pytest.fixture(scope="module", params=[SQLITE, ANALYZED, POSTGRESQL])
def full(request: pytest.FixtureRequest) -> Iterator[Full]:
    """Each story told once on each system, and every statement explained."""
    if request.param == POSTGRESQL:
        opening = filled.postgresql()
    else:
        opening = filled.sqlite(request.getfixturevalue("full_sqlite"))
    with opening as engine:
        if request.param != SQLITE:
            filled.analyze(engine)
        watch = Watch(engine, METHODS, GROWING, SMALL)
        for story in STORIES:
            story(engine)
        yield Full(request.param, engine, watch)


def test_every_public_method_is_judged() -> None:
    offered = set().union(*(public(store) for store in STORES))
    made = {ImportWriter.__init__, ChangeFeed.__init__}
    assert {one.__qualname__ for one in offered - METHODS.keys()} == set(), "name them in METHODS"
    assert {one.__qualname__ for one in METHODS.keys() - offered - made} == set(), "nobody offers them"


def test_every_table_is_judged() -> None:
    assert {one.name for one in GROWING | SMALL} == set(metadata.tables)
    assert set() == GROWING & SMALL


def test_every_module_that_executes_is_a_store() -> None:
    known = {Path(str(module_of(one).__file__)) for one in (*STORES, *OTHERS)}
    assert executing() - known == set(), "what it executes is not explained: name it in STORES, or OTHERS"


def test_every_statement_is_explained(full: Full) -> None:
    judged = {one for one, limit in METHODS.items() if isinstance(limit, Reach)}
    idle = judged - full.watch.at_work - NOT_EVERYWHERE
    assert {one.__qualname__ for one in idle} == set(), "no story has them do anything"
    left_out = METHODS.keys() - judged
    places = sites({module_of(one) for one in STORES}, left_out | NOT_EVERYWHERE)
    unseen = [name for name, lines in places.items() if not full.watch.reached.intersection(lines)]
    assert unseen == [], "no story executes them"


def test_nothing_that_grows_is_read_as_a_whole(full: Full) -> None:
    found = {str(one): one for one in full.too_wide() if full.system not in _known(one).systems}
    assert not found, f"on {full.system}:\n" + "\n".join(found)


def _known(one: Read) -> Known:
    table = metadata.tables[one.table]
    return KNOWN_SCANS.get((one.by, table), Known(set(), "")) if one.by else Known(set(), "")


def test_known_scans_are_still_true(full: Full) -> None:
    wide = {(one.by, metadata.tables[one.table]) for one in full.too_wide()}
    mended = [
        f"{method.__qualname__} reads little of {table.name} on {full.system} now: take it out of KNOWN_SCANS"
        for (method, table), known in KNOWN_SCANS.items()
        if full.system in known.systems and (method, table) not in wide
    ]
    assert mended == []


# An index, who needs it, and what he is asked.
LOST: dict[str, tuple[Function, Callable[[Engine], object]]] = {
    "ix_ledger_entry_cadre": (
        LedgerStore.entries,
        lambda at: LedgerStore(at).entries(BV, [cadre(1)]),
    ),
    "ix_ledger_shipment_due": (
        ShipmentStore.next_due,
        lambda at: LedgerStore(at).shipments.next_due(BV),
    ),
    "ix_record_position": (
        RecordStore.changed_cadres,
        lambda at: RecordStore(at).changed_cadres(CHANGES - 40, 20),
    ),
    "ix_inbox_item_due": (InboxQueue.due, lambda at: InboxQueue(at).due(BV, NOW)),
}


@pytest.mark.parametrize("name", LOST)
def test_the_guard_tells_who_lost_an_index(full: Full, name: str) -> None:
    method, ask = LOST[name]
    [index] = [one for table in GROWING for one in table.indexes if one.name == name]
    assert method not in {one.by for one in full.too_wide()}
    before = len(full.watch.reads)
    index.drop(full.engine)
    try:
        ask(full.engine)
        found = [one for one in full.too_wide() if one in full.watch.reads[before:]]
    finally:
        index.create(full.engine)
        del full.watch.reads[before:]
    assert [one for one in found if one.by is method and one.table == index.table.name], "nothing was said"
