"""Whether anything has changed since a moment ago, without saying what."""

from adapter.database import read_transaction
from adapter.pipeline.application import Adapter
from adapter.records.change_feed import newest_position

__all__ = ["change_mark"]


def change_mark(adapter: Adapter) -> tuple[int | tuple[str, int], ...]:
    """Another value as soon as a record or an item of the inbox has changed."""
    with read_transaction(adapter.engine) as connection:
        position = newest_position(connection)
    return (position, *sorted(adapter.inbox.counts().items()))
