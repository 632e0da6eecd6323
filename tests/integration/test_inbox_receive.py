"""The door of the inbox: durable with the caller's transaction, repeats recognised."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from adapter.database import write_transaction
from adapter.fhir import codec
from adapter.inbox.receive import receive_version
from adapter.inbox.store import InboxStore

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
