"""The ledger's SQL on both databases: histories, and plans beside workers."""

import pytest
from ledger_books import Books, wish
from sqlalchemy import Engine, update

from adapter.database import write_transaction
from adapter.errors import LeaseLost, PlanChanged
from adapter.ledger.entries.comparison import PlannedAction
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.transitions import MAX_HISTORY_CHARS, unpack_transitions
from adapter.ledger.schema.values import DeliveryOutcome, DesiredResource, Lease

NAME = "bv"


@pytest.fixture
def books(engine: Engine) -> Books:
    return Books(engine)


def test_every_transition_is_in_the_history_with_its_moment(books: Books) -> None:
    books.wish(wish("a"))
    planned_at = books.now
    lease = books.claim()
    books.start(lease, wish("a"))
    assert books.column("a", "sent_at") == books.now
    books.settle(lease, DeliveryOutcome("a", EntryEvent.LOSE, reason="timeout"))
    books.settle(lease, DeliveryOutcome("a", EntryEvent.LOSE, reason="timeout"))
    assert books.column("a", "lookups") == 1
    books.settle(lease, DeliveryOutcome("a", EntryEvent.CONFIRM, remote_id="7"))
    books.give_back(lease)
    books.wish()
    assert books.steps("a") == [
        (EntryState.PENDING, None),
        (EntryState.SENDING, None),
        (EntryState.UNKNOWN, "timeout"),
        (EntryState.DELIVERED, None),
        (EntryState.RETRACTING, None),
    ]
    packed = unpack_transitions(str(books.column("a", "history")))
    assert packed[0].at == planned_at
    assert packed[-1].at == books.column("a", "wished_at") == books.now
    assert books.column("a", "lookups") == 0


def test_a_history_is_bounded_and_keeps_the_newest(books: Books) -> None:
    books.wish(wish("a"))
    for number in range(120):
        lease = books.claim()
        books.start(lease, wish("a"))
        books.settle(lease, DeliveryOutcome("a", EntryEvent.RETRY, reason=f"reason-{number}"))
        books.ledger.shipments.finish(lease, books.now, books.now)
    packed = str(books.column("a", "history"))
    assert MAX_HISTORY_CHARS - 40 < len(packed) <= MAX_HISTORY_CHARS
    assert books.steps("a")[-1] == (EntryState.PENDING, "reason-119")


def test_nothing_is_started_under_a_lease_that_is_older_than_the_plan(books: Books) -> None:
    books.wish(wish("a"), wish("b"))
    lease = books.claim()
    books.wish(wish("a", "v2"), wish("b"))
    with pytest.raises(PlanChanged):
        books.start(lease, wish("a"), wish("b"))
    assert {books.entry(key).state for key in "ab"} == {EntryState.PENDING}
    books.give_back(lease)
    lease = books.claim()  # due at once
    books.start(lease, wish("a", "v2"))
    assert books.entry("a").sent_digest == "v2"


def test_what_is_dropped_before_it_was_sent_is_not_sent_by_who_has_read_it(books: Books) -> None:
    books.wish(wish("a"), wish("b"))
    lease = books.claim()
    books.wish(wish("b"))
    with pytest.raises(PlanChanged):
        books.start(lease, wish("a"), wish("b"))
    assert [one.identity for one in books.ledger.entries(NAME, ["c1"])["c1"]] == ["b"]


def test_a_lost_lease_is_told_before_a_changed_plan(books: Books) -> None:
    books.wish(wish("a"))
    lease = books.claim()
    books.ledger.workers.remove(books.ledger.worker_id)
    books.wish(wish("a", "v2"))
    with pytest.raises(LeaseLost):
        books.start(lease, wish("a"))


def test_a_plan_does_not_forget_what_was_sent_since_it_was_compared(books: Books) -> None:
    books.wish(wish("a"), wish("b"))
    without = books.compared(wish("b"))
    assert without[1].action is PlannedAction.DROP
    lease = books.claim()
    books.start(lease, wish("a"), wish("b"))
    books.write(without)
    assert books.entry("a").state is EntryState.RETRACTING
    books.settle(
        lease,
        DeliveryOutcome("a", EntryEvent.CONFIRM, remote_id="7"),
        DeliveryOutcome("b", EntryEvent.CONFIRM),
    )
    assert books.entry("a").state is EntryState.RETRACTING
    assert books.entry("a").remote_id == "7"


