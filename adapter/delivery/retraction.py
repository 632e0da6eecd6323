"""Taking back what a hospital should no longer hold: deleted, or marked as entered in error where its policy
keeps things; dependants first, and believed only when it was read back.
"""

from collections.abc import Sequence

from adapter.delivery import lookup, retry
from adapter.delivery.destination import Destination, Held, HospitalTrouble
from adapter.delivery.exchange import Refused, ask
from adapter.delivery.lookup import Found
from adapter.delivery.strategy import Manner, in_parts
from adapter.fhir.bundle import EntryAnswer, Write, etag_of
from adapter.fhir.codec import Resource, dumps
from adapter.fhir.withdrawal import can_be_withdrawn, is_withdrawn, withdrawn
from adapter.ledger.model import Entry, Settled
from adapter.ledger.state import Event

__all__ = ["retract"]


def retract(held: Held, leaving: Sequence[Entry]) -> bool:
    """Take these back and read back that they are gone. True if something is still there.

    Raises HospitalTrouble or LeaseLost; nothing is settled then, and the next run goes on from what is there.
    """
    to = held.to
    before = _find(held, leaving)
    in_order = sorted(leaving, key=lambda entry: -entry.rank)
    writes = [
        write
        for entry in in_order
        for resource in before.get(entry.identity, ())
        if (write := _write(to, entry, resource)) is not None
    ]
    ranks = {entry.identity: entry.rank for entry in leaving}
    details = _send(held, writes, ranks)
    after = _find(held, leaving) if writes else before
    if to.card.search_by_identifier is not True:
        after = _read_each(held, before, after)
    now = to.clock()
    grace = retry.unknown_grace(to.timeout, fresh=to.is_fresh)
    settled = []
    for entry in leaving:
        there = after.get(entry.identity, [])
        if not all(_is_taken_back(to, resource) for resource in there):
            detail = details.get(entry.identity)
            settled.append(
                Settled(entry.identity, Event.RETRY, reason="still-there", detail=detail, burn=True)
            )
            continue
        # What was sent and never answered may still arrive: its absence is believed only after the grace.
        sent = retry.sent_by(entry.sent_at, entry.changed_at, now)
        if not _is_unanswered(entry) or (sent is not None and now >= sent + grace):
            how = "entered-in-error" if there else "deleted" if before.get(entry.identity) else "not-there"
            settled.append(Settled(entry.identity, Event.GONE, proof=how))
        elif sent is None:
            settled.append(Settled(entry.identity, Event.RETRY, reason=entry.reason))
    to.ledger.settle(held.lease, settled, now)
    to.on_retracted(sum(one.event is Event.GONE for one in settled))
    return len(settled) < len(leaving) or any(one.event is Event.RETRY for one in settled)


def _find(held: Held, entries: Sequence[Entry]) -> Found:
    to = held.to
    targets = [(entry.type, entry.identity) for entry in entries]
    found = lookup.find(to.client, to.system, targets, to.card, held.keep)
    if isinstance(found, str):
        raise HospitalTrouble(found)
    return found


def _read_each(held: Held, before: Found, after: Found) -> Found:
    """What is still there, read by id: that a search names nothing is no proof where searches are not."""
    still: Found = {}
    for identity, resources in before.items():
        found = [resource for one in resources if (resource := _read(held, one)) is not None]
        if found or identity in after:
            still[identity] = found or after[identity]
    return still


def _read(held: Held, known: Resource) -> Resource | None:
    held.keep()
    there = lookup.read(held.to.client, str(known["resourceType"]), str(known.get("id")))
    if isinstance(there, str):
        raise HospitalTrouble(there)
    return there


def _is_taken_back(to: Destination, resource: Resource) -> bool:
    return to.retract == "entered-in-error" and is_withdrawn(resource, to.system)


def _is_unanswered(entry: Entry) -> bool:
    return entry.sent_digest is not None and entry.delivered_digest is None


def _write(to: Destination, entry: Entry, resource: Resource) -> Write | None:
    """The write that takes a resource back; None where that is done already."""
    remote_id = str(resource.get("id"))
    if to.retract == "delete" or not can_be_withdrawn(entry.type):
        return Write(entry.type, entry.identity, remote_id=remote_id, method="DELETE")
    if is_withdrawn(resource, to.system):
        return None
    etag = etag_of((resource.get("meta") or {}).get("versionId")) if to.manner().if_match else None
    body = dumps(withdrawn(resource, to.system) or {})
    return Write(entry.type, entry.identity, body, remote_id, etag)


def _send(held: Held, writes: Sequence[Write], ranks: dict[str, int]) -> dict[str, str]:
    """Send in the order given; where entries may be done in any order, one rank after the other. What is
    refused as a whole is cut in halves. Returns what was said of each that was refused.
    """
    to = held.to
    details: dict[str, str] = {}
    parts = in_parts(writes, ranks, to.manner())
    while parts:
        part, manner = parts.pop(0), to.manner()
        if len(part) > manner.max_entries:
            parts[:0] = [part[: manner.max_entries], part[manner.max_entries :]]
            continue
        held.renew()
        answer = ask(held, part, {}, manner)
        if isinstance(answer, retry.BundleVerdict):
            raise HospitalTrouble(answer.hospital or "busy", asked=answer.wait)
        if isinstance(answer, Refused):
            parts[:0] = _again(to, part, answer, manner)
        else:
            to.ledger.hospitals.reached(to.name, to.clock())
            details |= _refusals(part, answer)
    return details


def _again(to: Destination, part: list[Write], refused: Refused, manner: Manner) -> list[list[Write]]:
    if refused.kind == "no-bundles":
        to.learned.no_bundles = True
        return [part]
    if not manner.proven:  # a Bundle of one may be refused for being a Bundle
        to.learned.no_bundles = True
        return [part]
    middle = (len(part) + 1) // 2
    return [part[:middle], part[middle:]]


def _refusals(part: Sequence[Write], answers: Sequence[EntryAnswer]) -> dict[str, str]:
    """What was said of each write that was refused. Raises HospitalTrouble where the hospital is to blame."""
    details = {}
    for write, answer in zip(part, answers, strict=True):
        if write.method == "DELETE" and answer.status in (404, 410):
            continue
        verdict = retry.of_entry(answer, write, attempts=0)
        if verdict.hospital:
            raise HospitalTrouble(verdict.hospital)
        if verdict.kind != "delivered":
            details[write.identity] = verdict.detail
    return details
