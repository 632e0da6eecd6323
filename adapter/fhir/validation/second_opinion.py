"""The second opinion: the R4B models of `fhir.resources`, which only validate.

Nothing is ever serialised from them, since their dumps change values. Where they differ from R4 (R4B
changed some types, and the models know some formats otherwise), R4's definitions decide: a finding that
contradicts them is dropped.
"""

from functools import cache
from typing import Any

from pydantic import ValidationError

from adapter.fhir.definitions import types
from adapter.fhir.definitions.types import Element
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.validation.walk import error_issue

__all__ = ["r4b_model", "second_opinion"]


@cache
def r4b_model(type_name: str) -> Any:
    """The `fhir.resources` model of a resource, None when R4B has none of that name."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        return get_fhir_model_class(type_name)
    except (ValueError, LookupError, ImportError, AttributeError):
        return None


def second_opinion(resource: dict[str, Any], type_name: str) -> list[Issue]:
    """What the model finds wrong with a resource in which the walk found nothing. Never raises."""
    class_ = r4b_model(type_name)
    if class_ is None:
        return []
    try:
        class_.model_validate(resource)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_input=False)
        return [issue for item in found if (issue := _issue(item, resource)) is not None]
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError) as problem:
        # the models raise these on shapes that they do not foresee
        name = type(problem).__name__
        return [error_issue("structure", "validation.unreadable", type_name, "second-opinion", problem=name)]
    return []


def _issue(item: Any, resource: dict[str, Any]) -> Issue | None:
    """An issue from pydantic's error, None for one that contradicts R4; its own words may repeat the value,
    so they are not used.
    """
    owner: str | None = resource["resourceType"]
    path = name = str(owner)
    element, value = None, resource
    for part in item["loc"]:
        if isinstance(part, str) and ("(" in part or part == "root"):
            continue  # pydantic's name for a choice that it tried
        value = _below(value, part)
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name, element = part, types.elements(owner or "").get(part.removeprefix("_"))
            path += "." + (element.fhirpath_name if element else part)
            owner = element.type if element else None
        if owner == "Resource" and isinstance(value, dict):
            owner = value.get("resourceType")
    if _contradicts(item["type"], name, element):
        return None
    return error_issue("invalid", "validation.wrong_form", path, "second-opinion", element=name)


def _below(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (LookupError, TypeError):
        return None


def _contradicts(problem: str, name: str, element: Element | None) -> bool:
    """Whether R4 has the element that a model does not know, may be without one that it wants, or reads
    its format otherwise: R4's white space is XML's, so a no-break space may stand in a code.
    """
    if problem == "string_pattern_mismatch":
        return element is not None and element.type is None
    if problem == "extra_forbidden":
        return element is not None and (not name.startswith("_") or element.type is None)
    return problem.endswith("missing") and (element is None or not element.required)
