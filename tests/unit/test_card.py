"""What answers prove, what a card means, and what counts as drift: all pure."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.delivery.doctor import evaluation
from adapter.delivery.doctor.examination import ProbeLimits
from adapter.delivery.doctor.findings import FINDING_ORDER, card_findings
from adapter.delivery.http.client import HttpResponse, NoResponse
from adapter.ledger.server_cards.card import (
    UNMEASURED,
    CardDifference,
    ServerCard,
    drift,
    filled_from_earlier,
    parse_drift,
)
from adapter.texts import catalogue

SYSTEM = "urn:test"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = ProbeLimits(50, 1_000_000)


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
        (HttpResponse(412), False, True),
        (HttpResponse(400), True, False),
        (HttpResponse(500), False, True),
        (HttpResponse(200, bundle("201", "412")), True, False),
        (HttpResponse(200, bundle("201", "412")), False, True),
        (HttpResponse(200, bundle("201", "201")), True, None),
        (HttpResponse(200, {"resourceType": "Bundle"}), True, None),
    ],
)
def test_a_transaction_is_atomic_when_nothing_is_left_of_one_that_was_refused(
    answer: HttpResponse, there: bool, proves: bool | None
) -> None:
    assert evaluation.is_atomic(answer, good_is_there=there) is proves


@pytest.mark.parametrize(
    ("facts", "whole"), [((True, None), True), ((True, False), False), ((None, None), None), ((), None)]
)
def test_one_no_outweighs_every_yes(facts: tuple[bool | None, ...], whole: bool | None) -> None:
    assert evaluation.all_measured(*facts) is whole


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
    found = evaluation.search_facts(SYSTEM, "a", never=never, at_once=at_once, later=later)
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
    assert evaluation.pages_complete(SYSTEM, ("a", "b"), pages) is right


@pytest.mark.parametrize(
    ("statuses", "found", "once"),
    [((201, 200), [A], True), ((201, 201), [A, A], False), ((201, 412), [A], False), ((201, 200), [], False)],
)
def test_a_conditional_create_makes_one(statuses: tuple[int, ...], found: list[Any], once: bool) -> None:
    assert evaluation.created_once([HttpResponse(status) for status in statuses], found) is once


def test_a_conditional_update_leaves_the_second_content() -> None:
    done = [HttpResponse(201), HttpResponse(200)]
    assert evaluation.updated_once(done, [patient("a", "b")], "b") is True
    assert evaluation.updated_once(done, [patient("a", "a")], "b") is False


@pytest.mark.parametrize(
    ("status", "after", "kept"),
    [
        (412, HttpResponse(200, patient("a", "b")), True),
        (409, HttpResponse(200, patient("a", "b")), True),
        (200, HttpResponse(200, patient("a", "c")), False),
        (412, HttpResponse(200, patient("a", "c")), False),
        (412, HttpResponse(404), None),
    ],
)
def test_a_stale_etag_is_refused_and_changes_nothing(
    status: int, after: HttpResponse, kept: bool | None
) -> None:
    assert evaluation.stale_write_refused(HttpResponse(status), after, "b") is kept


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
    assert evaluation.same_version(HttpResponse(200, None, before), HttpResponse(200, None, after)) is same


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
    assert evaluation.removal_facts(*(HttpResponse(status) for status in statuses)) == expected


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (HttpResponse(200, {"resourceType": "Bundle"}), None),
        (HttpResponse(400, {"resourceType": "OperationOutcome"}), None),
        (HttpResponse(200), "not-fhir"),
        (HttpResponse(404), "not-fhir"),
        (HttpResponse(401), "auth"),
        (HttpResponse(429), "busy"),
        (HttpResponse(502), "busy"),
        (NoResponse(may_have_arrived=False, why="tls"), "tls"),
    ],
)
def test_why_nothing_can_be_measured(reply: HttpResponse | NoResponse, why: str | None) -> None:
    assert evaluation.why_not_measurable(reply) == why


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
    found = evaluation.clock_skew(headers, NOW, NOW + timedelta(seconds=1))
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
    facts, says = evaluation.capability_facts(statement)
    assert facts == {"fhir_version": "4.0.1", "software": "X 2"}
    assert says == {
        "transaction": False,
        "batch": True,
        "conditional_create": True,
        "conditional_update": False,
        "deletes": False,
        "search_by_identifier": False,
    }
    assert evaluation.capability_facts("<html>") == ({"fhir_version": None, "software": None}, {})


def test_drift_is_what_was_measured_twice_and_differently() -> None:
    before = ServerCard(atomic=True, if_match_status=409, clock_skew=0.0, retry_after=None, client_ids=True)
    after = ServerCard(
        atomic=False, if_match_status=412, clock_skew=90.0, retry_after="date", client_ids=None
    )
    found = drift(before, after)
    assert parse_drift(found) == (
        CardDifference("atomic", "true", "false"),
        CardDifference("if_match_status", "409", "412"),
    )
    assert drift(before, before) is None
    assert parse_drift(None) == ()


def test_software_whose_name_holds_the_separator_does_not_break_drift() -> None:
    found = drift(ServerCard(software="A; b: 1 -> 2"), ServerCard(software="B"))
    assert [change.field for change in parse_drift(found)] == ["software"]


def test_what_was_not_measured_stays_as_it_was_while_the_software_is_the_same() -> None:
    earlier = ServerCard(fhir_version="4.0.1", software="X 1", atomic=True, deletes=True)
    again = ServerCard(fhir_version="4.0.1", software="X 1", deletes=False)
    assert filled_from_earlier(again, earlier).atomic is True
    assert filled_from_earlier(again, earlier).deletes is False
    other = ServerCard(fhir_version="4.0.1", software="X 2", deletes=True)
    assert filled_from_earlier(other, earlier).atomic is None


def level(card: ServerCard, behaviour: str) -> str | None:
    found = {line.behaviour: line.level for line in card_findings(card, LIMITS, NOW)}
    return found.get(behaviour)


@pytest.mark.parametrize(
    ("card", "behaviour", "expected"),
    [
        (ServerCard(atomic=True), "atomic", "good"),
        (ServerCard(atomic=False), "atomic", "costs"),
        (ServerCard(), "atomic", "unknown"),
        (ServerCard(transaction=False), "atomic", None),
        (ServerCard(deletes=False), "deletes", "bad"),
        (ServerCard(search_by_identifier=False), "search_by_identifier", "bad"),
        (ServerCard(guarded=False), "guarded", "bad"),
        (ServerCard(), "guarded", None),
        (ServerCard(gzip_requests=False), "gzip_requests", "plain"),
        (ServerCard(several_matches=200), "several_matches", "bad"),
        (ServerCard(several_matches=412), "several_matches", "plain"),
        (ServerCard(max_entries=50), "max_entries", "good"),
        (ServerCard(max_entries=8), "max_entries", "costs"),
        (ServerCard(transaction=False, batch=False), "max_entries", None),
        (ServerCard(fhir_version="4.0.1"), "fhir_version", "good"),
        (ServerCard(fhir_version="3.0.2"), "fhir_version", "bad"),
        (ServerCard(clock_skew=-90.0), "clock_skew", "costs"),
        (ServerCard(clock_skew=30.0), "clock_skew", "good"),
        (ServerCard(tls_until="2026-12-01T00:00:00+00:00"), "tls_until", "costs"),
        (ServerCard(tls_until="2027-12-01T00:00:00+00:00"), "tls_until", "good"),
    ],
)
def test_what_a_fact_costs(card: ServerCard, behaviour: str, expected: str | None) -> None:
    assert level(card, behaviour) == expected


def test_every_field_has_a_line_or_stands_beside_one_and_every_line_has_its_words() -> None:
    beside = {"software", "if_match_status", "deleted_status", "says"}
    assert {field.name for field in fields(ServerCard)} - beside == set(FINDING_ORDER)
    known = catalogue("en")
    assert [name for name in FINDING_ORDER if f"doctor.{name}" not in known] == []
    every = ServerCard(
        **{name: False for name in FINDING_ORDER if name not in ("fhir_version", "tls_until", "clock_skew")},
        tls_until="2026-12-01T00:00:00+00:00",
        clock_skew=0.0,
    )
    spoken = [
        line.effect
        for card in (every, UNMEASURED)
        for line in card_findings(card, LIMITS, NOW)
        if line.effect
    ]
    yes = [f"doctor.yes_{name}" for name in FINDING_ORDER]
    assert [key for key in (*spoken, *yes) if key not in known] == []
