"""A person says that an item is of no use: a test, something sent by mistake. It can be reopened."""

from collections.abc import Callable
from datetime import datetime

from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.inbox.ports import ReferenceDirectory
from adapter.inbox.processing import audit_item
from adapter.inbox.store import InboxItem, InboxStore

__all__ = ["discard_item", "reopen_item"]

_DISCARDED = "discarded"


def discard_item(
    store: InboxStore,
    item_id: int,
    reason: str,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    by: str,
    now: datetime,
    unchanged: Callable[[], None],
) -> None:
    """What waits is ignored from now on; the reason stays with it, and not in the audit, which nothing is
    erased from. A later version of it is looked at as any. Raises UsageError for what does not wait.
    """
    with write_transaction(store.engine) as connection:
        item = _found(store, item_id)
        store.versions(connection, item)
        unchanged()
        if item.state not in ("new", "unmatched"):
            raise UsageError("inbox.not_waiting", item=item_id)
        reasons = (_DISCARDED, reason.strip(), *item.reasons)
        store.settle(
            item.id,
            "ignored",
            now=now,
            by=by,
            reasons=reasons,
            candidates=item.candidates,
            connection=connection,
        )
        audit_item(connection, item, "inbox.discarded", _subject(item, directory_of), by=by, now=now)


def reopen_item(
    store: InboxStore,
    item_id: int,
    *,
    directory_of: Callable[[str], ReferenceDirectory],
    by: str,
    now: datetime,
    unchanged: Callable[[], None],
) -> None:
    """What was discarded waits again, and is looked at. Raises UsageError for what was not discarded."""
    with write_transaction(store.engine) as connection:
        item = _found(store, item_id)
        store.versions(connection, item)
        unchanged()
        if item.state != "ignored" or item.reasons[:1] != (_DISCARDED,):
            raise UsageError("inbox.not_discarded", item=item_id)
        reasons = item.reasons[2:]
        store.settle(
            item.id,
            "unmatched",
            now=now,
            by=by,
            reasons=reasons,
            candidates=item.candidates,
            due_at=None if "unlinked" in reasons else now,
            connection=connection,
        )
        audit_item(connection, item, "inbox.reopened", _subject(item, directory_of), by=by, now=now)


def _found(store: InboxStore, item_id: int) -> InboxItem:
    item = store.get(item_id)
    if item is None:
        raise UsageError("inbox.no_item", item=item_id)
    return item


def _subject(item: InboxItem, directory_of: Callable[[str], ReferenceDirectory]) -> str | None:
    return directory_of(item.hospital).audit_subject(item.cadre) if item.cadre else None
