"""What passes out of the hospitals' rows: frozen values."""

from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.hospitals.circuit_breaker import BreakerState, HospitalHealth, HospitalMode

__all__ = ["HospitalState"]


@dataclass(frozen=True, slots=True)
class HospitalState:
    """A hospital's row: how far planning got, whether and how fast it is served, and who says so."""

    name: str
    planned_position: int = 0
    planned_version: str = ""
    failures: int = 0
    not_before: datetime | None = None
    last_contact: datetime | None = None
    last_error: str | None = None
    breaker: str = BreakerState.CLOSED
    failing_since: datetime | None = None
    asked_until: datetime | None = None
    mode: str = HospitalMode.RUNNING
    mode_by: str | None = None
    mode_at: datetime | None = None
    mode_note: str | None = None
    allowed: float | None = None
    slowed_at: datetime | None = None
    entries: int | None = None
    server_url: str | None = None
    server_says: str | None = None
    halted: str | None = None
    halted_at: datetime | None = None

    @property
    def health(self) -> HospitalHealth:
        """The part of it that decides whether it is served."""
        return HospitalHealth(
            breaker=BreakerState(self.breaker),
            failures=self.failures,
            failing_since=self.failing_since,
            not_before=self.not_before,
            asked_until=self.asked_until,
            last_error=self.last_error,
            mode=HospitalMode(self.mode),
            allowed=self.allowed,
            slowed_at=self.slowed_at,
        )
