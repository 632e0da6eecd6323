"""One request to a hospital, and what became of it for each of its writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter.delivery.decisions import response_verdicts
from adapter.delivery.decisions.strategy import WriteStrategy
from adapter.delivery.http.client import HttpResult, NoResponse
from adapter.delivery.shipping.context import DeliveryContext, HospitalUnavailable, LeasedShipment
from adapter.fhir import codec
from adapter.fhir.bundle import (
    EntryResponse,
    Target,
    Write,
    build_bundle,
    pair_responses,
    single_request,
    single_response,
)
from adapter.fhir.operation_outcome import Issue, parse_issues
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome
from adapter.ledger.workers.death_detection import uptime

__all__ = ["RefusedBundle", "send_and_settle", "send_writes"]

_FIRST_LOOK = timedelta(seconds=1)  # after an answer that never came
_GATEWAY_TIMEOUT = 504
_TOO_MUCH = ("timeout", "too-large")  # why no answer came: fewer entries may help


@dataclass(frozen=True, slots=True)
class RefusedBundle:
    """A request was refused as a whole, and nothing of it was taken. `suspect`: the entry that it names."""

    kind: str  # of a verdict: split, smaller or no-bundles
    status: int
    issues: tuple[Issue, ...]

    @property
    def suspect(self) -> int | None:
        """The index of the entry that the server blames, if it says one."""
        return response_verdicts.suspect_index(self.issues)


def send_and_settle(
    held: LeasedShipment,
    writes: Sequence[Write],
    known: Mapping[Target, str],
    manner: WriteStrategy,
    *,
    since: datetime,
) -> Sequence[EntryResponse] | RefusedBundle:
    """Send these writes in one request; the answer to each of them, or that they were refused as a whole.
    They are in flight in the ledger meanwhile. `since`: when they were last sent, or planned.

    Raises HospitalUnavailable after settling them as unknown or as not sent; LeaseLost; PlanChanged.
    """
    to = held.context
    held.start({write.identity: codec.digest(write.body) for write in writes})
    found = send_writes(held, writes, known, manner)
    if not isinstance(found, response_verdicts.BundleVerdict):
        to.ledger.hospitals.record_success(to.name, to.clock())
        if isinstance(found, RefusedBundle):
            _settle_all(held, writes, EntryEvent.RETRY, "refused")
        return found
    lost = found.kind == "unknown"
    why = found.hospital_problem or "refused"
    _settle_all(
        held,
        writes,
        EntryEvent.LOSE if lost else EntryEvent.RETRY,
        response_verdicts.reason_of(why),
        found.detail,
        burn=lost and _serves_others(to, since),
    )
    raise HospitalUnavailable(
        why, retry_after=found.retry_after, grace=_FIRST_LOOK if lost else None, is_suspect=lost
    )


def send_writes(
    held: LeasedShipment, writes: Sequence[Write], known: Mapping[Target, str], manner: WriteStrategy
) -> Sequence[EntryResponse] | RefusedBundle | response_verdicts.BundleVerdict:
    """Send these writes, the lease being held: the answer to each, that they were refused as a whole, or
    what is wrong with the hospital (kinds unknown and later). Settles nothing. Raises LeaseLost.
    """
    if manner.form == "single":
        return _ask_singly(held, writes[0], known, repeatable=manner.is_repeatable(writes[0]))
    to = held.context
    body = build_bundle(writes, system=to.system, known=known, form=manner.form)
    begun = _Begun(held)
    repeatable = all(manner.is_repeatable(write) for write in writes)
    reply = to.client.send("POST", "", body, before_each_try=begun, repeatable=repeatable)
    verdict = _of_bundle(reply, writes, manner)
    if not repeatable and not isinstance(reply, NoResponse):
        verdict = response_verdicts.doubted(verdict)
    _tell(to, len(writes), reply, verdict, begun.seconds())
    if isinstance(reply, NoResponse) or verdict.kind in ("unknown", "later"):
        return verdict
    if verdict.kind == "read":
        answers = pair_responses(writes, reply.body)
        return answers or response_verdicts.BundleVerdict("unknown", hospital_problem="unreadable-answer")
    if len(writes) == 1 and verdict.kind != "no-bundles" and (manner.proven or verdict.kind == "smaller"):
        return [EntryResponse(reply.status, issues=parse_issues(reply.body))]  # it can only be this one
    return RefusedBundle(verdict.kind, reply.status, parse_issues(reply.body))


class _Begun:
    """The lease, proved as a request leaves, and how long ago that was: what it waited for its turn is no
    time that the hospital took.
    """

    def __init__(self, held: LeasedShipment) -> None:
        self._held = held
        self._at = uptime()

    def __call__(self) -> None:
        self._held.check_lease()
        self._at = uptime()

    def seconds(self) -> float:
        """Since it left."""
        return uptime() - self._at


def _tell(
    to: DeliveryContext,
    entries: int,
    reply: HttpResult,
    verdict: response_verdicts.BundleVerdict,
    seconds: float,
) -> None:
    """What an answer says of how much the hospital manages at once. Nothing, where it never arrived, or is
    limited in requests: less in each would only make more of them. Nor where the line broke early.
    """
    if isinstance(reply, NoResponse):
        late = reply.may_have_arrived and (reply.why in _TOO_MUCH or seconds > to.timeout / 2)
    else:
        late = reply.status == _GATEWAY_TIMEOUT
    if late or verdict.kind == "smaller":
        to.bundle_size.observe(entries, None)
    elif verdict.kind in ("read", "split"):
        to.bundle_size.observe(entries, seconds)


def _of_bundle(
    reply: HttpResult, writes: Sequence[Write], manner: WriteStrategy
) -> response_verdicts.BundleVerdict:
    if isinstance(reply, NoResponse):
        return response_verdicts.no_response_verdict(sent=reply.may_have_arrived, why=reply.why)
    return response_verdicts.bundle_verdict(
        reply.status,
        is_fhir=reply.is_fhir,
        had_ids=any(write.remote_id for write in writes),
        retry_after=reply.retry_after,
        issues=parse_issues(reply.body),
        proven=manner.proven,
        redirected_to=reply.redirected_to,
    )


def _ask_singly(
    held: LeasedShipment, write: Write, known: Mapping[Target, str], *, repeatable: bool
) -> Sequence[EntryResponse] | response_verdicts.BundleVerdict:
    request = single_request(write, system=held.context.system, known=known)
    begun = _Begun(held)
    reply = held.context.client.send(
        request.method,
        request.url,
        request.body,
        request.headers,
        before_each_try=begun,
        repeatable=repeatable,
    )
    if isinstance(reply, NoResponse):
        return response_verdicts.no_response_verdict(sent=reply.may_have_arrived, why=reply.why)
    verdict = response_verdicts.single_verdict(
        reply.status,
        is_fhir=reply.is_fhir,
        is_empty=reply.is_empty,
        retry_after=reply.retry_after,
        issues=parse_issues(reply.body),
        redirected_to=reply.redirected_to,
    )
    if not repeatable:
        verdict = response_verdicts.doubted(verdict)
    _tell(held.context, 1, reply, verdict, begun.seconds())
    return (
        verdict
        if verdict.kind != "read"
        else [single_response(write, reply.status, reply.headers, reply.body)]
    )


def _serves_others(to: DeliveryContext, since: datetime) -> bool:
    """Whether the hospital took something of somebody since these were sent last: then it is not down,
    and what it fails on counts against the message.
    """
    contact = to.ledger.hospitals.row(to.name).last_contact
    return contact is not None and contact > since


def _settle_all(
    held: LeasedShipment,
    writes: Sequence[Write],
    event: EntryEvent,
    reason: str,
    detail: str = "",
    *,
    burn: bool = False,
) -> None:
    settled = [
        DeliveryOutcome(write.identity, event, reason=reason, detail=detail, counts_as_attempt=burn)
        for write in writes
    ]
    held.context.ledger.settle(held.lease, settled, held.context.clock())
