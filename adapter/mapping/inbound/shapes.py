"""What a hospital's document looks like, as the `document:` of an inbound mapping says. Pure.

Each name is a field: of a type of `FIELD_TYPES`, an object with fields of its own, or (in a list of one item)
any number of either. `name!` must be there; `name <- key` stands in the JSON as `key`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter.mapping.language.expression_types import PLAIN_TYPE, ExpressionType
from adapter.mapping.language.keywords import closest_choices
from adapter.mapping.language.source_tree import ListNode, MappingProblems, Node, ObjectNode, ScalarNode

__all__ = [
    "DOCUMENT",
    "FIELD_TYPES",
    "OUTER",
    "DocumentKinds",
    "FieldShape",
    "ObjectShape",
    "kinds_of",
    "read_shape",
]

FIELD_TYPES: Final = ("text", "value", "number", "flag", "date", "time", "ignored")
DOCUMENT: Final = "document"
"""The kind of the whole; a part is called by where it stands: `document.results`."""
OUTER: Final = "outer"
"""The field of a part that is what it stands in."""
_OTHERS: Final = "$others"
_KEY: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<needed>!)?(?:\s*<-\s*(?P<key>.*\S))?")


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field: `key` is its name in the JSON; `type` is of FIELD_TYPES, or `parts` says what it holds."""

    name: str
    key: str
    type: str = ""
    parts: "ObjectShape | None" = None
    is_list: bool = False
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """The fields of an object by their names in the JSON. `kind` is what expressions know it as;
    `ignores_others`: what it has besides is not looked at.
    """

    kind: str
    fields: Mapping[str, FieldShape] = field(default_factory=dict)
    ignores_others: bool = False


def read_shape(node: Node, problems: MappingProblems, kind: str = DOCUMENT) -> ObjectShape:
    """The shape that a tree describes; mistakes are added to `problems`."""
    if not isinstance(node, ObjectNode):
        problems.add(node.place, "mapping.not_fields", word=kind)
        return ObjectShape(kind)
    fields: dict[str, FieldShape] = {}
    names: set[str] = set()
    ignores_others = False
    for key, child in node.entries:
        written = str(key.value)
        if written == _OTHERS:
            ignores_others = _ignores(child, problems)
            continue
        found = _KEY.fullmatch(written)
        if found is None or found["name"] == OUTER:
            problems.add(key.place, "inbound.bad_field", word=written)
            continue
        one = _field(found, child, problems, kind)
        if one.name in names or one.key in fields:
            problems.add(key.place, "mapping.duplicate", word=written)
        names.add(one.name)
        fields[one.key] = one
    return ObjectShape(kind, fields, ignores_others)


def _ignores(node: Node, problems: MappingProblems) -> bool:
    if isinstance(node, ScalarNode) and node.value in ("ignored", "refused"):
        return node.value == "ignored"
    problems.add(node.place, "inbound.bad_others")
    return False


def _field(found: re.Match[str], node: Node, problems: MappingProblems, kind: str) -> FieldShape:
    name, key = found["name"], found["key"] or found["name"]
    is_list = isinstance(node, ListNode)
    if isinstance(node, ListNode):
        if len(node.nodes) != 1 or isinstance(node.nodes[0], ListNode):
            problems.add(node.place, "inbound.bad_list", word=name)
            return FieldShape(name, key, "ignored")
        node = node.nodes[0]
    is_needed = found["needed"] is not None
    if isinstance(node, ObjectNode):
        parts = read_shape(node, problems, f"{kind}.{name}")
        return FieldShape(name, key, "", parts, is_list, is_needed)
    word = node.text if isinstance(node, ScalarNode) else None
    if word not in FIELD_TYPES:
        close = closest_choices(word or "", FIELD_TYPES)
        problems.add(node.place, "inbound.no_type", word=word or name, nearest=close)
    return FieldShape(name, key, word or "", None, is_list, is_needed)


@dataclass(frozen=True, slots=True)
class DocumentKinds:
    """What expressions may say of a document and its parts: the fields of each kind, and of those that are no
    plain values what they are.
    """

    fields: Mapping[str, frozenset[str]]
    shapes: Mapping[tuple[str, str], ExpressionType]


def kinds_of(shape: ObjectShape) -> DocumentKinds:
    """All kinds below a shape, and its own."""
    fields: dict[str, frozenset[str]] = {}
    shapes: dict[tuple[str, str], ExpressionType] = {(shape.kind, OUTER): PLAIN_TYPE}
    waiting: list[tuple[ObjectShape, ObjectShape | None]] = [(shape, None)]
    while waiting:
        one, outer = waiting.pop()
        read = [each for each in one.fields.values() if each.type != "ignored"]
        fields[one.kind] = frozenset((*(each.name for each in read), *([OUTER] if outer else [])))
        if outer is not None:
            shapes[one.kind, OUTER] = ExpressionType("record", outer.kind)
        for each in read:
            if each.parts is not None:
                shapes[one.kind, each.name] = ExpressionType(
                    "records" if each.is_list else "record", each.parts.kind
                )
                waiting.append((each.parts, one))
    return DocumentKinds(fields, shapes)
