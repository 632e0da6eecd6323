"""What is parked is let go again, on a person's word."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.insights.parked import ParkedCause, ParkedSelection, parked_causes, select_parked
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.outbound.too_old import too_old_before

__all__ = ["ReleaseParked"]


@dataclass(frozen=True)
class ReleaseParked(Operation[tuple[ParkedCause, ...], tuple[ParkedCause, ...]]):
    """Let go what is parked: `words` are hospitals' names, records' keys or identities, `reason` one cause,
    or `everything`. Gives what was done, by cause. Nothing undoes it: what the hospital refuses again is
    parked again.
    """

    name: ClassVar[str] = "parked.release"
    audited_as: ClassVar[tuple[str, ...]] = ("parked.released",)
    words: tuple[str, ...] = ()
    reason: str | None = None
    everything: bool = False

    def look(self, context: OperationContext) -> tuple[ParkedCause, ...]:
        """What would go, by hospital and cause. Raises UsageError when nothing says what."""
        return tuple(parked_causes(context.adapter, self._selected(context), context.clock()))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> tuple[ParkedCause, ...]:
        """Let it go, in one transaction for each selection."""
        selected = self._selected(context)
        unchanged()
        done = tuple(parked_causes(context.adapter, selected, context.clock()))
        for one in selected:
            _release(context, one)
        return done

    def _selected(self, context: OperationContext) -> list[ParkedSelection]:
        return select_parked(context.adapter, self.words, self.reason, everything=self.everything)


def _release(context: OperationContext, selected: ParkedSelection) -> None:
    adapter, now = context.adapter, context.clock()
    whose = adapter.parked_store.cadres(selected) if selected.key else []
    with write_transaction(adapter.engine) as connection:
        released, too_old = adapter.parked_store.release(
            connection, selected, too_old_before(adapter, selected.hospital, now), now
        )
        if not released and not too_old:
            return
        audit.append(
            connection,
            at=now,
            actor=context.by,
            action="parked.released",
            subject=adapter.audit_subject(whose[0]) if whose else None,
            hospital=selected.hospital,
            details={"reason": selected.reason, "released": released, "too_old": too_old},
        )
