"""References as R4 writes them, and which of a resource's references evidence is read from. Pure."""

from collections.abc import Collection, Iterator
from typing import Any

from adapter.fhir.codec import Resource

__all__ = [
    "MOST_REFERENCES",
    "ORDERS",
    "SUBJECT_FIELDS",
    "encounters_of",
    "named_resources",
    "objects_of",
    "orders_of",
    "placed_id",
    "referenced_type",
    "same_base",
    "text_of",
]

MOST_REFERENCES = 500
"""References, and identifiers of one sort, that are read of an item; one that has more waits for a person."""

SUBJECT_FIELDS = ("subject", "for", "patient")
ORDERS = ("ServiceRequest", "Task", "")
_REFERRAL_FIELDS = {"Task": ("focus", "basedOn"), "ServiceRequest": ("basedOn", "replaces")}


def named_resources(resource: Resource, own_bases: Collection[str]) -> Iterator[str]:
    """What of its own, sent here too, a resource names where evidence is read, as `Type/id`; `own_bases` as
    `same_base` gives them.
    """
    named = [
        (one, type_ or "ServiceRequest")
        for one in orders_of(resource)
        if (type_ := referenced_type(one)) in ORDERS
    ]
    named += [(one, "Patient") for name in SUBJECT_FIELDS for one in objects_of(resource.get(name))]
    named += [(one, "Encounter") for one in encounters_of(resource)]
    named += [(one, "Specimen") for one in objects_of(resource.get("specimen"))]
    for one, type_ in named[:MOST_REFERENCES]:
        placed = placed_id(text_of(one.get("reference")), type_)
        if placed is not None and (not placed[0] or same_base(placed[0]) in own_bases):
            yield f"{type_}/{placed[1]}"


def same_base(base: str) -> str:
    """A server's address as far as it tells servers apart: not by scheme, letter case or default port."""
    _, _, rest = base.strip().rstrip("/").rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{host.casefold().removesuffix(':443').removesuffix(':80')}{slash}{path}"


def orders_of(resource: Resource) -> list[dict[str, Any]]:
    """The references to what a resource was ordered by."""
    type_ = text_of(resource.get("resourceType"))
    fields = _REFERRAL_FIELDS.get(type_, ("basedOn",))
    found = [item for name in fields for item in objects_of(resource.get(name))]
    related = [
        item for context in objects_of(resource.get("context")) for item in objects_of(context.get("related"))
    ]
    # a DocumentReference names its order among what it is related to
    return found + [item for item in related if referenced_type(item) == "ServiceRequest"]


def encounters_of(resource: Resource) -> Iterator[dict[str, Any]]:
    """The references to its Encounters: a DocumentReference names them one level deeper."""
    yield from objects_of(resource.get("encounter"))
    for context in objects_of(resource.get("context")):
        yield from objects_of(context.get("encounter"))


def placed_id(literal: str, type_: str) -> tuple[str, str] | None:
    """Base ("" for a relative one) and id of a literal reference to that type; None for any other text."""
    base, _, rest = literal.rpartition(f"{type_}/")
    id_ = rest.split("/", 1)[0].split("?", 1)[0]
    if not id_ or literal.startswith(("urn:", "#")) or (base and not base.endswith("/")):
        return None
    return base.rstrip("/"), id_


def referenced_type(reference: dict[str, Any]) -> str:
    """Resource type a reference names, "" where it does not say (logical, contained, urn:uuid)."""
    literal = text_of(reference.get("reference"))
    if literal and not literal.startswith(("#", "urn:")):
        if "?" in literal:
            return literal.split("?", 1)[0].rsplit("/", 1)[-1]
        parts = literal.split("/_history/", 1)[0].rsplit("/", 2)
        if len(parts) >= 2:
            return parts[-2]
    return text_of(reference.get("type"))


def objects_of(value: Any) -> list[dict[str, Any]]:
    """The JSON objects of a list, or the one object; [] for anything else."""
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]


def text_of(value: Any) -> str:
    """The text without spaces around it; "" for anything else."""
    return value.strip() if isinstance(value, str) else ""
