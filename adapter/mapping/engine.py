"""The engine (pure): a record in, resources out. Same record, same bytes.

Expressions run in Jinja2's sandbox, narrowed further: they read only the record fields that the
mapping may name, call nothing but `system()` and the verbs, and never see a private attribute.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from jinja2.environment import TemplateExpression

from adapter.bounded_cache import BoundedCache
from adapter.errors import MappingError
from adapter.fhir.identity import with_identity
from adapter.mapping.expression_sandbox import ExpressionSandbox, ReadableFields, RelatedFields
from adapter.mapping.language.compiler import CONTEXT_VARIABLES, CompiledExpression, EachBody, Program
from adapter.mapping.language.expression_checker import ORIGIN_FIELDS
from adapter.mapping.language.expression_scope import MappingVariants
from adapter.mapping.language.source_tree import Node
from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.transforms.pruning import SplicedItems, pruned
from adapter.mapping.transforms.transforms import Transforms

__all__ = ["HospitalContext", "MappedResource", "MappingEngine", "ResourceMapping", "expression_context"]

_REMEMBERED = 10_000  # sets of elements, of each mapping
# The ministry's system of facility codes, unless a hospital's settings name another one.
_FACILITY_CODE = "http://fhir.ehealth.gov.vn/core/sid/provider-code"


@dataclass(frozen=True, slots=True)
class HospitalContext:
    """What the engine knows of one hospital. `identify(type, kind, key)` gives a record's identity
    there; `systems` are identifier system URIs by name, and a name that is missing sends nothing.
    `refer(type, kind, key)` gives the Reference to such a record (None: by its identity).
    """

    name: str
    display: str
    facility_code: str
    systems: Mapping[str, str]
    centre_name: str
    centre_facility_code: str
    identifier_system: str
    identify: Callable[[str, str, str], str]
    refer: Callable[[str, str, str], dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class MappedResource:
    """A resource, the kind and key of the record it was made from, and the name of the mapping.
    `identity` is the resource's at this hospital.
    """

    type: str
    kind: str
    key: str
    resource: dict[str, Any]
    name: str | None = None
    identity_kind: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class ResourceMapping:
    """One mapping, checked and compiled. `when` decides whether a record makes a resource at all, and
    without one of the elements `needs` it makes none either.
    """

    file: str
    type: str
    name: str | None  # of a variant: one of several mappings that make this type
    kind: str
    tree: Node  # the body, with fragments and the hospital's overlay in place
    fields: Mapping[str, frozenset[str]]  # record kind -> fields that may be read
    reads: frozenset[str]  # fields that the expressions do read, of any record; "origin" for all of its
    references: frozenset[str]  # resource types
    needs: tuple[str, ...]
    body: Program
    when: Program | None

    @property
    def identity_kind(self) -> str:
        """The kind that goes into the identity of what it makes, so that two variants never share one."""
        return f"{self.kind}#{self.name}" if self.name else self.kind


class _Tally(Counter[tuple[str, str]]):
    """Counts, and knows how often it did."""

    changes = 0

    def __setitem__(self, counted: tuple[str, str], count: int) -> None:
        self.changes += 1
        super().__setitem__(counted, count)


class _Compiled:
    """One mapping file in the sandbox of one hospital."""

    def __init__(self, map_: ResourceMapping, filters: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        self.map = map_
        self._sandbox = ExpressionSandbox(frozenset().union(*map_.fields.values()))
        self._sandbox.filters["or_default"] = _or_default
        self._sandbox.filters.update(filters)
        self._sandbox.globals.update(names)
        for program in (map_.body, map_.when):
            for each in program.eaches if program else ():
                self._sandbox.filters[each.name] = self._loop(each)
            self._sandbox.globals.update(program.constants if program else {})
        self.body = self._compile(map_.body.source)
        self.shared = self._compile(map_.body.shared) if map_.body.shared else None
        self._made: BoundedCache[tuple[object, ...], dict[str, Any]] = BoundedCache(_REMEMBERED)
        self.when = self._compile(map_.when.source) if map_.when else None

    def _compile(self, source: str) -> TemplateExpression:
        return self._sandbox.compile_expression(source, undefined_to_none=False)

    def _loop(self, each: EachBody) -> Callable[..., SplicedItems]:
        body = self._compile(each.source)

        names = (*CONTEXT_VARIABLES, *each.names)

        def run(items: Iterable[Any] | None, *outer: object) -> SplicedItems:
            if not items:
                return SplicedItems()
            around = dict(zip(names, outer, strict=True))
            return SplicedItems(body(around, **{each.variable: item}) for item in items)

        return run

    def remembered(self, record: Any) -> tuple[tuple[object, ...], dict[str, Any] | None]:
        """The fields that the shared elements depend on, and those elements if they were made before."""
        fields = tuple(_exactly(getattr(record, name)) for name in self.map.body.shared_reads)
        return fields, self._made.get(fields)

    def remember(self, fields: tuple[object, ...], made: dict[str, Any]) -> None:
        """Nobody may change `made` any more."""
        self._made.put(fields, made)

    def run(self, source: str, known: Mapping[str, Any]) -> Any:
        """The value of one expression by itself."""
        return self._compile(source)(known)

    def failing(self, **known: object) -> CompiledExpression | None:
        """The first expression that fails by itself; None when it takes more than one."""
        for program in (self.map.when, self.map.body):
            for step in program.steps if program else ():
                try:
                    self._try(step, **known)
                except Exception:  # noqa: BLE001 - whatever an expression raises is what we look for
                    return step
        return None

    def _try(self, step: CompiledExpression, **known: Any) -> None:
        if not step.variables:
            self._compile(step.source)(**known)
            return
        (variable, items), *inner = step.variables
        deeper = CompiledExpression(step.path, step.place, step.source, tuple(inner))
        for item in self._compile(items)(**known) or ():
            self._try(deeper, **known, **{variable: item})


class MappingEngine:
    """Maps records for one hospital. `maps_of` are its mappings by record kind, what they refer to first;
    `unknown_codes` counts (table, code) that no table knows. `evaluator` is for looking, not for mapping.
    """

    def __init__(self, maps: Iterable[ResourceMapping], codes: CodeTables, context: HospitalContext) -> None:
        self.unknown_codes = _Tally()
        self.codes = codes
        self.context = context
        listed = tuple(maps)
        transforms = Transforms(
            codes,
            kinds=_identity_kinds(listed),
            identify=context.identify,
            identifier_system=context.identifier_system,
            unknown=self.unknown_codes,
            refer=context.refer,
        )
        self._filters, self._names = transforms.filters(), _names(context)
        self.maps_of: dict[str, tuple[ResourceMapping, ...]] = {}
        for map_ in listed:
            self.maps_of[map_.kind] = (*self.maps_of.get(map_.kind, ()), map_)
        self._listed = {(map_.type, map_.name): map_ for map_ in listed}
        self._compiled: dict[tuple[str, str | None], _Compiled] = {}

    def map(
        self,
        record: Any,
        *,
        related: Mapping[str, Sequence[Any]] | None = None,
        visit: object = None,
        origin: object = None,
    ) -> list[MappedResource]:
        """The resources of one record; [] when no mapping makes any. `related` holds, by kind, other
        records that go to this hospital with it; `visit` is the visit that the record belongs to;
        `origin` says where the record came from (source, sheet, row, imported_at).

        Raises MappingError that names file, line and element, never a value.
        """
        made = (
            self.make(map_, record, related=related, visit=visit, origin=origin)
            for map_ in self.maps_of.get(record.kind, ())
        )
        return [one for one in made if one is not None]

    def make(
        self,
        map_: ResourceMapping,
        record: Any,
        *,
        related: Mapping[str, Sequence[Any]] | None = None,
        visit: object = None,
        origin: object = None,
    ) -> MappedResource | None:
        """What one of this engine's mappings makes of a record; None when it makes nothing of it.

        Raises MappingError like `map`.
        """
        body = self.body(map_, expression_context(map_, record, related=related, visit=visit, origin=origin))
        if body is None:
            return None
        identity = self.context.identify(map_.type, map_.identity_kind, record.key)
        resource = with_identity(map_.type, self.context.identifier_system, identity, body)
        return MappedResource(
            map_.type, record.kind, record.key, resource, map_.name, map_.identity_kind, identity
        )

    def body(self, map_: ResourceMapping, known: Mapping[str, Any]) -> dict[str, Any] | None:
        """The elements that a mapping gives, without the identity, with `known` as of `expression_context`;
        None when it makes nothing. Raises MappingError like `map`.
        """
        body = self._body(self._of(map_), known)
        return None if body is None or any(name not in body for name in map_.needs) else body

    def evaluator(self, map_: ResourceMapping) -> Callable[[str, Mapping[str, Any]], Any]:
        """What evaluates a single expression of a mapping: `(source, known)`, with `known` as of
        `expression_context`.
        """
        return self._of(map_).run

    def _of(self, map_: ResourceMapping) -> _Compiled:
        """The mapping in the sandbox, compiled when the first record needs it: a hospital may need few."""
        variant = (map_.type, map_.name)
        compiled = self._compiled.get(variant)
        if compiled is None:
            compiled = _Compiled(self._listed[variant], self._filters, self._names)
            self._compiled[variant] = compiled
        return compiled

    def _body(self, compiled: _Compiled, known: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            if compiled.when is not None and not compiled.when(known):
                return None
            own = pruned(compiled.body(known)) or {}
            if compiled.shared is None:
                return own
            shared = self._shared(compiled, compiled.shared, known)
        except Exception as error:  # noqa: BLE001 - whatever an expression raises names its line below
            _fail(compiled, known, error)
        return {
            name: own[name] if name in own else shared[name]
            for name in compiled.map.body.order
            if name in own or name in shared
        }

    def _shared(
        self, compiled: _Compiled, make: TemplateExpression, known: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The elements that records with the same fields have alike, made once. Where one holds a code that
        nobody knows they are made each time, since it is counted each time.
        """
        fields, made = compiled.remembered(known["m"])
        if made is None:
            before = self.unknown_codes.changes
            made = pruned(make(known)) or {}
            if self.unknown_codes.changes == before:
                compiled.remember(fields, made)
        return made


