"""Nothing grows without bound: a year of changes, refusals, retractions and alarms."""

from datetime import timedelta

import pytest
from ledger_books import Books, wish
from sqlalchemy import Engine, func, insert, select

from adapter.database import open_database, read_transaction, write_transaction
from adapter.ledger.history.retention import purge_expired
from adapter.ledger.monitoring.alarms import AlarmStore, compare_alarms
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.transitions import MAX_HISTORY_CHARS
from adapter.ledger.schema.values import DeliveryOutcome

DAY = timedelta(days=1)
RECEIPTS = 90 * DAY


@pytest.fixture
def books(engine: Engine) -> Books:
    return Books(engine)


def sizes(books: Books) -> dict[str, int]:
    """Rows of each table of the ledger, and the bytes of what its lines hold."""
    listed = (tables.entry, tables.shipment, tables.receipt, tables.alarm)
    history, body = tables.entry.c.history, tables.entry.c.body
    counts = [select(func.count()).select_from(one).scalar_subquery() for one in listed]
    lengths = [func.sum(func.length(history)), func.count(body), func.max(func.length(history))]
    with read_transaction(books.engine) as connection:
        rows = connection.execute(select(*counts)).one()
        histories, bodies, longest = connection.execute(select(*lengths)).one()
    found = {one.name: int(count) for one, count in zip(listed, rows, strict=True)}
    return {**found, "histories": int(histories), "bodies": bodies, "longest": longest}


def a_day(books: Books, number: int) -> None:
    """One record is corrected, one is new and one of earlier is withdrawn; the hospital hesitates first."""
    books.now += DAY
    changing, coming = wish("changing", f"v{number}"), wish(f"new-{number}")
    books.wish(wish("still"), changing, coming)  # yesterday's new one is no longer wished for
    lease = books.claim()
    pending = [
        one
        for one in (wish("still"), changing, coming)
        if books.entry(one.identity).state is EntryState.PENDING
    ]
    books.start(lease, *pending)
    books.settle(lease, *(DeliveryOutcome(one.identity, EntryEvent.RETRY, reason="busy") for one in pending))
    books.start(lease, *pending)
    leaving = [one for one in books.ledger.entries("bv", ["c1"])["c1"] if one.state is EntryState.RETRACTING]
    books.settle(
        lease,
        *(DeliveryOutcome(one.identity, EntryEvent.CONFIRM, remote_id="7") for one in pending),
        *(DeliveryOutcome(one.identity, EntryEvent.GONE) for one in leaving),
    )
    books.give_back(lease)
    alarms = AlarmStore(books.engine)
    before = alarms.all()
    troubles = {("bv", f"parked-{number % 7}"): (books.now, number)}
    alarms.put(compare_alarms(before, troubles, books.now, DAY).after_sending(books.now), before)
    purge_expired(books.engine, "bv", books.now - RECEIPTS)


def test_a_year_of_changes_leaves_no_more_than_a_season_of_them(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    books = Books(engine)
    for number in range(150):
        a_day(books, number)
    season = sizes(books)
    for number in range(150, 365):
        a_day(books, number)
    year = sizes(books)
    assert year["ledger_entry"] == season["ledger_entry"] <= 2 + 92
    assert year["ledger_shipment"] == 1
    assert year["ledger_receipt"] <= season["ledger_receipt"] + 1
    assert year["alarm"] == 1
    assert year["bodies"] == 0  # all was delivered
    assert season["longest"] <= year["longest"] <= MAX_HISTORY_CHARS
    assert year["histories"] < season["histories"] + MAX_HISTORY_CHARS
    assert books.entry("changing").delivered_digest == "v364"
    engine.dispose()


def test_what_was_retracted_is_forgotten_with_its_receipts_and_nothing_else_is(books: Books) -> None:
    books.wish(wish("a"))
    books.wish(wish("b"), cadre="c2")
    books.send(wish("a"))
    books.send(wish("b"))
    books.wish(cadre="c1")
    lease = books.claim()
    books.settle(lease, DeliveryOutcome("a", EntryEvent.GONE))
    books.give_back(lease)
    gone = {"hospital": "bv", "identity": "x", "type": "T", "kind": "k", "key": "x", "how": "deleted"}
    with write_transaction(books.engine) as connection:
        connection.execute(insert(tables.receipt).values(**gone, proved_at=books.now))
    assert purge_expired(books.engine, "bv", books.now - DAY) == 0
    assert purge_expired(books.engine, "elsewhere", books.now + DAY) == 0
    before = sizes(books)
    assert purge_expired(books.engine, "bv", books.now + DAY) >= 2
    after = sizes(books)
    assert (before["ledger_entry"], after["ledger_entry"]) == (2, 1)
    assert (after["ledger_shipment"], after["ledger_receipt"]) == (1, 0)
    books.wish(wish("a"))
    assert books.entry("a").state is EntryState.PENDING  # as if it had never been
