"""A person says whose an item is, which referral it answers, or what it is a version of; or takes it back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain

from sqlalchemy import Connection

from adapter.database import write_transaction
from adapter.errors import Outdated, UsageError
from adapter.inbox.erasure import ERASED_BODY
from adapter.inbox.following import linked_along
from adapter.inbox.item_reading import ItemReading, contradictions_to, decide_item, named_referral, read_item
from adapter.inbox.link_scope import ListedMember, members_to_link, version_that_holds
from adapter.inbox.matching import READ_TYPES, CertainMatch
from adapter.inbox.patient_rulings import note_link, note_unlink, ruled_subjects, taught_items
from adapter.inbox.ports import ReferenceDirectory, ReversibleRecordWriter
from adapter.inbox.processing import audit_item, settle_as_version, settle_item
from adapter.inbox.recognition import RESULT_TYPES
from adapter.inbox.store import InboxItem, InboxStore
from adapter.texts import say

__all__ = ["link_item", "mark_seen", "unlink_item"]


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

    Without `referral`, the one that the item itself names is taken if it is that person's. An item that was
    applied to somebody else moves over, with what was linked along with it. The link holds for all versions
    of the result, of which the newest goes into the record, and for what a report lists, come or to come;
    and that the patient's number there is this person's is remembered, unless something contradicts.
    With `replaces` it is a later version of that item. What contradicts it is refused, unless the person
    links `despite` it. `unchanged` may raise while the item is locked: then nothing is done. Raises
    UsageError for what does not exist.
    """
    item = _linkable_item(store, item_id)
    directory = directory_of(item.hospital)
    if directory.cadre(cadre) is None:
        raise UsageError("inbox.no_cadre", cadre=cadre)
    lineage = _lineage_of(store, item, replaces, cadre)
    plan = _plan(
        store, item, lineage, directory, cadre=cadre, referral=referral, despite=despite, replaces=replaces
    )
    settle = partial(
        settle_item, store=store, directory=directory, records=records, now=now, by=by, despite=plan.against
    )
    with write_transaction(store.engine) as connection:
        records.lives(cadre, connection=connection)
        former = store.versions(connection, item)
        unchanged()
        store.join_lineage(connection, item, lineage)
        versions = store.lineage_versions(connection, lineage)
        if _holding(item, versions, replaces).id != plan.newest.id:
            raise Outdated("operation.outdated")  # another came this very moment
        for key in _keys_elsewhere((*former, *versions), lineage, plan.match):
            records.take_back(key, connection=connection)
        for moved in chain(
            _along_elsewhere(connection, store, former, cadre),
            _taught_elsewhere(connection, store, item, directory, but=cadre, subjects=plan.subjects),
        ):
            _take_out(connection, store, records, moved, reasons=(), now=now, by=by)
        held = plan.newest.state in ("applied", "linked") or (bool(replaces) and plan.newest.id == item.id)
        state = settle(connection, item=plan.newest, versions=versions, match=plan.match, holds=held)
        if state != "linked":
            raise UsageError("inbox.not_newest", item=item_id)
        for one in _versions_before(connection, store, item, plan.newest):
            settle_as_version(connection, store, one, plan.match, now=now, by=by)
        if plan.newest.id != item.id:
            subject = directory.audit_subject(cadre)
            audit_item(connection, item, "inbox.linked", subject, by=by, now=now, despite=plan.against)
        note_link(connection, item, cadre, plan.subjects, by=by, now=now, is_sure=not plan.against)
        for member in plan.members:
            _link_member(connection, store, member, cadre, settle)
        if item.referral and not item.result_key and item.referral != plan.match.referral and item.cadre:
            records.answer_again(item.cadre, item.referral, connection=connection)
        return state


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a link means: the version that goes into the record, and what is linked along with it."""

    newest: InboxItem
    match: CertainMatch
    against: Sequence[str]  # it is linked despite these
    members: Sequence[ListedMember]
    subjects: Sequence[str]  # the numbers that its patient has there, and the item itself


def _plan(
    store: InboxStore,
    item: InboxItem,
    lineage: int,
    directory: ReferenceDirectory,
    *,
    cadre: str,
    referral: str | None,
    despite: bool,
    replaces: int | None,
) -> _Plan:
    reading = _uncontradicted(store, item, directory, cadre, despite=despite)
    newest = _holding(item, list(reversed(store.of_lineage(lineage))), replaces)
    referral = referral or named_referral(reading, item, cadre)
    if newest.id != item.id:
        reading = _uncontradicted(store, newest, directory, cadre, despite=despite)
        known = newest.referral if newest.cadre == cadre else None
        referral = referral or named_referral(reading, newest, cadre) or known
    _check_referral(item, referral, cadre, directory)
    against = contradictions_to(reading, directory, cadre)
    match = CertainMatch(cadre, (referral,) if referral else ())
    members = members_to_link(store, newest, reading, directory, match=match, despite=against)
    subjects = ruled_subjects(reading.said, directory, lineage)
    return _Plan(newest, match, against, members, subjects)


def _holding(item: InboxItem, versions: Sequence[InboxItem], replaces: int | None) -> InboxItem:
    """The version that goes into the record: the item itself where a person says that it replaces just that
    one, whatever the two say of their order.
    """
    newest = version_that_holds(item, versions)
    return item if newest.id == replaces else newest


def _check_referral(item: InboxItem, referral: str | None, cadre: str, directory: ReferenceDirectory) -> None:
    """Raises UsageError where the item needs one, or that one is not this person's."""
    if referral is None:
        if item.type in ("ServiceRequest", "Task"):
            raise UsageError("inbox.needs_referral", item=item.id)
        return
    found = directory.referral(referral)
    if found is None or found.cadre != cadre:
        raise UsageError("inbox.no_referral", referral=referral, cadre=cadre)


