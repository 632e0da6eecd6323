"""Which mapping a hospital gets: the folder's, or the last good one while that is broken or not accepted.

A mapping that changed is weighed before it is in force: how much of what the hospital holds it would
send again. Changes of records and of the policy never count. See docs/decisions/0011.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from adapter import audit
from adapter.database import write
from adapter.errors import MappingError, PolicyError
from adapter.ledger.diff import Action, Change
from adapter.ledger.editions import InForce, Waiting
from adapter.ledger.model import Entry
from adapter.ledger.state import State
from adapter.mapping.snapshot import Snapshot
from adapter.pipeline.kept import Kept, Weight
from adapter.pipeline.opened import Adapter, Outlet
from adapter.pipeline.people import Person, everybody, wishes_of
from adapter.telemetry import get_logger
from adapter.texts import say

__all__ = [
    "Choice",
    "Progress",
    "Scale",
    "choose",
    "is_held",
    "is_resent",
    "readable",
    "settle",
    "trouble",
    "weight_of",
]

Progress = Callable[[str, str | None, int, int], None]

_log = get_logger(__name__)


class Scale:
    """Weighs a change, person by person."""

    def __init__(self) -> None:
        self._resend = self._held = 0
        self._lost: set[str] = set()
        self._stays: set[str] = set()

    def add(self, person: Person, caused: Iterable[Change]) -> None:
        """One person, and which of his changes of what the hospital holds the mapping causes."""
        self._held += sum(is_held(entry) for entry in person.entries)
        for change in caused:
            self._resend += 1
            if change.action is Action.RETRACT and change.entry:
                self._lost.add(change.entry.type)
        self._stays.update(one.entry.type for one in person.changes if one.entry and one.desired)

    @property
    def weight(self) -> Weight:
        """All that was added."""
        return Weight(self._resend, self._held, tuple(sorted(self._lost - self._stays)))


@dataclass(frozen=True, slots=True)
class Choice:
    """The outlet to plan with. `is_new`: its mapping is to be put in force, for the reason `by`."""

    outlet: Outlet
    kept: Kept | None = None
    is_new: bool = False
    by: str = ""
    weighed: str | None = None

    @property
    def only_leaving(self) -> bool:
        """Whether nothing may be planned but what must leave: there is no mapping to go on with."""
        return self.kept is not None and self.kept.why == "unknown"


def _silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    pass


def choose(
    adapter: Adapter,
    name: str,
    progress: Progress = _silent,
    *,
    accept: bool = False,
    keep: bool = False,
    settled: datetime | None = None,
) -> Choice:
    """The mapping that a sync would use. `accept`: the folder's, whatever it costs; `keep`: a broken one
    is no error, the last good one holds. `settled`: what was written after that moment may be half of
    it, and waits. Writes nothing. Raises MappingError, and PolicyError always.
    """
    held = adapter.editions.in_force(name)
    if held is None or not held.version:
        working = adapter.working(name)
        _load(working)
        if not adapter.ledger.counts(name):
            return Choice(working, is_new=True, by="first")
        return _judged(adapter, held, None, working, progress, accept=accept)
    current, version = adapter.outlet(name), ""
    try:
        version = adapter.library.version(name)
        if version == held.version:
            return Choice(current)
        if settled is not None and adapter.library.written()[0] > settled:
            return Choice(current, Kept(name, version, "changed"))
        working = adapter.working(name)
        _load(working)
    except PolicyError:
        raise
    except MappingError:
        if not keep:
            raise
        return Choice(current, Kept(name, version, "broken"))
    return _judged(adapter, held, current, working, progress, accept=accept)


def _load(outlet: Outlet) -> None:
    """Raises MappingError when it cannot be loaded."""
    _ = outlet.mappings


def _judged(
    adapter: Adapter,
    held: InForce | None,
    current: Outlet | None,
    working: Outlet,
    progress: Progress,
    *,
    accept: bool,
) -> Choice:
    if accept:
        return Choice(working, is_new=True, by="accepted")
    key, waiting = _basis(adapter, working), held.waiting if held else None
    if waiting is not None and waiting.weighed == key and waiting.resend is not None:
        why, weight = waiting.why, Weight(waiting.resend, waiting.held or 0)  # refused, and nothing changed
    else:
        before = readable(current) if current else None
        weight = weight_of(adapter, before, working, progress)
        if weight.is_within(adapter.settings.max_resend_percent):
            return Choice(working, is_new=True, by="small")
        why = "unknown" if before is None else "emptying" if weight.emptied else "unaccepted"
    kept = Kept(working.hospital.name, working.edition.version, why, weight)
    return Choice(current if current and why != "unknown" else working, kept, weighed=key)


def _basis(adapter: Adapter, working: Outlet) -> str:
    """What a weight depends on; while it stays, nothing need be weighed again."""
    limit, head = adapter.settings.max_resend_percent, adapter.records.head()
    parts = f"{working.version}\x1f{working.edition.digest}\x1f{head}\x1f{limit}"
    return blake2b(parts.encode(), digest_size=16).hexdigest()


def settle(adapter: Adapter, choice: Choice, now: datetime, by: str) -> None:
    """Write down what was chosen: a mapping that is now in force, or one that waits and why.
    `by` is who asked for the sync.
    """
    name, edition, kept = choice.outlet.hospital.name, choice.outlet.edition, choice.kept
    if choice.is_new:
        files = (edition.snapshot or Snapshot({})).pack()
        with write(adapter.engine) as connection:
            adapter.editions.put_in_force(
                connection, name, version=edition.version, digest=edition.digest, files=files, now=now
            )
            details = {"version": edition.version, "by": choice.by}
            audit.record(
                connection, at=now, actor=by, action="mapping.in-force", hospital=name, details=details
            )
        return
    waiting = None
    if kept is not None:
        _log.warning("mapping.kept", hospital=name, reason=kept.why, version=kept.version)
        cost = (kept.weight.resend, kept.weight.held) if kept.weight else (None, None)
        waiting = Waiting(kept.version, kept.why, choice.weighed, *cost)
    held = adapter.editions.in_force(name)
    if (held.waiting if held else None) != waiting:
        adapter.editions.set_waiting(name, waiting, now)


def trouble(adapter: Adapter) -> tuple[str, ...]:
    """What is wrong with the folder's mapping or the policy, and what that means; nothing if all is well."""
    try:
        _ = adapter.mappings
    except PolicyError as error:
        return (say("diff.policy_wrong", problem=str(error)), *error.problems)
    except MappingError as error:
        return (say("diff.service_broken"), str(error), *error.problems)
    return ()


