"""Makes each type ready to be walked: one function for each element, once, when it is first met.

A function gets the walk, the element's JSON, and its owner's path and JSON; those of primitives, which
are most, make no path unless something is wrong.
"""

from collections.abc import Callable, Collection
from functools import cache
from itertools import zip_longest
from typing import Any, Literal

from adapter.fhir.definitions import types
from adapter.fhir.definitions.types import Element
from adapter.fhir.validation.field_checks import extended_check
from adapter.fhir.validation.invariants import CHECKED_BY_WALK, PREDICATES, unchecked_reason
from adapter.fhir.validation.primitives import PRIMITIVES, TEXTS
from adapter.fhir.validation.type_checks import FINISH
from adapter.fhir.validation.walk import (
    CompiledInvariant,
    ElementCheck,
    LinkedPath,
    ResourceWalk,
    TypeShape,
)

__all__ = ["type_shape"]

Json = dict[str, Any]
One = Callable[[ResourceWalk, Any, LinkedPath], None]  # one value, at its own path

_POINTERS = frozenset(("canonical", "uri", "url"))  # primitives that may point to a contained resource


@cache
def type_shape(type_name: str) -> TypeShape:
    """The shape of a type; its elements' types are made when they are met."""
    listed = types.elements(type_name)
    made = TypeShape(type_name)
    if types.is_resource_type(type_name):
        made.fields["resourceType"] = _nothing
    for element in listed.values():
        made.fields[element.name] = _field(type_name, element)
        if element.type is None:
            made.fields["_" + element.name] = _extensions(element)
    made.required = tuple((one.name, "_" + one.name) for one in types.required_elements(type_name))
    made.choices = _choices(type_name)
    made.rules = _rules(type_name)
    made.has_ele_1 = type_name != "Element" and not types.is_resource_type(type_name)
    made.finish = FINISH.get(type_name)
    made.has_more = bool(made.required or made.choices or made.rules or made.finish)
    return made


def _nothing(_walk: ResourceWalk, _item: Any, _path: LinkedPath, _owner: Json) -> None:
    pass


def _choices(type_name: str) -> tuple[tuple[str, bool, frozenset[str]], ...]:
    forms: dict[str, list[Element]] = {}
    for element in types.elements(type_name).values():
        if element.choice is not None:
            forms.setdefault(element.choice, []).append(element)
    return tuple(
        (
            choice,
            any(one.required for one in listed),
            frozenset(n for one in listed for n in (one.name, "_" + one.name)),
        )
        for choice, listed in forms.items()
    )


def _rules(path: str) -> tuple[CompiledInvariant, ...]:
    made = []
    for rule in types.invariants(path):
        if rule.key in CHECKED_BY_WALK or unchecked_reason(path, rule.key):
            continue
        # R4 gave the key inv-1 to three rules
        text = f"inv-1-{path.partition('.')[0].lower()}" if rule.key == "inv-1" else rule.key
        severity: Literal["error", "warning"] = "error" if rule.severity == "error" else "warning"
        made.append(
            CompiledInvariant(
                rule.key, severity, PREDICATES[path][rule.key], rule.human, f"invariants.{text}"
            )
        )
    return tuple(made)


def _field(owner: str, element: Element) -> ElementCheck:
    path = f"{owner}.{element.choice}[x]" if element.choice else f"{owner}.{element.name}"
    rules = () if path == element.type else _rules(path)  # those of a backbone element are its type's
    one = _complex(element) if element.type is not None else _primitive(element)
    if rules:
        one = _ruled(one, rules)
    if element.is_list:
        return _many(element, one)
    if element.type is not None or rules:
        return _single(element, one)
    return extended_check(owner, element, _single_primitive(element))


