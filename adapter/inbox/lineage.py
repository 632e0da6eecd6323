"""Which earlier result a resource is a version of: its lineage. Pure.

The order of codings and identifiers means nothing (http://hl7.org/fhir/R4/datatypes.html#CodeableConcept),
and a correction may respell, add or leave out some. So one shared identifier with one shared coding is
enough, or the same URL; whatever is less needs a person. What comes under one number and code with another in
the same delivery is another result: two isolates of one culture, two values of one day.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from adapter.fhir import codec
from adapter.inbox.ordering import REVISIONS, is_early
from adapter.text_folding import fold_text

__all__ = [
    "CODED_TYPES",
    "LINEAGE_DOUBTS",
    "EarlierVersion",
    "LineageChoice",
    "choose_lineage",
    "found_at",
    "identity_marks",
    "may_correct",
]

LINEAGE_DOUBTS = ("several-versions", "other-time", "corrects-unknown", "withdraws-unknown")
"""Why a person must say what it is a version of."""

CODED_TYPES = frozenset(("DiagnosticReport", "Observation", "Procedure"))
"""Results whose code says what was measured or done."""

_TIMED = frozenset(("Observation", "Procedure"))
_MOST = 16  # identifiers, and codings, that are read of one resource
_WITHDRAWN = "entered-in-error"


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """The newest version of a lineage that shares an identity mark. `deliveries` are all that brought any."""

    lineage: int
    status: str
    found_at: str | None
    deliveries: frozenset[str]


@dataclass(frozen=True, slots=True)
class LineageChoice:
    """The lineage, None: a new one; and why a person should look."""

    lineage: int | None = None
    doubt: str | None = None


def identity_marks(resource: codec.Resource) -> tuple[list[str], list[str]]:
    """What a version is recognised by, as digests: each identifier with each coding, or with the text where
    there is no coding; and each identifier alone. A value without a system ("1", "17/2026") is unique
    nowhere, so it identifies nothing.
    """
    numbers = list(islice(dict.fromkeys(_identifiers(resource)), _MOST))
    codes = list(islice(dict.fromkeys(_codes(resource)), _MOST))
    if resource.get("resourceType") not in CODED_TYPES:
        codes = [""]
    marks = [_digest(f"{number}\x1f{code}") for number in numbers for code in codes or [""]]
    return marks, [_digest(f"{number}\x1f\x1falone") for number in numbers]


def choose_lineage(
    resource: codec.Resource,
    *,
    delivery: str | None,
    sharing: Sequence[EarlierVersion],
    shares_number: bool,
) -> LineageChoice:
    """For what has no earlier version under its URL. `sharing` are the lineages that share a mark,
    `shares_number` tells that some share an identifier, whatever their codes.
    """
    type_, status = str(resource.get("resourceType")), str(resource.get("status", ""))
    corrects = type_ in CODED_TYPES and status in REVISIONS
    if not corrects and delivery is not None:  # what came along is another result, not an earlier version
        sharing = [one for one in sharing if one.deliveries != {delivery}]
    if not sharing:
        if type_ in CODED_TYPES and status == _WITHDRAWN:
            return LineageChoice(doubt="withdraws-unknown")
        return LineageChoice(doubt="corrects-unknown" if corrects and shares_number else None)
    moment = found_at(resource)
    same = [one for one in sharing if not _another_time(moment, one.found_at)]
    if len(sharing) > 1:
        exact = [one for one in sharing if moment is not None and one.found_at == moment]
        chosen = exact if len(exact) == 1 else same
        if len(chosen) != 1:
            return LineageChoice(doubt="several-versions")
        return LineageChoice(chosen[0].lineage)
    [known] = sharing
    if type_ in _TIMED and not corrects and not same and not is_early(known.status):
        return LineageChoice(doubt="other-time")
    return LineageChoice(known.lineage)


def found_at(resource: codec.Resource) -> str | None:
    """When the finding holds or the treatment began, as it was written."""
    for name in ("effective", "performed"):
        for kind in ("DateTime", "Instant"):
            if isinstance(value := resource.get(f"{name}{kind}"), str):
                return value
        period = resource.get(f"{name}Period")
        if isinstance(period, dict) and isinstance(value := period.get("start"), str):
            return value
    return None


def may_correct(one: codec.Resource, other: codec.Resource) -> bool:
    """Whether both have a coding (or, without any, their words) in common, and no different time."""
    shared = not set(_codes(one)).isdisjoint(_codes(other))
    return shared and not _another_time(found_at(one), found_at(other))


def _another_time(one: str | None, other: str | None) -> bool:
    """A time left out, or said less exactly, is no other time."""
    if one is None or other is None:
        return False
    return not (one.startswith(other) or other.startswith(one))


def _identifiers(resource: codec.Resource) -> Iterator[str]:
    for item in _objects(resource.get("identifier")):
        system, value = item.get("system"), item.get("value")
        if isinstance(system, str) and isinstance(value, str) and system.strip() and value.strip():
            yield f"{system.strip().rstrip('/')}|{value.strip()}"


def _codes(resource: codec.Resource) -> Iterator[str]:
    code = resource.get("code")
    if not isinstance(code, dict):
        return
    codings = [one for one in _objects(code.get("coding")) if one.get("code")]
    for one in codings:
        yield f"{str(one.get('system') or '').strip().rstrip('/')}|{str(one['code']).strip()}"
    if not codings and isinstance(text := code.get("text"), str):
        yield f"text|{fold_text(text)}"


def _digest(said: str) -> str:
    return codec.digest(said.encode("utf-8", "surrogatepass"))


def _objects(value: Any) -> Collection[dict[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]
