"""What answers prove, what a card means, and what counts as drift: all pure."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.delivery.client import Answer, Silence
from adapter.delivery.doctor import judge
from adapter.delivery.doctor.examine import Limits
from adapter.delivery.doctor.meaning import FIELDS, lines
from adapter.ledger.card import UNKNOWN, Card, Change, drift, read_drift, with_earlier
from adapter.texts import catalogue

SYSTEM = "urn:test"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = Limits(50, 1_000_000)


def patient(value: str, note: str = "") -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": value}],
        "name": [{"text": f"Test {note}"}],
    }


A, B = patient("a"), patient("b")
STRANGER = {"resourceType": "Patient", "identifier": [{"system": "urn:other", "value": "a"}]}


def bundle(*statuses: str) -> dict[str, Any]:
    entries = [
        {"response": {"status": status, "location": f"Patient/{place}"}}
        for place, status in enumerate(statuses)
    ]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}


@pytest.mark.parametrize(
    ("answer", "there", "proves"),
    [
        (Answer(412), False, True),
        (Answer(400), True, False),
        (Answer(500), False, True),
        (Answer(200, bundle("201", "412")), True, False),
        (Answer(200, bundle("201", "412")), False, True),
        (Answer(200, bundle("201", "201")), True, None),
        (Answer(200, {"resourceType": "Bundle"}), True, None),
    ],
)
def test_a_transaction_is_atomic_when_nothing_is_left_of_one_that_was_refused(
    answer: Answer, there: bool, proves: bool | None
) -> None:
    assert judge.atomic(answer, good_is_there=there) is proves


@pytest.mark.parametrize(
    ("facts", "whole"), [((True, None), True), ((True, False), False), ((None, None), None), ((), None)]
)
def test_one_no_outweighs_every_yes(facts: tuple[bool | None, ...], whole: bool | None) -> None:
    assert judge.both(*facts) is whole


@pytest.mark.parametrize(
    ("never", "at_once", "later", "expected"),
    [
        ([], [A], [A], (True, True)),
        ([], [], [A], (True, False)),
        ([], [], [], (False, None)),
        ([], [A, B], [A, B], (False, None)),
        ([STRANGER], [A], [A], (False, None)),
        ([], [STRANGER], [STRANGER], (False, None)),
        ([], [A, A], [A, A], (False, False)),
    ],
)
def test_a_search_is_believed_when_it_finds_one_thing_and_nothing_else(
    never: list[Any], at_once: list[Any], later: list[Any], expected: tuple[bool | None, ...]
) -> None:
    found = judge.search(SYSTEM, "a", never=never, at_once=at_once, later=later)
    assert (found["search_by_identifier"], found["search_is_fresh"]) == expected


@pytest.mark.parametrize(
    ("pages", "right"),
    [
        ([[A], [B]], True),
        ([[A, B]], True),
        ([[A], [A, B]], False),
        ([[A]], False),
        ([[A], [B], [STRANGER]], False),
    ],
)
def test_pages_have_every_match_once(pages: list[Any], right: bool) -> None:
    assert judge.pages(SYSTEM, ("a", "b"), pages) is right


@pytest.mark.parametrize(
    ("statuses", "found", "once"),
    [((201, 200), [A], True), ((201, 201), [A, A], False), ((201, 412), [A], False), ((201, 200), [], False)],
)
def test_a_conditional_create_makes_one(statuses: tuple[int, ...], found: list[Any], once: bool) -> None:
    assert judge.created_once([Answer(status) for status in statuses], found) is once


def test_a_conditional_update_leaves_the_second_content() -> None:
    done = [Answer(201), Answer(200)]
    assert judge.updated_once(done, [patient("a", "b")], "b") is True
    assert judge.updated_once(done, [patient("a", "a")], "b") is False


@pytest.mark.parametrize(
    ("status", "after", "kept"),
    [
        (412, Answer(200, patient("a", "b")), True),
        (409, Answer(200, patient("a", "b")), True),
        (200, Answer(200, patient("a", "c")), False),
        (412, Answer(200, patient("a", "c")), False),
        (412, Answer(404), None),
    ],
)
def test_a_stale_etag_is_refused_and_changes_nothing(status: int, after: Answer, kept: bool | None) -> None:
    assert judge.kept_by_etag(Answer(status), after, "b") is kept


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({"etag": 'W/"1"'}, {"etag": '"1"'}, True),
        ({"etag": 'W/"1"'}, {"etag": 'W/"2"'}, False),
        ({}, {"etag": '"1"'}, None),
    ],
)
def test_versions_are_compared_where_they_are_told(
    before: dict[str, str], after: dict[str, str], same: bool | None
) -> None:
    assert judge.same_version(Answer(200, None, before), Answer(200, None, after)) is same


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((201, 200, 204, 410), {"deletes": True, "deleted_status": 410}),
        ((201, 200, 204, 404), {"deletes": True, "deleted_status": 404}),
        ((201, 200, 405, 200), {"deletes": False, "deleted_status": None}),
        ((201, 200, 204, 200), {"deletes": False, "deleted_status": None}),
        ((201, 404, 204, 404), {"deletes": None}),
    ],
)
def test_what_is_deleted_is_read_back_as_gone(statuses: tuple[int, ...], expected: dict[str, Any]) -> None:
    assert judge.removal(*(Answer(status) for status in statuses)) == expected


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Answer(200, {"resourceType": "Bundle"}), None),
        (Answer(400, {"resourceType": "OperationOutcome"}), None),
        (Answer(200), "not-fhir"),
        (Answer(404), "not-fhir"),
        (Answer(401), "auth"),
        (Answer(429), "busy"),
        (Answer(502), "busy"),
        (Silence(sent=False, why="tls"), "tls"),
    ],
)
def test_why_nothing_can_be_measured(reply: Answer | Silence, why: str | None) -> None:
    assert judge.admission(reply) == why


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Sun, 22 Nov 2026 12:00:01 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:05:00 GMT", 300.0),
        ("Sun, 22 Nov 2026 11:55:00 GMT", -300.0),
        ("yesterday", None),
        (None, None),
    ],
)
def test_the_servers_clock_is_compared_in_seconds(date: str | None, ahead: float | None) -> None:
    headers = {"date": date} if date else {}
    found = judge.clock_skew(headers, NOW, NOW + timedelta(seconds=1))
    assert found == ahead if ahead in (None, 0.0) else found is not None and abs(found - ahead) <= 1


def test_a_capability_statement_is_what_it_says_of_itself() -> None:
    kinds = [
        {"type": kind, "conditionalCreate": True, "conditionalUpdate": kind == "Patient", "interaction": []}
        for kind in ("Patient", "Observation")
    ]
    statement = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "software": {"name": "X", "version": "2"},
        "rest": [{"mode": "server", "interaction": [{"code": "batch"}], "resource": kinds}],
    }
    facts, says = judge.capability(statement)
    assert facts == {"fhir_version": "4.0.1", "software": "X 2"}
    assert says == {
        "transaction": False,
        "batch": True,
        "conditional_create": True,
        "conditional_update": False,
        "deletes": False,
        "search_by_identifier": False,
    }
    assert judge.capability("<html>") == ({"fhir_version": None, "software": None}, {})


def test_drift_is_what_was_measured_twice_and_differently() -> None:
    before = Card(atomic=True, if_match_status=409, clock_skew=0.0, retry_after=None, client_ids=True)
    after = Card(atomic=False, if_match_status=412, clock_skew=90.0, retry_after="date", client_ids=None)
    found = drift(before, after)
    assert read_drift(found) == (Change("atomic", "true", "false"), Change("if_match_status", "409", "412"))
    assert drift(before, before) is None
    assert read_drift(None) == ()


def test_software_whose_name_holds_the_separator_does_not_break_drift() -> None:
    found = drift(Card(software="A; b: 1 -> 2"), Card(software="B"))
    assert [change.field for change in read_drift(found)] == ["software"]


def test_what_was_not_measured_stays_as_it_was_while_the_software_is_the_same() -> None:
    earlier = Card(fhir_version="4.0.1", software="X 1", atomic=True, deletes=True)
    again = Card(fhir_version="4.0.1", software="X 1", deletes=False)
    assert with_earlier(again, earlier).atomic is True
    assert with_earlier(again, earlier).deletes is False
    other = Card(fhir_version="4.0.1", software="X 2", deletes=True)
    assert with_earlier(other, earlier).atomic is None


def level(card: Card, behaviour: str) -> str | None:
    found = {line.behaviour: line.level for line in lines(card, LIMITS, NOW)}
    return found.get(behaviour)


@pytest.mark.parametrize(
    ("card", "behaviour", "expected"),
    [
        (Card(atomic=True), "atomic", "good"),
        (Card(atomic=False), "atomic", "costs"),
        (Card(), "atomic", "unknown"),
        (Card(transaction=False), "atomic", None),
        (Card(deletes=False), "deletes", "bad"),
        (Card(search_by_identifier=False), "search_by_identifier", "bad"),
        (Card(guarded=False), "guarded", "bad"),
        (Card(), "guarded", None),
        (Card(gzip_requests=False), "gzip_requests", "plain"),
        (Card(several_matches=200), "several_matches", "bad"),
        (Card(several_matches=412), "several_matches", "plain"),
        (Card(max_entries=50), "max_entries", "good"),
        (Card(max_entries=8), "max_entries", "costs"),
        (Card(transaction=False, batch=False), "max_entries", None),
        (Card(fhir_version="4.0.1"), "fhir_version", "good"),
        (Card(fhir_version="3.0.2"), "fhir_version", "bad"),
        (Card(clock_skew=-90.0), "clock_skew", "costs"),
        (Card(clock_skew=30.0), "clock_skew", "good"),
        (Card(tls_until="2026-12-01T00:00:00+00:00"), "tls_until", "costs"),
        (Card(tls_until="2027-12-01T00:00:00+00:00"), "tls_until", "good"),
    ],
)
def test_what_a_fact_costs(card: Card, behaviour: str, expected: str | None) -> None:
    assert level(card, behaviour) == expected


def test_every_field_has_a_line_or_stands_beside_one_and_every_line_has_its_words() -> None:
    beside = {"software", "if_match_status", "deleted_status", "says"}
    assert {field.name for field in fields(Card)} - beside == set(FIELDS)
    known = catalogue("en")
    assert [name for name in FIELDS if f"doctor.{name}" not in known] == []
    every = Card(
        **{name: False for name in FIELDS if name not in ("fhir_version", "tls_until", "clock_skew")},
        tls_until="2026-12-01T00:00:00+00:00",
        clock_skew=0.0,
    )
    spoken = [line.effect for card in (every, UNKNOWN) for line in lines(card, LIMITS, NOW) if line.effect]
    yes = [f"doctor.yes_{name}" for name in FIELDS]
    assert [key for key in (*spoken, *yes) if key not in known] == []
