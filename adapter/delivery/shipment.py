"""One shipment: what is unanswered is looked up, what must go is deleted and read back, what is
pending is sent; every answer is settled under the lease before the next request.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapter.delivery import lookup, retry
from adapter.delivery.client import Answer, HospitalClient, Silence
from adapter.delivery.strategy import Item, next_batch
from adapter.errors import PlanChanged
from adapter.fhir import codec
from adapter.fhir.bundle import EntryAnswer, Target, Write, pair, transaction
from adapter.fhir.outcome import issues_of
from adapter.ledger.model import Entry, Lease, Settled
from adapter.ledger.state import Event, State
from adapter.ledger.store import LedgerStore

__all__ = ["Destination", "Left", "ship"]

_SENT = (State.SENDING, State.UNKNOWN)
_FIRST_LOOK = timedelta(seconds=1)  # after an answer that never came
_FEWER = 8  # entries a Bundle after one was refused as a whole


@dataclass(frozen=True)
class Destination:
    """A hospital as delivery sees it; shared by all workers of one process."""

    name: str
    client: HospitalClient
    ledger: LedgerStore
    system: str  # of our identifiers
    timeout: float
    lease_seconds: float
    max_entries: int
    max_bytes: int
    clock: Callable[[], datetime]
    on_settled: Callable[[int], None]  # how many entries were delivered just now
    on_retracted: Callable[[int], None]  # how many were proved to be gone


class _HospitalTrouble(Exception):
    """The hospital is down, busy or refuses us: the shipment waits with it."""

    def __init__(self, why: str, *, asked: float | None = None, grace: timedelta | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.asked = asked
        self.grace = grace or timedelta()


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a shipment: when it is due again (None: done, or waiting for a person), and whether
    that counts as a failed attempt.
    """

    due_at: datetime | None
    burn: bool = False


def ship(to: Destination, lease: Lease) -> Left:
    """Do all that can be done for one claimed shipment; whoever claimed it gives it back. Raises LeaseLost
    when another worker took it over meanwhile; nothing was settled then.
    """
    burn = False
    try:
        due_at, burn = _work(to, lease)
    except _HospitalTrouble as trouble:
        now = to.clock()
        to.ledger.hospitals.failed(to.name, trouble.why, asked=trouble.asked, now=now)
        due_at = now + trouble.grace  # behind all others that are due; the breaker holds them all
    except PlanChanged:
        due_at = to.clock()
    return Left(due_at, burn)


def _work(to: Destination, lease: Lease) -> tuple[datetime | None, bool]:
    """When the shipment is due again (None: done, or waiting for a person), and whether it failed."""
    entries = to.ledger.entries(to.name, [lease.cadre])[lease.cadre]
    if any(entry.state in _SENT for entry in entries):
        again_at = _look_up(to, lease, [entry for entry in entries if entry.state in _SENT], entries)
        if again_at is not None:
            return again_at, False  # the hospital may still be at work on it: nothing else goes meanwhile
        entries = to.ledger.entries(to.name, [lease.cadre])[lease.cadre]
    leaving = [entry for entry in entries if entry.state is State.RETRACTING]
    again = _retract(to, lease, leaving) if leaving else False
    again |= _send(to, lease, entries)
    if not again:
        return None, False
    return to.clock() + timedelta(seconds=2.0 ** min(lease.attempts + 1, 10)), True


def _look_up(
    to: Destination, lease: Lease, unanswered: Sequence[Entry], all_entries: Sequence[Entry]
) -> datetime | None:
    """Settle what was never answered. What is there as sent is delivered at once; what is not there may
    still be coming, and is believed absent only after a grace: the time to look again, or None.
    """
    found = lookup.find(to.client, to.system, [(entry.type, entry.identity) for entry in unanswered])
    if isinstance(found, str):
        lost = [Settled(entry.identity, Event.LOSE, reason=found) for entry in unanswered]
        to.ledger.settle(lease, lost, to.clock())
        raise _HospitalTrouble(found)
    known = _known(all_entries)
    for entry in unanswered:
        for resource in found.get(entry.identity, ()):
            known[entry.type, entry.identity] = str(resource.get("id"))
    now = to.clock()
    believed_at = max(entry.changed_at for entry in unanswered) + retry.unknown_grace(to.timeout)
    judged = [lookup.judge(entry, found, known) for entry in unanswered]
    settled = [one for one in judged if one.event is not Event.ABSENT or now >= believed_at]
    to.ledger.settle(lease, settled, now)
    to.on_settled(sum(one.event is Event.CONFIRM for one in settled))
    return None if len(settled) == len(judged) else believed_at


