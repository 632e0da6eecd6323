"""A hospital is read back: what is missing there, extra, different or there twice; and what is ours is put
right.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from adapter.delivery.http.client import HospitalClient
from adapter.delivery.read_back import lookup
from adapter.delivery.read_back.reconciliation import (
    ReadBackResult,
    ReadBackVerdict,
    find_unexpected,
    first_differing_elements,
    judge_copies,
    remote_copies,
)
from adapter.errors import HospitalError
from adapter.fhir.bundle import Target
from adapter.ledger.repairs import Repair
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource, LedgerEntry
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import (
    CENTRE_KEY,
    PlannedPerson,
    all_people,
    selected_people,
)
from adapter.pipeline.destination import Destination
from adapter.pipeline.mappings.activation import ProgressCallback
from adapter.pipeline.outbound.planning import check_identity_key

__all__ = ["Discrepancy", "ReconcileReport", "reconcile_hospital"]

T = TypeVar("T")

_AS_IT_SHOULD = (ReadBackVerdict.SAME, ReadBackVerdict.UNDER_WAY)
_PASSING = ("timeout", "dropped", "unreachable", "HTTP 429", "HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504")
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0  # seconds


@dataclass(frozen=True)
class Discrepancy:
    """One resource that is not as it should be. `kind` and `key` are of the record, empty where none is
    known; `elements` are those that differ; `copies` the ids it has at the hospital.
    """

    verdict: ReadBackVerdict
    type: str
    identity: str
    cadre: str
    kind: str
    key: str
    copies: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    foreign: bool = False  # a copy whose content is not ours: never deleted by us
    repair: Repair | None = field(default=None, repr=False)


@dataclass
class ReconcileReport:
    """A hospital, read back. `counts`: type -> verdict -> how many; `unlisted`: type -> why what is extra
    could not be listed.
    """

    hospital: str
    read_at: datetime
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Discrepancy] = field(default_factory=list)
    unlisted: dict[str, str] = field(default_factory=dict)
    requests: int = 0

    @property
    def exit_code(self) -> int:
        """0: the hospital holds exactly what it should, or what is yet to be sent; 1: it does not."""
        return 1 if self.findings or self.unlisted else 0

    def count(self, resource_type: str, verdict: ReadBackVerdict) -> None:
        """One more resource of that type."""
        self.counts.setdefault(resource_type, Counter())[str(verdict)] += 1


def reconcile_hospital(
    adapter: Adapter,
    name: str,
    client: HospitalClient,
    clock: Callable[[], datetime],
    progress: ProgressCallback,
    *,
    only: Collection[str] | None = None,
    stop: threading.Event | None = None,
) -> ReconcileReport:
    """Read back all that the hospital should hold, by identifier, and list what it holds besides; of these
    cadres `only`, what it should hold. Writes nothing. Once it has answered, what passes (busy, no answer) is
    waited for as a sync does, until `stop` is set. Raises HospitalError when it cannot be asked, and
    SettingsError under another identity key, when nothing there could be told to be ours.
    """
    outlet = adapter.destination(name)
    check_identity_key(adapter, outlet)
    patience = _Patience(adapter.settings.patience_seconds, stop or threading.Event(), only is not None)
    reader = _Reader(outlet, client, ReconcileReport(name, clock()), patience)
    total = adapter.records.counts()["cadre"] if only is None else len(only)
    people = (
        all_people(adapter, reader.outlet) if only is None else selected_people(adapter, reader.outlet, only)
    )
    for done, person in enumerate(people, 1):
        reader.person(person)
        progress("reconcile", name, done, max(done, total))
    if only is None:
        reader.extra()
    reader.found.requests = client.requests
    return reader.found


class _Patience:
    """Asks again while what went wrong may pass, `seconds` at most. A hospital that never answered is not
    waited for.
    """

    def __init__(self, seconds: float, stop: threading.Event, has_answered: bool) -> None:
        self._seconds = seconds
        self._stop = stop
        self._has_answered = has_answered

    def asked(self, ask: Callable[[], T | str]) -> T | str:
        """What `ask` gives, or its word for what went wrong in the end."""
        pause, end = _FIRST_PAUSE, time.monotonic() + self._seconds
        while isinstance(got := ask(), str):
            worth = self._has_answered and got in _PASSING and time.monotonic() + pause < end
            if not worth or self._stop.wait(pause):
                return got
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._has_answered = True
        return got


class _Reader:
    """Reads one hospital back. `ours`: the identities of each type that may be there."""

    def __init__(
        self, outlet: Destination, client: HospitalClient, found: ReconcileReport, patience: _Patience
    ) -> None:
        self.patience = patience
        self.outlet = outlet
        self.client = client
        self.found = found
        self._ours: dict[str, set[str]] = {map_.type: set() for map_ in outlet.resource_maps}
        self._gone: dict[str, LedgerEntry] = {}

    def person(self, person: PlannedPerson) -> None:
        """What should be there of one person."""
        for entry in person.entries:
            if entry.state is EntryState.RETRACTED:
                self._gone[entry.identity] = entry
                self._ours.setdefault(entry.type, set())
            else:
                self._ours.setdefault(entry.type, set()).add(entry.identity)
        for wish in person.desired_state.desired:
            self._ours.setdefault(wish.type, set()).add(wish.identity)
        self._compare(person, [wish for wish in person.desired_state.desired if wish.problem is None])

    def _compare(self, person: PlannedPerson, wishes: Sequence[DesiredResource]) -> None:
        targets = [(one.type, one.identity) for one in wishes]
        there = self.patience.asked(
            lambda: lookup.find_by_identifier(self.client, self.outlet.system, targets)
        )
        if isinstance(there, str):
            raise HospitalError("reconcile.unreadable", hospital=self.found.hospital, why=there)
        entries = {entry.identity: entry for entry in person.entries}
        known: dict[Target, str] = {
            (wish.type, wish.identity): str(there[wish.identity][0].get("id"))
            for wish in wishes
            if there.get(wish.identity)
        }
        known |= {(one.type, one.identity): one.remote_id for one in person.entries if one.remote_id}
        for wish in wishes:
            entry = entries.get(wish.identity)
            reading = judge_copies(wish, entry, remote_copies(wish, there.get(wish.identity, ()), known))
            self.found.count(wish.type, reading.verdict)
            if reading.verdict in _AS_IT_SHOULD:
                continue
            differs = reading.verdict is ReadBackVerdict.DIFFERENT and reading.keep is not None
            self.found.findings.append(
                Discrepancy(
                    reading.verdict,
                    wish.type,
                    wish.identity,
                    person.cadre,
                    wish.kind,
                    wish.key,
                    copies=tuple(sorted((one.id for one in reading.copies), key=_first(reading))),
                    elements=first_differing_elements(wish, reading.keep, known)
                    if differs and reading.keep
                    else (),
                    foreign=any(not one.is_as_desired for one in reading.copies if one is not reading.keep),
                    repair=_repair(entry, wish, reading) if entry is not None else None,
                )
            )

    def extra(self) -> None:
        """What is there of ours besides."""
        for resource_type, known in self._ours.items():
            listed: list[tuple[str, str]] = []
            why = self.patience.asked(partial(self._listed, resource_type, known, listed))
            if isinstance(why, str):
                self.found.unlisted[resource_type] = why
            held: dict[str, list[str]] = {}
            for identity, remote_id in listed:
                held.setdefault(identity, []).append(remote_id)
            for identity, ids in held.items():
                self._extra(resource_type, identity, tuple(ids))

    def _listed(self, resource_type: str, known: set[str], listed: list[tuple[str, str]]) -> str | None:
        """List what is there besides; None when that is all, else why the rest could not be had."""
        listed.clear()
        for one in find_unexpected(self.client, self.outlet.system, resource_type, known):
            if isinstance(one, str):
                return one
            listed.append(one)
        return None

    def _extra(self, resource_type: str, identity: str, ids: tuple[str, ...]) -> None:
        entry = self._gone.get(identity)
        self.found.count(resource_type, ReadBackVerdict.EXTRA)
        self.found.findings.append(
            Discrepancy(
                ReadBackVerdict.EXTRA,
                resource_type,
                identity,
                entry.cadre if entry else CENTRE_KEY,
                entry.kind if entry else "",
                entry.key if entry else "",
                copies=ids,
                repair=Repair(entry, False, None, ids[0]) if entry else None,
            )
        )


def _first(reading: ReadBackResult) -> Callable[[str], bool]:
    """Sorts the copy that is kept before the others."""
    return lambda remote_id: reading.keep is None or remote_id != reading.keep.id


def _repair(entry: LedgerEntry, wish: DesiredResource, reading: ReadBackResult) -> Repair:
    keep = reading.keep
    holds = (
        keep is not None
        and keep.is_as_desired
        and entry.desired_digest in (wish.digest, wish.equivalent_digest)
    )
    return Repair(entry, holds, wish, keep.id if keep else None, keep.etag if keep else None)
