"""Remembering how far the audit has come, here and, by e-mail, elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.duties.duty import job_lock
from adapter.operations.alarms import mail_audit_head
from adapter.pipeline.application import Adapter

__all__ = ["TellAuditHead"]


@dataclass(frozen=True)
class TellAuditHead:
    """Once a day, for the centre itself."""

    adapter: Adapter
    clock: Callable[[], datetime]

    @property
    def name(self) -> str:
        """See Duty."""
        return "audit:"

    @property
    def cron(self) -> str:
        """See Duty."""
        return "7 7 * * *"

    def run(self) -> None:
        """See Duty."""
        with job_lock(self.adapter, self.name):
            self.adapter.remembered_head.remember()
            mail_audit_head(self.adapter, self.clock())
