"""Checks one expression before it runs: names, fields, verbs, tables, references, and what it gives.

A whole record may only be read by its fields or given to a verb that reads known fields of it, so that
nothing can leave that no field of the expression names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from adapter.mapping.language.expression_scope import CheckedExpression, ExpressionScope, MappingVariants
from adapter.mapping.language.expression_types import (
    ANY_TYPE,
    EMPTY_TYPE,
    PANEL_PART,
    PASS_THROUGH,
    PLAIN_TYPE,
    ExpressionType,
    fields_read_by,
    result_type,
)
from adapter.mapping.language.keywords import closest_choices, expression_in
from adapter.mapping.language.source_tree import MappingProblems, ScalarNode, SourcePosition, is_unicode
from adapter.mapping.language.transform_arguments import accepts_arguments, signature_text
from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.transforms.transforms import JINJA_FILTERS, TRANSFORM_SPECS
from adapter.units.ucum import is_ucum_code

__all__ = [
    "EXPRESSION_GLOBALS",
    "ORIGIN_FIELDS",
    "ExpressionChecker",
]

ORIGIN_FIELDS = frozenset(("source", "sheet", "row", "imported_at"))
_PART_FIELDS = frozenset(("measure", "unit", "value"))
_RECORDS = frozenset(("m", "visit", "origin"))
_REFERENCES = frozenset(("centre", "hospital"))
EXPRESSION_GLOBALS = _RECORDS | _REFERENCES | {"related", "system"}
_TESTS = frozenset(("defined", "in", "none", "number", "string"))
_MOST_LEVELS = 40  # of the parts of one expression inside each other
_OF_RECORDS = frozenset(("first", "last", "length", "list"))
_OWN = _REFERENCES | {"m", "system"}  # no other record, and no variable of a loop
# What no two records, or few, have alike: these fields, moments and days, and all that is of a person.
_ALONE = frozenset(("key", "cadre", "visit"))
_MOMENT = ("_at", "_on")
_PERSON = "cadre"
_OF_FHIR = PASS_THROUGH | {"default", "first", "last"}
# A few characters of these can take all time and memory there is, or make numbers that nobody measured.
_REFUSED: Mapping[type[nodes.Node], str] = {
    nodes.Pow: "**",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Dict: "{ }",
}


@dataclass
class ExpressionChecker:
    """Checks the expressions of all files of one run against the same names; each one once."""

    problems: MappingProblems
    codes: CodeTables
    fields: Mapping[str, frozenset[str]]  # record kind -> fields that may be read
    variants: MappingVariants
    # (record kind, field) -> what that field is, where it is no plain value: of documents, which have parts
    shapes: Mapping[tuple[str, str], ExpressionType] = field(default_factory=dict)
    _env: SandboxedEnvironment = field(default_factory=SandboxedEnvironment)
    _known: dict[tuple[ScalarNode, ExpressionScope], CheckedExpression | None] = field(default_factory=dict)

    def check(self, scalar: ScalarNode, scope: ExpressionScope) -> CheckedExpression | None:
        """The checked expression of a scalar, None for a literal or when it is wrong."""
        if not isinstance(scalar.value, str):
            return None
        key = (scalar, scope)
        if key not in self._known:
            self._known[key] = self._checked(scalar, scalar.value, scope)
        return self._known[key]

    def _checked(self, scalar: ScalarNode, text: str, scope: ExpressionScope) -> CheckedExpression | None:
        source = expression_in(text)
        if source is None:
            if any(opening in text for opening in ("{{", "{%", "{#")):
                self.problems.add(scalar.place, "mapping.mixed")
            return None
        if not source:
            self.problems.add(scalar.place, "mapping.no_expression")
            return None
        try:
            tree = self._env.parse("{{ (" + source + ") }}")
        except TemplateSyntaxError as error:
            self.problems.add(scalar.place, "mapping.not_expression", problem=error.message or "")
            return None
        except RecursionError:
            tree = None
        if tree is None or _levels(tree) > _MOST_LEVELS:
            self.problems.add(scalar.place, "mapping.long_expression", limit=_MOST_LEVELS)
            return None
        reader = _Reader(self, scalar, scope)
        output = tree.body[0]
        shape = reader.of(output.nodes[0]) if isinstance(output, nodes.Output) else ANY_TYPE
        if reader.is_wrong:
            return None
        named = {one.name for one in tree.find_all(nodes.Name)}
        is_alone = any(name in _ALONE or name.endswith(_MOMENT) for name in reader.reads)
        of_person = scope.kind == _PERSON and bool(reader.reads)
        comes_back = (
            named <= _OWN and not self.shapes and not reader.references and not is_alone and not of_person
        )
        return CheckedExpression(
            source, shape, frozenset(reader.reads), frozenset(reader.references), comes_back
        )


def _levels(tree: nodes.Node) -> int:
    """How deep the parts of an expression stand inside each other."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        waiting += [(child, level + 1) for child in node.iter_child_nodes()]
    return deepest


