"""The part of FHIRPath that names elements of a resource (http://hl7.org/fhirpath/N1/#path-selection). Pure.

`Patient.name[0].given`, `Patient.identifier.where(system = 'urn:x' and value = '7')`, `name.first().family`,
`Observation.value.ofType(Quantity).unit`, `extension('urn:x').value`. Nothing is computed, and each step
looks at what the step before it found once.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from adapter.errors import FhirError
from adapter.fhir.codec import Resource
from adapter.fhir.definitions import types
from adapter.repository.interaction_errors import interaction_error

__all__ = ["ElementPath", "Place", "find_places", "parse_element_path"]

_LONGEST: Final = 1_000  # characters
_MOST_STEPS: Final = 30
_LOOK: Final = 10  # bytes that looking at one element counts for
_NAME: Final = r"[A-Za-z][A-Za-z0-9]*"
_LITERAL: Final = r"'(?:[^'\\]|\\['\\/\"`])*'|true|false|-?\d{1,18}(?:\.\d{1,18})?"
_STEP: Final = re.compile(
    rf"""\s*(?:^|\.)\s*(?:
        (?P<function>where|ofType|as|first|last|extension)\s*\(
      | (?P<name>{_NAME}|`{_NAME}`)
    )""",
    re.VERBOSE,
)
_AT: Final = re.compile(r"\s*\[\s*(\d{1,9})\s*\]")
_TEST: Final = re.compile(rf"\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=\s*({_LITERAL})\s*")
_AND: Final = re.compile(r"and\b")
_TYPE: Final = re.compile(rf"\s*(?:FHIR\s*\.\s*)?({_NAME})\s*\)")
_TEXT: Final = re.compile(r"\s*('(?:[^'\\]|\\['\\/\"`])*')\s*\)")
_SLICES: Final = {"first": slice(1), "last": slice(-1, None)}
_EMPTY: Final = re.compile(r"\s*\)")


@dataclass(frozen=True, slots=True)
class _Step:
    """One step: `kind` is name, where, type, first, last, at or extension; `said` what it was given."""

    kind: str
    said: Any = None


@dataclass(frozen=True, slots=True)
class ElementPath:
    """A parsed path."""

    steps: tuple[_Step, ...]


@dataclass(slots=True)
class Place:
    """Where one element stands: under `name` in `holder`, at `index` where that is a list. `type` is the type
    of the holder, `element` the FHIRPath name; the resource itself has no holder.
    """

    value: Any
    type_of_value: str | None
    holder: dict[str, Any] | None = None
    name: str = ""
    index: int | None = None
    type: str | None = None
    element: str = ""

    @property
    def is_root(self) -> bool:
        """Whether it is the resource itself."""
        return self.holder is None

    @property
    def values(self) -> list[Any]:
        """The list that it stands in."""
        found: list[Any] = (self.holder or {})[self.name]
        return found

    def beside(self) -> list[Any] | None:
        """The list of the extensions of its primitives, as long as theirs; None where there is none."""
        found = (self.holder or {}).get(f"_{self.name}")
        if not isinstance(found, list):
            return None
        found.extend([None] * (len(self.values) - len(found)))
        return found

    def is_beside(self, other: "Place") -> bool:
        """Whether both stand in one list."""
        return self.holder is other.holder and self.name == other.name

    def put(self, name: str, value: Any) -> None:
        """Another value in its place; of a choice perhaps under another name."""
        assert self.holder is not None  # noqa: S101 - who asks knows that it is not the root
        if self.index is not None:
            beside = self.beside()
            self.values[self.index] = value
            if beside is not None:
                beside[self.index] = None
            return
        self.holder.pop(self.name, None)
        self.holder.pop(f"_{self.name}", None)
        self.holder[name] = value

    def remove(self) -> None:
        """Take it out; a list that would be empty goes too. The resource itself stays."""
        if self.holder is None:
            return
        if self.index is not None and len(self.values) > 1:
            beside = self.beside()
            del self.values[self.index]
            if beside is not None:
                del beside[self.index]
            return
        self.holder.pop(self.name, None)
        self.holder.pop(f"_{self.name}", None)


def parse_element_path(text: str, where: str) -> ElementPath:
    """Raises FhirError 422 for a path that is none of these."""
    if len(text) > _LONGEST:
        raise _unknown(where)
    steps: list[_Step] = []
    at = 0
    while text[at:].strip():
        found = _STEP.match(text, at) if not at or text[at:].lstrip().startswith(".") else None
        if (position := _AT.match(text, at)) and steps:
            steps.append(_Step("at", int(position[1])))
            at = position.end()
        elif found is not None and found["name"]:
            steps.append(_Step("name", found["name"].strip("`")))
            at = found.end()
        elif found is not None:
            step, at = _function(found["function"], text, found.end(), where)
            steps.append(step)
        else:
            raise _unknown(where)
        if len(steps) > _MOST_STEPS:
            raise _unknown(where)
    if not steps:
        raise _unknown(where)
    return ElementPath(tuple(steps))


def _function(name: str, text: str, at: int, where: str) -> tuple[_Step, int]:
    if name in ("first", "last"):
        ends = _EMPTY.match(text, at)
        step = _Step(name)
    elif name in ("ofType", "as"):
        ends = _TYPE.match(text, at)
        step = _Step("type", ends[1] if ends else None)
    elif name == "extension":
        ends = _TEXT.match(text, at)
        step = _Step("extension", _literal(ends[1]) if ends else None)
    else:
        return _where(text, at, where)
    if ends is None:
        raise _unknown(where)
    return step, ends.end()


def _where(text: str, at: int, where: str) -> tuple[_Step, int]:
    tests: list[tuple[tuple[str, ...], Any]] = []
    while (test := _TEST.match(text, at)) is not None and len(tests) < _MOST_STEPS:
        tests.append((tuple(one.strip() for one in test[1].split(".")), _literal(test[2])))
        at = test.end()
        if text[at : at + 1] == ")":
            return _Step("where", tuple(tests)), at + 1
        if (more := _AND.match(text, at)) is None:
            break
        at = more.end()
    raise _unknown(where)


def _literal(text: str) -> Any:
    if text.startswith("'"):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    return Decimal(text)


def _unknown(where: str) -> FhirError:
    return interaction_error(422, "not-supported", "path_not_simple", where)


def find_places(resource: Resource, path: ElementPath, spend: Callable[[int], None]) -> list[Place]:
    """The places that a path leads to, in their order. `spend` is told what was looked at, in bytes."""
    type_ = str(resource.get("resourceType"))
    places = [Place(resource, type_)]
    first, *rest = path.steps
    steps = rest if first == _Step("name", type_) else path.steps
    for step in steps:
        places = list(_follow(places, step, spend))
    return places


def _follow(places: list[Place], step: _Step, spend: Callable[[int], None]) -> Iterator[Place]:
    spend(_LOOK * (1 + len(places)))
    if step.kind in ("at", "first", "last"):
        yield from places[_SLICES.get(step.kind) or slice(step.said, step.said + 1)]
    elif step.kind == "type":
        yield from (place for place in places if _is_of(place, step.said))
    elif step.kind == "where":
        for place in places:
            if all(_holds(place.value, names, wanted, spend) for names, wanted in step.said):
                yield place
    else:
        name = step.said if step.kind == "name" else "extension"
        found = (inner for place in places for inner in _below(place, name, spend))
        yield from (inner for inner in found if step.kind == "name" or _has_url(inner, step.said))


def _has_url(place: Place, url: str) -> bool:
    return isinstance(place.value, dict) and place.value.get("url") == url


def _is_of(place: Place, type_: str) -> bool:
    element = types.elements(place.type or "").get(place.name)
    mine = place.type_of_value or (element.primitive if element else None)
    return mine == type_


def _below(place: Place, name: str, spend: Callable[[int], None]) -> Iterator[Place]:
    holder = place.value
    if not isinstance(holder, dict):
        return
    for element in _named(place.type_of_value or "", name):
        if element.name not in holder:
            continue
        value = holder[element.name]
        if not isinstance(value, list):
            yield Place(
                value, _type_of(element, value), holder, element.name, None, place.type_of_value, name
            )
            continue
        spend(_LOOK * len(value))
        for index, one in enumerate(value):
            inner = _type_of(element, one)
            yield Place(one, inner, holder, element.name, index, place.type_of_value, name)


@lru_cache(maxsize=2_000)
def _named(type_: str, name: str) -> tuple[types.Element, ...]:
    """The elements of that FHIRPath name: one, or the forms of a choice."""
    return tuple(one for one in types.elements(type_).values() if one.fhirpath_name == name)


def _type_of(element: types.Element, value: Any) -> str | None:
    if element.type == "Resource" and isinstance(value, dict):
        return str(value.get("resourceType"))
    return element.type


def _holds(value: Any, names: tuple[str, ...], wanted: Any, spend: Callable[[int], None]) -> bool:
    """Whether the names lead to one value, and that is it."""
    found = [value]
    for name in names:
        inner: list[Any] = []
        for one in found:
            below = one.get(name) if isinstance(one, dict) else None
            inner += below if isinstance(below, list) else [] if below is None else [below]
        spend(_LOOK * (1 + len(inner)))
        found = inner
    if len(found) != 1 or isinstance(found[0], bool) != isinstance(wanted, bool):
        return False
    only = found[0]
    return bool(only == wanted)
