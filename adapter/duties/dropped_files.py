"""Picking up the files that a hospital put into its folder."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.dropped_files import pick_up
from adapter.pipeline.inbound.inbox import match_before_plan
from adapter.pipeline.inbound.national_xml_reception import FileReception
from adapter.telemetry import get_logger

__all__ = ["PickUpFiles"]

_log = get_logger(__name__)


@dataclass(frozen=True)
class PickUpFiles:
    """On the schedule of the hospital's section `national_xml`; only where that names a folder."""

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str

    @property
    def name(self) -> str:
        """See Duty."""
        return f"files:{self.hospital}"

    @property
    def cron(self) -> str:
        """See Duty."""
        return self.adapter.settings.hospital(self.hospital).national_xml.schedule

    def run(self) -> None:
        """See Duty. What was taken in is matched for a moment at once."""
        with job_lock(self.adapter, self.name):
            picked = pick_up(FileReception(self.adapter, self.clock), self.hospital)
        if picked.taken:
            match_before_plan(self.adapter, self.clock)
        if picked.taken or picked.refused:
            _log.info(
                "schedule.picked_up",
                hospital=self.hospital,
                count=picked.taken,
                refused=picked.refused,
                waiting=picked.left,
            )
