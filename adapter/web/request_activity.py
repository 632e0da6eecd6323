"""Whether requests are being answered now, for whoever does something beside them and can wait."""

from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any

__all__ = ["ActivityMiddleware", "RequestActivity"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class RequestActivity:
    """Counted on the event loop, asked by any thread."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._now = 0
        self._last = clock()

    def quiet_seconds(self) -> float:
        """For how long no request has been here; 0 while one is."""
        return 0.0 if self._now else max(self._clock() - self._last, 0.0)

    def begin(self) -> None:
        """A request is here."""
        self._now += 1

    def end(self) -> None:
        """It is answered."""
        self._now -= 1
        self._last = self._clock()


class ActivityMiddleware:
    """Notes each request of an application."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], activity: RequestActivity
    ) -> None:
        self._app = app
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        self._activity.begin()
        try:
            await self._app(scope, receive, send)
        finally:
            self._activity.end()
