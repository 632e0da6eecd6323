"""What of a Bundle was refused while the rest was taken, as a Bundle that can be sent again. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from adapter.errors import FhirError
from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.repository.bundle_entries import MAX_REPORTED_ISSUES
from adapter.repository.interaction_errors import issues_of_error
from adapter.repository.reference_rewriting import rewrite_references

__all__ = ["BundleAnswer", "LeftOver", "left_over"]

_WRITES = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class LeftOver:
    """The entries that were refused, in an envelope like theirs, and why; `status` is that of the first."""

    bundle: Resource
    status: int
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class BundleAnswer:
    """The response Bundle as bytes, and what of the request was not taken."""

    body: bytes
    left: LeftOver | None = None


def left_over(
    bundle: Resource, refused: Mapping[int, FhirError], known: Mapping[str, str]
) -> LeftOver | None:
    """The entries at these places; None where none of them brought anything. What they refer to and was taken
    is referred to where it is now (`known`: fullUrl -> `Type/id`).
    """
    brought = {place: error for place, error in sorted(refused.items()) if _brings(bundle["entry"][place])}
    if not brought:
        return None
    issues = (issue for error in brought.values() for issue in issues_of_error(error))
    entries = [_moved(bundle["entry"][place], known) for place in brought]
    status = next(error.status for error in sorted(brought.values(), key=lambda one: one.status == 424))
    return LeftOver({**bundle, "entry": entries}, status, tuple(islice(issues, MAX_REPORTED_ISSUES)))


def _moved(entry: Any, known: Mapping[str, str]) -> Any:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict):
        return entry
    url = entry.get("fullUrl")
    return {**entry, "resource": rewrite_references(resource, url if isinstance(url, str) else None, known)}


def _brings(entry: object) -> bool:
    """Whether an entry holds something that would be lost. Of one that cannot be read nobody knows."""
    if not isinstance(entry, dict):
        return True
    request = entry.get("request")
    method = request.get("method") if isinstance(request, dict) else None
    return "resource" in entry and (method in _WRITES or method not in ("GET", "HEAD", "DELETE"))
