"""Records against the ledger: what each hospital should hold now. Work is proportional to change."""

import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Literal

from adapter import withheld
from adapter.database import read_transaction, write_transaction
from adapter.delivery.decisions.strategy import (
    OutboundResource,
    WriteStrategy,
    choose_strategy,
    next_bundle,
    split_writes,
)
from adapter.errors import SettingsError
from adapter.fhir.bundle import Write, build_bundle
from adapter.ledger.entries.comparison import PlannedAction, PlannedChange
from adapter.ledger.history.retention import purge_expired
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.hospitals.traffic import KEPT
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import LedgerEntry
from adapter.ledger.workers.named_locks import NamedLock
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import (
    CENTRE_KEY,
    PlannedPerson,
    changed_pages,
    selected_people,
)
from adapter.pipeline.destination import Destination
from adapter.pipeline.mappings.activation import ProgressCallback, choose_mapping
from adapter.pipeline.outbound.disclosure_guard import DisclosureGuard, guarded_people
from adapter.pipeline.outbound.too_old import park_outdated
from adapter.records.erasure import mark_of_erasures
from adapter.records.importing.import_history import forget_changes

__all__ = [
    "ProgressCallback",
    "check_identity_key",
    "forget_expired",
    "preview_bundles",
    "update_ledger",
    "write_bundles",
]

_ANSWERS_KEPT = timedelta(days=30)  # that an HL7 v2 message may come again after, of a queue that stood still
_TRIES = 10
_PAUSE = 0.5  # seconds
_FEW = 50  # resources whose identity is made again to know the key
_LEAVING = ".leaving"  # ends the version of a plan that holds nothing but what leaves


def _since(adapter: Adapter, destination: Destination, version: str) -> int:
    """Where planning goes on: from the start when mappings, policy or settings changed."""
    state = adapter.ledger.hospitals.row(destination.hospital.name)
    return state.planned_position if state.planned_version == version else 0


def check_identity_key(adapter: Adapter, destination: Destination) -> None:
    """Under another identity key all that the hospital holds would be sent anew and retracted. Raises
    SettingsError when no resource in the ledger has the identity that this key makes.
    """
    with read_transaction(adapter.engine) as connection:
        adapter.require_its_key(connection)
    known = adapter.ledger.sample(destination.hospital.name, _FEW)
    kinds = {(map_.type, map_.identity_kind) for map_ in destination.resource_maps}
    made = [
        destination.identify(one.type, kind, one.key) == one.identity
        for one in known
        for type_, kind in kinds
        if type_ == one.type
    ]
    if made and not any(made):
        raise SettingsError(
            "settings.other_key",
            hospital=destination.hospital.name,
            reference=adapter.settings.identity_key,
        )


def forget_expired(adapter: Adapter, hospital: str, now: datetime) -> int:
    """Forget what is past its retention (`receipts_days`, `imports_days`, `refused_days` of the settings);
    returns how much of the hospital's. For who has the hospital's turn: what a plan goes by does not go
    meanwhile. A hospital that drains is left as it is.
    """
    forget_changes(adapter.engine, now - timedelta(days=adapter.settings.imports_days))
    adapter.quarantine.forget(now - timedelta(days=adapter.settings.refused_days))
    adapter.acknowledgements.forget(now - _ANSWERS_KEPT)
    adapter.ledger.traffic.forget(hospital, now - KEPT)
    adapter.import_drafts.purge(now)
    if adapter.ledger.hospitals.row(hospital).mode == HospitalMode.DRAINING:
        return 0
    return purge_expired(adapter.engine, hospital, now - timedelta(days=adapter.settings.receipts_days))


