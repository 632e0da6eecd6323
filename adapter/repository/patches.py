"""Patches of stored resources (http://hl7.org/fhir/R4/http.html#patch): JSON Patch and FHIRPath Patch, alone
or as an entry of a Bundle. Pure.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Final

from adapter.errors import FhirError
from adapter.fhir.codec import Resource, dumps
from adapter.repository.fhirpath_patch import PathOperation, apply_path_operation, parse_path_patch
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.json_patch import JSON_PATCH, PatchOperation, apply_operation, parse_json_patch
from adapter.repository.request_limits import RequestLimits, over_limit, require_fitting_size
from adapter.repository.strict_json import parse_json

__all__ = ["PATCH_FORMATS", "Operation", "apply_patch", "parse_entry_patch", "parse_patch"]

Operation = PatchOperation | PathOperation

PATCH_FORMATS: Final = (JSON_PATCH, "application/fhir+json", "application/fhir+xml")


def parse_patch(sent: Any, limits: RequestLimits, where: str) -> tuple[Operation, ...]:
    """The operations of a JSON Patch, a list, or of Parameters. Raises FhirError 400, 413 or 422."""
    if isinstance(sent, dict) and sent.get("resourceType") == "Parameters":
        return parse_path_patch(sent, limits, "Parameters" if where.startswith("http") else where)
    return parse_json_patch(sent, limits, where)


def parse_entry_patch(entry: dict[str, Any], limits: RequestLimits, where: str) -> tuple[Operation, ...]:
    """The patch of an entry: Parameters, or a Binary that holds a JSON Patch
    (http://hl7.org/fhir/R4/http.html#jsonpatch). Raises FhirError 422 for another kind of patch.
    """
    resource, at = entry.get("resource"), f"{where}.resource"
    type_ = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or type_ not in ("Binary", "Parameters"):
        raise interaction_error(422, "not-supported", "no_patch", at)
    if type_ == "Parameters":
        return parse_path_patch(resource, limits, at)
    kind = resource.get("contentType")
    if not isinstance(kind, str) or kind.partition(";")[0].strip().lower() != JSON_PATCH:
        raise interaction_error(422, "not-supported", "no_patch", f"{at}.contentType")
    try:
        data = base64.b64decode(resource.get("data") or "", validate=True)
    except (ValueError, TypeError):
        raise interaction_error(400, "structure", "patch_data", f"{at}.data") from None
    try:
        sent = parse_json(data, limits)
    except FhirError as error:
        error.expression = f"{at}.data"
        raise
    return parse_json_patch(sent, limits, f"{at}.data")


def apply_patch(
    resource: Resource,
    operations: Sequence[Operation],
    limits: RequestLimits,
    spend: Callable[[int], None],
) -> Resource:
    """The resource as the operations leave it; the one given is changed on the way. `spend` is told how many
    bytes are copied or looked through, and raises where that is too much.

    Raises FhirError 409 where a test fails, 422 where a path leads nowhere or the type or id would be
    another, 413 where the result is longer than a request may be.
    """
    identity = resource.get("resourceType"), resource.get("id")
    root = [resource]  # so that the whole is at a place too
    for one in operations:
        if isinstance(one, PathOperation):
            apply_path_operation(root[0], one, spend)
        else:
            apply_operation(root, one, limits, spend)
    result = root[0]
    if not isinstance(result, dict) or (result.get("resourceType"), result.get("id")) != identity:
        raise interaction_error(422, "business-rule", "patch_identity", operations[-1].where)
    require_fitting_size(result, limits)
    if (size := len(dumps(result))) > limits.max_bytes:
        raise over_limit(limits, "max_bytes", size)
    return result
