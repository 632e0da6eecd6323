"""The engine (pure): a record in, resources out. Same record, same bytes.

Expressions run in Jinja2's sandbox, narrowed further: they read only the record fields that the
mapping may name, call nothing but `system()` and the verbs, and never see a private attribute.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from jinja2 import StrictUndefined, Undefined
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from adapter.errors import MappingError
from adapter.mapping.compiler import Each, Program, Step
from adapter.mapping.terminology import Codes
from adapter.mapping.transforms import JINJA_FILTERS, Transforms

__all__ = ["Engine", "HospitalContext", "Mapped", "ResourceMap"]

# The ministry's system of facility codes, unless a hospital's settings name another one.
_FACILITY_CODE = "http://fhir.ehealth.gov.vn/core/sid/provider-code"


@dataclass(frozen=True, slots=True)
class HospitalContext:
    """What the engine knows of one hospital. `identify(type, kind, key)` gives a record's identity
    there; `systems` are identifier system URIs by name, and a name that is missing sends nothing.
    """

    name: str
    display: str
    facility_code: str
    systems: Mapping[str, str]
    centre_name: str
    centre_facility_code: str
    identifier_system: str
    identify: Callable[[str, str, str], str]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A resource, and the kind and key of the record it was made from."""

    type: str
    kind: str
    key: str
    resource: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResourceMap:
    """One mapping file, checked and compiled. `when` decides whether a record makes a resource at all."""

    file: str
    type: str
    kind: str
    fields: frozenset[str]
    visit: frozenset[str]  # fields of `visit`
    body: Program
    when: Program | None


class _Related:
    """Keys of other records that go to the same hospital, by kind; none for a kind not given."""

    def __init__(self, keys: Mapping[str, Iterable[str]]) -> None:
        self._keys = keys

    def of(self, kind: str) -> Iterable[str]:
        return self._keys.get(kind, ())


class _Visit:
    """The visit of a record, by its fields; nothing has all of them empty."""

    def __init__(self, visit: object, fields: frozenset[str]) -> None:
        self._visit = visit
        self._fields = fields

    def of(self, field: str) -> Any:
        if field not in self._fields:
            raise SecurityError(f"{field} is not a field that a mapping may read")
        return None if self._visit is None else getattr(self._visit, field)


class _Sandbox(SandboxedEnvironment):
    """Reads the named fields of records and nothing else."""

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__(undefined=StrictUndefined)
        self._fields = fields | {"measure", "unit", "value"}
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in JINJA_FILTERS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, _Related | _Visit):
            return obj.of(attribute)
        if attribute not in self._fields:
            raise SecurityError(f"{attribute} is not a field that a mapping may read")
        return getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, str) and isinstance(argument, slice):
            return obj[argument]
        raise SecurityError("a mapping reads fields by name only")


class _Spread(list[Any]):
    """What a `$each` made: its items join the list around it."""


