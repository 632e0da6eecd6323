"""Checks a tree against R4 before anything runs: elements, lists, types, choices, codes, references.

Every problem is collected with its place and the nearest right word; nothing stops at the first.
"""

from dataclasses import dataclass, field

from adapter.fhir import definitions
from adapter.fhir.definitions import Element
from adapter.mapping.expressions import Expressions, Scope
from adapter.mapping.literals import check_literal
from adapter.mapping.names import DIRECTIVES, expression_of, nearest
from adapter.mapping.shapes import NOTHING, Shape, fits
from adapter.mapping.source import Fields, Items, Node, Problems, Scalar

__all__ = ["Checker", "inner_scope"]


def inner_scope(node: Fields, expressions: Expressions, scope: Scope) -> Scope:
    """The scope inside an object: a `$each` names its item."""
    each, named = node.get("$each"), node.get("$as")
    if each is None:
        return scope
    checked = expressions.check(each, scope) if isinstance(each, Scalar) else None
    variable = str(named.value) if isinstance(named, Scalar) else "item"
    return scope.with_variable(variable, checked.shape.item if checked else Shape("any"))


@dataclass
class Checker:
    """Checks the tree of one mapping of the resource type `type_name`."""

    expressions: Expressions
    type_name: str
    _contained: dict[str, str] = field(default_factory=dict)  # id -> type

    @property
    def problems(self) -> Problems:
        """Where problems go."""
        return self.expressions.problems

    def check(self, body: Node, scope: Scope) -> None:
        """Check the whole tree."""
        contained = body.get("contained") if isinstance(body, Fields) else None
        for item in contained.nodes if isinstance(contained, Items) else ():
            name, type_ = _literal(item, "id"), _literal(item, "resourceType")
            if name is not None and type_ is not None:
                self._contained[name] = type_
        self._object(body, self.type_name, scope)

    def _object(self, body: Node, type_name: str, scope: Scope, *, resource: bool = False) -> None:
        if not isinstance(body, Fields):
            self.problems.add(body.place, "mapping.not_fields", word=type_name)
            return
        known = definitions.elements(type_name)
        named: dict[str, tuple[Scalar, Node]] = {}
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

    def _complete(self, body: Fields, type_name: str, named: dict[str, tuple[Scalar, Node]]) -> None:
        """Required elements are there, and of a choice no two that are both sure to be there."""
        for element in definitions.required(type_name):
            if element.name not in named:
                self.problems.add(body.place, "mapping.missing", word=element.name, type=type_name)
        for choice, forms in definitions.required_choices(type_name):
            if not named.keys() & set(forms):
                self.problems.add(body.place, "mapping.missing", word=f"{choice}[x]", type=type_name)
        known, sure = definitions.elements(type_name), dict[str, str]()
        for name, (key, node) in named.items():
            choice_ = known[name].choice
            if choice_ is not None and _is_certain(node) and sure.setdefault(choice_, name) != name:
                self.problems.add(key.place, "mapping.one_choice", word=name, other=sure[choice_])
        if type_name == "Extension":
            self._extension(body, named)

    def _extension(self, body: Fields, named: dict[str, tuple[Scalar, Node]]) -> None:
        if _literal(body, "url") is None and "url" in named:
            self.problems.add(named["url"][1].place, "mapping.extension_url")
        values = [name for name in named if name.startswith("value")]
        if bool(values) == ("extension" in named):
            self.problems.add(body.place, "mapping.extension_value")

    def _of_primitive(self, key: Scalar, node: Node, element: Element, scope: Scope) -> None:
        """`_birthDate`: the extensions of a primitive value."""
        if element.type is not None:
            self.problems.add(key.place, "mapping.no_primitive", word=element.name, type=element.type)
        elif element.many:
            self.problems.add(key.place, "mapping.primitive_list", word=element.name)
        else:
            self._child(node, Element(str(key.value), 0, 1, "Element"), scope)

    def _element(self, node: Node, element: Element, scope: Scope) -> None:
        if isinstance(node, Items):
            if not element.many:
                self.problems.add(node.place, "mapping.not_many", word=element.name)
            for child in node.nodes:
                self._child(child, element, scope)
            return
        if isinstance(node, Fields) and (value := _whole(node)) is not None:
            self._directives(node)
            for one in (value, node.get("$default")):
                if one is not None:
                    self._element(one, element, inner_scope(node, self.expressions, scope))
            return
        literal = isinstance(node, Scalar) and expression_of(str(node.value)) is None
        if element.many and (isinstance(node, Fields) or literal):
            self.problems.add(node.place, "mapping.many", word=element.name)
        self._child(node, element, scope)

    def _child(self, node: Node, element: Element, scope: Scope) -> None:
        if isinstance(node, Items):
            self.problems.add(node.place, "mapping.list_in_list", word=element.name)
        elif isinstance(node, Scalar):
            self._scalar(node, element, scope)
        else:
            self._fields(node, element, inner_scope(node, self.expressions, scope))

    def _fields(self, node: Fields, element: Element, scope: Scope) -> None:
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

    def _directives(self, node: Fields) -> None:
        """Beside a whole value there are no elements."""
        for key, _ in node.entries:
            self._word(key, DIRECTIVES, "mapping.no_directive")

    def _contained_resource(self, node: Fields, scope: Scope) -> None:
        type_ = _literal(node, "resourceType")
        if type_ is None or not definitions.is_resource(type_):
            self.problems.add(node.place, "mapping.contained_type")
            return
        if _literal(node, "id") is None:
            self.problems.add(node.place, "mapping.contained_id")
        if node.get("contained") is not None:
            self.problems.add(node.place, "mapping.contained_nested")
        self._object(node, type_, scope, resource=True)

    def _literal_reference(self, node: Fields, element: Element) -> None:
        written = node.get("reference")
        text = _literal(node, "reference")
        if not isinstance(written, Scalar) or text is None or not text.startswith("#"):
            return
        if text[1:] not in self._contained:
            close = nearest(text[1:], self._contained) or "contained"
            self.problems.add(written.place, "mapping.no_contained", word=text[1:], nearest=close)
        else:
            self._target(written, self._contained[text[1:]], element)

    def _scalar(self, node: Scalar, element: Element, scope: Scope) -> None:
        if expression_of(str(node.value)) is None:
            if element.type is not None and node.value is not None:
                self.problems.add(node.place, "mapping.is_complex", word=element.name, type=element.type)
            elif "{{" not in str(node.value) and "{%" not in str(node.value):
                check_literal(node, element, self.problems)
            return
        checked = self.expressions.check(node, scope)
        if checked is None or checked.shape == NOTHING:
            return
        if not fits(checked.shape, element.type, element.primitive):
            found = checked.shape.name or "text"
            wanted = element.type or element.primitive
            self.problems.add(node.place, "mapping.wrong_type", word=element.name, type=wanted, found=found)
        elif checked.shape.target and element.type is None:
            self._table(node, checked.shape.target, element)
        elif checked.shape.target:
            self._target(node, checked.shape.target, element)

    def _table(self, node: Scalar, name: str, element: Element) -> None:
        """All that a code table can give is a code of the element."""
        codes = element.codes
        concepts = self.expressions.codes.tables[name].concepts.values() if codes is not None else ()
        for code in sorted({concept.target for concept in concepts if concept.target} - (codes or set())):
            place, close = node.place_of(name), nearest(code, codes or ())
            params = {"word": code, "table": name, "element": element.name, "nearest": close}
            self.problems.add(place, "mapping.table_code", **params)

    def _target(self, node: Scalar, target: str, element: Element) -> None:
        allowed = element.targets
        if allowed and target not in allowed:
            place, listed = node.place_of(target), ", ".join(sorted(allowed))
            self.problems.add(
                place, "mapping.wrong_target", word=target, element=element.name, nearest=listed
            )

    def _word(self, key: Scalar, choices: "tuple[str, ...] | set[str]", text: str, **params: object) -> None:
        name = str(key.value)
        if name not in choices:
            self.problems.add(key.place, text, word=name, nearest=nearest(name, choices), **params)


def _whole(node: Fields) -> Node | None:
    """The value of an object that is a value by itself."""
    return node.get("$value") or node.get("$item")


def _literal(node: Node, name: str) -> str | None:
    found = node.get(name) if isinstance(node, Fields) else None
    return found.text if isinstance(found, Scalar) else None


def _is_certain(node: Node) -> bool:
    """Whether a value is there for every record."""
    if isinstance(node, Scalar):
        return node.value is not None and expression_of(str(node.value)) is None
    if isinstance(node, Items):
        return any(_is_certain(child) for child in node.nodes)
    if node.get("$when") is not None or node.get("$each") is not None:
        return False
    default = node.get("$default")
    parts = [child for key, child in node.entries if not str(key.value).startswith("$")]
    return any(_is_certain(child) for child in (*parts, *((default,) if default else ())))
