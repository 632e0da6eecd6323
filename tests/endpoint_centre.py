"""A centre of one person, who was sent to the hospital that calls its endpoint over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
from inbox_centre import hold_patients, put_records

from adapter.hospital_tokens import issue_token
from adapter.records.model import Cadre, Sex, Tier
from adapter.testing import Centre, serving
from adapter.web.endpoint import adapter_endpoint

CCCD = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"
HOME = "http://10.0.0.7:8080/fhir"
DUC = Cadre(
    key="CB-1",
    name="Đỗ Văn Đức",
    sex=Sex.MALE,
    birth_date=date(1960, 3, 12),
    tier=Tier.T4,
    national_id="024060012345",
)
PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": CCCD, "value": "024060012345"}],
    "name": [{"text": "Ông Đỗ Văn Đức"}],
    "birthDate": "1960-03-12",
}


@contextmanager
def centre_of_one(folder: Path, database_url: str, **hospital: Any) -> Iterator[Centre]:
    """The centre; `hospital` are more settings of bv-tinh."""
    section = {"base_url": HOME, "systems": {"citizen_id": CCCD}, **hospital}
    with Centre(folder, hospitals={"bv-tinh": section}, database_url=database_url) as centre:
        with centre.open() as adapter:
            put_records(adapter.engine, (DUC,))
            hold_patients(adapter, "bv-tinh", DUC.key)
        centre.put_server_cards()
        yield centre


@contextmanager
def calling(centre: Centre) -> Iterator[httpx.Client]:
    """Whoever has the token of bv-tinh."""
    with centre.open() as adapter:
        token = issue_token(adapter.engine, "bv-tinh", datetime.now(UTC), by="test")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
        with (
            serving(adapter_endpoint(adapter)) as base,
            httpx.Client(base_url=base, headers=headers) as client,
        ):
            yield client


def request_bundle(*resources: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    """A Bundle that creates these."""
    asked = ({"method": "POST", "url": one["resourceType"]} for one in resources)
    entries = [{"resource": one, "request": how} for one, how in zip(resources, asked, strict=True)]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}