def test_a_plan_does_not_write_over_what_was_settled_since_it_was_compared(books: Books) -> None:
    books.wish(wish("a"))
    newer = books.compared(wish("a", "v2"))
    lease = books.claim()
    books.start(lease, wish("a"))
    books.settle(lease, DeliveryOutcome("a", EntryEvent.CONFIRM, remote_id="7", etag='W/"1"'))
    books.give_back(lease)
    books.write(newer)
    entry = books.entry("a")
    assert (entry.state, entry.remote_id, entry.etag) == (EntryState.PENDING, "7", 'W/"1"')
    assert (entry.delivered_digest, entry.desired_digest) == ("v1", "v2")


def test_a_newer_wish_is_sent_after_the_older_was_settled_and_never_before(books: Books) -> None:
    books.wish(wish("a"))
    lease = books.claim()
    books.start(lease, wish("a"))
    books.wish(wish("a", "v2"))
    assert books.ledger.shipments.claim(NAME, books.now, 60) == []
    books.settle(lease, DeliveryOutcome("a", EntryEvent.LOSE, reason="timeout"))
    books.give_back(lease)
    lease = books.claim()
    books.settle(lease, DeliveryOutcome("a", EntryEvent.ABSENT, remote_id="7"))
    assert (books.entry("a").state, books.entry("a").body) == (EntryState.PENDING, b"v2")
    books.start(lease, wish("a", "v2"))
    books.settle(lease, DeliveryOutcome("a", EntryEvent.CONFIRM, remote_id="7"))
    assert books.entry("a").delivered_digest == "v2"
    assert books.entry("a").body is None


def test_a_ledger_of_before_histories_were_kept_goes_on(books: Books) -> None:
    books.wish(wish("a"))
    with write_transaction(books.engine) as connection:
        connection.execute(update(tables.entry).values(history=None, wished_at=None))
    lease = books.claim()
    books.start(lease, wish("a"))
    assert books.steps("a") == [(EntryState.SENDING, None)]


def under_way(books: Books, *wanted: DesiredResource) -> Lease:
    books.wish(*wanted)
    lease = books.claim()
    books.start(lease, wanted[0])
    return lease


A, B = wish("a"), wish("b")
ANSWERED = [DeliveryOutcome("a", EntryEvent.CONFIRM, remote_id="7")]


def test_what_was_answered_is_written_as_the_next_is_sent(books: Books) -> None:
    lease = under_way(books, A, B)
    books.ledger.start(lease, {"b": "v1"}, books.now, 60, ANSWERED)
    assert (books.entry("a").state, books.entry("a").remote_id) == (EntryState.DELIVERED, "7")
    assert books.entry("b").state is EntryState.SENDING


def test_what_was_answered_is_written_even_where_nothing_more_may_be_sent(books: Books) -> None:
    lease = under_way(books, A, B)
    books.wish(A, wish("b", "v2"))
    with pytest.raises(PlanChanged):
        books.ledger.start(lease, {"b": "v1"}, books.now, 60, ANSWERED)
    assert books.entry("a").state is EntryState.DELIVERED
    assert books.entry("b").state is EntryState.PENDING


def test_the_end_of_a_shipment_writes_what_was_answered_last(books: Books) -> None:
    lease = under_way(books, A)
    assert books.ledger.finish(lease, ANSWERED, None, books.now) is None
    assert books.entry("a").state is EntryState.DELIVERED
    assert books.ledger.shipments.next_due("bv") is None
    assert books.ledger.shipments.count_in_flight("bv") == 0


def test_a_newer_plan_makes_a_shipment_due_and_takes_nothing_from_what_was_answered(books: Books) -> None:
    lease = under_way(books, A)
    books.wish(wish("a", "v2"))
    books.ledger.finish(lease, ANSWERED, None, books.now)
    assert (books.entry("a").state, books.entry("a").body) == (EntryState.PENDING, b"v2")
    assert (books.entry("a").delivered_digest, books.entry("a").remote_id) == ("v1", "7")
    assert books.claim().cadre == "c1"


def test_nothing_that_was_answered_is_written_once_the_lease_is_lost(books: Books) -> None:
    lease = under_way(books, A, B)
    books.ledger.shipments.give_back(lease)
    taken = books.claim()
    with pytest.raises(LeaseLost):
        books.ledger.start(lease, {"b": "v1"}, books.now, 60, ANSWERED)
    with pytest.raises(LeaseLost):
        books.ledger.finish(lease, ANSWERED, None, books.now)
    assert [books.entry(key).state for key in ("a", "b")] == [EntryState.SENDING, EntryState.PENDING]
    books.ledger.finish(lease, [], None, books.now)  # of no consequence
    books.ledger.start(taken, {}, books.now, 60)  # it is the other's as before
