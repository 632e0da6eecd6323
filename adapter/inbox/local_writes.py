"""From a match to what will be written locally. Pure.

One result has one key for all its versions, so a correction replaces what it corrects. A version
never replaces a newer one: not a preliminary a final, not an earlier issue a later one, not an
earlier delivery a later one that says nothing about its time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any, Literal, cast

from adapter.fhir.codec import Resource
from adapter.inbox.matching import CertainMatch, FulfilmentEffect, Unmatched, fulfilment_effect

__all__ = [
    "FulfilmentPlan",
    "LocalWrites",
    "ResultPlan",
    "ResultType",
    "StoredResult",
    "issued_at",
    "plan_writes",
    "result_key",
]

ResultType = Literal["DiagnosticReport", "Observation", "Procedure"]

_STORED = ("DiagnosticReport", "Observation", "Procedure")
_EARLY = ("registered", "partial", "preliminary", "preparation", "in-progress", "on-hold")
_WITHDRAWN = "entered-in-error"
_VIETNAM = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What the local record holds under a result key."""

    cadre: str
    status: str
    issued_at: datetime | None


@dataclass(frozen=True, slots=True)
class ResultPlan:
    """A result to write. `body` is the FHIR JSON as received, `resource` the same, parsed."""

    key: str
    cadre: str
    hospital: str
    referral: str | None
    type: ResultType
    status: str
    issued_at: datetime | None
    received_at: datetime
    body: str
    resource: Resource


@dataclass(frozen=True, slots=True)
class FulfilmentPlan:
    """How far a referral got. `by` is the result that says so; None for a Task or ServiceRequest."""

    referral: str
    effect: FulfilmentEffect
    by: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LocalWrites:
    """All that one item writes. `ignored` says why it writes nothing: older-status, older-issue,
    overtaken.
    """

    result: ResultPlan | None = None
    fulfilments: tuple[FulfilmentPlan, ...] = ()
    ignored: str | None = None


def result_key(hospital: str, type_: str, identity: str | None, resource_id: str) -> str:
    """Key of a result: the same for every version of it, `R-<hospital>-<20 hexadecimal digits>`."""
    named = f"i\x1f{identity}" if identity else f"r\x1f{resource_id}"
    data = "\x1f".join((hospital, type_, named)).encode("utf-8", "surrogatepass")
    return f"R-{hospital}-{blake2b(data, digest_size=10).hexdigest()}"


def plan_writes(
    match: CertainMatch,
    *,
    key: str,
    hospital: str,
    resource: Resource,
    body: str,
    received_at: datetime,
    known: StoredResult | None,
    overtaken: bool = False,
    decided: bool = False,
) -> LocalWrites | Unmatched:
    """What a matched resource writes. `known` is stored under its key, `overtaken` tells that a
    later delivery of it was applied, `decided` that a person said whose it is.
    """
    type_, status = str(resource.get("resourceType")), str(resource.get("status", ""))
    stored = type_ in _STORED
    if stored and known is not None:
        if known.cadre != match.cadre and not decided:
            return Unmatched(("belongs-to-another",))
        older = _older(status, issued_at(resource), known, overtaken=overtaken)
        if older:
            return LocalWrites(ignored=older)
    result = None
    if stored:
        result = ResultPlan(
            key=key,
            cadre=match.cadre,
            hospital=hospital,
            referral=match.referral,
            type=cast(ResultType, type_),
            status=status,
            issued_at=issued_at(resource),
            received_at=received_at,
            body=body,
            resource=resource,
        )
    said = fulfilment_effect(type_, status)
    at = min(issued_at(resource) or received_at, received_at)  # a clock that runs ahead is not believed
    fulfilments = (
        tuple(FulfilmentPlan(one, said, key if result else None, at) for one in match.referrals)
        if said
        else ()
    )
    return LocalWrites(result, fulfilments)


def _older(status: str, issued: datetime | None, known: StoredResult, *, overtaken: bool) -> str | None:
    if status == _WITHDRAWN:
        return None  # a withdrawal often keeps the date of what it withdraws
    if status in _EARLY and known.status not in _EARLY:
        return "older-status"
    if issued and known.issued_at and issued != known.issued_at:
        return "older-issue" if issued < known.issued_at else None
    return "overtaken" if overtaken else None


def issued_at(resource: Resource) -> datetime | None:
    """When the result was issued, or else when it was found or done; None when it does not say.

    A date without a time is midnight in Viet Nam; a year or a month alone is no instant.
    """
    for value in _moments(resource):
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                continue
            return moment if moment.tzinfo else moment.replace(tzinfo=_VIETNAM)
    return None


def _moments(resource: Resource) -> Iterable[Any]:
    yield resource.get("issued")
    yield resource.get("lastModified")
    for name in ("effective", "performed"):
        yield resource.get(f"{name}DateTime")
        period = resource.get(f"{name}Period")
        if isinstance(period, dict):
            yield period.get("end")
            yield period.get("start")
