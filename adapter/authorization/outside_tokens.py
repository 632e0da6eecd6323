"""Access tokens that another server gave a hospital's client: JWTs, proved by that issuer's published keys.

OpenID Connect Discovery 1.0; RFC 9068 for what the token holds.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from adapter.authorization.client_assertion import AssertionRefused, unproved
from adapter.authorization.remote_documents import KeysUnavailable
from adapter.authorization.scopes import Scope, granted_scopes, parse_scopes
from adapter.settings.client import is_safe_url

__all__ = ["OUTSIDE_ALGORITHMS", "jwks_url_of", "outside_holder", "said_issuer"]

OUTSIDE_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_SKEW: Final = 60  # seconds by which the clocks may differ
_CLIENT_CLAIMS: Final = ("client_id", "azp", "appid", "sub")


def said_issuer(token: str) -> tuple[str, str]:
    """Who made it and with which key, unproved. Raises AssertionRefused for what is no such token."""
    header, claims = unproved(token)
    issuer, key_id = claims.get("iss"), header.get("kid")
    if (
        header.get("alg") not in OUTSIDE_ALGORITHMS
        or not isinstance(issuer, str)
        or not isinstance(key_id, str)
    ):
        raise AssertionRefused("form")
    return issuer, key_id


def jwks_url_of(discovered: object, issuer: str) -> str:
    """Where an issuer's keys are, by what it says of itself. Raises KeysUnavailable when that is another's,
    or a place from which anybody on the way could hand us keys.
    """
    if isinstance(discovered, dict) and discovered.get("issuer") == issuer:
        url = discovered.get("jwks_uri")
        if isinstance(url, str) and is_safe_url(url):
            return url
    raise KeysUnavailable("discovery")


def outside_holder(
    token: str,
    keys: KeySet,
    *,
    clients: Mapping[str, tuple[str, str]],
    allowed: Mapping[str, str],
    now: float,
) -> tuple[str, tuple[Scope, ...]]:
    """The hospital and its scopes. `clients`: hospital -> its client id and audience at this issuer;
    `allowed`: hospital -> the most that it is given. Raises AssertionRefused.
    """
    _, key_id = said_issuer(token)
    claims = _proved(token, keys, key_id)
    expires, not_before = claims.get("exp"), claims.get("nbf", 0)
    if (
        not _is_number(expires)
        or expires <= now - _SKEW
        or not _is_number(not_before)
        or not_before > now + _SKEW
    ):
        raise AssertionRefused("expired")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    named = next((claims[name] for name in _CLIENT_CLAIMS if isinstance(claims.get(name), str)), None)
    for hospital, (client_id, expected) in clients.items():
        if client_id == named and expected in audiences:
            return hospital, granted_scopes(parse_scopes(_scope(claims)), parse_scopes(allowed[hospital]))
    raise AssertionRefused("client")


def _scope(claims: Mapping[str, Any]) -> str:
    said = claims.get("scope") or claims.get("scp") or ""
    return " ".join(one for one in said if isinstance(one, str)) if isinstance(said, list) else str(said)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _proved(token: str, keys: KeySet, key_id: str) -> dict[str, Any]:
    for key in (one for one in keys.keys if one.kid == key_id):
        try:
            return dict(jwt.decode(token, key, algorithms=list(OUTSIDE_ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError):
            continue
    raise AssertionRefused("signature")
