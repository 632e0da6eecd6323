"""A shipment to servers of every kind: what their card proves decides how it is written."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from integration.test_delivery import NAME, SYSTEM, Site, family, identities, identity, patient

from adapter.database import open_database
from adapter.errors import LeaseLost
from adapter.ledger.schema.states import EntryState
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.ledger.store import LedgerStore
from adapter.testing import CAPABLE_SERVER, FakeHospital, Fault, ManualClock, answers, drops

SINGLE = replace(CAPABLE_SERVER, paired=False)
BATCH = replace(CAPABLE_SERVER, atomic=False)
LAYERS = replace(CAPABLE_SERVER, urn_references=False)
SEARCHED = replace(CAPABLE_SERVER, conditional_update=False)
ALONE = replace(SINGLE, conditional_update=False, conditional_create=False, search_several=False)
CARDS = {
    "transaction": CAPABLE_SERVER,
    "unknown": UNMEASURED,
    "single": SINGLE,
    "batch": BATCH,
    "layers": LAYERS,
    "searched": SEARCHED,
    "alone": ALONE,
}


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    engine = open_database(sqlite_url)
    yield Site(engine)
    engine.dispose()


def able(hospital: FakeHospital, card: ServerCard) -> None:
    """Make the hospital capable of no more than its card says."""
    hospital.conditional_update = card.conditional_update is True
    hospital.conditional_create = card.conditional_create is True
    hospital.atomic = card.atomic is True
    if card.paired is False:
        hospital.bundle_fault = answers(500)


def bundles(hospital: FakeHospital) -> list[dict[str, Any]]:
    sent = [request for request in hospital.requests if str(request.url) == hospital.base]
    return [json.loads(request.content) for request in sent]


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_whatever_the_server_can_do_everything_arrives_once(site: Site, card: ServerCard) -> None:
    able(site.hospital, card)
    site.wish("c1", *family("c1", 11))
    assert site.deliver(card=card).resources == 12
    assert site.states() == {EntryState.DELIVERED: 12}
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 12
    [person] = site.hospital.of_type("Patient")
    subjects = {one["subject"]["reference"] for one in site.hospital.of_type("Observation")}
    assert subjects == {f"Patient/{person['id']}"}
    before = site.hospital.writes
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1", 11)[1:5])
    done = site.deliver(card=card)
    assert (done.resources, done.retracted) == (1, 7)
    assert site.hospital.of_type("Patient")[0]["name"] == [{"text": "Nguyễn Văn B"}]
    assert len(site.hospital.of_type("Observation")) == 4
    changed = site.hospital.writes - before
    assert changed == (8 if card.paired is False else 2)
    assert site.deliver(card=card).requests == 0


def test_entries_refer_to_each_other_only_where_that_is_proven(site: Site) -> None:
    for number, card in enumerate((CAPABLE_SERVER, UNMEASURED, BATCH, LAYERS)):
        site.hospital.requests.clear()
        site.wish(f"c{number}", *family(f"c{number}", 11))
        site.deliver(card=card)
        sent = bundles(site.hospital)
        urns = [re.findall(r'"reference": "urn:uuid', json.dumps(one)) for one in sent]
        assert [len(found) for found in urns] == ([11] if card is CAPABLE_SERVER else [0] * len(sent))
        assert {one["type"] for one in sent} == (
            {"transaction"} if card in (CAPABLE_SERVER, LAYERS) else {"batch"}
        )
        limit = 8 if card is UNMEASURED else 50
        assert max(len(one["entry"]) for one in sent) <= limit


def test_what_is_there_already_is_found_by_condition_and_not_made_again(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    with site.engine.begin() as connection:  # the ledger is lost
        connection.exec_driver_sql("DELETE FROM ledger_entry")
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])
    site.deliver()
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 4
    assert site.hospital.of_type("Patient")[0]["name"] == [{"text": "Nguyễn Văn B"}]


@pytest.mark.parametrize("card", [UNMEASURED, SEARCHED, ALONE], ids=["unknown", "searched", "alone"])
def test_without_conditions_what_is_there_is_looked_up_and_what_is_the_same_is_not_sent(
    site: Site, card: ServerCard
) -> None:
    able(site.hospital, card)
    site.wish("c1", *family("c1"))
    site.deliver(card=card)
    with site.engine.begin() as connection:  # the ledger is lost
        connection.exec_driver_sql("DELETE FROM ledger_entry")
    before = site.hospital.writes
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])
    assert site.deliver(card=card).resources == 4
    assert site.hospital.writes == before + 1
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 4
    assert site.states() == {EntryState.DELIVERED: 4}


@pytest.mark.parametrize(
    "answer",
    [
        answers(400, text="<h1>no</h1>"),
        answers(404),
        answers(404, text="<h1>no</h1>"),
        answers(405, text=""),
        answers(501),
    ],
    ids=["400-page", "404", "404-page", "405-page", "501"],
)
def test_a_server_that_takes_no_bundles_gets_single_requests_in_the_same_run(
    site: Site, answer: Fault
) -> None:
    site.hospital.bundle_fault = answer
    site.wish("c1", *family("c1"))
    site.wish("c2", *family("c2"))
    done = site.deliver(card=UNMEASURED)
    assert (done.resources, done.unreachable) == (8, False)
    assert len(bundles(site.hospital)) == 1  # asked once


def test_a_400_for_every_bundle_is_told_from_a_refused_entry(site: Site) -> None:
    site.hospital.bundle_fault = answers(400)
    for number in range(3):
        site.wish(f"c{number}", *family(f"c{number}"))
    assert site.deliver(card=UNMEASURED).resources == 12
    assert len(bundles(site.hospital)) == 1
    assert site.states() == {EntryState.DELIVERED: 12}


@pytest.mark.parametrize("card", [UNMEASURED, SEARCHED], ids=["unknown", "searched"])
def test_nothing_is_written_where_a_search_answers_with_anything(site: Site, card: ServerCard) -> None:
    site.hospital.searches = False
    site.hospital.resources["Patient", "x"] = {
        "resourceType": "Patient",
        "id": "x",
        "identifier": [{"system": "http://other.test", "value": "1"}],
    }
    site.wish("c1", *family("c1"))
    assert site.deliver(card=card, patience=5).unreachable
    assert site.hospital.writes == 0
    assert site.ledger.hospitals.row(NAME).last_error == "search-ignored"
    assert site.states() == {EntryState.PENDING: 4}


def test_what_was_never_answered_is_not_sent_again_where_a_search_answers_with_anything(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults_after_commit = [drops]
    site.hospital.searches = False
    site.deliver(patience=200)
    # What is there is ours here, so every search shows what was asked for; one more makes it useless.
    site.hospital.resources["Patient", "x"] = {"resourceType": "Patient", "id": "x", "identifier": []}
    site.wish("c2", *family("c2"))
    site.hospital.faults_after_commit = [drops]
    writes = site.hospital.writes
    assert site.deliver(patience=200).unreachable
    assert site.hospital.writes == writes + 1
    assert site.states()[EntryState.UNKNOWN] == 4


def test_a_guarded_create_that_finds_one_is_no_delivery(site: Site) -> None:
    """The search is stale, If-None-Exist is not: the server says 200, and holds what it held."""
    site.wish("c1", patient("c1"))
    site.deliver()
    with site.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger_entry")
    site.wish("c1", patient("c1", "Nguyễn Văn B"))

    def stale(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset"})

    site.hospital.faults = [stale]
    site.deliver(card=UNMEASURED)
    assert site.states() == {EntryState.DELIVERED: 1}
    assert [one["name"] for one in site.hospital.of_type("Patient")] == [[{"text": "Nguyễn Văn B"}]]


def test_a_process_that_slept_before_the_request_left_sends_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    site.ledger = LedgerStore(site.engine, clock=clock.uptime)
    site.wish("c1", *family("c1"))
    begin = site.ledger.start

    def sleeps(*given: Any) -> Any:
        lease = begin(*given)
        clock.advance(hours=1)  # the laptop's lid is closed
        return lease

    monkeypatch.setattr(site.ledger, "start", sleeps)
    site.deliver(patience=1)
    assert site.hospital.writes == 0
    assert site.states() == {EntryState.SENDING: 4}


def test_what_is_no_longer_wished_for_when_it_is_about_to_leave_does_not_leave(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.wish("c1", *family("c1"))
    begin, planned = site.ledger.start, []

    def withdrawn_meanwhile(*given: Any) -> Any:
        if not planned:
            planned.append(site.wish("c1"))
        return begin(*given)

    monkeypatch.setattr(site.ledger, "start", withdrawn_meanwhile)
    site.deliver()
    assert site.hospital.writes == 0
    assert site.states() == {}


def test_a_lease_outlasts_long_searching(site: Site) -> None:
    clock = ManualClock()
    site.ledger = LedgerStore(site.engine, clock=clock.uptime)
    able(site.hospital, ALONE)
    site.wish("c1", *family("c1", 20))

    def slow(request: httpx.Request) -> None:
        clock.advance(seconds=8 if request.method == "GET" else 0)

    site.hospital.faults = [slow] * 1000
    site.deliver(card=ALONE)
    assert site.states() == {EntryState.DELIVERED: 21}


def test_a_lost_lease_is_noticed_before_a_deletion(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    site.wish("c1")
    kept = site.hospital.writes

    def lost(*_given: Any) -> Any:
        raise LeaseLost("ledger.lease_lost")

    monkeypatch.setattr(site.ledger, "start", lost)
    site.deliver(patience=0.5)
    assert site.hospital.writes == kept
    assert len(site.hospital.resources) == 4


def test_absence_is_believed_later_where_searches_may_be_old(site: Site) -> None:
    for card, seconds in ((CAPABLE_SERVER, 5), (replace(CAPABLE_SERVER, search_is_fresh=None), 65)):
        site.hospital.requests.clear()
        site.wish("c1", patient("c1", f"Nguyễn {seconds}"))
        site.hospital.faults = [drops]
        began = site.clock.now
        site.deliver(card=card, patience=200)
        assert timedelta(seconds=seconds) <= site.clock.now - began < timedelta(seconds=seconds + 10)
        assert site.states() == {EntryState.DELIVERED: 1}


def test_conditions_are_percent_encoded_everywhere(site: Site) -> None:
    able(site.hospital, SINGLE)
    site.wish("c1", patient("c1"))
    site.deliver(card=SINGLE)
    [put] = [request for request in site.hospital.requests if request.method == "PUT"]
    assert str(put.url).endswith(f"%7C{identity('Patient', 'c1')}")
    assert SYSTEM not in str(put.url)


@pytest.mark.parametrize("leaves", [False, True], ids=["wished", "retracted"])
def test_a_clock_that_is_set_back_costs_a_grace_and_no_flood_of_requests(site: Site, leaves: bool) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults = [drops]
    site.deliver(patience=0)
    assert EntryState.UNKNOWN in site.states()
    if leaves:
        site.wish("c1")
    site.clock.set(site.clock.now - timedelta(hours=1))
    site.ledger.hospitals.allow_probe(NAME, site.clock())  # as every sync does
    site.hospital.requests.clear()
    began = site.clock.now
    site.deliver()
    assert timedelta(seconds=5) <= site.clock.now - began < timedelta(seconds=60)
    assert len(site.hospital.requests) <= 8
    assert len(site.hospital.resources) == (0 if leaves else 4)
    assert site.states() == {EntryState.RETRACTED if leaves else EntryState.DELIVERED: 4}
