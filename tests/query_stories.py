"""Every method of the stores, at work on a database that is full (`filled`): what is issued is watched."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from checkup_forms import document
from filled import BV, CHANGES, NOW, PEOPLE, cadre, identity, loser, survivor
from inbox_centre import receive_version
from ledger_books import wish
from sqlalchemy import Engine

from adapter import audit, awaited, withheld
from adapter.database import read_transaction, write_transaction
from adapter.errors import PlanChanged
from adapter.fhir import codec
from adapter.fhir.operation_outcome import Issue
from adapter.inbox import erasure as inbox_erase
from adapter.inbox import rulings
from adapter.inbox.acknowledgements.store import AcknowledgedMessage, AcknowledgementStore
from adapter.inbox.latest import latest_items
from adapter.inbox.polling.store import PollStore
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.inbox.quarantine.store import QuarantineLimits, QuarantineStore
from adapter.inbox.queue import InboxQueue
from adapter.inbox.store import InboxStore
from adapter.ledger import named_lines, reassignment
from adapter.ledger.disclosures import DisclosureStore, PersonDisclosure
from adapter.ledger.entries.comparison import PlannedChange, compare
from adapter.ledger.history.record_history import RecordHistoryStore
from adapter.ledger.history.retention import purge_expired
from adapter.ledger.monitoring.overdue import OverdueStore
from adapter.ledger.parking import REASON_TOO_OLD, ParkedSelection, ParkedStore
from adapter.ledger.repairs import Repair, RepairStore
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.values import DeliveryOutcome, Lease, LedgerEntry
from adapter.ledger.store import LedgerStore
from adapter.records import change_feed, lookups, result_views
from adapter.records.hidden_words import HiddenWords
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.merges import Merge, MergeStore
from adapter.records.model import Result
from adapter.records.referral_answers import no_statements
from adapter.records.sources.checkup.tabs import form_tabs
from adapter.records.sources.sql import source_cursor as cursors
from adapter.records.stated_content import Decision, StatedContent, Urgency
from adapter.records.store import RecordStore
from adapter.referrals.lifecycle import ReferralEvent
from adapter.referrals.sayings import ReferralSaying
from adapter.repository import erasure as repository_erase
from adapter.repository import history_statements, search_statements, sender_versions
from adapter.repository import store as repository
from adapter.repository.history_request import HistoryPlace, HistoryRequest
from adapter.repository.request_limits import DEFAULT_LIMITS, RequestBudget
from adapter.repository.search_extraction import IndexRow, RangeRow
from adapter.repository.search_matches import TokenCriterion
from adapter.repository.search_query import parse_search
from adapter.subscriptions.changes import ReferralChange, forget_hospital, forget_resources, note_changes
from adapter.subscriptions.retry import after_failure
from adapter.subscriptions.store import SubscriptionStore

__all__ = ["STORIES"]

LONG_AGO = NOW - timedelta(days=100)
SECONDS = 60.0


class Ledger:
    """A ledger whose clock is set by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ticks = 0.0
        self.store = LedgerStore(engine, clock=lambda: self.ticks)

    def of(self, number: int) -> list[LedgerEntry]:
        return self.store.entries(BV, [cadre(number)])[cadre(number)]

    def plan(self, changes: dict[str, list[PlannedChange]]) -> None:
        with write_transaction(self.engine) as connection:
            marks = {"mapping_version": "m2", "version": "v2", "position": 1}
            self.store.plan(connection, BV, changes, **marks, now=NOW)

    def lease(self, number: int) -> Lease:
        lease = self.store.shipments.claim_one(BV, cadre(number), NOW, SECONDS)
        assert lease is not None
        return lease


