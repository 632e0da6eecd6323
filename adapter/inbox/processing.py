"""One inbox item at a time: decide, then write result, fulfilment and state in one transaction.

A process killed in between leaves the item as it was; doing it again writes the same. The
decisions are `matching`, `ordering` and `local_writes`; this module only asks and writes.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from adapter import audit
from adapter.database import write_transaction
from adapter.inbox import local_writes, matching
from adapter.inbox.awaiting import names_awaited
from adapter.inbox.evidence import Evidence, read_evidence, says_otherwise
from adapter.inbox.lineage import LINEAGE_DOUBTS, may_correct
from adapter.inbox.matching import Candidate, CertainMatch, LookupResult, Match, Unmatched
from adapter.inbox.ordering import ORDER_DOUBTS, REVISIONS, VersionStatus, issued_at, latest, older
from adapter.inbox.ports import RecordWriter, ReferenceDirectory, is_centres_own, look_up_evidence
from adapter.inbox.queue import InboxQueue, match_in_turns, next_look
from adapter.inbox.siblings import Siblings
from adapter.inbox.store import InboxItem, InboxStore
from adapter.telemetry import INBOX_ITEMS, get_logger

__all__ = [
    "ItemReading",
    "audit_item",
    "contradictions_to",
    "decide_item",
    "is_chosen",
    "process_due",
    "process_item",
    "read_item",
    "settle_as_version",
    "settle_item",
    "version_status",
]

_log = get_logger(__name__)
_STORED = ("DiagnosticReport", "Observation", "Procedure")
_DECIDED = (("unlinked",), ("own",), ("own-revised",))  # whatever else is in doubt
_VERSION_DOUBTS = frozenset((*LINEAGE_DOUBTS, *ORDER_DOUBTS))


def process_due(
    queue: InboxQueue,
    store: InboxStore,
    directory_of: Callable[[str], ReferenceDirectory],
    records: RecordWriter,
    clock: Callable[[], datetime],
    **limits: Any,
) -> Counter[str]:
    """Process what is due, as `queue.match_in_turns` with these limits. Counts by what became of the items
    ("failed" is tried again later; one bad item delays no other).
    """

    def process(item: InboxItem) -> str:
        try:
            state = process_item(store, item, directory_of(item.hospital), records, clock())
        except OperationalError:
            raise  # the database is away or locked: nothing is wrong with the item
        except Exception:  # noqa: BLE001 - whatever is wrong with one item must not delay the others
            _log.error("inbox.failed", item=item.id, hospital=item.hospital, exc_info=True)
            queue.record_failure(item, clock())
            state = "failed"
        INBOX_ITEMS.labels(hospital=item.hospital, state=state).inc()
        return state

    queue.wake_awaiting(clock())
    return match_in_turns(queue, process, clock, **limits)


def process_item(
    store: InboxStore, item: InboxItem, directory: ReferenceDirectory, records: RecordWriter, now: datetime
) -> str:
    """Process one item; its new state. An item that another process settled meanwhile stays so.

    What came while it was read first, nobody awaited yet; so what waits is read once more.
    """
    reading = decide_item(store, item, directory)
    state = _settle_as_read(store, item, reading, directory=directory, records=records, now=now)
    if state == "unmatched" and item.state == "new":
        again = decide_item(store, item, directory)
        if again.match != reading.match:
            state = _settle_as_read(store, item, again, directory=directory, records=records, now=now)
    return state


def _settle_as_read(
    store: InboxStore,
    item: InboxItem,
    reading: "ItemReading",
    *,
    directory: ReferenceDirectory,
    records: RecordWriter,
    now: datetime,
) -> str:
    with write_transaction(store.engine) as connection:
        if isinstance(reading.match, CertainMatch):
            # takes the records' lock first, as an import
            records.lives(reading.match.cadre, connection=connection)
        versions = store.versions(connection, item)
        current = next((one for one in versions if one.id == item.id), None)
        if current is None or current.state not in ("new", "unmatched"):
            return current.state if current else "ignored"
        match = _with_doubts(_follow_people(reading, current, versions), reading, current)
        return settle_item(
            connection,
            store,
            current,
            versions,
            match,
            directory=directory,
            records=records,
            now=now,
            awaits=reading.awaits,
        )


@dataclass(frozen=True, slots=True)
class ItemReading:
    """What an item says, whom that leads to, and whose it is."""

    said: Evidence
    found: LookupResult
    match: Match
    candidates: tuple[Candidate, ...] = ()
    doubt: str | None = None
    linked: Evidence | None = None  # what the last version said that a person linked
    awaits: Collection[str] = ()  # names that it was looked for by


def decide_item(store: InboxStore, item: InboxItem, directory: ReferenceDirectory) -> ItemReading:
    """Read the item, look up what it names, decide. Reads only."""
    said, asked = _read(store, item, directory)
    found = look_up_evidence(said, directory)
    match = matching.decide_match(said, found)
    if item.type in _STORED and is_centres_own(item.resource, directory):
        revised = item.resource.get("status") in REVISIONS
        match = Unmatched(("own-revised" if revised else "own",), matching.rank_candidates(said, found))
    doubt = None
    if isinstance(match, CertainMatch) and item.type in _STORED and item.resource.get("status") in REVISIONS:
        others = store.others_of(item, match.cadre)
        if store.is_first(item) and any(may_correct(item.resource, one) for one in others):
            doubt = "corrects-unknown"
    earlier = store.linked_version(item)
    linked = read_item(store, earlier, directory) if earlier else None
    awaits = names_awaited(said, found, asked, directory)
    return ItemReading(said, found, match, matching.rank_candidates(said, found), doubt, linked, awaits)


def contradictions_to(reading: ItemReading, directory: ReferenceDirectory, cadre: str) -> list[str]:
    """Why an item can hardly be this person's, as reasons."""
    person, found = directory.cadre(cadre), reading.found
    against = matching.contradictions(reading.said, person) if person else []
    certain = {
        *(one.cadre for one in found.referrals),
        *found.by_identity,
        *(one.cadre for one in found.by_number if one.trusted),
    }
    if certain and cadre not in certain:
        against.append("subject-differs")
    return against


