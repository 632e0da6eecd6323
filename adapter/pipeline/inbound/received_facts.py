"""What reception wants to know of a resource, made before the transaction that stores it: nobody waits for it
then. Pure.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from adapter.fhir.codec import Resource, dumps
from adapter.inbox.arrival_facts import ArrivalFacts, arrival_facts
from adapter.records.serialisation import identifier_forms
from adapter.repository.stored_content import ResourceContent
from adapter.repository.write_plan import VersionChange

__all__ = [
    "NamedSubjects",
    "ReceivedFacts",
    "facts_of_change",
    "identifier_values",
    "named_subjects",
    "received_facts",
]

_NAMED = re.compile(rb"\b[0-9a-f]{32}\b|\b(?:Patient|ServiceRequest)/[A-Za-z0-9.\-]{1,64}")
_SHORTEST = 8  # characters of a national or insurance number


class NamedSubjects(NamedTuple):
    """By what something names people: numbers in every form that they are found by, and what a hospital was
    sent or gave a name to.
    """

    numbers: frozenset[str]
    sent: frozenset[str]


class ReceivedFacts(NamedTuple):
    """Of one resource."""

    arrival: ArrivalFacts
    subjects: NamedSubjects


def received_facts(resource: Resource, content: ResourceContent) -> ReceivedFacts:
    """Of what was sent; its own id names nobody whom the version's id would not name."""
    bodies = (content.rest_bytes, dumps(content.meta), str(resource.get("id", "")).encode("utf-8", "replace"))
    return ReceivedFacts(arrival_facts(resource), named_subjects(identifier_values(resource), bodies))


def facts_of_change(change: VersionChange) -> ReceivedFacts:
    """Those that were made before, or else of what is stored."""
    if isinstance(change.facts, ReceivedFacts):
        return change.facts
    subjects = named_subjects(identifier_values(change.resource), [change.body])
    return ReceivedFacts(arrival_facts(change.resource), subjects)


def named_subjects(values: Iterable[str], bodies: Iterable[bytes]) -> NamedSubjects:
    """Of the values of Identifiers, and of what holds names of ours."""
    numbers = (one for one in identifier_forms(values) if len(one) >= _SHORTEST)
    sent = (one.decode() for body in bodies for one in _NAMED.findall(body))
    return NamedSubjects(frozenset(numbers), frozenset(sent))


def identifier_values(node: Any, *, inside: bool = False) -> Iterator[str]:
    """The values of all Identifiers of a resource."""
    if isinstance(node, list):
        for one in node:
            yield from identifier_values(one, inside=inside)
    elif isinstance(node, dict):
        for name, value in node.items():
            if inside and name == "value" and isinstance(value, str):
                yield value
            yield from identifier_values(value, inside=name == "identifier")
