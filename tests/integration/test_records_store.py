"""The store of records: look-ups, the feed, and what the inbox writes."""

import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.database import write_transaction
from adapter.records.merges import Merge
from adapter.records.model import KINDS, Cadre, Fulfilment, Referral, Result
from adapter.records.store import RecordStore
from adapter.referrals.lifecycle import ReferralEvent
from adapter.referrals.sayings import ReferralSaying

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SMALL = Path(__file__).parents[2] / "fixtures" / "sample" / "small.xlsx"
HOSPITALS = frozenset({"bv-tinh", "bv-trung-uong"})


@pytest.fixture
def store(sample_engine: Engine) -> RecordStore:
    return RecordStore(sample_engine)


def result(key: str = "R1", **more: object) -> Result:
    fields = {"cadre": "CB-0005", "hospital": "bv-tinh", "type": "DiagnosticReport", "status": "final"}
    return Result(key=key, resource="{}", **fields | more)


def test_records_come_back_typed_and_in_order(store: RecordStore) -> None:
    found = store.of_cadre("CB-0005")
    kinds = [record.kind for record in found]
    assert kinds == sorted(kinds, key=KINDS.index)
    assert isinstance(found[0], Cadre)
    assert found[0].birth_date == date(1947, 2, 7)
    assert all(store.get(record.kind, record.key) == record for record in found)
    referral = store.get("referral", "CB-0005.P1")
    assert isinstance(referral, Referral)
    assert referral.supporting == ("TM-AFP", "IMG-USABD")
    assert referral.ordered_at.isoformat() == "2026-08-13T08:15:00+07:00"


def test_the_records_of_many_are_those_of_each_with_the_merged_ones_among_the_survivors(
    store: RecordStore,
) -> None:
    keys = [record.key for record in store.iterate("cadre")]
    alone = {key: store.of_cadre(key) for key in keys}
    assert all(record.cadre == key for key in keys for record in alone[key])  # type: ignore[attr-defined]
    assert store.of_cadres([*keys, "nobody"]) == {**alone, "nobody": []}
    with write_transaction(store.engine) as connection:
        for loser in (keys[7], keys[2]):
            store.merges.add(connection, Merge(loser, keys[4], NOW, "test"))
    both = store.of_cadres(keys)
    assert both == {key: store.of_cadre(key) for key in keys}
    assert (both[keys[2]], both[keys[7]]) == ([], [])
    assert {key: both[key] for key in keys if key not in (keys[2], keys[4], keys[7])} == {
        key: alone[key] for key in keys if key not in (keys[2], keys[4], keys[7])
    }
    theirs = [(KINDS.index(one.kind), one.key) for one in both[keys[4]]]
    assert theirs == sorted(theirs)
    assert len(theirs) == sum(len(alone[keys[number]]) for number in (2, 4, 7)) - 2
    assert store.merges.losers_of(keys[2:6]) == {
        keys[2]: [],
        keys[3]: [],
        keys[4]: [keys[2], keys[7]],
        keys[5]: [],
    }
    stored = store.stored_of_cadres(keys)
    assert {key: {(one.kind, one.key) for one in stored[key]} for key in keys if key != keys[4]} == {
        key: {(one.kind, one.key) for one in both[key]} for key in keys if key != keys[4]
    }
    assert {one.key for one in stored[keys[4]]} >= {one.key for one in both[keys[4]]}


def test_counts_and_iteration_agree(store: RecordStore) -> None:
    counts = store.counts()
    assert counts["cadre"] == 20
    assert counts["result"] == 0
    for kind, count in counts.items():
        keys = [record.key for record in store.iterate(kind)]
        assert len(keys) == count
        assert keys == sorted(keys)


def test_a_record_says_where_it_came_from(store: RecordStore) -> None:
    stored = store.stored_record("cadre", "CB-0001")
    assert stored is not None
    assert (stored.source, stored.sheet, stored.row) == ("small.xlsx", "Cán bộ", 2)
    assert [found.kind for found in store.find("CB-0005.P1")] == ["referral"]
    assert store.stored_record("cadre", "nobody") is None


def test_people_are_found_by_their_numbers(store: RecordStore) -> None:
    assert store.cadres_by_identifier("024064104760") == ["CB-0001"]
    assert store.cadres_by_identifier("DN4 24 10476 00000") == ["CB-0001"]
    assert store.cadres_by_identifier("000000000000") == []


