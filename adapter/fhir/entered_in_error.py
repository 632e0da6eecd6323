"""What is left of a resource that is marked as entered in error (pure).

http://hl7.org/fhir/R4/resource.html: most types of R4 have a status that says so. Such a resource keeps our
identifier and what R4 requires of its type; everything else that it said of the person goes.
"""

from functools import cache
from typing import Any

from adapter.fhir.codec import Resource
from adapter.fhir.definitions import types
from adapter.fhir.server_copy import same_content

__all__ = ["as_entered_in_error", "has_entered_in_error", "is_entered_in_error"]

_CODE = "entered-in-error"


def has_entered_in_error(resource_type: str) -> bool:
    """Whether R4 has a status for it: Patient, Provenance and some others have none."""
    return _status(resource_type) is not None


def as_entered_in_error(resource: Resource, system: str) -> Resource | None:
    """The resource entered in error, without its id; None for a type that has no such status. `system` is of
    our identifiers: others, a person's numbers among them, go.
    """
    status = _status(str(resource.get("resourceType")))
    if status is None:
        return None
    kept: Resource = {"resourceType": resource["resourceType"]}
    if (identifier := _ours(resource.get("identifier"), system)) is not None:
        kept["identifier"] = identifier
    kept |= {name: resource[name] for name in _required(kept["resourceType"]) if name in resource}
    kept[status.name] = _said(status)
    return kept


def is_entered_in_error(resource: Resource, system: str) -> bool:
    """Whether it is marked, and holds nothing that it need not."""
    wanted = as_entered_in_error(resource, system)
    return wanted is not None and same_content(wanted, resource)


@cache
def _status(resource_type: str) -> types.Element | None:
    known = types.elements(resource_type)
    found = (known.get(name) for name in ("status", "verificationStatus", "lifecycleStatus"))
    return next((one for one in found if one is not None and one.codes and _CODE in one.codes), None)


@cache
def _required(resource_type: str) -> tuple[str, ...]:
    """JSON names that R4 requires, those of choices and of extensions of primitives too."""
    choices = (name for _, names in types.required_choices(resource_type) for name in names)
    names = [*(one.name for one in types.required_elements(resource_type)), *choices]
    return (*names, *(f"_{name}" for name in names))


def _said(status: types.Element) -> Any:
    if status.type is None:
        return _CODE
    system = next(system for system, codes in (status.systems or {}).items() if _CODE in codes)
    return {"coding": [{"system": system, "code": _CODE}]}


def _ours(identifier: Any, system: str) -> Any:
    """Our own identifiers, in the form that they are in; None without one."""
    if isinstance(identifier, list):
        return [one for one in identifier if isinstance(one, dict) and one.get("system") == system] or None
    return identifier if isinstance(identifier, dict) and identifier.get("system") == system else None