def readable(outlet: Outlet) -> Outlet | None:
    """The outlet, or None where its mapping, put in force by an older adapter, cannot be read any more."""
    try:
        _load(outlet)
    except PolicyError:
        raise
    except MappingError:
        return None
    return outlet


def weight_of(adapter: Adapter, before: Outlet | None, working: Outlet, progress: Progress) -> Weight:
    """How much of what the hospital holds the mapping of `working` would send again or take away, that of
    `before` not. Without one, what the ledger wishes for is all there is to compare with.
    """
    scale, done = Scale(), 0
    total = adapter.records.counts()["cadre"]
    for done, person in enumerate(everybody(adapter, working), 1):
        scale.add(person, _resent(person, before))
        progress("compare", working.hospital.name, done, max(done, total))
    return scale.weight


def _resent(person: Person, before: Outlet | None) -> list[Change]:
    suspects = [change for change in person.changes if is_resent(change)]
    if not suspects or before is None:
        return suspects
    former = _digests(before, person)
    return [change for change in suspects if former.get(_identity(change)) != _digest(change)]


def _digests(outlet: Outlet, person: Person) -> dict[str, str]:
    found = wishes_of(person, outlet).desired
    return {wish.identity: wish.digest for wish in found}


def _identity(change: Change) -> str:
    return change.entry.identity if change.entry else ""


def _digest(change: Change) -> str | None:
    return change.desired.digest if change.desired else None


def is_held(entry: Entry) -> bool:
    """Whether the hospital has the resource, as far as is known."""
    there = entry.remote_id is not None or entry.delivered_digest is not None
    return there and entry.state is not State.RETRACTED


def is_resent(change: Change) -> bool:
    """Whether a change touches what the hospital has: sends it again, takes it away, or finds it wrong."""
    touches = change.action in (Action.UPDATE, Action.RETRACT, Action.INVALID)
    return touches and change.entry is not None and is_held(change.entry)
