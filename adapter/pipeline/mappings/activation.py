"""Which mapping a hospital gets: the folder's, or the last good one while that is broken or not accepted.

A mapping that changed is weighed before it is in force: how much of what the hospital holds it would
send again. Changes of records and of the policy never count. See docs/decisions/0011.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import MappingError, PolicyError
from adapter.ledger.active_mappings import ActiveMapping, PendingMapping
from adapter.ledger.entries.comparison import PlannedAction, PlannedChange
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import LedgerEntry
from adapter.mapping.folder.snapshot import MappingSnapshot
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import PlannedPerson, all_people, desired_state_of
from adapter.pipeline.destination import Destination
from adapter.pipeline.mappings.activation_status import InactiveMapping, ResendWeight
from adapter.telemetry import get_logger
from adapter.texts import say

__all__ = [
    "MappingChoice",
    "ProgressCallback",
    "ResendCounter",
    "affects_held_content",
    "choose_mapping",
    "configuration_problems",
    "if_readable",
    "is_at_hospital",
    "record_choice",
    "resend_weight",
]

ProgressCallback = Callable[[str, str | None, int, int], None]

_log = get_logger(__name__)


class ResendCounter:
    """Weighs a change, person by person."""

    def __init__(self) -> None:
        self._resend = self._held = 0
        self._lost: set[str] = set()
        self._stays: set[str] = set()

    def add(self, person: PlannedPerson, caused: Iterable[PlannedChange]) -> None:
        """One person, and which of his changes of what the hospital holds the mapping causes."""
        self._held += sum(is_at_hospital(entry) for entry in person.entries)
        for change in caused:
            self._resend += 1
            if change.action is PlannedAction.RETRACT and change.entry:
                self._lost.add(change.entry.type)
        self._stays.update(one.entry.type for one in person.changes if one.entry and one.desired)

    @property
    def weight(self) -> ResendWeight:
        """All that was added."""
        return ResendWeight(self._resend, self._held, tuple(sorted(self._lost - self._stays)))


@dataclass(frozen=True, slots=True)
class MappingChoice:
    """The destination to plan with. `needs_activation`: its mapping is to be put in force, for the reason
    `by`.
    """

    destination: Destination
    kept: InactiveMapping | None = None
    needs_activation: bool = False
    by: str = ""
    weighed: str | None = None

    @property
    def only_removals(self) -> bool:
        """Whether nothing may be planned but what must leave: there is no mapping to go on with."""
        return self.kept is not None and self.kept.why == "unknown"


def _silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    pass


def choose_mapping(
    adapter: Adapter,
    name: str,
    progress: ProgressCallback = _silent,
    *,
    accept: bool = False,
    keep: bool = False,
    settled: datetime | None = None,
) -> MappingChoice:
    """The mapping that a sync would use. `accept`: the folder's, whatever it costs; `keep`: a broken one
    is no error, the last good one holds. `settled`: what was written after that moment may be half of
    it, and waits. Writes nothing. Raises MappingError, and PolicyError always.
    """
    held = adapter.editions.active(name)
    if held is None or not held.version:
        working = adapter.folder_destination(name)
        _load(working)
        if not adapter.ledger.counts(name):
            return MappingChoice(working, needs_activation=True, by="first")
        return _judged(adapter, held, None, working, progress, accept=accept)
    current, version = adapter.destination(name), ""
    try:
        version = adapter.library.folder_version(name)
        if version == held.version:
            return MappingChoice(current)
        if settled is not None and adapter.library.last_written()[0] > settled:
            return MappingChoice(current, InactiveMapping(name, version, "changed"))
        working = adapter.folder_destination(name)
        _load(working)
    except PolicyError:
        raise
    except MappingError:
        if not keep:
            raise
        return MappingChoice(current, InactiveMapping(name, version, "broken"))
    return _judged(adapter, held, current, working, progress, accept=accept)


def _load(destination: Destination) -> None:
    """Raises MappingError when it cannot be loaded."""
    _ = destination.mappings


def _judged(
    adapter: Adapter,
    held: ActiveMapping | None,
    current: Destination | None,
    working: Destination,
    progress: ProgressCallback,
    *,
    accept: bool,
) -> MappingChoice:
    if accept:
        return MappingChoice(working, needs_activation=True, by="accepted")
    key, waiting = _basis(adapter, working), held.waiting if held else None
    if waiting is not None and waiting.weighed == key and waiting.resend is not None:
        why, weight = (
            waiting.why,
            ResendWeight(waiting.resend, waiting.held or 0),
        )  # refused, and nothing changed
    else:
        before = if_readable(current) if current else None
        weight = resend_weight(adapter, before, working, progress)
        if weight.is_within(adapter.settings.max_resend_percent):
            return MappingChoice(working, needs_activation=True, by="small")
        why = "unknown" if before is None else "emptying" if weight.emptied else "unaccepted"
    kept = InactiveMapping(working.hospital.name, working.mapping_edition.version, why, weight)
    return MappingChoice(current if current and why != "unknown" else working, kept, weighed=key)


def _basis(adapter: Adapter, working: Destination) -> str:
    """What a weight depends on; while it stays, nothing need be weighed again."""
    limit, head = adapter.settings.max_resend_percent, adapter.records.newest_position()
    parts = f"{working.version}\x1f{working.mapping_edition.digest}\x1f{head}\x1f{limit}"
    return blake2b(parts.encode(), digest_size=16).hexdigest()


def record_choice(adapter: Adapter, choice: MappingChoice, now: datetime, by: str) -> None:
    """Write down what was chosen: a mapping that is now in force, or one that waits and why.
    `by` is who asked for the sync.
    """
    name, edition, kept = choice.destination.hospital.name, choice.destination.mapping_edition, choice.kept
    if choice.needs_activation:
        files = (edition.snapshot or MappingSnapshot({})).to_zip()
        with write_transaction(adapter.engine) as connection:
            adapter.editions.activate(
                connection, name, version=edition.version, digest=edition.digest, files=files, now=now
            )
            details = {"version": edition.version, "by": choice.by}
            audit.append(
                connection, at=now, actor=by, action="mapping.in-force", hospital=name, details=details
            )
        return
    waiting = None
    if kept is not None:
        _log.warning("mapping.kept", hospital=name, reason=kept.why, version=kept.version)
        cost = (kept.weight.resend, kept.weight.held) if kept.weight else (None, None)
        waiting = PendingMapping(kept.version, kept.why, choice.weighed, *cost)
    held = adapter.editions.active(name)
    if (held.waiting if held else None) != waiting:
        adapter.editions.set_pending(name, waiting, now)


def configuration_problems(adapter: Adapter) -> tuple[str, ...]:
    """What is wrong with the folder's mapping or the policy, and what that means; nothing if all is well."""
    try:
        _ = adapter.mappings
    except PolicyError as error:
        return (say("diff.policy_wrong", problem=str(error)), *error.problems)
    except MappingError as error:
        return (say("diff.service_broken"), str(error), *error.problems)
    return ()


