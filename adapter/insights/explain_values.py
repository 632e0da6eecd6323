"""Where every value that goes to a hospital came from, and what a hospital's refusal says of a record."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from adapter.errors import UsageError
from adapter.fhir import codec
from adapter.fhir.paths import Path, leaf_values, path_text
from adapter.insights.leaf_alignment import align_leaves
from adapter.ledger.schema.values import DesiredResource
from adapter.mapping.language.keywords import closest_choices
from adapter.mapping.loader import Mappings
from adapter.mapping.read_tracker import FieldRead
from adapter.mapping.trace import ResourceTrace, TracingEngine, ValueOrigin
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.desired import DesiredState, desired_state
from adapter.pipeline.destination import Destination
from adapter.records.model import Record
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.layout import SHEETS
from adapter.records.store import StoredRecord
from adapter.texts import current_language

__all__ = ["CodeTableRow", "TracedPerson", "TracedResource", "TracedValue", "ValueSource", "trace_resources"]


@dataclass(frozen=True, slots=True)
class ValueSource:
    """A field of a record, and the cell that it was read from; no column or row where there is none."""

    kind: str
    key: str
    field: str
    column: str | None
    source: str | None
    sheet: str | None
    row: int | None


@dataclass(frozen=True, slots=True)
class CodeTableRow:
    """A row of a code table."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class TracedValue:
    """One value of a resource: `path` is FHIRPath by JSON names, `by` who decided it: the mapping, the
    engine (its identifier, the state of a completed referral), or disclosure. `expression` None: a literal.
    """

    path: str
    value: Any
    by: str
    file: str | None
    line: int | None
    column: int | None
    expression: str | None
    verbs: tuple[str, ...]
    fields: tuple[ValueSource, ...]
    tables: tuple[CodeTableRow, ...]


@dataclass(frozen=True, slots=True)
class TracedResource:
    """What one mapping makes of a record for one hospital, with the origin of every leaf.

    `state` is the ledger's, "not-planned", or "withheld" (`reason` says why; the resource is then what the
    mapping alone made). `removed`: values that disclosure took away, without them. `empty`: expressions
    that gave nothing for this record.
    """

    hospital: str
    type: str
    name: str | None
    kind: str
    key: str
    identity: str
    state: str
    reason: str | None
    source: str | None
    sheet: str | None
    row: int | None
    resource: Mapping[str, Any]
    leaves: tuple[TracedValue, ...]
    removed: tuple[TracedValue, ...] = ()
    empty: tuple[TracedValue, ...] = field(default=())


class _TracedDestination(Destination):
    """A hospital whose engine traces chosen records."""

    def __init__(self, adapter: Adapter, name: str, wanted: Callable[[str, str], bool]) -> None:
        super().__init__(
            adapter.settings,
            name,
            adapter.mapping_edition(name),
            library=adapter.library,
            identities=adapter.identities,
            card_of=adapter.card,
        )
        self._wanted = wanted

    @cached_property
    def engine(self) -> TracingEngine:
        return TracingEngine(super().engine, self._wanted)


