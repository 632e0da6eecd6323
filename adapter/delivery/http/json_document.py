"""A small JSON document at a URL: a key set, or what an issuer says of itself."""

from typing import Final

import httpx
import orjson

__all__ = ["DocumentUnavailable", "fetch_json"]

_MAX_BYTES: Final = 100_000
_TIMEOUT: Final = 10.0  # seconds


class DocumentUnavailable(Exception):
    """It cannot be had: `why` is a word for the log, nothing that was in it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def fetch_json(url: str) -> object:
    """The JSON there: so many bytes at most, as they come, and no redirect followed. Raises
    DocumentUnavailable.
    """
    content = b""
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code != 200:
                raise DocumentUnavailable(f"status-{response.status_code}")
            for part in response.iter_raw():
                content += part
                if len(content) > _MAX_BYTES:
                    raise DocumentUnavailable("too-large")
    except (httpx.HTTPError, httpx.InvalidURL):
        raise DocumentUnavailable("unreachable") from None
    try:
        return orjson.loads(content)
    except ValueError:
        raise DocumentUnavailable("not-json") from None
