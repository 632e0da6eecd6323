"""What came before versions had a lineage: the upgrade finds again what belongs together, and who is who."""

from collections.abc import Iterator
from typing import Any

import pytest
from inbox_centre import NOW, OURS, receive_version
from sqlalchemy import Engine, column, table, text
from unmade import emptied

from adapter import database
from adapter.database import migrate, read_transaction, write_transaction
from adapter.fhir import codec
from adapter.inbox.receive import ReceivedVersion
from adapter.inbox.store import InboxStore
from adapter.inbox.tables import inbox_item
from adapter.records.lookups import cadres_by_names

MADE = "0015"
LOINC, LOCAL = {"system": "http://loinc.org", "code": "1"}, {"system": "urn:l", "code": "A"}


def report(status: str, *codings: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:r", "value": "17"}, {"system": "urn:a", "value": "9"}],
        "status": status,
        "code": {"coding": list(codings)},
        "result": [{"reference": "Observation/o1"}],
        **more,
    }


@pytest.fixture
def upgraded(database_url: str) -> Iterator[Engine]:
    """A database of the version before, with versions of one result and a person, brought up to date."""
    engine = emptied(database_url)
    versions = database._versions()
    for version in versions[: versions.index(MADE)]:
        database._step(engine, version)
    sent = [
        ("r1", "urn:r|17 http://loinc.org|1", report("final", LOINC, LOCAL)),
        ("r2", "urn:r|17 http://loinc.org|1", report("corrected", LOINC)),
        ("r1", None, {"resourceType": "DiagnosticReport", "status": "amended", "code": {"text": "?"}}),
        ("r9", None, {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "?"}}),
    ]
    columns = [one for one in inbox_item.columns if one.name not in ("lineage", "delivery")]
    before = table("inbox_item", *(column(one.name, one.type) for one in columns))
    same = {"hospital": "bv", "type": "DiagnosticReport", "version": 1, "received_at": NOW, "state": "new"}
    same |= {"reasons": "[]", "candidates": "[]", "attempts": 0}
    person = text(
        "INSERT INTO record (kind, key, cadre, body, digest, deleted, position)"
        " VALUES ('cadre', 'CB-1', 'CB-1', :body, '', :no, 1)"
    )
    body = {"name": "Nguyễn Văn An", "birth_date": "1955-03-14", "key": "CB-1"}
    with write_transaction(engine) as connection:
        for number, (id_, identity, resource) in enumerate(sent):
            values = {**same, "resource_id": id_, "identity": identity, "digest": str(number)}
            connection.execute(before.insert().values(**values, body=codec.dumps(resource).decode()))
        connection.execute(person.bindparams(body=codec.dumps(body).decode(), no=False))
    migrate(engine)
    yield engine
    engine.dispose()


def test_versions_are_found_again(upgraded: Engine) -> None:
    store = InboxStore(upgraded)
    assert [one.lineage for one in store.items()] == [1, 1, 1, 4]
    assert [one["status"] for one in store.listed_by("bv", "Observation/o1")] == ["corrected"]
    withdrawal = report("entered-in-error", LOCAL, subject={"identifier": {"system": OURS, "value": "x"}})
    with write_transaction(upgraded) as connection:
        received: ReceivedVersion = receive_version(
            connection,
            hospital="bv",
            type="DiagnosticReport",
            id="r3",
            version=1,
            resource=withdrawal,
            body=codec.dumps(withdrawal),
            now=NOW,
        )
    item = store.get(received.item)
    assert item is not None
    assert (item.lineage, item.reasons) == (1, ())


def test_people_are_found_by_name_and_birth_date(upgraded: Engine) -> None:
    with read_transaction(upgraded) as connection:
        assert cadres_by_names(connection, [("NGUYEN VAN AN", "1955-03-14")]) == ["CB-1"]
