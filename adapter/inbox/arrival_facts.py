"""What a resource is recognised by when it comes again, or its next version does. Pure."""

from itertools import islice
from typing import Any, NamedTuple

from adapter.fhir import codec
from adapter.inbox.evidence import listed_members
from adapter.inbox.lineage import CODED_TYPES, identity_marks

__all__ = ["ArrivalFacts", "arrival_facts", "business_identifier", "normalised_digest"]

_MOST_MEMBERS = 10_000  # of what one report lists
_LONGEST_IDENTITY = 400


class ArrivalFacts(NamedTuple):
    """The digest of what it says, its identity marks, those of its numbers alone, what it lists, and what
    people know it by.
    """

    digest: str
    marks: tuple[str, ...]
    numbers: tuple[str, ...]
    members: tuple[str, ...]
    identity: str | None


def arrival_facts(resource: codec.Resource) -> ArrivalFacts:
    """Of a resource, whatever its id and meta."""
    marks, numbers = identity_marks(resource)
    members = tuple(islice(dict.fromkeys(listed_members(resource)), _MOST_MEMBERS))
    known_by = business_identifier(resource)
    return ArrivalFacts(normalised_digest(resource), tuple(marks), tuple(numbers), members, known_by)


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


def business_identifier(resource: codec.Resource) -> str | None:
    """`system|value` of the first identifier that has both, for people to read; None when there is none. A
    result's code is part of it: a laboratory gives all values of one specimen the same number.

    What a database cannot hold as text (NUL, half a surrogate pair, great length) is kept as its hash.
    """
    listed = resource.get("identifier")
    for item in listed if isinstance(listed, list) else [listed]:
        if not isinstance(item, dict):
            continue
        system, value = item.get("system"), item.get("value")
        if isinstance(system, str) and isinstance(value, str) and system and value:
            return _storable(f"{system}|{value}{_code_of(resource)}")
    return None


def _code_of(resource: codec.Resource) -> str:
    """` code` of a result: its first coding, or else its text; "" of what has none."""
    code = resource.get("code")
    if resource.get("resourceType") not in CODED_TYPES or not isinstance(code, dict):
        return ""
    listed = code.get("coding")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    said = f"{first.get('system') or ''}|{first['code']}" if first.get("code") else code.get("text")
    return f" {said}" if said else ""


def _storable(identity: str) -> str:
    data = identity.encode("utf-8", "surrogatepass")
    plain = len(data) <= _LONGEST_IDENTITY and "\x00" not in identity
    try:
        identity.encode("utf-8")
    except UnicodeEncodeError:
        plain = False
    return identity if plain else f"hash|{codec.digest(data)}"
