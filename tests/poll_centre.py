"""A centre whose hospital bv-tinh lets it only read: a real server of the hospital over HTTP, with people of
ours and strangers, and a centre that polls it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from endpoint_centre import CCCD, centre_of_one
from hl7v2_centre import HOSPITAL, hold_referral
from sqlalchemy import select

from adapter.database import open_database, read_transaction
from adapter.fhir import codec
from adapter.inbox.tables import inbox_item
from adapter.operations.poll import poll_and_match
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.polling import PolledType
from adapter.repository.tables import repository_resource
from adapter.sandbox.app import SANDBOX_OWNER, SandboxHospital
from adapter.testing import Centre, serving

STRANGER = "Nguyễn Thị Người Lạ"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Polled:
    """The centre, the hospital's server, and the identity of the referral there."""

    centre: Centre
    there: SandboxHospital
    base: str
    identity: str

    def write(self, resource: dict[str, Any]) -> str:
        """The hospital's staff write it; its id."""
        if "id" in resource:
            return self.there.staff_repository.update(SANDBOX_OWNER, resource).id
        return self.there.staff_repository.create(SANDBOX_OWNER, resource).id

    def bundle(self, bundle: codec.Resource) -> None:
        """The hospital's staff carry out a transaction."""
        self.there.staff_repository.bundle(SANDBOX_OWNER, bundle, base=self.base)

    def patient(self, number: str = "024060012345", name: str = "Đỗ Văn Đức", **more: Any) -> str:
        """A Patient of the hospital's own; its id."""
        return self.write(
            {
                "resourceType": "Patient",
                "identifier": [{"system": CCCD, "value": number}],
                "name": [{"text": name}],
                **more,
            }
        )

    def observation(self, patient: str | None, value: int = 5, **more: Any) -> dict[str, Any]:
        """A result of that patient."""
        subject = {"subject": {"reference": f"Patient/{patient}"}} if patient else {}
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Kali máu"},
            "issued": "2026-11-02T09:40:00+07:00",
            "valueQuantity": {"value": value, "unit": "mmol/L"},
            **subject,
            **more,
        }

    def order(self) -> list[dict[str, Any]]:
        """A basedOn that names the referral by its identity."""
        system = self.centre.settings().centre.identifier_system
        return [{"type": "ServiceRequest", "identifier": {"system": system, "value": self.identity}}]


@contextmanager
def polled_centre(folder: Path, database_url: str, **poll: Any) -> Iterator[Polled]:
    """The centre with these settings of `[hospitals.bv-tinh.poll]`."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{folder / 'there.db'}")
    there = SandboxHospital(engine, HOSPITAL)
    with serving(there.app) as address:
        base = f"{address}/fhir"
        section = {"types": ["Task", "Observation", "Procedure", "DiagnosticReport"], **poll}
        with centre_of_one(folder / "centre", database_url, base_url=base, poll=section) as centre:
            with centre.open() as adapter:
                identity = hold_referral(adapter)
            yield Polled(centre, there, base, identity)
    engine.dispose()


def poll(adapter: Adapter, **more: Any) -> dict[str, PolledType]:
    """One round, by type."""
    return {one.type: one for one in poll_and_match(adapter, HOSPITAL, now, Event(), **more)}


def received(adapter: Adapter) -> list[tuple[str, str, int]]:
    """Type, id and our version of all in the inbox, in the order in which it came."""
    columns = (inbox_item.c.type, inbox_item.c.resource_id, inbox_item.c.version)
    with read_transaction(adapter.engine) as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(inbox_item.c.id))]


def held_bodies(adapter: Adapter) -> str:
    """All that the centre holds of what it read."""
    with read_transaction(adapter.engine) as connection:
        bodies = [*connection.execute(select(repository_resource.c.body)).scalars()]
        bodies += connection.execute(select(inbox_item.c.body)).scalars()
    return "\n".join(one if isinstance(one, str) else bytes(one).decode() for one in bodies)
