"""How much one request may ask for: every bound in one place, what a request is measured at, and what is left
of it while it is carried out. Pure.

Time and memory of a request grow linearly with these numbers, and with nothing else that a stranger writes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from adapter.errors import FhirError
from adapter.repository.interaction_errors import interaction_error
from adapter.texts import say

__all__ = [
    "RequestBudget",
    "RequestLimits",
    "RequestSize",
    "describe_limits",
    "fitting_keys",
    "measure_size",
    "over_limit",
    "require_fitting_resource",
    "require_fitting_size",
]


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The bounds of one request. Each is named in the outcome of what goes beyond it, in the
    CapabilityStatement and in docs/for-hospitals.md.
    """

    max_bytes: int = 5_000_000  # of the body, also after unpacking
    max_depth: int = 40  # of the JSON
    max_values: int = 100_000  # objects, lists, texts and numbers of the JSON
    max_narrative: int = 1_000_000  # characters of all text.div
    max_entries: int = 1_000  # of a Bundle
    max_references: int = 10_000  # Reference.reference, in all
    max_resource_references: int = 500  # in one resource
    max_identifiers: int = 5_000  # in all
    max_resource_identifiers: int = 100  # in one resource
    max_parameters: int = 100  # of a search
    max_search_values: int = 400  # of one search or condition, the alternatives of all parameters counted
    max_bundle_search_values: int = 4_000  # of all searches and conditions of a Bundle
    max_includes: int = 20  # _include and _revinclude of a search
    max_patch_operations: int = 100  # of one patch
    max_patched_bytes: int = 10_000_000  # of what is patched, and of what patches copy
    max_included: int = 1_000  # resources that are sent along with matches
    max_response_bytes: int = 10_000_000  # a page ends before; a batch is answered so far
    max_search_seconds: float = 3.0  # that the database searches for one request


DEFAULT_LIMITS = RequestLimits()


def over_limit(limits: RequestLimits, name: str, sent: float, where: str | None = None) -> FhirError:
    """The refusal of what goes beyond the limit `name`, a field of RequestLimits: 413 for what was sent, 422
    for what it would cost.
    """
    status = 422 if name in _COSTS else 413
    limit = getattr(limits, name)
    what = say(f"fhir.{name}")
    code = "too-long" if name == "max_bytes" else "too-costly"
    return interaction_error(
        status, code, "over_limit", where, what=what, limit=f"{limit:,}", sent=f"{sent:,}"
    )


_COSTS = (
    "max_search_values",
    "max_bundle_search_values",
    "max_patched_bytes",
    "max_included",
    "max_response_bytes",
    "max_search_seconds",
)


def describe_limits(limits: RequestLimits) -> str:
    """All limits as one paragraph, for the CapabilityStatement."""
    said = (f"{say(f'fhir.{field.name}')} {getattr(limits, field.name):,}" for field in fields(limits))
    return say("fhir.limits", limits="; ".join(said))


@dataclass(slots=True)
class RequestSize:
    """What was counted in a request's JSON."""

    values: int = 0
    depth: int = 0
    references: int = 0
    identifiers: int = 0
    narrative: int = 0


def measure_size(value: Any, most_values: int, most_depth: int) -> RequestSize:
    """Count level by level. What lies deeper than `most_depth` or behind `most_values` is not looked at, so
    that counting costs no more than the limit itself, and one level.
    """
    size = RequestSize(1)
    level = [value] if isinstance(value, dict | list) else []
    while level and size.depth <= most_depth and size.values <= most_values:
        size.depth += 1
        below: list[Any] = []
        for outer in level:
            size.values += len(outer)
            if size.values > most_values:
                continue
            if isinstance(outer, list):
                below += (inner for inner in outer if isinstance(inner, dict | list))
            else:
                below += _counted(outer, size)
        level = below
    return size


def _counted(found: dict[str, Any], size: RequestSize) -> Iterator[Any]:
    for name, inner in found.items():
        if isinstance(inner, dict):
            yield inner
        elif isinstance(inner, list):
            if name == "identifier":
                size.identifiers += len(inner)
            yield inner
        elif isinstance(inner, str):
            if name == "reference":
                size.references += 1
            elif name == "div":
                size.narrative += len(inner)


