"""What a hospital refuses, in all the ways servers have: only what is to blame waits, and nothing is lost."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from integration.test_delivery import NAME, Site, family, identities, identity, observation, patient

from adapter.database import open_database
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import LedgerEntry
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.testing import CAPABLE_SERVER, answers, drops, entry_answer, times_out

SINGLE = replace(CAPABLE_SERVER, paired=False)
BATCH = replace(CAPABLE_SERVER, atomic=False)
ANY = pytest.mark.parametrize(
    "card", [CAPABLE_SERVER, UNMEASURED, SINGLE, BATCH], ids=["good", "unknown", "single", "batch"]
)


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    engine = open_database(sqlite_url)
    yield Site(engine)
    engine.dispose()


def entry(site: Site, key: str, cadre: str = "c1") -> LedgerEntry:
    return next(one for one in site.ledger.entries(NAME, [cadre])[cadre] if one.key == key)


def is_bad(resource: dict[str, Any]) -> bool:
    return bool(resource.get("valueQuantity", {}).get("value") == 999)


@ANY
def test_only_the_culprit_is_parked_with_the_hospitals_words(site: Site, card: ServerCard) -> None:
    site.hospital.refuses = is_bad
    site.wish("c1", *family("c1", 40), observation("bad", "c1", "999"))
    site.deliver(card=card)
    assert site.states() == {EntryState.DELIVERED: 41, EntryState.PARKED: 1}
    parked = entry(site, "bad")
    assert (parked.state, parked.reason) == (EntryState.PARKED, "refused")
    assert "business-rule: refused by a rule" in (parked.detail or "")


@pytest.mark.parametrize("index", ["right", "wrong", "none"])
def test_a_culprit_among_many_is_found_in_few_requests(site: Site, index: str) -> None:
    """32 entries: by its index in 3 requests; by halves in 2 x log2(32) + 1 at most."""
    site.hospital.refuses = is_bad
    said = {"right": {}, "wrong": {"expression": ["Bundle.entry[0]"]}, "none": {"expression": []}}
    site.hospital.refusal = said[index]
    site.wish("c1", *family("c1", 30), observation("bad", "c1", "999"))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 31, EntryState.PARKED: 1}
    assert entry(site, "bad").state is EntryState.PARKED
    assert site.hospital.writes <= {"right": 3, "wrong": 14, "none": 11}[index]


def test_several_culprits_are_found(site: Site) -> None:
    site.hospital.refuses = is_bad
    bad = [observation(f"bad{number}", "c1", "999") for number in range(3)]
    site.wish("c1", *family("c1", 30), *bad)
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 31, EntryState.PARKED: 3}


@ANY
def test_a_server_that_finds_a_bundle_too_large_gets_smaller_ones(site: Site, card: ServerCard) -> None:
    site.hospital.max_entries = 5
    site.wish("c1", *family("c1", 20))
    site.wish("c2", *family("c2", 20))
    site.deliver(card=card)
    assert site.states() == {EntryState.DELIVERED: 42}
    refused = [r for r in site.hospital.requests if r.content.count(b'"fullUrl"') > 5]
    assert len(refused) <= 3  # learned once in a run


def test_what_is_too_large_alone_is_parked(site: Site) -> None:
    site.hospital.max_entries = 0
    site.wish("c1", patient("c1"))
    site.deliver()
    assert entry(site, "c1").reason == "too-large"


@ANY
@pytest.mark.parametrize("status", [400, 409, 412, 422])
def test_what_the_hospital_changed_is_read_again_and_written_over(
    site: Site, card: ServerCard, status: int
) -> None:
    site.hospital.stale_status = status
    site.wish("c1", *family("c1"))
    site.deliver(card=card)
    [there] = site.hospital.of_type("Patient")
    there["meta"]["versionId"] = "9"
    there["gender"] = "unknown"
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])
    site.deliver(card=card)
    assert site.states() == {EntryState.DELIVERED: 4}
    [person] = site.hospital.of_type("Patient")
    assert (person["name"], person.get("gender")) == ([{"text": "Nguyễn Văn B"}], None)
    known = entry(site, "c1")
    assert known.reason == "overwritten"
    assert "Patient.gender" in (known.detail or "")
    assert "unknown" not in (known.detail or "")  # no values
    assert known.etag == 'W/"10"'


@ANY
def test_a_refusal_of_the_version_that_is_there_is_a_rule_and_is_parked(site: Site, card: ServerCard) -> None:
    site.wish("c1", *family("c1"))
    site.deliver(card=card)
    [there] = site.hospital.of_type("Patient")
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])
    site.hospital.entry_answers = [lambda _entry: entry_answer(422, "business-rule")] * 5
    site.deliver(card=card)
    known = entry(site, "c1")
    assert (known.state, known.reason) == (EntryState.PARKED, "refused")
    assert "business-rule" in (known.detail or "")
    assert there["name"] == [{"text": "Nguyễn Văn A"}]
    reads = [one for one in site.hospital.requests if one.method == "GET" and "/Patient/" in str(one.url)]
    assert len(reads) <= 1


def test_many_stale_versions_cost_no_search_each(site: Site) -> None:
    site.wish("c1", *family("c1", 20))
    site.deliver()
    for resource in site.hospital.resources.values():
        resource["meta"]["versionId"] = "9"  # restored from a backup
    site.hospital.requests.clear()
    site.wish("c1", patient("c1", "B"), *(observation(f"c1-{n}", "c1", "7.1") for n in range(20)))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 21}
    assert len(site.hospital.requests) <= 4


def test_what_changes_there_each_time_is_parked_after_a_while(site: Site) -> None:
    site.wish("c1", patient("c1"))
    site.deliver()
    [there] = site.hospital.of_type("Patient")

    def always(_entry: dict[str, Any]) -> dict[str, Any]:
        there["meta"]["versionId"] = str(int(there["meta"]["versionId"]) + 1)
        return entry_answer(412, "conflict")

    site.hospital.entry_answers = [always] * 100
    site.wish("c1", patient("c1", "Nguyễn Văn B"))
    site.deliver(patience=5000)
    assert entry(site, "c1").reason == "conflict"
    assert site.hospital.writes <= 12


@ANY
@pytest.mark.parametrize("gone", ["404", "409-for-ever", "created-again"])
def test_an_id_that_was_deleted_there_is_forgotten(site: Site, card: ServerCard, gone: str) -> None:
    site.hospital.update_as_create = gone == "created-again"
    site.hospital.recreates_deleted = gone != "409-for-ever"
    site.wish("c1", patient("c1"))
    site.deliver(card=card)
    site.hospital.deleted |= set(site.hospital.resources)
    site.hospital.resources.clear()
    site.wish("c1", patient("c1", "Nguyễn Văn B"))
    site.deliver(card=card)
    assert site.states() == {EntryState.DELIVERED: 1}
    assert len(site.hospital.resources) == 1
    assert entry(site, "c1").remote_id == site.hospital.of_type("Patient")[0]["id"]


@ANY
def test_several_matches_are_parked_with_a_page_to_read(site: Site, card: ServerCard) -> None:
    site.wish("c1", patient("c1"))
    token = {"system": "https://centre.test/sid", "value": identity("Patient", "c1")}
    for number in ("1", "2"):
        there = {"resourceType": "Patient", "id": number, "identifier": [token], "meta": {"versionId": "1"}}
        site.hospital.resources["Patient", number] = there
    site.deliver(card=card)
    looked_up = card is UNMEASURED
    assert entry(site, "c1").reason == ("duplicates" if looked_up else "multiple-matches")
    assert len(site.hospital.resources) == 2


@ANY
def test_what_refers_to_something_deleted_there_waits_and_is_parked(site: Site, card: ServerCard) -> None:
    site.wish("c1", patient("c1"))
    site.deliver(card=card)
    site.hospital.referential_integrity = True
    person = site.hospital.resources.copy()
    site.hospital.resources.clear()
    site.wish("c1", patient("c1"), observation("o", "c1"))
    site.deliver(card=card, patience=3)
    assert (entry(site, "o").state, entry(site, "o").reason) == (EntryState.PENDING, "missing-reference")
    site.hospital.resources.update(person)
    site.clock.advance(hours=1)
    site.deliver(card=card)
    assert site.states() == {EntryState.DELIVERED: 2}


def test_a_target_that_never_comes_back_parks_what_refers_to_it(site: Site) -> None:
    site.wish("c1", patient("c1"))
    site.deliver()
    site.hospital.referential_integrity = True
    site.hospital.resources.clear()
    site.wish("c1", patient("c1"), observation("o", "c1"))
    site.deliver(patience=5000)
    assert (entry(site, "o").state, entry(site, "o").reason) == (EntryState.PARKED, "missing-reference")


@pytest.mark.parametrize("card", [BATCH, UNMEASURED], ids=["batch", "unknown"])
def test_a_429_inside_a_200_is_the_hospitals_and_only_that_entry_goes_again(
    site: Site, card: ServerCard
) -> None:
    site.hospital.entry_answers = [
        lambda e: None if e["resource"]["resourceType"] == "Patient" else entry_answer(429, "throttled")
    ] * 2
    site.wish("c1", *family("c1"))
    site.deliver(card=card, patience=200)  # where a search may be old, absence is believed after a while
    assert site.states() == {EntryState.DELIVERED: 4}
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 4
    assert {one.attempts for one in site.ledger.entries(NAME, ["c1"])["c1"]} == {0}


def test_an_entry_refused_under_a_success_is_not_delivered(site: Site) -> None:
    def stored_says_it(_entry: dict[str, Any]) -> dict[str, Any]:
        return entry_answer(201, "invalid")

    site.hospital.entry_answers = [stored_says_it]
    site.wish("c1", patient("c1"))
    site.deliver(card=BATCH)
    assert site.states() == {EntryState.PARKED: 1}


def test_what_was_not_executed_because_of_another_goes_again(site: Site) -> None:
    site.hospital.refuses = is_bad
    site.hospital.atomic = False

    def microsoft(one: dict[str, Any]) -> dict[str, Any] | None:
        return None if is_bad(one["resource"]) else entry_answer(424, "processing")

    site.hospital.entry_answers = [lambda _one: None] + [microsoft] * 4
    site.wish("c1", *family("c1"), observation("bad", "c1", "999"))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4, EntryState.PARKED: 1}


def test_one_that_the_server_fails_on_delays_nobody_else_and_is_found(site: Site) -> None:
    def fails(request: httpx.Request) -> httpx.Response | None:
        return answers(500)(request) if b"999" in request.content else None

    site.hospital.faults = [fails] * 5000
    site.wish("c0", *family("c0", 30), observation("bad", "c0", "999"))
    for number in range(1, 40):
        site.wish(f"c{number}", patient(f"c{number}"))
    site.deliver(patience=20)
    others = [one for n in range(1, 40) for one in site.ledger.entries(NAME, [f"c{n}"])[f"c{n}"]]
    assert {one.state for one in others} == {EntryState.DELIVERED}
    for day in range(1, 30):  # every day somebody else's goes, and this one's is tried again
        site.clock.advance(days=1)
        site.wish("c1", patient("c1", f"day {day}"))
        site.deliver(patience=200)
    states = {one.key: one.state for one in site.ledger.entries(NAME, ["c0"])["c0"]}
    assert states.pop("bad") is EntryState.PARKED
    assert set(states.values()) == {EntryState.DELIVERED}
    assert entry(site, "bad", "c0").reason == "server-error"


def test_a_hospital_that_fails_on_everything_parks_nothing(site: Site) -> None:
    site.hospital.faults = [lambda request: answers(500)(request) if request.method != "GET" else None] * 5000
    for number in range(5):
        site.wish(f"c{number}", *family(f"c{number}"))
    for _ in range(20):
        site.clock.advance(hours=6)
        site.deliver(patience=100)
    assert EntryState.PARKED not in site.states()
    assert {e.attempts for n in range(5) for e in site.ledger.entries(NAME, [f"c{n}"])[f"c{n}"]} == {0}


@ANY
@pytest.mark.parametrize("fault", [drops, times_out], ids=["dropped", "timeout"])
def test_a_write_without_an_answer_is_looked_up_whatever_the_way(
    site: Site, card: ServerCard, fault: Callable[..., Any]
) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults_after_commit = [None, fault] if card is not CAPABLE_SERVER else [fault]
    site.deliver(card=card, patience=300)
    assert site.states() == {EntryState.DELIVERED: 4}
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 4
