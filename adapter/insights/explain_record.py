"""Where a record went: for each hospital, what became of it there, or why it is not there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.errors import MappingError
from adapter.ledger.history.record_history import RetractionReceipt
from adapter.ledger.schema.transitions import Transition
from adapter.ledger.schema.values import DesiredResource, LedgerEntry
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import without_unsent_withdrawn
from adapter.pipeline.desired_state.desired import DesiredState, desired_state
from adapter.records.model import Cadre, Record
from adapter.records.store import StoredRecord

__all__ = ["RecordAtHospital", "RecordExplanation", "explain_record"]


@dataclass(frozen=True, slots=True)
class RecordAtHospital:
    """One record at one hospital: the state of its resource, or why it is not there. `is_outdated`:
    an earlier version of it was sent, and this one not yet.
    """

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
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class RecordExplanation:
    """One stored record: where it came from, and where it went; the proofs of where it no longer is.
    `merged_into`: whose it is since two people were merged, None where it is its own.
    """

    kind: str
    key: str
    deleted: bool
    source: str | None
    sheet: str | None
    row: int | None
    hospitals: tuple[RecordAtHospital, ...]
    receipts: tuple[RetractionReceipt, ...] = ()
    merged_into: str | None = None


def explain_record(adapter: Adapter, key: str) -> list[RecordExplanation]:
    """Every stored record with that key, and what was sent of it where, or why not."""
    return [_explained(adapter, stored) for stored in adapter.records.find(key)]


def _explained(adapter: Adapter, stored: StoredRecord) -> RecordExplanation:
    entries: dict[str, list[LedgerEntry]] = {}
    for entry in adapter.ledger.entries_of_record(stored.kind, stored.key):
        entries.setdefault(entry.hospital, []).append(entry)
    people = adapter.records.of_cadre(stored.cadre)
    past = adapter.record_history.transitions(stored.kind, stored.key)
    lines: list[RecordAtHospital] = []
    for name in adapter.settings.hospitals:
        known = entries.get(name, [])
        if not known:
            lines.append(_absent(name, stored, _desired(adapter, name, people)))
            continue
        wanted = _wanted(adapter, name, people)
        for entry in known:
            history = past.get((name, entry.identity), ())
            lines.append(_line(entry, history, is_outdated=_is_outdated(entry, wanted)))
    return RecordExplanation(
        stored.kind,
        stored.key,
        stored.deleted,
        stored.source,
        stored.sheet,
        stored.row,
        tuple(lines),
        adapter.record_history.receipts(stored.kind, stored.key),
        stored.cadre if stored.kind == Cadre.kind and stored.cadre != stored.key else None,
    )


def _wanted(
    adapter: Adapter, hospital: str, people: Sequence[Record]
) -> Mapping[str, DesiredResource] | None:
    """What the hospital should hold of these records as they are now; None where no mapping says."""
    try:
        found = _desired(adapter, hospital, people)
    except MappingError:
        return None
    return {one.identity: one for one in found.desired}


def _desired(adapter: Adapter, hospital: str, people: Sequence[Record]) -> DesiredState:
    owners = [one.key for one in people if isinstance(one, Cadre)]
    entries = [one for held in adapter.ledger.entries(hospital, owners).values() for one in held]
    known = without_unsent_withdrawn(people, hospital, entries)
    return desired_state(adapter.destination(hospital), known)


def _is_outdated(entry: LedgerEntry, wanted: Mapping[str, DesiredResource] | None) -> bool:
    """Whether the hospital holds something else than it should by now."""
    if wanted is None or entry.delivered_digest is None:
        return False
    now = wanted.get(entry.identity)
    return now is None or entry.delivered_digest not in (now.digest, now.equivalent_digest)


def _line(entry: LedgerEntry, history: tuple[Transition, ...], *, is_outdated: bool) -> RecordAtHospital:
    return RecordAtHospital(
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
        is_outdated,
    )


def _absent(hospital: str, stored: StoredRecord, found: DesiredState) -> RecordAtHospital:
    withheld: Mapping[tuple[str, str], str] = found.withheld or {}
    reason = withheld.get((stored.kind, stored.key))
    planned = any((one.kind, one.key) == (stored.kind, stored.key) for one in found.desired)
    state = "withheld" if reason else "not-planned" if planned else "not-mapped"
    return RecordAtHospital(hospital, None, state, str(reason) if reason else None, None, None, None, None)
