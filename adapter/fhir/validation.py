"""One checker for what leaves and what comes in: `check` a resource, `check_bundle` a Bundle.

Structure, cardinality and most primitive formats come from `fhir.resources` (R4B models, loaded
when first used). It only validates; nothing is ever serialised from its models. What it lets pass
is checked here: required bindings, reference forms and targets, identifiers without a value, dates
that do not exist. Texts never repeat a value, since values may be personal.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from adapter.fhir import definitions, formats
from adapter.fhir.outcome import Issue
from adapter.texts import say

__all__ = ["MAX_ISSUES", "check", "check_bundle"]

MAX_ISSUES = 100  # a resource with more than this is wrong as a whole
_MAX_DEPTH = 60
_SUBJECT_TARGETS = {
    ("Observation", "subject"): frozenset(("Patient", "Group", "Device", "Location")),
    ("DiagnosticReport", "subject"): frozenset(("Patient", "Group", "Device", "Location")),
    ("ServiceRequest", "subject"): frozenset(("Patient", "Group", "Location", "Device")),
    ("Procedure", "subject"): frozenset(("Patient", "Group")),
    ("Encounter", "subject"): frozenset(("Patient", "Group")),
    ("Condition", "subject"): frozenset(("Patient", "Group")),
    ("Observation", "encounter"): frozenset(("Encounter",)),
    ("DiagnosticReport", "encounter"): frozenset(("Encounter",)),
    ("ServiceRequest", "encounter"): frozenset(("Encounter",)),
    ("Procedure", "encounter"): frozenset(("Encounter",)),
    ("DiagnosticReport", "result"): frozenset(("Observation",)),
}


def check(resource: object) -> list[Issue]:
    """The issues of one resource of any shape; [] when nothing is wrong. Never raises.

    `expression` is FHIRPath from the resource's own type: `Observation.component[0].code`.
    """
    if not isinstance(resource, dict):
        return [_issue("structure", "validation.not_object")]
    type_name = resource.get("resourceType")
    if not isinstance(type_name, str) or "implicitRules" not in definitions.elements(type_name):
        return [_issue("structure", "validation.no_type")]
    if _depth(resource) > _MAX_DEPTH:
        return [_issue("too-long", "validation.too_deep", type_name)]
    issues = _by_model(resource, type_name)
    issues += _Walk(type_name).run(resource)
    return _unique(issues)


def check_bundle(bundle: object) -> list[Issue]:
    """The issues of a Bundle and of every resource in it: `Bundle.entry[2].resource.status`. Never raises."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return [_issue("structure", "validation.not_bundle")]
    entries = bundle.get("entry")
    issues: list[Issue] = []
    bare = dict(bundle)
    if isinstance(entries, list):
        # each entry's resource is checked by its own type, so that expressions name it
        bare["entry"] = [_without_resource(entry) for entry in entries]
    issues += check(bare)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and entry.get("resource") is not None:
            issues += _inside(check(entry["resource"]), f"Bundle.entry[{index}].resource")
    return issues[:MAX_ISSUES]


def _without_resource(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {key: value for key, value in entry.items() if key not in ("resource", "response")} or {
        "fullUrl": "urn:uuid:00000000-0000-0000-0000-000000000000"
    }


def _inside(issues: list[Issue], place: str) -> Iterator[Issue]:
    for issue in issues:
        _, dot, rest = (issue.expression or "").partition(".")
        yield Issue(issue.severity, issue.code, issue.text, f"{place}{dot}{rest}")


def _by_model(resource: dict[str, Any], type_name: str) -> list[Issue]:
    try:
        definitions.model(type_name).model_validate(resource)
    except ValidationError as error:
        return [_from_model(item, type_name) for item in error.errors(include_url=False, include_input=False)]
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError) as error:
        # the models raise these on shapes that they do not foresee
        return [_issue("structure", "validation.unreadable", type_name, problem=type(error).__name__)]
    return []


_MODEL_TEXTS = {
    "extra_forbidden": ("structure", "validation.unknown_element"),
    "missing": ("required", "validation.required"),
    "string_type": ("value", "validation.not_text"),
    "list_type": ("structure", "validation.not_list"),
    "decimal_type": ("value", "validation.not_number"),
    "decimal_parsing": ("value", "validation.not_number"),
    "int_type": ("value", "validation.not_integer"),
    "int_parsing": ("value", "validation.not_integer"),
    "bool_type": ("value", "validation.not_boolean"),
    "bool_parsing": ("value", "validation.not_boolean"),
}


def _from_model(item: Any, type_name: str) -> Issue:
    location = [part for part in item["loc"] if not (isinstance(part, str) and "(" in part)]
    expression = type_name + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in location
    )
    element = next((str(part) for part in reversed(location) if isinstance(part, str)), type_name)
    message = str(item["msg"])
    if "Any of one field value is expected" in message:
        return _issue("structure", "validation.one_of", expression, element=element)
    code, text = _MODEL_TEXTS.get(item["type"], ("invalid", "validation.wrong_form"))
    return _issue(code, text, expression, element=element)