def read_item(store: InboxStore, item: InboxItem, directory: ReferenceDirectory) -> Evidence:
    """The evidence of an item: what the hospital sent before or along with it is read too."""
    return _read(store, item, directory)[0]


def _read(
    store: InboxStore, item: InboxItem, directory: ReferenceDirectory
) -> tuple[Evidence, Collection[str]]:
    """The evidence, and what of the same hospital was looked for, as `Type/id`."""
    resource = item.resource
    lists = (
        () if resource.get("subject") else store.listed_by(item.hospital, f"{item.type}/{item.resource_id}")
    )
    siblings = Siblings(store, item.hospital, directory.own_bases)
    siblings.fetch((resource, *lists))
    said = read_evidence(resource, siblings, listed_by=lists, own_bases=directory.own_bases)
    if siblings.changed_people:
        said = replace(said, caveats=(*said.caveats, "patient-changed"))
    if not siblings.is_whole:
        said = replace(said, caveats=tuple(dict.fromkeys((*said.caveats, "too-many-references"))))
    return said, (f"{item.type}/{item.resource_id}", *siblings.asked)


def _with_doubts(match: Match, reading: ItemReading, item: InboxItem) -> Match:
    """What is in doubt about the version waits, however certain its person is."""
    doubts = [reason for reason in item.reasons if reason in (*LINEAGE_DOUBTS, "marked-delivery")]
    if reading.doubt and not doubts:
        doubts.append(reading.doubt)
    if not doubts or (isinstance(match, Unmatched) and match.reasons in _DECIDED):
        return match
    reasons = match.reasons if isinstance(match, Unmatched) else ()
    return Unmatched(tuple(dict.fromkeys((*reasons, *doubts))), reading.candidates)


def _follow_people(reading: ItemReading, item: InboxItem, versions: Sequence[InboxItem]) -> Match:
    """A person's decision about an earlier version holds for the later ones, unless they say something else
    about whom they are of.
    """
    match = reading.match
    for earlier in reversed([one for one in versions if one.id < item.id]):
        if earlier.state == "linked" and earlier.cadre:
            other = isinstance(match, CertainMatch) and match.cadre != earlier.cadre
            if other or (reading.linked and says_otherwise(reading.said, reading.linked)):
                reasons = match.reasons if isinstance(match, Unmatched) else ()
                return Unmatched(reasons or ("belongs-to-another",), reading.candidates)
            return CertainMatch(earlier.cadre, (earlier.referral,) if earlier.referral else ())
        if "unlinked" in earlier.reasons:
            return Unmatched(("unlinked",), match.candidates if isinstance(match, Unmatched) else ())
    return match


