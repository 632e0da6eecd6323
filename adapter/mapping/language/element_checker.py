"""Checks a tree against R4 before anything runs: elements, lists, types, choices, codes, references.

Every problem is collected with its place and the nearest right word; nothing stops at the first.
"""

from dataclasses import dataclass, field

from adapter.fhir.definitions import types
from adapter.fhir.definitions.types import Element
from adapter.mapping.language.expression_checker import ExpressionChecker
from adapter.mapping.language.expression_scope import ExpressionScope
from adapter.mapping.language.expression_types import EMPTY_TYPE, ExpressionType, is_assignable
from adapter.mapping.language.keywords import DIRECTIVES, closest_choices, expression_in
from adapter.mapping.language.literal_checks import check_literal
from adapter.mapping.language.source_tree import ListNode, MappingProblems, Node, ObjectNode, ScalarNode

__all__ = ["ElementChecker", "inner_scope"]


def inner_scope(node: ObjectNode, expressions: ExpressionChecker, scope: ExpressionScope) -> ExpressionScope:
    """The scope inside an object: a `$each` names its item."""
    each, named = node.get("$each"), node.get("$as")
    if each is None:
        return scope
    checked = expressions.check(each, scope) if isinstance(each, ScalarNode) else None
    variable = str(named.value) if isinstance(named, ScalarNode) else "item"
    return scope.with_variable(variable, checked.shape.item if checked else ExpressionType("any"))


