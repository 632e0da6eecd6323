"""One inbox item at a time: decide, then write result, fulfilment and state in one transaction.

A process killed in between leaves the item as it was; doing it again writes the same. The
decisions are `matching` and `local_writes`; this module only asks and writes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.inbox import local_writes, matching
from adapter.inbox.erasure import ERASED_BODY
from adapter.inbox.evidence import read_evidence
from adapter.inbox.matching import CertainMatch, Match, Unmatched
from adapter.inbox.ports import RecordWriter, ReferenceDirectory, ReversibleRecordWriter, look_up_evidence
from adapter.inbox.receive import RESULT_TYPES
from adapter.inbox.store import InboxItem, InboxStore
from adapter.telemetry import INBOX_ITEMS, get_logger

__all__ = ["link_item", "process_item", "process_items", "unlink_item"]

_log = get_logger(__name__)
_PAGE = 200
_PATIENCE = 5  # attempts that may fail before the item waits for a person


def _unchecked() -> None:
    """Whatever it was when somebody looked."""


def process_items(
    store: InboxStore,
    directory_of: Callable[[str], ReferenceDirectory],
    records: RecordWriter,
    now: datetime,
    *,
    again: bool = False,
) -> Counter[str]:
    """Process every new item, oldest first; with `again` also those that wait unmatched, since a
    referral's id at the hospital may have become known meanwhile. Counts by what became of them
    ("failed" stays as it was; one bad item delays no other).
    """
    done: Counter[str] = Counter()
    for page in (store.new_items, store.unmatched) if again else (store.new_items,):
        after = 0
        while items := page(_PAGE, after=after):
            after = items[-1].id
            for item in items:
                if "unlinked" not in item.reasons:
                    state = _guarded(store, item, directory_of, records, now)
                    done[state] += 1
                    INBOX_ITEMS.labels(hospital=item.hospital, state=state).inc()
    return done


def _guarded(
    store: InboxStore,
    item: InboxItem,
    directory_of: Callable[[str], ReferenceDirectory],
    records: RecordWriter,
    now: datetime,
) -> str:
    try:
        return process_item(store, item, directory_of(item.hospital), records, now)
    except Exception:  # noqa: BLE001 - whatever is wrong with one item must not delay the others
        _log.error("inbox.failed", item=item.id, hospital=item.hospital, exc_info=True)
        store.record_failure(item.id, now=now, give_up=item.attempts + 1 >= _PATIENCE)
        return "failed"


def process_item(
    store: InboxStore, item: InboxItem, directory: ReferenceDirectory, records: RecordWriter, now: datetime
) -> str:
    """Process one item; its new state. An item that another process settled meanwhile stays so."""
    match = _decide(store, item, directory)
    with write_transaction(store.engine) as connection:
        if isinstance(match, CertainMatch):
            records.lives(match.cadre, connection=connection)  # takes the records' lock first, as an import
        versions = store.versions(connection, item)
        current = next((one for one in versions if one.id == item.id), None)
        if current is None or current.state not in ("new", "unmatched"):
            return current.state if current else "ignored"
        match = _follow_people(match, current, versions)
        return _settle(
            connection, store, current, versions, match, directory=directory, records=records, now=now
        )


def _decide(store: InboxStore, item: InboxItem, directory: ReferenceDirectory) -> Match:
    said = read_evidence(
        item.resource, cache(lambda reference: store.newest_version(item.hospital, reference))
    )
    return matching.decide_match(said, look_up_evidence(said, directory))


def _follow_people(match: Match, item: InboxItem, versions: Sequence[InboxItem]) -> Match:
    """A person's decision about an earlier version holds for the later ones."""
    for earlier in reversed([one for one in versions if one.id < item.id]):
        if earlier.state == "linked" and earlier.cadre:
            return CertainMatch(earlier.cadre, (earlier.referral,) if earlier.referral else ())
        if "unlinked" in earlier.reasons:
            return Unmatched(("unlinked",), match.candidates if isinstance(match, Unmatched) else ())
    return match


