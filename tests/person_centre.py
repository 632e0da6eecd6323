"""A centre whose hospital is certain of people by their numbers, what it sends, and who looked."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inbox_centre import hold_patients, receive_version
from sqlalchemy import select

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.fhir import codec
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.records.model import Cadre
from adapter.testing.centre import Centre

__all__ = ["looks", "people", "person_centre", "push"]

SYSTEM = "https://bv-tinh.example/cccd"
NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


@contextmanager
def person_centre(folder: Path) -> Iterator[Centre]:
    """A centre of six people."""
    hospitals = {
        "bv-tinh": {"level": "provincial", "systems": {"citizen_id": SYSTEM}},
        "bv-trung-uong": {"level": "central"},
    }
    with Centre(folder, hospitals=hospitals) as made:
        made.import_sample(cadres=6)
        with made.open() as adapter:
            hold_patients(adapter, "bv-tinh", *(one.key for one in people(adapter)))
        yield made


def people(adapter: Adapter) -> list[Cadre]:
    return [one for one in adapter.records.iterate("cadre") if isinstance(one, Cadre) and one.national_id]


def push(adapter: Adapter, cadre: Cadre, *resources: dict[str, Any]) -> None:
    """What a hospital sends of a person, who is certain by number; then the inbox is worked off."""
    subject = {"identifier": {"system": SYSTEM, "value": cadre.national_id}}
    with write_transaction(adapter.engine) as connection:
        for number, one in enumerate(resources):
            sent = dict(one)
            if sent["resourceType"] in ("Observation", "DiagnosticReport", "Procedure"):
                sent = {"subject": subject, **sent}
            sent = {"id": f"{one['resourceType'].lower()}-{number}", "meta": {"versionId": "1"}, **sent}
            receive_version(
                connection,
                hospital="bv-tinh",
                type=sent["resourceType"],
                id=sent["id"],
                version=int(sent["meta"]["versionId"]),
                resource=sent,
                body=codec.dumps(sent),
                now=NOW,
            )
    process_inbox(adapter, lambda: NOW)


def looks(adapter: Adapter) -> list[tuple[str, str | None, str]]:
    """What the audit says of who looked: action, person, details."""
    with read_transaction(adapter.engine) as connection:
        rows = connection.execute(select(audit.audit).order_by(audit.audit.c.seq)).all()
    return [(row.action, row.subject, row.details) for row in rows if row.action.startswith("record.")]
