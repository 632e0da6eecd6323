"""A centre whose hospitals may subscribe to their referrals, and what they send for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from adapter.database import read_transaction
from adapter.hospital_tokens import issue_token
from adapter.subscriptions.topic import PAYLOAD_CONTENT
from adapter.testing import Centre, serving
from adapter.web.endpoint import adapter_endpoint

PUBLIC = "https://adapter.centre.example/fhir"
TOPIC = f"{PUBLIC}/SubscriptionTopic/referral-change"
SECRET = "khong-ai-duoc-thay"
HOSTS = ["hook.hospital.example", "http://127.0.0.1:8099"]
_TABLES = (
    "subscription",
    "subscription_event",
    "audit",
    "refused_request",
    "repository_resource",
    "inbox_item",
)


def subscription(*, channel: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """A Subscription that the endpoint takes, but for what is `changed`; None leaves an element out."""
    whole = {
        "type": "rest-hook",
        "endpoint": "https://hook.hospital.example/changes",
        "payload": "application/fhir+json",
        "_payload": {"extension": [{"url": PAYLOAD_CONTENT, "valueCode": "id-only"}]},
        "header": [f"Authorization: Bearer {SECRET}"],
        **(channel or {}),
    }
    resource = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Theo dõi phiếu chuyển",
        "criteria": TOPIC,
        "channel": {name: value for name, value in whole.items() if value is not None},
        **changed,
    }
    return {name: value for name, value in resource.items() if value is not None}


def subscribing_centre(folder: Path, database_url: str, *, hosts: list[str] | None = None) -> Centre:
    """Two hospitals that may subscribe, and one that may not."""
    listed = hosts or HOSTS
    hospitals = {
        "bv-tinh": {"base_url": "http://10.0.0.7:8080/fhir", "subscription_hosts": listed},
        "bv-huyen": {"base_url": "http://10.0.0.8:8080/fhir", "subscription_hosts": listed},
        "bv-khac": {"base_url": "http://10.0.0.9:8080/fhir"},
    }
    return Centre(folder, hospitals=hospitals, database_url=database_url, settings={"public_url": PUBLIC})


@contextmanager
def calling(centre: Centre, hospital: str = "bv-tinh") -> Iterator[httpx.Client]:
    """Whoever has the token of a hospital, at the endpoint."""
    with centre.open() as adapter:
        token = issue_token(adapter.engine, hospital, datetime.now(UTC), by="test")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
        with (
            serving(adapter_endpoint(adapter)) as base,
            httpx.Client(base_url=f"{base}/fhir", headers=headers) as client,
        ):
            yield client


def stored_texts(centre: Centre) -> str:
    """All that the database holds but the header lines themselves."""
    said = []
    with centre.open() as adapter, read_transaction(adapter.engine) as connection:
        for table in _TABLES:
            for row in connection.execute(text(f"SELECT * FROM {table}")).mappings():  # noqa: S608 - ours
                said += [
                    bytes(value).decode() if isinstance(value, bytes | memoryview) else str(value)
                    for name, value in row.items()
                    if name != "headers"
                ]
    return "\n".join(said)
