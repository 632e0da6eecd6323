"""How a hospital's server is logged in to beyond a bearer token, and whom TLS trusts and shows itself to."""

import base64
import os
import ssl
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote_plus

import certifi
import httpx

from adapter.delivery.http.answer_body import (
    ACCEPTED_ENCODING,
    AnswerTooLarge,
    LayeredAnswer,
    parse_answer,
    read_answer,
)
from adapter.delivery.http.connection import deadline, track_connections

__all__ = ["ClientCredentialsAuth", "LoginRefused", "ServerLogin", "TlsFiles", "basic", "tls_context"]

_MAX_ANSWER = 100_000  # bytes of a token endpoint's answer
_EARLY = 30.0  # seconds before its end at which a token is renewed
_LONGEST = 366 * 86_400.0  # seconds; nothing is believed to hold for longer
_UNTOLD = 300.0  # seconds that a token is used for which does not say so itself


class LoginRefused(httpx.HTTPError):
    """The token endpoint gave no token: nothing was sent to the hospital."""


ServerLogin = httpx.Auth


def basic(user: str, password: str) -> ServerLogin:
    """HTTP Basic authentication (RFC 7617)."""
    return httpx.BasicAuth(user, password)


class ClientCredentialsAuth(httpx.Auth):
    """OAuth 2.0 client credentials (RFC 6749 §4.4): fetches a token before the first request, renews it
    before it ends, and drops one that was refused. `clock` gives seconds that never go back.

    RFC 6749 §5.1 only recommends `expires_in`: a token without it is asked for anew every five minutes.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str = "",
        method: Literal["basic", "post"] = "basic",
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._timeout, self._tls = token_url, timeout, tls
        self._form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        self._headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING}
        if method == "post":
            self._form |= {"client_id": client_id, "client_secret": client_secret}
        else:  # §2.3.1: each of them form-encoded first
            pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._clock = clock
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request with a token that still holds. Raises LoginRefused, and httpx.ConnectError where the
        token endpoint does not answer: either way the request was not sent.
        """
        token = self._current()
        request.headers["Authorization"] = f"Bearer {token}"
        answer = yield request
        if answer.status_code == 401:  # ended before its time: the next request asks for another
            with self._lock:
                if self._token == token:
                    self._until = 0.0

    def _current(self) -> str:
        with self._lock:  # who comes meanwhile waits for the same token
            if self._clock() >= self._until:
                status, content = self._ask()
                self._token, seconds = _granted(status, content)
                self._until = self._clock() + max(seconds - _EARLY, 1.0)
            return self._token

    def _ask(self) -> tuple[int, bytes]:
        try:
            with (
                deadline(2 * self._timeout),  # a byte at a time would hold everybody up
                httpx.Client(verify=self._tls or tls_context(), timeout=self._timeout) as client,
            ):
                track_connections(client)
                with client.stream("POST", self._url, data=self._form, headers=self._headers) as answer:
                    return answer.status_code, read_answer(answer, _MAX_ANSWER)
        except (AnswerTooLarge, LayeredAnswer, httpx.DecodingError) as error:
            raise LoginRefused("an answer without a token") from error
        except httpx.TransportError as error:
            raise httpx.ConnectError(str(error)) from error


def _granted(status: int, content: bytes) -> tuple[str, float]:
    """The token, and the seconds that it holds. Raises LoginRefused."""
    try:
        told = parse_answer(content) if status == 200 else {}
        token, seconds = told["access_token"], float(told.get("expires_in") or _UNTOLD + _EARLY)
    except (ValueError, KeyError, TypeError, AttributeError, AnswerTooLarge) as error:
        raise LoginRefused(f"HTTP {status} without a token") from error
    if not 0 < seconds < _LONGEST:
        seconds = _UNTOLD + _EARLY
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise LoginRefused(f"HTTP {status} without a token")
    return token, seconds


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one hospital: authorities that are trusted besides the usual ones, and the certificate
    that we show, with its key (None: in the same file) and the key's password.
    """

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    password: str | None = None


def tls_context(files: TlsFiles | None = None) -> ssl.SSLContext:
    """Whom a client trusts: httpx's authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name, and the
    hospital's own. To read the usual ones takes longer than most requests, so they are read again only when
    they have changed. Raises OSError (ssl.SSLError among them) for a file that is not there or no PEM.
    """
    if files is None or files == TlsFiles():
        places = [place for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if (place := os.environ.get(name))]
        named = [file for place in places or [certifi.where()] for file in (place, *_inside(place))]
        return _usual(tuple((file, _written(file)) for file in named))
    context = httpx.create_ssl_context()
    if files.ca_file is not None:
        context.load_verify_locations(files.ca_file)
    if files.certificate is not None:
        context.load_cert_chain(files.certificate, files.key, files.password)
    return context


def _inside(place: str) -> list[str]:
    return sorted(entry.path for entry in os.scandir(place)) if os.path.isdir(place) else []


@lru_cache(maxsize=1)
def _usual(_places: tuple[tuple[str, int], ...]) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _written(place: str) -> int:
    try:
        return os.stat(place).st_mtime_ns
    except OSError:  # httpx says what is wrong
        return 0
