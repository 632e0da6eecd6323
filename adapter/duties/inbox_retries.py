"""Matching again what hospitals sent and nobody could be found for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox

__all__ = ["RetryInbox"]


@dataclass(frozen=True)
class RetryInbox:
    """Before each plan, and when the endpoint starts. It has no beats of its own: a result that finds its
    person changes what hospitals should hold, so the plan that follows sends it at once, and beats between
    two plans would match the same items in vain.
    """

    adapter: Adapter
    clock: Callable[[], datetime]

    @property
    def name(self) -> str:
        """See Duty."""
        return "inbox:"

    @property
    def cron(self) -> str:
        """See Duty."""
        return ""

    def run(self) -> None:
        """See Duty. Several processes may be at it: an item that one has settled stays so."""
        process_inbox(self.adapter, self.clock())
