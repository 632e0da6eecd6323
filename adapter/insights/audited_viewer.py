"""Who looks at what: written into the audit before anything is given."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.pipeline.application import Adapter

__all__ = ["AuditedViewer"]


@dataclass(frozen=True)
class AuditedViewer:
    """`viewer`, as the audit names who looks, at what `adapter` holds."""

    adapter: Adapter
    viewer: str
    clock: Callable[[], datetime]

    def _note_look(self, action: str, *, subject: str | None = None, **details: Any) -> None:
        """Note that `viewer` is about to see this."""
        from adapter.pipeline.access_audit import audit_look

        audit_look(self.adapter, action, details, subject=subject, by=self.viewer, now=self.clock())

    def audit_read(self, records: Iterable[tuple[str, str]], command: str, why: str | None = None) -> None:
        """Note that `viewer` is about to see these records (kind, key), and what for where that is asked."""
        from adapter.pipeline.access_audit import audit_read

        audit_read(self.adapter, records, command=command, by=self.viewer, now=self.clock(), why=why)
