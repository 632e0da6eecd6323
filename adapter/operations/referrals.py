"""What the centre does about a referral: it asks to cancel it, answers what its hospital asks, calls the
hospital, or a doctor has seen what came back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.insights.referrals import ReferralLine, referral_line
from adapter.operations.operation import Operation, OperationContext
from adapter.records.model import Referral
from adapter.records.referral_answers import ASKING, asked_to_cancel
from adapter.referrals.course import take_step
from adapter.referrals.lifecycle import ReferralState

__all__ = ["AcknowledgeReferral", "AnswerReferral", "CancelReferral", "NoteCall"]


@dataclass(frozen=True)
class CancelReferral(Operation[ReferralLine, ReferralLine]):
    """Ask the hospital to cancel a referral, with a reason. Where the hospital has not begun it is cancelled
    at once; from then on the hospital confirms or goes on. Nothing undoes it: a new referral is ordered.
    """

    name: ClassVar[str] = "referral.cancel"
    audited_as: ClassVar[tuple[str, ...]] = ("referral.cancelled",)
    referral: str
    reason: str

    def look(self, context: OperationContext) -> ReferralLine:
        """Where it stands. Raises UsageError for one that is not known, or at its end."""
        line = referral_line(context.adapter, self.referral, context.clock())
        if take_step(_at_hospital(line.state), ASKING).is_odd or line.state is _ASKED:
            raise UsageError("referral.not_to_cancel", key=self.referral)
        return line

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ReferralLine:
        """Write it down; the next sync tells the hospital."""
        unchanged()
        self.look(context)
        now = context.clock()
        with write_transaction(context.adapter.engine) as connection:
            if not context.adapter.records.amend_referral(
                self.referral, lambda one: asked_to_cancel(one, now, self.reason), connection=connection
            ):
                raise UsageError("referral.not_to_cancel", key=self.referral)  # an outcome came meanwhile
            _audit(context, connection, self.audited_as[0], self.referral)
        return referral_line(context.adapter, self.referral, now)


@dataclass(frozen=True)
class AnswerReferral(Operation[ReferralLine, ReferralLine]):
    """Answer what the hospital asked; the next sync sends it, as far as policy lets words leave. Nothing
    undoes it: another answer takes the place of the one before.
    """

    name: ClassVar[str] = "referral.answer"
    audited_as: ClassVar[tuple[str, ...]] = ("referral.answered",)
    referral: str
    text: str

    def look(self, context: OperationContext) -> ReferralLine:
        """What is asked. Raises UsageError for one that is not known, or that nothing was asked of."""
        line = referral_line(context.adapter, self.referral, context.clock())
        if line.question is None:
            raise UsageError("referral.nothing_asked", key=self.referral)
        return line

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ReferralLine:
        """Write it down: what, who, and when."""
        unchanged()
        self.look(context)
        now = context.clock()

        def told(one: Referral) -> Referral:
            at = max(now, one.asked_at) if one.asked_at else now  # its clock may be ahead of ours
            change = {"answer": self.text, "answered_at": at, "answered_by": context.by}
            return one.model_copy(update=change)

        with write_transaction(context.adapter.engine) as connection:
            context.adapter.records.amend_referral(self.referral, told, connection=connection)
            _audit(context, connection, self.audited_as[0], self.referral)
        return referral_line(context.adapter, self.referral, now)


@dataclass(frozen=True)
class AcknowledgeReferral(Operation[ReferralLine, ReferralLine]):
    """A doctor has seen what came back for a referral; `withdrawn`: nobody has, after all."""

    name: ClassVar[str] = "referral.acknowledge"
    audited_as: ClassVar[tuple[str, ...]] = ("referral.acknowledged",)
    referral: str
    withdrawn: bool = False

    def look(self, context: OperationContext) -> ReferralLine:
        """Where it stands. Raises UsageError for one that is not known, or that nothing came back for."""
        line = referral_line(context.adapter, self.referral, context.clock())
        if line.state is not ReferralState.COMPLETED:
            raise UsageError("referral.nothing_to_see", key=self.referral)
        return line

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ReferralLine:
        """Write it down: who, and when."""
        unchanged()
        self.look(context)
        now = context.clock()
        seen = {"acknowledged_at": now, "acknowledged_by": context.by}
        change = dict.fromkeys(seen) if self.withdrawn else seen

        def acknowledged(one: Referral) -> Referral:
            return one if not self.withdrawn and one.acknowledged_at else one.model_copy(update=change)

        with write_transaction(context.adapter.engine) as connection:
            context.adapter.records.amend_referral(self.referral, acknowledged, connection=connection)
            _audit(context, connection, self.audited_as[0], self.referral, withdrawn=self.withdrawn)
        return referral_line(context.adapter, self.referral, now)

    def undo(self, before: ReferralLine) -> "AcknowledgeReferral | None":
        """As nobody had seen it; None where somebody had."""
        return None if before.acknowledged_at else AcknowledgeReferral(self.referral, not self.withdrawn)


@dataclass(frozen=True)
class NoteCall(Operation[ReferralLine, ReferralLine]):
    """Note that somebody has called the hospital about a referral: when, and who. Nothing undoes it: a later
    call takes the place of the one before, and each is in the audit.
    """

    name: ClassVar[str] = "referral.call"
    audited_as: ClassVar[tuple[str, ...]] = ("referral.called",)
    referral: str

    def look(self, context: OperationContext) -> ReferralLine:
        """Where it stands. Raises UsageError for one that is not known."""
        return referral_line(context.adapter, self.referral, context.clock())

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ReferralLine:
        """Write it down."""
        unchanged()
        self.look(context)
        now = context.clock()
        change = {"called_at": now, "called_by": context.by}
        with write_transaction(context.adapter.engine) as connection:
            context.adapter.records.amend_referral(
                self.referral, lambda one: one.model_copy(update=change), connection=connection
            )
            _audit(context, connection, self.audited_as[0], self.referral)
        return referral_line(context.adapter, self.referral, now)


_ASKED = ReferralState.CANCELLATION_ASKED


def _at_hospital(state: ReferralState) -> ReferralState:
    """A referral that is not there yet is cancelled as one that nobody has looked at."""
    return ReferralState.RECEIVED if state is ReferralState.DRAFT else state


def _audit(context: OperationContext, connection: Connection, action: str, key: str, **details: bool) -> None:
    found = context.adapter.records.get(Referral.kind, key)
    cadre = found.cadre if isinstance(found, Referral) else None
    audit.append(
        connection,
        at=context.clock(),
        actor=context.by,
        action=action,
        subject=None if cadre is None else context.adapter.audit_subject(cadre),
        hospital=found.hospital if isinstance(found, Referral) else None,
        details=details,
    )
