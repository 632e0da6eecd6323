"""Which slice of a profile an element belongs to (http://hl7.org/fhir/R4/profiling.html#slicing)."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from adapter.fhir.definitions.profiles import ProfileNode

__all__ = ["Discriminator", "contains", "discriminators", "says"]

_MOST_SAID: Final = 200  # characters of a value that a message repeats; it is the profile's own


class Discriminator(NamedTuple):
    """By what a slice is told apart: a predicate of the values along `steps`, or of the type of a choice."""

    steps: tuple[str, ...]
    is_right: Callable[[list[Any]], bool] | None
    choice_types: tuple[str, ...] = ()

    def matches(self, value: Any, choice_type: str | None) -> bool:
        """Whether an element is of the slice, as far as this tells."""
        if self.is_right is None:
            return choice_type in self.choice_types
        return self.is_right(_values(value, self.steps))


def discriminators(slice_: ProfileNode, by: list[list[str]]) -> tuple[Discriminator, ...] | None:
    """How to know the slice; None where that cannot be read here, and nothing is said of it."""
    if "url" in slice_.said:
        url = slice_.said["url"]
        return (Discriminator(("url",), lambda values: url in values),)
    made = [_discriminator(slice_, kind, path) for kind, path in by]
    return tuple(one for one in made if one is not None) if made and None not in made else None


def _discriminator(slice_: ProfileNode, kind: str, path: str) -> Discriminator | None:
    if kind == "type" and path == "$this" and slice_.said.get("types"):
        return Discriminator((), None, tuple(slice_.said["types"]))
    steps = () if path == "$this" else tuple(path.split("."))
    nodes = list(_nodes(slice_, steps))
    if kind == "exists" and nodes:
        is_wanted = nodes[0].said.get("max") != 0
        return Discriminator(steps, lambda values: bool(values) == is_wanted)
    if kind not in ("value", "pattern"):
        return None
    wanted = [one for one in nodes if one.codes is not None or {"fixed", "pattern"} & one.said.keys()]
    if not wanted:
        return None
    return Discriminator(steps, lambda values: any(_is(value, node) for value in values for node in wanted))


def _nodes(node: ProfileNode, steps: tuple[str, ...]) -> Iterator[ProfileNode]:
    """What a slice says of the element along a discriminator's path, in slices of that too."""
    for one in (node, *node.slices.values()):
        if not steps:
            yield one
        elif steps[0] in one.children:
            yield from _nodes(one.children[steps[0]], steps[1:])


def _values(value: Any, steps: tuple[str, ...]) -> list[Any]:
    """What stands along the path, lists opened."""
    found = value if type(value) is list else [value]
    for step in steps:
        below = [one[step] for one in found if type(one) is dict and step in one]
        found = [part for one in below for part in (one if type(one) is list else (one,))]
    return found


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
