"""What of the hospitals that are read is not read: it fails, or nobody reads it."""

from datetime import datetime, timedelta

from adapter.ledger.monitoring.overdue import Backlog
from adapter.pipeline.application import Adapter

__all__ = ["unread_types"]

_SILENT = timedelta(hours=6)


def unread_types(adapter: Adapter, hospital: str, now: datetime) -> Backlog:
    """How many of the hospital's types fail, or were not read for six hours, and since when. What was never
    tried is no trouble yet.
    """
    section = adapter.settings.hospital(hospital).poll
    if section is None:
        return Backlog(0, None)
    marks = adapter.polls.of_hospital(hospital)
    since = [
        _since(mark.failing_since, mark.done_at, now) for mark in marks.values() if mark.type in section.types
    ]
    found = [one for one in since if one is not None]
    return Backlog(len(found), min(found, default=None))


def _since(failing: datetime | None, done: datetime | None, now: datetime) -> datetime | None:
    if failing is not None:
        return failing
    return done if done is not None and now - done >= _SILENT else None