def _issue(code: str, text: str, expression: str | None = None, **params: object) -> Issue:
    return Issue("error", code, say(text, **params), expression)


def _unique(issues: list[Issue]) -> list[Issue]:
    """One issue for each element: the walk's words are the plainer ones, so they win."""
    by_place: dict[str | None, Issue] = {}
    for issue in issues:
        by_place[issue.expression] = issue
    return list(by_place.values())[:MAX_ISSUES]


def _depth(value: object) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        if depth > _MAX_DEPTH:
            break
        if isinstance(item, dict):
            waiting.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            waiting.extend((child, depth + 1) for child in item)
    return deepest


class _Walk:
    """Walks a resource along its definition and checks what the models let pass."""

    def __init__(self, type_name: str) -> None:
        self._resource_type = type_name
        self._issues: list[Issue] = []

    def run(self, resource: dict[str, Any]) -> list[Issue]:
        self._object(resource, self._resource_type, self._resource_type)
        return self._issues

    def _object(self, value: dict[str, Any], type_name: str, path: str) -> None:
        known = definitions.elements(type_name)
        if not value:
            self._add("structure", "validation.empty", path)
        for name, item in value.items():
            element = known.get(name)
            if element is not None:  # else the model says so
                self._element(item, element, type_name, f"{path}.{name}")
        for element in definitions.required(type_name):
            if element.name not in value and f"_{element.name}" not in value:
                self._add("required", "validation.required", f"{path}.{element.name}", element=element.name)
        if type_name == "Identifier":
            self._identifier(value, path)
        elif type_name == "Reference":
            self._reference(value, path)

    def _element(self, item: object, element: definitions.Element, type_name: str, path: str) -> None:
        if item is None:
            self._add("structure", "validation.null", path)
        elif isinstance(item, list):
            if element.many:
                self._list(item, element, type_name, path)
            else:
                self._add("structure", "validation.list", path, element=element.name)
        elif element.many:
            self._add("structure", "validation.not_list", path, element=element.name)
        else:
            self._one(item, element, type_name, path)

    def _list(self, items: list[Any], element: definitions.Element, type_name: str, path: str) -> None:
        if not items:
            self._add("structure", "validation.empty", path)
        for index, item in enumerate(items):
            if item is not None:
                self._one(item, element, type_name, f"{path}[{index}]")

    def _one(self, item: object, element: definitions.Element, type_name: str, path: str) -> None:
        if element.type is not None:
            if isinstance(item, dict):
                own = item.get("resourceType") if element.type == "Resource" else None
                self._object(item, str(own or element.type), path)
            return
        if isinstance(item, str):
            self._text(item, element, type_name, path)

    def _text(self, text: str, element: definitions.Element, type_name: str, path: str) -> None:
        if not text or text.isspace():
            self._add("value", "validation.empty", path)
            return
        codes = definitions.REQUIRED.get((type_name, element.name))
        if codes is not None and text not in codes:
            listed = ", ".join(sorted(codes))
            self._add("code-invalid", "validation.not_in_set", path, element=element.name, codes=listed)
        elif element.primitive == "instant" and not formats.is_instant(text):
            self._add("value", "validation.not_instant", path)
        elif element.primitive == "date" and not formats.is_date(text):
            self._add("value", "validation.not_date", path)
        elif element.primitive == "datetime" and not formats.is_date_time(text):
            self._add("value", "validation.not_date_time", path)
        elif element.name == "id" and element.primitive == "id" and not formats.is_id(text):
            self._add("value", "validation.not_id", path)

    def _identifier(self, value: dict[str, Any], path: str) -> None:
        if value and not value.get("value") and "_value" not in value and "extension" not in value:
            self._add("required", "validation.identifier", path)

    def _reference(self, value: dict[str, Any], path: str) -> None:
        text = value.get("reference")
        if not isinstance(text, str):
            if not value.keys() & {"reference", "_reference", "identifier", "display", "extension"}:
                self._add("invariant", "validation.empty_reference", path)
            return
        if not formats.is_reference(text):
            self._add("value", "validation.not_reference", f"{path}.reference")
            return
        element = path.rpartition(".")[2].partition("[")[0]
        targets = _SUBJECT_TARGETS.get((self._resource_type, element))
        target = text.partition("?")[0] if "?" in text else text.split("/_history/")[0].rpartition("/")[0]
        target = target.rpartition("/")[2]
        if targets and target and path.count(".") == 1 and target not in targets:
            listed = ", ".join(sorted(targets))
            self._add("value", "validation.wrong_target", f"{path}.reference", targets=listed)

    def _add(self, code: str, text: str, path: str, **params: object) -> None:
        if len(self._issues) < MAX_ISSUES:
            self._issues.append(_issue(code, text, path, **params))
