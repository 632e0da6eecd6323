"""Looking for what a person must know, and telling it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.operations.alarms import send_alarms
from adapter.pipeline.application import Adapter

__all__ = ["SendAlarms"]


@dataclass(frozen=True)
class SendAlarms:
    """Every few minutes, for all hospitals and the centre itself."""

    adapter: Adapter
    clock: Callable[[], datetime]

    @property
    def name(self) -> str:
        """See Duty."""
        return "alarm:"

    @property
    def cron(self) -> str:
        """See Duty."""
        return "*/5 * * * *"

    def run(self) -> None:
        """See Duty. What began and what ended is logged where it is told."""
        with job_lock(self.adapter, self.name):
            send_alarms(self.adapter, self.clock())
