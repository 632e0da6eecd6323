"""The door of the inbox: durable with the caller's transaction, repeats recognised."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from inbox_centre import receive_version
from sqlalchemy import Engine, event, select

from adapter.database import read_transaction, write_transaction
from adapter.fhir import codec
from adapter.inbox.receive import AcceptedVersion, receive_versions
from adapter.inbox.recognition import Recognition
from adapter.inbox.store import InboxStore
from adapter.inbox.tables import inbox_item, inbox_listing, inbox_mark

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


def _report(**more: Any) -> dict[str, Any]:
    return {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Siêu âm"}, **more}


def _send(engine: Engine, resource: dict[str, Any], id_: str = "r1", *, hospital: str = "bv-tinh") -> int:
    with write_transaction(engine) as connection:
        return receive_version(
            connection,
            hospital=hospital,
            type=resource["resourceType"],
            id=id_,
            version=1,
            resource=resource,
            body=codec.dumps(resource),
            now=NOW,
        ).item


IDENTITY = [{"system": "urn:his:report", "value": "17"}]


def test_an_item_keeps_the_body_as_it_was(engine: Engine) -> None:
    number = _send(engine, _report(identifier=IDENTITY, note="5.30"))
    item = InboxStore(engine).get(number)
    assert item is not None
    assert (item.state, item.identity, item.received_at) == ("new", "urn:his:report|17 Siêu âm", NOW)
    assert item.body.encode() == codec.dumps(_report(identifier=IDENTITY, note="5.30"))


def test_nothing_stays_of_a_transaction_that_failed(engine: Engine) -> None:
    with pytest.raises(RuntimeError), write_transaction(engine) as connection:  # noqa: PT012 - both belong to it
        body = _report()
        receive_version(
            connection,
            hospital="bv-tinh",
            type="DiagnosticReport",
            id="r1",
            version=1,
            resource=body,
            body=codec.dumps(body),
            now=NOW,
        )
        raise RuntimeError
    assert sum(InboxStore(engine).counts().values()) == 0


@pytest.mark.parametrize("identifier", [IDENTITY, None])
def test_the_same_again_is_the_same_item(engine: Engine, identifier: Any) -> None:
    report = _report(**({"identifier": identifier} if identifier else {}))
    first = _send(engine, report)
    again = {name: report[name] for name in reversed(report)} | {"id": "r2", "meta": {"versionId": "1"}}
    assert _send(engine, again, "r2") == first
    assert _send(engine, report, hospital="bv-trung-uong") != first
    assert InboxStore(engine).counts()["new"] == 2


@pytest.mark.parametrize("identifier", [IDENTITY, None])
def test_a_correction_back_to_the_first_content_is_no_repeat(engine: Engine, identifier: Any) -> None:
    more = {"identifier": identifier} if identifier else {}
    numbers = [_send(engine, _report(conclusion=text, **more)) for text in ("A", "B", "A")]
    assert len(set(numbers)) == 3


def test_a_value_without_a_system_identifies_nothing(engine: Engine) -> None:
    first = _send(engine, _report(identifier=[{"value": "1"}], conclusion="A"), "r1")
    other = _send(engine, _report(identifier=[{"value": "1"}], conclusion="B"), "r2")
    assert first != other
    item = InboxStore(engine).get(other)
    assert item is not None
    assert item.identity is None


@pytest.mark.parametrize("value", ["a\x00b", "x" * 5_000])
def test_identities_no_database_could_hold(engine: Engine, value: str) -> None:
    report = _report(identifier=[{"system": "urn:x", "value": value}])
    first = _send(engine, report, "r1")
    assert _send(engine, report, "r2") == first


def test_context_is_kept_but_waits_for_nobody(engine: Engine) -> None:
    patient = {"resourceType": "Patient", "name": [{"text": "Nguyễn Văn An"}]}
    item = InboxStore(engine).get(_send(engine, patient, "p1"))
    assert item is not None
    assert (item.state, item.reasons) == ("ignored", ("context",))
    assert InboxStore(engine).newest_version("bv-tinh", "Patient/p1") == patient
    assert InboxStore(engine).newest_version("bv-trung-uong", "Patient/p1") is None


def test_listing_pages_through_everything_in_order(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        for number in range(450):
            body = _report(conclusion=str(number))
            receive_version(
                connection,
                hospital="bv-tinh",
                type="DiagnosticReport",
                id=f"r{number}",
                version=1,
                resource=body,
                body=codec.dumps(body),
                now=NOW,
            )
    listed = [item.resource["conclusion"] for item in InboxStore(engine).items("new")]
    assert listed == [str(number) for number in range(450)]


# Together and one by one

TYPES = ("Observation", "Observation", "DiagnosticReport", "Task", "DocumentReference", "Patient")
STATUSES = ("final", "final", "final", "preliminary", "corrected", "entered-in-error", "cancelled")


def _deliveries(chance: random.Random) -> Iterator[list[AcceptedVersion]]:
    """Requests whose resources share URLs, contents, numbers and codes with earlier ones and each other."""
    versions: Counter[tuple[str, str]] = Counter()
    for _ in range(8):
        accepted: dict[tuple[str, str], AcceptedVersion] = {}
        for _ in range(chance.randint(1, 6)):
            type_, id_ = chance.choice(TYPES), f"r{chance.randint(1, 25)}"
            resource: dict[str, Any] = {"resourceType": type_, "status": chance.choice(STATUSES)}
            if chance.random() < 0.8:
                resource["identifier"] = [{"system": "urn:his", "value": str(chance.randint(1, 6))}]
            if type_ != "Task":
                resource["code"] = {"coding": [{"system": "http://loinc.org", "code": chance.choice("abc")}]}
            if type_ == "DiagnosticReport":
                resource["result"] = [{"reference": f"Observation/r{chance.randint(1, 9)}"}]
            resource["note"] = [{"text": chance.choice("xy")}]
            accepted[type_, id_] = AcceptedVersion(
                type_, id_, versions[type_, id_] + 1, resource, codec.dumps(resource)
            )
        versions.update(accepted.keys())
        yield list(accepted.values())


def _content(engine: Engine, hospital: str) -> list[Any]:
    """All that is kept of a hospital, with the numbers of its items from 1 on."""
    with read_transaction(engine) as connection:
        items = connection.execute(
            select(inbox_item).where(inbox_item.c.hospital == hospital).order_by(inbox_item.c.id)
        ).all()
        order = {row.id: place for place, row in enumerate(items, 1)}
        marks = connection.execute(select(inbox_mark).where(inbox_mark.c.hospital == hospital)).all()
        listed = connection.execute(select(inbox_listing).where(inbox_listing.c.hospital == hospital)).all()
    numbers = {"id": order, "lineage": order, "hospital": {hospital: "?"}}
    return [
        sorted(
            (
                {name: numbers[name][one] if name in numbers else one for name, one in row._mapping.items()}
                for row in rows
            ),
            key=str,
        )
        for rows in (items, marks, listed)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_together_is_kept_as_one_by_one(
    engine: Engine, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, accepted in enumerate(_deliveries(random.Random(seed))):  # noqa: S311 - the same each time
        delivery = f"d{number}"
        with write_transaction(engine) as connection:
            together = receive_versions(connection, "bv-a", accepted, now=NOW, delivery=delivery)
        with write_transaction(engine) as connection, monkeypatch.context() as patched:
            patched.setattr(Recognition, "unknown", lambda *_: set())  # each is looked at as if it had a past
            alone = [
                received
                for one in accepted
                for received in receive_versions(connection, "bv-b", [one], now=NOW, delivery=delivery)
            ]
        assert [one.older for one in together] == [one.older for one in alone]
        assert _content(engine, "bv-a") == _content(engine, "bv-b")


def test_a_hundred_new_results_cost_hardly_more_statements_than_two(engine: Engine) -> None:
    asked: list[str] = []

    def counting(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    def statements(count: int, start: int) -> int:
        listed = [
            _report(identifier=[{"system": "urn:his", "value": f"{start + place}"}]) for place in range(count)
        ]
        accepted = [
            AcceptedVersion("DiagnosticReport", f"r{start + place}", 1, one, codec.dumps(one))
            for place, one in enumerate(listed)
        ]
        asked.clear()
        with write_transaction(engine) as connection:
            receive_versions(connection, "bv-tinh", accepted, now=NOW)
        return len(asked)

    event.listen(engine, "before_cursor_execute", counting)
    try:
        # on SQLite a hundred rows are written in blocks of three sizes, two in blocks of one: twice two more
        assert statements(100, 10) <= statements(2, 0) + 2 + 2 * 2
    finally:
        event.remove(engine, "before_cursor_execute", counting)