def planning(engine: Engine) -> None:
    """New, changed, withdrawn, dropped and moved lines."""
    ledger = Ledger(engine)
    ledger.store.entries(BV, [cadre(number) for number in range(20, 25)])
    ledger.store.entries_of_records(BV, [("referral", f"{cadre(20)}.r0"), ("unknown", "")])
    [person, *_] = mine = ledger.of(20)
    ledger.plan({cadre(20): compare(mine, [wish("new"), wish(person.identity, "v2", type_="Patient")])})
    ledger.plan({cadre(20): compare(ledger.of(20), [wish(person.identity, "v2", type_="Patient")])})
    others = [one for one in ledger.of(21) if one.state is EntryState.DELIVERED][:1]
    ledger.plan({cadre(20): compare(others, [wish(others[0].identity, "v2")])})
    ledger.store.cadres_to_replan(BV)


def disclosing(engine: Engine) -> None:
    """What is known of people at a hospital, what waits, and updates that are stopped."""
    ledger, store = Ledger(engine), DisclosureStore(engine)
    assert store.people(BV, [cadre(20), cadre(21)])
    assert store.aside(BV)
    assert store.weight(BV)
    due = [one for n in range(PEOPLE) for one in ledger.of(n) if one.state is EntryState.PENDING][:2]
    with write_transaction(engine) as connection:
        store.write(connection, BV, {cadre(22): PersonDisclosure(3, newly=1), cadre(23): None})
        store.stop_updates(connection, BV, due, NOW)


def sending(engine: Engine) -> None:
    """Shipments claimed, begun, settled and given back, by workers that live and that stop."""
    ledger = Ledger(engine)
    shipments, store = ledger.store.shipments, ledger.store
    [lease] = shipments.claim(BV, NOW, SECONDS)
    next_lease = store.finish(lease, (), None, NOW, next_lease_seconds=SECONDS)
    assert next_lease is not None
    shipments.finish(next_lease, NOW, NOW)
    assert shipments.claim_one(BV, "nobody-yet", NOW, SECONDS)
    lease = ledger.lease(31)
    delivered = [one.identity for one in ledger.of(31) if one.state is EntryState.DELIVERED]
    lease = store.start(lease, {delivered[0]: "d"}, NOW, SECONDS)
    store.settle(lease, [DeliveryOutcome(delivered[0], EntryEvent.CONFIRM, remote_id="another")], NOW)
    going = _some(store, EntryState.RETRACTING)
    store.settle(lease, [DeliveryOutcome(going.identity, EntryEvent.GONE, proof="deleted")], NOW)
    ledger.plan({cadre(31): compare((), [wish("newer")])})
    with pytest.raises(PlanChanged):
        store.start(lease, {delivered[0]: "d"}, NOW, SECONDS)
    store.finish(lease, [DeliveryOutcome(delivered[0], EntryEvent.CONFIRM)], None, NOW)
    shipments.give_back(ledger.lease(32))
    ledger.lease(33)
    shipments.reclaim_expired({BV: SECONDS})
    ledger.ticks += SECONDS
    shipments.reclaim_expired({BV: SECONDS})
    store.workers.remove("worker207")


def _some(store: LedgerStore, state: EntryState) -> LedgerEntry:
    """Any line in that state."""
    people = [cadre(number) for number in range(200, 240)]
    return next(one for listed in store.entries(BV, people).values() for one in listed if one.state is state)


def queueing(engine: Engine) -> None:
    """What is due, and who has what under way."""
    shipments = LedgerStore(engine).shipments
    shipments.hospitals_due([BV, "bv-2"], NOW)
    shipments.next_due(BV)
    shipments.count_in_flight(BV)
    with write_transaction(engine) as connection:
        some = [cadre(41), cadre(42), "fresh"]
        shipments.lock(connection, BV, some)
        shipments.in_flight_cadres(connection, BV, some)
        shipments.mark_due(connection, BV, some, NOW)