def require_fitting_size(value: Any, limits: RequestLimits) -> None:
    """Raise FhirError 413 unless the JSON of a whole request is within the limits."""
    size = measure_size(value, limits.max_values, limits.max_depth)
    for name in ("depth", "values", "references", "identifiers", "narrative"):
        if (sent := getattr(size, name)) > getattr(limits, f"max_{name}"):
            raise over_limit(limits, f"max_{name}", sent)


def require_fitting_resource(resource: Any, limits: RequestLimits, where: str) -> None:
    """Raise FhirError 413 where one resource alone has more than is meaningful."""
    size = measure_size(resource, limits.max_values, limits.max_depth)
    for name in ("references", "identifiers"):
        if (sent := getattr(size, name)) > getattr(limits, f"max_resource_{name}"):
            raise over_limit(limits, f"max_resource_{name}", sent, where)


def fitting_keys(found: Sequence[tuple[Any, int]], most_bytes: int) -> list[Any]:
    """The keys of the first (key, bytes) that are together not longer than `most_bytes`; one at least."""
    kept: list[Any] = []
    total = 0
    for key, length in found:
        total += length
        if kept and total > most_bytes:
            break
        kept.append(key)
    return kept


class RequestBudget:
    """What is left of the limits while one request is carried out."""

    def __init__(self, limits: RequestLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._bytes = 0
        self._search_values = 0
        self._patched_bytes = 0
        self._seconds = 0.0

    @property
    def bytes_left(self) -> int:
        """How many bytes the response may still have."""
        return max(self.limits.max_response_bytes - self._bytes, 0)

    @property
    def seconds_left(self) -> float:
        """How long the database may still search."""
        return max(self.limits.max_search_seconds - self._seconds, 0)

    def spent(self) -> tuple[int, int, int]:
        """What was counted so far, for `rewind`."""
        return self._bytes, self._search_values, self._patched_bytes

    def rewind(self, spent: tuple[int, int, int]) -> None:
        """What was counted since then was for work that is done anew. The time it took is gone."""
        self._bytes, self._search_values, self._patched_bytes = spent

    def spend_bytes(self, count: int, where: str | None = None) -> None:
        """Raise FhirError 422 where the response would be too long; what comes first may be, alone."""
        total = self._bytes + count
        if self._bytes and (total > self.limits.max_response_bytes or not self.bytes_left):
            self._bytes = self.limits.max_response_bytes
            raise over_limit(self.limits, "max_response_bytes", total, where)
        self._bytes = total

    def count_bytes(self, count: int) -> None:
        """Note what the response has already, however long: it was sent just now."""
        self._bytes += count

    def spend_search_values(self, count: int, where: str | None = None) -> None:
        """Raise FhirError 422 where the searches and conditions together ask for too much."""
        self._search_values += count
        if self._search_values > self.limits.max_bundle_search_values:
            raise over_limit(self.limits, "max_bundle_search_values", self._search_values, where)

    def spend_patched_bytes(self, count: int, where: str | None = None) -> None:
        """Raise FhirError 422 where patches together work on too much."""
        self._patched_bytes += count
        if self._patched_bytes > self.limits.max_patched_bytes:
            raise over_limit(self.limits, "max_patched_bytes", self._patched_bytes, where)

    def is_late(self) -> Callable[[], bool]:
        """Whether the time that is left now is over, to be asked while a statement runs."""
        until = self._clock() + self.seconds_left
        return lambda: self._clock() > until

    def measured(self) -> "_Stopwatch":
        """A context whose time counts as searching."""
        return _Stopwatch(self)


class _Stopwatch:
    def __init__(self, budget: RequestBudget) -> None:
        self._budget = budget
        self._begun = 0.0

    def __enter__(self) -> None:
        self._begun = self._budget._clock()

    def __exit__(self, *_: object) -> None:
        self._budget._seconds += self._budget._clock() - self._begun
