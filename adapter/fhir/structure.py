"""Walks a resource along its definition: structure, cardinality, formats, required bindings, references.

A path is a linked tuple (parent, step) that becomes FHIRPath only where something is wrong, since
almost everything is right. Texts never repeat a value: values may be personal.
"""

from decimal import Decimal
from typing import Any, Literal

from adapter.fhir import definitions, formats
from adapter.fhir.definitions import Element
from adapter.fhir.outcome import Issue
from adapter.texts import say

__all__ = ["MAX_ISSUES", "Walk", "error"]

MAX_ISSUES = 100  # a resource with more than this is wrong as a whole

Path = tuple[Any, str | int]

_JSON_TYPES: dict[str, frozenset[type]] = {
    "boolean": frozenset((bool,)),
    "integer": frozenset((int,)),
    "decimal": frozenset((int, float, Decimal)),
}
_NOT_TYPE = {
    "boolean": "validation.not_boolean",
    "integer": "validation.not_integer",
    "decimal": "validation.not_number",
}
_FORMATS = {
    "date": (formats.is_date, "validation.not_date"),
    "datetime": (formats.is_date_time, "validation.not_date_time"),
    "instant": (formats.is_instant, "validation.not_instant"),
    "id": (formats.is_id, "validation.not_id"),
}


def error(code: str, text: str, expression: str | None = None, **params: object) -> Issue:
    """An error in the user's language."""
    return Issue("error", code, say(text, **params), expression)


class Walk:
    """One walk over one resource; `issues` holds what is wrong, `MAX_ISSUES` at most."""

    def __init__(self, type_name: str) -> None:
        self.issues: list[Issue] = []
        self._type = type_name

    def run(self, resource: dict[str, Any]) -> list[Issue]:
        """Walk `resource`; its type must be one that FHIR R4 has."""
        self._object(resource, self._type, (None, self._type))
        return self.issues

    def _object(self, value: dict[str, Any], type_name: str, path: Path) -> None:
        known = definitions.elements(type_name)
        if not value:
            self._add("structure", "validation.empty", path)
        choices: dict[str, str] = {}
        for name, item in value.items():
            element = known.get(name)
            if element is None:
                self._unknown(name, item, known, path)
                continue
            if element.choice is not None and choices.setdefault(element.choice, name) != name:
                self._add("structure", "validation.one_of", (path, name), element=element.choice)
            if type(item) is list or element.many:
                self._list(item, element, type_name, (path, name))
            else:
                self._one(item, element, type_name, (path, name))
        self._required(value, type_name, path)
        if type_name == "Identifier":
            self._identifier(value, path)
        elif type_name == "Reference":
            self._reference(value, path)

    def _unknown(self, name: str, item: object, known: dict[str, Element], path: Path) -> None:
        """A name that is no element: resourceType, `_name` (extensions of a primitive), or a mistake."""
        if name == "resourceType":
            return
        primitive = known.get(name[1:]) if name.startswith("_") else None
        if primitive is None or primitive.type is not None:
            self._add("structure", "validation.unknown_element", (path, name), element=name)
            return
        for index, part in enumerate(item if isinstance(item, list) else [item]):
            where = ((path, name), index) if isinstance(item, list) else (path, name)
            if isinstance(part, dict):
                self._object(part, "Element", where)
            elif part is not None or not isinstance(item, list):
                self._add("structure", "validation.not_fields", where, element=name)

    def _required(self, value: dict[str, Any], type_name: str, path: Path) -> None:
        for element in definitions.required(type_name):
            if element.name not in value and "_" + element.name not in value:
                self._add("required", "validation.required", (path, element.name), element=element.name)
        for choice, names in definitions.required_choices(type_name):
            if not any(name in value or "_" + name in value for name in names):
                self._add("required", "validation.required", (path, choice), element=f"{choice}[x]")

    def _list(self, items: Any, element: Element, type_name: str, path: Path) -> None:
        if type(items) is not list or not element.many:
            text = "validation.not_list" if element.many else "validation.list"
            self._add("structure", text, path, element=element.name)
            return
        if not items:
            self._add("structure", "validation.empty", path)
        for index, item in enumerate(items):
            if item is None and element.type is None:
                continue  # its extensions stand in the list `_name`
            self._one(item, element, type_name, (path, index))

    def _one(self, item: Any, element: Element, type_name: str, path: Path) -> None:
        if item is None:
            self._add("structure", "validation.null", path)
        elif element.type is None:
            self._primitive(item, element, type_name, path)
        elif type(item) is not dict:
            self._add("structure", "validation.not_fields", path, element=element.name)
        elif element.type == "Resource":
            self._resource(item, path)
        else:
            self._object(item, element.type, path)

    def _resource(self, item: dict[str, Any], path: Path) -> None:
        type_name = item.get("resourceType")
        if isinstance(type_name, str) and definitions.is_resource(type_name):
            self._object(item, type_name, path)
        else:
            self._add("structure", "validation.no_type", path)

    def _primitive(self, item: Any, element: Element, type_name: str, path: Path) -> None:
        types = _JSON_TYPES.get(element.primitive)
        if types is not None:
            if type(item) not in types:
                self._add("value", _NOT_TYPE[element.primitive], path, element=element.name)
        elif type(item) is not str:
            self._add("value", "validation.not_text", path, element=element.name)
        elif not item or item.isspace():
            self._add("value", "validation.empty", path)
        else:
            self._text(item, element, type_name, path)

    def _text(self, text: str, element: Element, type_name: str, path: Path) -> None:
        form = _FORMATS.get(element.primitive)
        if form is not None:
            is_right, problem = form
            if not is_right(text):
                self._add("value", problem, path)
        codes = definitions.REQUIRED.get((type_name, element.name))
        if codes is not None and text not in codes:
            listed = ", ".join(sorted(codes))
            self._add("code-invalid", "validation.not_in_set", path, element=element.name, codes=listed)

    def _identifier(self, value: dict[str, Any], path: Path) -> None:
        if value and not value.keys() & {"value", "_value", "extension"}:
            # R4 allows it, so it is only said: nothing can be found by such an identifier
            self._add("business-rule", "validation.identifier", path, severity="warning")

    def _reference(self, value: dict[str, Any], path: Path) -> None:
        text = value.get("reference")
        if type(text) is not str:
            if not value.keys() & {"reference", "_reference", "identifier", "display", "extension"}:
                self._add("invariant", "validation.empty_reference", path)
            return
        if not formats.is_reference(text):
            self._add("value", "validation.not_reference", (path, "reference"))
            return
        targets = self._targets(path)
        target = formats.target_of(text) if targets else None
        if targets and target and target not in targets:
            listed = ", ".join(sorted(targets))
            self._add("value", "validation.wrong_target", (path, "reference"), targets=listed)

    def _targets(self, path: Path) -> frozenset[str] | None:
        """The types that a reference element of the resource itself may point to, where they are known."""
        parent, step = path
        if isinstance(step, int):
            parent, step = parent
        return definitions.TARGETS.get((self._type, str(step))) if parent == (None, self._type) else None

    def _add(
        self,
        code: str,
        text: str,
        path: Path,
        *,
        severity: Literal["error", "warning"] = "error",
        **params: object,
    ) -> None:
        if len(self.issues) < MAX_ISSUES:
            self.issues.append(Issue(severity, code, say(text, **params), _fhirpath(path)))


def _fhirpath(path: Path) -> str:
    steps: list[str] = []
    at: Path | None = path
    while at is not None:
        at, step = at
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}" if at else str(step))
    return "".join(reversed(steps))
