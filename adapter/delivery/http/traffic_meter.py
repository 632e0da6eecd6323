"""Counts the requests to a hospital for its charts. What is counted is written every quarter of a minute, and
when the client is closed: a process that is killed loses as much of its counts, and nothing else.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from adapter.ledger.hospitals.traffic import TrafficCell, TrafficStore
from adapter.telemetry import get_logger

__all__ = ["TrafficMeter"]

_SETTLED = 15.0  # seconds between two writes

_log = get_logger(__name__)


class TrafficMeter:
    """For the threads of a process that talk to one hospital. Raises nothing: what the database does not take
    is kept for the next time.
    """

    def __init__(
        self,
        store: TrafficStore,
        hospital: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._hospital = hospital
        self._clock = clock
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._counts: Counter[TrafficCell] = Counter()
        self._written_at = elapsed()

    def count(self, status: int | None, seconds: float) -> None:
        """A request was answered with a status (None: not at all) after so many seconds."""
        with self._lock:
            self._counts[TrafficCell.of_request(self._clock(), status, seconds)] += 1
            if self._elapsed() - self._written_at < _SETTLED:
                return
            taken = self._take()
        self._write(taken)

    def flush(self) -> None:
        """Write what is counted now."""
        with self._lock:
            taken = self._take()
        self._write(taken)

    def _take(self) -> Counter[TrafficCell]:
        taken, self._counts = self._counts, Counter()
        self._written_at = self._elapsed()
        return taken

    def _write(self, taken: Counter[TrafficCell]) -> None:
        try:
            self._store.add(self._hospital, taken)
        except SQLAlchemyError as error:
            _log.warning("traffic.database", hospital=self._hospital, error=type(error).__name__)
            with self._lock:
                self._counts.update(taken)
