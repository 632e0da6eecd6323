"""A server or its proxy that fails after it has written: whatever the status, nothing is made twice."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest
from integration.test_delivery import NAME, Site, family, identities
from integration.test_delivery_ways import CARDS, able

from adapter.database import open_database, write_transaction
from adapter.ledger.parking import ParkedSelection, ParkedStore
from adapter.ledger.schema.states import EntryState
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.testing import Fault, answers, drops, times_out
from adapter.testing.faults import entry_answer, fhir_response

ENVOY = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
FAILURES = {
    "408": answers(408),
    "429": answers(429),
    "500": answers(500),
    "502-page": answers(502, text="<h1>Bad Gateway</h1>"),
    "503": answers(503, headers={"Retry-After": "1"}),
    "503-page": answers(503, text=ENVOY),
    "504": answers(504, text="<h1>Gateway Time-out</h1>"),
    "401": answers(401),
    "307": answers(307, text="moved"),
    "400-page": answers(400, text="<h1>Bad Request</h1>"),
    "413": answers(413),
    "dropped": drops,
    "late": times_out,
}


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    engine = open_database(sqlite_url)
    yield Site(engine)
    engine.dispose()


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_a_failure_after_the_write_doubles_nothing(site: Site, card: ServerCard, fault: Fault) -> None:
    able(site.hospital, card)
    people = [f"c{number}" for number in range(3)]
    for person in people:
        site.wish(person, *family(person))
    site.hospital.faults_after_commit = [None, fault, None, fault, fault, None]
    for _ in range(8):
        if site.states() == {EntryState.DELIVERED: 12}:
            break
        site.deliver(card=card, patience=400)
        site.clock.advance(minutes=10)
        site.ledger.hospitals.allow_probe(NAME, site.clock())
        with write_transaction(site.engine) as connection:  # a lone resource that is too large waits for this
            ParkedStore(site.engine).release(connection, ParkedSelection(NAME), None, site.clock())
    assert site.states() == {EntryState.DELIVERED: 12}
    assert sorted(identities(site.hospital)) == sorted(set(identities(site.hospital)))
    assert len(identities(site.hospital)) == 12


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_entry_that_failed_after_it_was_written_is_looked_up(site: Site, status: int) -> None:
    able(site.hospital, UNMEASURED)
    failing = [True]

    def half_failed(request: httpx.Request) -> httpx.Response | None:
        if not failing or str(request.url) != site.hospital.base:
            return None
        failing.clear()
        entries = json.loads(request.content)["entry"]
        said = [entry_answer(status, "transient" if status in (408, 429, 503) else "exception")]
        body = {"resourceType": "Bundle", "type": "batch-response", "entry": said * len(entries)}
        return fhir_response(200, body)

    site.wish("c1", *family("c1"))
    site.hospital.faults_after_commit = [half_failed]
    began: list[datetime] = []
    searched: list[timedelta] = []

    def stale(request: httpx.Request) -> httpx.Response | None:
        """What was searched for before the write is answered from a cache, for half a minute."""
        if request.method != "GET" or failing:
            return None
        began.append(site.clock.now)
        if site.clock.now - began[0] < timedelta(seconds=30):
            searched.append(site.clock.now - began[0])
            return fhir_response(200, {"resourceType": "Bundle", "type": "searchset"})
        return None

    site.hospital.faults = [stale] * 100
    site.deliver(card=UNMEASURED, patience=400)
    assert searched
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 4
    assert site.states() == {EntryState.DELIVERED: 4}
