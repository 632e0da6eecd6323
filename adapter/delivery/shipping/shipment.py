"""One shipment: what is unanswered is looked up, what must go is taken back, what is pending is sent;
every answer is settled under the lease before the next request, or with the shipment's end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapter.delivery.decisions import response_verdicts
from adapter.delivery.decisions.strategy import WriteStrategy
from adapter.delivery.read_back import lookup
from adapter.delivery.shipping.context import HospitalUnavailable, LeasedShipment
from adapter.delivery.shipping.retraction import retract
from adapter.delivery.shipping.sending import PendingSender, remote_ids
from adapter.errors import PlanChanged
from adapter.fhir.bundle import Target
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.values import DeliveryOutcome, LedgerEntry

__all__ = ["ShipmentResult", "ship"]

_SENT = (EntryState.SENDING, EntryState.UNKNOWN)
_BROKEN_OFF = ("dropped", "timeout")  # no answer came


@dataclass(frozen=True, slots=True)
class ShipmentResult:
    """What is left of a shipment: when it is due again (None: done, or waiting for a person), and whether
    that counts as a failed attempt.
    """

    due_at: datetime | None
    counts_as_attempt: bool = False


def ship(held: LeasedShipment) -> ShipmentResult:
    """Do all that can be done for one claimed shipment; whoever claimed it finishes it. Raises LeaseLost
    when another worker took it over meanwhile; nothing was settled then.
    """
    to, burn = held.context, False
    try:
        if not to.server.holds(held.prepare_read):
            return ShipmentResult(to.clock())  # the hospital is halted, and it stays due
        due_at, burn = _work(held)
    except PlanChanged:
        due_at = to.clock()  # at once, from what is wished for now
    except HospitalUnavailable as trouble:
        now = to.clock()
        to.server.lose()
        to.ledger.hospitals.record_failure(to.name, trouble.why, retry_after=trouble.retry_after, now=now)
        due_at = now + trouble.grace  # behind all others that are due; the breaker holds them all
        burn = trouble.is_suspect
    return ShipmentResult(due_at, burn)


def _work(held: LeasedShipment) -> tuple[datetime | None, bool]:
    """When the shipment is due again (None: done, or waiting for a person), and whether it failed."""
    to, lease = held.context, held.lease
    entries = to.ledger.entries(to.name, [lease.cadre])[lease.cadre]
    if any(entry.state in _SENT for entry in entries):
        again_at = _look_up(held, [entry for entry in entries if entry.state in _SENT], entries)
        if again_at is not None:
            return again_at, False  # the hospital may still be at work on it: nothing else goes meanwhile
        entries = to.ledger.entries(to.name, [lease.cadre])[lease.cadre]
    leaving = [entry for entry in entries if entry.state is EntryState.RETRACTING]
    again = retract(held, leaving) if leaving else False
    again |= PendingSender(held, entries).run()
    if not again:
        return None, False
    return to.clock() + timedelta(seconds=2.0 ** min(lease.attempts + 1, 10)), True


def _look_up(
    held: LeasedShipment, unanswered: Sequence[LedgerEntry], all_entries: Sequence[LedgerEntry]
) -> datetime | None:
    """Settle what was never answered. What is there as sent is delivered at once; what is not there may
    still be coming, and is believed absent only after a grace: the time to look again, or None.
    """
    to, lease = held.context, held.lease
    found = lookup.find_entries(to.client, to.system, unanswered, to.card, held.prepare_read)
    if isinstance(found, str):
        lost = [
            DeliveryOutcome(entry.identity, EntryEvent.LOSE, reason=response_verdicts.reason_of(found))
            for entry in unanswered
        ]
        to.ledger.settle(lease, lost, to.clock())
        raise HospitalUnavailable(found)
    known = _with_found(remote_ids(all_entries), unanswered, found)
    now = to.clock()
    grace = response_verdicts.unknown_grace(to.timeout, fresh=to.search_is_fresh)
    sent = {
        entry.identity: response_verdicts.latest_sent_at(entry.sent_at, entry.changed_at, now)
        for entry in unanswered
    }
    believed_at = max(at or now for at in sent.values()) + grace
    judged = [
        (entry, lookup.lookup_outcome(entry, found.get(entry.identity, []), known)) for entry in unanswered
    ]
    certain = [
        (entry, one) for entry, one in judged if one.event is not EntryEvent.ABSENT or now >= believed_at
    ]
    manner = to.strategy()
    settled = [
        _absent(entry, one, manner) if one.event is EntryEvent.ABSENT else one for entry, one in certain
    ]
    undated = [entry for entry, one in judged if (entry, one) not in certain and sent[entry.identity] is None]
    looked = [DeliveryOutcome(e.identity, EntryEvent.LOSE, reason=e.reason, detail=e.detail) for e in undated]
    to.ledger.settle(lease, settled + looked, now)
    to.on_settled(sum(one.event is EntryEvent.CONFIRM for one in settled))
    return None if len(settled) == len(judged) else believed_at


def _with_found(
    known: dict[Target, str], entries: Sequence[LedgerEntry], found: lookup.FoundResources
) -> dict[Target, str]:
    """Known ids, and those that a lookup revealed."""
    there = {
        (entry.type, entry.identity): str(resource.get("id"))
        for entry in entries
        for resource in found.get(entry.identity, ())
    }
    return {**known, **there}


def _absent(entry: LedgerEntry, one: DeliveryOutcome, manner: WriteStrategy) -> DeliveryOutcome:
    """What is not there as it was sent goes again; but what the server failed on again and again, while it
    served others, waits for a person. So does, at once, what broke the line and is larger than all that the
    server was seen to take: not every server says that a body is too large.
    """
    broke = entry.attempts > 0 and entry.reason in _BROKEN_OFF
    if broke and manner.is_beyond_measured(len(entry.body or b"")):
        return replace(one, event=EntryEvent.REFUSE, reason="too-large", detail=entry.detail)
    if entry.attempts >= response_verdicts.MAX_POISON_ATTEMPTS:
        return replace(one, event=EntryEvent.REFUSE, reason="server-error", detail=entry.detail)
    return replace(one, reason=entry.reason, detail=entry.detail)