def _exactly(value: object) -> object:
    """What tells apart what Python calls equal: 5.30 from 5.3, a moment from the same one elsewhere."""
    return value if value is None or type(value) is str else (type(value), str(value))


def expression_context(
    map_: ResourceMapping,
    record: Any,
    *,
    related: Mapping[str, Sequence[Any]] | None = None,
    visit: object = None,
    origin: object = None,
) -> dict[str, Any]:
    """What the expressions of a mapping are given with a record, by name."""
    return {
        "m": record,
        "related": RelatedFields(related or {}),
        "visit": ReadableFields(visit, map_.fields.get("visit", frozenset())),
        "origin": ReadableFields(origin, ORIGIN_FIELDS),
    }


def _identity_kinds(maps: Sequence[ResourceMapping]) -> dict[tuple[str, str | None], str]:
    """(type, name in `reference()` or None) -> the kind that goes into the identity of what it means."""
    kinds: dict[tuple[str, str | None], str] = {(map_.type, map_.name): map_.identity_kind for map_ in maps}
    variants = MappingVariants(kinds)
    for type_ in variants.types:
        with suppress(LookupError):
            kinds[type_, None] = kinds[type_, variants.one(type_, None)]
    return kinds


def _fail(compiled: _Compiled, known: Mapping[str, Any], error: Exception) -> NoReturn:
    step = compiled.failing(**known)
    raise MappingError(
        "mapping.failed",
        place=str(step.place) if step else compiled.map.file,
        path=step.path if step else compiled.map.type,
        kind=compiled.map.kind,
        problem=type(error).__name__,
    ) from None


def _names(context: HospitalContext) -> dict[str, Any]:
    systems = dict(context.systems)
    facility = systems.get("facility_code", _FACILITY_CODE)

    def system(name: str, default: str | None = None) -> str | None:
        return systems.get(name, default)

    return {
        "system": system,
        "centre": _organisation(facility, context.centre_facility_code, context.centre_name),
        "hospital": _organisation(facility, context.facility_code, context.display),
    }


def _organisation(system: str, code: str, display: str) -> dict[str, Any]:
    """A logical reference; without a facility code the display alone: none is invented."""
    known = {"identifier": {"system": system, "value": code}} if code else {}
    return {"type": "Organization", **known, "display": display}


def _or_default(value: Any, default: Any) -> Any:
    """`$default`: another value where nothing is left of the first."""
    return default if pruned(value) is None else value