def looking(engine: Engine) -> None:
    """The ledger as commands and the way back ask it."""
    store, past = LedgerStore(engine), RecordHistoryStore(engine)
    store.sample(BV, 50)
    store.entries_of_record("visit", f"{cadre(50)}.v")
    store.hospitals_of([cadre(50), cadre(51)])
    assert store.by_identity(BV, "Encounter", identity(BV, "visit", f"{cadre(50)}.v"))
    assert store.by_remote_id(BV, "Patient", "r400")
    with read_transaction(engine) as connection:
        named = identity(BV, "visit", f"{cadre(50)}.v")
        assert named_lines.lines_by_identity(connection, [BV, "bv-2"], ["Encounter"], [named])
        assert named_lines.lines_by_remote_id(connection, BV, ["Patient"], ["r400"])
        assert named_lines.held_etags(connection, BV, "Patient", "no-such-id") == []
        assert named_lines.held_records(connection, BV, "Patient", "cadre", [cadre(50)])
        assert named_lines.wished_lines(connection, BV, "ServiceRequest")
        assert named_lines.lines_of_person(connection, [BV, "bv-2"], [cadre(50)])
    assert list(store.parked(BV))
    assert store.count_stuck_retractions(BV)
    assert store.counts(BV)
    assert store.servers.newest_delivered(BV, 3)
    assert past.transitions("visit", f"{cadre(50)}.v")
    assert past.receipts("measurement", "gone7")
    waiting = OverdueStore(engine)
    assert waiting.has_entries(BV)
    waiting.unknown(BV, NOW)
    waiting.retracting(BV, NOW)
    waiting.nameless_retractions(BV)
    waiting.undelivered_referrals([BV], NOW)
    assert (there := waiting.delivered_referrals(BV))
    assert waiting.delivered_among([*there][:3])
    waiting.unclaimed_shipments([BV, "bv-2"], NOW, NOW)
    assert waiting.unconfigured_hospitals([BV])
    waiting.silent_workers(NOW)


def mending(engine: Engine) -> None:
    """What a person and reading back correct, what passes to somebody else, what is forgotten."""
    ledger = Ledger(engine)
    repairs, parked = RepairStore(engine), ParkedStore(engine)
    lease, other = ledger.lease(60), ledger.lease(61)
    held = next(one for one in ledger.of(60) if one.state is EntryState.DELIVERED)
    assert repairs.write(lease, [Repair(held, holds=False, desired=wish(held.identity))], NOW)
    assert repairs.retract_unknown(BV, [("Observation", "strange", "r-strange", 3)], cadre(60), NOW)
    with write_transaction(engine) as connection:
        assert reassignment.reassign_records(connection, lease, other, [("visit", f"{cadre(60)}.v")], NOW)
    choice = ParkedSelection(BV, reason="refused")
    assert parked.groups([choice, ParkedSelection(BV, key=f"{cadre(70)}.v")])
    assert parked.count_too_old(choice, LONG_AGO)
    assert parked.cadres(choice)
    with write_transaction(engine) as connection:
        assert all(parked.release(connection, choice, LONG_AGO, NOW))
        parked.release(connection, ParkedSelection(BV, reason=REASON_TOO_OLD), LONG_AGO, NOW)
    assert parked.park_outdated(BV, LONG_AGO, NOW)
    assert purge_expired(engine, BV, LONG_AGO)
    ledger.store.servers.accept(BV, "https://bv.example/fhir", None, by="test", now=NOW)


