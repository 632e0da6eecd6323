"""A person says whose an item is, which referral it answers, or what it is a version of; or takes it back."""

from collections.abc import Callable
from datetime import datetime

from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.inbox import matching
from adapter.inbox.erasure import ERASED_BODY
from adapter.inbox.matching import READ_TYPES, CertainMatch
from adapter.inbox.ports import ReferenceDirectory, ReversibleRecordWriter
from adapter.inbox.processing import ItemReading, audit_item, decide_item, settle_item
from adapter.inbox.receive import RESULT_TYPES
from adapter.inbox.store import InboxItem, InboxStore
from adapter.texts import say

__all__ = ["contradictions_to", "link_item", "mark_seen", "unlink_item"]


def _unchecked() -> None:
    """Whatever it was when somebody looked."""


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
    despite: bool = False,
    replaces: int | None = None,
) -> str:
    """A person says whose an item is, and which referral it answers; the item's new state.

    Without `referral`, the one that the item itself names is taken if it is that person's. An item
    that was applied to somebody else moves over. With `replaces` it is a later version of that item. What
    contradicts it is refused, unless the person links `despite` it. `unchanged` may raise while the item is
    locked: then nothing is done. Raises UsageError for what does not exist.
    """
    item = _linkable_item(store, item_id)
    directory = directory_of(item.hospital)
    if directory.cadre(cadre) is None:
        raise UsageError("inbox.no_cadre", cadre=cadre)
    reading = decide_item(store, item, directory)
    against = contradictions_to(reading, directory, cadre)
    if against and not despite:
        what = "; ".join(say(f"inbox.{reason}") for reason in against)
        raise UsageError("inbox.contradicts", item=item_id, cadre=cadre, what=what)
    referral = referral or _named_referral(reading, item, cadre)
    if referral is None and item.type in ("ServiceRequest", "Task"):
        raise UsageError("inbox.needs_referral", item=item_id)
    if referral is not None:
        found = directory.referral(referral)
        if found is None or found.cadre != cadre:
            raise UsageError("inbox.no_referral", referral=referral, cadre=cadre)
    lineage = _lineage_of(store, item, replaces, cadre)
    match = CertainMatch(cadre, (referral,) if referral else ())
    with write_transaction(store.engine) as connection:
        records.lives(cadre, connection=connection)
        store.versions(connection, item)
        unchanged()
        if item.result_key and (lineage != item.lineage or (item.cadre, item.referral) != (cadre, referral)):
            records.take_back(item.result_key, connection=connection)
        store.join_lineage(connection, item, lineage)
        versions = store.lineage_versions(connection, lineage)
        state = settle_item(
            connection,
            store,
            item,
            versions,
            match,
            directory=directory,
            records=records,
            now=now,
            by=by,
            despite=against,
        )
        if item.referral and not item.result_key and item.referral != referral and item.cadre:
            records.answer_again(item.cadre, item.referral, connection=connection)
        return state


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


def _lineage_of(store: InboxStore, item: InboxItem, replaces: int | None, cadre: str) -> int:
    if replaces is None:
        return item.lineage
    other = _linkable_item(store, replaces)
    if (other.hospital, other.type, other.cadre or cadre) != (item.hospital, item.type, cadre):
        raise UsageError("inbox.no_version", item=item.id, other=replaces)
    return other.lineage


def _named_referral(reading: ItemReading, item: InboxItem, cadre: str) -> str | None:
    for found in reading.found.referrals:
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
    item = _linkable_item(store, item_id)
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
        if item.referral and not item.result_key:
            records.answer_again(item.cadre, item.referral, connection=connection)
        subject = directory_of(item.hospital).audit_subject(item.cadre)
        audit_item(connection, item, "inbox.unlinked", subject, by=by, now=now)


def mark_seen(
    store: InboxStore,
    item_id: int,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    by: str,
    now: datetime,
    unchanged: Callable[[], None] = _unchecked,
) -> None:
    """A person has seen a version that was ignored as older: it is not shown again. Raises UsageError where
    there is nothing to see.
    """
    item = store.get(item_id)
    if item is None:
        raise UsageError("inbox.no_item", item=item_id)
    with write_transaction(store.engine) as connection:
        unchanged()
        if not store.mark_seen(item_id, by=by, connection=connection):
            raise UsageError("inbox.nothing_to_see", item=item_id)
        subject = directory_of(item.hospital).audit_subject(item.cadre) if item.cadre else None
        audit_item(connection, item, "inbox.seen", subject, by=by, now=now)


def _linkable_item(store: InboxStore, item_id: int) -> InboxItem:
    item = store.get(item_id)
    if item is None or item.body == ERASED_BODY:
        raise UsageError("inbox.no_item", item=item_id)
    if item.type not in RESULT_TYPES | READ_TYPES:
        raise UsageError("inbox.not_a_result", item=item_id, type=item.type)
    return item
