"""The switch that stops a hospital for all workers, and its breaker closed by hand."""

from datetime import datetime

from adapter.insights.hospital_service import HospitalService, hospital_service
from adapter.ledger.hospitals.pace import HospitalMode
from adapter.pipeline.application import Adapter

__all__ = ["reset_breaker", "set_hospital_mode"]


def set_hospital_mode(
    adapter: Adapter, name: str, mode: HospitalMode, *, by: str, note: str | None, now: datetime
) -> HospitalService:
    """Pause, drain or resume the hospital for all workers; they see it at their next claim."""
    hospital = adapter.settings.hospital(name)
    adapter.ledger.hospitals.set_mode(hospital.name, mode, by=by, note=note, now=now)
    return hospital_service(adapter, name, now)


def reset_breaker(adapter: Adapter, name: str, *, by: str, now: datetime) -> HospitalService:
    """Close the hospital's breaker by hand: it is tried at once, and its pace learnt anew."""
    hospital = adapter.settings.hospital(name)
    adapter.ledger.hospitals.reset(hospital.name, by=by, now=now)
    return hospital_service(adapter, name, now)