def if_readable(destination: Destination) -> Destination | None:
    """The destination, or None where its mapping, put in force by an older adapter, cannot be read any
    more.
    """
    try:
        _load(destination)
    except PolicyError:
        raise
    except MappingError:
        return None
    return destination


def resend_weight(
    adapter: Adapter, before: Destination | None, working: Destination, progress: ProgressCallback
) -> ResendWeight:
    """How much of what the hospital holds the mapping of `working` would send again or take away, that of
    `before` not. Without one, what the ledger desires is all there is to compare with.
    """
    scale, done = ResendCounter(), 0
    total = adapter.records.counts()["cadre"]
    for done, person in enumerate(all_people(adapter, working), 1):
        scale.add(person, _resent(person, before))
        progress("compare", working.hospital.name, done, max(done, total))
    return scale.weight


def _resent(person: PlannedPerson, before: Destination | None) -> list[PlannedChange]:
    suspects = [change for change in person.changes if affects_held_content(change)]
    if not suspects or before is None:
        return suspects
    former = _digests(before, person)
    return [change for change in suspects if former.get(_identity(change)) != _digest(change)]


def _digests(destination: Destination, person: PlannedPerson) -> dict[str, str]:
    found = desired_state_of(person, destination).desired
    return {desired.identity: desired.digest for desired in found}


def _identity(change: PlannedChange) -> str:
    return change.entry.identity if change.entry else ""


def _digest(change: PlannedChange) -> str | None:
    return change.desired.digest if change.desired else None


def is_at_hospital(entry: LedgerEntry) -> bool:
    """Whether the hospital has the resource, as far as is known."""
    there = entry.remote_id is not None or entry.delivered_digest is not None
    return there and entry.state is not EntryState.RETRACTED


def affects_held_content(change: PlannedChange) -> bool:
    """Whether a change touches what the hospital has: sends it again, takes it away, or finds it wrong."""
    touches = change.action in (PlannedAction.UPDATE, PlannedAction.RETRACT, PlannedAction.INVALID)
    return touches and change.entry is not None and is_at_hospital(change.entry)
