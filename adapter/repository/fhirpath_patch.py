"""FHIRPath Patch of stored resources (http://hl7.org/fhir/R4/fhirpatch.html): Parameters of operations. Pure.

Our own, since a FHIRPath engine does what a stranger writes for as long as it takes. Paths are simple ones
(`element_paths`): an operation looks at each element of the resource a few times at most, which is counted,
and copies nothing that is stored.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from adapter.fhir.codec import Resource
from adapter.fhir.definitions import types
from adapter.repository.element_paths import ElementPath, Place, find_places, parse_element_path
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits, over_limit

__all__ = ["PathOperation", "apply_path_operation", "parse_path_patch"]

_TYPES: Final = ("add", "insert", "delete", "replace", "move")
_NEEDS: Final = {
    "add": ("name", "value"),
    "insert": ("index", "value"),
    "replace": ("value",),
    "move": ("source", "destination"),
    "delete": (),
}
_PARTS: Final = frozenset(("type", "path", "name", "value", "index", "source", "destination"))
_DEEPEST: Final = 10  # parts within parts of a value
_FAMILIES: Final = (
    frozenset(("string", "code", "id", "markdown", "uri", "url", "canonical", "oid", "uuid", "base64Binary")),
    frozenset(("date", "dateTime", "instant")),
    frozenset(("integer", "positiveInt", "unsignedInt", "decimal")),
)
_QUANTITIES: Final = frozenset(
    ("Quantity", "Age", "Count", "Distance", "Duration", "Money", "SimpleQuantity")
)


@dataclass(frozen=True, slots=True)
class PatchValue:
    """What is added: its JSON, and the type that it was said to be of (None: an element without one)."""

    content: Any
    type: str | None


@dataclass(frozen=True, slots=True)
class PathOperation:
    """One operation; `where` is its place in the patch."""

    name: str
    path: ElementPath
    where: str
    element: str = ""  # of an add: the property
    value: PatchValue | None = None
    index: int = 0  # of an insert, and where a move begins
    destination: int = 0


def parse_path_patch(sent: Resource, limits: RequestLimits, where: str) -> tuple[PathOperation, ...]:
    """The operations of Parameters at `where`. Raises FhirError 400, 413 for too many, or 422 for a path that
    is none of the simple ones.
    """
    listed = sent.get("parameter", [])
    if not isinstance(listed, list):
        raise interaction_error(400, "structure", "not_a_list", f"{where}.parameter")
    if not listed:
        raise interaction_error(422, "not-supported", "no_patch", f"{where}.parameter")
    if len(listed) > limits.max_patch_operations:
        raise over_limit(limits, "max_patch_operations", len(listed), where)
    return tuple(_operation(one, f"{where}.parameter[{place}]") for place, one in enumerate(listed))


def _operation(sent: Any, where: str) -> PathOperation:
    parts = _parts(sent, where) if isinstance(sent, dict) and sent.get("name") == "operation" else {}
    name, path = _value_of(parts, "type"), _value_of(parts, "path")
    needed = _NEEDS.get(name) if isinstance(name, str) else None
    if needed is None or not isinstance(path, str) or not parts.keys() >= set(needed):
        raise interaction_error(400, "structure", "path_operation", where)
    element = _value_of(parts, "name") if name == "add" else ""
    numbers = [_number(parts, one, where) for one in ("index", "source", "destination")]
    if not isinstance(element, str) or (name == "add" and not element.isidentifier()):
        raise interaction_error(400, "structure", "path_operation", where)
    value = _patch_value(parts["value"], where) if "value" in needed else None
    index = numbers[1] if name == "move" else numbers[0]
    return PathOperation(name, parse_element_path(path, where), where, element, value, index, numbers[2])


def _parts(sent: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    listed = sent.get("part")
    found: dict[str, dict[str, Any]] = {}
    for one in listed if isinstance(listed, list) else ():
        name = one.get("name") if isinstance(one, dict) else None
        if name not in _PARTS or name in found:
            raise interaction_error(400, "structure", "path_operation", where)
        found[name] = one
    return found


def _value_of(parts: dict[str, dict[str, Any]], name: str) -> Any:
    values = [item for key, item in parts.get(name, {}).items() if key.startswith("value")]
    return values[0] if len(values) == 1 else None


def _number(parts: dict[str, dict[str, Any]], name: str, where: str) -> int:
    if name not in parts:
        return 0
    value = _value_of(parts, name)
    if type(value) is not int or not 0 <= value < 2**31:
        raise interaction_error(400, "structure", "path_operation", where)
    return value


def _patch_value(part: dict[str, Any], where: str, depth: int = 0) -> PatchValue:
    """A value[x], a resource, or the parts of an element that has no type of its own."""
    said = [name for name in part if name.startswith("value")]
    if depth > _DEEPEST or any(name.startswith("_") for name in part) or "extension" in part:
        raise interaction_error(422, "not-supported", "path_value", where)
    if len(said) == 1 and "part" not in part and "resource" not in part:
        type_ = said[0].removeprefix("value")
        plain = type_[:1].lower() + type_[1:]
        return PatchValue(part[said[0]], type_ if type_ in types.types() else plain)
    if not said and isinstance(part.get("resource"), dict) and "part" not in part:
        return PatchValue(part["resource"], "Resource")
    inner = part.get("part")
    if said or not isinstance(inner, list) or not inner:
        raise interaction_error(400, "structure", "path_operation", where)
    built: dict[str, Any] = {}
    for one in inner:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not name.isidentifier():
            raise interaction_error(400, "structure", "path_operation", where)
        found = _patch_value(one, where, depth + 1).content
        if name in built:
            built[name] = [*built[name], found] if isinstance(built[name], list) else [built[name], found]
        else:
            built[name] = found
    return PatchValue(built, None)


def apply_path_operation(resource: Resource, one: PathOperation, spend: Callable[[int], None]) -> None:
    """Change the resource. Raises FhirError 422 where the path does not lead to one element, or the value
    cannot stand there.
    """
    places = find_places(resource, one.path, spend)
    if one.name == "add":
        _add(_only(places, one), one)
    elif one.name == "replace":
        _replace(_only(places, one), one)
    elif one.name == "delete":
        if places:
            _only(places, one).remove()
    elif one.name == "insert":
        _insert(_list(places, one), one)
    else:
        _move(_list(places, one), one)


def _only(places: list[Place], one: PathOperation) -> Place:
    if len(places) != 1:
        text = "path_several" if places else "patch_nowhere"
        raise interaction_error(422, "processing", text, one.where)
    return places[0]


def _list(places: list[Place], one: PathOperation) -> Place:
    """The first place of a list that is named as a whole."""
    if not places or places[0].index is None or not all(places[0].is_beside(other) for other in places):
        raise interaction_error(422, "processing", "path_no_list" if places else "patch_nowhere", one.where)
    if len(places) != len(places[0].values):
        raise interaction_error(422, "processing", "path_no_list", one.where)
    return places[0]


def _add(place: Place, one: PathOperation) -> None:
    holder, value = place.value, _value(one)
    if not isinstance(holder, dict):
        raise interaction_error(422, "processing", "patch_nowhere", one.where)
    element = _element(place.type_of_value, one.element, value)
    if element is None:
        raise interaction_error(422, "processing", "path_element", one.where)
    if element.is_list:
        there = holder.setdefault(element.name, [])
        if not isinstance(there, list):
            raise interaction_error(422, "processing", "path_no_list", one.where)
        mine = value.content if value.type is None and isinstance(value.content, list) else [value.content]
        there.extend(copy.deepcopy(mine))
        _keep_aligned(holder, element.name)
        return
    if any(other.name in holder for other in _forms(place.type_of_value, element)):
        raise interaction_error(422, "processing", "path_there_already", one.where)
    holder[element.name] = copy.deepcopy(value.content)


def _keep_aligned(holder: dict[str, Any], name: str) -> None:
    beside = holder.get(f"_{name}")
    if isinstance(beside, list):
        beside.extend([None] * (len(holder[name]) - len(beside)))


def _replace(place: Place, one: PathOperation) -> None:
    value = _value(one)
    element = _element(place.type, place.element, value)
    if place.is_root or element is None:
        raise interaction_error(422, "processing", "path_element", one.where)
    place.put(element.name, copy.deepcopy(value.content))


def _insert(place: Place, one: PathOperation) -> None:
    value = _value(one)
    if _element(place.type, place.element, value) is None:
        raise interaction_error(422, "processing", "path_element", one.where)
    if one.index > len(place.values):
        raise interaction_error(422, "processing", "path_index", one.where)
    beside = place.beside()
    place.values.insert(one.index, copy.deepcopy(value.content))
    if beside is not None:
        beside.insert(one.index, None)


def _move(place: Place, one: PathOperation) -> None:
    if max(one.index, one.destination) >= len(place.values):
        raise interaction_error(422, "processing", "path_index", one.where)
    beside = place.beside()
    for values in (place.values, *([] if beside is None else [beside])):
        values.insert(one.destination, values.pop(one.index))


def _value(one: PathOperation) -> PatchValue:
    assert one.value is not None  # noqa: S101 - whoever needs one has it
    return one.value


def _element(type_: str | None, name: str, value: PatchValue) -> types.Element | None:
    """The element of that FHIRPath name, of a choice the form that the value has; None where there is none,
    or the value cannot stand in it.
    """
    for element in types.elements(type_ or "").values():
        if element.fhirpath_name == name and _may_hold(element, value.type):
            return element
    return None


def _forms(type_: str | None, element: types.Element) -> list[types.Element]:
    """The element, or all forms of its choice."""
    of_type = types.elements(type_ or "").values()
    return [one for one in of_type if one.fhirpath_name == element.fhirpath_name]


def _may_hold(element: types.Element, type_: str | None) -> bool:
    if type_ is None:
        return element.type is not None and ("." in element.type or element.choice is None)
    if element.primitive:
        same = element.primitive == type_
        return same or (
            element.choice is None and any({element.primitive, type_} <= one for one in _FAMILIES)
        )
    same = element.type == type_
    return same or (element.choice is None and {element.type, type_} <= _QUANTITIES)
