"""Forgetting what need not be remembered any more."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import forget_expired

__all__ = ["ForgetExpired"]


@dataclass(frozen=True)
class ForgetExpired:
    """Before each plan for a hospital. It has no beats of its own: what it deletes a plan may be going by, so
    it needs the hospital's turn, and a beat that had the turn would make the hospital's own beat be skipped.
    """

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str

    @property
    def name(self) -> str:
        """See Duty."""
        return f"retention:{self.hospital}"

    @property
    def cron(self) -> str:
        """See Duty."""
        return ""

    def run(self) -> None:
        """See Duty. For who has the turn to plan for the hospital."""
        forget_expired(self.adapter, self.hospital, self.clock())
