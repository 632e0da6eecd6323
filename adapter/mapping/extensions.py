"""An extension whose value is empty goes as a whole: its `url` alone is no extension.

What the expressions of its values give decides, as a `$when` that nobody has to write.
"""

from dataclasses import replace

from adapter.mapping.names import expression_of
from adapter.mapping.source import Fields, Items, Node, Scalar

__all__ = ["guarded"]

_LISTS = ("extension", "modifierExtension")


def guarded(node: Node) -> Node:
    """The tree with a `$when` in every extension that has none and whose values may all be empty."""
    if isinstance(node, Items):
        return Items(tuple(guarded(child) for child in node.nodes), node.place)
    if not isinstance(node, Fields):
        return node
    entries = ((key, _guarded(str(key.value), guarded(child))) for key, child in node.entries)
    return Fields(tuple(entries), node.place)


def _guarded(name: str, node: Node) -> Node:
    if name not in _LISTS or not isinstance(node, Items):
        return node
    return Items(tuple(_with_when(child) for child in node.nodes), node.place)


def _with_when(node: Node) -> Node:
    values = _values(node)
    if not isinstance(node, Fields) or not values:
        return node
    tests = (f"({expression_of(str(one.value))}) | default(none) is not none" for one in values)
    # said of the first value, where a mistake in it stands
    when = replace(values[0], value="{{ " + " or ".join(tests) + " }}")
    return Fields(((replace(when, value="$when"), when), *node.entries), node.place)


def _values(node: Node) -> list[Scalar]:
    """The expressions that make the values of an extension; [] where one of them is there for certain."""
    if not isinstance(node, Fields) or any(str(key.value).startswith("$") for key, _ in node.entries):
        return []
    inner = node.get("extension")
    if isinstance(inner, Items):
        below = [
            _values(child.without("$when") if isinstance(child, Fields) else child) for child in inner.nodes
        ]
        return [one for values in below for one in values] if all(below) else []
    values = [child for key, child in node.entries if str(key.value).startswith("value")]
    found = [one for one in values if isinstance(one, Scalar) and expression_of(str(one.value)) is not None]
    return found if len(found) == len(values) else []
