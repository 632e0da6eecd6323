"""Matches what hospitals sent in the background, beside an endpoint that has answered them already.

It gives way to requests: before it begins, and after each item, so that a request waits for one item at most.
While requests never end it works for about a fifth of the time. When it begins is left to chance, so that who
sends a result and then looks how fast the next request is answered learns nothing of whose it was: to look
for a stranger takes another time than to write what is a member's.
"""

import math
import random
import threading
from collections.abc import Callable
from datetime import datetime
from itertools import cycle
from time import monotonic
from types import TracebackType
from typing import Self

from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.telemetry import get_logger

__all__ = ["MatchingWorker"]

_LOOK_SECONDS = 2.0  # what other processes wrote, and what is due by now, is noticed by then
_ROUND_SECONDS = 0.4  # then requests have their turn, and it is asked again what arrived meanwhile
_QUIET_SECONDS = (0.02, 0.2)  # without a request, before it begins; between these, as chance has it
_GIVES_WAY_SECONDS = (0.1, 0.3)  # at most, however many requests come
_ASKS_SECONDS = 0.01
_PAUSE = 3.0  # times what the item took, at most, while a request is here
_LONGEST_PAUSE = 0.1
_PAUSE_ASKS_SECONDS = 0.002
_AWAY_SECONDS = 5.0
_END_SECONDS = 15.0  # shorter than a service manager's patience: an item under way ends by itself

_log = get_logger(__name__)


class MatchingWorker:
    """One thread that matches whatever is due; use it in a `with`, which ends it. A process that is killed
    leaves the items as they are, and any number of processes may have one.
    """

    def __init__(
        self,
        adapter: Adapter,
        clock: Callable[[], datetime],
        quiet_seconds: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """`quiet_seconds`: for how long no request has been answered (infinite: there are none)."""
        self._adapter = adapter
        self._clock = clock
        self._quiet_seconds = quiet_seconds
        self._chance = random.SystemRandom()
        self._before = cycle(["", *sorted(adapter.settings.hospitals)])  # a short round is not for all
        self._item_began = 0.0
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
                self._give_way()
                while self._round():
                    self._give_way()
            except Exception:  # noqa: BLE001 - the database may be away for a while; the items wait in it
                _log.error("inbox.matching_failed", exc_info=True)
                self._stop.wait(_AWAY_SECONDS)
            self._woken.wait(_LOOK_SECONDS)

    def _give_way(self) -> None:
        """Wait until no request was here for a while, but not for long."""
        quiet = self._chance.uniform(*_QUIET_SECONDS)
        ends = monotonic() + self._chance.uniform(*_GIVES_WAY_SECONDS)
        while (been := self._quiet_seconds()) < quiet and (left := ends - monotonic()) > 0:
            if self._stop.wait(min(max(quiet - been, _ASKS_SECONDS), left)):
                return

    def _round(self) -> bool:
        """Whether anything was due."""
        is_over = self._stop.is_set
        self._item_began = monotonic()
        done = process_inbox(
            self._adapter,
            self._clock,
            seconds=_ROUND_SECONDS,
            stop=is_over,
            after=next(self._before),
            pause=self._pause,
        )
        return bool(done) and not is_over()

    def _pause(self) -> None:
        """Let the requests that are here be answered, for some times what the item took."""
        now = monotonic()
        ends = now + min(_PAUSE * (now - self._item_began), _LONGEST_PAUSE)
        while not self._quiet_seconds() and monotonic() < ends:
            if self._stop.wait(_PAUSE_ASKS_SECONDS):
                break
        self._item_began = monotonic()
