"""Telling a hospital what it subscribed to."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.notifying import notify_hospital

__all__ = ["NotifyHospital"]


@dataclass(frozen=True)
class NotifyHospital:
    """Every ten seconds, for a hospital that the settings list hosts for."""

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str
    stop: threading.Event

    @property
    def name(self) -> str:
        """See Duty."""
        return f"subscriptions:{self.hospital}"

    @property
    def cron(self) -> str:
        """See Duty."""
        return "*/10 * * * * *"

    def run(self) -> None:
        """See Duty."""
        with job_lock(self.adapter, self.name):
            notify_hospital(self.adapter, self.hospital, self.clock, self.stop)
