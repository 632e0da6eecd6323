"""What a changed mapping does to the current records, before it is in force. Writes nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from adapter.fhir import codec
from adapter.fhir.difference import Difference, differences, without_positions
from adapter.ledger.entries.comparison import PlannedAction, PlannedChange
from adapter.ledger.schema.values import DesiredResource, LedgerEntry
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import PlannedPerson, all_people, desired_state_of
from adapter.pipeline.destination import Destination
from adapter.pipeline.mappings.activation import (
    ProgressCallback,
    ResendCounter,
    affects_held_content,
    if_readable,
)
from adapter.pipeline.mappings.activation_status import ResendWeight
from adapter.pipeline.outbound.planning import preview_bundles

__all__ = ["ChangeExample", "ChangeKind", "Difference", "MappingEffect", "MappingImpact", "mapping_impact"]

_MOST_VALUES = 200  # different values that one kind of change remembers


class MappingEffect(StrEnum):
    """What a mapping does to a resource that another one made."""

    CHANGE = "change"
    NEW = "new"
    VANISH = "vanish"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class ChangeExample:
    """One resource of a kind of change: the record it is made from, and all that differs."""

    record_kind: str
    record: str
    differences: tuple[Difference, ...]


@dataclass
class ChangeKind:
    """One kind of change: the same elements differ, in `count` resources. `values`: how many of them
    have which difference; only the first 200 different ones are remembered.
    """

    type: str
    file: str
    effect: MappingEffect
    elements: tuple[str, ...]
    count: int = 0
    values: Counter[Difference] = field(default_factory=Counter)
    examples: list[ChangeExample] = field(default_factory=list)


@dataclass
class MappingImpact:
    """What the folder's mapping does at one hospital against the one in force (None: none is known).

    Where none is known, or this version of the adapter cannot read it, the ledger says what changes, and
    not in which elements.
    `counts`: (type, mapping file) -> effect -> resources; `invalid`: how many could no longer be sent;
    `weight`: how many would go again of how many held; `requests`: transactions for all of that.
    """

    hospital: str
    in_force: str | None
    working: str
    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    kinds: list[ChangeKind] = field(default_factory=list)
    invalid: int = 0
    weight: ResendWeight = field(default_factory=lambda: ResendWeight(0, 0))
    requests: int = 0
    needs_accepting: bool = False

    def total(self, effect: str) -> int:
        """Resources of one effect."""
        return sum(counts[effect] for counts in self.counts.values())


def mapping_impact(
    adapter: Adapter, hospitals: Sequence[str], progress: ProgressCallback, *, sample: int = 3
) -> dict[str, MappingImpact]:
    """Per hospital, what the folder's mapping would do. Raises MappingError when it cannot be loaded."""
    return {name: _preview(adapter, name, progress, sample) for name in hospitals}


def _preview(adapter: Adapter, name: str, progress: ProgressCallback, sample: int) -> MappingImpact:
    edition, after = adapter.library.active_edition(name), adapter.folder_destination(name)
    _ = after.mappings  # a broken one is not compared
    found = MappingImpact(name, edition.version if edition else None, after.mapping_edition.version)
    if edition is not None and edition.version == after.mapping_edition.version:
        return found
    before = if_readable(adapter.destination(name)) if edition else None
    comparison = _Comparison(found, before, after, sample)
    total = adapter.records.counts()["cadre"]
    for done, person in enumerate(all_people(adapter, after), 1):
        comparison.add(person)
        progress("compare", name, done, max(done, total))
    comparison.finish(adapter.settings.max_resend_percent)
    return found


