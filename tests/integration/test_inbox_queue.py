"""Which items are looked at, and when: in turns, and again only for a reason."""

from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from inbox_centre import CCCD, NOW, OURS, Centre
from sqlalchemy import Engine, event, select, update

from adapter.awaited import awaited_name, line_name, note_arrivals
from adapter.database import read_transaction, write_transaction
from adapter.inbox.erasure import SentResource, erase_resources
from adapter.inbox.queue import InboxQueue, match_in_turns, next_look
from adapter.inbox.tables import inbox_item


@pytest.fixture
def centre(engine: Engine) -> Centre:
    return Centre(engine)


def value(number: int = 1, **more: Any) -> dict[str, Any]:
    identifier = [{"system": "urn:his:report", "value": str(number)}]
    return {
        "resourceType": "Observation",
        "identifier": identifier,
        "status": "final",
        "code": {"text": "Kali"},
        **more,
    }


def test_hospitals_take_turns(centre: Centre) -> None:
    for number in range(60):
        centre.receive(value(number), f"a{number}", "bv-a")
    for hospital in ("bv-b", "bv-c"):
        centre.receive(value(), "b", hospital)
    order: list[str] = []

    def process(item: Any) -> str:
        order.append(item.hospital)
        with write_transaction(centre.engine) as connection:
            centre.inbox.settle(item.id, "applied", now=NOW, connection=connection)
        return "applied"

    done = match_in_turns(InboxQueue(centre.engine), process, lambda: NOW, after="bv-a")
    assert done == {"applied": 62}
    assert order[:2] == ["bv-b", "bv-c"], "the one after the last comes first"
    assert set(order[2:]) == {"bv-a"}


def test_one_hospitals_flood_lets_others_through(centre: Centre) -> None:
    for number in range(60):
        centre.receive(value(number), f"a{number}", "bv-a")
    centre.receive(value(), "b", "bv-b")
    order: list[str] = []

    def process(item: Any) -> str:
        order.append(item.hospital)
        with write_transaction(centre.engine) as connection:
            centre.inbox.settle(item.id, "applied", now=NOW, connection=connection)
        return "applied"

    match_in_turns(InboxQueue(centre.engine), process, lambda: NOW)
    assert order.index("bv-b") <= 20


def test_it_stops_when_told_and_when_its_time_is_over(centre: Centre) -> None:
    centre.receive(value())
    queue = InboxQueue(centre.engine)
    assert not match_in_turns(queue, lambda _: "applied", lambda: NOW, seconds=0)
    assert not match_in_turns(queue, lambda _: "applied", lambda: NOW, stop=lambda: True)


def test_what_waits_is_looked_at_after_ever_longer_pauses(centre: Centre) -> None:
    item = centre.send(value(subject={"display": "ai đó"}))
    assert item.state == "unmatched"
    now = NOW
    for minutes in (20, 80, 320, 1280, 1440, 1440):
        now = next_look(centre.item(item.id).attempts - 1, now)
        assert centre.process(now=now - timedelta(seconds=1)) == {}
        assert centre.process(now=now) == {"unmatched": 1}
        assert next_look(centre.item(item.id).attempts - 1, now) == now + timedelta(minutes=minutes)


PATIENT = {"resourceType": "Patient", "identifier": [{"system": OURS, "value": "idan"}]}


def test_a_resource_that_it_names_makes_it_due(centre: Centre) -> None:
    waits = centre.send(value(subject={"reference": "Patient/p"}), "o1")
    other = centre.send(value(2, subject={"reference": "Patient/q"}), "o2")
    assert [waits.state, other.state] == ["unmatched", "unmatched"]
    centre.receive(PATIENT, "p")
    assert centre.process() == {"applied": 1}
    assert [centre.item(one.id).state for one in (waits, other)] == ["applied", "unmatched"]


def test_a_resource_of_another_hospital_does_not(centre: Centre) -> None:
    centre.send(value(subject={"reference": "Patient/p"}), "o1")
    centre.receive(PATIENT, "p", "bv-khac")
    assert centre.process() == {}