def _keys_elsewhere(versions: Sequence[InboxItem], lineage: int, match: CertainMatch) -> set[str]:
    """Under which keys these versions are in the record elsewhere: another's, or of another referral."""
    here = (lineage, match.cadre, match.referral)
    return {
        one.result_key
        for one in versions
        if one.result_key and (one.lineage, one.cadre, one.referral) != here
    }


def _versions_before(
    connection: Connection, store: InboxStore, item: InboxItem, newest: InboxItem
) -> Iterator[InboxItem]:
    """The other versions of the result that came before the one that holds, or were linked by name."""
    for one in store.lineage_versions(connection, newest.lineage):
        is_other = one.id != newest.id and (one.id < newest.id or one.id == item.id)
        if is_other and one.state in ("new", "unmatched", "applied", "linked"):
            yield one


def _uncontradicted(
    store: InboxStore, item: InboxItem, directory: ReferenceDirectory, cadre: str, *, despite: bool
) -> ItemReading:
    """What an item says. Raises UsageError where that contradicts the link, unless it is made despite it."""
    reading = decide_item(store, item, directory)
    against = contradictions_to(reading, directory, cadre)
    if against and not despite:
        what = "; ".join(say(f"inbox.{reason}") for reason in against)
        raise UsageError("inbox.contradicts", item=item.id, cadre=cadre, what=what)
    return reading


def _link_member(
    connection: Connection,
    store: InboxStore,
    member: ListedMember,
    cadre: str,
    settle: Callable[..., str],
) -> None:
    """Link what a report lists along with it, unless somebody has decided otherwise meanwhile."""
    versions = store.versions(connection, member.item)
    current = next((one for one in versions if one.id == member.item.id), None)
    others = {one.cadre for one in versions if one.state in ("applied", "linked")} - {cadre}
    if current is None or current.state not in ("new", "unmatched") or others:
        return
    match = CertainMatch(cadre, (member.referral,) if member.referral else ())
    settle(connection, item=current, versions=versions, match=match)


