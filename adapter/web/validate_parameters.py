"""What $validate is asked (http://hl7.org/fhir/R4/resource-operation-validate.html): the resource comes
alone, or in Parameters beside the mode and a profile.
"""

from collections.abc import Sequence
from typing import Any, Final

from adapter.fhir.codec import Resource
from adapter.repository.interaction_errors import interaction_error

__all__ = ["resource_to_validate"]

_MODES: Final = ("create", "update")  # both are held to the same rules


def resource_to_validate(kind: str, body: Resource, query: Sequence[tuple[str, str]]) -> Resource:
    """The resource that is to be looked at. Raises FhirError 400 for Parameters without one, and 422 for a
    profile, which R4 forbids to pass over, or a mode that asks something else.
    """
    resource, said = body, [one for one in query if one[0] in ("mode", "profile")]
    if body["resourceType"] == "Parameters" != kind:
        resource, more = _in_parameters(body)
        said += more
    for name, value in said:
        if name == "profile":
            raise interaction_error(422, "not-supported", "validate_profile")
        if value not in _MODES:
            raise interaction_error(422, "not-supported", "validate_mode")
    return resource


def _in_parameters(body: Resource) -> tuple[Resource, list[tuple[str, Any]]]:
    parameters = body.get("parameter")
    found = [one for one in parameters if isinstance(one, dict)] if isinstance(parameters, list) else []
    resources = [one.get("resource") for one in found if one.get("name") == "resource"]
    if len(resources) != 1 or not isinstance(resource := resources[0], dict):
        raise interaction_error(400, "required", "validate_no_resource", "Parameters.parameter")
    if not isinstance(resource.get("resourceType"), str):
        raise interaction_error(
            400, "required", "no_resource_type", "Parameters.parameter.resource.resourceType"
        )
    said = [(one["name"], _text(one)) for one in found if one.get("name") in ("mode", "profile")]
    return resource, said


def _text(parameter: dict[str, Any]) -> Any:
    return next((value for name, value in parameter.items() if name.startswith("value")), None)
