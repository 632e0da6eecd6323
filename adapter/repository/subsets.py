"""Parts of resources, where a search asks for no more: `_summary` and `_elements`
(http://hl7.org/fhir/R4/search.html#summary). Pure.
"""

from collections.abc import Sequence
from typing import Final

from adapter.fhir.codec import Resource, dumps, loads
from adapter.fhir.definitions.search_parameters import summary_elements
from adapter.fhir.definitions.types import elements
from adapter.repository.search_query import Summary

__all__ = ["subset"]

_SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS: Final = frozenset(("resourceType", "id", "meta", "implicitRules"))


def subset(body: bytes, summary: Summary | None, wanted: Sequence[str]) -> bytes:
    """The resource with what is asked for, and what it cannot be without, marked as a part."""
    resource: Resource = loads(body)
    kind = resource["resourceType"]
    if summary == "data":
        kept = {name: value for name, value in resource.items() if name != "text"}
    else:
        needed = {element.name for element in elements(kind).values() if element.required}
        chosen = {*wanted, *(summary_elements(kind) if summary == "true" else ())}
        if summary == "text":
            chosen = {"text"}
        names = _ALWAYS | needed | _in_json(kind, chosen)
        kept = {name: value for name, value in resource.items() if name.removeprefix("_") in names}
    meta = kept.get("meta", {})
    kept["meta"] = {**meta, "tag": [*meta.get("tag", ()), _SUBSETTED]}
    return dumps(kept)


def _in_json(kind: str, chosen: set[str]) -> set[str]:
    """Names as JSON has them: `value` is also valueQuantity."""
    return {
        element.name
        for element in elements(kind).values()
        if element.name in chosen or element.fhirpath_name in chosen
    }
