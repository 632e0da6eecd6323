"""How things stand, per hospital: said without loading any mapping."""

from dataclasses import dataclass
from datetime import UTC, datetime

from adapter import audit
from adapter.errors import PolicyError
from adapter.ledger.state import State
from adapter.pipeline.hospitals import Served, served
from adapter.pipeline.kept import Kept
from adapter.pipeline.kept import waiting as waiting_mapping
from adapter.pipeline.opened import Adapter

__all__ = ["HospitalStatus", "status"]


@dataclass(frozen=True)
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
    mapping_kept: Kept | None  # why it is not the folder's
    policy_problem: str | None  # nothing is sent while there is one
    served: Served  # whether and how fast


def status(adapter: Adapter, now: datetime | None = None) -> list[HospitalStatus]:
    """A line per hospital of the settings. `now`: by default what the machine's clock says."""
    problem, at = _policy_problem(adapter), now or datetime.now(UTC)
    return [_status(adapter, name, problem, at) for name in adapter.settings.hospitals]


def _policy_problem(adapter: Adapter) -> str | None:
    try:
        _ = adapter.policy
    except PolicyError as error:
        return " ".join((str(error), *error.problems))
    return None


def _next_try(due: datetime | None, how: Served) -> datetime | None:
    """When something may go again; None where nothing is due, or a person must resume the hospital."""
    if due is None or how.admits:
        return due
    return max(due, how.until) if how.until else None


def _status(adapter: Adapter, name: str, problem: str | None, now: datetime) -> HospitalStatus:
    hospital = adapter.settings.hospital(name)
    counts = adapter.ledger.counts(name)
    state = adapter.ledger.hospitals.row(name)
    how = served(adapter, name, now, counts)
    in_force = adapter.editions.in_force(name)
    due = adapter.ledger.shipments.next_due(name)
    waiting = counts.get(State.PENDING, 0) + counts.get(State.RETRACTING, 0)
    unknown = counts.get(State.UNKNOWN, 0) + counts.get(State.SENDING, 0)
    return HospitalStatus(
        hospital=name,
        display=hospital.display,
        level=hospital.level,
        desired=sum(counts.values()) - counts.get(State.RETRACTED, 0) - counts.get(State.RETRACTING, 0),
        delivered=counts.get(State.DELIVERED, 0),
        waiting=waiting,
        parked=counts.get(State.PARKED, 0),
        unknown=unknown,
        withheld=sum(refusal.records for refusal in audit.refusals(adapter.engine, name)),
        last_contact=state.last_contact,
        next_try=_next_try(due, how) if waiting or unknown else None,
        last_error=state.last_error,
        mapping=(in_force.version or None) if in_force else None,
        mapping_kept=waiting_mapping(adapter, name),
        policy_problem=problem,
        served=how,
    )