def _known(entries: Sequence[Entry]) -> dict[Target, str]:
    return {(entry.type, entry.identity): entry.remote_id for entry in entries if entry.remote_id}


def _send(to: Destination, lease: Lease, entries: Sequence[Entry]) -> bool:
    """Send all that is pending. True if something must be tried again by itself."""
    pending = {entry.identity: entry for entry in entries if entry.state is State.PENDING and entry.body}
    items = [Item.of(e.type, e.identity, e.rank, e.body or b"") for e in pending.values()]
    known = _known(entries)
    limit, again = to.max_entries, False
    while True:
        batch, _waiting = next_batch(items, known, max_entries=limit, max_bytes=to.max_bytes)
        if not batch:
            return again
        writes = [_write(pending[item.identity], item) for item in batch]
        answers = _exchange(to, lease, writes, known)
        if answers is None:
            # Refused as a whole: smaller, then one by one, trusting no index to name the culprit.
            limit = _FEWER if len(batch) > _FEWER else 1
            continue
        settled = [_judged(write, answer, pending) for write, answer in zip(writes, answers, strict=True)]
        settled = _with_ids(to, writes, settled)
        to.ledger.settle(lease, settled, to.clock())
        sent = {write.identity for write in writes}
        items = [item for item in items if item.identity not in sent]
        for write, one in zip(writes, settled, strict=True):
            remote = one.remote_id or write.remote_id
            if one.event is Event.CONFIRM and remote:
                known[write.type, write.identity] = remote
        to.on_settled(sum(one.event is Event.CONFIRM for one in settled))
        again |= any(one.event is Event.RETRY for one in settled)
        if any(one.reason in ("busy", "auth") for one in settled if one.event is Event.RETRY):
            raise _HospitalTrouble("busy")


def _with_ids(to: Destination, writes: Sequence[Write], settled: Sequence[Settled]) -> list[Settled]:
    """The same, with the remote ids that a server did not tell (location is optional) looked up."""
    nameless = {
        write.identity: write.type
        for write, one in zip(writes, settled, strict=True)
        if one.event is Event.CONFIRM and not (one.remote_id or write.remote_id)
    }
    if not nameless:
        return list(settled)
    found = lookup.find(to.client, to.system, [(type_, identity) for identity, type_ in nameless.items()])
    if isinstance(found, str):
        return [
            Settled(one.identity, Event.LOSE, reason=found) if one.identity in nameless else one
            for one in settled
        ]
    return [
        replace(one, remote_id=str(there[0]["id"]))
        if one.identity in nameless and len(there := found.get(one.identity, [])) == 1
        else one
        for one in settled
    ]


def _write(entry: Entry, item: Item) -> Write:
    return Write(entry.type, entry.identity, item.body, entry.remote_id, entry.etag)


def _judged(write: Write, answer: EntryAnswer, pending: dict[str, Entry]) -> Settled:
    verdict = retry.of_entry(
        answer, had_remote_id=write.remote_id is not None, attempts=pending[write.identity].attempts
    )
    if verdict.kind == "delivered":
        return Settled(write.identity, Event.CONFIRM, remote_id=answer.remote_id, etag=answer.etag)
    event = Event.REFUSE if verdict.kind == "park" else Event.RETRY
    return Settled(
        write.identity,
        event,
        reason=verdict.reason,
        detail=verdict.detail,
        forget=verdict.forget,
        burn=verdict.burn,
    )


