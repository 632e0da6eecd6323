"""How things stand: per hospital, and for one record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapter import audit
from adapter.errors import PolicyError
from adapter.ledger.history import Transition
from adapter.ledger.model import Entry
from adapter.ledger.past import Receipt
from adapter.ledger.state import State
from adapter.pipeline.hospitals import Served, served
from adapter.pipeline.inforce import Kept
from adapter.pipeline.inforce import waiting as waiting_mapping
from adapter.pipeline.opened import Adapter
from adapter.pipeline.wishes import Wishes, wishes
from adapter.records.model import Cadre
from adapter.records.store import StoredRecord

__all__ = ["AtHospital", "Explained", "HospitalStatus", "explain", "status"]


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


@dataclass(frozen=True)
class AtHospital:
    """One record at one hospital: the state of its resource, or the reason why it is not there."""

    hospital: str
    type: str | None
    state: str  # a ledger state, "withheld", "not-planned" or "not-mapped"
    reason: str | None
    detail: str | None
    identity: str | None
    remote_id: str | None
    delivered_at: datetime | None
    sent_at: datetime | None = None  # the last time
    lookups: int = 0  # since then, that did not say whether it arrived
    history: tuple[Transition, ...] = ()


@dataclass(frozen=True)
class Explained:
    """One stored record: where it came from, and where it went; the proofs of where it no longer is.
    `merged_into`: whose it is since two people were merged, None where it is its own.
    """

    kind: str
    key: str
    deleted: bool
    source: str | None
    sheet: str | None
    row: int | None
    hospitals: tuple[AtHospital, ...]
    receipts: tuple[Receipt, ...] = ()
    merged_into: str | None = None


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


def explain(adapter: Adapter, key: str) -> list[Explained]:
    """Every stored record with that key, and what was sent of it where, or why not."""
    return [_explained(adapter, stored) for stored in adapter.records.find(key)]


def _explained(adapter: Adapter, stored: StoredRecord) -> Explained:
    entries: dict[str, list[Entry]] = {}
    for entry in adapter.ledger.of_record(stored.kind, stored.key):
        entries.setdefault(entry.hospital, []).append(entry)
    people = adapter.records.of_cadre(stored.cadre)
    past = adapter.past.of_record(stored.kind, stored.key)
    lines: list[AtHospital] = []
    for name in adapter.settings.hospitals:
        known = entries.get(name, [])
        lines += [_line(entry, past.get((name, entry.identity), ())) for entry in known]
        if not known:
            lines.append(_absent(name, stored, wishes(adapter.outlet(name), people)))
    return Explained(
        stored.kind,
        stored.key,
        stored.deleted,
        stored.source,
        stored.sheet,
        stored.row,
        tuple(lines),
        adapter.past.receipts(stored.kind, stored.key),
        stored.cadre if stored.kind == Cadre.kind and stored.cadre != stored.key else None,
    )


def _line(entry: Entry, history: tuple[Transition, ...]) -> AtHospital:
    return AtHospital(
        entry.hospital,
        entry.type,
        str(entry.state),
        entry.reason,
        entry.detail,
        entry.identity,
        entry.remote_id,
        entry.delivered_at,
        entry.sent_at,
        entry.lookups,
        history,
    )


def _absent(hospital: str, stored: StoredRecord, found: Wishes) -> AtHospital:
    withheld: Mapping[tuple[str, str], str] = found.withheld or {}
    reason = withheld.get((stored.kind, stored.key))
    planned = any((one.kind, one.key) == (stored.kind, stored.key) for one in found.desired)
    state = "withheld" if reason else "not-planned" if planned else "not-mapped"
    return AtHospital(hospital, None, state, str(reason) if reason else None, None, None, None, None)
