"""A hospital's client signs who it is, gets a token of five minutes, and may do what its scopes say."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import plainly
import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import Engine, func, select

from adapter import audit
from adapter.authorization.access_tokens import access_token, used_assertion
from adapter.authorization.clients import HospitalClients
from adapter.database import read_transaction
from adapter.pipeline.inbound.hospital_clients import fetch_keys
from adapter.settings.client import ClientRegistration, OutsideIssuer
from adapter.testing import ManualClock, serving
from adapter.web.app import endpoint_app
from adapter.web.bearer_tokens import TrustedProxy

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
KEY = ECKey.generate_key("P-384", {"kid": "k1", "use": "sig"}, auto_kid=False)
TOKEN_URL = "https://centre.example/auth/token"
FHIR = {"Content-Type": "application/fhir+json"}
REPORT = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "CT"}}
CERTIFICATE = b"what a certificate is made of"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def issuer() -> Iterator[str]:
    """Another server, from which a hospital has its tokens."""
    login = FastAPI()
    with serving(login) as url:

        @login.get("/.well-known/openid-configuration")
        def discovery() -> dict[str, Any]:
            return {"issuer": url, "jwks_uri": f"{url}/keys"}

        @login.get("/keys")
        def keys() -> dict[str, Any]:
            return {"keys": [KEY.as_dict(private=False)]}

        yield url


@pytest.fixture
def base(engine: Engine, clock: ManualClock, tmp_path: Path, issuer: str) -> Iterator[str]:
    """An endpoint; one client has keys, one an issuer's tokens, one a certificate, one nothing."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    outside = OutsideIssuer(url=issuer, client_id="their-client", audience="cadre")
    clients = HospitalClients(
        engine,
        {
            "bv-tinh": ClientRegistration(jwks_file=Path("keys.json"), scopes="system/*.crus"),
            "bv-noi": ClientRegistration(issuer=outside, scopes="system/*.rs"),
            "bv-mtls": ClientRegistration(certificates=(sha256(CERTIFICATE).hexdigest(),)),
            "bv-khac": ClientRegistration(),
        },
        folder=tmp_path,
        token_url=TOKEN_URL,
        monotonic=clock.uptime,
        clock=clock,
        fetch=fetch_keys,
    )
    app = endpoint_app(
        engine,
        on_changes=lambda *_: None,
        hospitals={"bv-tinh", "bv-noi", "bv-mtls", "bv-khac"},
        clients=clients,
        proxy=TrustedProxy("the proxy's secret", "X-Proxy-Secret", "Client-Cert"),
    )
    with serving(app) as url:
        yield url


def assertion(clock: ManualClock, number: str = "1", **change: Any) -> str:
    claims = {
        "iss": "bv-tinh",
        "sub": "bv-tinh",
        "aud": TOKEN_URL,
        "exp": int(clock().timestamp()) + 200,
        "jti": number,
        **change,
    }
    return jwt.encode({"alg": "ES384", "kid": "k1"}, claims, KEY, algorithms=["ES384"])


def ask(base: str, signed: str, scope: str | None = "system/*.cruds", **change: str) -> Any:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed,
        **({} if scope is None else {"scope": scope}),
        **change,
    }
    return plainly.post(f"{base}/auth/token", data=form)


def bearer(answer: Any) -> dict[str, str]:
    return {**FHIR, "Authorization": f"Bearer {answer.json()['access_token']}"}