def _exchange(
    to: Destination, lease: Lease, writes: Sequence[Write], known: dict[Target, str]
) -> tuple[EntryAnswer, ...] | None:
    """Send one Bundle and read its answer. None: refused as a whole, and there were several entries.
    Raises _HospitalTrouble after settling the entries as unknown, or as not sent.
    """
    body = transaction(writes, system=to.system, known=known)
    now = to.clock()
    identities = [write.identity for write in writes]
    sent = {write.identity: codec.digest(write.body) for write in writes}
    lease = to.ledger.start(lease, sent, now, to.lease_seconds)
    to.ledger.shipments.sure(lease, to.timeout)
    reply = to.client.post_bundle(body)
    verdict = _verdict(reply, had_ids=any(write.remote_id for write in writes))
    if verdict.kind == "read" and isinstance(reply, Answer):
        answers = pair(writes, reply.body)
        if answers is not None:
            to.ledger.hospitals.reached(to.name, to.clock())
            return answers
        verdict = retry.BundleVerdict("unknown", hospital="unreadable-answer")
    if verdict.kind == "split" and isinstance(reply, Answer):
        to.ledger.hospitals.reached(to.name, to.clock())
        if len(writes) == 1:
            return (EntryAnswer(reply.status, issues=issues_of(reply.body)),)
        event = Event.RETRY
    else:
        event = Event.LOSE if verdict.kind == "unknown" else Event.RETRY
    why = verdict.hospital or "refused"
    to.ledger.settle(
        lease,
        [Settled(identity, event, reason=why, detail=verdict.detail) for identity in identities],
        to.clock(),
    )
    if verdict.kind == "split":
        return None
    grace = _FIRST_LOOK if verdict.kind == "unknown" else None
    raise _HospitalTrouble(why, asked=verdict.wait, grace=grace)


def _verdict(reply: Answer | Silence, *, had_ids: bool) -> retry.BundleVerdict:
    if isinstance(reply, Silence):
        return retry.of_silence(sent=reply.sent, why=reply.why)
    return retry.of_bundle(
        reply.status,
        is_fhir=reply.is_fhir,
        had_ids=had_ids,
        retry_after=reply.retry_after,
        issues=issues_of(reply.body),
    )


def _retract(to: Destination, lease: Lease, leaving: Sequence[Entry]) -> bool:
    """Delete what must go, dependants first, and read back. True if something is still there."""
    targets = [(entry.type, entry.identity) for entry in leaving]
    before = lookup.find(to.client, to.system, targets)
    if isinstance(before, str):
        raise _HospitalTrouble(before)
    there = [
        Write(entry.type, entry.identity, remote_id=str(resource["id"]), method="DELETE")
        for entry in sorted(leaving, key=lambda entry: -entry.rank)
        for resource in before.get(entry.identity, ())
    ]
    details = _delete(to, there)
    after = lookup.find(to.client, to.system, targets) if there else before
    if isinstance(after, str):
        raise _HospitalTrouble(after)
    now = to.clock()
    grace = retry.unknown_grace(to.timeout)
    # What was sent and never answered may still arrive: its absence is believed only after the grace.
    early = {e.identity for e in leaving if _is_unanswered(e) and now < e.changed_at + grace}
    settled = [
        Settled(
            entry.identity, Event.RETRY, reason="still-there", detail=details.get(entry.identity), burn=True
        )
        if after.get(entry.identity)
        else Settled(entry.identity, Event.GONE)
        for entry in leaving
        if after.get(entry.identity) or entry.identity not in early
    ]
    to.ledger.settle(lease, settled, now)
    to.on_retracted(sum(one.event is Event.GONE for one in settled))
    return len(settled) < len(leaving) or any(one.event is Event.RETRY for one in settled)


def _is_unanswered(entry: Entry) -> bool:
    return entry.sent_digest is not None and entry.delivered_digest is None


def _delete(to: Destination, there: Sequence[Write]) -> dict[str, str]:
    """Delete in Bundles; those refused as a whole one by one. What was said of each that was refused."""
    details: dict[str, str] = {}
    parts = [list(there[start : start + to.max_entries]) for start in range(0, len(there), to.max_entries)]
    while parts:
        part = parts.pop(0)
        reply = to.client.post_bundle(transaction(part, system=to.system, known={}))
        verdict = _verdict(reply, had_ids=True)
        if verdict.kind in ("unknown", "later"):
            raise _HospitalTrouble(verdict.hospital or "busy", asked=verdict.wait)
        if verdict.kind == "split" and len(part) > 1:
            parts = [[write] for write in part] + parts
        elif verdict.kind == "split":
            details[part[0].identity] = verdict.detail
    return details
