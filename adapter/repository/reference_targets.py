"""Where the entries of a transaction lead to each other, each must lead to a type that its element allows, as
`$validate` says of the whole Bundle. Pure.

An entry is checked by itself, and a `urn:uuid` says no type: that is known only with all entries read.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from adapter.fhir.codec import Resource
from adapter.fhir.definitions import types
from adapter.fhir.operation_outcome import Issue
from adapter.repository.bundle_entries import Interaction
from adapter.repository.interaction_errors import InteractionRefused
from adapter.repository.reference_rewriting import reference_links
from adapter.texts import say

__all__ = ["wrong_targets"]

_PLACE = re.compile(r"\[\d+\]")
_CONTAINED = re.compile(r"\.contained\[(\d+)\]")


def wrong_targets(entries: Iterable[Interaction]) -> dict[int, InteractionRefused]:
    """What is refused, by its place: entries with a link to another of a type that may not stand there."""
    listed = list(entries)
    places = {one.full_url: one.type for one in listed if one.full_url}
    found: dict[int, InteractionRefused] = {}
    for entry in listed:
        if entry.resource is None or entry.verbatim or entry.position is None or not places:
            continue
        if issues := list(_issues(entry, entry.resource, places)):
            found[entry.position] = InteractionRefused(400, issues)
    return found


def _issues(entry: Interaction, resource: Resource, places: dict[str, str]) -> Iterator[Issue]:
    for path, text in reference_links(resource):
        type_ = places.get(text)
        if type_ is None or (targets := _targets(resource, path)) is None or type_ in targets:
            continue
        said = say("validation.wrong_target", targets=", ".join(sorted(targets)))
        yield Issue("error", "value", said, entry.at(f"resource{path}"), rule="reference")


def _targets(resource: Resource, path: str) -> frozenset[str] | None:
    """The types that a Reference may lead to; None: any."""
    outer = _CONTAINED.match(path)
    if outer is not None:
        resource = resource["contained"][int(outer[1])]
        path = path[outer.end() :]
    type_ = resource.get("resourceType")
    return (
        _allowed(type_, _PLACE.sub("", path).removesuffix(".reference")) if isinstance(type_, str) else None
    )


@lru_cache(maxsize=2_000)
def _allowed(type_: str, path: str) -> frozenset[str] | None:
    targets: frozenset[str] = frozenset()
    here: str | None = type_
    for step in path.split(".")[1:]:
        element = types.elements(here or "").get(step)
        if element is None:
            return None
        here, targets = element.type, element.targets
    return targets or None
