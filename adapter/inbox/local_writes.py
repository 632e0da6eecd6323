"""From a match to what will be written locally. Pure.

One result has one key for all its versions, so a correction replaces what it corrects. A version
never replaces a newer one (`ordering`).
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Literal, cast

from adapter.fhir.codec import Resource
from adapter.inbox.matching import CertainMatch, Unmatched
from adapter.inbox.ordering import ServerVersion, VersionStatus, issued_at, older, order_doubt, version_status
from adapter.referrals.details import TaskDetails, details_of
from adapter.referrals.sayings import ReferralSaying, saying_of

__all__ = [
    "AnswerPlan",
    "LocalWrites",
    "ResultPlan",
    "ResultType",
    "StoredResult",
    "plan_writes",
    "result_key",
]

ResultType = Literal["DiagnosticReport", "Observation", "Procedure"]

_STORED = ("DiagnosticReport", "Observation", "Procedure")


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
class AnswerPlan:
    """What is said of a referral. `by` is the result that says so; None for a Task or ServiceRequest."""

    referral: str
    saying: ReferralSaying | None
    by: str | None
    at: datetime
    details: TaskDetails | None = None


@dataclass(frozen=True, slots=True)
class LocalWrites:
    """All that one item writes. `ignored` says why it writes nothing (`ordering.OLDER`)."""

    result: ResultPlan | None = None
    answers: tuple[AnswerPlan, ...] = ()
    ignored: str | None = None


def result_key(hospital: str, type_: str, first_id: str) -> str:
    """Key of a result: the same for every version of it, `R-<hospital>-<20 hexadecimal digits>`. `first_id`
    is under which id its first version came.
    """
    data = "\x1f".join((hospital, type_, "r", first_id)).encode("utf-8", "surrogatepass")
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
    latest: VersionStatus | None = None,
    overtaken: bool = False,
    there: ServerVersion | None = None,
    decided: bool = False,
    chosen: bool = False,
) -> LocalWrites | Unmatched:
    """What a matched resource writes. `known` is stored under its key, `latest` holds of the versions that
    came before, `overtaken` tells that a later delivery of it was applied, `there` what the sender's server
    says of it, `decided` that a person said whose it is, `chosen` that a person chose this very version.
    """
    type_, status = str(resource.get("resourceType")), str(resource.get("status", ""))
    issued = issued_at(resource, received_at)
    stored = type_ in _STORED
    if stored and known is not None and known.cadre != match.cadre and not decided:
        return Unmatched(("belongs-to-another",))
    if latest is None and known is not None:
        latest = VersionStatus(known.status, _believed(known.issued_at, received_at))
    if stored and latest is not None and not chosen:
        order = _order(version_status(resource, received_at, there), latest, overtaken=overtaken)
        if order is not None:
            return order
    result = None
    if stored:
        result = ResultPlan(
            key=key,
            cadre=match.cadre,
            hospital=hospital,
            referral=match.referral,
            type=cast(ResultType, type_),
            status=status,
            issued_at=issued,
            received_at=received_at,
            body=body,
            resource=resource,
        )
    saying, details = saying_of(resource), details_of(resource)
    if saying is None and details is None:
        return LocalWrites(result)
    at, by = issued or received_at, key if result else None
    return LocalWrites(result, tuple(AnswerPlan(one, saying, by, at, details) for one in match.referrals))


def _order(new: VersionStatus, before: VersionStatus, *, overtaken: bool) -> LocalWrites | Unmatched | None:
    why = older(new, before) or ("overtaken" if overtaken else None)
    if why:
        return LocalWrites(ignored=why)
    doubt = order_doubt(new, before)
    return Unmatched((doubt,)) if doubt else None


def _believed(stored: datetime | None, now: datetime) -> datetime | None:
    """A moment that is stored from before and had not come yet says nothing."""
    return stored if stored is None or stored <= now else None
