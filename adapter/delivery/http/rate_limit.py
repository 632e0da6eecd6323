"""What every request to a hospital passes, and the size of Bundle that it manages, for all workers together.

Both keep what they know in the hospital's row (`ledger.hospitals`), and ask it seldom: requests are
reserved for a quarter of a second at most, sizes read every two seconds and written when they change.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from adapter.ledger.hospitals import bundle_size, token_bucket
from adapter.ledger.hospitals.store import HospitalStore
from adapter.ledger.hospitals.values import HospitalState
from adapter.telemetry import get_logger

__all__ = ["AdaptiveBundleSize", "HospitalRateLimiter"]

_STALE = 0.25  # seconds after which a reserved request that was not sent is given up
_LONGEST_HOLD = 5.0  # seconds; what asks for longer opens the breaker
_HOLD = 1.0  # after a 429 or 503 that names no time
_FRESH = 2.0  # seconds that what was read of the row is believed
_SETTLED = 1.0  # seconds between two writes of what got better

_log = get_logger(__name__)


class HospitalRateLimiter:
    """Requests a second, over all workers; shared by the threads of a process. Raises nothing: while the
    database cannot be asked, this process keeps to the hospital's rate by itself.
    """

    def __init__(
        self,
        hospitals: HospitalStore,
        name: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        sleep: Callable[[float], None] = time.sleep,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hospitals = hospitals
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._elapsed = elapsed
        self._rate = hospitals.limits(name).per_second
        self._slots: deque[float] = deque()
        self._reserving = threading.Lock()
        self._block = 1  # requests to reserve at a time
        self._lost = True
        self._held_until = 0.0

    def acquire(self) -> None:
        """Wait until a request may go."""
        at = self._held_until
        if self._rate:
            with self._reserving:
                at = max(at, self._slot())
        wait = at - self._elapsed()
        if wait > 0:
            self._sleep(wait)

    def observe(self, status: int | None, retry_after: float | None) -> None:
        """It was answered with a status (None: not at all), and asked to be left alone for some seconds."""
        if status not in (429, 503):
            return
        asked = _HOLD if retry_after is None else min(retry_after, _LONGEST_HOLD)
        self._held_until = max(self._held_until, self._elapsed() + asked)
        try:
            self._hospitals.record_throttling(self._name, self._clock())
        except SQLAlchemyError as error:
            _log.warning("gate.database", hospital=self._name, problem=type(error).__name__)

    def _slot(self) -> float:
        """The moment, by `elapsed`, when the next request may go."""
        now, lost = self._elapsed(), 0
        while self._slots and self._slots[0] < now - _STALE:
            self._slots.popleft()
            lost += 1
        if lost:
            self._block = max(1, self._block - lost)  # reserved and not used, it was lost to the others
            self._lost = True
        if not self._slots:
            self._block = (
                self._block if self._lost else min(self._block * 2, token_bucket.reservation_size(self._rate))
            )
            self._lost = False
            first = now + self._reserved(self._block)
            self._slots.extend(first + number / self._rate for number in range(self._block))
        return self._slots.popleft()

    def _reserved(self, count: int) -> float:
        try:
            return self._hospitals.reserve_requests(self._name, count)
        except SQLAlchemyError as error:
            _log.warning("gate.database", hospital=self._name, problem=type(error).__name__)
            return count / self._rate


class AdaptiveBundleSize:
    """Entries of a Bundle, at most `ceiling`, that the hospital answers in a quarter of `timeout` seconds;
    shared by the threads of a process. Good answers let more shipments be in flight.
    """

    def __init__(
        self,
        hospitals: HospitalStore,
        name: str,
        clock: Callable[[], datetime],
        *,
        timeout: float,
        ceiling: int,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hospitals = hospitals
        self._name = name
        self._clock = clock
        self._timeout = timeout
        self._ceiling = ceiling
        self._elapsed = elapsed
        self._most = hospitals.limits(name).concurrency
        self._lock = threading.Lock()
        self._size: int | None = None
        self._allowed = 0.0
        self._read_at = self._written_at = -_FRESH
        self._good = 0

    def max_entries(self) -> int:
        """Entries that the next Bundle may have."""
        with self._lock:
            if self._elapsed() - self._read_at >= _FRESH:
                self._know(self._hospitals.row(self._name))
            return min(self._size or self._ceiling, self._ceiling)

    def observe(self, entries: int, seconds: float | None) -> None:
        """A Bundle of so many entries was answered in so many seconds; None: not in time, or too large."""
        with self._lock:
            self._good += seconds is not None and seconds <= self._timeout / 2
            size = bundle_size.next_bundle_size(self._size, entries, seconds, self._timeout, self._ceiling)
            smaller, larger = size < (self._size or self._ceiling), size > (self._size or self._ceiling)
            better = larger or (self._good > 0 and self._allowed < self._most)
            if smaller or (better and self._elapsed() - self._written_at >= _SETTLED):
                self._write(size if smaller or larger else None)

    def _write(self, size: int | None) -> None:
        good, self._good = self._good, 0
        self._written_at = self._elapsed()
        state = self._hospitals.record_answers(self._name, good=good, entries=size, now=self._clock())
        self._know(state)

    def _know(self, state: HospitalState) -> None:
        self._read_at = self._elapsed()
        self._size, self._allowed = state.entries, state.allowed or 0.0
