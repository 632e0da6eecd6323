"""One inbox item at a time: decide, then write result, fulfilment and state in one transaction.

A process killed in between leaves the item as it was; doing it again writes the same. The
decisions are `matching`, `ordering` and `local_writes`; this module only asks and writes.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from adapter import audit
from adapter.awaited import note_arrivals, sent_name
from adapter.database import shared_read_transaction, write_transaction
from adapter.inbox import local_writes
from adapter.inbox.evidence import listed_members
from adapter.inbox.following import FOLLOWS, MOST_MEMBERS, ListLink, follow_people, link_by_lists
from adapter.inbox.item_reading import ItemReading, decide_item, is_chosen
from adapter.inbox.lineage import LINEAGE_DOUBTS
from adapter.inbox.matching import Candidate, CertainMatch, Match, Unmatched
from adapter.inbox.ordering import latest, older
from adapter.inbox.ports import RecordWriter, ReferenceDirectory
from adapter.inbox.queue import InboxQueue, match_in_turns, next_look
from adapter.inbox.store import InboxItem, InboxStore
from adapter.telemetry import INBOX_ITEMS, get_logger

__all__ = [
    "audit_item",
    "process_due",
    "process_item",
    "settle_as_version",
    "settle_item",
]

_log = get_logger(__name__)
_DECIDED = (("unlinked",), ("own",), ("own-revised",))  # whatever else is in doubt


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

    def read() -> tuple[ItemReading, ListLink | None]:
        with shared_read_transaction(store.engine):
            reading = decide_item(store, item, directory)
            return reading, link_by_lists(store, item, reading, directory)

    first, by_lists = read()
    settle = partial(_settle_as_read, store, item, directory=directory, records=records, now=now)
    state = settle(first, by_lists)
    if state == "unmatched" and item.state == "new":
        again, by_lists = read()
        if again.match != first.match or by_lists:
            state = settle(again, by_lists)
    return state


def _settle_as_read(
    store: InboxStore,
    item: InboxItem,
    reading: ItemReading,
    by_lists: ListLink | None,
    *,
    directory: ReferenceDirectory,
    records: RecordWriter,
    now: datetime,
) -> str:
    expected = by_lists.match if by_lists else reading.match
    # What is nobody's is found out again; what is somebody's is in the audit, whose head is kept elsewhere.
    with write_transaction(store.engine, can_be_redone=isinstance(expected, Unmatched)) as connection:
        if isinstance(expected, CertainMatch):
            # takes the records' lock first, as an import
            records.lives(expected.cadre, connection=connection)
        versions = store.versions(connection, item)
        current = next((one for one in versions if one.id == item.id), None)
        if current is None or current.state not in ("new", "unmatched"):
            return current.state if current else "ignored"
        match = follow_people(reading, current, versions)
        follows = bool(by_lists and match is reading.match and by_lists.holds(connection, store))
        if by_lists and follows:
            match = by_lists.match
        return settle_item(
            connection,
            store,
            current,
            versions,
            _with_doubts(match, reading, current),
            directory=directory,
            records=records,
            now=now,
            awaits=reading.awaits,
            follows=follows,
        )


def _with_doubts(match: Match, reading: ItemReading, item: InboxItem) -> Match:
    """What is in doubt about the version waits, however certain its person is."""
    doubts = [reason for reason in item.reasons if reason in (*LINEAGE_DOUBTS, "marked-delivery")]
    if reading.doubt and not doubts:
        doubts.append(reading.doubt)
    if not doubts or (isinstance(match, Unmatched) and match.reasons in _DECIDED):
        return match
    reasons = match.reasons if isinstance(match, Unmatched) else ()
    return Unmatched(tuple(dict.fromkeys((*reasons, *doubts))), reading.candidates)


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
    follows: bool = False,
) -> str:
    """Write what `match` means; the item's new state. `by` is the person who linked it, `despite` what
    contradicted that; `awaits` the names for which it is looked at again if it is nobody's. With `holds` it
    is the version that stood in a record already, so its order is not asked about again; with `follows` it
    is somebody's because what lists it was linked.
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
        standing = item.status
        outcome = local_writes.plan_writes(
            match,
            key=key,
            hospital=item.hospital,
            resource=item.resource,
            body=item.body,
            received_at=item.received_at,
            known=records.stored_result(key),
            latest=latest(one.status for one in versions if one.id < item.id and one.state != "ignored"),
            overtaken=any(
                one.id > item.id and one.state in ("applied", "linked") and not older(one.status, standing)
                for one in versions
            ),
            there=item.there,
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
        reasons=(FOLLOWS,) if follows else (),
        cadre=match.cadre,
        referral=match.referral,
        result_key=key if outcome.result else None,
        connection=connection,
    )
    if by or follows or any(one.state == "linked" for one in versions):
        _wake_listed(connection, item)
    subject = directory.audit_subject(match.cadre)
    audit_item(connection, item, f"inbox.{state}", subject, by=by or "matching", now=now, despite=despite)
    return state


def _wake_listed(connection: Connection, item: InboxItem) -> None:
    """A person's decision about a report or panel holds for what it lists: what waits is looked at again."""
    names = islice(listed_members(item.resource), MOST_MEMBERS)
    note_arrivals(connection, [sent_name(item.hospital, one) for one in names])


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


def _write(connection: Connection, records: RecordWriter, writes: local_writes.LocalWrites) -> None:
    if writes.result:
        records.save_result(writes.result, connection=connection)
    for one in writes.answers:
        records.advance(one, connection=connection)


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