def update_ledger(
    adapter: Adapter,
    destination: Destination,
    now: datetime,
    progress: ProgressCallback,
    stop: threading.Event | None = None,
    *,
    only_removals: bool = False,
    accept: bool = False,
    lock: NamedLock | None = None,
    by: str = "sync",
) -> int:
    """Bring the ledger to what the hospital should hold now; returns how many resources changed.
    `only_removals`: nothing but what records or policy say must go; a later plan starts anew.

    What policy, tiers or records that are gone disclose or take back is set aside, and planned at the end if
    it is little or told to `accept` it (`DisclosureGuard`); else it waits. `by` is who asked, for the audit.

    Each page is one transaction with its place in the feed, so a killed run, or one that `stop` ends
    early, goes on where it was. Raises LeaseLost, with nothing written, once `lock` is another's.
    """
    version = destination.version[: -len(_LEAVING)] + _LEAVING if only_removals else destination.version
    if adapter.ledger.hospitals.row(destination.hospital.name).mode == HospitalMode.DRAINING:
        return 0  # what is in the ledger still goes, and nothing new
    name, since, head = (
        destination.hospital.name,
        _since(adapter, destination, version),
        adapter.records.newest_position(),
    )
    if since == 0:
        check_identity_key(adapter, destination)
    park_outdated(adapter, name, now)
    with read_transaction(adapter.engine) as connection:
        mark = mark_of_erasures(connection)
    changed, done = 0, since
    again = adapter.ledger.cadres_to_replan(name)
    guard = DisclosureGuard(adapter, destination, only_removals, accept)
    if since >= head and not again and not (head and guard.has_to_act()):
        return 0
    stop, late = stop or threading.Event(), _Late()
    parts = (
        ([one] for one in selected_people(adapter, destination, again)),
        changed_pages(adapter, destination, since),
        late.again(adapter, destination, stop),
        ([one] for one in guard.released(now, by)),
        late.again(adapter, destination, stop),
    )
    for people in chain(*parts):
        done = max(done, people[-1].position)
        guarded = guard.guard(people)
        planned = {one.cadre: one.changes for one in guarded}
        with write_transaction(adapter.engine) as connection:
            if lock is not None:
                adapter.ledger.named_locks.verify_held(connection, lock)
            adapter.require_its_key(connection)
            if mark_of_erasures(connection, hold=True) != mark:
                break  # somebody among those who were read may have been erased since
            left_out = adapter.ledger.plan(
                connection,
                name,
                planned,
                mapping_version=destination.mapping_version,
                version=version,
                position=done,
                now=now,
            )
            if late.note(people, left_out):
                adapter.ledger.hospitals.record_plan_position(
                    connection, name, position=late.until(done), version=version
                )
            guard.note(connection, [one for one in guarded if one.cadre not in left_out], now)
            refused = {
                adapter.audit_subject(one.cadre): one.refused
                for one in guarded
                if one.cadre != CENTRE_KEY and one.refused is not None
            }
            # Last: all who write in the audit wait for each other, and lock their hospital's row before.
            withheld.set_withheld(connection, name, refused, now)
        changed += sum(
            c.action not in (PlannedAction.UNCHANGED, PlannedAction.WAITING)
            for one in planned.values()
            for c in one
        )
        progress("plan", name, done - since, head - since)
        if stop.is_set():
            return changed
    else:
        guard.finish(now, by)
        return changed
    return changed + update_ledger(
        adapter,
        destination,
        now,
        progress,
        stop,
        only_removals=only_removals,
        lock=lock,
        accept=accept,
        by=by,
    )


