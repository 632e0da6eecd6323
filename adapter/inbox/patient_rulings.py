"""A person says who a hospital's patient is here, by linking a result, or who never; and takes that back.

A link teaches the patient's number at the hospital: the next result with it goes to the same person, as far
as nothing contradicts. "Never" holds for that number and for the result itself, which may have none.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from adapter import audit
from adapter.awaited import note_arrivals, patient_name, record_name
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.inbox.erasure import ERASED_BODY
from adapter.inbox.evidence import Evidence
from adapter.inbox.item_reading import read_item
from adapter.inbox.matching import CertainMatch, decide_match
from adapter.inbox.ports import ReferenceDirectory, look_up_evidence, patient_subjects
from adapter.inbox.processing import audit_item
from adapter.inbox.rulings import item_subject, put_rulings, remove_ruling, remove_rulings
from adapter.inbox.store import InboxItem, InboxStore

__all__ = [
    "forget_ruling",
    "note_link",
    "note_unlink",
    "rule_out",
    "ruled_subjects",
    "taught_items",
    "unrule_out",
]


def ruled_subjects(said: Evidence, directory: ReferenceDirectory, lineage: int) -> list[str]:
    """Of what is spoken with one item: its patient's numbers at the hospital, and the result itself."""
    return [*patient_subjects(said, directory), item_subject(lineage)]


def note_link(
    connection: Connection,
    item: InboxItem,
    cadre: str,
    subjects: Collection[str],
    *,
    by: str,
    now: datetime,
    is_sure: bool,
) -> None:
    """An item was linked: its patient is nobody else, and no longer never this one. That the patient's number
    is this person's is remembered if it `is_sure`; what waits with that number is looked at again.
    """
    hospital = item.hospital
    remove_rulings(connection, hospital, subjects, is_never=False)
    remove_rulings(connection, hospital, subjects, cadre)
    numbers = [one for one in subjects if one != item_subject(item.lineage)]
    if is_sure and numbers:
        put_rulings(connection, hospital, numbers, cadre, is_never=False, item=item.id, now=now, by=by)
        note_arrivals(connection, [patient_name(one) for one in numbers])


def taught_items(
    store: InboxStore,
    item: InboxItem,
    cadre: str,
    directory: ReferenceDirectory,
    subjects: Collection[str],
) -> Iterator[InboxItem]:
    """What else is this person's only because the patient's number at the hospital was said to be: once that
    is said no more, it is nobody's until it is looked at again. Each result once, in a version of it.
    """
    seen = {item.lineage}
    for one in store.of_cadre(cadre):
        if one.state != "applied" or one.hospital != item.hospital or one.lineage in seen:
            continue
        if _rests_on_ruling(store, one, cadre, directory, subjects):
            seen.add(one.lineage)
            yield one


def _rests_on_ruling(
    store: InboxStore, one: InboxItem, cadre: str, directory: ReferenceDirectory, subjects: Collection[str]
) -> bool:
    said = read_item(store, one, directory)
    if set(subjects).isdisjoint(patient_subjects(said, directory)):
        return False
    found = look_up_evidence(said, directory, lineage=one.lineage)
    if cadre not in found.by_ruling:
        return False
    match = decide_match(said, replace(found, by_ruling=()))
    return not (isinstance(match, CertainMatch) and match.cadre == cadre)


def note_unlink(connection: Connection, hospital: str, subjects: Collection[str], cadre: str) -> None:
    """A link was taken back: nothing is remembered of it."""
    remove_rulings(connection, hospital, subjects, cadre, is_never=False)


def rule_out(
    store: InboxStore,
    item_id: int,
    cadre: str,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    by: str,
    now: datetime,
    unchanged: Callable[[], None],
) -> None:
    """A person says that an item is never this one's, nor what else comes with its patient's number there.
    Raises UsageError for what does not exist, and for what is in that person's record: that is unlinked
    first.
    """
    item = _found(store, item_id)
    directory = directory_of(item.hospital)
    if directory.cadre(cadre) is None:
        raise UsageError("inbox.no_cadre", cadre=cadre)
    subjects = ruled_subjects(read_item(store, item, directory), directory, item.lineage)
    with write_transaction(store.engine) as connection:
        versions = store.versions(connection, item)
        unchanged()
        if any(one.cadre == cadre and one.state in ("applied", "linked") for one in versions):
            raise UsageError("inbox.is_theirs", item=item_id, cadre=cadre)
        put_rulings(connection, item.hospital, subjects, cadre, is_never=True, item=item.id, now=now, by=by)
        note_arrivals(connection, [record_name("cadre", cadre)])
        audit_item(connection, item, "inbox.ruled_out", directory.audit_subject(cadre), by=by, now=now)


def unrule_out(
    store: InboxStore,
    item_id: int,
    cadre: str,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    by: str,
    now: datetime,
    unchanged: Callable[[], None],
) -> None:
    """It may be this person's after all. Raises UsageError where nobody said that it is not."""
    item = _found(store, item_id)
    directory = directory_of(item.hospital)
    subjects = ruled_subjects(read_item(store, item, directory), directory, item.lineage)
    with write_transaction(store.engine) as connection:
        store.versions(connection, item)
        unchanged()
        if not remove_rulings(connection, item.hospital, subjects, cadre, is_never=True):
            raise UsageError("inbox.not_ruled_out", item=item_id, cadre=cadre)
        note_arrivals(connection, [record_name("cadre", cadre), *map(patient_name, subjects)])
        audit_item(connection, item, "inbox.unruled_out", directory.audit_subject(cadre), by=by, now=now)


def forget_ruling(
    store: InboxStore,
    number: int,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    by: str,
    now: datetime,
    unchanged: Callable[[], None],
) -> None:
    """One thing that was said holds no more; what was linked stays. Raises UsageError where it is none."""
    with write_transaction(store.engine) as connection:
        unchanged()
        found = remove_ruling(connection, number)
        if found is None:
            raise UsageError("inbox.no_ruling", number=number)
        subject = directory_of(found.hospital).audit_subject(found.cadre)
        details = {"item": found.item, "never": found.is_never}
        audit.append(
            connection,
            at=now,
            actor=by,
            action="inbox.ruling_forgotten",
            subject=subject,
            hospital=found.hospital,
            details=details,
        )
        note_arrivals(connection, [record_name("cadre", found.cadre)])


def _found(store: InboxStore, item_id: int) -> InboxItem:
    item = store.get(item_id)
    if item is None or item.body == ERASED_BODY:
        raise UsageError("inbox.no_item", item=item_id)
    return item
