"""Where a record went: for each hospital, what became of it there, or why it is not there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.history import Transition
from adapter.ledger.model import Entry
from adapter.ledger.past import Receipt
from adapter.pipeline.opened import Adapter
from adapter.pipeline.wishes import Wishes, wishes
from adapter.records.model import Cadre
from adapter.records.store import StoredRecord

__all__ = ["AtHospital", "Explained", "explain"]


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
