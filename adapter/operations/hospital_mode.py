"""The switch that stops a hospital for all workers, and its breaker closed by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from adapter.insights.hospital_service import HospitalService, hospital_service
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.operations.operation import Operation, OperationContext

__all__ = ["BreakerView", "HospitalMode", "ResetBreaker", "SetHospitalMode", "SwitchState"]


@dataclass(frozen=True, slots=True)
class SwitchState:
    """How a hospital's switch stands, and who put it there."""

    hospital: str
    mode: str
    mode_by: str | None
    mode_at: datetime | None


@dataclass(frozen=True, slots=True)
class BreakerView:
    """How a hospital's breaker stands, after how many failures in a row, and what the last one was."""

    hospital: str
    breaker: str
    failures: int
    last_error: str | None


def _switch(context: OperationContext, name: str) -> SwitchState:
    hospital = context.adapter.settings.hospital(name).name
    row = context.adapter.ledger.hospitals.row(hospital)
    return SwitchState(hospital, row.mode, row.mode_by, row.mode_at)


@dataclass(frozen=True)
class SetHospitalMode(Operation[SwitchState, HospitalService]):
    """Pause, drain or resume a hospital for all workers, from their next claim on. Gives how it is served."""

    name: ClassVar[str] = "hospital.switch"
    audited_as: ClassVar[tuple[str, ...]] = ("hospital.paused", "hospital.draining", "hospital.running")
    hospital: str
    mode: HospitalMode
    note: str | None = None

    def look(self, context: OperationContext) -> SwitchState:
        """How the switch stands. Raises SettingsError for a hospital that is not in the settings."""
        return _switch(context, self.hospital)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> HospitalService:
        """Move the switch."""
        adapter, now = context.adapter, context.clock()
        name = adapter.settings.hospital(self.hospital).name
        adapter.ledger.hospitals.set_mode(
            name, self.mode, by=context.by, note=self.note, now=now, unchanged=unchanged
        )
        return hospital_service(adapter, name, now)

    def undo(self, before: SwitchState) -> "SetHospitalMode":
        """Back to how it stood."""
        return SetHospitalMode(self.hospital, HospitalMode(before.mode))


@dataclass(frozen=True)
class ResetBreaker(Operation[BreakerView, HospitalService]):
    """Close a hospital's breaker by hand: it is tried at once, and its pace is learnt anew. Nothing undoes
    it: the next failure opens it again.
    """

    name: ClassVar[str] = "hospital.reset"
    audited_as: ClassVar[tuple[str, ...]] = ("hospital.reset",)
    hospital: str

    def look(self, context: OperationContext) -> BreakerView:
        """How the breaker stands. Raises SettingsError for a hospital that is not in the settings."""
        hospital = context.adapter.settings.hospital(self.hospital).name
        row = context.adapter.ledger.hospitals.row(hospital)
        return BreakerView(hospital, row.breaker, row.failures, row.last_error)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> HospitalService:
        """Close the breaker."""
        adapter, now = context.adapter, context.clock()
        name = adapter.settings.hospital(self.hospital).name
        adapter.ledger.hospitals.reset(name, by=context.by, now=now, unchanged=unchanged)
        return hospital_service(adapter, name, now)
