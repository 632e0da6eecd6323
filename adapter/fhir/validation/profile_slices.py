"""Which slice of a profile an occurrence of an element belongs to (http://hl7.org/fhir/R4/profiling.html#slicing)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapter.fhir.definitions.profiles import ProfileNode
from adapter.fhir.validation.walk import LinkedPath

__all__ = ["Found", "contains", "matches", "says"]

_MOST_SAID: Final = 200  # characters of a value that a message repeats; it is the profile's own


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An element that stands in a resource; `choice_type` is the type of a choice ("Quantity")."""

    value: Any
    path: LinkedPath
    type: str
    choice_type: str | None
    name: str
    has_value: bool


def matches(found: Found, slice_: ProfileNode, by: list[list[str]]) -> bool | None:
    """Whether it is of that slice; None where the discriminators cannot be read."""
    if "url" in slice_.said:
        return type(found.value) is dict and found.value.get("url") == slice_.said["url"]
    answers = [_discriminated(found, slice_, kind, path) for kind, path in by]
    if not answers or None in answers:
        return None
    return all(answers)


def _discriminated(found: Found, slice_: ProfileNode, kind: str, path: str) -> bool | None:
    if kind == "type" and path == "$this":
        return found.choice_type in slice_.said["types"] if slice_.said.get("types") else None
    steps = [] if path == "$this" else path.split(".")
    if kind == "exists":
        nodes = list(_nodes(slice_, steps))
        is_there = any(True for _ in _values(found.value, steps))
        return is_there == (nodes[0].said.get("max") != 0) if nodes else None
    if kind not in ("value", "pattern"):
        return None
    wanted = [
        one
        for one in _nodes(slice_, steps)
        if one.codes is not None or {"fixed", "pattern"} & one.said.keys()
    ]
    if not wanted:
        return None
    return any(_is(value, node) for value in _values(found.value, steps) for node in wanted)


def _nodes(node: ProfileNode, steps: list[str]) -> Iterator[ProfileNode]:
    """What a slice says of the element along a discriminator's path, in slices of that too."""
    for one in (node, *node.slices.values()):
        if not steps:
            yield one
        elif steps[0] in one.children:
            yield from _nodes(one.children[steps[0]], steps[1:])


def _values(value: Any, steps: list[str]) -> Iterator[Any]:
    if type(value) is list:
        for one in value:
            yield from _values(one, steps)
    elif not steps:
        yield value
    elif type(value) is dict and steps[0] in value:
        yield from _values(value[steps[0]], steps[1:])


def _is(value: Any, node: ProfileNode) -> bool:
    if "fixed" in node.said:
        return bool(value == node.said["fixed"])
    if "pattern" in node.said:
        return contains(value, node.said["pattern"])
    return type(value) is str and node.codes is not None and any(value in one for one in node.codes.values())


def contains(value: Any, pattern: Any) -> bool:
    """Whether everything in the pattern is in the value, in lists in any order."""
    if type(pattern) is dict:
        return type(value) is dict and all(contains(value.get(name), one) for name, one in pattern.items())
    if type(pattern) is list:
        return type(value) is list and all(any(contains(one, wanted) for one in value) for wanted in pattern)
    return bool(value == pattern)


def says(wanted: Any) -> str:
    """A profile's own value, or the values by which a slice is known, in words."""
    if isinstance(wanted, ProfileNode):
        return ", ".join(_fixed(wanted))[:_MOST_SAID]
    return str(wanted)[:_MOST_SAID]


def _fixed(node: ProfileNode) -> Iterator[str]:
    if "fixed" in node.said:
        yield f"{node.name}={node.said['fixed']}"
    if "url" in node.said:
        yield node.said["url"]
    for one in (*node.children.values(), *node.slices.values()):
        yield from _fixed(one)