def recording(engine: Engine) -> None:
    """Records looked up, followed and written by the inbox."""
    store = RecordStore(engine)
    some = [cadre(number) for number in range(20, 26)]
    assert store.get("visit", f"{cadre(20)}.v")
    assert store.stored_record("visit", f"{cadre(20)}.v")
    assert store.find(f"{cadre(20)}.v")
    assert store.of_cadre(cadre(20))
    assert store.of_cadres(some)
    assert store.of_cadres(some, ("cadre", "result"))
    assert not list(store.stored_of_kind("result"))
    assert store.stored_of_cadres(some[:2])
    assert store.changed_cadres(CHANGES - 40, 20)
    assert store.changed_records(("cadre", "referral"), CHANGES - 400, 20)
    store.reassigned_to(some)
    assert store.imported_among([cadre(20), cadre(21)])
    store.reassigned_among([("visit", f"{cadre(20)}.v"), ("referral", f"{cadre(20)}.r0")])
    assert store.keys_recorded_under(cadre(20))
    assert store.newest_position()
    assert not list(store.iterate("result"))  # of a whole page it asks who each was merged into
    assert store.counts()
    assert store.cadres_by_identifier(f"{20:012}")
    with read_transaction(engine) as connection:
        lookups.cadres_by_names(connection, [("Nguyễn Văn An", "1955-03-14")])
        assert lookups.cadres_by_identifiers(connection, [f"{20:012}"])
        assert lookups.live_records(connection, "cadre", [cadre(1)])
        assert change_feed.records_state(connection).position
        lookups.survivors_of(connection, [cadre(1)])
    assert store.names_by_identifier(f"{20:012}")
    result = Result(
        key=f"{cadre(20)}.result",
        cadre=cadre(20),
        hospital=BV,
        type="DiagnosticReport",
        status="final",
        resource="{}",
    )
    assert store.save_result(result)
    assert store.save_result(result.model_copy(update={"status": "entered-in-error"}))
    assert store.advance(f"{cadre(21)}.r0", ReferralSaying((ReferralEvent.ACCEPT,)), None, NOW)
    with write_transaction(engine) as connection:
        assert store.lives(cadre(20), connection=connection)
        assert store.take_back(result.key, connection=connection)
        store.answer_again(cadre(21), f"{cadre(21)}.r0", connection=connection, statements=no_statements)


def seeing(engine: Engine) -> None:
    """Results that doctors see, take back, and have something follow."""
    one = Result(
        key="result7",
        cadre=cadre(7),
        hospital=BV,
        type="Observation",
        status="final",
        value="1",
        resource="{}",
    )
    with write_transaction(engine) as connection:
        result_views.note_stated(connection, one, NOW)
        result_views.note_stated(connection, one.model_copy(update={"key": "fresh", "value": "2"}), NOW)
        assert result_views.attention_of(connection, ["result7", "result8"])
        assert result_views.unseen(connection, Urgency.ABNORMAL, most=5, before=NOW)
        assert result_views.unseen(connection, Urgency.CRITICAL, most=5)
        decision = Decision.RECALL
        result_views.put_view(connection, "fresh", StatedContent(), decision, None, now=NOW, by="test")
        view = result_views.views_of(connection, ["fresh"])[0]
        assert result_views.open_tasks(connection, 10)
        result_views.close_task(connection, view.id, now=NOW, by="test", reason="done")
        result_views.reopen_task(connection, view.id)
        result_views.withdraw_view(connection, view, now=NOW, by="test")
        result_views.forget_result(connection, "fresh")
        result_views.erase_views(connection, cadre(9))
        result_views.forget_telling(connection, HiddenWords())


def merging(engine: Engine) -> None:
    """Who turned out to be whom."""
    merges = MergeStore(engine)
    some = [survivor(number) for number in range(6)]
    assert merges.list()
    assert merges.survivor(loser(3)) == survivor(3)
    merges.without_survivor()
    assert merges.losers_of(some)
    with write_transaction(engine) as connection:
        assert merges.recorded_names(connection, some)
        assert len(merges.same_people(connection, some)) > len(some)
        merges.add(connection, Merge(cadre(37), cadre(38), NOW, "test"))
        assert merges.undo(connection, cadre(37)) == cadre(38)
    assert merges.survivors([loser(3), loser(4)])


