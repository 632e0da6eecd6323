"""Printing a referral: what its hospital may see of it goes onto paper."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.insights.referral_sheet import referral_sheet
from adapter.operations.operation import Operation, OperationContext
from adapter.pdf.referral_sheet import ReferralSheet, sheet_bytes
from adapter.records.model import Referral

__all__ = ["PrintReferral"]


@dataclass(frozen=True)
class PrintReferral(Operation[ReferralSheet, bytes]):
    """The sheet of a referral as a PDF. Audited; nothing undoes it."""

    name: ClassVar[str] = "referral.print"
    audited_as: ClassVar[tuple[str, ...]] = ("referral.printed",)
    referral: str
    language: str

    def look(self, context: OperationContext) -> ReferralSheet:
        """What would stand on it. Raises UsageError where the hospital may not see the referral."""
        return referral_sheet(context.adapter, self.referral, self.language)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> bytes:
        """The bytes of the PDF."""
        unchanged()
        made = sheet_bytes(self.look(context))
        found = context.adapter.records.get(Referral.kind, self.referral)
        cadre = found.cadre if isinstance(found, Referral) else None
        with write_transaction(context.adapter.engine) as connection:
            audit.append(
                connection,
                at=context.clock(),
                actor=context.by,
                action=self.audited_as[0],
                subject=None if cadre is None else context.adapter.audit_subject(cadre),
                hospital=found.hospital if isinstance(found, Referral) else None,
                details={},
            )
        return made
