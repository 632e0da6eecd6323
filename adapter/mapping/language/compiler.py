"""Turns a checked tree into one Jinja2 expression: a call per resource, not one per field.

What is the same in many resources (codes, categories, a value) becomes a second expression, which is
evaluated once for all of them. A `$each` becomes one of its own, called once for each item.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal

from adapter.mapping.language.element_checker import inner_scope
from adapter.mapping.language.expression_checker import EXPRESSION_GLOBALS, ExpressionChecker
from adapter.mapping.language.expression_scope import CheckedExpression, ExpressionScope
from adapter.mapping.language.source_tree import ListNode, Node, ObjectNode, ScalarNode, SourcePosition

__all__ = ["CONTEXT_VARIABLES", "CompiledExpression", "EachBody", "Program", "compile_tree"]

CONTEXT_VARIABLES = ("m", "related", "visit", "origin")  # what every expression is given, in this order


@dataclass(frozen=True, slots=True)
class EachBody:
    """The body of one `$each`: `source` is evaluated for each item, which `variable` names."""

    name: str
    variable: str
    names: tuple[str, ...]  # variables of the `$each`es around it
    source: str


@dataclass(frozen=True, slots=True)
class CompiledExpression:
    """One expression of the file: used to find the line of an error, and to explain a value."""

    path: str
    place: SourcePosition
    source: str
    variables: tuple[tuple[str, str], ...]  # (variable, expression of its items) of the `$each`es around


@dataclass(slots=True)
class Program:
    """One compiled tree. `constants` are the decimals that Jinja2 itself would make floats, `reads` the
    record fields that its expressions name, `references` the types that they refer to. `shared` gives the
    elements that depend on the record's `shared_reads` alone, `source` the others; `order` names all.
    """

    source: str = "none"
    shared: str | None = None
    shared_reads: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    eaches: list[EachBody] = field(default_factory=list)
    steps: list[CompiledExpression] = field(default_factory=list)
    constants: dict[str, Decimal] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)


def compile_tree(
    node: Node, expressions: ExpressionChecker, scope: ExpressionScope, *, label: str, path: str
) -> Program:
    """Compile `node`. Problems are collected; a program with problems must not be run."""
    compiler = _Compiler(expressions, label)
    compiler.root(node, scope, path)
    return compiler.program


_Loops = tuple[tuple[str, str], ...]


class _Compiler:
    def __init__(self, expressions: ExpressionChecker, label: str) -> None:
        self._expressions = expressions
        self._label = label
        self._used: list[CheckedExpression] = []
        self.program = Program()

    def root(self, node: Node, scope: ExpressionScope, path: str) -> None:
        if not isinstance(node, ObjectNode) or any(str(key.value).startswith("$") for key, _ in node.entries):
            self.program.source = self.node(node, scope, path, ())
            return
        own, shared, reads = [], [], set[str]()
        for key, child in node.entries:
            self._used = []
            part = self._element(str(key.value), child, scope, path, ())
            if all(one.is_worth_caching for one in self._used):
                shared.append(part)
                reads.update(*(one.reads for one in self._used))
            else:
                own.append(part)
        self.program.source = "{" + ", ".join(own) + "}"
        self.program.shared = "{" + ", ".join(shared) + "}" if shared else None
        self.program.shared_reads = tuple(sorted(reads))
        self.program.order = tuple(str(key.value) for key, _ in node.entries)

    def _element(self, name: str, child: Node, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        return f"{json.dumps(name)}: {self.node(child, scope, f'{path}.{name}', loops)}"

    def node(self, node: Node, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        if isinstance(node, ObjectNode):
            return self._fields(node, scope, path, loops)
        if isinstance(node, ListNode):
            parts = (
                self.node(child, scope, f"{path}[{index}]", loops) for index, child in enumerate(node.nodes)
            )
            return "[" + ", ".join(parts) + "]"
        return self._scalar(node, scope, path, loops)

    def _scalar(self, node: ScalarNode, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        source = self._expression(node, scope, path, loops)
        if source is not None:
            return source
        if isinstance(node.value, Decimal):
            name = f"number_{self._label}_{len(self.program.constants)}"
            self.program.constants[name] = node.value
            return name
        return "none" if node.value is None else json.dumps(node.value)

    def _expression(self, node: ScalarNode, scope: ExpressionScope, path: str, loops: _Loops) -> str | None:
        checked = self._expressions.check(node, scope)
        if checked is None:
            return None
        self.program.steps.append(CompiledExpression(path, node.place, checked.source, loops))
        self.program.reads |= checked.reads
        self.program.references |= checked.references
        self._used.append(checked)
        return f"({checked.source})"

    def _fields(self, node: ObjectNode, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        if node.get("$each") is not None:
            return self._each(node, scope, path, loops)
        return self._conditional(node, scope, path, loops)

    def _conditional(self, node: ObjectNode, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        body, condition = self._body(node, scope, path, loops), node.get("$when")
        if condition is None:
            return body
        return f"({body} if {self._directive(condition, scope, path, loops)} else none)"

    def _body(self, node: ObjectNode, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        value, default = node.get("$value") or node.get("$item"), node.get("$default")
        if value is not None:
            source = self.node(value, scope, path, loops)
        else:
            parts = (
                self._element(str(key.value), child, scope, path, loops)
                for key, child in node.entries
                if not str(key.value).startswith("$")
            )
            source = "{" + ", ".join(parts) + "}"
        if default is None:
            return source
        return f"({source} | or_default({self.node(default, scope, path, loops)}))"

    def _each(self, node: ObjectNode, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        if not path.endswith("]"):
            self._expressions.problems.add(node.place, "mapping.each_not_in_list")
        inner, each = inner_scope(node, self._expressions, scope), node.get("$each") or node
        variable = inner.variables[-1][0]
        if not variable.isidentifier() or variable in EXPRESSION_GLOBALS:
            self._expressions.problems.add(node.place, "mapping.bad_variable", word=variable)
            return "none"
        items = self._directive(each, scope, path, loops)
        source = self._conditional(node, inner, path, (*loops, (variable, items)))
        name = f"each_{self._label}_{len(self.program.eaches)}"
        names = tuple(sorted(dict(scope.variables)))
        self.program.eaches.append(EachBody(name, variable, names, source))
        return f"({items} | {name}({', '.join((*CONTEXT_VARIABLES, *names))}))"

    def _directive(self, node: Node, scope: ExpressionScope, path: str, loops: _Loops) -> str:
        source = self._expression(node, scope, path, loops) if isinstance(node, ScalarNode) else None
        if source is not None:
            return source
        if not (
            isinstance(node, ScalarNode) and "{{" in str(node.value)
        ):  # what is wrong in it is said already
            self._expressions.problems.add(node.place, "mapping.directive_expression")
        return "none"
