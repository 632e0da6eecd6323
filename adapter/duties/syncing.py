"""Syncing a hospital, as `adapter schedule` does it: planned and delivered by the same process."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import SETTLE_TIME, no_progress
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.sync import sync
from adapter.telemetry import get_logger

__all__ = ["SyncHospital"]

_COUNTS = ("delivered", "retracted", "waiting", "parked", "unknown", "withheld", "requests")
_log = get_logger(__name__)


@dataclass(frozen=True)
class SyncHospital:
    """On the hospital's schedule. Its lock is the turn to plan; inbox and retention come before the plan in
    every sync, a person's as well.
    """

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str
    stop: threading.Event

    @property
    def name(self) -> str:
        """See Duty."""
        return self.hospital

    @property
    def cron(self) -> str:
        """See Duty."""
        return self.adapter.settings.hospital(self.hospital).schedule

    def run(self) -> None:
        """See Duty."""
        summary = sync(
            self.adapter,
            [self.hospital],
            self.clock,
            no_progress,
            self.stop,
            keep=True,
            settle_time=SETTLE_TIME,
        )
        done = summary.hospitals[self.hospital]
        counts = {word: getattr(done, word) for word in _COUNTS}
        _log.info("schedule.synced", hospital=self.hospital, exit_code=summary.exit_code, **counts)
