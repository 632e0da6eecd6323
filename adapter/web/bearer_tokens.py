"""Whose request it is: by a bearer token in the Authorization header (RFC 6750), or by the certificate that a
trusted proxy was shown.
"""

import hmac
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Request
from sqlalchemy import Engine

from adapter.authorization.access_tokens import TokenHolder
from adapter.authorization.clients import HospitalClients
from adapter.authorization.remote_documents import KEYS_AWAY_SECONDS, KeysUnavailable
from adapter.authorization.scopes import Scope
from adapter.hospital_tokens import hospital_of_token
from adapter.repository.interaction_errors import interaction_error
from adapter.web.access_counter import count_refused_login
from adapter.web.login_delays import login_refusal
from adapter.web.scope_checks import remember_scopes

__all__ = ["TrustedProxy", "bearer_authentication", "bearer_token"]


@dataclass(frozen=True, slots=True, repr=False)
class TrustedProxy:
    """A proxy that ends TLS and asks for certificates: it shows `secret` in `secret_header`, and hands the
    client's certificate on in `certificate_header`.
    """

    secret: str
    secret_header: str
    certificate_header: str

    def certificate(self, request: Request) -> str | None:
        """What it says of the client's certificate; None from anybody else."""
        shown = request.headers.get(self.secret_header, "")
        if not hmac.compare_digest(shown.encode(), self.secret.encode()):
            return None
        return request.headers.get(self.certificate_header)


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header, or None."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token.isascii() and token else None


def bearer_authentication(
    engine: Engine,
    hospitals: Container[str] | None = None,
    *,
    clients: HospitalClients | None = None,
    proxy: TrustedProxy | None = None,
) -> Callable[[Request], str]:
    """An `identify` for the router: the hospital behind the request's token or certificate, else FhirError
    401. Who is not among `hospitals` (None: all are) is nobody, whatever token was made for it once. What the
    token may do is remembered with the request.
    """

    def identify(request: Request) -> str:
        token = bearer_token(request)
        shown = proxy.certificate(request) if proxy is not None and token is None else None
        if token is None and shown is None:
            count_refused_login(request)
            raise interaction_error(401, "login", "no_token", "http.Authorization")
        holder = _of_token(token) if token is not None else _of_certificate(shown or "")
        if holder is None or (hospitals is not None and holder[0] not in hospitals):
            raise login_refusal(request, "bad_token_sent" if token is not None else "bad_certificate_sent")
        remember_scopes(request, holder[1])
        return holder[0]

    def _of_token(token: str) -> _Holder | None:
        hospital = hospital_of_token(engine, token, datetime.now(UTC))
        if hospital is not None:
            return hospital, None
        try:
            return _held(clients.holder_of(token) if clients is not None else None)
        except KeysUnavailable:  # its token may be good: whoever is told 401 gives up
            raise interaction_error(503, "transient", "keys_away", retry_after=KEYS_AWAY_SECONDS) from None

    def _of_certificate(shown: str) -> _Holder | None:
        return _held(clients.holder_of_certificate(shown) if clients is not None else None)

    return identify


_Holder = tuple[str, tuple[Scope, ...] | None]


def _held(holder: TokenHolder | None) -> _Holder | None:
    return (holder.hospital, holder.scopes) if holder is not None else None