class TracedPerson:
    """One person's records and what one hospital should hold of them, some of it traced."""

    def __init__(
        self, adapter: Adapter, hospital: str, cadre: str, wanted: Callable[[str, str], bool]
    ) -> None:
        self._adapter = adapter
        self._rows: dict[tuple[str, str], StoredRecord | None] = {}
        self.records = adapter.records.of_cadre(cadre)
        self.destination = _TracedDestination(adapter, hospital, wanted)
        self.desired_state: DesiredState = desired_state(self.destination, self.records)
        self._desired: dict[str, DesiredResource] = {one.identity: one for one in self.desired_state.desired}

    def should_hold(self, kind: str, key: str) -> bool:
        """Whether the hospital should hold anything made of that record."""
        return any((one.kind, one.key) == (kind, key) for one in self.desired_state.desired)

    def traced(self) -> list[TracedResource]:
        """All that was traced; as it was made last, where an order that does not go had it made again."""
        found = {one.mapped.identity: one for one in self.destination.engine.found}
        return [self._resource(one) for one in found.values()]

    def trace_withheld(self, record: Record) -> None:
        """Trace what the mapping alone makes of a record that policy keeps back."""
        visit = next(
            (one for one in self.records if (one.kind, one.key) == ("visit", getattr(record, "visit", None))),
            None,
        )
        self.destination.engine.map(record, visit=visit)

    def stored_record(self, kind: str, key: str) -> StoredRecord | None:
        """The stored record, asked for once."""
        if (kind, key) not in self._rows:
            self._rows[kind, key] = self._adapter.records.stored_record(kind, key)
        return self._rows[kind, key]

    def _resource(self, one: ResourceTrace) -> TracedResource:
        mapped = one.mapped
        made = codec.loads(codec.dumps(mapped.resource))
        identity = mapped.identity
        desired = self._desired.get(identity)
        sent = codec.loads(desired.body) if desired is not None and desired.body else made
        entry = self._adapter.ledger.by_identity(self.destination.hospital.name, mapped.type, identity)
        # Of a record that is withheld in part, what goes is not withheld.
        kept_back = {} if desired is not None else self.desired_state.withheld or {}
        reason = kept_back.get((mapped.kind, mapped.key))
        stored = self.stored_record(mapped.kind, mapped.key)
        leaves, removed = self._leaves(one, made, sent)
        return TracedResource(
            hospital=self.destination.hospital.name,
            type=mapped.type,
            name=mapped.name,
            kind=mapped.kind,
            key=mapped.key,
            identity=identity,
            state="withheld" if reason else str(entry.state) if entry else "not-planned",
            reason=str(reason) if reason else None,
            source=stored.source if stored else None,
            sheet=stored.sheet if stored else None,
            row=stored.row if stored else None,
            resource=sent,
            leaves=leaves,
            removed=removed,
            empty=tuple(self._leaf(mapped.type, path, None, origin, None) for path, origin in one.empty),
        )

    def _leaves(
        self, one: ResourceTrace, made: Any, sent: Any
    ) -> tuple[tuple[TracedValue, ...], tuple[TracedValue, ...]]:
        """The leaves of what is sent, and of what the mapping made those that are not."""
        type_ = one.mapped.type
        pairs = list(align_leaves(made, sent))
        values = dict(leaf_values(sent))
        leaves = []
        for pair in pairs:
            origin = one.leaves.get(pair.before, ValueOrigin()) if pair.before else ValueOrigin()
            by = None if pair.same else _changed_by(type_, pair.path)
            leaves.append(self._leaf(type_, pair.path, values[pair.path], origin, by))
        kept = {pair.before for pair in pairs}
        gone = [(path, origin) for path, origin in one.leaves.items() if path not in kept]
        removed = (self._leaf(type_, path, None, origin, "disclosure") for path, origin in gone)
        return tuple(leaves), tuple(removed)

    def _leaf(self, type_: str, path: Path, value: Any, origin: ValueOrigin, by: str | None) -> TracedValue:
        place = origin.place
        return TracedValue(
            path=f"{type_}.{path_text(path)}",
            value=value,
            by=by or ("mapping" if place else "engine"),
            file=place.file if place else None,
            line=place.line if place else None,
            column=place.column if place else None,
            expression=origin.expression,
            verbs=origin.verbs,
            fields=tuple(self._source(read) for read in origin.reads),
            tables=tuple(CodeTableRow(one.file, one.line) for one in origin.lookups),
        )

    def _source(self, read: FieldRead) -> ValueSource:
        stored = self.stored_record(read.kind, read.key)
        if stored is None:
            return ValueSource(read.kind, read.key, read.field, None, None, None, None)
        column = _header(read, stored.sheet)
        return ValueSource(read.kind, read.key, read.field, column, stored.source, stored.sheet, stored.row)


def _changed_by(resource_type: str, path: Path) -> str:
    """Who changed a value after the mapping. The status of a referral or its Task by what the hospital said
    is the pipeline's; everything else is disclosure's.
    """
    by_hospital = resource_type in ("ServiceRequest", "Task") and path == ("status",)
    return "engine" if by_hospital else "disclosure"


def _header(read: FieldRead, sheet_name: str | None) -> str | None:
    """The header of a field's column: in the language of its sheet's name, else in the one in use."""
    sheet = next((one for one in SHEETS if one.kind == read.kind), None)
    column = next((one for one in sheet.columns if one.field == read.field), None) if sheet else None
    if sheet is None or column is None:
        return None
    return column.header(_language_of(sheet, sheet_name))


def _language_of(sheet: Sheet, name: str | None) -> str:
    known = {sheet.vi: "vi", sheet.en: "en"}
    return known.get(name or "", current_language())


def trace_resources(
    adapter: Adapter, resource_type: str, key: str, hospital: str | None = None
) -> list[TracedResource]:
    """The resources of that type made from the record with that key, for `hospital`, else for the first
    that should hold one, else as the first would get it. [] when no mapping makes any of this record.

    Raises UsageError for a type that no mapping makes, and for a key of no record that it is made from.
    """
    names = [adapter.settings.hospital(hospital).name] if hospital else list(adapter.settings.hospitals)
    if not names:
        raise UsageError("explain.no_hospital")
    stored = _stored(adapter, adapter.destination(names[0]).mappings, resource_type, key)
    found: list[TracedResource] = []
    for one in stored:
        person = _person(adapter, names, one)
        if one.record is not None and not person.destination.engine.found:
            person.trace_withheld(one.record)
        found += [resource for resource in person.traced() if resource.type == resource_type]
    return found


def _stored(adapter: Adapter, mappings: Mappings, resource_type: str, key: str) -> list[StoredRecord]:
    kinds = [kind for kind, types in mappings.types_of.items() if resource_type in types]
    if not kinds:
        raise UsageError(
            "explain.no_mapping", type=resource_type, nearest=closest_choices(resource_type, mappings.types)
        )
    stored = [
        row
        for kind in kinds
        if (row := adapter.records.stored_record(kind, key)) is not None and not row.deleted
    ]
    if not stored:
        raise UsageError("explain.no_record", type=resource_type, key=key)
    return stored


def _person(adapter: Adapter, hospitals: Iterable[str], stored: StoredRecord) -> TracedPerson:
    """The person with this record traced, at the first hospital that should hold it, else the first."""

    def wanted(kind: str, key: str) -> bool:
        return (kind, key) == (stored.kind, stored.key)

    people = (TracedPerson(adapter, name, stored.cadre, wanted) for name in hospitals)
    first = next(people)
    if first.should_hold(stored.kind, stored.key):
        return first
    return next((one for one in people if one.should_hold(stored.kind, stored.key)), first)
