"""An extension whose value is empty goes as a whole: its `url` alone is no extension.

What the expressions of its values give decides, as a `$when` that nobody has to write.
"""

from dataclasses import replace

from adapter.mapping.language.keywords import expression_in
from adapter.mapping.language.source_tree import ListNode, Node, ObjectNode, ScalarNode

__all__ = ["with_extension_guards"]

_LISTS = ("extension", "modifierExtension")


def with_extension_guards(node: Node) -> Node:
    """The tree with a `$when` in every extension that has none and whose values may all be empty."""
    if isinstance(node, ListNode):
        return ListNode(tuple(with_extension_guards(child) for child in node.nodes), node.place)
    if not isinstance(node, ObjectNode):
        return node
    entries = ((key, _guarded(str(key.value), with_extension_guards(child))) for key, child in node.entries)
    return ObjectNode(tuple(entries), node.place)


def _guarded(name: str, node: Node) -> Node:
    if name not in _LISTS or not isinstance(node, ListNode):
        return node
    return ListNode(tuple(_with_when(child) for child in node.nodes), node.place)


def _with_when(node: Node) -> Node:
    values = _values(node)
    if not isinstance(node, ObjectNode) or not values:
        return node
    tests = (f"({expression_in(str(one.value))}) | default(none) is not none" for one in values)
    # said of the first value, where a mistake in it stands
    when = replace(values[0], value="{{ " + " or ".join(tests) + " }}")
    return ObjectNode(((replace(when, value="$when"), when), *node.entries), node.place)


def _values(node: Node) -> list[ScalarNode]:
    """The expressions that make the values of an extension; [] where one of them is there for certain."""
    if not isinstance(node, ObjectNode) or any(str(key.value).startswith("$") for key, _ in node.entries):
        return []
    inner = node.get("extension")
    if isinstance(inner, ListNode):
        below = [
            _values(child.without("$when") if isinstance(child, ObjectNode) else child)
            for child in inner.nodes
        ]
        return [one for values in below for one in values] if all(below) else []
    values = [child for key, child in node.entries if str(key.value).startswith("value")]
    found = [
        one for one in values if isinstance(one, ScalarNode) and expression_in(str(one.value)) is not None
    ]
    return found if len(found) == len(values) else []
