"""The last that hospitals sent, a page at a time."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from adapter.inbox.store import InboxItem, inbox_item_of
from adapter.inbox.tables import inbox_item

__all__ = ["latest_items"]


def latest_items(
    connection: Connection, state: str, limit: int, *, before: int | None = None
) -> Sequence[InboxItem]:
    """What came last in a state, the newest first; of what has a number below `before`."""
    query = select(inbox_item).where(inbox_item.c.state == state)
    if before is not None:
        query = query.where(inbox_item.c.id < before)
    rows = connection.execute(query.order_by(inbox_item.c.id.desc()).limit(limit))
    return [inbox_item_of(row) for row in rows]
