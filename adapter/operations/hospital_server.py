"""What a person says of a hospital's server: it is the same at a new address, or it is another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter.errors import UsageError
from adapter.insights.hospital_server import HospitalServer, hospital_server
from adapter.ledger.hospitals.server import HaltReason
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.outbound.planning import update_ledger
from adapter.pipeline.outbound.sync import planning_locks

__all__ = ["ForgetServer", "MoveServer"]


def _changed_server(context: OperationContext, name: str) -> HospitalServer:
    """Raises UsageError where the server is the one that the ledger was made with."""
    found = hospital_server(context.adapter, context.adapter.settings.hospital(name).name)
    if found.halted is None:
        raise UsageError("server.not_changed", hospital=found.hospital)
    return found


@dataclass(frozen=True)
class MoveServer(Operation[HospitalServer, HospitalServer]):
    """The server is the same at a new address: ledger and card go along. The next contact proves it. Nothing
    undoes it but the former address, put back into the settings and said in the same way.
    """

    name: ClassVar[str] = "hospital.move"
    audited_as: ClassVar[tuple[str, ...]] = ("hospital.moved",)
    hospital: str

    def look(self, context: OperationContext) -> HospitalServer:
        """Both addresses. Raises UsageError where nothing moved, or what we delivered is lost there."""
        found = _changed_server(context, self.hospital)
        if found.halted == HaltReason.RESTORED:
            raise UsageError("server.move_restored", hospital=found.hospital)
        return found

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> HospitalServer:
        """Note the new address."""
        found = self.look(context)
        context.adapter.ledger.servers.move(
            found.hospital, found.address, by=context.by, now=context.clock(), unchanged=unchanged
        )
        return hospital_server(context.adapter, found.hospital)


@dataclass(frozen=True)
class ForgetServer(Operation[HospitalServer, int]):
    """The server is another, and holds nothing of ours: what the ledger knew of the former one is forgotten,
    and all is planned anew. Gives how many resources are to be sent. Nothing is retracted anywhere, and
    nothing undoes it.
    """

    name: ClassVar[str] = "hospital.forget"
    audited_as: ClassVar[tuple[str, ...]] = ("hospital.forgotten",)
    hospital: str

    def look(self, context: OperationContext) -> HospitalServer:
        """What would be forgotten. Raises UsageError where the server did not change."""
        return _changed_server(context, self.hospital)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> int:
        """Forget and plan, while nobody else plans. Raises Busy."""
        adapter = context.adapter
        found = self.look(context)
        name = found.hospital
        destination = adapter.destination(name)
        with adapter.as_worker(context.clock, context.stop), planning_locks(adapter, [name]) as turns:
            adapter.ledger.servers.forget(
                name,
                found.address,
                by=context.by,
                now=context.clock(),
                unchanged=unchanged,
                details={"held": found.held, "leaving": found.leaving},
            )
            return update_ledger(
                adapter, destination, context.clock(), context.progress, context.stop, lock=turns[name]
            )