def importing(engine: Engine) -> None:
    """What an import asks and writes, and whose a check-up form is."""
    store = RecordStore(engine)
    visit = store.get("visit", f"{cadre(80)}.v")
    person = store.get("cadre", cadre(81))
    referral = store.get("referral", f"{cadre(82)}.r1")
    assert visit
    assert person
    assert referral
    with write_transaction(engine) as connection:
        changes = ImportWriter(connection, NOW)
        changes.mark_seen("visit", "s", [(f"{cadre(number)}.v", number) for number in range(90)])
        changes.seen_rows("visit", [visit.key])
        changes.mark_rejected("visit", [visit.key])
        assert changes.rejected_keys("visit", [visit.key])
        assert changes.stored.live_owners("visit", [visit.key])
        [stored] = changes.stored.rows("referral", [referral.key]).values()
        assert stored.key == referral.key
        assert changes.stored.visit_years([visit.key])
        assert changes.stored.live_bodies("visit", [visit.key])
        assert [one.key for one in changes.stored.visits_of_people([cadre(80)])] == [visit.key]
        changes.stored.survivors()
        assert changes.stored.count("visit")
        assert next(changes.stored.unseen_keys("visit", "year.xlsx"))
        new = person.model_copy(update={"key": "new-person", "national_id": "024055000111"})
        changes.upsert([(person.model_copy(update={"name": "M"}), 7), (new, 8)], "new.xlsx", "s", NOW)
        changes.upsert([(visit, 7)], "new.xlsx", "s", NOW)
        changes.upsert([(referral.model_copy(update={"reason": "R"}), 7)], "new.xlsx", "s", NOW)
        changes.tombstone("visit", [visit.key])
        changes.tombstone("cadre", [cadre(83)])
        changes.stored.same_people([cadre(84)])
        assert changes.scrub(cadre(84), HiddenWords()).was_known
        assert changes.stored.sharing([f"{85:012}"])
        changes.close()
        cursors.load_cursors(connection)
        cursors.load_cursors(connection, "his")
        cursors.save_cursor(connection, cursors.SourceCursor("his", "visit", "v", "p", None, NOW, 1, True))
        cursors.people_digest(connection)


def asking_whose_a_form_is(engine: Engine) -> None:
    """The look-up of a person by all that a check-up form names."""
    person = f"<HANH_CHINH><MA_CAN_BO>{cadre(90)}</MA_CAN_BO><SO_CCCD>{90:012}</SO_CCCD></HANH_CHINH>"
    with TemporaryDirectory() as folder, read_transaction(engine) as connection:
        file = Path(folder) / "a.xml"
        file.write_bytes(document(f"<HO_SO_KSK>{person}</HO_SO_KSK>"))
        [tab, *_] = form_tabs([file], None)
        assert tab.origin is not None
        tab.origin.begin(connection, NOW)
        [_, (_, cells)] = tab.rows()
        assert cells[0] == cadre(90)


