"""One request to a hospital, and what became of it for each of its writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter.delivery import retry
from adapter.delivery.client import Reply, Silence
from adapter.delivery.destination import Destination, Held, HospitalTrouble
from adapter.delivery.strategy import Manner
from adapter.fhir import codec
from adapter.fhir.bundle import EntryAnswer, Target, Write, answer_to, bundle, pair, single
from adapter.fhir.outcome import Issue, issues_of
from adapter.ledger.model import Settled
from adapter.ledger.state import Event
from adapter.ledger.watch import ticks

__all__ = ["Refused", "ask", "exchange"]

_FIRST_LOOK = timedelta(seconds=1)  # after an answer that never came
_GATEWAY_TIMEOUT = 504
_TOO_MUCH = ("timeout", "too-large")  # why no answer came: fewer entries may help


@dataclass(frozen=True, slots=True)
class Refused:
    """A request was refused as a whole, and nothing of it was taken. `suspect`: the entry that it names."""

    kind: str  # of a verdict: split, smaller or no-bundles
    status: int
    issues: tuple[Issue, ...]

    @property
    def suspect(self) -> int | None:
        """The index of the entry that the server blames, if it says one."""
        return retry.suspect(self.issues)


def exchange(
    held: Held, writes: Sequence[Write], known: Mapping[Target, str], manner: Manner, *, since: datetime
) -> Sequence[EntryAnswer] | Refused:
    """Send these writes in one request; the answer to each of them, or that they were refused as a whole.
    They are in flight in the ledger meanwhile. `since`: when they were last sent, or planned.

    Raises HospitalTrouble after settling them as unknown or as not sent; LeaseLost; PlanChanged.
    """
    to = held.to
    held.start({write.identity: codec.digest(write.body) for write in writes})
    found = ask(held, writes, known, manner)
    if not isinstance(found, retry.BundleVerdict):
        to.ledger.hospitals.reached(to.name, to.clock())
        if isinstance(found, Refused):
            _settle_all(held, writes, Event.RETRY, "refused")
        return found
    lost = found.kind == "unknown"
    why = found.hospital or "refused"
    _settle_all(
        held,
        writes,
        Event.LOSE if lost else Event.RETRY,
        why,
        found.detail,
        burn=lost and _serves_others(to, since),
    )
    raise HospitalTrouble(why, asked=found.wait, grace=_FIRST_LOOK if lost else None, lost=lost)


def ask(
    held: Held, writes: Sequence[Write], known: Mapping[Target, str], manner: Manner
) -> Sequence[EntryAnswer] | Refused | retry.BundleVerdict:
    """Send these writes, the lease being held: the answer to each, that they were refused as a whole, or
    what is wrong with the hospital (kinds unknown and later). Settles nothing. Raises LeaseLost.
    """
    if manner.form == "single":
        return _ask_singly(held, writes[0], known)
    to = held.to
    body = bundle(writes, system=to.system, known=known, form=manner.form)
    begun = _Begun(held)
    reply = to.client.send("POST", "", body, before=begun)
    verdict = _of_bundle(reply, writes, manner)
    _tell(to, len(writes), reply, verdict, begun.seconds())
    if isinstance(reply, Silence) or verdict.kind in ("unknown", "later"):
        return verdict
    if verdict.kind == "read":
        answers = pair(writes, reply.body)
        return answers or retry.BundleVerdict("unknown", hospital="unreadable-answer")
    if len(writes) == 1 and verdict.kind != "no-bundles" and (manner.proven or verdict.kind == "smaller"):
        return [EntryAnswer(reply.status, issues=issues_of(reply.body))]  # it can only be this one
    return Refused(verdict.kind, reply.status, issues_of(reply.body))


class _Begun:
    """The lease, proved as a request leaves, and how long ago that was: what it waited for its turn is no
    time that the hospital took.
    """

    def __init__(self, held: Held) -> None:
        self._held = held
        self._at = ticks()

    def __call__(self) -> None:
        self._held.check()
        self._at = ticks()

    def seconds(self) -> float:
        """Since it left."""
        return ticks() - self._at


def _tell(to: Destination, entries: int, reply: Reply, verdict: retry.BundleVerdict, seconds: float) -> None:
    """What an answer says of how much the hospital manages at once. Nothing, where it never arrived, or is
    limited in requests: less in each would only make more of them. Nor where the line broke early.
    """
    if isinstance(reply, Silence):
        late = reply.sent and (reply.why in _TOO_MUCH or seconds > to.timeout / 2)
    else:
        late = reply.status == _GATEWAY_TIMEOUT
    if late or verdict.kind == "smaller":
        to.pace.took(entries, None)
    elif verdict.kind in ("read", "split"):
        to.pace.took(entries, seconds)


def _of_bundle(reply: Reply, writes: Sequence[Write], manner: Manner) -> retry.BundleVerdict:
    if isinstance(reply, Silence):
        return retry.of_silence(sent=reply.sent, why=reply.why)
    return retry.of_bundle(
        reply.status,
        is_fhir=reply.is_fhir,
        had_ids=any(write.remote_id for write in writes),
        retry_after=reply.retry_after,
        issues=issues_of(reply.body),
        proven=manner.proven,
    )


def _ask_singly(
    held: Held, write: Write, known: Mapping[Target, str]
) -> Sequence[EntryAnswer] | retry.BundleVerdict:
    request = single(write, system=held.to.system, known=known)
    begun = _Begun(held)
    reply = held.to.client.send(request.method, request.url, request.body, request.headers, before=begun)
    if isinstance(reply, Silence):
        return retry.of_silence(sent=reply.sent, why=reply.why)
    verdict = retry.of_single(
        reply.status,
        is_fhir=reply.is_fhir,
        is_empty=reply.is_empty,
        retry_after=reply.retry_after,
        issues=issues_of(reply.body),
    )
    _tell(held.to, 1, reply, verdict, begun.seconds())
    return verdict if verdict.kind != "read" else [answer_to(write, reply.status, reply.headers, reply.body)]


def _serves_others(to: Destination, since: datetime) -> bool:
    """Whether the hospital took something of somebody since these were sent last: then it is not down,
    and what it fails on counts against the message.
    """
    contact = to.ledger.hospitals.row(to.name).last_contact
    return contact is not None and contact > since


def _settle_all(
    held: Held, writes: Sequence[Write], event: Event, reason: str, detail: str = "", *, burn: bool = False
) -> None:
    settled = [Settled(write.identity, event, reason=reason, detail=detail, burn=burn) for write in writes]
    held.to.ledger.settle(held.lease, settled, held.to.clock())
