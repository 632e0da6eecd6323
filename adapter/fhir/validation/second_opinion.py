"""The second opinion: the R4B models of `fhir.resources`, which only validate.

Nothing is ever serialised from them, since their dumps change values. Where they are known to be wrong of R4
(R4B changed some types, and the models know some forms otherwise) they are not heard: `KNOWN_ERRORS` is the
table of that, with a valid resource for each that they refuse. A test fails when a newer version takes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from adapter.fhir.definitions import types
from adapter.fhir.definitions.types import Element
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.validation.walk import error_issue

__all__ = ["KNOWN_ERRORS", "KnownError", "r4b_model", "second_opinion"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KnownError:
    """What the models refuse and R4 allows: pydantic's name of the problem, which elements it is wrong of (by
    name, and what R4 says of it, None where R4 has none), and a valid resource that they refuse for it alone.
    """

    name: str
    problem: str
    is_wrong_of: Callable[[str, Element | None], bool]
    example: Json


_NOTE: Final = {"extension": [{"url": "https://centre.example/note", "valueString": "x"}]}
_EVIDENCE: Final = {
    "resourceType": "Evidence",
    "status": "draft",
    "exposureBackground": {"reference": "EvidenceVariable/1"},
}
KNOWN_ERRORS: Final = (
    KnownError(
        "the value of an extension has no extensions of its own",
        "extra_forbidden",
        lambda name, element: name.startswith("_value") and element is not None and element.type is None,
        {
            "resourceType": "Basic",
            "code": {"text": "x"},
            "extension": [{"url": "https://centre.example/a", "_valueString": _NOTE}],
        },
    ),
    KnownError(
        "R4B, or the models, do not have an element that R4 has",
        "extra_forbidden",
        lambda name, element: not name.startswith("_") and element is not None,
        {
            "resourceType": "Basic",
            "code": {"text": "x"},
            "extension": [{"url": "https://centre.example/a", "valueMeta": {"versionId": "1"}}],
        },
    ),
    KnownError(
        "R4B asks for an element that R4 does not ask for",
        "missing",
        lambda _, element: element is None or not element.required,
        _EVIDENCE,
    ),
    KnownError(
        "white space is Unicode's and not XML's: a code may end with a no-break space",
        "string_pattern_mismatch",
        lambda _, element: element is not None and element.type is None,
        {
            "resourceType": "Basic",
            "code": {"coding": [{"system": "https://centre.example", "code": "A\u00a0"}]},
        },
    ),
)


@cache
def r4b_model(type_name: str) -> Any:
    """The `fhir.resources` model of a resource, None when R4B has none of that name."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        return get_fhir_model_class(type_name)
    except (ValueError, LookupError, ImportError, AttributeError):
        return None


def second_opinion(resource: Json, type_name: str) -> list[Issue]:
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


def _issue(item: Any, resource: Json) -> Issue | None:
    """An issue from pydantic's error, None for a known error of the models. Its own words may repeat the
    value, so they are not used.
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
    if _is_known(item["type"], name, element):
        return None
    return error_issue("invalid", "validation.wrong_form", path, "second-opinion", element=name)


def _below(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (LookupError, TypeError):
        return None


def _is_known(problem: str, name: str, element: Element | None) -> bool:
    return any(problem.endswith(one.problem) and one.is_wrong_of(name, element) for one in KNOWN_ERRORS)
