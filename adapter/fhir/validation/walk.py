"""Walks a resource along its shape: structure, cardinality, formats, bindings, references, invariants.

A path is a linked tuple (parent, step) that becomes FHIRPath only where something is wrong, since
almost everything is right. Texts never repeat a value: values may be personal.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from adapter.fhir.definitions import types
from adapter.fhir.definitions.types import Element
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.validation import primitives
from adapter.texts import has_text, say

__all__ = [
    "MAX_ISSUES",
    "CompiledInvariant",
    "ElementCheck",
    "EntryLinks",
    "Link",
    "LinkedPath",
    "ResourceCheck",
    "ResourceWalk",
    "TooDeepError",
    "TypeShape",
    "error_issue",
    "fhirpath",
]

MAX_ISSUES = 100  # errors, and as many warnings: warnings must never leave no room for an error
_MAX_DEPTH = 60

Json = dict[str, Any]
Severity = Literal["error", "warning"]
LinkedPath = tuple[Any, str | int]
Link = tuple[LinkedPath, str, frozenset[str]]  # of the Reference, what it says, the types that it may lead to
EntryLinks = tuple[int, list[Link]]  # the entry's place in its Bundle
ElementCheck = Callable[
    ["ResourceWalk", Any, LinkedPath, Json], None
]  # walk, value, the owner's path, the owner
ResourceCheck = Callable[["ResourceWalk", Json, str, LinkedPath], None]  # the resource, its type, its path

# What a predicate meets in an element of the wrong shape, which is an issue already.
_WRONG_SHAPE = (TypeError, AttributeError, LookupError, ValueError, ArithmeticError)
_NOT_TEXTS: Final = frozenset(("boolean", "integer", "unsignedInt", "positiveInt", "decimal"))
_TEXTS: Final = frozenset(("string", "markdown"))
_LEADS: Final = frozenset(("reference", "_reference", "identifier", "display", "extension"))
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class TooDeepError(Exception):
    """The resource is nested too deeply; nothing more is said of it."""


@dataclass(frozen=True, slots=True)
class CompiledInvariant:
    """An invariant made ready: `text` is what is said when `predicate` is false."""

    key: str
    severity: Severity
    predicate: Callable[[Any], bool]
    human: str
    text: str  # a key of the catalogue; HL7's own words stand in where it has none


@dataclass(slots=True)
class TypeShape:
    """A type made ready to be walked; `adapter.fhir.validation.type_shapes` makes one of each."""

    type: str
    fields: dict[str, ElementCheck] = field(default_factory=dict)
    required: tuple[tuple[str, str], ...] = ()  # (name, its name with an underscore)
    choices: tuple[tuple[str, bool, frozenset[str]], ...] = ()  # (name, required, names of its forms)
    rules: tuple[CompiledInvariant, ...] = ()
    has_ele_1: bool = True
    finish: Callable[["ResourceWalk", Json, LinkedPath], None] | None = (
        None  # what a type asks for beyond its rules
    )
    has_more: bool = True  # whether it asks for anything beyond what each of its elements does


@dataclass(slots=True)
class _Scope:
    """What points where inside one resource and those that it contains."""

    type: str = ""  # the resource's
    pointers: set[str] = field(default_factory=set)  # "#id" of references, canonicals and URIs
    references: list[tuple[LinkedPath, str, frozenset[str]]] = field(default_factory=list)
    inside: str | None = None  # the id of the contained resource being walked, "" without one
    upwards: set[str] = field(default_factory=set)  # ids of contained resources that refer to "#"
    ids: set[str] = field(default_factory=set)  # of elements, of one resource: the contained have their own
    links: list[Link] | None = None  # references to outside; None where nobody resolves them
    entries: list[EntryLinks] = field(default_factory=list)  # of a Bundle


def error_issue(
    code: str, text: str, expression: str | None = None, rule: str = "structure", **params: Any
) -> Issue:
    """An error in the user's language."""
    return Issue("error", code, say(text, **params), expression, rule)