@dataclass
class ElementChecker:
    """Checks the tree of one mapping of the resource type `type_name`."""

    expressions: ExpressionChecker
    type_name: str
    _contained: dict[str, str] = field(default_factory=dict)  # id -> type

    @property
    def problems(self) -> MappingProblems:
        """Where problems go."""
        return self.expressions.problems

    def check(self, body: Node, scope: ExpressionScope) -> None:
        """Check the whole tree."""
        contained = body.get("contained") if isinstance(body, ObjectNode) else None
        for item in contained.nodes if isinstance(contained, ListNode) else ():
            name, type_ = _literal(item, "id"), _literal(item, "resourceType")
            if name is not None and type_ is not None:
                self._contained[name] = type_
        self._object(body, self.type_name, scope)

    def _object(self, body: Node, type_name: str, scope: ExpressionScope, *, resource: bool = False) -> None:
        if not isinstance(body, ObjectNode):
            self.problems.add(body.place, "mapping.not_fields", word=type_name)
            return
        known = types.elements(type_name)
        named: dict[str, tuple[ScalarNode, Node]] = {}
        for key, node in body.entries:
            name = str(key.value)
            if name.startswith("$"):
                self._word(key, DIRECTIVES, "mapping.no_directive")
            elif name.startswith("_") and name[1:] in known:
                self._of_primitive(key, node, known[name[1:]], scope)
                named[name[1:]] = (key, node)
            elif name == "resourceType":
                if not resource:
                    self.problems.add(key.place, "mapping.nested_type")
            elif name not in known:
                self._word(key, known.keys() - {"resourceType"}, "mapping.no_element", type=type_name)
            else:
                named[name] = (key, node)
                self._element(node, known[name], scope)
        self._complete(body, type_name, named)

    def _complete(self, body: ObjectNode, type_name: str, named: dict[str, tuple[ScalarNode, Node]]) -> None:
        """Required elements are there, and of a choice no two that are both sure to be there."""
        for element in types.required_elements(type_name):
            if element.name not in named:
                self.problems.add(body.place, "mapping.missing", word=element.name, type=type_name)
        for choice, forms in types.required_choices(type_name):
            if not named.keys() & set(forms):
                self.problems.add(body.place, "mapping.missing", word=f"{choice}[x]", type=type_name)
        known, sure = types.elements(type_name), dict[str, str]()
        for name, (key, node) in named.items():
            choice_ = known[name].choice
            if choice_ is not None and _is_certain(node) and sure.setdefault(choice_, name) != name:
                self.problems.add(key.place, "mapping.one_choice", word=name, other=sure[choice_])
        if type_name == "Extension":
            self._extension(body, named)

    def _extension(self, body: ObjectNode, named: dict[str, tuple[ScalarNode, Node]]) -> None:
        if _literal(body, "url") is None and "url" in named:
            self.problems.add(named["url"][1].place, "mapping.extension_url")
        values = [name for name in named if name.startswith("value")]
        if bool(values) == ("extension" in named):
            self.problems.add(body.place, "mapping.extension_value")

    def _of_primitive(self, key: ScalarNode, node: Node, element: Element, scope: ExpressionScope) -> None:
        """`_birthDate`: the extensions of a primitive value."""
        if element.type is not None:
            self.problems.add(key.place, "mapping.no_primitive", word=element.name, type=element.type)
        elif element.is_list:
            self.problems.add(key.place, "mapping.primitive_list", word=element.name)
        else:
            self._child(node, Element(str(key.value), 0, 1, "Element"), scope)

    def _element(self, node: Node, element: Element, scope: ExpressionScope) -> None:
        if isinstance(node, ListNode):
            if not element.is_list:
                self.problems.add(node.place, "mapping.not_many", word=element.name)
            for child in node.nodes:
                self._child(child, element, scope)
            return
        if isinstance(node, ObjectNode) and (value := _whole(node)) is not None:
            self._directives(node)
            for one in (value, node.get("$default")):
                if one is not None:
                    self._element(one, element, inner_scope(node, self.expressions, scope))
            return
        literal = isinstance(node, ScalarNode) and expression_in(str(node.value)) is None
        if element.is_list and (isinstance(node, ObjectNode) or literal):
            self.problems.add(node.place, "mapping.many", word=element.name)
        self._child(node, element, scope)

    def _child(self, node: Node, element: Element, scope: ExpressionScope) -> None:
        if isinstance(node, ListNode):
            self.problems.add(node.place, "mapping.list_in_list", word=element.name)
        elif isinstance(node, ScalarNode):
            self._scalar(node, element, scope)
        else:
            self._fields(node, element, inner_scope(node, self.expressions, scope))

    def _fields(self, node: ObjectNode, element: Element, scope: ExpressionScope) -> None:
        value, default = _whole(node), node.get("$default")
        if default is not None:
            self._child(default, element, scope)
        if value is not None:
            self._directives(node)
            self._child(value, element, scope)
        elif element.name == "contained":
            self._contained_resource(node, scope)
        elif element.type is None:
            self.problems.add(node.place, "mapping.is_primitive", word=element.name)
        else:
            self._object(node, element.type, scope)
            if element.type == "Reference":
                self._literal_reference(node, element)

    def _directives(self, node: ObjectNode) -> None:
        """Beside a whole value there are no elements."""
        for key, _ in node.entries:
            self._word(key, DIRECTIVES, "mapping.no_directive")

    def _contained_resource(self, node: ObjectNode, scope: ExpressionScope) -> None:
        type_ = _literal(node, "resourceType")
        if type_ is None or not types.is_resource_type(type_):
            self.problems.add(node.place, "mapping.contained_type")
            return
        if _literal(node, "id") is None:
            self.problems.add(node.place, "mapping.contained_id")
        if node.get("contained") is not None:
            self.problems.add(node.place, "mapping.contained_nested")
        self._object(node, type_, scope, resource=True)

    def _literal_reference(self, node: ObjectNode, element: Element) -> None:
        written = node.get("reference")
        text = _literal(node, "reference")
        if not isinstance(written, ScalarNode) or text is None or not text.startswith("#"):
            return
        if text[1:] not in self._contained:
            close = closest_choices(text[1:], self._contained) or "contained"
            self.problems.add(written.place, "mapping.no_contained", word=text[1:], nearest=close)
        else:
            self._target(written, self._contained[text[1:]], element)

    def _scalar(self, node: ScalarNode, element: Element, scope: ExpressionScope) -> None:
        if expression_in(str(node.value)) is None:
            if element.type is not None and node.value is not None:
                self.problems.add(node.place, "mapping.is_complex", word=element.name, type=element.type)
            elif "{{" not in str(node.value) and "{%" not in str(node.value):
                check_literal(node, element, self.problems)
            return
        checked = self.expressions.check(node, scope)
        if checked is None or checked.shape == EMPTY_TYPE:
            return
        if not is_assignable(checked.shape, element.type, element.primitive):
            found = checked.shape.name or "text"
            wanted = element.type or element.primitive
            self.problems.add(node.place, "mapping.wrong_type", word=element.name, type=wanted, found=found)
        elif checked.shape.target and element.type is None:
            self._table(node, checked.shape.target, element)
        elif checked.shape.target:
            self._target(node, checked.shape.target, element)

    def _table(self, node: ScalarNode, name: str, element: Element) -> None:
        """All that a code table can give is a code of the element."""
        codes = element.codes
        concepts = self.expressions.codes.tables[name].concepts.values() if codes is not None else ()
        for code in sorted({concept.target for concept in concepts if concept.target} - (codes or set())):
            place, close = node.place_of(name), closest_choices(code, codes or ())
            params = {"word": code, "table": name, "element": element.name, "nearest": close}
            self.problems.add(place, "mapping.table_code", **params)

    def _target(self, node: ScalarNode, target: str, element: Element) -> None:
        allowed = element.targets
        if allowed and target not in allowed:
            place, listed = node.place_of(target), ", ".join(sorted(allowed))
            self.problems.add(
                place, "mapping.wrong_target", word=target, element=element.name, nearest=listed
            )

    def _word(
        self, key: ScalarNode, choices: "tuple[str, ...] | set[str]", text: str, **params: object
    ) -> None:
        name = str(key.value)
        if name not in choices:
            self.problems.add(key.place, text, word=name, nearest=closest_choices(name, choices), **params)


def _whole(node: ObjectNode) -> Node | None:
    """The value of an object that is a value by itself."""
    return node.get("$value") or node.get("$item")


def _literal(node: Node, name: str) -> str | None:
    found = node.get(name) if isinstance(node, ObjectNode) else None
    return found.text if isinstance(found, ScalarNode) else None


def _is_certain(node: Node) -> bool:
    """Whether a value is there for every record."""
    if isinstance(node, ScalarNode):
        return node.value is not None and expression_in(str(node.value)) is None
    if isinstance(node, ListNode):
        return any(_is_certain(child) for child in node.nodes)
    if node.get("$when") is not None or node.get("$each") is not None:
        return False
    default = node.get("$default")
    parts = [child for key, child in node.entries if not str(key.value).startswith("$")]
    return any(_is_certain(child) for child in (*parts, *((default,) if default else ())))
