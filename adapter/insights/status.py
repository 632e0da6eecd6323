"""How things stand, per hospital: said without loading any mapping."""

from dataclasses import dataclass
from datetime import UTC, datetime

from adapter import withheld
from adapter.errors import PolicyError
from adapter.insights.hospital_service import HospitalService, hospital_service
from adapter.ledger.schema.states import EntryState
from adapter.ledger.workers.registry import Worker
from adapter.pipeline.application import Adapter
from adapter.pipeline.mappings.activation_status import InactiveMapping
from adapter.pipeline.mappings.activation_status import inactive_mapping as waiting_mapping
from adapter.pipeline.outbound.pending_disclosure import PendingDisclosure, pending_disclosure

__all__ = ["HospitalStatus", "Worker", "hospital_statuses"]


@dataclass(frozen=True, slots=True)
class HospitalStatus:
    """One hospital's line in `adapter status`."""

    hospital: str
    display: str
    level: str
    desired: int
    delivered: int
    waiting: int
    parked: int
    unknown: int
    withheld: int
    last_contact: datetime | None
    next_try: datetime | None
    last_error: str | None
    mapping: str | None  # the version in force
    mapping_kept: InactiveMapping | None  # why it is not the folder's
    disclosure_waits: PendingDisclosure | None  # what policy, tiers or records would disclose or take back
    policy_problem: str | None  # nothing is sent while there is one
    served: HospitalService  # whether and how fast


def hospital_statuses(adapter: Adapter, now: datetime | None = None) -> list[HospitalStatus]:
    """A line per hospital of the settings. `now`: by default what the machine's clock says."""
    problem, at = _policy_problem(adapter), now or datetime.now(UTC)
    return [_status(adapter, name, problem, at) for name in adapter.settings.hospitals]


def _policy_problem(adapter: Adapter) -> str | None:
    try:
        _ = adapter.policy
    except PolicyError as error:
        return " ".join((str(error), *error.problems))
    return None


def _next_try(due: datetime | None, how: HospitalService) -> datetime | None:
    """When something may go again; None where nothing is due, or a person must resume the hospital."""
    if due is None or how.admits:
        return due
    return max(due, how.until) if how.until else None


def _status(adapter: Adapter, name: str, problem: str | None, now: datetime) -> HospitalStatus:
    hospital = adapter.settings.hospital(name)
    counts = adapter.ledger.counts(name)
    state = adapter.ledger.hospitals.row(name)
    how = hospital_service(adapter, name, now, counts)
    in_force = adapter.editions.active(name)
    due = adapter.ledger.shipments.next_due(name)
    waiting = counts.get(EntryState.PENDING, 0) + counts.get(EntryState.RETRACTING, 0)
    unknown = counts.get(EntryState.UNKNOWN, 0) + counts.get(EntryState.SENDING, 0)
    return HospitalStatus(
        hospital=name,
        display=hospital.display,
        level=hospital.level,
        desired=sum(counts.values())
        - counts.get(EntryState.RETRACTED, 0)
        - counts.get(EntryState.RETRACTING, 0),
        delivered=counts.get(EntryState.DELIVERED, 0),
        waiting=waiting,
        parked=counts.get(EntryState.PARKED, 0),
        unknown=unknown,
        withheld=sum(refusal.records for refusal in withheld.withheld_counts(adapter.engine, name)),
        last_contact=state.last_contact,
        next_try=_next_try(due, how) if waiting or unknown else None,
        last_error=state.last_error,
        mapping=(in_force.version or None) if in_force else None,
        mapping_kept=waiting_mapping(adapter, name),
        disclosure_waits=pending_disclosure(adapter, name),
        policy_problem=problem,
        served=how,
    )
