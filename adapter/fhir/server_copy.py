"""Whether a server's copy of a resource is what was sent, apart from what servers change of their own accord
(pure): ids and `meta`, the narrative, how decimals and instants are written, where references begin, and how
contained resources are named and ordered.

A wrong "different" costs one more write that changes nothing, so whatever is unclear is different.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from adapter.fhir.codec import Resource, dumps
from adapter.fhir.difference import differences, without_positions

__all__ = ["differing_elements", "matches_allowing_progress", "plain_reference", "same_content"]

_LOCATION = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?/?$"
)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})")
_SERVER_OWNED = frozenset({"id", "meta", "text", "implicitRules"})
# What only the work of a hospital makes of what it was asked to do (R4, request-status and task-status).
_REACHED = {
    "ServiceRequest": frozenset({"completed"}),
    "Task": frozenset(
        {"received", "accepted", "ready", "rejected", "in-progress", "on-hold", "failed", "completed"}
    ),
}
_ASKED = frozenset({"active", "on-hold", "requested"})


def same_content(ours: Resource, theirs: Resource) -> bool:
    """Whether a server's copy holds what we sent. `ours` has its references resolved to `Type/id`; theirs
    may be absolute or carry a version.
    """
    return _same(_content(ours), _content(theirs))


def matches_allowing_progress(ours: Resource, theirs: Resource) -> bool:
    """Whether a server's copy is what we sent, however far the hospital got with it since: a referral that it
    completed is not opened anew (docs/decisions/0006).
    """
    reached = _REACHED.get(str(ours.get("resourceType")), frozenset())
    left, right = str(ours.get("status")), str(theirs.get("status"))
    if {left, right} <= reached | _ASKED and (left in reached or right in reached):
        return same_content({**ours, "status": right}, theirs)
    return same_content(ours, theirs)


def differing_elements(ours: Resource, theirs: Resource) -> list[str]:
    """Paths of the elements that differ, without positions and values, each once: `Patient.name.text`."""
    left, right = _content(ours), _content(theirs)
    kept = {name for name in left.keys() | right.keys() if not _same(left.get(name), right.get(name))}
    found = differences(
        {name: value for name, value in right.items() if name in kept | {"resourceType"}},
        {name: value for name, value in left.items() if name in kept | {"resourceType"}},
    )
    return list(dict.fromkeys(without_positions(one.path) for one in found))


def plain_reference(reference: str) -> str:
    """`Type/id` of an absolute or versioned reference; anything else as it is."""
    match = _LOCATION.search(reference)
    return f"{match[1]}/{match[2]}" if match else reference


def _content(resource: Resource) -> Resource:
    """The resource without what servers own, its contained resources by the order of their content."""
    kept = {name: value for name, value in resource.items() if name not in _SERVER_OWNED}
    contained = kept.get("contained")
    if not isinstance(contained, list) or not all(isinstance(one, dict) for one in contained):
        return kept
    in_order = sorted(contained, key=lambda one: dumps(_sorted(_without_id(one))))
    names = {f"#{str(one.get('id', '')).lstrip('#')}": f"#{place}" for place, one in enumerate(in_order)}
    kept["contained"] = [_without_id(one) for one in in_order]
    renamed: Resource = _renamed(kept, names)
    return renamed


def _without_id(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name not in _SERVER_OWNED}


def _sorted(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _sorted(node[name]) for name in sorted(node)}
    return [_sorted(one) for one in node] if isinstance(node, list) else node


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    """The node with references to contained resources by their place."""
    if isinstance(node, list):
        return [_renamed(one, names) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _renamed(value, names) for name, value in node.items()}
    if isinstance(made.get("reference"), str):
        made["reference"] = names.get(made["reference"], made["reference"])
    return made


def _same(ours: Any, theirs: Any, key: str = "") -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_same(ours[name], theirs[name], name) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs, [key] * len(ours)))
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours == theirs or _same_text(ours, theirs, key)
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, int | float | Decimal) and isinstance(theirs, int | float | Decimal):
        return Decimal(str(ours)) == Decimal(str(theirs))
    return bool(ours == theirs)


def _same_text(ours: str, theirs: str, key: str) -> bool:
    if key == "reference":
        return plain_reference(ours) == plain_reference(theirs)
    if _INSTANT.fullmatch(ours) and _INSTANT.fullmatch(theirs):
        return _moment(ours) == _moment(theirs)
    return False


def _moment(instant: str) -> datetime | str:
    try:
        return datetime.fromisoformat(instant).astimezone(UTC)
    except (ValueError, OverflowError):
        return instant
