"""What a resource is recognised by when it comes again, or its next version does. Pure."""

from itertools import islice
from typing import Any, NamedTuple

from adapter.fhir import codec
from adapter.inbox.evidence import listed_members
from adapter.inbox.lineage import identity_marks

__all__ = ["ArrivalFacts", "arrival_facts", "normalised_digest"]

_MOST_MEMBERS = 10_000  # of what one report lists


class ArrivalFacts(NamedTuple):
    """The digest of what it says, its identity marks, those of its numbers alone, and what it lists."""

    digest: str
    marks: tuple[str, ...]
    numbers: tuple[str, ...]
    members: tuple[str, ...]


def arrival_facts(resource: codec.Resource) -> ArrivalFacts:
    """Of a resource, whatever its id and meta."""
    marks, numbers = identity_marks(resource)
    members = tuple(islice(dict.fromkeys(listed_members(resource)), _MOST_MEMBERS))
    return ArrivalFacts(normalised_digest(resource), tuple(marks), tuple(numbers), members)


def normalised_digest(resource: codec.Resource) -> str:
    """Content hash without `id`, `meta`, the order of members and that of codings and identifiers, which
    mean nothing: equal means nothing new is said.
    """
    content = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    return codec.digest(codec.dumps(_ordered(content)))


def _ordered(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name], name) for name in sorted(value)}
    if isinstance(value, list):
        items = [_ordered(item) for item in value]
        return sorted(items, key=codec.dumps) if name in ("coding", "identifier") else items
    return value