def settle_item(
    connection: Connection,
    store: InboxStore,
    item: InboxItem,
    versions: Sequence[InboxItem],
    match: Match,
    *,
    directory: ReferenceDirectory,
    records: RecordWriter,
    now: datetime,
    by: str | None = None,
    despite: Sequence[str] = (),
    awaits: Collection[str] = (),
    holds: bool = False,
) -> str:
    """Write what `match` means; the item's new state. `by` is the person who linked it, `despite` what
    contradicted that; `awaits` the names for which it is looked at again if it is nobody's. With `holds` it
    is the version that stood in a record already, so its order is not asked about again.
    """
    key = next(
        (one.result_key for one in reversed(versions) if one.result_key), None
    ) or local_writes.result_key(item.hospital, item.type, versions[0].resource_id)
    if isinstance(match, CertainMatch) and not records.lives(match.cadre, connection=connection):
        match = Unmatched(("person-unknown",))
    outcome: local_writes.LocalWrites | Unmatched = (
        match if isinstance(match, Unmatched) else local_writes.LocalWrites()
    )
    if isinstance(match, CertainMatch):
        standing = version_status(item)
        outcome = local_writes.plan_writes(
            match,
            key=key,
            hospital=item.hospital,
            resource=item.resource,
            body=item.body,
            received_at=item.received_at,
            known=records.stored_result(key),
            latest=latest(
                version_status(one) for one in versions if one.id < item.id and one.state != "ignored"
            ),
            overtaken=any(
                one.id > item.id
                and one.state in ("applied", "linked")
                and not older(version_status(one), standing)
                for one in versions
            ),
            decided=by is not None or any(one.state == "linked" for one in versions),
            chosen=holds or (by is not None and is_chosen(item)),
        )
    if isinstance(outcome, Unmatched):
        if outcome.reasons in (("context",), ("own",)):
            store.settle(item.id, "ignored", now=now, by=None, reasons=outcome.reasons, connection=connection)
            return "ignored"
        candidates = outcome.candidates
        if isinstance(match, CertainMatch) and not candidates:
            candidates = (Candidate(match.cadre, match.referral, ()),)
        is_over = "unlinked" in outcome.reasons  # until a person says whose it is
        store.settle(
            item.id,
            "unmatched",
            now=now,
            reasons=outcome.reasons,
            candidates=candidates,
            due_at=None if is_over else next_look(item.attempts, now),
            awaits=() if is_over else awaits,
            connection=connection,
        )
        return "unmatched"
    assert isinstance(match, CertainMatch)  # noqa: S101 - anything else became Unmatched above
    if outcome.ignored:
        store.settle(
            item.id, "ignored", now=now, reasons=(outcome.ignored,), cadre=match.cadre, connection=connection
        )
        return "ignored"
    _write(connection, records, outcome)
    state = "linked" if by else "applied"
    store.settle(
        item.id,
        state,
        now=now,
        by=by or "matching",
        cadre=match.cadre,
        referral=match.referral,
        result_key=key if outcome.result else None,
        connection=connection,
    )
    subject = directory.audit_subject(match.cadre)
    audit_item(connection, item, f"inbox.{state}", subject, by=by or "matching", now=now, despite=despite)
    return state


def settle_as_version(
    connection: Connection, store: InboxStore, item: InboxItem, match: CertainMatch, *, now: datetime, by: str
) -> None:
    """The item is a version of what was just linked, and not the one that holds: it waits no more."""
    versions = store.lineage_versions(connection, item.lineage)
    store.settle(
        item.id,
        "linked",
        now=now,
        by=by,
        cadre=match.cadre,
        referral=match.referral,
        result_key=next((one.result_key for one in reversed(versions) if one.result_key), None),
        connection=connection,
    )


def is_chosen(item: InboxItem) -> bool:
    """Whether who links this version means that it holds, whatever else came: it waits for just that."""
    return item.state == "ignored" or bool(_VERSION_DOUBTS & set(item.reasons))


def version_status(item: InboxItem) -> VersionStatus:
    """What the order of this version among others depends on."""
    resource = item.resource
    return VersionStatus(str(resource.get("status", "")), issued_at(resource, item.received_at))


def _write(connection: Connection, records: RecordWriter, writes: local_writes.LocalWrites) -> None:
    if writes.result:
        records.save_result(writes.result, connection=connection)
    for one in writes.fulfilments:
        records.fulfil(one.referral, one.effect, one.by, one.at, connection=connection)


def audit_item(
    connection: Connection,
    item: InboxItem,
    action: str,
    subject: str | None,
    *,
    by: str,
    now: datetime,
    despite: Sequence[str] = (),
) -> None:
    """Note what was done with an item, and despite what."""
    details: dict[str, Any] = {"item": item.id, "type": item.type}
    if despite:
        details["despite"] = list(despite)
    audit.append(
        connection, at=now, actor=by, action=action, subject=subject, hospital=item.hospital, details=details
    )
