"""Taking back what a hospital should no longer hold: deleted, or marked as entered in error where its policy
keeps things; dependants first, and believed only when it was read back.
"""

from collections.abc import Sequence

from adapter.delivery.decisions import response_verdicts
from adapter.delivery.decisions.strategy import WriteStrategy, split_writes
from adapter.delivery.read_back import lookup
from adapter.delivery.read_back.lookup import FoundResources
from adapter.delivery.shipping.context import DeliveryContext, HospitalUnavailable, LeasedShipment
from adapter.delivery.shipping.request import RefusedBundle, send_writes
from adapter.fhir.bundle import EntryResponse, Write, normalised_etag
from adapter.fhir.codec import Resource, dumps
from adapter.fhir.entered_in_error import as_entered_in_error, has_entered_in_error, is_entered_in_error
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome, LedgerEntry

__all__ = ["retract"]


def retract(held: LeasedShipment, leaving: Sequence[LedgerEntry]) -> bool:
    """Take these back and read back that they are gone. True if something is still there.

    Raises HospitalUnavailable or LeaseLost; nothing is settled then, and the next run goes on from what is
    there.
    """
    to = held.context
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
    grace = response_verdicts.unknown_grace(to.timeout, fresh=to.search_is_fresh)
    settled = []
    for entry in leaving:
        there = after.get(entry.identity, [])
        if not all(_is_taken_back(to, resource) for resource in there):
            detail = details.get(entry.identity)
            settled.append(
                DeliveryOutcome(
                    entry.identity,
                    EntryEvent.RETRY,
                    reason="still-there",
                    detail=detail,
                    counts_as_attempt=True,
                )
            )
            continue
        # What was sent and never answered may still arrive: its absence is believed only after the grace.
        sent = response_verdicts.latest_sent_at(entry.sent_at, entry.changed_at, now)
        if not _is_unanswered(entry) or (sent is not None and now >= sent + grace):
            how = "entered-in-error" if there else "deleted" if before.get(entry.identity) else "not-there"
            settled.append(DeliveryOutcome(entry.identity, EntryEvent.GONE, proof=how))
        elif sent is None:
            settled.append(DeliveryOutcome(entry.identity, EntryEvent.RETRY, reason=entry.reason))
    to.ledger.settle(held.lease, settled, now)
    to.on_retracted(sum(one.event is EntryEvent.GONE for one in settled))
    return len(settled) < len(leaving) or any(one.event is EntryEvent.RETRY for one in settled)


def _find(held: LeasedShipment, entries: Sequence[LedgerEntry]) -> FoundResources:
    to = held.context
    found = lookup.find_entries(to.client, to.system, entries, to.card, held.prepare_read)
    if isinstance(found, str):
        raise HospitalUnavailable(found)
    return found


def _read_each(held: LeasedShipment, before: FoundResources, after: FoundResources) -> FoundResources:
    """What is still there, read by id: that a search names nothing is no proof where searches are not."""
    still: FoundResources = {}
    for identity, resources in before.items():
        found = [resource for one in resources if (resource := _read(held, one)) is not None]
        if found or identity in after:
            still[identity] = found or after[identity]
    return still


def _read(held: LeasedShipment, known: Resource) -> Resource | None:
    held.prepare_read()
    there = lookup.read_by_id(held.context.client, str(known["resourceType"]), str(known.get("id")))
    if isinstance(there, str):
        raise HospitalUnavailable(there)
    return there


def _is_taken_back(to: DeliveryContext, resource: Resource) -> bool:
    return to.retract == "entered-in-error" and is_entered_in_error(resource, to.system)


def _is_unanswered(entry: LedgerEntry) -> bool:
    return entry.sent_digest is not None and entry.delivered_digest is None


def _write(to: DeliveryContext, entry: LedgerEntry, resource: Resource) -> Write | None:
    """The write that takes a resource back; None where that is done already."""
    remote_id = str(resource.get("id"))
    if to.retract == "delete" or not has_entered_in_error(entry.type):
        return Write(entry.type, entry.identity, remote_id=remote_id, method="DELETE")
    if is_entered_in_error(resource, to.system):
        return None
    etag = normalised_etag((resource.get("meta") or {}).get("versionId")) if to.strategy().if_match else None
    body = dumps(as_entered_in_error(resource, to.system) or {})
    return Write(entry.type, entry.identity, body, remote_id, etag)


def _send(held: LeasedShipment, writes: Sequence[Write], ranks: dict[str, int]) -> dict[str, str]:
    """Send in the order given; where entries may be done in any order, one rank after the other. What is
    refused as a whole is cut in halves. Returns what was said of each that was refused.
    """
    to = held.context
    details: dict[str, str] = {}
    parts = split_writes(writes, ranks, to.strategy())
    while parts:
        part, manner = parts.pop(0), to.strategy()
        if len(part) > manner.max_entries:
            parts[:0] = [part[: manner.max_entries], part[manner.max_entries :]]
            continue
        held.renew()
        answer = send_writes(held, part, {}, manner)
        if isinstance(answer, response_verdicts.BundleVerdict):
            raise HospitalUnavailable(answer.hospital_problem or "busy", retry_after=answer.retry_after)
        if isinstance(answer, RefusedBundle):
            parts[:0] = _again(to, part, answer, manner)
        else:
            to.ledger.hospitals.record_success(to.name, to.clock())
            details |= _refusals(part, answer)
    return details


def _again(
    to: DeliveryContext, part: list[Write], refused: RefusedBundle, manner: WriteStrategy
) -> list[list[Write]]:
    if refused.kind == "no-bundles":
        to.learned.no_bundles = True
        return [part]
    if not manner.proven:  # a Bundle of one may be refused for being a Bundle
        to.learned.no_bundles = True
        return [part]
    middle = (len(part) + 1) // 2
    return [part[:middle], part[middle:]]


def _refusals(part: Sequence[Write], answers: Sequence[EntryResponse]) -> dict[str, str]:
    """What was said of each refused write. Raises HospitalUnavailable where the hospital is to blame."""
    details = {}
    for write, answer in zip(part, answers, strict=True):
        if write.method == "DELETE" and answer.status in (404, 410):
            continue
        verdict = response_verdicts.entry_verdict(answer, write, attempts=0)
        if verdict.hospital_problem:
            raise HospitalUnavailable(verdict.hospital_problem)
        if verdict.kind != "delivered":
            details[write.identity] = verdict.detail
    return details
