"""What a changed mapping does to the current records, before it is in force. Writes nothing."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from adapter.fhir import codec
from adapter.fhir.difference import Difference, differences, without_positions
from adapter.insights.disclosure_impact import DisclosureImpact, disclosure_impact
from adapter.insights.grouped_counts import grouped_counts
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


@dataclass(frozen=True, slots=True)
class ChangeKind:
    """One kind of change: the same elements differ, in `count` resources. `values`: how many of them
    have which difference, most first; only the first 200 different ones are remembered.
    """

    type: str
    file: str
    effect: MappingEffect
    elements: tuple[str, ...]
    count: int
    values: Mapping[Difference, int]
    examples: tuple[ChangeExample, ...]


@dataclass(frozen=True, slots=True)
class MappingImpact:
    """What the folder's mapping does at one hospital against the one in force (None: none is known).

    Where none is known, or this version of the adapter cannot read it, the ledger says what changes, and
    not in which elements.
    `counts`: (type, mapping file) -> effect -> resources; `invalid`: how many could no longer be sent;
    `weight`: how many would go again of how many held; `requests`: transactions for all of that.
    `disclosure`: what policy, tiers and records do besides, whatever the mapping.
    """

    hospital: str
    in_force: str | None
    working: str
    counts: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    kinds: tuple[ChangeKind, ...] = ()
    invalid: int = 0
    weight: ResendWeight = field(default=ResendWeight(0, 0))
    requests: int = 0
    needs_accepting: bool = False
    disclosure: DisclosureImpact = field(default=DisclosureImpact())

    def total(self, effect: str) -> int:
        """Resources of one effect."""
        return sum(counts.get(effect, 0) for counts in self.counts.values())


def mapping_impact(
    adapter: Adapter, hospitals: Sequence[str], progress: ProgressCallback, *, sample: int = 3
) -> dict[str, MappingImpact]:
    """Per hospital, what the folder's mapping would do. Raises MappingError when it cannot be loaded."""
    return {
        name: replace(
            _preview(adapter, name, progress, sample), disclosure=disclosure_impact(adapter, name, progress)
        )
        for name in hospitals
    }


def _preview(adapter: Adapter, name: str, progress: ProgressCallback, sample: int) -> MappingImpact:
    edition, after = adapter.library.active_edition(name), adapter.folder_destination(name)
    _ = after.mappings  # a broken one is not compared
    nothing = MappingImpact(name, edition.version if edition else None, after.mapping_edition.version)
    if nothing.in_force == nothing.working:
        return nothing
    before = if_readable(adapter.destination(name)) if edition else None
    comparison = _Comparison(before, after, sample)
    total = adapter.records.counts()["cadre"]
    for done, person in enumerate(all_people(adapter, after), 1):
        comparison.add(person)
        progress("compare", name, done, max(done, total))
    return comparison.impact(nothing, adapter.settings.max_resend_percent)


_Kind = tuple[str, str, MappingEffect, tuple[str, ...]]  # all that a ChangeKind begins with


@dataclass(frozen=True, slots=True)
class _Effect:
    """What the mapping does to one resource, `resource` as it will be, or was where it vanishes."""

    effect: MappingEffect
    resource: DesiredResource
    file: str
    is_spoilt: bool = False  # it could be sent, and can no longer be
    differences: tuple[Difference, ...] = ()

    @property
    def kind(self) -> _Kind:
        changed = self.differences if self.effect is MappingEffect.CHANGE else ()
        elements = tuple(sorted({without_positions(line.path) for line in changed}))
        return self.resource.type, self.file, self.effect, elements