def receiving(engine: Engine) -> None:
    """What hospitals send, and what becomes of it."""
    inbox = InboxStore(engine)

    def accept(id_: str, **said: object) -> int:
        resource = {"resourceType": "DiagnosticReport", "status": "final", **said}
        with write_transaction(engine) as connection:
            return receive_version(
                connection,
                hospital=BV,
                type="DiagnosticReport",
                id=id_,
                version=1,
                resource=resource,
                body=codec.dumps(resource),
                now=NOW,
            ).item

    number = accept("a1", identifier=[{"system": "urn:x", "value": "a1"}])
    assert accept("a2", conclusion="c") == accept("a3", conclusion="c")  # said anew without an identity
    other = accept("a4", identifier=[{"system": "urn:x", "value": "a4"}])
    item, plain, numbered = inbox.get(number), inbox.get(number + 1), inbox.get(other)
    assert numbered
    assert item
    assert plain
    assert next(inbox.items(hospital=BV))
    with read_transaction(engine) as connection:
        newest = latest_items(connection, "unmatched", 2)
        assert [one.id for one in newest] == sorted((one.id for one in newest), reverse=True)
        latest_items(connection, "unmatched", 2, before=newest[0].id)
    taken = inbox.of_cadre(cadre(0))[0]
    assert inbox.counts()
    assert inbox.counts(BV)
    inbox.unmatched_backlog(NOW)
    inbox.unseen()
    assert inbox.of_lineage(item.lineage)
    assert inbox.is_first(item)
    assert inbox.linked_version(item) is None
    assert inbox.others_of(item, cadre(0))
    listed = {"resourceType": "DiagnosticReport", "result": [{"reference": "Observation/o1"}]}
    with write_transaction(engine) as connection:
        assert inbox.belong_to(connection, [taken.id], cadre(0))
        list(inbox.order_statements(connection, [cadre(0), cadre(1)]))
        receive_version(
            connection,
            hospital=BV,
            type="DiagnosticReport",
            id="lists",
            version=1,
            resource=listed,
            body=codec.dumps(listed),
            now=NOW,
            delivery="d",
        )
    assert inbox.listed_by(BV, "Observation/o1")
    assert inbox.lists_of(replace(item, type="Observation", resource_id="o1"))
    assert not inbox.was_somebody_else(BV, "Patient/p1")
    assert inbox.newest_version(BV, "DiagnosticReport/i0")
    assert inbox.newest_items_named(BV, ["DiagnosticReport/i0"])
    assert inbox.newest_versions(BV, ["DiagnosticReport/i0", "DiagnosticReport/none"], 1000)[0]
    shared = [{"system": "urn:x", "value": "a1"}]
    accept("a1", identifier=shared, conclusion="a later version")
    accept("a5", identifier=shared, conclusion="one under another URL")
    accept("a6", status="corrected", conclusion="of what is not known")
    with write_transaction(engine) as connection:
        assert inbox.versions(connection, item)
        assert inbox.versions(connection, plain)
        assert inbox.lineage_versions(connection, plain.lineage)
        inbox.join_lineage(connection, numbered, item.lineage)
        assert not inbox.mark_seen(number, by="test", connection=connection)
        inbox.reassign(connection, [number], cadre(5))
        inbox.settle(number, "applied", now=NOW, cadre=cadre(5), awaits=["a"], connection=connection)
    with write_transaction(engine) as connection:
        assert inbox_erase.erase_cadre(connection, cadre(6))
        assert rulings.ruled_cadres(connection, "bv-2", [f"{one:032}" for one in (10, 11)])
        assert rulings.all_rulings(connection)
        said = {"is_never": False, "item": 5, "now": NOW, "by": "test"}
        rulings.put_rulings(connection, "bv-2", ["a", "b"], cadre(3), **said)
        assert rulings.remove_rulings(connection, "bv-2", ["a"], cadre(3), is_never=False) == 1
        assert rulings.remove_ruling(connection, 20)
        rulings.erase_rulings(connection, cadre=cadre(30), items=[31])


def taking_turns(engine: Engine) -> None:
    """Which items are looked at next."""
    queue = InboxQueue(engine)
    assert queue.hospitals(NOW) == ["bv-1", "bv-2", "bv-3"]
    [item] = queue.due(BV, NOW, 1)
    queue.record_failure(item, NOW)
    queue.wake_awaiting(NOW, 20)
    with write_transaction(engine) as connection:
        queue.wake_all(connection, NOW, "bv-2")
        queue.wake_all(connection, NOW)
        assert awaited.is_anything_awaited(connection)
        assert awaited.has_arrivals(connection)
        names = [awaited.sent_name(BV, "Patient/p1"), awaited.line_name(BV, "7"), awaited.number_name("1")]
        names += [awaited.identity_name("i"), awaited.person_name("n"), awaited.record_name("cadre", "c")]
        awaited.await_names(connection, item.id, names)
        awaited.note_arrivals(connection, names)
        assert awaited.take_arrivals(connection, 20)
        awaited.forget_awaited(connection, [item.id])