def _lineage_of(store: InboxStore, item: InboxItem, replaces: int | None, cadre: str) -> int:
    if replaces is None:
        return item.lineage
    other = _linkable_item(store, replaces)
    if other.id == item.id:
        raise UsageError("inbox.no_version", item=item.id, other=replaces)
    if (other.hospital, other.type, other.cadre or cadre) != (item.hospital, item.type, cadre):
        raise UsageError("inbox.no_version", item=item.id, other=replaces)
    return other.lineage


def unlink_item(
    store: InboxStore,
    item_id: int,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    records: ReversibleRecordWriter,
    by: str,
    now: datetime,
    unchanged: Callable[[], None] = _unchecked,
) -> tuple[int, ...]:
    """Undo a match: the result leaves the person's record, and all its versions wait again, with what was
    linked along with them; the numbers of all these items. The patient's number there is remembered no more,
    and what is this person's by that alone is matched anew.

    They stay unmatched until a person links them, however certain they look. `unchanged` as for `link_item`.
    """
    item = _linkable_item(store, item_id)
    if item.state not in ("applied", "linked") or item.cadre is None:
        raise UsageError("inbox.not_linked", item=item_id)
    directory = directory_of(item.hospital)
    subjects = ruled_subjects(read_item(store, item, directory), directory, item.lineage)
    with write_transaction(store.engine) as connection:
        versions = store.versions(connection, item)
        unchanged()
        along = [store.versions(connection, one) for one in linked_along(store, versions)]
        taken = [
            one
            for each in (versions, *along)
            for one in _take_out(connection, store, records, each, reasons=("unlinked",), now=now, by=by)
        ]
        if item.referral and not item.result_key:
            records.answer_again(item.cadre, item.referral, connection=connection)
        for other in taught_items(store, item, item.cadre, directory, subjects):
            each = store.versions(connection, other)
            taken += _take_out(connection, store, records, each, reasons=(), now=now, by=by)
        note_unlink(connection, item.hospital, subjects, item.cadre)
        for one in taken:
            subject = directory.audit_subject(one.cadre or item.cadre)
            audit_item(connection, one, "inbox.unlinked", subject, by=by, now=now)
    return tuple(sorted(one.id for one in taken))


def _along_elsewhere(
    connection: Connection, store: InboxStore, former: Sequence[InboxItem], cadre: str
) -> Iterator[Sequence[InboxItem]]:
    """The versions of what somebody else has only because these were linked there."""
    elsewhere = [one for one in former if one.cadre != cadre]
    for one in linked_along(store, elsewhere) if elsewhere else ():
        yield store.versions(connection, one)


def _taught_elsewhere(
    connection: Connection,
    store: InboxStore,
    item: InboxItem,
    directory: ReferenceDirectory,
    *,
    but: str,
    subjects: Sequence[str],
) -> Iterator[Sequence[InboxItem]]:
    """The versions of what somebody else has only because the number was said to be this one's until now."""
    former = [one for one, is_never in directory.rulings(subjects).items() if not is_never and one != but]
    for other in former:
        for one in taught_items(store, item, other, directory, subjects):
            yield store.versions(connection, one)


def _take_out(
    connection: Connection,
    store: InboxStore,
    records: ReversibleRecordWriter,
    versions: Sequence[InboxItem],
    *,
    reasons: Sequence[str],
    now: datetime,
    by: str,
) -> list[InboxItem]:
    """A result leaves the record, and its versions wait: for a person alone where there are `reasons`. What
    it was that waits now.
    """
    for key in {one.result_key for one in versions if one.result_key}:
        records.take_back(key, connection=connection)
    taken = [one for one in versions if one.state in ("applied", "linked")]
    for one in taken:
        due = None if reasons else now
        store.settle(one.id, "unmatched", now=now, by=by, reasons=reasons, due_at=due, connection=connection)
    return taken


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
