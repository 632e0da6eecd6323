"""One mapping, from the tree of its file to what the engine runs."""

import re
from dataclasses import dataclass

from adapter.fhir.definitions import types
from adapter.mapping.engine import ResourceMapping
from adapter.mapping.language.compiler import compile_tree
from adapter.mapping.language.element_checker import ElementChecker
from adapter.mapping.language.expression_checker import ExpressionChecker
from adapter.mapping.language.expression_scope import ExpressionScope
from adapter.mapping.language.extension_guards import with_extension_guards
from adapter.mapping.language.keywords import closest_choices
from adapter.mapping.language.source_tree import (
    MAX_DEPTH,
    ListNode,
    MappingProblems,
    Node,
    ObjectNode,
    ScalarNode,
    tree_depth,
)

__all__ = ["MappingFile", "compile_mapping", "name_of", "needs_of", "word_of"]

_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class MappingFile:
    """One mapping file, its words read and its body whole."""

    file: str
    type: ScalarNode
    name: ScalarNode | None
    kind: str
    body: Node
    when: Node | None
    needs: tuple[ScalarNode, ...]

    @property
    def variant(self) -> tuple[str, str | None]:
        """What no two mappings may have in common: resource type and name."""
        return str(self.type.value), str(self.name.value) if self.name else None


def word_of(root: ObjectNode, name: str, problems: MappingProblems) -> ScalarNode | None:
    """The text at `name`, which must be there."""
    node = root.get(name)
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node
    problems.add(node.place if node else root.place, "mapping.no_top_word", word=name)
    return None


def name_of(root: ObjectNode, problems: MappingProblems) -> ScalarNode | None:
    """The name of a variant, if there is one."""
    node = root.get("name")
    if node is None or (isinstance(node, ScalarNode) and _NAME.fullmatch(str(node.value))):
        return node
    problems.add(node.place, "mapping.bad_variant")
    return None


def needs_of(root: ObjectNode, type_: str, problems: MappingProblems) -> tuple[ScalarNode, ...]:
    """The elements without which nothing is made: one, or a list of them."""
    node = root.get("needs")
    if node is None:
        return ()
    known = types.elements(type_)
    named = []
    for one in node.nodes if isinstance(node, ListNode) else (node,):
        word = one.text if isinstance(one, ScalarNode) else None
        if isinstance(one, ScalarNode) and word in known:
            named.append(one)
        elif known:
            close = closest_choices(word or "", known)
            problems.add(one.place, "mapping.no_element", word=word or "needs", type=type_, nearest=close)
    return tuple(named)


def compile_mapping(file: MappingFile, body: Node, expressions: ExpressionChecker) -> ResourceMapping:
    """Check the file's `body` (perhaps with an overlay) and its `when`, and compile both. Problems are
    collected; a mapping with problems must not be run.
    """
    type_, name = file.variant
    scope = ExpressionScope(file.kind)
    if tree_depth(body) > MAX_DEPTH:
        expressions.problems.add(body.place, "mapping.too_deep", limit=MAX_DEPTH)
        body = ObjectNode((), body.place)
    body = with_extension_guards(body)
    if types.is_resource_type(type_):
        ElementChecker(expressions, type_).check(body, scope)
    program = compile_tree(body, expressions, scope, label="body", path=type_)
    when = compile_tree(file.when, expressions, scope, label="when", path="when") if file.when else None
    programs = (program, when) if when else (program,)
    return ResourceMapping(
        file=file.file,
        type=type_,
        name=name,
        kind=file.kind,
        tree=body,
        fields=expressions.fields,
        reads=frozenset(field for one in programs for field in one.reads),
        references=frozenset(target for one in programs for target in one.references),
        needs=tuple(str(one.value) for one in file.needs),
        body=program,
        when=when,
    )