class _Comparison:
    """Adds up one hospital's impact, person by person."""

    def __init__(self, before: Destination | None, after: Destination, sample: int) -> None:
        self._before = before
        self._after = after
        self._sample = sample
        self._counts: Counter[tuple[tuple[str, str], str]] = Counter()  # ((type, file), effect)
        self._kinds: Counter[_Kind] = Counter()
        self._values: defaultdict[_Kind, Counter[Difference]] = defaultdict(Counter)
        self._examples: defaultdict[_Kind, list[ChangeExample]] = defaultdict(list)
        self._invalid = 0
        self._scale = ResendCounter()
        self._requests = 0

    def add(self, person: PlannedPerson) -> None:
        effects = _effects(person, self._before, self._after)
        self._counts.update(((one.resource.type, one.file), one.effect) for one in effects)
        touching = [one for one in effects if one.effect is not MappingEffect.SAME]
        for one in touching:
            self._describe(one)
        changes = person.changes
        if self._before is not None:
            touched = {one.resource.identity for one in touching}
            changes = [_quiet(change, touched) for change in changes]
        self._scale.add(person, filter(affects_held_content, changes))
        self._requests += sum(1 for _ in preview_bundles(self._after, changes))

    def _describe(self, one: _Effect) -> None:
        kind = one.kind
        self._kinds[kind] += 1
        self._invalid += one.is_spoilt
        values = self._values[kind]
        for line in one.differences if one.effect is MappingEffect.CHANGE else ():
            if line in values or len(values) < _MOST_VALUES:
                values[line] += 1
        if len(self._examples[kind]) < self._sample:
            self._examples[kind].append(ChangeExample(one.resource.kind, one.resource.key, one.differences))

    def impact(self, nothing: MappingImpact, percent: float) -> MappingImpact:
        """All of it; `nothing` says between which mappings. `percent` may be sent again unasked."""
        weight = self._scale.weight
        return replace(
            nothing,
            counts=dict(sorted(grouped_counts(self._counts).items())),
            kinds=tuple(self._kind(*counted) for counted in self._kinds.most_common()),
            invalid=self._invalid,
            weight=weight,
            requests=self._requests,
            needs_accepting=not weight.is_within(percent),
        )

    def _kind(self, kind: _Kind, count: int) -> ChangeKind:
        values = dict(self._values[kind].most_common())
        return ChangeKind(*kind, count, values, tuple(self._examples[kind]))


def _effects(person: PlannedPerson, before: Destination | None, after: Destination) -> list[_Effect]:
    """What becomes of each resource of one person."""
    new = {desired.identity: desired for desired in person.desired_state.desired}
    old = _former(person, before, new)
    return [_effect_on(old.get(identity), new.get(identity), before, after) for identity in {**old, **new}]


def _former(
    person: PlannedPerson, before: Destination | None, new: Mapping[str, DesiredResource]
) -> dict[str, DesiredResource]:
    """What the mapping in force makes of the same records."""
    if before is None:
        return {entry.identity: _without_body(entry) for entry in person.entries if entry.desired_digest}
    good = {desired.identity: desired.digest for desired in new.values() if desired.problem is None}
    return {desired.identity: desired for desired in desired_state_of(person, before, good).desired}


def _effect_on(
    was: DesiredResource | None,
    is_: DesiredResource | None,
    before: Destination | None,
    after: Destination,
) -> _Effect:
    effect, one = _effect(was, is_), is_ or was
    assert one is not None  # noqa: S101 - identities come from either side
    file = _file(after if is_ else before, one)
    if effect is MappingEffect.SAME:
        return _Effect(effect, one, file)
    is_spoilt = bool(is_ is not None and is_.problem and not (was is not None and was.problem))
    known = was is None or is_ is None or (was.body and is_.body)
    found = differences(_resource(was), _resource(is_)) if known else ()
    return _Effect(effect, one, file, is_spoilt, tuple(found))


def _without_body(entry: LedgerEntry) -> DesiredResource:
    """What the ledger knows of a desired resource: all but its content."""
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


def _resource(desired: DesiredResource | None) -> codec.Resource | None:
    return codec.loads(desired.body) if desired is not None and desired.body else None


def _file(destination: Destination | None, desired: DesiredResource) -> str:
    """The mapping file that makes the resource; nothing where it is not known any more."""
    return destination.mapping_file(desired) if destination else "-"
