"""The centre's own sign-in, where it has one: an OpenID Connect provider says who somebody is.

OpenID Connect Core 1.0, section 3.1 (authorization code), with PKCE (RFC 7636) and the issuer in the answer
(RFC 9207). What is sent and read goes through functions that are handed in; what is believed is decided here.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from adapter.authorization.client_assertion import AssertionRefused, unproved
from adapter.authorization.client_keys import ClientKeys
from adapter.authorization.outside_tokens import OUTSIDE_ALGORITHMS, jwks_url_of
from adapter.authorization.remote_documents import KeysUnavailable, RemoteDocuments
from adapter.settings.client import is_safe_url

__all__ = ["CodeExchange", "IdentityProvider", "PendingSignIn", "SignInRefused"]

_SKEW: Final = 60  # seconds by which the clocks may differ
_HOLDS: Final = 600.0  # seconds in which somebody signs in there
_LONGEST: Final = 255  # characters of a subject, as OpenID Connect has it

CodeExchange = Callable[[str, Mapping[str, str], tuple[str, str]], object]
"""Posts a form to a URL with a client's name and secret (HTTP Basic); the JSON of the answer, or
KeysUnavailable.
"""


class SignInRefused(Exception):
    """Nobody is signed in by this: `why` is a word for the log. With `is_transient` the provider does not
    answer just now.
    """

    def __init__(self, why: str, *, is_transient: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.is_transient = is_transient


@dataclass(frozen=True, slots=True, repr=False)
class PendingSignIn:
    """What the browser keeps, sealed, while somebody is at the provider: only the browser that went there
    comes back. `account` is who is signed in already, and links this sign-in to it; empty: nobody.
    """

    state: str
    nonce: str
    verifier: str
    at: float
    account: str = ""

    def written(self) -> str:
        """As text."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def read(cls, text: str) -> "PendingSignIn":
        """From text that `written` made."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True, slots=True)
class _Places:
    """What a provider says of itself."""

    authorization: str
    token: str
    keys: str


class IdentityProvider:
    """One provider, as the settings name it. Any number of threads may ask."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: Callable[[], str],
        *,
        documents: RemoteDocuments,
        exchange: CodeExchange,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._documents = documents
        self._keys = ClientKeys(documents)
        self._exchange = exchange

    def begin(self, redirect: str, now: float, *, account: str = "") -> tuple[str, PendingSignIn]:
        """Where the browser goes, and what it keeps meanwhile. `now` in seconds. Raises SignInRefused."""
        made = PendingSignIn(_random(), _random(), _random(), now, account)
        address = prepare_grant_uri(
            self._places().authorization,
            client_id=self._client_id,
            response_type="code",
            redirect_uri=redirect,
            scope="openid",  # who it is, and nothing else of him
            state=made.state,
            nonce=made.nonce,
            code_challenge=create_s256_code_challenge(made.verifier),
            code_challenge_method="S256",
        )
        return str(address), made

    def finish(
        self, pending: PendingSignIn, answered: Mapping[str, str], redirect: str, now: float
    ) -> tuple[str, str]:
        """Issuer and subject of who came back with `answered` in the address. Raises SignInRefused."""
        if now - pending.at > _HOLDS:
            raise SignInRefused("expired")
        if not secrets.compare_digest(answered.get("state", "").encode(), pending.state.encode()):
            raise SignInRefused("state")
        if answered.get("iss", self._issuer) != self._issuer:
            raise SignInRefused("issuer")
        if "code" not in answered:
            raise SignInRefused("denied")
        places = self._places()
        form = {
            "grant_type": "authorization_code",
            "code": answered["code"],
            "redirect_uri": redirect,
            "code_verifier": pending.verifier,
        }
        try:
            given = self._exchange(places.token, form, (self._client_id, self._secret()))
            token = given.get("id_token") if isinstance(given, dict) else None
            if not isinstance(token, str):
                raise SignInRefused("no-token")
            return self._issuer, self._subject(token, places, pending.nonce, now)
        except KeysUnavailable as error:
            raise SignInRefused(error.why, is_transient=error.is_transient) from None

    def _places(self) -> _Places:
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            return self._documents.get(url, self._read_places)
        except KeysUnavailable as error:
            raise SignInRefused(error.why, is_transient=error.is_transient) from None

    def _read_places(self, discovered: object) -> _Places:
        keys = jwks_url_of(discovered, self._issuer)
        said: Any = discovered
        places = [said.get("authorization_endpoint"), said.get("token_endpoint")]
        if not all(isinstance(one, str) and is_safe_url(one) for one in places):
            raise KeysUnavailable("discovery")
        return _Places(places[0], places[1], keys)

    def _subject(self, token: str, places: _Places, nonce: str, now: float) -> str:
        """Whom an ID token is about, once it is proved. Raises SignInRefused and KeysUnavailable."""
        try:
            key_id = _key_id(token)
            proved = _decoded(token, self._keys.at_url(places.keys, key_id), key_id)
            claims = CodeIDToken(
                proved.claims,
                proved.header,
                options={
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                params={"client_id": self._client_id, "nonce": nonce},
            )
            claims.validate(now=int(now), leeway=_SKEW)
        except (AssertionRefused, JoseError, ValueError, TypeError, KeyError):
            raise SignInRefused("token") from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST:
            raise SignInRefused("subject")
        return subject


def _random() -> str:
    return secrets.token_urlsafe(32)


def _key_id(token: str) -> str:
    header, _ = unproved(token)
    if header.get("alg") not in OUTSIDE_ALGORITHMS:
        raise SignInRefused("algorithm")
    return str(header["kid"])


def _decoded(token: str, keys: KeySet, key_id: str) -> jwt.Token:
    for key in (one for one in keys.keys if one.kid == key_id):
        return jwt.decode(token, key, algorithms=list(OUTSIDE_ALGORITHMS))
    raise SignInRefused("key")
