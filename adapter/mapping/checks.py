"""Checks a mapping file's words before anything runs: fields, verbs, tables, references, FHIR elements.

Every problem is collected with its place and the nearest right word; nothing stops at the first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from adapter.fhir import definitions
from adapter.mapping.source import Fields, Items, Node, Problems, Scalar
from adapter.mapping.terminology import Codes
from adapter.mapping.transforms import JINJA_FILTERS, TRANSFORMS

__all__ = ["DIRECTIVES", "Checker", "Scope", "expression_of", "nearest"]

DIRECTIVES = ("$when", "$each", "$as", "$item")
_PART_FIELDS = frozenset(("measure", "unit", "value"))
_GLOBALS = frozenset(("centre", "hospital", "related", "system", "visit"))
_TABLE_VERBS = frozenset(("code", "coding", "column", "concept", "display"))
_TESTS = frozenset(("defined", "in", "none", "number", "string"))


def expression_of(text: str) -> str | None:
    """The expression of `{{ … }}`, None for a literal. A text that mixes both is not an expression."""
    stripped = text.strip()
    if stripped.startswith("{{") and stripped.endswith("}}") and stripped.count("{{") == 1:
        return stripped[2:-2].strip()
    return None


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice most like `word`, else the first few of them all."""
    listed = sorted(choices)
    close = get_close_matches(word, listed, 1, 0.5)
    return close[0] if close else ", ".join(listed[:8]) + (" …" if len(listed) > 8 else "")


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may name: fields of `m`, record kinds of `related`, variables of `$each`."""

    kind: str
    fields: frozenset[str]
    kinds: frozenset[str]
    variables: frozenset[str] = frozenset()
    visit: frozenset[str] = frozenset()  # fields of the visit that a record belongs to

    def with_variable(self, name: str) -> "Scope":
        """The scope inside a `$each` that names its item `name`."""
        return replace(self, variables=self.variables | {name})


@dataclass
class Checker:
    """Checks expressions and elements of all files of one run against the same tables."""

    problems: Problems
    codes: Codes
    types: Mapping[str, str]  # resource type -> record kind it is made from
    references: set[str] = field(default_factory=set)  # types that the file in hand refers to
    _env: SandboxedEnvironment = field(default_factory=SandboxedEnvironment)

    def expression(self, scalar: Scalar, scope: Scope) -> str | None:
        """The checked expression of a scalar, None for a literal or when it is wrong."""
        if not isinstance(scalar.value, str):
            return None
        source = expression_of(scalar.value)
        if source is None:
            if "{{" in scalar.value or "{%" in scalar.value:
                self.problems.add(scalar.place, "mapping.mixed")
            return None
        try:
            tree = self._env.parse("{{ (" + source + ") }}")
        except TemplateSyntaxError as error:
            self.problems.add(scalar.place, "mapping.not_expression", problem=error.message or "")
            return None
        before = len(self.problems.lines)
        self._walk(tree, scalar, scope)
        return source if len(self.problems.lines) == before else None

    def _walk(self, tree: nodes.Node, scalar: Scalar, scope: Scope) -> None:
        for node in tree.find_all(nodes.Name):
            self._name(node.name, scalar, scope)
        for attribute in tree.find_all(nodes.Getattr):
            self._attribute(attribute, scalar, scope)
        for verb in tree.find_all(nodes.Filter):
            self._filter(verb, scalar)
        for test in tree.find_all(nodes.Test):
            self._one_of(test.name, _TESTS, "mapping.no_test", scalar)
        for call in tree.find_all(nodes.Call):
            if not (isinstance(call.node, nodes.Name) and call.node.name == "system"):
                self.problems.add(scalar.place, "mapping.no_call")
        for item in tree.find_all(nodes.Getitem):
            if not isinstance(item.arg, nodes.Slice):
                self.problems.add(scalar.place, "mapping.no_item")

    def _name(self, name: str, scalar: Scalar, scope: Scope) -> None:
        known = {"m"} | _GLOBALS | scope.variables
        self._one_of(name, known, "mapping.no_name", scalar)

    def _attribute(self, node: nodes.Getattr, scalar: Scalar, scope: Scope) -> None:
        owner = node.node.name if isinstance(node.node, nodes.Name) else None
        if owner == "m":
            self._one_of(node.attr, scope.fields, "mapping.no_field", scalar, kind=scope.kind)
        elif owner == "visit":
            self._one_of(node.attr, scope.visit, "mapping.no_field", scalar, kind="visit")
        elif owner == "related":
            self._one_of(node.attr, scope.kinds, "mapping.no_kind", scalar)
        elif owner in scope.variables:
            self._one_of(node.attr, _PART_FIELDS, "mapping.no_part", scalar)
        else:
            self.problems.add(scalar.place_of("." + node.attr), "mapping.no_attribute", word=node.attr)

    def _filter(self, node: nodes.Filter, scalar: Scalar) -> None:
        self._one_of(node.name, TRANSFORMS | JINJA_FILTERS, "mapping.no_transform", scalar)
        argument = node.args[0].value if node.args and isinstance(node.args[0], nodes.Const) else None
        if node.name in _TABLE_VERBS and self._one_of(
            str(argument), self.codes.tables, "mapping.no_table", scalar
        ):
            self._column(node, str(argument), scalar)
        if node.name == "reference" and self._one_of(
            str(argument), self.types, "mapping.no_reference", scalar
        ):
            self.references.add(str(argument))

    def _column(self, node: nodes.Filter, table: str, scalar: Scalar) -> None:
        if node.name == "column":
            name = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], nodes.Const) else ""
            self._one_of(str(name), self.codes.tables[table].columns, "mapping.no_such_column", scalar)

    def _one_of(self, word: str, choices: Iterable[str], text: str, scalar: Scalar, **params: object) -> bool:
        listed = frozenset(choices)
        if word in listed:
            return True
        place = scalar.place_of(word)
        self.problems.add(place, text, word=word, nearest=nearest(word, listed), **params)
        return False

    def body(self, body: Node, type_name: str) -> None:
        """Check a tree against R4: elements exist, lists are lists, one type of each choice or none named
        twice, required elements are there.
        """
        if not isinstance(body, Fields):
            self.problems.add(body.place, "mapping.not_fields", word=type_name)
            return
        known = definitions.elements(type_name)
        named: set[str] = set()
        for key, node in body.entries:
            name = str(key.value)
            if name.startswith("$"):
                self._one_of(name, DIRECTIVES, "mapping.no_directive", key)
            elif name == "resourceType" or name not in known:
                self._one_of(name, known.keys() - {"resourceType"}, "mapping.no_element", key, type=type_name)
            else:
                named.add(name)
                self._element(node, known[name])
        for element in definitions.required(type_name):
            if element.name not in named:
                self.problems.add(body.place, "mapping.missing", word=element.name, type=type_name)

    def _element(self, node: Node, element: definitions.Element) -> None:
        if isinstance(node, Items):
            if not element.many:
                self.problems.add(node.place, "mapping.not_many", word=element.name)
            for child in node.nodes:
                self._child(child, element)
            return
        literal = isinstance(node, Scalar) and expression_of(str(node.value)) is None
        if element.many and (isinstance(node, Fields) or literal):
            self.problems.add(node.place, "mapping.many", word=element.name)
        self._child(node, element)

    def _child(self, node: Node, element: definitions.Element) -> None:
        if isinstance(node, Items):
            self.problems.add(node.place, "mapping.list_in_list", word=element.name)
        elif isinstance(node, Fields):
            if node.get("$item") is not None:
                return
            if element.type is None:
                self.problems.add(node.place, "mapping.is_primitive", word=element.name)
            else:
                self.body(node, element.type)
        elif element.type is not None and expression_of(str(node.value)) is None:
            self.problems.add(node.place, "mapping.is_complex", word=element.name, type=element.type)
