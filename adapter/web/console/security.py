"""What every answer of the console says to the browser, and which requests are nobody's: pure, but for the
middleware that adds the headers.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["PAGE_POLICY", "SecurityHeaders", "comes_from_here", "is_our_host"]

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # with none at all a form has no origin either
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


class SecurityHeaders:
    """Adds to every answer what its own headers do not say."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_missing(message.get("headers", ()))]
            await send(message)

        await self._app(scope, receive, with_headers)


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    own = {name.lower() for name, _ in headers}
    return [one for one in _HEADERS if one[0] not in own]


def is_our_host(host: str, names: Collection[str]) -> bool:
    """Whether a Host header is one of these names, or this machine's own where there are none: who leads a
    browser here under a name of his own (DNS rebinding) gets nothing.
    """
    name = urlsplit(f"//{host}").hostname or ""
    return name in (names or _LOOPBACK)


def comes_from_here(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Whether a form was sent by a page of ours. Every browser of today says its origin with a POST; who says
    neither that nor whence it is fetched is no browser.
    """
    if origin is not None:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc == host
    return fetch_site == "same-origin"
