"""Taking in what a hospital drops into its folder."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.pdf_folder import take_folder
from adapter.telemetry import get_logger

__all__ = ["TakePdfFolder"]

_MATCHING_SECONDS = 10.0
_log = get_logger(__name__)


@dataclass(frozen=True)
class TakePdfFolder:
    """Every ten seconds, for a hospital that the settings have a folder of."""

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str

    @property
    def name(self) -> str:
        """See Duty."""
        return f"pdf:{self.hospital}"

    @property
    def cron(self) -> str:
        """See Duty."""
        return "*/10 * * * * *"

    def run(self) -> None:
        """See Duty. No name of a file is logged: it may be a person's."""
        with job_lock(self.adapter, self.name):
            done = take_folder(self.adapter, self.hospital, self.clock())
            if done.taken:
                process_inbox(self.adapter, self.clock, seconds=_MATCHING_SECONDS)
        if done.taken or done.known or done.refused or done.stuck:
            _log.info(
                "pdf.folder",
                hospital=self.hospital,
                taken=done.taken,
                known=done.known,
                refused=done.refused,
                stuck=done.stuck,
            )