class ResourceWalk:
    """One walk over one resource; `issues` holds what is wrong, `MAX_ISSUES` of each severity at most."""

    __slots__ = ("_beyond", "_depth", "_room", "_shape", "issues", "scope")

    def __init__(self, shape: Callable[[str], TypeShape], beyond: ResourceCheck) -> None:
        self.issues: list[Issue] = []
        self.scope = _Scope()
        self._depth = 0
        self._room = {"error": MAX_ISSUES, "warning": MAX_ISSUES}
        self._shape = shape
        self._beyond = beyond  # called with each resource when it was walked

    def run(self, resource: Json, only: Json | None = None) -> list[Issue]:
        """Walk `resource`, whose type must be one that R4 has: into the elements of `only`, where that is
        given, since nothing is wrong in the others. Raises TooDeepError.
        """
        type_name = resource["resourceType"]
        self._root(resource, type_name, (None, type_name), only)
        return self.issues

    def walk(self, value: Json, shape: TypeShape, path: LinkedPath, only: Json | None = None) -> None:
        """An object of a complex type, a backbone element, or a resource; into some of its elements."""
        if len(value) < 2 and self._is_empty(value, shape, path):
            return
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TooDeepError
        fields = shape.fields
        for name, item in (value if only is None else only).items():
            check = fields.get(name)
            if check is not None:
                check(self, item, path, value)
            else:
                self._unknown(name, path)
        self._depth -= 1
        if shape.has_more:
            self._as_a_whole(value, shape, path)

    def _as_a_whole(self, value: Json, shape: TypeShape, path: LinkedPath) -> None:
        for name, sibling in shape.required:
            if name not in value and sibling not in value:
                self.add("required", "cardinality", "validation.required", (path, name), element=name)
        if shape.choices:
            self._choices(value, shape, path)
        if shape.rules:
            self.check_invariants(shape.rules, value, path)
        if shape.finish is not None:
            shape.finish(self, value, path)

    def _is_empty(self, value: Json, shape: TypeShape, path: LinkedPath) -> bool:
        if not value:
            self.add("structure", "ele-1", "validation.empty", path)
            return True
        if shape.has_ele_1 and "id" in value:
            self.add("invariant", "ele-1", "validation.empty", path)
            return True
        return False

    def _unknown(self, name: object, path: LinkedPath) -> None:
        if isinstance(name, str) and _NAME.fullmatch(name):
            self.add("structure", "structure", "validation.unknown_element", (path, name), element=name)
        else:
            self.add("structure", "structure", "validation.unknown_name", path)

    def _choices(self, value: Json, shape: TypeShape, path: LinkedPath) -> None:
        for choice, required, names in shape.choices:
            found = names.intersection(value)
            if not found:
                if required:
                    form = f"{choice}[x]"
                    self.add("required", "cardinality", "validation.required", (path, choice), element=form)
            elif len(found) > 1 and len({name.lstrip("_") for name in found}) > 1:
                self.add("structure", "cardinality", "validation.one_of", (path, choice), element=choice)

    def check_invariants(self, rules: tuple[CompiledInvariant, ...], value: Any, path: LinkedPath) -> None:
        """Say which of `rules` the value breaks."""
        for rule in rules:
            try:
                keeps = rule.predicate(value)
            except _WRONG_SHAPE:
                continue
            if not keeps:
                self.add_rule(rule.key, rule.severity, rule.human, path, rule.text)

    def add_rule(self, key: str, severity: Severity, human: str, path: LinkedPath, text: str) -> None:
        """A rule is broken; HL7's own words stand in where the catalogue has no `text`."""
        if self._has_room(severity):
            words = say(text) if has_text(text) else human
            self.issues.append(Issue(severity, "invariant", words, fhirpath(path), key))

    # Resources inside resources

    def resource(self, item: Any, path: LinkedPath) -> None:
        """A resource that stands for itself, as in an entry of a Bundle."""
        if (type_name := self._type_of(item, path)) is not None:
            outer, self.scope = self.scope, _Scope()
            entry = _entry_of(path) if outer.type == "Bundle" else None
            if entry is not None:
                self.scope.links = []
                outer.entries.append((entry, self.scope.links))
            self._root(item, type_name, path)
            self.scope = outer

    def contained(self, item: Any, path: LinkedPath) -> None:
        """A resource inside another one, whose references lead to its neighbours."""
        if (type_name := self._type_of(item, path)) is not None:
            if not _has_id(item):
                self.add("invariant", "dom-3", "validation.contained_id", path)
            scope = self.scope
            scope.inside, ids, scope.ids = str(item.get("id", "")), scope.ids, set()
            self.walk(item, self._shape(type_name), path)
            scope.inside, scope.ids = None, ids

    def _type_of(self, item: Any, path: LinkedPath) -> str | None:
        type_name = item.get("resourceType") if type(item) is dict else None
        if isinstance(type_name, str) and types.is_resource_type(type_name):
            return type_name
        self.add("structure", "structure", "validation.no_type", path)
        return None

    def _root(self, resource: Json, type_name: str, path: LinkedPath, only: Json | None = None) -> None:
        self.scope.type = type_name
        self.walk(resource, self._shape(type_name), path, only)
        self._beyond(self, resource, type_name, path)
        scope = self.scope
        if "contained" in resource or scope.references:
            listed = resource.get("contained")
            self._inner(listed if type(listed) is list else [], path)

    def _inner(self, contained: list[Any], path: LinkedPath) -> None:
        """Everything contained is referred to, and what is referred to is contained (dom-2 to 5, ref-1)."""
        named = [one for one in contained if _has_id(one)]
        known = {one["id"]: _resource_type(one) for one in named}
        if len(known) < len(named):
            self.add("invariant", "reference", "validation.same_id", (path, "contained"))
        for where, name, targets in self.scope.references:
            if name not in known:
                self.add("invariant", "ref-1", "invariants.ref-1", where)
            elif targets and known[name] not in targets and known[name] is not None:
                self.add_wrong_target((where, "reference"), targets)
        lost = [
            one for one in known if "#" + one not in self.scope.pointers and one not in self.scope.upwards
        ]
        metas = [one["meta"] for one in contained if type(one) is dict and type(one.get("meta")) is dict]
        for rule, is_broken in (
            ("dom-2", any(type(one) is dict and "contained" in one for one in contained)),
            ("dom-3", bool(lost)),
            ("dom-4", any("versionId" in meta or "lastUpdated" in meta for meta in metas)),
            ("dom-5", any("security" in meta for meta in metas)),
        ):
            if is_broken:
                self.add("invariant", rule, f"invariants.{rule}", path)

    # What shapes call

    def reference(self, value: Json, path: LinkedPath, targets: frozenset[str]) -> None:
        """A Reference: its form, and the type that it leads to; no `targets` means any type."""
        text, stated = value.get("reference"), value.get("type")
        if type(text) is not str:
            if value and _LEADS.isdisjoint(value):
                self.add("invariant", "reference", "validation.empty_reference", path)
            target = None
        elif text.startswith("#"):
            return self._local(text, path, targets)
        else:
            is_one, target = primitives.read_reference(text)
            if not is_one:
                return self.add("value", "reference", "validation.not_reference", (path, "reference"))
            if target is not None and not types.is_resource_type(target):
                self._no_target(text, target, path)
                target = None
            if self.scope.links is not None:
                self.scope.links.append((path, text, targets))
        if targets and target is not None and target not in targets:
            self.add_wrong_target((path, "reference"), targets)
        elif type(stated) is str and types.is_resource_type(stated):
            self._stated(stated, target, path, targets)
        return None

    def _local(self, text: str, path: LinkedPath, targets: frozenset[str]) -> None:
        scope = self.scope
        if text == "#" and scope.inside is not None:  # the resource that contains this one
            scope.upwards.add(scope.inside)
            if targets and scope.type not in targets:
                self.add_wrong_target((path, "reference"), targets)
            return
        scope.pointers.add(text)
        scope.references.append((path, text[1:], targets))

    def _no_target(self, text: str, target: str, path: LinkedPath) -> None:
        """The type in a reference is none of R4's; a relative one must say such a type."""
        if text.startswith(target):
            self.add("value", "reference", "validation.unknown_target", (path, "reference"))
        # else it is a URL that only looks like one of FHIR's

    def _stated(self, stated: str, target: str | None, path: LinkedPath, targets: frozenset[str]) -> None:
        if targets and stated not in targets:
            self.add_wrong_target((path, "type"), targets)
        elif target is not None and target != stated:
            self.add("value", "reference", "validation.other_target", (path, "type"))

    def element_id(self, item: Any, path: LinkedPath) -> None:
        """The id of an element, which no other element of the same resource has."""
        if type(item) is str and item:
            if item in self.scope.ids:
                self.add("invariant", "element-id", "validation.element_id", path)
            self.scope.ids.add(item)

    def add_wrong_target(self, path: LinkedPath, targets: frozenset[str]) -> None:
        """A reference leads to a type that is none of `targets`."""
        listed = ", ".join(sorted(targets))
        self.add("value", "reference", "validation.wrong_target", path, targets=listed)

    def primitive(self, item: Any, element: Element, path: LinkedPath) -> None:
        """Say what is wrong with a primitive that is not what it should be."""
        if item is None:
            self.add("structure", "structure", "validation.null", path)
        elif type(item) is list:
            self.add("structure", "cardinality", "validation.list", path, element=element.name)
        elif type(item) is dict:
            self.add("structure", "structure", "validation.not_primitive", path, element=element.name)
        elif type(item) is str and element.primitive in _TEXTS and primitives.is_blank(item):
            # R4: strings SHOULD hold something else than white space
            self.add("value", "format", "validation.blank", path, severity="warning")
        elif type(item) is str and (not item or item.isspace()):
            self.add("value", "format", "validation.empty", path)
        else:
            is_right, problem = primitives.PRIMITIVES[element.primitive]
            if type(item) is not str and element.primitive not in _NOT_TEXTS:
                problem = "validation.not_text"
            elif element.codes is not None and is_right(item):
                self.add_binding_issue(element, path)
                return
            self.add("value", "format", problem, path, element=element.name)

    def add_binding_issue(self, element: Element, path: LinkedPath) -> None:
        """The value is none of those of a required binding."""
        listed = ", ".join(sorted(element.codes or ()))
        self.add("code-invalid", "binding", "validation.not_in_set", path, element=element.name, codes=listed)

    def add(
        self,
        code: str,
        rule: str,
        text: str,
        path: LinkedPath,
        *,
        severity: Severity = "error",
        **params: Any,
    ) -> None:
        """Note an issue at `path`."""
        if self._has_room(severity):
            self.issues.append(Issue(severity, code, say(text, **params), fhirpath(path), rule))

    @property
    def noted(self) -> int:
        """A number that is another after each issue, also after those for which there is no room."""
        return -self._room["error"] - self._room["warning"]

    @property
    def has_internal_references(self) -> bool:
        """Whether something in the resource points to something else in it, or can be pointed to."""
        scope = self.scope
        return bool(scope.pointers or scope.references or scope.upwards or scope.ids)

    def _has_room(self, severity: str) -> bool:
        self._room[severity] -= 1
        return self._room[severity] >= 0


def _entry_of(path: LinkedPath) -> int | None:
    """Which entry of a Bundle the resource at `Bundle.entry[2].resource` is; None for one elsewhere."""
    entry, step = path
    return entry[1] if step == "resource" and type(entry[1]) is int else None


def _has_id(item: Any) -> bool:
    return type(item) is dict and type(item.get("id")) is str


def _resource_type(resource: Json) -> str | None:
    name = resource.get("resourceType")
    return name if isinstance(name, str) and types.is_resource_type(name) else None


def fhirpath(path: LinkedPath) -> str:
    """`Observation.component[0].value`."""
    steps: list[str] = []
    at: LinkedPath | None = path
    while at is not None:
        at, step = at
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}" if at else str(step))
    return "".join(reversed(steps))
