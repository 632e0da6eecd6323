"""Reading the server of a hospital that cannot send."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.operations.poll import poll_and_match
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.polling import require_polled

__all__ = ["PollHospital"]


@dataclass(frozen=True)
class PollHospital:
    """As its settings say, for a hospital that they have read."""

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str
    stop: threading.Event

    @property
    def name(self) -> str:
        """See Duty."""
        return f"poll:{self.hospital}"

    @property
    def cron(self) -> str:
        """See Duty."""
        return require_polled(self.adapter, self.hospital).every

    def run(self) -> None:
        """See Duty."""
        with job_lock(self.adapter, self.name):
            poll_and_match(self.adapter, self.hospital, self.clock, self.stop)
