"""What a hospital should have had long ago and never got waits for a person instead of going after all."""

from datetime import datetime, timedelta

from adapter.pipeline.application import Adapter

__all__ = ["park_outdated", "too_old_before"]


def too_old_before(adapter: Adapter, hospital: str, now: datetime) -> datetime | None:
    """What was to be sent before this moment is too old to go unasked; None where nothing ever is."""
    days = adapter.settings.hospital(hospital).max_age_days
    return now - timedelta(days=days) if days else None


def park_outdated(adapter: Adapter, hospital: str, now: datetime) -> int:
    """Park what the hospital should have had long ago and never got; returns how much that is."""
    cutoff = too_old_before(adapter, hospital, now)
    return adapter.parked_store.park_outdated(hospital, cutoff, now) if cutoff else 0
