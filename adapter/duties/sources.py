"""Reading a source of records."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.operations.import_records import import_source
from adapter.pipeline.application import Adapter
from adapter.telemetry import get_logger

__all__ = ["ReadSource"]

_log = get_logger(__name__)


@dataclass(frozen=True)
class ReadSource:
    """On the source's schedule. `source` is its name in the settings; a hospital may have the same."""

    adapter: Adapter
    clock: Callable[[], datetime]
    source: str

    @property
    def name(self) -> str:
        """See Duty."""
        return f"source:{self.source}"

    @property
    def cron(self) -> str:
        """See Duty."""
        return self.adapter.settings.sources[self.source].schedule

    def run(self) -> None:
        """See Duty."""
        with job_lock(self.adapter, self.name):
            report = import_source(self.adapter, self.source, self.clock())
            _log.info(
                "schedule.imported",
                hospital=self.name,
                changes=report.changes,
                rows=report.rows - report.refused_rows,  # a log lasts: T0 people are not counted in it
                rejected=report.rejected,
            )
