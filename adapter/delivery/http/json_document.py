"""A small JSON document at a URL: a key set, what an issuer says of itself, what it gives for a code."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus

import httpx

from adapter.delivery.http.answer_body import (
    ACCEPTED_ENCODING,
    AnswerTooLarge,
    LayeredAnswer,
    parse_answer,
    read_answer,
)
from adapter.delivery.http.authentication import tls_context
from adapter.delivery.http.connection import deadline, track_connections

__all__ = ["DocumentUnavailable", "fetch_json", "post_for_json"]

_MAX_BYTES: Final = 100_000
_TIMEOUT: Final = 5.0  # seconds; the whole of it may take twice as long
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING}


class DocumentUnavailable(Exception):
    """It cannot be had: `why` is a word for the log, nothing that was in it. With `is_transient` nobody
    answers there just now.
    """

    def __init__(self, why: str, *, is_transient: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.is_transient = is_transient


def fetch_json(url: str) -> object:
    """The JSON there, within bounds, and no redirect followed. Raises DocumentUnavailable."""
    return _answer("GET", url)


def post_for_json(url: str, form: Mapping[str, str], login: tuple[str, str]) -> object:
    """The JSON that answers a form, posted with a name and a secret (HTTP Basic); bounded as `fetch_json` is.
    Raises DocumentUnavailable.
    """
    name, secret = (quote_plus(one) for one in login)  # RFC 6749, section 2.3.1
    return _answer("POST", url, form, httpx.BasicAuth(name, secret))


def _answer(
    method: str, url: str, form: Mapping[str, str] | None = None, login: httpx.BasicAuth | None = None
) -> object:
    try:
        with (
            deadline(2 * _TIMEOUT),  # a byte at a time would hold everybody up
            httpx.Client(verify=tls_context(), timeout=_TIMEOUT, auth=login) as client,
        ):
            track_connections(client)
            with client.stream(method, url, headers=_HEADERS, data=form) as answer:
                status = answer.status_code
                if status != 200:
                    raise DocumentUnavailable(f"status-{status}", is_transient=status == 429 or status >= 500)
                found = parse_answer(read_answer(answer, _MAX_BYTES))
    except (AnswerTooLarge, LayeredAnswer, httpx.DecodingError):
        raise DocumentUnavailable("unreadable") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError):  # OSError: whom TLS trusts cannot be read
        raise DocumentUnavailable("unreachable", is_transient=True) from None
    if found is None:
        raise DocumentUnavailable("not-json")
    return found