def _ruled(one: One, rules: tuple[CompiledInvariant, ...]) -> One:
    def check(walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        one(walk, item, path)
        walk.check_invariants(rules, item, path)

    return check


def _single(element: Element, one: One) -> ElementCheck:
    step = element.fhirpath_name

    def check(walk: ResourceWalk, item: Any, path: LinkedPath, _owner: Json) -> None:
        one(walk, item, (path, step))

    return check


def _single_primitive(element: Element) -> ElementCheck:
    if element.codes is not None:
        return _single_code(element, element.codes)
    if element.primitive in _POINTERS:
        return _single_pointer(element)
    step = element.fhirpath_name
    is_right, is_right_text = PRIMITIVES[element.primitive][0], TEXTS.get(element.primitive)

    def check(walk: ResourceWalk, item: Any, path: LinkedPath, _owner: Json) -> None:
        if not is_right(item):
            walk.primitive(item, element, (path, step))

    def check_text(walk: ResourceWalk, item: Any, path: LinkedPath, _owner: Json) -> None:
        if type(item) is not str or not is_right_text(item):  # type: ignore[misc]  # only used with one
            walk.primitive(item, element, (path, step))

    return check if is_right_text is None else check_text


def _single_code(element: Element, codes: Collection[str]) -> ElementCheck:
    step = element.fhirpath_name

    def check(walk: ResourceWalk, item: Any, path: LinkedPath, _owner: Json) -> None:
        if type(item) is not str or item not in codes:
            walk.primitive(item, element, (path, step))

    return check


def _single_pointer(element: Element) -> ElementCheck:
    step = element.fhirpath_name
    is_right = PRIMITIVES[element.primitive][0]

    def check(walk: ResourceWalk, item: Any, path: LinkedPath, _owner: Json) -> None:
        if not is_right(item):
            walk.primitive(item, element, (path, step))
        elif item[0] == "#":
            walk.scope.pointers.add(item)

    return check


def _primitive(element: Element) -> One:
    codes = element.codes
    is_right = PRIMITIVES[element.primitive][0]
    may_point = element.primitive in _POINTERS

    def one(walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        if not is_right(item) or (codes is not None and item not in codes):
            walk.primitive(item, element, path)
        elif may_point and item[0] == "#":
            walk.scope.pointers.add(item)

    return one


def _many(element: Element, one: One) -> ElementCheck:
    step, sibling, is_primitive = element.fhirpath_name, "_" + element.name, element.type is None

    def check(walk: ResourceWalk, items: Any, path: LinkedPath, owner: Json) -> None:
        here = (path, step)
        if type(items) is not list:
            walk.add("structure", "cardinality", "validation.not_list", here, element=element.name)
            return
        if not items:
            walk.add("structure", "structure", "validation.empty", here)
        for index, item in enumerate(items):
            if item is None and is_primitive and _stands_in(owner.get(sibling), index):
                continue  # the extensions in the list `_name` say why there is no value
            one(walk, item, (here, index))

    return check


def _stands_in(siblings: Any, index: int) -> bool:
    return type(siblings) is list and index < len(siblings) and type(siblings[index]) is dict


def _extensions(element: Element) -> ElementCheck:
    """The element `_name`: id and extensions of a primitive, or of each in a list of primitives."""
    step, name = element.fhirpath_name, element.name

    def single(walk: ResourceWalk, item: Any, path: LinkedPath, owner: Json) -> None:
        _part(walk, item, owner.get(name), (path, step))

    def many(walk: ResourceWalk, items: Any, path: LinkedPath, owner: Json) -> None:
        here, values = (path, step), owner.get(name)
        if type(items) is not list:
            walk.add("structure", "cardinality", "validation.not_list", here, element="_" + name)
            return
        if not any(item is not None for item in items):
            walk.add("structure", "structure", "validation.empty", here)
        elif type(values) is list and len(values) != len(items):
            walk.add("structure", "structure", "validation.not_aligned", here, element=name)
        own = values if type(values) is list else []
        for index, (item, value) in enumerate(zip_longest(items, own[: len(items)])):
            if item is not None:
                _part(walk, item, value, (here, index))

    return many if element.is_list else single


def _part(walk: ResourceWalk, item: Any, value: Any, path: LinkedPath) -> None:
    """Id and extensions of one primitive; an id alone is nothing, where there is no value."""
    if type(item) is not dict:
        walk.add("structure", "structure", "validation.not_fields", path, element="_" + _name_of(path))
        return
    walk.walk(item, type_shape("Element"), path)
    if value is None and item.keys() == {"id"}:
        walk.add("invariant", "ele-1", "validation.empty", path)


def _name_of(path: LinkedPath) -> str:
    parent, step = path
    return _name_of(parent) if isinstance(step, int) else step


def _complex(element: Element) -> One:
    if element.type == "Resource":
        return ResourceWalk.contained if element.name == "contained" else ResourceWalk.resource
    if element.type == "Reference":
        return _reference(element)
    return _bound(element) if element.systems is not None else _plain(element)


def _plain(element: Element) -> One:
    type_name = str(element.type)

    def one(walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        if type(item) is dict:
            walk.walk(item, type_shape(type_name), path)
        else:
            _not_fields(walk, item, element, path)

    return one


def _reference(element: Element) -> One:
    targets = element.targets

    def one(walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        if type(item) is dict:
            walk.walk(item, type_shape("Reference"), path)
            walk.reference(item, path, targets)
        else:
            _not_fields(walk, item, element, path)

    return one


def _bound(element: Element) -> One:
    """A CodeableConcept, one of whose codings must be of the required value set."""
    plain, systems = _plain(element), element.systems or {}

    def one(walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        plain(walk, item, path)
        codings = item.get("coding") if type(item) is dict else None
        if type(codings) is not list:
            if type(item) is dict and item and "extension" not in item:
                walk.add_binding_issue(element, path)
            return
        for coding in codings:
            if type(coding) is dict:
                system, code = coding.get("system"), coding.get("code")
                if type(system) is str and type(code) is str and code in systems.get(system, ()):
                    return
        walk.add_binding_issue(element, path)

    return one


def _not_fields(walk: ResourceWalk, item: Any, element: Element, path: LinkedPath) -> None:
    if item is None:
        walk.add("structure", "structure", "validation.null", path)
    elif type(item) is list:
        walk.add("structure", "cardinality", "validation.list", path, element=element.name)
    else:
        walk.add("structure", "structure", "validation.not_fields", path, element=element.name)