class _Compiled:
    """One mapping file in the sandbox of one hospital."""

    def __init__(self, map_: ResourceMap, filters: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        self.map = map_
        self._sandbox = _Sandbox(map_.fields)
        self._sandbox.filters.update(filters)
        self._sandbox.globals.update(names)
        for program in (map_.body, map_.when):
            for each in program.eaches if program else ():
                self._sandbox.filters[each.name] = self._loop(each)
            self._sandbox.globals.update(program.constants if program else {})
        self.body = self._compile(map_.body.source)
        self.when = self._compile(map_.when.source) if map_.when else None

    def _compile(self, source: str) -> TemplateExpression:
        return self._sandbox.compile_expression(source, undefined_to_none=False)

    def _loop(self, each: Each) -> Callable[..., _Spread]:
        body = self._compile(each.source)

        def run(
            items: Iterable[Any] | None, m: object, related: object, visit: object, *outer: object
        ) -> _Spread:
            around = dict(zip(each.names, outer, strict=True))
            return _Spread(
                body(m=m, related=related, visit=visit, **around, **{each.variable: item})
                for item in items or ()
            )

        return run

    def failing(self, **known: object) -> Step | None:
        """The first expression that fails by itself; None when it takes more than one."""
        for program in (self.map.when, self.map.body):
            for step in program.steps if program else ():
                try:
                    self._try(step, **known)
                except Exception:  # noqa: BLE001 - whatever an expression raises is what we look for
                    return step
        return None

    def _try(self, step: Step, **known: Any) -> None:
        if not step.variables:
            self._compile(step.source)(**known)
            return
        (variable, items), *inner = step.variables
        deeper = Step(step.path, step.place, step.source, tuple(inner))
        for item in self._compile(items)(**known) or ():
            self._try(deeper, **known, **{variable: item})


class Engine:
    """Maps records for one hospital. `unknown_codes` counts (table, code) that no table knows."""

    def __init__(self, maps: Iterable[ResourceMap], codes: Codes, context: HospitalContext) -> None:
        self.unknown_codes: Counter[tuple[str, str]] = Counter()
        self._context = context
        listed = tuple(maps)
        transforms = Transforms(
            codes,
            kinds={(map_.type, None): map_.kind for map_ in listed},
            identify=context.identify,
            identifier_system=context.identifier_system,
            unknown=self.unknown_codes,
        )
        filters, names = transforms.filters(), _names(context)
        self._by_kind: dict[str, list[_Compiled]] = {}
        for map_ in listed:
            self._by_kind.setdefault(map_.kind, []).append(_Compiled(map_, filters, names))

    def map(
        self, record: Any, *, related: Mapping[str, Iterable[str]] | None = None, visit: object = None
    ) -> list[Mapped]:
        """The resources of one record; [] when no mapping makes any. `related` holds keys, by kind, of
        other records that go to this hospital with it (a referral's measurements); `visit` is the visit
        that the record belongs to.

        Raises MappingError that names file, line and element, never a value.
        """
        found = []
        for compiled in self._by_kind.get(record.kind, ()):
            around = {"related": _Related(related or {}), "visit": _Visit(visit, compiled.map.visit)}
            resource = self._one(compiled, {"m": record, **around})
            if resource is not None:
                found.append(Mapped(compiled.map.type, record.kind, record.key, resource))
        return found

    def _one(self, compiled: _Compiled, known: Mapping[str, Any]) -> dict[str, Any] | None:
        map_ = compiled.map
        try:
            if compiled.when is not None and not compiled.when(**known):
                return None
            body = _pruned(compiled.body(**known)) or {}
        except Exception as error:  # noqa: BLE001 - whatever an expression raises names its line below
            _fail(compiled, known, error)
        identity = {
            "system": self._context.identifier_system,
            "value": self._context.identify(map_.type, map_.kind, known["m"].key),
        }
        identifiers = [identity, *body.pop("identifier", ())]
        return {"resourceType": map_.type, "identifier": identifiers, **body}


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


def _pruned(value: Any) -> Any:
    """The value without empty parts, copied; None when nothing is left (FHIR JSON has no empty values).

    Raises TypeError for what is not a FHIR JSON value, such as a date that met no verb.
    """
    if isinstance(value, str):
        return str(value) if value and not value.isspace() else None
    if isinstance(value, dict):
        kept = {key: part for key, item in value.items() if (part := _pruned(item)) is not None}
        return kept or None
    if isinstance(value, list | tuple):
        return _pruned_list(value)
    if value is None or isinstance(value, Undefined):
        return None
    if isinstance(value, bool | int | Decimal):
        return value
    raise TypeError(f"{type(value).__name__} is not a FHIR value")


def _pruned_list(value: Iterable[Any]) -> list[Any] | None:
    kept: list[Any] = []
    for item in value:
        if isinstance(item, _Spread):
            kept.extend(part for each in item if (part := _pruned(each)) is not None)
        elif (part := _pruned(item)) is not None:
            kept.append(part)
    return kept or None