def _settle(
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
) -> str:
    """Write what `match` means; the item's new state. `by` is the person who linked it."""
    key = next(
        (one.result_key for one in reversed(versions) if one.result_key), None
    ) or local_writes.result_key(item.hospital, item.type, item.identity, item.resource_id)
    if isinstance(match, CertainMatch) and not records.lives(match.cadre, connection=connection):
        match = Unmatched(("person-unknown",))
    outcome: local_writes.LocalWrites | Unmatched = (
        match if isinstance(match, Unmatched) else local_writes.LocalWrites()
    )
    if isinstance(match, CertainMatch):
        outcome = local_writes.plan_writes(
            match,
            key=key,
            hospital=item.hospital,
            resource=item.resource,
            body=item.body,
            received_at=item.received_at,
            known=records.stored_result(key),
            overtaken=any(one.id > item.id and one.state in ("applied", "linked") for one in versions),
            decided=by is not None or any(one.state == "linked" for one in versions),
        )
    if isinstance(outcome, Unmatched):
        store.settle(
            item.id,
            "unmatched",
            now=now,
            reasons=outcome.reasons,
            candidates=outcome.candidates,
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
    _audit(
        connection, item, f"inbox.{state}", directory.audit_subject(match.cadre), by=by or "matching", now=now
    )
    return state


def _write(connection: Connection, records: RecordWriter, writes: local_writes.LocalWrites) -> None:
    if writes.result:
        records.save_result(writes.result, connection=connection)
    for one in writes.fulfilments:
        records.fulfil(one.referral, one.effect, one.by, one.at, connection=connection)


def link_item(
    store: InboxStore,
    item_id: int,
    cadre: str,
    referral: str | None = None,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    records: ReversibleRecordWriter,
    by: str,
    now: datetime,
    unchanged: Callable[[], None] = _unchecked,
) -> str:
    """A person says whose an item is, and which referral it answers; the item's new state.

    Without `referral`, the one that the item itself names is taken if it is that person's. An item
    that was applied to somebody else moves over. `unchanged` may raise while the item is locked: then nothing
    is done. Raises UsageError for what does not exist.
    """
    item = _result_item(store, item_id)
    directory = directory_of(item.hospital)
    if directory.cadre(cadre) is None:
        raise UsageError("inbox.no_cadre", cadre=cadre)
    referral = referral or _named_referral(store, item, directory, cadre)
    if referral is None and item.type in ("ServiceRequest", "Task"):
        raise UsageError("inbox.needs_referral", item=item_id)
    if referral is not None:
        found = directory.referral(referral)
        if found is None or found.cadre != cadre:
            raise UsageError("inbox.no_referral", referral=referral, cadre=cadre)
    match = CertainMatch(cadre, (referral,) if referral else ())
    with write_transaction(store.engine) as connection:
        records.lives(cadre, connection=connection)
        versions = store.versions(connection, item)
        unchanged()
        if item.result_key and (item.cadre, item.referral) != (cadre, referral):
            records.take_back(item.result_key, connection=connection)
        return _settle(
            connection, store, item, versions, match, directory=directory, records=records, now=now, by=by
        )


def _named_referral(
    store: InboxStore, item: InboxItem, directory: ReferenceDirectory, cadre: str
) -> str | None:
    said = read_evidence(item.resource, lambda reference: store.newest_version(item.hospital, reference))
    for found in look_up_evidence(said, directory).referrals:
        if found.cadre == cadre and found.hospital == item.hospital:
            return found.key
    return None


def unlink_item(
    store: InboxStore,
    item_id: int,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    records: ReversibleRecordWriter,
    by: str,
    now: datetime,
    unchanged: Callable[[], None] = _unchecked,
) -> None:
    """Undo a match: the result leaves the person's record, and all its versions wait again.

    They stay unmatched until a person links them, however certain they look. `unchanged` as for `link_item`.
    """
    item = _result_item(store, item_id)
    if item.state not in ("applied", "linked") or item.cadre is None:
        raise UsageError("inbox.not_linked", item=item_id)
    with write_transaction(store.engine) as connection:
        versions = store.versions(connection, item)
        unchanged()
        if item.result_key:
            records.take_back(item.result_key, connection=connection)
        for version in versions:
            if version.state in ("applied", "linked"):
                store.settle(
                    version.id, "unmatched", now=now, by=by, reasons=("unlinked",), connection=connection
                )
        subject = directory_of(item.hospital).audit_subject(item.cadre)
        _audit(connection, item, "inbox.unlinked", subject, by=by, now=now)


def _result_item(store: InboxStore, item_id: int) -> InboxItem:
    item = store.get(item_id)
    if item is None or item.body == ERASED_BODY:
        raise UsageError("inbox.no_item", item=item_id)
    if item.type not in RESULT_TYPES:
        raise UsageError("inbox.not_a_result", item=item_id, type=item.type)
    return item


def _audit(
    connection: Connection, item: InboxItem, action: str, subject: str, *, by: str, now: datetime
) -> None:
    audit.append(
        connection,
        at=now,
        actor=by,
        action=action,
        subject=subject,
        hospital=item.hospital,
        details={"item": item.id, "type": item.type},
    )
