"""Hospitals' own clients: what proves who calls, and the token that it is given for that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from joserfc.jwk import KeySet
from sqlalchemy import Engine

from adapter.authorization.access_tokens import (
    ACCESS_TOKEN_PREFIX,
    AssertionUsedAgain,
    TokenHolder,
    holder_of_token,
    issue_access_token,
)
from adapter.authorization.client_assertion import (
    AssertionRefused,
    claimed_client,
    key_id_of,
    verify_assertion,
)
from adapter.authorization.client_certificate import certificate_fingerprint
from adapter.authorization.client_keys import ClientKeys, Fetch, KeySource, KeysUnavailable
from adapter.authorization.outside_tokens import jwks_url_of, outside_holder, said_issuer
from adapter.authorization.scopes import ALL_SCOPES, Scope, granted_scopes, parse_scopes, written_scopes
from adapter.bounded_cache import BoundedCache
from adapter.settings.client import ClientRegistration

__all__ = ["GrantedToken", "HospitalClients", "ScopeRefused"]

_DISCOVERY: Final = "/.well-known/openid-configuration"
_AGAIN: Final = 30.0  # seconds between two looks for where an issuer's keys are


class ScopeRefused(Exception):
    """Nothing of the scopes that were asked for can be given."""


@dataclass(frozen=True, slots=True)
class GrantedToken:
    """A new access token, and the scopes that it has, as text."""

    token: str
    scopes: str


class HospitalClients:
    """The clients of the hospitals in the settings. `token_url`: our token endpoint as clients see it, None
    where nobody was told one; `folder`: where relative key files are.
    """

    def __init__(
        self,
        engine: Engine,
        registrations: Mapping[str, ClientRegistration],
        *,
        folder: Path,
        token_url: str | None,
        monotonic: Callable[[], float],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        fetch: Fetch,
    ) -> None:
        self.token_url = token_url
        self._engine = engine
        self._registrations = dict(registrations)
        self._folder = folder
        self._keys = ClientKeys(monotonic, fetch)
        self._fetch = fetch
        self._clock = clock
        self._monotonic = monotonic
        self._key_urls: BoundedCache[str, str] = BoundedCache(100)  # of outside issuers
        self._asked: dict[str, float] = {}  # when each issuer of the settings was asked last

    def grant(self, assertion: str, scope: str) -> GrantedToken:
        """A token for who proves to be a hospital's client. Raises AssertionRefused and ScopeRefused."""
        hospital = claimed_client(assertion)
        registration = self._registrations.get(hospital)
        if registration is None or self.token_url is None:
            raise AssertionRefused("unknown-client")
        now = self._clock()
        keys = self._keys_of(registration, key_id_of(assertion))
        proved = verify_assertion(assertion, keys, audiences=(self.token_url,), now=now.timestamp())
        scopes = granted_scopes(parse_scopes(scope), parse_scopes(registration.scopes))
        if not scopes:
            raise ScopeRefused
        try:
            token = issue_access_token(
                self._engine,
                hospital,
                scopes,
                assertion=proved.id,
                assertion_expires=datetime.fromtimestamp(proved.expires_at, UTC),
                now=now,
            )
        except AssertionUsedAgain:
            raise AssertionRefused("used-again") from None
        return GrantedToken(token, written_scopes(scopes))

    def _keys_of(self, registration: ClientRegistration, key_id: str) -> KeySet:
        file, url = registration.jwks_file, registration.jwks_url
        if file is None and url is None:
            raise AssertionRefused("no-keys-registered")
        try:
            return self._keys.keys(KeySource(self._folder / file if file else None, url), key_id)
        except KeysUnavailable as error:
            raise AssertionRefused(f"keys-{error.why}") from None

    def holder_of(self, token: str) -> TokenHolder | None:
        """Whose access token this is: one of ours, or of an issuer that a hospital has its tokens from."""
        if token.startswith(ACCESS_TOKEN_PREFIX):
            return holder_of_token(self._engine, token, self._clock())
        if token.count(".") != 2 or not any(one.issuer for one in self._registrations.values()):
            return None
        try:
            return self._of_outside(token)
        except (AssertionRefused, KeysUnavailable):
            return None

    def _of_outside(self, token: str) -> TokenHolder:
        issuer, key_id = said_issuer(token)
        clients = {
            hospital: (one.issuer.client_id, one.issuer.audience)
            for hospital, one in self._registrations.items()
            if one.issuer is not None and one.issuer.url == issuer
        }
        if not clients:
            raise AssertionRefused("unknown-issuer")  # before anything is fetched from where a stranger says
        url = self._key_url_of(issuer)
        allowed = {hospital: one.scopes for hospital, one in self._registrations.items()}
        keys = self._keys.keys(KeySource(url=url), key_id)
        return TokenHolder(
            *outside_holder(token, keys, clients=clients, allowed=allowed, now=self._clock().timestamp())
        )

    def _key_url_of(self, issuer: str) -> str:
        """Where its keys are; asked of itself once, and while it does not answer only now and then, since
        whoever sends a made-up token of this issuer has us ask.
        """
        url = self._key_urls.get(issuer)
        if url is not None:
            return url
        now = self._monotonic()
        if now - self._asked.get(issuer, -_AGAIN) < _AGAIN:
            raise KeysUnavailable("unreachable")
        self._asked[issuer] = now
        found = jwks_url_of(self._fetch(issuer.rstrip("/") + _DISCOVERY), issuer)
        return self._key_urls.put(issuer, found)

    def holder_of_certificate(self, header: str) -> TokenHolder | None:
        """Whose certificate a trusted proxy says that it was shown."""
        fingerprint = certificate_fingerprint(header)
        for hospital, one in self._registrations.items():
            if fingerprint is not None and fingerprint in one.certificates:
                return TokenHolder(hospital, _allowed(one))
        return None


def _allowed(registration: ClientRegistration) -> tuple[Scope, ...]:
    return granted_scopes(ALL_SCOPES, parse_scopes(registration.scopes))