def test_the_feed_names_every_changed_person_once(store: RecordStore) -> None:
    people: list[str] = []
    since = 0
    while page := store.changed_cadres(since, 7):
        people += [cadre for cadre, _ in page]
        assert [position for _, position in page] == sorted(position for _, position in page)
        since = page[-1][1]
    assert sorted(people) == sorted(cadre.key for cadre in store.iterate("cadre"))
    assert since == store.newest_position()
    store.save_result(result())
    assert store.changed_cadres(since, 7) == [("CB-0005", store.newest_position())]


def test_the_feed_leaves_out_nobody_who_shares_a_position(store: RecordStore) -> None:
    store.save_result(result())
    with write_transaction(store.engine) as connection:
        store.merges.add(connection, Merge("CB-0001", "CB-0002", NOW, "test"))
    head = store.newest_position()
    store.save_result(result(cadre="CB-0001"))
    store.save_result(result("R2"))
    three = {(cadre, head + 1) for cadre in ("CB-0001", "CB-0002", "CB-0005")}
    last = ("CB-0005", head + 2)  # by its newest change
    shared = three - {("CB-0005", head + 1)}
    assert set(store.changed_cadres(head, 1)) == shared
    assert set(store.changed_cadres(head, 2)) == shared
    assert set(store.changed_cadres(head, 3)) == shared | {last}
    assert store.changed_cadres(head + 1, 1) == [last]
    head = store.newest_position()
    store.save_result(result("R2", cadre="CB-0001"))
    assert {cadre for cadre, _ in store.changed_cadres(head, 1)} == {cadre for cadre, _ in three}


def test_the_same_result_twice_is_one(store: RecordStore) -> None:
    assert store.save_result(result())
    head = store.newest_position()
    assert not store.save_result(result())
    assert store.newest_position() == head
    assert store.save_result(result(status="amended"))
    assert store.counts()["result"] == 1
    assert store.of_cadre("CB-0005")[-1] == result(status="amended")


def test_a_result_that_moves_to_another_person_changes_both(store: RecordStore) -> None:
    store.save_result(result())
    head = store.newest_position()
    store.save_result(result(cadre="CB-0001"))
    store.save_result(result(cadre="CB-0001", status="amended"))
    assert {cadre for cadre, _ in store.changed_cadres(head, 10)} >= {"CB-0001"}
    assert result(cadre="CB-0001", status="amended") in store.of_cadre("CB-0001")
    assert all(record.kind != "result" for record in store.of_cadre("CB-0005"))


def test_a_completed_referral_stays_completed(store: RecordStore) -> None:
    accepted, completed, rejected = (
        ReferralSaying((event,))
        for event in (ReferralEvent.ACCEPT, ReferralEvent.OUTCOME, ReferralEvent.DECLINE)
    )
    assert store.advance("CB-0005.P1", accepted, None, NOW)
    assert not store.advance("CB-0005.P1", accepted, None, NOW)
    assert store.advance("CB-0005.P1", completed, "R1", NOW)
    assert not store.advance("CB-0005.P1", rejected, "R2", NOW)
    assert not store.advance("CB-0005.P1", completed, "R2", NOW)
    assert not store.advance("nobody", completed, "R2", NOW)
    referral = store.get("referral", "CB-0005.P1")
    assert isinstance(referral, Referral)
    assert (referral.fulfilment, referral.fulfilled_by) == (Fulfilment.COMPLETED, "R1")
    assert referral.fulfilled_at == NOW


def test_the_inboxs_writes_join_its_transaction(store: RecordStore) -> None:
    def break_off() -> None:
        with write_transaction(store.engine) as connection:
            store.save_result(result(), connection=connection)
            outcome = ReferralSaying((ReferralEvent.OUTCOME,))
            store.advance("CB-0005.P1", outcome, "R1", NOW, connection=connection)
            raise RuntimeError

    head = store.newest_position()
    with pytest.raises(RuntimeError):
        break_off()
    assert store.newest_position() == head
    assert store.counts()["result"] == 0


def test_writers_at_once_get_positions_of_their_own(store: RecordStore) -> None:
    before = store.newest_position()

    def work(number: int) -> None:
        for count in range(5):
            store.save_result(result(f"R{number}-{count}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    positions = {
        stored.position
        for number in range(4)
        for count in range(5)
        if (stored := store.stored_record("result", f"R{number}-{count}"))
    }
    assert positions == set(range(before + 1, before + 21))
