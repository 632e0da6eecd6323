"""Bearer tokens in the Authorization header (RFC 6750): whose request it is."""

from collections.abc import Callable, Container

from fastapi import Request
from sqlalchemy import Engine

from adapter.hospital_tokens import hospital_of_token
from adapter.repository.interaction_errors import interaction_error
from adapter.web.access_counter import count_refused_login

__all__ = ["bearer_authentication", "bearer_token"]


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header, or None."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token.isascii() and token else None


def bearer_authentication(
    engine: Engine, hospitals: Container[str] | None = None
) -> Callable[[Request], str]:
    """An `identify` for the router: the hospital behind the request's token, else FhirError 401. Who is not
    among `hospitals` (None: all are) is nobody, whatever token was made for it once.
    """

    def identify(request: Request) -> str:
        token = bearer_token(request)
        if token is None:
            count_refused_login(request)
            raise interaction_error(401, "login", "no_token", "http.Authorization")
        hospital = hospital_of_token(engine, token)
        if hospital is None or (hospitals is not None and hospital not in hospitals):
            count_refused_login(request)
            raise interaction_error(401, "login", "bad_token_sent", "http.Authorization")
        return hospital

    return identify
