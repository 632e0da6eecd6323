"""One checker for what leaves and what comes in: `check` a resource, `check_bundle` a Bundle.

`structure.Walk` checks against R4's definitions. The R4B models of `fhir.resources` are the second
opinion: they only validate, and nothing is ever serialised from them, since their dumps change values.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from adapter.fhir import definitions
from adapter.fhir.outcome import Issue
from adapter.fhir.structure import MAX_ISSUES, Walk, error

__all__ = ["MAX_ISSUES", "check", "check_bundle"]

_MAX_DEPTH = 60


def check(resource: object, *, second_opinion: bool = True) -> list[Issue]:
    """The issues of one resource of any shape; [] when nothing is wrong. Warnings refuse nothing.
    Never raises.

    `expression` is FHIRPath from the resource's own type: `Observation.component[0].code`.
    Without `second_opinion` it takes a fifth of the time; for what our own mappings made.
    """
    if not isinstance(resource, dict):
        return [error("structure", "validation.not_object")]
    type_name = resource.get("resourceType")
    if not isinstance(type_name, str) or not definitions.is_resource(type_name):
        return [error("structure", "validation.no_type")]
    if _is_too_deep(resource):
        return [error("too-long", "validation.too_deep", type_name)]
    issues = Walk(type_name).run(resource)
    if second_opinion and not any(issue.is_error for issue in issues):
        issues += _by_model(resource, type_name)
    return _unique(issues)


def check_bundle(bundle: object) -> list[Issue]:
    """The issues of a Bundle and of every resource in it: `Bundle.entry[2].resource.status`. Never raises."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return [error("structure", "validation.not_bundle")]
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
    return {key: value for key, value in entry.items() if key != "resource"} or {
        "fullUrl": "urn:uuid:00000000-0000-0000-0000-000000000000"
    }


def _inside(issues: list[Issue], place: str) -> Iterator[Issue]:
    for issue in issues:
        _, dot, rest = (issue.expression or "").partition(".")
        yield Issue(issue.severity, issue.code, issue.text, f"{place}{dot}{rest}")


def _by_model(resource: dict[str, Any], type_name: str) -> list[Issue]:
    try:
        definitions.model(type_name).model_validate(resource)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_input=False)
        return [_from_model(item, type_name) for item in found]
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError) as problem:
        # the models raise these on shapes that they do not foresee
        return [error("structure", "validation.unreadable", type_name, problem=type(problem).__name__)]
    return []


def _from_model(item: Any, type_name: str) -> Issue:
    """An issue from pydantic's error; its own words may repeat the value, so they are not used."""
    location = [
        part for part in item["loc"] if not (isinstance(part, str) and ("(" in part or part == "root"))
    ]
    expression = type_name + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in location
    )
    element = next((str(part) for part in reversed(location) if isinstance(part, str)), type_name)
    return error("invalid", "validation.wrong_form", expression, element=element)


def _unique(issues: list[Issue]) -> list[Issue]:
    """One issue for each element, the first."""
    by_place: dict[str | None, Issue] = {}
    for issue in issues:
        by_place.setdefault(issue.expression, issue)
    return list(by_place.values())


def _is_too_deep(value: object) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
