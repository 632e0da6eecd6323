"""The requests to a hospital over the last hours, an entry for each hour whether there were any or not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from adapter.ledger.hospitals.traffic import TrafficHour, TrafficOutcome
from adapter.pipeline.application import Adapter

__all__ = ["TrafficHour", "TrafficOutcome", "hospital_traffic"]


def hospital_traffic(adapter: Adapter, name: str, now: datetime, hours: int) -> Sequence[TrafficHour]:
    """So many hours, the current one last. Raises SettingsError for a hospital that nobody named."""
    hospital = adapter.settings.hospital(name).name
    last = now.replace(minute=0, second=0, microsecond=0)
    wanted = [last - timedelta(hours=back) for back in reversed(range(hours))]
    found = adapter.ledger.traffic.hours(hospital, wanted[0], last + timedelta(hours=1))
    known = {one.hour: one for one in found}
    return tuple(known.get(hour, TrafficHour(hour)) for hour in wanted)
