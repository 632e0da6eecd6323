"""Matching what hospitals sent, where a plan is about to be made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import match_before_plan

__all__ = ["MatchInbox"]


@dataclass(frozen=True)
class MatchInbox:
    """Before each plan, for a moment: `adapter serve` matches all the time, and what it has not come to by
    then is in the next plan. It has no beats of its own: a result that finds its person changes what
    hospitals should hold, so the plan that follows sends it at once.
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
        match_before_plan(self.adapter, self.clock)
