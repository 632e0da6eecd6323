"""A hospital is read back: what is missing there, extra, different or there twice; and what is ours is put
right.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
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
from adapter.insights.grouped_counts import grouped_counts
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
from adapter.pipeline.outbound.disclosure_guard import DisclosureGuard
from adapter.pipeline.outbound.planning import check_identity_key

__all__ = ["Discrepancy", "ReconcileReport", "reconcile_hospital"]

T = TypeVar("T")

_AS_IT_SHOULD = (ReadBackVerdict.SAME, ReadBackVerdict.UNDER_WAY)
_PASSING = ("timeout", "dropped", "unreachable", "HTTP 429", "HTTP 500", "HTTP 502", "HTTP 503", "HTTP 504")
# What a server says of a type that it does not serve: where nothing of that type was ever wished for, nothing
# of ours can be there.
_NOT_SERVED = ("HTTP 400", "HTTP 404", "HTTP 405", "HTTP 501")
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0  # seconds


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """A hospital, read back. `counts`: type -> verdict -> how many; `unlisted`: type -> why what is extra
    could not be listed.
    """

    hospital: str
    read_at: datetime
    counts: Mapping[str, Mapping[str, int]]
    findings: tuple[Discrepancy, ...]
    unlisted: Mapping[str, str]
    requests: int

    @property
    def exit_code(self) -> int:
        """0: the hospital holds exactly what it should, or what is yet to be sent; 1: it does not."""
        return 1 if self.findings or self.unlisted else 0


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
    destination, read_at = adapter.destination(name), clock()
    check_identity_key(adapter, destination)
    patience = _Patience(adapter.settings.patience_seconds, stop or threading.Event(), only is not None)
    reader = _Reader(destination, client, patience)
    total = adapter.records.counts()["cadre"] if only is None else len(only)
    people = all_people(adapter, destination) if only is None else selected_people(adapter, destination, only)
    for done, person in enumerate(DisclosureGuard(adapter, destination).as_in_force(people), 1):
        reader.person(person)
        progress("reconcile", name, done, max(done, total))
    if only is None:
        reader.extra()
    return reader.report(read_at)


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

    def __init__(self, destination: Destination, client: HospitalClient, patience: _Patience) -> None:
        self._patience = patience
        self._destination = destination
        self._client = client
        self._ours: dict[str, set[str]] = {map_.type: set() for map_ in destination.resource_maps}
        self._gone: dict[str, LedgerEntry] = {}
        self._wished: set[str] = set()  # types of which the ledger knows anything
        self._counts: Counter[tuple[str, str]] = Counter()  # (type, verdict)
        self._findings: list[Discrepancy] = []
        self._unlisted: dict[str, str] = {}

    def report(self, read_at: datetime) -> ReconcileReport:
        """All that was read."""
        return ReconcileReport(
            self._destination.hospital.name,
            read_at,
            grouped_counts(self._counts),
            tuple(self._findings),
            self._unlisted,
            self._client.requests,
        )

    def person(self, person: PlannedPerson) -> None:
        """What should be there of one person."""
        self._wished |= {one.type for one in person.entries}
        self._wished |= {one.type for one in person.desired_state.desired}
        for entry in person.entries:
            if entry.state is EntryState.RETRACTED:
                self._gone[entry.identity] = entry
                self._ours.setdefault(entry.type, set())
            else:
                self._ours.setdefault(entry.type, set()).update(_may_have(entry))
        for desired in person.desired_state.desired:
            self._ours.setdefault(desired.type, set()).add(desired.identity)
        self._compare(person, [one for one in person.desired_state.desired if one.problem is None])

    def _compare(self, person: PlannedPerson, desired_state: Sequence[DesiredResource]) -> None:
        entries = {entry.identity: entry for entry in person.entries}
        there = self._there(desired_state, entries)
        known: dict[Target, str] = {
            (desired.type, desired.identity): str(there[desired.identity][0].get("id"))
            for desired in desired_state
            if there.get(desired.identity)
        }
        known |= {(one.type, one.identity): one.remote_id for one in person.entries if one.remote_id}
        for desired in desired_state:
            entry = entries.get(desired.identity)
            copies = remote_copies(desired, there.get(desired.identity, ()), known)
            reading = judge_copies(desired, entry, copies)
            self._counts[desired.type, str(reading.verdict)] += 1
            if reading.verdict not in _AS_IT_SHOULD:
                self._findings.append(_discrepancy(person.cadre, desired, entry, reading, known))

    def _there(
        self, desired_state: Sequence[DesiredResource], entries: Mapping[str, LedgerEntry]
    ) -> lookup.FoundResources:
        """What the hospital holds under these identities, or those before. Raises HospitalError."""
        client, system = self._client, self._destination.system
        lines = [entries[one.identity] for one in desired_state if one.identity in entries]
        fresh = [(one.type, one.identity) for one in desired_state if one.identity not in entries]
        known = self._patience.asked(lambda: lookup.find_entries(client, system, lines))
        new = self._patience.asked(lambda: lookup.find_by_identifier(client, system, fresh))
        if isinstance(known, str) or isinstance(new, str):
            why = known if isinstance(known, str) else str(new)
            raise HospitalError("reconcile.unreadable", hospital=self._destination.hospital.name, why=why)
        return {**known, **new}

    def extra(self) -> None:
        """What is there of ours besides."""
        for resource_type, known in self._ours.items():
            listed: list[tuple[str, str]] = []
            why = self._patience.asked(partial(self._listed, resource_type, known, listed))
            if isinstance(why, str) and (resource_type in self._wished or why not in _NOT_SERVED):
                self._unlisted[resource_type] = why
            held: dict[str, list[str]] = {}
            for identity, remote_id in listed:
                held.setdefault(identity, []).append(remote_id)
            for identity, ids in held.items():
                self._counts[resource_type, str(ReadBackVerdict.EXTRA)] += 1
                entry = self._gone.get(identity)
                self._findings.append(_unexpected(resource_type, identity, tuple(ids), entry))

    def _listed(self, resource_type: str, known: set[str], listed: list[tuple[str, str]]) -> str | None:
        """List what is there besides; None when that is all, else why the rest could not be had."""
        listed.clear()
        for one in find_unexpected(self._client, self._destination.system, resource_type, known):
            if isinstance(one, str):
                return one
            listed.append(one)
        return None


def _may_have(entry: LedgerEntry) -> set[str]:
    """Under which identities the hospital may rightly hold it: that before too, until it was sent again."""
    unsent = entry.former_identity if entry.delivered_digest is None else None
    return {entry.identity, unsent} if unsent else {entry.identity}


def _discrepancy(
    cadre: str,
    desired: DesiredResource,
    entry: LedgerEntry | None,
    reading: ReadBackResult,
    known: Mapping[Target, str],
) -> Discrepancy:
    keep, differs = reading.keep, reading.verdict is ReadBackVerdict.DIFFERENT
    return Discrepancy(
        reading.verdict,
        desired.type,
        desired.identity,
        cadre,
        desired.kind,
        desired.key,
        copies=tuple(sorted((one.id for one in reading.copies), key=_first(reading))),
        elements=first_differing_elements(desired, keep, known) if keep and differs else (),
        foreign=any(not one.is_as_desired for one in reading.copies if one is not keep),
        repair=_repair(entry, desired, reading) if entry is not None else None,
    )


def _unexpected(
    resource_type: str, identity: str, copies: tuple[str, ...], entry: LedgerEntry | None
) -> Discrepancy:
    """What the hospital holds although it should not; `entry` says of what, where that is known."""
    return Discrepancy(
        ReadBackVerdict.EXTRA,
        resource_type,
        identity,
        entry.cadre if entry else CENTRE_KEY,
        entry.kind if entry else "",
        entry.key if entry else "",
        copies=copies,
        repair=Repair(entry, False, None, copies[0]) if entry else None,
    )


def _first(reading: ReadBackResult) -> Callable[[str], bool]:
    """Sorts the copy that is kept before the others."""
    return lambda remote_id: reading.keep is None or remote_id != reading.keep.id


def _repair(entry: LedgerEntry, desired: DesiredResource, reading: ReadBackResult) -> Repair:
    keep = reading.keep
    holds = (
        keep is not None
        and keep.is_as_desired
        and entry.desired_digest in (desired.digest, desired.equivalent_digest)
    )
    return Repair(entry, holds, desired, keep.id if keep else None, keep.etag if keep else None)
