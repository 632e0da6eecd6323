"""Versions that senders count on their own servers. One that hands on what it has (a rest-hook Subscription)
names its version in If-Match, of which ours knows nothing: it is noted beside ours, and a higher one is the
next version.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, select

from adapter.repository.search_extraction import IndexRow
from adapter.repository.tables import repository_index

__all__ = ["sender_version_row", "sender_versions"]

_INDEX: Final = "_sender"
_NOTED = select(repository_index.c.value, repository_index.c.system).where(
    repository_index.c.owner == bindparam("owner"),
    repository_index.c.type == bindparam("type"),
    repository_index.c.name == bindparam("name"),
    repository_index.c.value.in_(bindparam("ids", expanding=True)),
)


def sender_versions(
    connection: Connection, owner: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """The newest version that its sender named, of each (type, id) of which one was named."""
    by_type: dict[str, list[str]] = {}
    for kind, resource_id in keys:
        by_type.setdefault(kind, []).append(resource_id)
    found = {}
    for kind, ids in by_type.items():
        asked = {"owner": owner, "type": kind, "name": _INDEX, "ids": ids}
        for resource_id, version in connection.execute(_NOTED, asked):
            found[kind, resource_id] = int(version)
    return found


def sender_version_row(resource_id: str, version: int) -> IndexRow:
    """How it is noted: in the index, with the version of ours that it came with."""
    return IndexRow(_INDEX, str(version), resource_id)
