"""Pages learn that something has changed, by server-sent events: not what. A page that is told fetches itself
anew, with all that is checked for it.

One task asks for a mark of the present state, as long as anybody listens: all of them cost one question.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from adapter.authorization.staff_roles import Permission
from adapter.telemetry import get_logger
from adapter.web.console.visit import ConsoleRoute, Visit

__all__ = ["ROUTES", "ChangeWatch"]

_MOST: Final = 100  # listeners of a process
_BETWEEN: Final = 2.0  # seconds between two questions
_SIGN_OF_LIFE: Final = 15.0  # seconds of silence, after which proxies would think that nobody is there
_LONGEST: Final = 300.0  # seconds; then the browser asks anew, and whether it still may is looked at

_log = get_logger("console")


class ChangeWatch:
    """Tells its listeners when what `ask` gives becomes another. Used on one event loop."""

    def __init__(self, ask: Callable[[], object], *, between: float = _BETWEEN, most: int = _MOST) -> None:
        self._ask = ask
        self._between = between
        self._most = most
        self._listeners: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody more may listen."""
        return len(self._listeners) >= self._most

    async def changes(self) -> AsyncIterator[bytes]:
        """The stream of one listener: an event for each change, and signs of life between."""
        loop = asyncio.get_running_loop()
        end, told = loop.time() + _LONGEST, asyncio.Event()
        self._listeners.add(told)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._poll())
        try:
            yield b"retry: 5000\n\n"
            while loop.time() < end:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(told.wait(), _SIGN_OF_LIFE)
                yield b"data: changed\n\n" if told.is_set() else b":\n\n"
                told.clear()
        finally:
            self._listeners.discard(told)

    async def _poll(self) -> None:
        """Ask until nobody listens any more."""
        before: object = None
        while self._listeners:
            try:
                mark = await run_in_threadpool(self._ask)
            except Exception as error:  # noqa: BLE001 - the database is away for a while: pages say that themselves
                _log.warning("console.not_watched", error=type(error).__name__)
            else:
                if before is not None and mark != before:
                    for one in self._listeners:
                        one.set()
                before = mark
            await asyncio.sleep(self._between)


def _events(visit: Visit) -> Response:
    if visit.watch is None or visit.watch.is_full:
        return Response(status_code=503, headers={"Retry-After": "30"})
    return StreamingResponse(visit.watch.changes(), media_type="text/event-stream")


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/events", _events, Permission.OWN_ACCOUNT, is_use=False),
)
