"""What a hospital should no longer hold is taken back, proved by reading, and receipted."""

from dataclasses import replace

import pytest
from integration.test_delivery import NAME, Site, desired, family, patient
from sqlalchemy import Engine

from adapter.ledger.history.record_history import RecordHistoryStore
from adapter.ledger.schema.states import EntryState
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.testing import CAPABLE_SERVER, drops, entry_answer

SINGLE = replace(CAPABLE_SERVER, paired=False)
BATCH = replace(CAPABLE_SERVER, atomic=False)
ANY = pytest.mark.parametrize(
    "card", [CAPABLE_SERVER, UNMEASURED, SINGLE, BATCH], ids=["good", "unknown", "single", "batch"]
)


@pytest.fixture
def site(engine: Engine) -> Site:
    return Site(engine)


def receipts(site: Site, kind: str, key: str) -> list[str]:
    return [one.how for one in RecordHistoryStore(site.engine).receipts(kind, key)]


@ANY
def test_deletions_go_dependants_first_and_leave_a_receipt(site: Site, card: ServerCard) -> None:
    site.wish("c1", *family("c1"))
    site.deliver(card=card)
    [person] = site.hospital.of_type("Patient")
    site.wish("c1")
    site.deliver(card=card)
    assert site.hospital.resources == {}
    assert site.states() == {EntryState.RETRACTED: 4}
    [one] = RecordHistoryStore(site.engine).receipts("patient", "c1")
    assert (one.hospital, one.type, one.remote_id, one.how) == (NAME, "Patient", person["id"], "deleted")
    assert receipts(site, "observation", "c1-0") == ["deleted"]


def test_each_retraction_has_its_own_receipt(site: Site) -> None:
    for _ in range(2):
        site.wish("c1", patient("c1"))
        site.deliver()
        site.wish("c1")
        site.deliver()
    assert receipts(site, "patient", "c1") == ["deleted", "deleted"]


def test_what_had_never_arrived_is_receipted_as_not_there(site: Site) -> None:
    site.wish("c1", patient("c1"))
    site.hospital.faults = [drops]
    site.deliver(patience=0.5)
    site.wish("c1")
    site.clock.advance(minutes=5)
    site.deliver()
    assert site.states() == {EntryState.RETRACTED: 1}
    assert receipts(site, "patient", "c1") == ["not-there"]


@ANY
def test_where_policy_keeps_things_they_are_marked_and_emptied(site: Site, card: ServerCard) -> None:
    site.wish("c1", *family("c1"))
    site.deliver(card=card)
    site.wish("c1", patient("c1"))
    done = site.deliver(card=card, retract="entered-in-error")
    assert done.retracted == 3
    kept = site.hospital.of_type("Observation")
    assert {one["status"] for one in kept} == {"entered-in-error"}
    assert all("valueQuantity" not in one and "subject" not in one for one in kept)
    assert site.states() == {EntryState.DELIVERED: 1, EntryState.RETRACTED: 3}
    assert receipts(site, "observation", "c1-1") == ["entered-in-error"]
    before = site.hospital.writes
    assert site.deliver(card=card, retract="entered-in-error").requests == 0
    assert site.hospital.writes == before


def test_a_type_without_a_status_is_deleted_and_a_wish_revives_what_was_marked(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    site.wish("c1")
    site.deliver(retract="entered-in-error")
    assert site.hospital.of_type("Patient") == []
    assert receipts(site, "patient", "c1") == ["deleted"]
    assert len(site.hospital.of_type("Observation")) == 3
    site.wish("c1", *family("c1"))
    site.deliver(retract="entered-in-error")
    assert site.states() == {EntryState.DELIVERED: 4}
    assert {one["status"] for one in site.hospital.of_type("Observation")} == {"final"}
    assert len(site.hospital.of_type("Observation")) == 3


def test_what_changed_between_reading_and_marking_is_marked_the_next_time(site: Site) -> None:
    status = desired("Observation", 2, "o", {"status": "final", "valueString": "x"})
    site.wish("c1", status)
    site.deliver()
    site.wish("c1")
    site.hospital.entry_answers = [lambda _entry: entry_answer(412, "conflict")]
    site.deliver(retract="entered-in-error")
    assert site.states() == {EntryState.RETRACTED: 1}
    assert [one["status"] for one in site.hospital.of_type("Observation")] == ["entered-in-error"]


@ANY
def test_what_others_refer_to_stays_counted_with_the_hospitals_words(site: Site, card: ServerCard) -> None:
    site.wish("c1", *family("c1"))
    site.deliver(card=card)
    site.hospital.undeletable_types = {"Patient"}
    site.wish("c1")
    site.deliver(card=card, patience=120)
    assert site.states() == {EntryState.RETRACTING: 1, EntryState.RETRACTED: 3}
    assert site.ledger.count_stuck_retractions(NAME) == 1
    [left] = [e for e in site.ledger.entries(NAME, ["c1"])["c1"] if e.state is EntryState.RETRACTING]
    assert left.reason == "still-there"
    assert "refused by a rule" in (left.detail or "")
    assert receipts(site, "patient", "c1") == []


def test_gone_is_not_believed_of_a_search_that_is_not_proven(site: Site) -> None:
    """The deletion answers 204 and does nothing, and the search no longer shows it: reading does."""
    site.wish("c1", patient("c1"))
    site.deliver(card=UNMEASURED)
    site.wish("c1")
    there = dict(site.hospital.resources)

    def pretends(_entry: object) -> dict[str, object]:
        for resource in site.hospital.resources.values():
            resource["identifier"] = []
        return entry_answer(204)

    site.hospital.entry_answers = [pretends]
    site.deliver(card=UNMEASURED, patience=1)
    assert site.states() == {EntryState.RETRACTING: 1}
    assert site.hospital.resources.keys() == there.keys()
