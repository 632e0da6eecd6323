"""Measuring a hospital's server again: it may have been upgraded since."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.operations.measure import remeasure_server
from adapter.pipeline.application import Adapter

__all__ = ["MeasureCard"]


@dataclass(frozen=True)
class MeasureCard:
    """On the hospital's `doctor_schedule`, which may be never."""

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str
    stop: threading.Event

    @property
    def name(self) -> str:
        """See Duty."""
        return f"doctor:{self.hospital}"

    @property
    def cron(self) -> str:
        """See Duty."""
        return self.adapter.settings.hospital(self.hospital).doctor_schedule

    def run(self) -> None:
        """See Duty. A server that no person ever measured is left alone."""
        with job_lock(self.adapter, self.name):
            remeasure_server(self.adapter, self.hospital, self.clock, self.stop)