class _Comparison:
    """Adds up one hospital's preview, person by person."""

    def __init__(
        self, found: MappingImpact, before: Destination | None, after: Destination, sample: int
    ) -> None:
        self._found = found
        self._before = before
        self._after = after
        self._sample = sample
        self._kinds: dict[tuple[str, str, MappingEffect, tuple[str, ...]], ChangeKind] = {}
        self._scale = ResendCounter()

    def add(self, person: PlannedPerson) -> None:
        new = {wish.identity: wish for wish in person.desired_state.desired}
        old = self._former(person, new)
        touched = set()
        for identity in {**old, **new}:
            was, is_ = old.get(identity), new.get(identity)
            if self._count(was, is_) is not MappingEffect.SAME:
                touched.add(identity)
        changes = person.changes
        if self._before is not None:
            changes = [_quiet(change, touched) for change in changes]
        self._scale.add(person, filter(affects_held_content, changes))
        self._found.requests += sum(1 for _ in preview_bundles(self._after, changes))

    def _former(
        self, person: PlannedPerson, new: Mapping[str, DesiredResource]
    ) -> dict[str, DesiredResource]:
        """What the mapping in force makes of the same records."""
        if self._before is None:
            return {entry.identity: _wished(entry) for entry in person.entries if entry.desired_digest}
        good = {wish.identity: wish.digest for wish in new.values() if wish.problem is None}
        return {wish.identity: wish for wish in desired_state_of(person, self._before, good).desired}

    def _count(self, was: DesiredResource | None, is_: DesiredResource | None) -> MappingEffect:
        effect = _effect(was, is_)
        one = is_ or was
        assert one is not None  # noqa: S101 - identities come from either side
        file = _file(self._after if is_ else self._before, one)
        self._found.counts.setdefault((one.type, file), Counter())[effect] += 1
        if effect is MappingEffect.SAME:
            return effect
        if is_ is not None and is_.problem and not (was is not None and was.problem):
            self._found.invalid += 1
        known = was is None or is_ is None or (was.body and is_.body)
        self._describe(one, file, effect, differences(_resource(was), _resource(is_)) if known else ())
        return effect

    def _describe(
        self, one: DesiredResource, file: str, effect: MappingEffect, found: Sequence[Difference]
    ) -> None:
        changed = effect is MappingEffect.CHANGE
        elements = tuple(sorted({without_positions(line.path) for line in found})) if changed else ()
        key = (one.type, file, effect, elements)
        kind = self._kinds.setdefault(key, ChangeKind(*key))
        kind.count += 1
        if changed:
            for line in found:
                if line in kind.values or len(kind.values) < _MOST_VALUES:
                    kind.values[line] += 1
        if len(kind.examples) < self._sample:
            kind.examples.append(ChangeExample(one.kind, one.key, tuple(found)))

    def finish(self, percent: float) -> None:
        found = self._found
        found.counts = dict(sorted(found.counts.items()))
        found.kinds = sorted(self._kinds.values(), key=lambda kind: -kind.count)
        found.weight = self._scale.weight
        found.needs_accepting = not found.weight.is_within(percent)


def _wished(entry: LedgerEntry) -> DesiredResource:
    """What the ledger knows of a wish: all but its content."""
    return DesiredResource(
        identity=entry.identity,
        type=entry.type,
        rank=entry.rank,
        kind=entry.kind,
        key=entry.key,
        digest=entry.desired_digest or "",
        body=b"",
    )


def _effect(was: DesiredResource | None, is_: DesiredResource | None) -> MappingEffect:
    if was is None:
        return MappingEffect.NEW
    if is_ is None:
        return MappingEffect.VANISH
    return MappingEffect.SAME if was.digest == is_.digest else MappingEffect.CHANGE


def _quiet(change: PlannedChange, touched: set[str]) -> PlannedChange:
    """The change if the mapping causes it; what records changed meanwhile does not count."""
    one = change.entry or change.desired
    if one is not None and one.identity in touched:
        return change
    return PlannedChange(PlannedAction.UNCHANGED, change.entry, change.desired)


def _resource(wish: DesiredResource | None) -> codec.Resource | None:
    return codec.loads(wish.body) if wish is not None and wish.body else None


def _file(outlet: Destination | None, wish: DesiredResource) -> str:
    """The mapping file that makes the resource; nothing where it is not known any more."""
    return outlet.mapping_file(wish) if outlet else "-"
