"""Versions that senders count on their own servers. One that hands on what it has (a rest-hook Subscription)
names its version in If-Match, of which ours knows nothing: it is noted beside ours, and a higher one is the
next version. A lower one was overtaken on the way, by another thread of that server: to refuse it would stop
all that this server sends, for it tries again and again. It is told by `meta`: who changes what was read here
sends ours.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, select, tuple_

from adapter.repository.search_extraction import IndexRow
from adapter.repository.tables import repository_index, repository_version

__all__ = ["sender_version_row", "sender_versions", "written_here"]

_INDEX: Final = "_sender"
_NOTED = select(repository_index.c.value, repository_index.c.system).where(
    repository_index.c.owner == bindparam("owner"),
    repository_index.c.type == bindparam("type"),
    repository_index.c.name == bindparam("name"),
    repository_index.c.value.in_(bindparam("ids", expanding=True)),
)

_V = repository_version.c
_WRITTEN = select(_V.id, _V.updated).where(
    _V.owner == bindparam("owner"),
    _V.type == bindparam("type"),
    tuple_(_V.id, _V.version).in_(bindparam("asked", expanding=True)),
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


def written_here(
    connection: Connection, owner: str, numbers: Mapping[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    """When these superseded versions of ours were written, of each (type, id), in milliseconds."""
    by_type: dict[str, list[tuple[str, int]]] = {}
    for (kind, resource_id), number in numbers.items():
        by_type.setdefault(kind, []).append((resource_id, number))
    found: dict[tuple[str, str], int] = {}
    for kind, asked in by_type.items():
        rows = connection.execute(_WRITTEN, {"owner": owner, "type": kind, "asked": asked})
        found |= {(kind, resource_id): int(updated) for resource_id, updated in rows}
    return found


def sender_version_row(resource_id: str, version: int) -> IndexRow:
    """How it is noted: in the index, with the version of ours that it came with."""
    return IndexRow(_INDEX, str(version), resource_id)
