"""Send what changed, once; and with it accept a changed mapping, policy or tiers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter.errors import MappingError
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.outbound.pending_disclosure import PendingDisclosure, pending_disclosure
from adapter.pipeline.outbound.sync import SyncSummary, sync

__all__ = ["HospitalMapping", "SyncHospitals", "SyncSummary"]


@dataclass(frozen=True, slots=True)
class HospitalMapping:
    """The mapping in force at a hospital, None before its first sync, and the folder's (None: unreadable).
    `policy`: the digest of the policy file; `waits`: what is known to wait for consent there.
    """

    hospital: str
    active: str | None
    folder: str | None
    policy: str = ""
    waits: PendingDisclosure | None = None


@dataclass(frozen=True)
class SyncHospitals(Operation[tuple[HospitalMapping, ...], SyncSummary]):
    """Plan and deliver for these hospitals. With `accept` the folder's mapping takes force although it sends
    more than the settings allow unasked, and what policy, tiers or deleted records disclose or take back goes
    of however many people; then `seen` is what was looked at. Nothing undoes it: what was sent is taken back
    by records, policy or mapping.
    """

    name: ClassVar[str] = "hospitals.sync"
    audited_as: ClassVar[tuple[str, ...]] = ("mapping.in-force", "policy.in-force", "disclosure.accepted")
    hospitals: tuple[str, ...]
    accept: bool = False
    keep: bool = False

    def look(self, context: OperationContext) -> tuple[HospitalMapping, ...]:
        """Which mapping is in force where, and which the folder holds."""
        return tuple(_mapping(context, name) for name in self.hospitals)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> SyncSummary:
        """Sync. Raises MappingError for a mapping that cannot be read, PolicyError."""
        unchanged()
        return sync(
            context.adapter,
            list(self.hospitals),
            context.clock,
            context.progress,
            context.stop,
            accept=self.accept,
            keep=self.keep,
            by=context.by,
        )


def _mapping(context: OperationContext, name: str) -> HospitalMapping:
    active = context.adapter.editions.active(name)
    try:
        folder: str | None = context.adapter.library.folder_version(name)
    except MappingError:
        folder = None
    policy, waits = context.adapter.library.policy_digest(), pending_disclosure(context.adapter, name)
    return HospitalMapping(name, active.version if active else None, folder, policy, waits)
