"""Records against the ledger: what each hospital should hold now. Work is proportional to change."""

import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Literal

from adapter import audit
from adapter.database import write
from adapter.delivery.strategy import Item, Manner, in_parts, manner, next_batch
from adapter.errors import SettingsError
from adapter.fhir.bundle import Write, bundle
from adapter.ledger.diff import Action, Change
from adapter.ledger.model import Entry
from adapter.ledger.pace import Mode
from adapter.ledger.retention import forget
from adapter.ledger.state import State
from adapter.ledger.turns import Turn
from adapter.pipeline.inforce import Progress, choose
from adapter.pipeline.opened import Adapter, Outlet
from adapter.pipeline.people import NOBODY, Person, everybody, pages, some
from adapter.pipeline.releasing import outdate

__all__ = ["Progress", "bundles", "same_key", "update_ledger", "write_bundles"]


_TRIES = 10
_PAUSE = 0.5  # seconds
_FEW = 50  # resources whose identity is made again to know the key
_LEAVING = ".leaving"  # ends the version of a plan that holds nothing but what leaves


def _since(adapter: Adapter, outlet: Outlet, version: str) -> int:
    """Where planning goes on: from the start when mappings, policy or settings changed."""
    state = adapter.ledger.hospitals.row(outlet.hospital.name)
    return state.planned_position if state.planned_version == version else 0


def same_key(adapter: Adapter, outlet: Outlet) -> None:
    """Under another identity key all that the hospital holds would be sent anew and retracted. Raises
    SettingsError when no resource in the ledger has the identity that this key makes.
    """
    known = adapter.ledger.some(outlet.hospital.name, _FEW)
    kinds = {(map_.type, map_.identity_kind) for map_ in outlet.maps}
    made = [
        outlet.identify(one.type, kind, one.key) == one.identity
        for one in known
        for type_, kind in kinds
        if type_ == one.type
    ]
    if made and not any(made):
        raise SettingsError(
            "settings.other_key",
            hospital=outlet.hospital.name,
            reference=adapter.settings.identity_key,
        )


def update_ledger(
    adapter: Adapter,
    outlet: Outlet,
    now: datetime,
    progress: Progress,
    stop: threading.Event | None = None,
    *,
    only_leaving: bool = False,
    turn: Turn | None = None,
) -> int:
    """Bring the ledger to what the hospital should hold now; returns how many resources changed.
    `only_leaving`: nothing but what records or policy say must go; a later plan starts anew.

    Each page is one transaction with its place in the feed, so a killed run, or one that `stop` ends
    early, goes on where it was. Raises LeaseLost, with nothing written, once `turn` is another's.
    """
    version = outlet.version[: -len(_LEAVING)] + _LEAVING if only_leaving else outlet.version
    if adapter.ledger.hospitals.row(outlet.hospital.name).mode == Mode.DRAINING:
        return 0  # what is in the ledger still goes, and nothing new
    name, since, head = outlet.hospital.name, _since(adapter, outlet, version), adapter.records.head()
    if since == 0:
        same_key(adapter, outlet)
    outdate(adapter, name, now)
    forget(adapter.engine, name, now - timedelta(days=adapter.settings.receipts_days))
    changed, done = 0, since
    again = adapter.ledger.to_plan_again(name)
    if since >= head and not again:
        return 0
    stop, late = stop or threading.Event(), _Late()
    parts = (([one] for one in some(adapter, outlet, again)), pages(adapter, outlet, since))
    for people in chain(*parts, late.again(adapter, outlet, stop)):
        done = max(done, people[-1].position)
        planned = {one.cadre: one.leaving() if only_leaving else one.changes for one in people}
        with write(adapter.engine) as connection:
            if turn is not None:
                adapter.ledger.turns.hold(connection, turn)
            left_out = adapter.ledger.plan(
                connection,
                name,
                planned,
                mapping_version=outlet.mapping_version,
                version=version,
                position=done,
                now=now,
            )
            if late.note(people, left_out):
                adapter.ledger.hospitals.planned(connection, name, position=late.until(done), version=version)
            refused = {
                adapter.subject(one.cadre): one.wishes.refusals() for one in people if one.cadre != NOBODY
            }
            # Last: all who write in the audit wait for each other, and lock their hospital's row before.
            audit.set_refusals(connection, name, refused, now)
        changed += sum(
            c.action not in (Action.UNCHANGED, Action.WAITING) for one in planned.values() for c in one
        )
        progress("plan", name, done - since, head - since)
        if stop.is_set():
            break
    return changed


class _Late:
    """For whom something was left out of a plan, since somebody else's shipment that it stands in was under
    way: they are planned again in the same run, or else by the next, which begins before them.
    """

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}

    def note(self, people: Sequence[Person], left_out: Collection[str]) -> bool:
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

    def again(self, adapter: Adapter, outlet: Outlet, stop: threading.Event) -> Iterator[list[Person]]:
        """Those who are late, until what was under way is done, or takes too long."""
        for _ in range(_TRIES):
            if not self._positions or stop.wait(_PAUSE):
                return
            yield from ([one] for one in some(adapter, outlet, sorted(self._positions)))


def bundles(outlet: Outlet, changes: list[Change]) -> Iterator[bytes]:
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
    how = manner(outlet.card, max_entries=outlet.hospital.max_entries, max_bytes=outlet.hospital.max_bytes)
    form: Literal["transaction", "batch"] = "transaction" if how.form == "transaction" else "batch"
    items = [Item.of(wish.type, wish.identity, wish.rank, wish.body) for wish, _ in wanted.values()]
    reachable = set(known)
    while batch := next_batch(
        items, reachable, max_entries=how.max_entries, max_bytes=how.max_bytes, together=how.together
    )[0]:
        writes = [_write(how, item, wanted[item.identity][1]) for item in batch]
        yield bundle(writes, system=outlet.system, known=known, form=form)
        reachable |= {(item.type, item.identity) for item in batch}
        items = [item for item in items if item not in batch]
    leaving = [change.entry for change in changes if _is_leaving(change) and change.entry is not None]
    gone = [
        Write(entry.type, entry.identity, remote_id=entry.remote_id, method="DELETE")
        for entry in sorted(leaving, key=lambda entry: -entry.rank)
    ]
    for part in in_parts(gone, {entry.identity: entry.rank for entry in leaving}, how):
        yield bundle(part, system=outlet.system, known={}, form=form)


def _is_to_send(change: Change) -> bool:
    waiting = change.action is Action.WAITING and change.entry is not None
    parked = change.entry is not None and change.entry.state is State.PARKED
    return change.action in (Action.CREATE, Action.UPDATE) or (waiting and not parked)


def _is_leaving(change: Change) -> bool:
    retracting = change.entry is not None and change.entry.state is State.RETRACTING
    return change.action is Action.RETRACT or (change.action is Action.WAITING and retracting)


def _write(how: Manner, item: Item, entry: Entry | None) -> Write:
    return how.write(item, entry.remote_id, entry.etag) if entry else how.write(item, None, None)


def write_bundles(adapter: Adapter, name: str, folder: Path) -> int:
    """Write the Bundles that a sync would send into `folder`, one JSON file each; returns how many.

    File names count only; nothing of a person is in them. Earlier Bundles in the folder are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("bundle-*.json"):
        old.unlink()
    choice, count = choose(adapter, name), 0
    for person in everybody(adapter, choice.outlet):
        changes = person.leaving() if choice.only_leaving else person.changes
        for body in bundles(choice.outlet, changes):
            count += 1
            (folder / f"bundle-{count:06d}.json").write_bytes(body)
    return count
