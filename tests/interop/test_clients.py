"""Other people's FHIR clients at `adapter serve`, as they are, each with a hospital's token."""

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from interop.call import Call
from interop.drivers import DRIVERS, Driver
from interop.scenario import STEPS
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import select

from adapter.database import read_transaction
from adapter.hospital_tokens import issue_token
from adapter.inbox.tables import inbox_item
from adapter.testing import Centre, free_port

KEY = ECKey.generate_key("P-384", {"kid": "k1", "use": "sig"}, auto_kid=False)
NO_HEADERS = {"create_if_none", "update_version", "update_if", "unchanged", "patch", "search_by_post"}
CANNOT = {
    "fhirpy": {"login", "token_url", "patch", "search_by_post"},
    "fhirpy-async": {"login", "token_url", "patch", "search_by_post"},
    "fhir-kit-client": {"login", "unchanged", "merge"},
    "hapi-json": {"login", "token_url", "merge"},
    "hapi-xml": {"login", "token_url", "merge"},
    "smart-fhirclient": {*NO_HEADERS, "token_url", "merge", "validate"},
    "medplum": {"token_url", "unchanged", "merge", "search_by_post"},
    "fhir-kindling": {*NO_HEADERS, "login", "token_url", "history", "vread", "merge", "validate"},
}
"""What a client has no means for: neither a method nor headers of one's own."""


@dataclass(frozen=True)
class Endpoint:
    """`adapter serve`, with a hospital for each client, named as it is."""

    centre: Centre
    base: str
    tokens: dict[str, str]
    strangers: str

    @property
    def token_url(self) -> str:
        return self.base.removesuffix("/fhir") + "/auth/token"

    def assertion(self, hospital: str) -> str:
        """A new one, as SMART Backend Services has it."""
        now = int(time.time())
        claims = {"iss": hospital, "sub": hospital, "aud": self.token_url, "exp": now + 240}
        header = {"alg": "ES384", "kid": "k1", "typ": "JWT"}
        return jwt.encode(header, {**claims, "jti": secrets.token_hex(8)}, KEY, algorithms=["ES384"])

    def received(self, hospital: str) -> list[tuple[str, str, int]]:
        """Type, id and version of what is in the inbox of it."""
        columns = (inbox_item.c.type, inbox_item.c.resource_id, inbox_item.c.version)
        with self.centre.open() as adapter, read_transaction(adapter.engine) as connection:
            rows = connection.execute(select(*columns).where(inbox_item.c.hospital == hospital))
            return sorted((type, id, version) for type, id, version in rows)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Started once for all clients."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "keys.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    names = (*DRIVERS, "somebody-else")
    hospitals = {
        name: {"base_url": f"http://10.0.0.{number}:8080/fhir", "client": {"jwks_file": "keys.json"}}
        for number, name in enumerate(names, 1)
    }
    port = free_port()
    settings = {"public_url": f"http://127.0.0.1:{port}/fhir"}
    with Centre(folder, hospitals=hospitals, settings=settings, port=port) as centre:
        with centre.open() as adapter:
            tokens = {name: issue_token(adapter.engine, name, datetime.now(UTC), by="test") for name in names}
        base = centre.start_endpoint()
        headers = {"Authorization": f"Bearer {tokens['somebody-else']}"}
        stranger = {"resourceType": "Patient", "name": [{"text": "Bà Đặng Thị Hoà"}]}
        made = httpx.post(f"{base}/Patient", headers=headers, json=stranger)
        assert made.status_code == 201, made.text
        yield Endpoint(centre, base, tokens, made.json()["id"])


@pytest.mark.parametrize("client", DRIVERS)
def test_a_client_as_it_is_does_its_work(client: str, endpoint: Endpoint, figures: list[str]) -> None:
    token = endpoint.tokens[client]
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/fhir+json"}
    with (
        Driver(client, endpoint.base) as driver,
        httpx.Client(base_url=endpoint.base, headers=headers, timeout=30) as http,
    ):
        call = Call(
            driver=driver,
            http=http,
            token=token,
            strangers=endpoint.strangers,
            assertion=lambda: endpoint.assertion(client),
            token_url=endpoint.token_url,
        )
        for step in STEPS:
            try:
                step(call)
            except AssertionError as error:
                raise AssertionError(f"{client}, {step.__name__}: {step.__doc__}\n{error}") from error
        kept = [
            (found["resourceType"], found["id"], int(found["meta"]["versionId"]))
            for found in (entry["resource"] for entry in call.get("_history", _count="500")["entry"])
        ]
    left_out = driver.cannot
    assert left_out == CANNOT[client]
    assert endpoint.received(client) == sorted(kept), "nothing is lost or doubled on the way to the inbox"
    figures.append(f"{client}: {driver.steps} requests in {len(STEPS)} steps, without {sorted(left_out)}")
