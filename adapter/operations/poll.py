"""Read the server of a hospital that cannot send, and find out whose what came is."""

from collections.abc import Callable
from datetime import datetime
from threading import Event

from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.polling import PolledType, Tell, poll_hospital

__all__ = ["PolledType", "poll_and_match"]


def poll_and_match(
    adapter: Adapter,
    hospital: str,
    clock: Callable[[], datetime],
    stop: Event,
    *,
    since: datetime | None = None,
    dry_run: bool = False,
    tell: Tell = lambda *_: None,
) -> tuple[PolledType, ...]:
    """One round; with `dry_run` nothing is stored, noted or matched. Raises SettingsError."""
    found = poll_hospital(adapter, hospital, clock, stop, since=since, dry_run=dry_run, tell=tell)
    if any(one.taken for one in found) and not dry_run:
        process_inbox(adapter, clock)
    return found
