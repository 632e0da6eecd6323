"""A person has a refused request tried again, or says that nothing is lost with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter.errors import UsageError
from adapter.fhir.codec import Resource
from adapter.inbox.quarantine.store import QuarantinedRequest
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.inbound.quarantine import discard_refused, retry_refused

__all__ = ["DiscardRefusedRequest", "RetryRefusedRequest"]


def _look(context: OperationContext, number: int) -> QuarantinedRequest:
    found = context.adapter.quarantine.get(number)
    if found is None:
        raise UsageError("refused.no_request", number=number)
    return found


@dataclass(frozen=True)
class RetryRefusedRequest(Operation[QuarantinedRequest, Resource | None]):
    """Take a refused request in as if it came now: after a setting, a mapping or the accepted types changed.
    What is refused again waits on. Nothing undoes it, as nothing undoes what a hospital sends.
    """

    name: ClassVar[str] = "inbox.retry_refused"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.refused_retried",)
    number: int

    def look(self, context: OperationContext) -> QuarantinedRequest:
        """The request as it waits. Raises UsageError where there is none."""
        return _look(context, self.number)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> Resource | None:
        """Try it: None where all of it was taken, else the OperationOutcome."""
        found = self.look(context)
        unchanged()
        return retry_refused(context.adapter, found, by=context.by, now=context.clock())


@dataclass(frozen=True)
class DiscardRefusedRequest(Operation[QuarantinedRequest, None]):
    """Drop a refused request for good. Nothing undoes it but its sender."""

    name: ClassVar[str] = "inbox.discard_refused"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.refused_discarded",)
    number: int

    def look(self, context: OperationContext) -> QuarantinedRequest:
        """The request as it waits. Raises UsageError where there is none."""
        return _look(context, self.number)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Drop it."""
        found = self.look(context)
        unchanged()
        discard_refused(context.adapter, found, by=context.by, now=context.clock())
