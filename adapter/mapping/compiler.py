"""Turns a checked tree into one Jinja2 expression: a call per resource, not one per field.

A `$each` becomes an expression of its own, called once for each item.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal

from adapter.mapping.checks import Checker, Scope
from adapter.mapping.source import Fields, Items, Node, Place, Scalar

__all__ = ["Each", "Program", "Step", "compile_tree"]


@dataclass(frozen=True, slots=True)
class Each:
    """The body of one `$each`: `source` is evaluated for each item, which `variable` names."""

    name: str
    variable: str
    names: tuple[str, ...]  # variables of the `$each`es around it
    source: str


@dataclass(frozen=True, slots=True)
class Step:
    """One expression of the file: used to find the line of an error, and to explain a value."""

    path: str
    place: Place
    source: str
    variables: tuple[tuple[str, str], ...]  # (variable, expression of its items) of the `$each`es around


@dataclass(slots=True)
class Program:
    """One compiled tree. `constants` are the decimals that Jinja2 itself would make floats."""

    source: str = "none"
    eaches: list[Each] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    constants: dict[str, Decimal] = field(default_factory=dict)


def compile_tree(node: Node, checker: Checker, scope: Scope, *, label: str, path: str) -> Program:
    """Compile `node`. Problems go to the checker; a program with problems must not be run."""
    compiler = _Compiler(checker, label)
    compiler.program.source = compiler.node(node, scope, path, ())
    return compiler.program


_Loops = tuple[tuple[str, str], ...]


class _Compiler:
    def __init__(self, checker: Checker, label: str) -> None:
        self._checker = checker
        self._label = label
        self.program = Program()

    def node(self, node: Node, scope: Scope, path: str, loops: _Loops) -> str:
        if isinstance(node, Fields):
            return self._fields(node, scope, path, loops)
        if isinstance(node, Items):
            parts = (
                self.node(child, scope, f"{path}[{index}]", loops) for index, child in enumerate(node.nodes)
            )
            return "[" + ", ".join(parts) + "]"
        return self._scalar(node, scope, path, loops)

    def _scalar(self, node: Scalar, scope: Scope, path: str, loops: _Loops) -> str:
        source = self._checker.expression(node, scope)
        if source is not None:
            self.program.steps.append(Step(path, node.place, source, loops))
            return f"({source})"
        if isinstance(node.value, Decimal):
            name = f"number_{len(self.program.constants)}"
            self.program.constants[name] = node.value
            return name
        return "none" if node.value is None else json.dumps(node.value)

    def _fields(self, node: Fields, scope: Scope, path: str, loops: _Loops) -> str:
        each, condition = node.get("$each"), node.get("$when")
        if each is not None:
            return self._each(node, each, scope, path, loops)
        body = self._body(node, scope, path, loops)
        if condition is None:
            return body
        return f"({body} if {self._directive(condition, scope, path, loops)} else none)"

    def _body(self, node: Fields, scope: Scope, path: str, loops: _Loops) -> str:
        item = node.get("$item")
        if item is not None:
            return self.node(item, scope, path, loops)
        parts = (
            f"{json.dumps(str(key.value))}: {self.node(child, scope, f'{path}.{key.value}', loops)}"
            for key, child in node.entries
            if not str(key.value).startswith("$")
        )
        return "{" + ", ".join(parts) + "}"

    def _each(self, node: Fields, each: Node, scope: Scope, path: str, loops: _Loops) -> str:
        if not path.endswith("]"):
            self._checker.problems.add(node.place, "mapping.each_not_in_list")
        named = node.get("$as")
        variable = str(named.value) if isinstance(named, Scalar) else "item"
        if not variable.isidentifier() or variable in {
            "m",
            "related",
            "visit",
            "system",
            "centre",
            "hospital",
        }:
            self._checker.problems.add(node.place, "mapping.bad_variable", word=variable)
            variable = "item"
        items = self._directive(each, scope, path, loops)
        inner = scope.with_variable(variable)
        inner_loops = (*loops, (variable, items))
        source = self._body(node, inner, path, inner_loops)
        condition = node.get("$when")
        if condition is not None:
            source = f"({source} if {self._directive(condition, inner, path, inner_loops)} else none)"
        name = f"each_{self._label}_{len(self.program.eaches)}"
        names = tuple(sorted(scope.variables))
        self.program.eaches.append(Each(name, variable, names, source))
        return f"({items} | {name}({', '.join(('m', 'related', 'visit', *names))}))"

    def _directive(self, node: Node, scope: Scope, path: str, loops: _Loops) -> str:
        source = self._checker.expression(node, scope) if isinstance(node, Scalar) else None
        if source is None:
            self._checker.problems.add(node.place, "mapping.directive_expression")
            return "none"
        self.program.steps.append(Step(path, node.place, source, loops))
        return f"({source})"
