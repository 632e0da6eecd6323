"""Until when a hospital is to answer a referral, by what is waited for and by priority, in days."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from adapter.referrals.clocks import ClockLimits, ReferralClock

__all__ = ["ReferralClocks"]

_Days = Annotated[float, Field(gt=0, le=3_650)]


class _ByPriority(BaseModel):
    """Days by the referral's priority."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    routine: _Days
    urgent: _Days
    asap: _Days
    stat: _Days


def _days(routine: float, urgent: float, asap: float, stat: float) -> _ByPriority:
    return _ByPriority(routine=routine, urgent=urgent, asap=asap, stat=stat)


class ReferralClocks(BaseModel):
    """How long is in time, as a hospital's section [hospitals.NAME.clocks] says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    not_accepted: _ByPriority = _days(7, 2, 1, 0.25)  # since it is there
    not_scheduled: _ByPriority = _days(14, 3, 1, 0.25)  # since it was accepted, or nobody came
    not_heard_of: _ByPriority = _days(3, 2, 1, 1)  # since the appointment
    no_outcome: _ByPriority = _days(14, 7, 3, 1)  # since the visit
    not_cancelled: _ByPriority = _days(7, 2, 1, 1)  # since we asked
    not_acknowledged: _ByPriority = _days(7, 2, 1, 0.25)  # since the outcome, by a doctor of ours
    not_answered: _ByPriority = _days(2, 1, 1, 0.25)  # since the hospital asked us something

    @property
    def limits(self) -> ClockLimits:
        """As the clocks are asked."""
        found: dict[str, dict[str, float]] = self.model_dump()
        return {ReferralClock(name.replace("_", "-")): days for name, days in found.items()}
