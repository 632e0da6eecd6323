"""Fragments (`$use`) and merging: a tree is made whole before anything in it is checked.

An object's own elements win over those of the fragment that it uses, objects merge, everything else
replaces. An overlay is laid over a mapping in the same way.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from adapter.mapping.folder.version import FRAGMENTS_FILE
from adapter.mapping.language.keywords import MERGE_DIRECTIVES, closest_choices
from adapter.mapping.language.source_tree import (
    ListNode,
    MappingProblems,
    Node,
    ObjectNode,
    ScalarNode,
    read_tree,
)

__all__ = ["Fragments", "merge_trees", "read_fragments"]

_STOPPED = 10**9
_MOST_USES = 5_000  # of all fragments together: those that use others several times multiply
_MOST_INSIDE = 8  # fragments that use fragments
_WHOLE = ("$value", "$item")  # an object that holds one of these is a value by itself


def read_fragments(folder: Path, problems: MappingProblems) -> "Fragments":
    """The fragments of a folder; none where it has no file of them."""
    path = folder / FRAGMENTS_FILE
    root = read_tree(path, problems) if path.is_file() else None
    if root is None:
        return Fragments({}, problems)
    found = root.get("fragments") if isinstance(root, ObjectNode) else None
    if not isinstance(root, ObjectNode) or not isinstance(found, ObjectNode):
        problems.add(root.place, "mapping.no_top_word", word="fragments")
        return Fragments({}, problems)
    for key, _ in root.entries:
        if key.value != "fragments":
            problems.add(key.place, "mapping.no_top", word=key.value, nearest="fragments")
    return Fragments({str(key.value): node for key, node in found.entries}, problems)


class Fragments:
    """Puts fragments where they are used. A word in one keeps its place and says which file uses it."""

    def __init__(self, named: Mapping[str, Node], problems: MappingProblems) -> None:
        self._named = named
        self._problems = problems
        self._uses = 0

    def expand(self, node: Node, inside: tuple[str, ...] = ()) -> Node:
        """The tree with every `$use` replaced. `inside` are the fragments that it stands in."""
        if isinstance(node, ListNode):
            return ListNode(
                tuple(part for child in node.nodes for part in self._spliced(child, inside)), node.place
            )
        if not isinstance(node, ObjectNode):
            return node
        used = node.get("$use")
        own = node.without("$use")
        own = ObjectNode(tuple((key, self.expand(child, inside)) for key, child in own.entries), node.place)
        return own if used is None else self._with(own, used, inside)

    def _spliced(self, child: Node, inside: tuple[str, ...]) -> tuple[Node, ...]:
        """A list that a fragment gives where an item is wanted joins the list around it."""
        found = self.expand(child, inside)
        used = isinstance(child, ObjectNode) and child.get("$use") is not None
        return found.nodes if used and isinstance(found, ListNode) else (found,)

    def _with(self, own: ObjectNode, used: Node, inside: tuple[str, ...]) -> Node:
        fragment = self._fragment(used, inside)
        if fragment is None:  # said already; what is missing without it is not said too
            return own if own.entries else ScalarNode("{{ none }}", used.place)
        if not own.entries:
            return fragment
        if isinstance(fragment, ObjectNode):
            return merge_trees(fragment, own, self._problems)
        self._problems.add(used.place, "mapping.use_alone", word=getattr(used, "value", ""))
        return own

    def _fragment(self, used: Node, inside: tuple[str, ...]) -> Node | None:
        name = used.text if isinstance(used, ScalarNode) else None
        if name is None or name not in self._named:
            close = closest_choices(name or "", self._named)
            self._problems.add(used.place, "mapping.no_fragment", word=name or "$use", nearest=close)
            return None
        self._uses += 1
        if name in inside:
            self._problems.add(used.place, "mapping.fragment_cycle", word=" → ".join((*inside, name)))
            return None
        if self._uses > _MOST_USES or len(inside) >= _MOST_INSIDE:
            if self._uses < _STOPPED:
                self._problems.add(used.place, "mapping.too_many_uses", limit=_MOST_INSIDE)
            self._uses = _STOPPED
            return None
        return _used_by(self.expand(self._named[name], (*inside, name)), used.place.via or used.place.file)


def _used_by(node: Node, file: str) -> Node:
    """The same tree, every place of which says who uses it."""
    place = replace(node.place, via="" if node.place.file == file else file)
    if isinstance(node, ScalarNode):
        return replace(node, place=place)
    if isinstance(node, ListNode):
        return ListNode(tuple(_used_by(child, file) for child in node.nodes), place)
    entries = (
        (replace(key, place=replace(key.place, via=place.via)), _used_by(child, file))
        for key, child in node.entries
    )
    return ObjectNode(tuple(entries), place)


def merge_trees(base: Node, over: Node, problems: MappingProblems) -> Node:
    """`over` laid over `base`. `$remove` takes elements of that level away, and naming one that is not
    there is a problem.
    """
    if not isinstance(over, ObjectNode):
        return over
    if not isinstance(base, ObjectNode) or any(over.get(name) is not None for name in _WHOLE):
        return _clean(over, problems)
    removed = _removed(base, over, problems)
    below = {str(key.value): (key, child) for key, child in base.entries if key.value not in removed}
    for key, child in over.entries:
        name = str(key.value)
        if name in MERGE_DIRECTIVES:
            continue
        known = below.get(name)
        # an element keeps its turn, so that an overlay does not change the order of what is sent
        below[name] = (key, merge_trees(known[1], child, problems) if known else _clean(child, problems))
    return ObjectNode(tuple(below.values()), over.place if removed else base.place)


def _removed(base: ObjectNode, over: ObjectNode, problems: MappingProblems) -> frozenset[str]:
    node = over.get("$remove")
    if node is None:
        return frozenset()
    listed = node.nodes if isinstance(node, ListNode) else (node,)
    there = {str(key.value) for key, _ in base.entries}
    names = set()
    for one in listed:
        name = one.text if isinstance(one, ScalarNode) else None
        if name in there:
            names.add(str(name))
        else:
            problems.add(
                one.place,
                "mapping.no_remove",
                word=name or "$remove",
                nearest=closest_choices(name or "", there),
            )
    return frozenset(names)


def _clean(node: Node, problems: MappingProblems) -> Node:
    """A tree that is laid over nothing: there is nothing in it to remove."""
    if isinstance(node, ListNode):
        return ListNode(tuple(_clean(child, problems) for child in node.nodes), node.place)
    if not isinstance(node, ObjectNode):
        return node
    _removed(ObjectNode((), node.place), node, problems)
    kept = node.without("$remove").entries
    return ObjectNode(tuple((key, _clean(child, problems)) for key, child in kept), node.place)
