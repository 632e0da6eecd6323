"""What search can find a resource by: its identifiers, and what R4's search parameters see in it."""

from collections.abc import Iterator
from functools import cache

from adapter.fhir.codec import Resource
from adapter.fhir.definitions.search_parameters import search_parameters_of
from adapter.fhir.identity import TYPES_WITHOUT_IDENTIFIER
from adapter.repository.search_extraction import IndexRow, RangeRow, extracted_rows, index_value

__all__ = ["business_identifiers", "index_rows"]


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


def index_rows(resource: Resource, base: str | None) -> set[IndexRow | RangeRow]:
    """Everything this resource can be found by. Never raises, whatever the JSON is."""
    rows: set[IndexRow | RangeRow] = set(extracted_rows(resource, base))
    kind = resource.get("resourceType")
    beside = _identifiers_beside(kind) if isinstance(kind, str) else ()
    if beside:
        named = [row for row in rows if isinstance(row, IndexRow) and row.name in beside]
        rows.update(row._replace(name="identifier") for row in named)
    rows.update(
        IndexRow("identifier", index_value(s), index_value(v)) for s, v in business_identifiers(resource)
    )
    return rows


@cache
def _identifiers_beside(resource_type: str) -> frozenset[str]:
    """What else than `identifier` the parameter of that name looks at: a document's masterIdentifier."""
    parameter = search_parameters_of(resource_type).get("identifier")
    names = (source.name for source in parameter.sources) if parameter else ()
    return frozenset(names) - {"identifier"}
