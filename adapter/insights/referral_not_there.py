"""Why a referral is not at its hospital, as far as this end knows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.errors import MappingError
from adapter.insights.explain_record import RecordAtHospital, explain_record
from adapter.insights.hospital_service import hospital_service
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.records.model import Referral

__all__ = ["ReferralNotThere", "referral_not_there"]

_THERE: Final = (EntryState.DELIVERED, EntryState.RETRACTED)
_SAID: Final = (EntryState.PARKED, "withheld", "not-planned", "not-mapped")


@dataclass(frozen=True, slots=True)
class ReferralNotThere:
    """`state`: "parked" (refused, or given up), "withheld" (kept here by policy), "waiting" (to be sent),
    "not-planned" (the next sync plans it), "not-mapped" or "no-mapping" (IT must mend). `reason` is a word of
    delivery or policy. `not_served` says why nothing at all goes to the hospital just now (paused, hours,
    breaker), or in words that its server is not the one it was.
    """

    state: str
    reason: str | None = None
    not_served: str | None = None


def referral_not_there(adapter: Adapter, one: Referral, now: datetime) -> ReferralNotThere | None:
    """None where the hospital has it."""
    served = hospital_service(adapter, one.hospital, now)
    not_served = served.halted_because or (None if served.admits else served.why)
    try:
        found = explain_record(adapter, one.key)
    except MappingError:
        return ReferralNotThere("no-mapping", None, not_served)
    lines = [
        line
        for record in found
        if record.kind == Referral.kind
        for line in record.hospitals
        if line.hospital == one.hospital
    ]
    if not lines or any(line.state in _THERE for line in lines):
        return None
    worst = min(lines, key=_place)
    state = worst.state if worst.state in _SAID else "waiting"
    return ReferralNotThere(state, worst.reason, not_served)


def _place(line: RecordAtHospital) -> int:
    """What a person must act on is said before what only waits."""
    return _SAID.index(line.state) if line.state in _SAID else len(_SAID)