def keeping(engine: Engine) -> None:
    """The endpoint's resources: written, found, and taken away."""
    kind, key = "Observation", ("Observation", "o0000")
    token, subject = ("identifier", "urn:x|v3"), ("subject", "Patient/p3")
    searches = [
        [token],
        [subject],
        [token, subject],
        [("_id", "o0003,o0006")],
        [("_lastUpdated", "ge2026-11-22")],
        [subject, ("_sort", "-_lastUpdated")],
        [subject, ("_sort", "-date"), ("code", "http://loinc.org|c3")],
        [subject, ("date", "ge2026-11-22"), ("code:not", "c3")],
        [("value-quantity", "5.4|http://unitsofmeasure.org|mmol/L")],
        [("component-code-value-quantity", "8480-6$140")],
        [("derived-from:Observation.code", "c3")],
    ]
    with write_transaction(engine) as connection:
        repository.lock_owner(connection, BV)
        assert repository.current_versions(connection, BV, [key])
        assert repository.current_with_bodies(connection, BV, [key])
        assert repository.body_lengths(connection, BV, [key])
        assert repository.ids_by_identifier(connection, BV, [(kind, TokenCriterion("urn:x", "v3"))])
        assert repository.ids_by_content(connection, BV, [(kind, "content3")])
        assert repository.select_version(connection, BV, *key, 1)
        assert repository.select_history(
            connection, BV, *key, limit=10, before=None, since=0, most_bytes=9**9
        )
        assert history_statements.owned_types(connection, BV) == [kind]
        for after in (None, HistoryPlace(900, kind, "o0900", 1), HistoryPlace(900, "Patient", "p", 1)):
            history = HistoryRequest(kind, count=10, after=after)
            rows, last = history_statements.select_versions(connection, BV, [kind], history, 9**9)
            assert (len(rows), last is None) == (10, False)
        with search_statements.limited_time(connection, RequestBudget(DEFAULT_LIMITS)):
            assert search_statements.count_matches(connection, BV, parse_search(kind, searches[0])) >= 0
        assert sender_versions.sender_versions(connection, BV, [key]) == {}
        assert sender_versions.written_here(connection, BV, {key: 10**6}) == {}
        for search in searches:
            query = parse_search(kind, search)
            search_statements.matching_ids(connection, BV, query, 2)
            search_statements.count_matches(connection, BV, query)
            search_statements.select_page(connection, BV, query, 9**9)
        search_statements.select_page(
            connection, BV, replace(parse_search(kind, [subject]), after=("o0003",)), 9**9
        )
        included = parse_search(
            kind, [("_include", "Observation:subject"), ("_revinclude", "Observation:subject")]
        ).includes
        search_statements.ids_referred_to(connection, BV, included[0], ["o0003"])
        search_statements.ids_that_refer(connection, BV, included[1], ["Patient/p3"], limit=10)
        referring = replace(included[1], target="Patient/p3")
        for since in (0, 900):
            search_statements.ids_behind(connection, BV, referring, since=since, behind="o", limit=10)
        repository.insert_versions(
            connection, BV, [_written("o0000", 3), _written("new", 1), _written("o0003", 3, gone=True)]
        )
        assert repository.count_by_type(connection, BV)
        repository_erase.erase_resource(connection, BV, *key)


def _written(id_: str, version: int, *, gone: bool = False) -> repository.NewVersion:
    row = repository.VersionRow("Observation", id_, version, gone, 1, "new content", b"{}")
    index = [
        IndexRow("identifier", "urn:x", f"new {id_}"),
        IndexRow(repository.CONTENT_INDEX, "", "new content"),
        RangeRow("effective", 1.0, 2.0),
    ]
    return repository.NewVersion(row, [] if gone else index, version - 1)