def test_where_the_token_endpoint_is_can_be_asked_by_anybody(base: str) -> None:
    found = plainly.get(f"{base}/fhir/.well-known/smart-configuration")
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    said = found.json()
    assert said["token_endpoint"] == TOKEN_URL
    assert said["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert "client-confidential-asymmetric" in said["capabilities"]


def test_who_reads_only_the_capability_statement_finds_the_token_endpoint_too(base: str) -> None:
    (rest,) = plainly.get(f"{base}/fhir/metadata").json()["rest"]
    (uris,) = rest["security"]["extension"]
    assert uris["url"].endswith("/oauth-uris")
    assert uris["extension"] == [{"url": "token", "valueUri": TOKEN_URL}]
    assert rest["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"


def test_who_asks_for_no_scope_gets_what_is_registered(base: str, clock: ManualClock) -> None:
    got = ask(base, assertion(clock), scope=None)
    assert (got.status_code, got.json()["scope"]) == (200, "system/*.crus")
    assert ask(base, assertion(clock), scope="").json()["error"] == "invalid_scope"


def test_a_signed_assertion_becomes_a_token_that_works(base: str, clock: ManualClock) -> None:
    got = ask(base, assertion(clock))
    assert got.status_code == 200, got.text
    assert {**got.json(), "access_token": ""} == {
        "access_token": "",
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/*.crus",
    }
    assert got.headers["cache-control"] == "no-store"
    made = plainly.post(f"{base}/fhir/DiagnosticReport", content=json.dumps(REPORT), headers=bearer(got))
    assert made.status_code == 201
    clock.advance(minutes=5)
    late = plainly.get(f"{base}/fhir/DiagnosticReport", headers=bearer(got))
    assert late.status_code == 401
    assert late.json()["resourceType"] == "OperationOutcome"


def test_an_assertion_is_good_once(base: str, engine: Engine, clock: ManualClock) -> None:
    signed = assertion(clock)
    assert ask(base, signed).status_code == 200
    again = ask(base, signed)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert "used-again" in again.json()["error_description"]
    with read_transaction(engine) as connection:
        assert connection.execute(select(func.count()).select_from(access_token)).scalar_one() == 1


def test_what_is_over_is_forgotten(base: str, engine: Engine, clock: ManualClock) -> None:
    for number in range(5):
        assert ask(base, assertion(clock, str(number))).status_code == 200
        clock.advance(minutes=10)
    with read_transaction(engine) as connection:
        for table in (access_token, used_assertion):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 1


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_assertion": "a.b.c"}, 401, "invalid_client"),
        ({"client_assertion": ""}, 400, "invalid_request"),
        ({"client_assertion_type": "password"}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "openid"}, 400, "invalid_scope"),
        ({"scope": "system/Patient.d"}, 400, "invalid_scope"),
    ],
)
def test_errors_are_what_oauth_clients_read(
    base: str, clock: ManualClock, change: dict[str, str], status: int, error: str
) -> None:
    refused = ask(base, assertion(clock), **change)
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert refused.headers["content-type"] == "application/json"
    assert set(refused.json()) == {"error", "error_description"}


def test_who_is_not_registered_or_has_no_keys_is_nobody(
    base: str, engine: Engine, clock: ManualClock
) -> None:
    for name in ("bv-khac", "bv-la", "bv-noi"):
        assert ask(base, assertion(clock, iss=name, sub=name)).status_code == 401
    assert plainly.post(f"{base}/auth/token", content=b"{}", headers=FHIR).status_code == 400
    assert plainly.post(f"{base}/auth/token", data={"scope": "x" * 30_000}).status_code == 413
    with read_transaction(engine) as connection:
        refused = select(audit.audit.c.action).where(audit.audit.c.action == "login.refused")
        assert connection.execute(refused).first() is not None


def test_scopes_hold_at_each_interaction(base: str, clock: ManualClock) -> None:
    writer = bearer(ask(base, assertion(clock, "w"), "system/DiagnosticReport.c"))
    reader = bearer(ask(base, assertion(clock, "r"), "system/DiagnosticReport.rs"))
    made = plainly.post(f"{base}/fhir/DiagnosticReport", content=json.dumps(REPORT), headers=writer)
    where = f"{base}/fhir/DiagnosticReport/{made.json()['id']}"

    def status(method: str, url: str, headers: dict[str, str], body: object = None) -> int:
        content = json.dumps(body) if body is not None else None
        answer = plainly.request(method, url, headers=headers, content=content)
        if answer.status_code == 403:
            assert "system/" in answer.json()["issue"][0]["diagnostics"]
        return int(answer.status_code)

    changed = {**made.json(), "status": "amended"}
    for method, url, body in [
        ("GET", where, None),
        ("GET", f"{where}/_history", None),
        ("GET", f"{where}/_history/1", None),
        ("GET", f"{base}/fhir/DiagnosticReport", None),
        ("GET", f"{base}/fhir/DiagnosticReport/_history", None),
        ("GET", f"{base}/fhir/_history", None),
        ("PUT", where, changed),
        ("PATCH", where, []),
        ("DELETE", where, None),
        ("POST", f"{base}/fhir/Observation", {**REPORT, "resourceType": "Observation"}),
    ]:
        assert status(method, url, writer, body) == 403, (method, url)
    assert status("GET", where, reader) == 200
    assert status("GET", f"{base}/fhir/DiagnosticReport", reader) == 200
    assert status("GET", f"{base}/fhir/DiagnosticReport/_history", reader) == 200
    assert status("GET", f"{base}/fhir/_history", reader) == 403, "it may hold any type"
    assert status("GET", f"{base}/fhir/Observation", reader) == 403
    assert status("POST", f"{base}/fhir/DiagnosticReport", reader, REPORT) == 403
    assert status("GET", f"{base}/fhir/metadata", reader) == 200


BEYOND = (
    "subject:Patient.name=x",
    "patient.name=x",
    "result.code=1",
    "_has:Task:focus:status=x",
    "_include=DiagnosticReport:subject",
    "_include=DiagnosticReport:result",
    "_revinclude=Task:focus",
)


@pytest.mark.parametrize("query", BEYOND)
def test_a_search_looks_at_no_type_that_is_not_in_the_scopes(
    base: str, clock: ManualClock, query: str
) -> None:
    reader = bearer(ask(base, assertion(clock, "r"), "system/DiagnosticReport.crus"))
    url = f"{base}/fhir/DiagnosticReport"
    form = {**reader, "Content-Type": "application/x-www-form-urlencoded"}
    entry = {"request": {"method": "GET", "url": f"DiagnosticReport?{query}"}}
    made = {
        "resource": REPORT,
        "request": {"method": "POST", "url": "DiagnosticReport", "ifNoneExist": query},
    }
    batches = [{"resourceType": "Bundle", "type": "batch", "entry": [one]} for one in (entry, made)]
    asked = [
        plainly.get(f"{url}?{query}", headers=reader),
        plainly.post(f"{url}/_search", content=query, headers=form),
        *(plainly.post(f"{base}/fhir", content=json.dumps(one), headers=reader) for one in batches),
        plainly.post(url, content=json.dumps(REPORT), headers={**reader, "If-None-Exist": query}),
    ]
    assert [one.status_code for one in asked] == [403] * 5
    assert plainly.get(f"{url}?status=final&_sort=-date", headers=reader).status_code == 200


def test_scopes_hold_for_each_entry_of_a_bundle(base: str, clock: ManualClock) -> None:
    writer = bearer(ask(base, assertion(clock, "w"), "system/DiagnosticReport.c"))

    def bundle(*entries: dict[str, Any], kind: str = "batch") -> Any:
        body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
        return plainly.post(f"{base}/fhir", content=json.dumps(body), headers=writer)

    create = {"resource": REPORT, "request": {"method": "POST", "url": "DiagnosticReport"}}
    assert bundle(create).status_code == 200
    for method, url in [
        ("GET", "DiagnosticReport"),
        ("GET", "DiagnosticReport?status=final"),
        ("GET", "Observation/1"),
        ("DELETE", "DiagnosticReport/1"),
        ("PUT", "DiagnosticReport/1"),
        ("put", "https://lab.example/fhir/DiagnosticReport/1"),
        ("POST", "Observation"),
    ]:
        refused = bundle(create, {"resource": REPORT, "request": {"method": method, "url": url}})
        assert refused.status_code == 403, (method, url)
    held = {"resource": {**REPORT, "id": "1"}}
    named = {**held, "fullUrl": "https://lab.example/fhir/DiagnosticReport/1"}
    assert bundle(held, kind="collection").status_code == 200
    assert bundle(named, kind="collection").status_code == 403, "under a name it is an update"


def test_another_issuers_token_and_a_proxys_certificate(base: str, clock: ManualClock, issuer: str) -> None:
    discovered = plainly.get(f"{base}/fhir/DiagnosticReport", headers={"Authorization": "Bearer a.b.c"})
    assert discovered.status_code == 401
    claims = {
        "iss": issuer,
        "client_id": "their-client",
        "aud": "cadre",
        "exp": int(clock().timestamp()) + 60,
        "scope": "system/*.cruds",
    }
    token = jwt.encode({"alg": "ES384", "kid": "k1"}, claims, KEY, algorithms=["ES384"])
    theirs = {**FHIR, "Authorization": f"Bearer {token}"}
    assert plainly.get(f"{base}/fhir/DiagnosticReport", headers=theirs).status_code == 200
    refused = plainly.post(f"{base}/fhir/DiagnosticReport", content=json.dumps(REPORT), headers=theirs)
    assert refused.status_code == 403  # the settings give it reading alone
    shown = {"Client-Cert": f":{base64.b64encode(CERTIFICATE).decode()}:"}
    proxy = {**shown, "X-Proxy-Secret": "the proxy's secret"}
    assert plainly.get(f"{base}/fhir/DiagnosticReport", headers=proxy).status_code == 200
    for nobody in (
        shown,
        {**shown, "X-Proxy-Secret": "guessed"},
        {**proxy, "Client-Cert": f":{base64.b64encode(b'another').decode()}:"},
        {"X-Proxy-Secret": "the proxy's secret"},
    ):
        assert plainly.get(f"{base}/fhir/DiagnosticReport", headers=nobody).status_code == 401


def test_while_keys_cannot_be_fetched_nobody_is_told_to_give_up(
    engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """The hospital's own server, or its issuer's, is down: a sender tries again after 503, not after 401."""
    away = "http://127.0.0.1:9"
    outside = OutsideIssuer(url=away, client_id="their-client", audience="cadre")
    clients = HospitalClients(
        engine,
        {
            "bv-tinh": ClientRegistration(jwks_url=f"{away}/jwks"),
            "bv-noi": ClientRegistration(issuer=outside),
        },
        folder=tmp_path,
        token_url=TOKEN_URL,
        monotonic=clock.uptime,
        clock=clock,
        fetch=fetch_keys,
    )
    hospitals = {"bv-tinh", "bv-noi"}
    app = endpoint_app(engine, on_changes=lambda *_: None, hospitals=hospitals, clients=clients)
    claims = {"iss": away, "client_id": "their-client", "aud": "cadre", "exp": int(clock().timestamp()) + 60}
    theirs = jwt.encode({"alg": "ES384", "kid": "k1"}, claims, KEY, algorithms=["ES384"])
    with serving(app) as base:
        for number in range(10):  # however often: none of it counts as a wrong login
            refused = ask(base, assertion(clock, str(number)))
            assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
            assert refused.headers["retry-after"] == "30"
            read = plainly.get(f"{base}/fhir/DiagnosticReport", headers={"Authorization": f"Bearer {theirs}"})
            assert (read.status_code, read.headers["retry-after"]) == (503, "30")
            assert read.json()["issue"][0]["code"] == "transient"
