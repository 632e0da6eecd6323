"""Scopes, signed assertions, key sets and certificates: what proves who a client is, and what does not."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from adapter.authorization.client_assertion import AssertionRefused, claimed_client, verify_assertion
from adapter.authorization.client_certificate import certificate_fingerprint
from adapter.authorization.client_keys import ClientKeys, key_set_of
from adapter.authorization.clients import HospitalClients
from adapter.authorization.outside_tokens import jwks_url_of, outside_holder
from adapter.authorization.remote_documents import KeysUnavailable, RemoteDocuments
from adapter.authorization.scopes import granted_scopes, is_allowed, parse_scopes, written_scopes
from adapter.database import open_database
from adapter.settings.client import ClientRegistration, OutsideIssuer

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC).timestamp()
URL = "https://centre.example/auth/token"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, auto_kid=False)
EC = ECKey.generate_key("P-384", {"kid": "ec"}, auto_kid=False)
PUBLIC = KeySet.import_key_set(
    {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}  # type: ignore[list-item]
)
CLAIMS: dict[str, Any] = {"iss": "bv-tinh", "sub": "bv-tinh", "aud": URL, "exp": int(NOW) + 240, "jti": "n1"}


def signed(claims: dict[str, Any], key: Any = RSA, **header: Any) -> str:
    alg = header.pop("alg", "ES384" if key is EC else "RS384")
    return jwt.encode({"alg": alg, "kid": key.kid, **header}, claims, key, algorithms=[alg])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("system/Observation.cruds", "system/Observation.cruds"),
        ("system/*.read", "system/*.rs"),
        ("system/Task.write system/Task.read", "system/Task.cruds"),
        ("system/*.*", "system/*.cruds"),
        ("system/Observation.c system/Observation.r", "system/Observation.cr"),
        ("openid patient/Observation.rs user/*.cruds", ""),
        ("system/Observation.rs?code=1", ""),  # narrowed by a query: more than is held is never given
        ("system/Observation.sr", ""),  # SMART asks for the order of cruds
        ("system/Observation.", ""),
        ("", ""),
    ],
)
def test_scopes_are_read_as_smart_writes_them(text: str, meant: str) -> None:
    assert written_scopes(parse_scopes(text)) == meant


@pytest.mark.parametrize(
    ("asked", "allowed", "given"),
    [
        ("system/*.cruds", "system/*.cruds", "system/*.cruds"),
        (
            "system/*.cruds",
            "system/Observation.crus system/Task.rs",
            "system/Observation.crus system/Task.rs",
        ),
        ("system/Observation.cruds", "system/*.rs", "system/Observation.rs"),
        ("system/Patient.c", "system/Observation.c", ""),
        ("system/Observation.d", "system/Observation.crus", ""),
    ],
)
def test_no_more_is_given_than_is_allowed(asked: str, allowed: str, given: str) -> None:
    scopes = granted_scopes(parse_scopes(asked), parse_scopes(allowed))
    assert written_scopes(scopes) == given
    assert not is_allowed(scopes, "d", "Patient") or "*" in given


@pytest.mark.parametrize("key", [RSA, EC])
def test_a_good_assertion_is_proved(key: Any) -> None:
    text = signed(CLAIMS, key)
    assert claimed_client(text) == "bv-tinh"
    proved = verify_assertion(text, PUBLIC, audiences=[URL], now=NOW)
    assert (proved.client, proved.id, proved.expires_at) == ("bv-tinh", "n1", CLAIMS["exp"] + 60)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"aud": "https://other.example/auth/token"}, "aud"),
        ({"aud": ["https://a.example", "https://b.example"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": int(NOW) - 61}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": "soon"}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": int(NOW) + 3600}, "too-long"),
        ({"nbf": int(NOW) + 3600}, "nbf"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": "x" * 201}, "jti"),
        ({"sub": "bv-khac"}, "iss"),
        ({"iss": None, "sub": None}, "iss"),
    ],
)
def test_what_an_assertion_must_say(change: dict[str, Any], why: str) -> None:
    text = signed({**CLAIMS, **change})
    with pytest.raises(AssertionRefused) as refused:
        verify_assertion(text, PUBLIC, audiences=[URL], now=NOW)
    assert refused.value.why == why


def test_who_did_not_sign_it_is_nobody() -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "rsa"}, auto_kid=False)
    unknown = RSAKey.generate_key(2048, {"kid": "other"}, auto_kid=False)
    shared = jwt.encode({"alg": "RS256", "kid": "rsa"}, CLAIMS, RSA, algorithms=["RS256"])
    whole = signed(CLAIMS)
    head, claims, signature = whole.split(".")
    other = base64.urlsafe_b64encode(orjson.dumps({**CLAIMS, "iss": "bv-khac", "sub": "bv-khac"})).rstrip(
        b"="
    )
    for text, why in [
        (signed(CLAIMS, stranger), "signature"),
        (signed(CLAIMS, unknown), "unknown-key"),
        (shared, "alg"),
        (f"{head}.{other.decode()}.{signature}", "signature"),
        (f"{head}.{claims}.", "signature"),
        (signed(CLAIMS, EC, kid="rsa"), "signature"),
        ("", "form"),
        ("not.a.token", "form"),
        ("á.b.c", "form"),
        ("x" * 9000, "form"),
    ]:
        with pytest.raises(AssertionRefused) as refused:
            verify_assertion(text, PUBLIC, audiences=[URL], now=NOW)
        assert refused.value.why == why


def test_a_key_set_is_read_without_what_does_not_belong_there() -> None:
    public = RSA.as_dict(private=False)
    short = base64.urlsafe_b64encode(b"\xff" * 128).rstrip(b"=").decode()
    small = {"kty": "RSA", "kid": "small", "n": short, "e": "AQAB"}
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}
    found = key_set_of({"keys": [public, small, secret, {**public, "use": "enc"}, {"kty": "RSA"}, 7]})
    assert [key.kid for key in found.keys] == ["rsa"]
    for content, why in [
        ({"keys": [RSA.as_dict(private=True)]}, "private-key"),
        ({"keys": [small, secret]}, "no-keys"),
        ({"keys": {}}, "not-jwks"),
        ([], "not-jwks"),
    ]:
        with pytest.raises(KeysUnavailable) as refused:
            key_set_of(content)
        assert refused.value.why == why


def key_server(*answers: object) -> tuple[Callable[[str], object], list[str]]:
    """A fetch that answers in turn, the last for ever; an exception is raised."""
    asked: list[str] = []

    def fetch(url: str) -> object:
        asked.append(url)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return fetch, asked


def test_keys_are_rotated_without_a_word_and_nobody_makes_us_ask_for_ever() -> None:
    old, new = {"keys": [RSA.as_dict(private=False)]}, {"keys": [EC.as_dict(private=False)]}
    fetch, asked = key_server(old, new, KeysUnavailable("unreachable"))
    now = [0.0]
    keys, url = ClientKeys(RemoteDocuments(lambda: now[0], fetch)), "https://hospital.example/jwks"

    def names(key_id: str) -> list[str | None]:
        return [key.kid for key in keys.at_url(url, key_id).keys]

    assert names("rsa") == ["rsa"]
    assert names("ec") == ["rsa"]  # asked for a moment ago
    assert len(asked) == 1
    now[0] = 31
    assert names("ec") == ["ec"]
    assert names("ec") == ["ec"]
    assert len(asked) == 2
    now[0] = 1000
    assert names("ec") == ["ec"]  # what cannot be fetched leaves the last ones in force
    assert len(asked) == 3
    for _ in range(50):
        assert names("stranger") == ["ec"]
    assert len(asked) == 3


def test_keys_that_were_never_had_are_not_asked_for_at_each_request() -> None:
    fetch, asked = key_server(KeysUnavailable("unreachable"))
    keys = ClientKeys(RemoteDocuments(lambda: 0.0, fetch))
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            keys.at_url("https://hospital.example/jwks", "rsa")
    assert len(asked) == 1


def test_a_file_of_keys_is_read_again_when_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys = ClientKeys(RemoteDocuments(lambda: 0.0, key_server()[0]))
    with pytest.raises(KeysUnavailable) as none_there:
        keys.in_file(file)
    assert none_there.value.why == "no-file"
    file.write_bytes(orjson.dumps({"keys": [RSA.as_dict(private=False)]}))
    assert [key.kid for key in keys.in_file(file).keys] == ["rsa"]
    file.write_bytes(orjson.dumps({"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}))
    assert [key.kid for key in keys.in_file(file).keys] == ["rsa", "ec"]
    file.write_bytes(b"{")
    with pytest.raises(KeysUnavailable) as broken:
        keys.in_file(file)
    assert broken.value.why == "not-jwks"


def test_a_certificate_is_known_in_each_form_that_proxies_write() -> None:
    der = bytes(range(256)) * 4
    body = base64.b64encode(der).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    pem = f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
    plain = "0bfa19cb8d1e7d8ad8c1d5f5d1ee6d3a9c3d7f0e9f3cbb94a4b9a6a5e0c1d2e3"
    of_der = certificate_fingerprint(f":{body}:")
    assert of_der is not None
    assert {certificate_fingerprint(one) for one in (f":{body}:", pem, quote(pem))} == {of_der}
    colons = ":".join(plain[at : at + 2] for at in range(0, 64, 2)).upper()
    assert {certificate_fingerprint(plain), certificate_fingerprint(colons)} == {plain}
    for odd in ("", "NONE", ":not base64:", plain[:40], "x" * 30_000, "-----BEGIN CERTIFICATE-----"):
        assert certificate_fingerprint(odd) is None


def test_another_servers_token_is_proved_by_its_keys() -> None:
    issuer = "https://login.example/realms/hospital"
    clients, allowed = {"bv-tinh": ("adapter-client", "cadre")}, {"bv-tinh": "system/*.crus"}
    claims = {
        "iss": issuer,
        "azp": "adapter-client",
        "aud": ["account", "cadre"],
        "exp": int(NOW) + 60,
        "scope": "openid system/Observation.cruds",
    }

    def holder(change: dict[str, Any], key: Any = RSA, alg: str = "RS256") -> tuple[str, str]:
        token = signed({**claims, **change}, key, alg=alg)
        found, scopes = outside_holder(token, PUBLIC, clients=clients, allowed=allowed, now=NOW)
        return found, written_scopes(scopes)

    assert holder({}) == ("bv-tinh", "system/Observation.crus")
    assert holder({"scope": None, "scp": ["system/Task.rs"]}) == ("bv-tinh", "system/Task.rs")
    assert holder({"aud": "cadre"})[0] == "bv-tinh"
    for change in ({"aud": "account"}, {"azp": "another"}, {"exp": int(NOW) - 61}, {"nbf": int(NOW) + 100}):
        with pytest.raises(AssertionRefused):
            holder(change)
    stranger = RSAKey.generate_key(2048, {"kid": "rsa"}, auto_kid=False)
    with pytest.raises(AssertionRefused):
        holder({}, stranger)
    found = {"issuer": issuer, "jwks_uri": "https://login.example/keys"}
    assert jwks_url_of(found, issuer) == "https://login.example/keys"
    unsafe = {**found, "jwks_uri": "http://login.example/keys"}  # whoever is on the way could make keys
    for wrong in ({**found, "issuer": "https://else.example"}, {"issuer": issuer}, [], unsafe):
        with pytest.raises(KeysUnavailable):
            jwks_url_of(wrong, issuer)


def test_an_issuer_that_is_away_is_not_asked_at_each_made_up_token(tmp_path: Path) -> None:
    fetch, asked = key_server(KeysUnavailable("unreachable", is_transient=True))
    now = [0.0]
    issuer = "https://login.example"
    outside = OutsideIssuer(url=issuer, client_id="his", audience="cadre")
    clients = HospitalClients(
        open_database("sqlite://"),
        {"bv-tinh": ClientRegistration(issuer=outside)},
        folder=tmp_path,
        token_url=None,
        monotonic=lambda: now[0],
        fetch=fetch,
    )
    made_up = signed({"iss": issuer, "azp": "his", "aud": "cadre", "exp": int(NOW) + 60}, alg="RS256")
    for _ in range(20):
        with pytest.raises(KeysUnavailable):  # not nobody: it may be good
            clients.holder_of(made_up)
    assert len(asked) == 1
    now[0] = 31.0
    with pytest.raises(KeysUnavailable):
        clients.holder_of(made_up)
    assert len(asked) == 2
    elsewhere = signed({"iss": "https://stranger.example", "exp": int(NOW) + 60}, alg="RS256")
    assert clients.holder_of(elsewhere) is None
    assert len(asked) == 2  # nobody has us ask where he likes
