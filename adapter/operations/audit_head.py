"""The audit's remembered head: taken as it is now by a person who knows why, and told elsewhere each day."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.insights.audit_log import AuditHeadReport, audit_head
from adapter.operations.operation import Operation, OperationContext

__all__ = ["AcceptAuditHead"]


@dataclass(frozen=True)
class AcceptAuditHead(Operation[AuditHeadReport, AuditHeadReport]):
    """Remember the audit as it is now, though it does not lead to what is remembered: after a backup was put
    back. Nothing undoes it; that it was done is the audit's next row.
    """

    name: ClassVar[str] = "audit.accept_head"
    audited_as: ClassVar[tuple[str, ...]] = ("audit.head-accepted",)

    def look(self, context: OperationContext) -> AuditHeadReport:
        """What is remembered, and what is there."""
        return audit_head(context.adapter)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> AuditHeadReport:
        """Note it, then remember it."""
        unchanged()
        before = self.look(context)
        with write_transaction(context.adapter.engine) as connection:
            audit.append(
                connection,
                at=context.clock(),
                actor=context.by,
                action="audit.head-accepted",
                details={"remembered": before.remembered, "found": before.seq, "trouble": before.trouble},
            )
        context.adapter.remembered_head.accept()
        return self.look(context)
