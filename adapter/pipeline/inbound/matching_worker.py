"""Matches what hospitals sent in the background, beside an endpoint that has answered them already."""

import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.telemetry import get_logger

__all__ = ["MatchingWorker"]

_LOOK_SECONDS = 2.0  # what other processes wrote, and what is due by now, is noticed by then
_ROUND_SECONDS = 1.0  # then it is asked again what arrived meanwhile
_AWAY_SECONDS = 5.0
_END_SECONDS = 15.0  # shorter than a service manager's patience: an item under way ends by itself

_log = get_logger(__name__)


class MatchingWorker:
    """One thread that matches whatever is due; use it in a `with`, which ends it. A process that is killed
    leaves the items as they are, and any number of processes may have one.
    """

    def __init__(self, adapter: Adapter, clock: Callable[[], datetime]) -> None:
        self._adapter = adapter
        self._clock = clock
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="matching", daemon=True)

    def wake(self) -> None:
        """Something was received. Returns at once."""
        self._woken.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._woken.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            try:
                while self._round():
                    pass
            except Exception:  # noqa: BLE001 - the database may be away for a while; the items wait in it
                _log.error("inbox.matching_failed", exc_info=True)
                self._stop.wait(_AWAY_SECONDS)
            self._woken.wait(_LOOK_SECONDS)

    def _round(self) -> bool:
        """Whether anything was due."""
        is_over = self._stop.is_set
        done = process_inbox(self._adapter, self._clock, seconds=_ROUND_SECONDS, stop=is_over)
        return bool(done) and not is_over()
