"""Which line of a mapping, which fields and which rows of code tables made each value of a resource (pure).

`TracingEngine` maps a record as the engine does, and besides walks the mapping's tree expression by
expression. What an expression reads is seen, not inferred: it gets records and code tables that
watch. A resource is traced to be explained; nothing is ever sent from here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

from jinja2 import Environment, nodes

from adapter.fhir.paths import Path, leaf_values
from adapter.mapping.engine import MappedResource, MappingEngine, ResourceMapping, expression_context
from adapter.mapping.language.keywords import expression_in
from adapter.mapping.language.source_tree import ListNode, Node, ObjectNode, ScalarNode, SourcePosition
from adapter.mapping.read_tracker import FieldRead, ReadTracker, TableLookup
from adapter.mapping.transforms.pruning import pruned

__all__ = ["ResourceTrace", "TracingEngine", "ValueOrigin"]

_Kept = tuple[Any, dict[Path, "ValueOrigin"]]
_T = TypeVar("_T")
_ENVIRONMENT = Environment(autoescape=True)  # parses only; the engine's sandbox evaluates


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """What made a value: the expression at `place`, or the literal there (`expression` None), and what
    it read. `place` is None for what the engine adds itself (resourceType, its own identifier).
    """

    place: SourcePosition | None = None
    expression: str | None = None
    verbs: tuple[str, ...] = ()
    reads: tuple[FieldRead, ...] = ()
    lookups: tuple[TableLookup, ...] = ()


@dataclass(frozen=True)
class ResourceTrace:
    """A resource as the mapping made it, before disclosure. `leaves` has every leaf, by its path in
    `resource`; `empty` the expressions that gave nothing, by their element names.
    """

    mapped: MappedResource
    leaves: Mapping[Path, ValueOrigin]
    empty: tuple[tuple[Path, ValueOrigin], ...] = ()

    @property
    def resource(self) -> dict[str, Any]:
        """The resource."""
        return self.mapped.resource


@dataclass(frozen=True, slots=True)
class _Made:
    """What one expression or literal gave."""

    value: Any
    origin: ValueOrigin


class _Spliced(list[Any]):
    """What a `$each` made."""


@dataclass(frozen=True)
class _Scope:
    """What an expression may name, and for each variable that is no record what its items came from."""

    names: Mapping[str, Any]
    loops: Mapping[str, ValueOrigin] = field(default_factory=dict)

    def inside(self, variable: str, item: object, origin: ValueOrigin) -> "_Scope":
        return _Scope({**self.names, variable: item}, {**self.loops, variable: origin})


class TracingEngine(MappingEngine):
    """An engine that notes where each value of chosen records' resources came from: `found`, in the order
    in which they were mapped. `wanted` chooses them by kind and key.
    """

    def __init__(self, engine: MappingEngine, wanted: Callable[[str, str], bool]) -> None:
        self._watch = ReadTracker()
        self._wanted = wanted
        self.found: list[ResourceTrace] = []
        maps = (map_ for maps in engine.maps_of.values() for map_ in maps)
        super().__init__(maps, self._watch.codes(engine.codes), engine.context)

    def make(self, map_: ResourceMapping, record: Any, **beside: Any) -> MappedResource | None:
        """As `MappingEngine.make`."""
        made = super().make(map_, record, **beside)
        if made is not None and self._wanted(record.kind, record.key):
            known = expression_context(map_, self._watch.record(record), **_watched(self._watch, beside))
            walk = _Walk(self.evaluator(map_), known, self._watch)
            self.found.append(walk.traced(map_.tree, made))
        return made


def _watched(watch: ReadTracker, beside: Mapping[str, Any]) -> dict[str, Any]:
    """What goes to the engine beside the record, watched: single records, and records by kind."""
    found: dict[str, Any] = {}
    for name, value in beside.items():
        if isinstance(value, Mapping):
            found[name] = {kind: [watch.record(one) for one in listed] for kind, listed in value.items()}
        else:
            found[name] = watch.record(value)
    return found


class _Walk:
    """One walk over the tree of one mapping for one record. `run` evaluates an expression."""

    def __init__(
        self, run: Callable[[str, Mapping[str, Any]], Any], known: Mapping[str, Any], watch: ReadTracker
    ) -> None:
        self._run = run
        self._known = known
        self._watch = watch
        self._empty: list[tuple[Path, ValueOrigin]] = []

    def traced(self, tree: Node, mapped: MappedResource) -> ResourceTrace:
        """The origins of every leaf of `mapped`."""
        kept = _kept(self._node(tree, _Scope(self._known)), (), self._empty)
        leaves: dict[Path, ValueOrigin] = {}
        for path, origin in (kept[1] if kept else {}).items():
            leaves[_behind_ours(path)] = origin
        added = ValueOrigin()
        return ResourceTrace(
            mapped,
            {path: leaves.get(path, added) for path, _ in leaf_values(mapped.resource)},
            tuple(self._empty),
        )

    def _node(self, node: Node, scope: _Scope) -> Any:
        if isinstance(node, ListNode):
            return [self._node(child, scope) for child in node.nodes]
        if isinstance(node, ScalarNode):
            return self._scalar(node, scope)
        each = node.get("$each")
        return self._part(node, scope) if each is None else self._each(node, each, scope)

    def _each(self, node: ObjectNode, each: Node, scope: _Scope) -> _Spliced:
        items = self._scalar(each, scope)
        named = node.get("$as")
        variable = str(named.value) if isinstance(named, ScalarNode) else "item"
        parts = (scope.inside(variable, item, items.origin) for item in items.value or ())
        return _Spliced(self._part(node, inner) for inner in parts)

    def _part(self, node: ObjectNode, scope: _Scope) -> Any:
        condition = node.get("$when")
        if condition is not None and not self._scalar(condition, scope).value:
            return None
        made, default = self._body(node, scope), node.get("$default")
        if default is None or _kept(made) is not None:
            return made
        return self._node(default, scope)

    def _body(self, node: ObjectNode, scope: _Scope) -> Any:
        value = node.get("$value") or node.get("$item")
        if value is not None:
            return self._node(value, scope)
        return {
            str(key.value): self._node(child, scope)
            for key, child in node.entries
            if not str(key.value).startswith("$")
        }

    def _scalar(self, node: Node, scope: _Scope) -> _Made:
        if not isinstance(node, ScalarNode):
            return _Made(None, ValueOrigin(node.place))
        source = expression_in(node.value) if isinstance(node.value, str) else None
        if source is None:
            return _Made(node.value, ValueOrigin(node.place))
        self._watch.take_all()
        value = self._run(source, scope.names)
        reads, lookups = self._watch.take_all()
        return _Made(
            value, _with_loops(ValueOrigin(node.place, source, _verbs(source), reads, lookups), scope)
        )


def _kept(made: Any, names: Path = (), empty: list[tuple[Path, ValueOrigin]] | None = None) -> _Kept | None:
    """The value without empty parts, and the origin of each of its leaves; None when nothing is left.
    What an expression left out is added to `empty`.
    """
    if isinstance(made, _Made):
        value = pruned(made.value)
        if value is None and empty is not None:
            empty.append((names, made.origin))
        return None if value is None else (value, {path: made.origin for path, _ in leaf_values(value)})
    if isinstance(made, dict):
        named = [(name, _kept(part, (*names, name), empty)) for name, part in made.items()]
        return _joined({name: part for name, part in named if part is not None}, as_list=False)
    if isinstance(made, list):
        parts = [part for item in _flat(made) if (part := _kept(item, names, empty)) is not None]
        return _joined(dict(enumerate(parts)), as_list=True)
    return None


def _flat(items: Iterable[Any]) -> Iterable[Any]:
    for item in items:
        if isinstance(item, _Spliced):
            yield from item
        else:
            yield item


def _joined(parts: Mapping[Any, _Kept], *, as_list: bool) -> _Kept | None:
    """An object or a list of these parts, with their origins one step deeper."""
    if not parts:
        return None
    origins = {(step, *path): origin for step, (_, inner) in parts.items() for path, origin in inner.items()}
    values = {step: value for step, (value, _) in parts.items()}
    return list(values.values()) if as_list else values, origins


def _behind_ours(path: Path) -> Path:
    """The adapter's own identifier stands before those of the mapping."""
    if path[0] == "identifier" and isinstance(path[1], int):
        return ("identifier", path[1] + 1, *path[2:])
    return path


@cache
def _verbs(source: str) -> tuple[str, ...]:
    """The verbs of an expression, in its own order."""
    words = [
        (kind, word) for _, kind, word in _ENVIRONMENT.lex("{{ " + source + " }}") if kind != "whitespace"
    ]
    return tuple(dict.fromkeys(word for (_, before), (_, word) in pairwise(words) if before == "|"))


@cache
def _names(source: str) -> frozenset[str]:
    """The variables that an expression names."""
    tree = _ENVIRONMENT.parse("{{ (" + source + ") }}")
    return frozenset(node.name for node in tree.find_all(nodes.Name))


def _with_loops(origin: ValueOrigin, scope: _Scope) -> ValueOrigin:
    """With what the items of a `$each` came from, where the expression names one of them."""
    for variable in sorted(_names(origin.expression or "none") & scope.loops.keys()):
        loop = scope.loops[variable]
        origin = replace(
            origin,
            verbs=_united(loop.verbs, origin.verbs),
            reads=_united(loop.reads, origin.reads),
            lookups=_united(loop.lookups, origin.lookups),
        )
    return origin


def _united(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys((*first, *second)))