class _Late:
    """For whom something was left out of a plan, since somebody else's shipment that it stands in was under
    way: they are planned again in the same run, or else by the next, which begins before them.
    """

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def note(self, people: Sequence[PlannedPerson], left_out: Collection[str]) -> bool:
        """Whether anybody is late, after these people were planned. Who was planned out of turn comes again
        at the position of what was left out.
        """
        for one in people:
            if one.cadre not in left_out:
                self._positions.pop(one.cadre, None)
            elif one.position:
                self._positions[one.cadre] = one.position
        return bool(self._positions)

    def until(self, position: int) -> int:
        """How far everybody is planned, of those up to `position`."""
        return min(position, *(one - 1 for one in self._positions.values()))

    def again(
        self, adapter: Adapter, destination: Destination, stop: threading.Event
    ) -> Iterator[list[PlannedPerson]]:
        """Those who are late, until what was under way is done, or takes too long."""
        for _ in range(_TRIES):
            if not self._positions or stop.wait(_PAUSE):
                return
            yield from ([one] for one in selected_people(adapter, destination, sorted(self._positions)))


def preview_bundles(destination: Destination, changes: list[PlannedChange]) -> Iterator[bytes]:
    """The Bundles for one person, as the next sync sends them (single requests as Bundles of one). Where one
    refers to what an earlier one creates, the reference is still by identifier; it becomes the id that the
    hospital gives.
    """
    wanted = {
        change.desired.identity: (change.desired, change.entry)
        for change in changes
        if change.desired is not None and _is_to_send(change)
    }
    known = {
        (change.entry.type, change.entry.identity): change.entry.remote_id
        for change in changes
        if change.entry is not None and change.entry.remote_id is not None
    }
    how = choose_strategy(
        destination.card,
        max_entries=destination.hospital.max_entries,
        max_bytes=destination.hospital.max_bytes,
    )
    form: Literal["transaction", "batch"] = "transaction" if how.form == "transaction" else "batch"
    items = [
        OutboundResource.of(desired.type, desired.identity, desired.rank, desired.body)
        for desired, _ in wanted.values()
    ]
    reachable = set(known)
    while batch := next_bundle(
        items,
        reachable,
        max_entries=how.max_entries,
        max_bytes=how.max_bytes,
        cross_references=how.cross_references,
    )[0]:
        writes = [_write(how, item, wanted[item.identity][1]) for item in batch]
        yield build_bundle(writes, system=destination.system, known=known, form=form)
        reachable |= {(item.type, item.identity) for item in batch}
        items = [item for item in items if item not in batch]
    leaving = [change.entry for change in changes if _is_leaving(change) and change.entry is not None]
    gone = [
        Write(entry.type, entry.identity, remote_id=entry.remote_id, method="DELETE")
        for entry in sorted(leaving, key=lambda entry: -entry.rank)
    ]
    for part in split_writes(gone, {entry.identity: entry.rank for entry in leaving}, how):
        yield build_bundle(part, system=destination.system, known={}, form=form)


def _is_to_send(change: PlannedChange) -> bool:
    waiting = change.action is PlannedAction.WAITING and change.entry is not None
    parked = change.entry is not None and change.entry.state is EntryState.PARKED
    return change.action in (PlannedAction.CREATE, PlannedAction.UPDATE) or (waiting and not parked)


def _is_leaving(change: PlannedChange) -> bool:
    retracting = change.entry is not None and change.entry.state is EntryState.RETRACTING
    return change.action is PlannedAction.RETRACT or (change.action is PlannedAction.WAITING and retracting)


def _write(how: WriteStrategy, item: OutboundResource, entry: LedgerEntry | None) -> Write:
    return how.write(item, entry.remote_id, entry.etag) if entry else how.write(item, None, None)


def write_bundles(adapter: Adapter, name: str, folder: Path) -> int:
    """Write the Bundles that a sync would send into `folder`, one JSON file each; returns how many.

    File names count only; nothing of a person is in them. Earlier Bundles in the folder are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("bundle-*.json"):
        old.unlink()
    choice, count = choose_mapping(adapter, name), 0
    guard = DisclosureGuard(adapter, choice.destination, choice.only_removals)
    for one in guarded_people(guard, changed_pages(adapter, choice.destination, 0)):
        for body in preview_bundles(choice.destination, one.changes):
            count += 1
            (folder / f"bundle-{count:06d}.json").write_bytes(body)
    return count
