"""A signed assertion of who a client is, RFC 7523 as SMART Backend Services narrows it. Pure.

http://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

__all__ = [
    "ALGORITHMS",
    "AssertionRefused",
    "ClientAssertion",
    "claimed_client",
    "key_id_of",
    "unproved",
    "verify_assertion",
]

ALGORITHMS: Final = ("RS384", "ES384")  # those that SMART demands
MAX_LENGTH: Final = 8_000  # characters of an assertion
_LONGEST: Final = 300  # seconds that it may still hold
_SKEW: Final = 60  # seconds by which the clocks may differ
_MAX_ID: Final = 200  # characters of a `jti`


class AssertionRefused(Exception):
    """Why it proves nothing: one word for the log and the client's engineer, nothing that it said."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """What was proved: which client, by which one-time number, until when (seconds since 1970)."""

    client: str
    id: str
    expires_at: int


def claimed_client(text: str) -> str:
    """The client that an assertion says it is of, unproved: where to look for its keys. Raises
    AssertionRefused.
    """
    _, claims = unproved(text)
    client = claims.get("iss")
    if not isinstance(client, str) or claims.get("sub") != client:
        raise AssertionRefused("iss")
    return client


def key_id_of(text: str) -> str:
    """Which key it says that it was signed with. Raises AssertionRefused."""
    header, _ = unproved(text)
    if header.get("alg") not in ALGORITHMS:
        raise AssertionRefused("alg")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise AssertionRefused("kid")
    return key_id


def verify_assertion(text: str, keys: KeySet, *, audiences: Collection[str], now: float) -> ClientAssertion:
    """Prove it by `keys`: signature, audience (the token endpoint's URL), not over and not for longer than
    five minutes. Whether its number was used before is not known here. Raises AssertionRefused.
    """
    key_id = key_id_of(text)
    named = [key for key in keys.keys if key.kid == key_id]
    if not named:
        raise AssertionRefused("unknown-key")
    claims = _proved(text, named)
    client = claimed_client(text)
    audience = claims.get("aud")
    said = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if not any(one in audiences for one in said):
        raise AssertionRefused("aud")
    expires, not_before = claims.get("exp"), claims.get("nbf", 0)
    if isinstance(expires, bool) or not isinstance(expires, int | float) or expires <= now - _SKEW:
        raise AssertionRefused("expired")
    if expires > now + _LONGEST + _SKEW:
        raise AssertionRefused("too-long")
    if isinstance(not_before, bool) or not isinstance(not_before, int | float) or not_before > now + _SKEW:
        raise AssertionRefused("nbf")
    id_ = claims.get("jti")
    if not isinstance(id_, str) or not 0 < len(id_) <= _MAX_ID:
        raise AssertionRefused("jti")
    return ClientAssertion(client, id_, int(expires) + _SKEW)


def _proved(text: str, keys: list[Any]) -> dict[str, Any]:
    for key in keys:  # rotation may leave two of one name for a while
        try:
            return dict(jwt.decode(text, key, algorithms=list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError):
            continue
    raise AssertionRefused("signature")


def unproved(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a signed token as it says them. Raises AssertionRefused for what is none."""
    if not text or len(text) > MAX_LENGTH:
        raise AssertionRefused("form")
    try:
        signed = jws.extract_compact(text.encode("ascii"))
        header, claims = dict(signed.headers()), orjson.loads(signed.payload)
    except (JoseError, ValueError, TypeError):
        raise AssertionRefused("form") from None
    if not isinstance(claims, dict):
        raise AssertionRefused("form")
    return header, claims