def test_a_report_that_lists_it_makes_it_due(centre: Centre) -> None:
    waits = centre.send(value(), "o1")
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Sinh hoá"},
        "basedOn": [{"identifier": {"system": OURS, "value": "idref1"}}],
        "subject": {"identifier": {"system": OURS, "value": "idan"}},
        "result": [{"reference": "Observation/o1"}],
    }
    centre.receive(report, "r1")
    assert centre.process() == {"applied": 2}
    assert centre.item(waits.id).cadre == "CB-1"


def test_what_the_ledger_learns_makes_it_due(centre: Centre) -> None:
    waits = centre.send(value(basedOn=[{"reference": "https://bv-tinh.example/fhir/ServiceRequest/72"}]))
    assert waits.state == "unmatched"
    centre.remote_referrals = {"72": "GT-2"}
    assert centre.process() == {}, "nothing says so yet"
    with write_transaction(centre.engine) as connection:
        note_arrivals(connection, [line_name("bv-tinh", "72"), line_name("bv-tinh", "73")])
    assert centre.process() == {"applied": 1}
    assert centre.item(waits.id).referral == "GT-2"


def test_what_it_awaits_is_forgotten_with_it(centre: Centre) -> None:
    first = centre.send(value(subject={"identifier": {"system": CCCD, "value": "024099000999"}}), "o1")
    centre.send(value(2, subject={"display": "ai đó"}), "o2")
    assert first.id in awaiting(centre)
    with write_transaction(centre.engine) as connection:
        erase_resources(connection, [SentResource("bv-tinh", "Observation", "o1")])
    assert first.id not in awaiting(centre)
    assert centre.process(now=NOW + timedelta(days=9)) == {"unmatched": 1}


def test_what_a_person_took_back_is_not_looked_at_again(centre: Centre) -> None:
    item = centre.send(value(subject={"identifier": {"system": OURS, "value": "idan"}}))
    assert item.state == "applied"
    centre.unlink(item.id)
    assert centre.process(again=True, now=NOW + timedelta(days=9)) == {}


def awaiting(centre: Centre) -> set[int]:
    with read_transaction(centre.engine) as connection:
        return set(connection.execute(select(awaited_name.c.item)).scalars())


def test_an_upgraded_database_looks_at_what_waits(centre: Centre) -> None:
    """As the migration leaves them: due, and awaiting nothing."""
    item = centre.send(value(subject={"display": "ai đó"}))
    with write_transaction(centre.engine) as connection:
        connection.execute(awaited_name.delete())
        connection.execute(update(inbox_item).values(due_at=inbox_item.c.received_at))
    assert centre.process() == {"unmatched": 1}
    assert item.id in awaiting(centre)


@pytest.mark.parametrize("known", [False, True])
def test_a_report_with_thousands_of_references_costs_a_few_statements(centre: Centre, known: bool) -> None:
    """It waits, and says why; it does not hold up the thread that matches for everybody."""
    if known:
        for number in range(60):
            centre.receive({"resourceType": "ServiceRequest", "status": "active"}, f"s{number}")
        centre.process()
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Sinh hoá"},
        "basedOn": [{"reference": f"ServiceRequest/s{number}"} for number in range(6000)],
        "result": [{"reference": f"Observation/o{number}"} for number in range(6000)],
    }
    centre.receive(report, "r1")
    statements: list[str] = []

    def note(*args: Any) -> None:
        statements.append(args[2])

    event.listen(centre.engine, "before_cursor_execute", note)
    started = monotonic()
    assert centre.process() == {"unmatched": 1}
    took = monotonic() - started
    event.remove(centre.engine, "before_cursor_execute", note)
    assert len(statements) < 60
    assert took < 3  # a hundredth of what it was, on a machine that has other work too
    item = next(one for one in centre.inbox.items("unmatched") if one.type == "DiagnosticReport")
    assert "too-many-references" in item.reasons
