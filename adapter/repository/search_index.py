"""What search can find a resource by: its identifiers and references, taken out of its JSON."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from adapter.fhir.codec import Resource
from adapter.fhir.identity import TYPES_WITHOUT_IDENTIFIER
from adapter.repository.resource_types import reference_elements

__all__ = ["IndexRow", "business_identifiers", "index_rows", "index_value", "relative_reference"]

_LONGEST = 200  # an index entry of PostgreSQL has a limit; longer values are cut and told apart by hash


class IndexRow(NamedTuple):
    """One thing to find a resource by. `system` is "" for references and for no system."""

    name: str
    system: str
    value: str


def index_value(value: str) -> str:
    """The form of `value` in the index: itself, or for a long one its beginning and hash."""
    if len(value) <= _LONGEST:
        return value
    return value[:_LONGEST] + "#" + blake2b(value.encode(), digest_size=16).hexdigest()


def business_identifiers(resource: Resource) -> Iterator[tuple[str, str]]:
    """(system or "", value) of each business identifier that has a value; of a type without `identifier`
    those of its tags. Never raises.
    """
    name, found = "value", resource.get("identifier")
    if resource.get("resourceType") in TYPES_WITHOUT_IDENTIFIER:
        meta = resource.get("meta")
        name, found = "code", meta.get("tag") if isinstance(meta, dict) else None
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict) and isinstance(value := item.get(name), str):
            system = item.get("system")
            yield (system if isinstance(system, str) else "", value)


def relative_reference(reference: str, base: str | None) -> str:
    """`reference` without the server's own base and without a version."""
    if base and reference.startswith(base + "/"):
        reference = reference[len(base) + 1 :]
    return reference.partition("/_history/")[0]


def index_rows(resource: Resource, base: str | None) -> set[IndexRow]:
    """Everything this resource can be found by. Never raises, whatever the JSON is."""
    rows = {IndexRow("identifier", index_value(s), index_value(v)) for s, v in business_identifiers(resource)}
    for name, element in reference_elements(resource.get("resourceType", "")):
        for reference in _references(resource.get(element)):
            relative = relative_reference(reference, base)
            if name != "patient" or element == "patient" or "Patient/" in relative:
                rows.add(IndexRow(name, "", index_value(relative)))
    return rows


def _references(element: Any) -> Iterator[str]:
    for item in element if isinstance(element, list) else [element]:
        if isinstance(item, dict) and isinstance(reference := item.get("reference"), str):
            yield reference
