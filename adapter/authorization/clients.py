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
from adapter.authorization.client_keys import ClientKeys
from adapter.authorization.outside_tokens import jwks_url_of, outside_holder, said_issuer
from adapter.authorization.remote_documents import DocumentFetch, KeysUnavailable, RemoteDocuments
from adapter.authorization.scopes import ALL_SCOPES, Scope, granted_scopes, parse_scopes, written_scopes
from adapter.settings.client import ClientRegistration

__all__ = ["TOKEN_PATH", "GrantedToken", "HospitalClients", "ScopeRefused", "token_url"]

TOKEN_PATH: Final = "/auth/token"  # noqa: S105 - a path
_DISCOVERY: Final = "/.well-known/openid-configuration"


class ScopeRefused(Exception):
    """Nothing of the scopes that were asked for can be given."""


def token_url(public_url: str) -> str:
    """Our token endpoint as clients see it, by the base of `/fhir` as they see that."""
    return public_url.rstrip("/").removesuffix("/fhir") + TOKEN_PATH


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
        fetch: DocumentFetch,
    ) -> None:
        self.token_url = token_url
        self._engine = engine
        self._registrations = dict(registrations)
        self._folder = folder
        self._documents = RemoteDocuments(monotonic, fetch)
        self._keys = ClientKeys(self._documents)
        self._clock = clock

    def grant(self, assertion: str, scope: str | None) -> GrantedToken:
        """A token for who proves to be a hospital's client; who asks for no scope (RFC 6749 §3.3) gets what
        its registration allows. Raises AssertionRefused, ScopeRefused, and KeysUnavailable while its keys
        cannot be fetched.
        """
        hospital = claimed_client(assertion)
        registration = self._registrations.get(hospital)
        if registration is None or self.token_url is None:
            raise AssertionRefused("unknown-client")
        now = self._clock()
        keys = self._keys_of(registration, key_id_of(assertion))
        proved = verify_assertion(assertion, keys, audiences=(self.token_url,), now=now.timestamp())
        asked = ALL_SCOPES if scope is None else parse_scopes(scope)
        scopes = granted_scopes(asked, parse_scopes(registration.scopes))
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
        try:
            if registration.jwks_file is not None:
                return self._keys.in_file(self._folder / registration.jwks_file)
            if registration.jwks_url is not None:
                return self._keys.at_url(registration.jwks_url, key_id)
        except KeysUnavailable as error:
            if error.is_transient:
                raise
            raise AssertionRefused(f"keys-{error.why}") from None
        raise AssertionRefused("no-keys-registered")

    def holder_of(self, token: str) -> TokenHolder | None:
        """Whose access token this is: one of ours, or of an issuer that a hospital has its tokens from.
        Raises KeysUnavailable while that issuer's keys cannot be fetched.
        """
        if token.startswith(ACCESS_TOKEN_PREFIX):
            return holder_of_token(self._engine, token, self._clock())
        if token.count(".") != 2 or not any(one.issuer for one in self._registrations.values()):
            return None
        try:
            return self._of_outside(token)
        except AssertionRefused:
            return None
        except KeysUnavailable as error:
            if error.is_transient:
                raise
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
        discovery = issuer.rstrip("/") + _DISCOVERY
        url = self._documents.get(discovery, lambda said: jwks_url_of(said, issuer))
        allowed = {hospital: one.scopes for hospital, one in self._registrations.items()}
        keys = self._keys.at_url(url, key_id)
        return TokenHolder(
            *outside_holder(token, keys, clients=clients, allowed=allowed, now=self._clock().timestamp())
        )

    def holder_of_certificate(self, header: str) -> TokenHolder | None:
        """Whose certificate a trusted proxy says that it was shown."""
        fingerprint = certificate_fingerprint(header)
        for hospital, one in self._registrations.items():
            if fingerprint is not None and fingerprint in one.certificates:
                return TokenHolder(hospital, _allowed(one))
        return None


def _allowed(registration: ClientRegistration) -> tuple[Scope, ...]:
    return granted_scopes(ALL_SCOPES, parse_scopes(registration.scopes))