def telling(engine: Engine) -> None:
    """The audit, and what is kept back."""
    with write_transaction(engine) as connection:
        audit.append(connection, at=NOW, actor="test", action="test.done")
        withheld.set_withheld(connection, BV, {"s1": {("measurement", "tier"): 5}, "s2": {}}, NOW)
    audit.chain_head(engine)
    assert audit.hash_at(engine, audit.newest(engine).seq)
    audit.verify_chain(engine)
    assert withheld.withheld_of_subject(engine, BV, "s1")
    assert withheld.withheld_of_person(engine, [BV, "bv-2"], "s1")
    assert withheld.withheld_counts(engine, BV)


def acknowledging(engine: Engine) -> None:
    """HL7 v2 messages that are taken in."""
    store = AcknowledgementStore(engine)
    taken = AcknowledgedMessage(BV, "new", "d", "a", NOW)
    with write_transaction(engine) as connection:
        store.add(connection, taken)
        assert store.find(connection, BV, "new") == taken
    assert store.forget(NOW - timedelta(minutes=1990)) == 9


def polling(engine: Engine) -> None:
    """What is read at servers that cannot send."""
    store = PollStore(engine)
    store.note_failed(BV, "Observation", "timeout", NOW)
    store.note_done(BV, "Observation", NOW, NOW)
    assert store.of_hospital(BV)["Observation"].watermark == NOW
    assert store.known_versions(BV, "Observation", ["no-such-id"]) == frozenset()


def quarantining(engine: Engine) -> None:
    """What the endpoint refuses."""
    store, limits = QuarantineStore(engine), QuarantineLimits(2_001_000, 660_000)
    refused = RefusedRequest(BV, "POST", "Observation", b"{", 400, (Issue("error", "value", "x"),))
    with write_transaction(engine) as connection:
        for _ in range(2):
            assert store.keep(connection, refused, limits, NOW + timedelta(minutes=1))
    newest = store.waiting(1)[0]
    assert store.get(newest.id)
    with write_transaction(engine) as connection:
        store.diagnose(connection, newest.id, refused)
        assert store.remove(connection, [newest.id]) == 1
    assert store.forget(NOW - timedelta(minutes=1990))


def subscribing(engine: Engine) -> None:
    """What hospitals subscribed to, and are told."""
    store = SubscriptionStore(engine)
    [one] = store.of_hospital(BV)
    assert store.with_waiting(BV) == [(one, 10)]
    numbered = store.number_events(one.id)
    assert numbered is not None
    assert numbered.numbered == 2000
    assert len(store.changes(one.id, 1991, 2000, 50)) == 10
    assert store.failed(numbered, after_failure("active", 0, None, NOW, jitter=0), "refused", NOW)
    assert store.taken(numbered, 2000, NOW)
    assert store.lines_of(one.id, numbered.version) == []
    assert store.one(one.id)
    assert store.in_error() == {}
    assert store.purge(NOW - timedelta(minutes=1990)) > 0
    changed = ReferralChange("ServiceRequest", "r1", "update")
    with write_transaction(engine) as connection:
        note_changes(connection, BV, [changed], NOW)
        assert store.locked(connection, BV, one.id)
        assert store.header_lines(connection, one.id) == []
        store.replace(connection, replace(numbered, version=2, status="requested"), [])
        assert list(store.all_bodies(connection))
        store.put_body(connection, one.id, one.body)
        forget_resources(connection, BV, [("ServiceRequest", "r1")])
        forget_hospital(connection, "bv-3")
        store.add(connection, replace(one, id="new"), ["A: b"])
        store.remove(connection, "new")
    [again] = store.of_hospital(BV)
    assert store.number_events(again.id)
    assert store.turn_off(again, "ended", NOW)


STORIES: tuple[Callable[[Engine], None], ...] = (
    *(planning, disclosing, sending, queueing, looking, mending),
    *(
        recording,
        seeing,
        merging,
        importing,
        asking_whose_a_form_is,
        receiving,
        taking_turns,
        keeping,
        telling,
    ),
    *(acknowledging, polling, quarantining, subscribing),
)
