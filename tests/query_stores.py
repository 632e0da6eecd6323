"""Who issues statements: the stores that are held to their plans, and who need not be."""

import sys
from types import ModuleType

from adapter import audit, awaited, bulk_insert, checkpoints, database, hospital_tokens, withheld
from adapter.authorization import access_tokens, outside_accounts, page_access, staff_accounts, staff_sessions
from adapter.inbox import erasure as inbox_erase
from adapter.inbox import latest, receive, rulings
from adapter.inbox.acknowledgements.store import AcknowledgementStore
from adapter.inbox.polling.store import PollStore
from adapter.inbox.quarantine.store import QuarantineStore
from adapter.inbox.queue import InboxQueue
from adapter.inbox.recognition import Recognition
from adapter.inbox.store import InboxStore
from adapter.insights import audit_log, backup_report, host_facts, trial_restore, withdrawals
from adapter.ledger import erasure as ledger_erase
from adapter.ledger import identity_key, named_lines, reassignment
from adapter.ledger.active_mappings import ActiveMappingStore
from adapter.ledger.disclosures import DisclosureStore
from adapter.ledger.entries.bulk_statements import EntryInserter
from adapter.ledger.history import receipts, retention
from adapter.ledger.history.record_history import RecordHistoryStore
from adapter.ledger.hospitals.server import ServerStore
from adapter.ledger.hospitals.store import HospitalStore
from adapter.ledger.hospitals.traffic import TrafficStore
from adapter.ledger.monitoring.alarms import AlarmStore
from adapter.ledger.monitoring.overdue import OverdueStore
from adapter.ledger.parking import ParkedStore
from adapter.ledger.repairs import RepairStore
from adapter.ledger.server_cards.store import ServerCardStore
from adapter.ledger.shipments import ShipmentStore
from adapter.ledger.store import LedgerStore
from adapter.ledger.workers.named_locks import NamedLockStore
from adapter.ledger.workers.registry import WorkerStore
from adapter.operations import audit_head, backup
from adapter.pipeline import configuration_changes
from adapter.pipeline.inbound import changed_records, inbox
from adapter.records import (
    change_feed,
    doubles,
    erased_names,
    held_rows,
    lookups,
    reassignments,
    referral_answers,
    result_views,
)
from adapter.records import erasure as records_erase
from adapter.records.change_feed import ChangeFeed
from adapter.records.importing import drafts, former_people, import_history, importer, undo
from adapter.records.importing.drafts import ImportDraftStore
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.stored_records import StoredRecords
from adapter.records.merges import MergeStore
from adapter.records.sources.checkup import tabs
from adapter.records.sources.sql import database as remote
from adapter.records.sources.sql import source_cursor as cursors
from adapter.records.store import RecordStore
from adapter.repository import erasure as repository_erase
from adapter.repository import history_statements, search_statements, sender_versions
from adapter.repository import store as repository
from adapter.subscriptions import changes as subscription_changes
from adapter.subscriptions.store import SubscriptionStore
from adapter.web import access_counter, app

__all__ = ["NOT_EVERYWHERE", "OTHERS", "STORES", "module_of"]

_ASKS = "asks for no table"
_ERASES = "looks everywhere when somebody becomes T0"
STORES: tuple[type | ModuleType, ...] = (
    *(
        LedgerStore,
        EntryInserter,
        receipts,
        reassignment,
        ShipmentStore,
        ServerStore,
        WorkerStore,
        RecordHistoryStore,
        OverdueStore,
        DisclosureStore,
    ),
    *(
        ParkedStore,
        RepairStore,
        retention,
        RecordStore,
        MergeStore,
        ChangeFeed,
        change_feed,
        reassignments,
        ImportWriter,
        StoredRecords,
        cursors,
    ),
    *(
        tabs,
        receive,
        Recognition,
        InboxStore,
        latest,
        InboxQueue,
        rulings,
        named_lines,
        lookups,
        result_views,
        inbox_erase,
        repository,
        search_statements,
        history_statements,
        repository_erase,
        audit,
        withheld,
        awaited,
        AcknowledgementStore,
        PollStore,
        QuarantineStore,
        sender_versions,
        SubscriptionStore,
        subscription_changes,
    ),
)
OTHERS: dict[type | ModuleType, str] = {
    HospitalStore: "hospitals are few",
    trial_restore: "makes a database and drops it",
    withdrawals: "for a person, once",
    identity_key: "one row, or once in years; what is counted has an index",
    ServerCardStore: "hospitals are few",
    ActiveMappingStore: "hospitals and mappings are few",
    NamedLockStore: "turns are few",
    AlarmStore: "alarms are few",
    TrafficStore: "some twenty rows an hour for a month, found by the hospital and the hour",
    hospital_tokens: "tokens are few",
    access_tokens: "tokens live for five minutes, and those that are over go with the next",
    page_access: "invitations, sessions and forms are few, and those that are over go with the next",
    staff_accounts: "the staff are few",
    outside_accounts: "the staff are few",
    staff_sessions: "their sessions are few, and those that are over go with the next",
    doubles: "numbers of people, once for an import and when a person asks",
    drafts: "uploaded workbooks are few, and kept for a day",
    ImportDraftStore: "uploaded workbooks are few, and kept for a day",
    import_history: "imports are few, and a change is found by its import",
    undo: "when a person takes an import back",
    held_rows: "held rows are few: a person decides each",
    former_people: "of the few whose key another person takes over, by an index on whose they are",
    referral_answers: "one person's records when an answer is taken away, by an index on whose they are",
    remote: "another's database",
    bulk_insert: "writes rows, and looks for none",
    database: _ASKS,
    checkpoints: _ASKS,
    importer: _ASKS,
    ledger_erase: _ERASES,
    records_erase: _ERASES,
    erased_names: "a few blocks of one size",
    inbox: _ASKS,
    host_facts: _ASKS,
    app: _ASKS,
    backup: "copies a database whole, which is what it is for",
    audit_head: _ASKS,
    audit_log: "looks back until a page is full, for a person",
    changed_records: "one row, which says how far the feed was read",
    configuration_changes: "parts of the settings are few",
    access_counter: _ASKS,
    backup_report: "reads a backup whole, which is what it is for",
}
# What only one of the systems executes, or the first of all writers.
NOT_EVERYWHERE = {
    *(
        ShipmentStore.lock,
        ShipmentStore._one_claimer,
        repository.lock_owner,
        search_statements.end_statements_after,
    ),
    change_feed._make_row,
}


def module_of(one: type | ModuleType) -> ModuleType:
    """The module of a store, which may be one itself."""
    return one if isinstance(one, ModuleType) else sys.modules[one.__module__]