class _Reader:
    """Reads one expression from the outside in."""

    def __init__(self, run: ExpressionChecker, scalar: ScalarNode, scope: ExpressionScope) -> None:
        self._run = run
        self._scalar = scalar
        self._scope = scope
        self.is_wrong = False
        self.reads: set[str] = set()
        self.references: set[str] = set()
        self._readers: dict[type[nodes.Node], Callable[[Any], ExpressionType]] = {
            nodes.Const: self._const,
            nodes.Name: lambda node: self._name(node.name),
            nodes.Getattr: self._attribute,
            nodes.Filter: self._filter,
            nodes.CondExpr: self._condition,
            nodes.Or: self._either,
            nodes.And: self._either,
            nodes.Not: lambda node: self._truth(node.node),
            nodes.Test: self._test,
            nodes.Call: self._call,
            nodes.Getitem: self._item,
            nodes.Tuple: self._list,
            nodes.List: self._list,
        }

    def of(self, node: nodes.Node) -> ExpressionType:
        """What a node gives; everything below it is checked."""
        read = self._readers.get(type(node))
        return read(node) if read is not None else self._other(node)

    def _other(self, node: nodes.Node) -> ExpressionType:
        """Comparisons and texts put together: they give plain values, and no record goes in."""
        word = _REFUSED.get(type(node))
        if word is not None:
            self._wrong("mapping.no_operator", word=word)
        for child in node.iter_child_nodes():
            shape = self._value(child)
            if shape.form == "fhir" and not isinstance(node, nodes.Operand | nodes.Compare):
                self._wrong("mapping.fhir_value", type=shape.name)
        return PLAIN_TYPE

    def _const(self, node: nodes.Const) -> ExpressionType:
        if isinstance(node.value, str) and not is_unicode(node.value):
            self._wrong("mapping.not_unicode")
        return EMPTY_TYPE if node.value is None else PLAIN_TYPE

    def _condition(self, node: nodes.CondExpr) -> ExpressionType:
        self._truth(node.test)
        other = self.of(node.expr2) if node.expr2 is not None else EMPTY_TYPE
        return self.of(node.expr1) | other

    def _either(self, node: nodes.Or | nodes.And) -> ExpressionType:
        return self.of(node.left) | self.of(node.right)

    def _test(self, node: nodes.Test) -> ExpressionType:
        self._one_of(node.name, _TESTS, "mapping.no_test")
        self._given_arguments(node)
        return self._truth(node.node)

    def _given_arguments(self, node: nodes.Filter | nodes.Test | nodes.Call) -> list[ExpressionType]:
        """What each argument gives, by place and by name. None is unpacked: what is in it is not known."""
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._wrong("mapping.no_operator", word="*")
        return [self._value(one) for one in (*node.args, *(pair.value for pair in node.kwargs))]

    def _item(self, node: nodes.Getitem) -> ExpressionType:
        if not isinstance(node.arg, nodes.Slice):
            self._wrong("mapping.no_item")
        return self._other(node)

    def _list(self, node: nodes.Tuple | nodes.List) -> ExpressionType:
        shapes = [self._value(item) for item in node.items]
        if not shapes:
            return EMPTY_TYPE
        return PLAIN_TYPE if all(one.form == "plain" for one in shapes) else ANY_TYPE

    def _truth(self, node: nodes.Node) -> ExpressionType:
        """Of anything, a record too, it may be asked whether it is there."""
        self.of(node)
        return PLAIN_TYPE

    def _value(self, node: nodes.Node) -> ExpressionType:
        """What a node gives, where a whole record would be spilled."""
        shape = self.of(node)
        if shape.may_be_record:
            self._wrong("mapping.whole_record", word=self._words(node))
        return shape

    def _name(self, name: str) -> ExpressionType:
        variables = dict(self._scope.variables)
        if not self._one_of(name, EXPRESSION_GLOBALS | variables.keys(), "mapping.no_name"):
            return ANY_TYPE
        if name in variables:
            return variables[name]
        if name in _RECORDS:
            return ExpressionType("record", self._scope.kind if name == "m" else name)
        return (
            ExpressionType("fhir", "Reference", "Organization")
            if name in _REFERENCES
            else ExpressionType("record", name)
        )

    def _attribute(self, node: nodes.Getattr) -> ExpressionType:
        owner = node.node.name if isinstance(node.node, nodes.Name) else None
        if owner == "related":
            known = self._one_of(node.attr, self._run.fields, "mapping.no_kind")
            return ExpressionType("records", node.attr) if known else ANY_TYPE
        shape = self._name(owner) if owner is not None else None
        if shape is None and self._run.shapes:
            shape = self.of(node.node)
        if shape is ANY_TYPE:
            return ANY_TYPE
        if shape is None or shape.form != "record":
            place = self._scalar.place_of("." + node.attr)
            self._wrong("mapping.no_attribute", place=place, word=node.attr)
            return ANY_TYPE
        self._field(shape, node.attr)
        return self._run.shapes.get((shape.name, node.attr), PLAIN_TYPE)

    def _field(self, shape: ExpressionType, name: str) -> None:
        if shape.name == PANEL_PART:
            self._one_of(name, _PART_FIELDS, "mapping.no_part")
        elif shape.name == "origin":
            self._one_of(name, ORIGIN_FIELDS, "mapping.no_field", kind="origin")
        else:
            fields = self._run.fields.get(shape.name, frozenset())
            self._one_of(name, fields, "mapping.no_field", kind=shape.name)
        self.reads.add("origin" if shape.name == "origin" else name)

    def _filter(self, node: nodes.Filter) -> ExpressionType:
        given = self.of(node.node) if node.node is not None else ANY_TYPE
        arguments = self._given_arguments(node)
        if not self._one_of(node.name, TRANSFORM_SPECS.keys() | JINJA_FILTERS, "mapping.no_transform"):
            return ANY_TYPE
        self._given(node, given)
        if not accepts_arguments(node.name, len(node.args), [str(pair.key) for pair in node.kwargs]):
            place = self._scalar.place_of(node.name)
            self._wrong(
                "mapping.wrong_arguments", place=place, word=node.name, usage=signature_text(node.name)
            )
            return result_type(node.name, given, "")
        words = [one.value if isinstance(one, nodes.Const) else None for one in node.args]
        words += [one.value.value for one in node.kwargs if isinstance(one.value, nodes.Const)]
        self._arguments(node.name, words)
        if node.name == "default":
            return given | (arguments[0] if arguments else EMPTY_TYPE)
        return result_type(node.name, given, str(words[0]) if words else "")

    def _arguments(self, verb: str, words: list[object]) -> None:
        """The tables, columns, systems and types that a verb names are there."""
        first = str(words[0]) if words else ""
        codes = self._run.codes
        if verb == "classified":
            self._one_of(first, codes.systems, "mapping.no_system")
        elif verb == "reference":
            self._reference(first, str(words[1]) if len(words) > 1 else None)
        elif (
            verb in TRANSFORM_SPECS and TRANSFORM_SPECS[verb].names_unit and words and not is_ucum_code(first)
        ):
            self._wrong("terms.bad_ucum", word=first)
        elif verb in TRANSFORM_SPECS and TRANSFORM_SPECS[verb].names_table:
            known = self._one_of(first, codes.tables, "mapping.no_table")
            if known and verb == "column":
                name = str(words[1]) if len(words) > 1 else ""
                self._one_of(name, codes.tables[first].columns, "mapping.no_such_column")

    def _given(self, node: nodes.Filter, given: ExpressionType) -> None:
        """A verb of records gets a record, which has the fields that it reads; any other gets none."""
        needed = fields_read_by(node.name)
        if given.form == "records":
            if node.name not in _OF_RECORDS:
                self._wrong("mapping.whole_record", word=self._words(node.node))
        elif given.form == "mixed" or (given.form == "record" and not needed):
            self._wrong("mapping.whole_record", word=self._words(node.node))
        elif given.form == "record":
            for name in needed:
                self._field(given, name)
        elif needed and given is not ANY_TYPE:
            self._wrong("mapping.needs_record", place=self._scalar.place_of(node.name), word=node.name)
        elif given.form == "fhir" and node.name not in _OF_FHIR:
            self._wrong("mapping.fhir_value", type=given.name)
        elif given.form == "plain" and node.name in PASS_THROUGH:
            self._wrong("mapping.needs_fhir", place=self._scalar.place_of(node.name), word=node.name)

    def _reference(self, type_: str, name: str | None) -> None:
        variants = self._run.variants
        if not self._one_of(type_, variants.types, "mapping.no_reference"):
            return
        self.references.add(type_)
        try:
            variants.one(type_, name)
        except LookupError:
            close = closest_choices(name or "", variants.names(type_))
            place = self._scalar.place_of(name or type_)
            self._wrong("mapping.no_variant", place=place, word=name or type_, type=type_, nearest=close)

    def _call(self, node: nodes.Call) -> ExpressionType:
        if not (isinstance(node.node, nodes.Name) and node.node.name == "system"):
            self._wrong("mapping.no_call")
            if isinstance(node.node, nodes.Getattr):
                self.of(node.node)
        self._given_arguments(node)
        return PLAIN_TYPE

    def _words(self, node: nodes.Node | None) -> str:
        if isinstance(node, nodes.Getattr):
            return f"{self._words(node.node)}.{node.attr}"
        return node.name if isinstance(node, nodes.Name) else "m"

    def _one_of(self, word: str, choices: Iterable[str], text: str, **params: object) -> bool:
        listed = frozenset(choices)
        if word in listed:
            return True
        self._wrong(
            text,
            place=self._scalar.place_of(word),
            word=word,
            nearest=closest_choices(word, listed),
            **params,
        )
        return False

    def _wrong(self, text: str, *, place: SourcePosition | None = None, **params: object) -> None:
        self.is_wrong = True
        self._run.problems.add(place or self._scalar.place, text, **params)
