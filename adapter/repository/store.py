"""All SQL of the repository. Every function works in the caller's transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    and_,
    bindparam,
    false,
    func,
    insert,
    select,
    text,
)

from adapter.bulk_insert import insert_rows, insert_tuples
from adapter.database import metadata
from adapter.repository.request_limits import fitting_keys
from adapter.repository.search_extraction import IndexRow, RangeRow, index_value
from adapter.repository.search_matches import TokenCriterion
from adapter.repository.tables import (
    TABLES,
    repository_index,
    repository_range,
    repository_resource,
    repository_version,
)

__all__ = [
    "CONTENT_INDEX",
    "NewVersion",
    "VersionRow",
    "body_lengths",
    "count_by_type",
    "create_tables",
    "current_versions",
    "current_with_bodies",
    "ids_by_content",
    "ids_by_identifier",
    "insert_versions",
    "lock_owner",
    "select_history",
    "select_version",
]

CONTENT_INDEX: Final = "_content"  # index name of "this content was sent before"
_CHUNK: Final = 400


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a resource. `updated` in milliseconds since 1970; `body` b"" unless asked for."""

    type: str
    id: str
    version: int
    deleted: bool
    updated: int
    content: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A new version to be stored. `replaced` is the version it takes the place of (0: none)."""

    row: VersionRow
    index: Collection[IndexRow | RangeRow]
    replaced: int


def create_tables(engine: Engine) -> None:
    """Make the repository's tables alone, for a store that is not the adapter's own database."""
    metadata.create_all(engine, tables=list(TABLES))


def lock_owner(connection: Connection, owner: str) -> None:
    """Let nobody else write for `owner` until the transaction ends.

    Two conditional writes of one identity at once would both find nothing and both create
    (SERVERS: servers without this make duplicates). SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(727275, hashtext(:owner))"), {"owner": owner})


_HEAD = (
    repository_resource.c.type,
    repository_resource.c.id,
    repository_resource.c.version,
    repository_resource.c.deleted,
    repository_resource.c.updated,
    repository_resource.c.content,
)

_IS_CURRENT = and_(
    repository_resource.c.owner == bindparam("owner"),
    repository_resource.c.type == bindparam("type"),
    repository_resource.c.id.in_(bindparam("ids", expanding=True)),
)
_CURRENT = select(*_HEAD).where(_IS_CURRENT)
_BODIES = _CURRENT.add_columns(repository_resource.c.body)


def _by_type(keys: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for kind, value in dict.fromkeys(keys):
        grouped.setdefault(kind, []).append(value)
    for kind, values in grouped.items():
        for start in range(0, len(values), _CHUNK):
            yield kind, values[start : start + _CHUNK]


def _fetch(
    statement: Select[Any], connection: Connection, owner: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], VersionRow]:
    found = {}
    for kind, ids in _by_type(keys):
        for row in connection.execute(statement, {"owner": owner, "type": kind, "ids": ids}):
            found[row[0], row[1]] = VersionRow(*row)
    return found


def current_versions(
    connection: Connection, owner: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], VersionRow]:
    """The newest versions of (type, id), deleted ones too, without bodies."""
    return _fetch(_CURRENT, connection, owner, keys)


def current_with_bodies(
    connection: Connection, owner: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], VersionRow]:
    """The newest versions of (type, id), deleted ones too, with bodies."""
    return _fetch(_BODIES, connection, owner, keys)


_LENGTHS = select(
    repository_resource.c.type, repository_resource.c.id, func.length(repository_resource.c.body)
).where(_IS_CURRENT)


def body_lengths(
    connection: Connection, owner: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """How many bytes the newest versions of (type, id) have."""
    found = {}
    for kind, ids in _by_type(keys):
        for row in connection.execute(_LENGTHS, {"owner": owner, "type": kind, "ids": ids}):
            found[row[0], row[1]] = row[2]
    return found


_LOOK_UP = select(repository_index.c.value, repository_index.c.system, repository_index.c.id).where(
    repository_index.c.owner == bindparam("owner"),
    repository_index.c.type == bindparam("type"),
    repository_index.c.name == bindparam("name"),
    repository_index.c.value.in_(bindparam("values", expanding=True)),
)


def ids_by_identifier(
    connection: Connection, owner: str, wanted: Iterable[tuple[str, TokenCriterion]]
) -> dict[tuple[str, TokenCriterion], list[str]]:
    """The ids of live resources for each (type, identifier with a value), in one query per type."""
    pairs = list(dict.fromkeys(wanted))
    held: dict[tuple[str, str], list[tuple[str, str]]] = {}
    keys = [(kind, index_value(token.value or "")) for kind, token in pairs]
    for kind, values in _by_type(keys):
        parameters = {"owner": owner, "type": kind, "name": "identifier", "values": values}
        for value, system, resource_id in connection.execute(_LOOK_UP, parameters):
            held.setdefault((kind, value), []).append((system, resource_id))
    found = {}
    for (kind, token), key in zip(pairs, keys, strict=True):
        system_wanted = None if token.system is None else index_value(token.system)
        ids = [i for system, i in held.get(key, ()) if system_wanted is None or system == system_wanted]
        found[kind, token] = list(dict.fromkeys(ids))
    return found


def ids_by_content(
    connection: Connection, owner: str, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The live resource of each (type, content digest) that was sent before in any of its versions."""
    found: dict[tuple[str, str], str] = {}
    for kind, values in _by_type(wanted):
        parameters = {"owner": owner, "type": kind, "name": CONTENT_INDEX, "values": values}
        for value, _, resource_id in connection.execute(_LOOK_UP, parameters):
            found[kind, value] = resource_id
    return found


_SUPERSEDE = insert(repository_version).from_select(
    [c.name for c in repository_version.c],
    select(*(repository_resource.c[c.name] for c in repository_version.c)).where(
        repository_resource.c.owner == bindparam("o"),
        repository_resource.c.type == bindparam("t"),
        repository_resource.c.id == bindparam("i"),
    ),
)
_REPLACE = (
    repository_resource.update()
    .where(
        repository_resource.c.owner == bindparam("o"),
        repository_resource.c.type == bindparam("t"),
        repository_resource.c.id == bindparam("i"),
    )
    .values({c.name: bindparam(c.name) for c in repository_resource.c if not c.primary_key})
)
_UNINDEX = repository_index.delete().where(
    repository_index.c.owner == bindparam("o"),
    repository_index.c.type == bindparam("t"),
    repository_index.c.id == bindparam("i"),
)
_UNINDEX_RANGES = repository_range.delete().where(
    repository_range.c.owner == bindparam("o"),
    repository_range.c.type == bindparam("t"),
    repository_range.c.id == bindparam("i"),
)
_UNINDEX_BUT_CONTENT = _UNINDEX.where(repository_index.c.name != CONTENT_INDEX)


_WHOSE = ("owner", "type", "id")
_INDEXED = (*_WHOSE, *IndexRow._fields)
_SPANNED = (*_WHOSE, *RangeRow._fields, "number")


def insert_versions(connection: Connection, owner: str, written: Sequence[NewVersion]) -> None:
    """Store new versions: what they replace becomes history, the index follows."""
    updates = [w for w in written if w.replaced]
    if updates:
        keys = [{"o": owner, "t": w.row.type, "i": w.row.id} for w in updates]
        connection.execute(_SUPERSEDE, keys)
        connection.execute(_REPLACE, [{**k, **_values(w.row)} for k, w in zip(keys, updates, strict=True)])
        gone = [k for k, w in zip(keys, updates, strict=True) if w.row.deleted]
        kept = [k for k, w in zip(keys, updates, strict=True) if not w.row.deleted]
        if gone:
            connection.execute(_UNINDEX, gone)
        if kept:
            connection.execute(_UNINDEX_BUT_CONTENT, kept)
        connection.execute(_UNINDEX_RANGES, keys)
    new = [
        {"owner": owner, "type": w.row.type, "id": w.row.id, **_values(w.row)}
        for w in written
        if not w.replaced
    ]
    if new:
        insert_rows(connection, repository_resource, new)
    _put_index(connection, owner, written)


def _put_index(connection: Connection, owner: str, written: Sequence[NewVersion]) -> None:
    rows: list[tuple[str, ...]] = []
    spans: list[tuple[Any, ...]] = []
    known: list[dict[str, str]] = []
    for new in written:
        whose = (owner, new.row.type, new.row.id)
        for row in new.index:
            if isinstance(row, RangeRow):
                spans.append((*whose, *row, len(spans)))
            elif new.replaced and row.name == CONTENT_INDEX:
                known.append(dict(zip(_INDEXED, (*whose, *row), strict=True)))
            else:
                rows.append((*whose, *row))
    insert_tuples(connection, repository_range, _SPANNED, spans)
    insert_tuples(connection, repository_index, _INDEXED, rows)
    if known:
        connection.execute(_insert_if_new(connection), known)


def _insert_if_new(connection: Connection) -> Any:
    # A resource may come back to a content it had before.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(repository_index).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(repository_index).on_conflict_do_nothing()


def _values(row: VersionRow) -> dict[str, Any]:
    return {
        "version": row.version,
        "deleted": row.deleted,
        "updated": row.updated,
        "content": row.content,
        "body": row.body,
    }


def select_version(
    connection: Connection, owner: str, kind: str, resource_id: str, number: int
) -> VersionRow | None:
    """One version, newest or superseded, with its body."""
    newest = current_with_bodies(connection, owner, [(kind, resource_id)]).get((kind, resource_id))
    if newest is None or newest.version == number:
        return newest
    table = repository_version.c
    statement = select(
        table.type, table.id, table.version, table.deleted, table.updated, table.content, table.body
    ).where(table.owner == owner, table.type == kind, table.id == resource_id, table.version == number)
    found = connection.execute(statement).first()
    return VersionRow(*found) if found else None


def select_history(
    connection: Connection,
    owner: str,
    kind: str,
    resource_id: str,
    *,
    limit: int,
    before: int | None,
    since: int,
    most_bytes: int,
) -> tuple[int, list[VersionRow], bool]:
    """(how many, versions newest first, whether older ones follow): at most `limit`, older than version
    `before`, not before `since`, with bodies not longer than `most_bytes` together; one at least.
    """
    newest = current_with_bodies(connection, owner, [(kind, resource_id)]).get((kind, resource_id))
    if newest is None:
        return 0, [], False
    table = repository_version.c
    mine = and_(table.owner == owner, table.type == kind, table.id == resource_id)
    # as a filter: as a condition it would have SQLite read the versions of all resources since then
    counted = select(func.count().filter(table.updated >= since)).select_from(repository_version).where(mine)
    total = connection.execute(counted).scalar_one()
    older = and_(mine, table.updated >= since, table.version < (before or newest.version + 1))
    lengths = select(table.version, func.length(table.body)).where(older).order_by(table.version.desc())
    found = [tuple(row) for row in connection.execute(lengths.limit(limit + 1))]
    if newest.updated >= since:
        total += 1
        if before is None:
            found = [(newest.version, len(newest.body)), *found]
    wanted = fitting_keys(found[:limit], most_bytes)
    rows = {newest.version: newest}
    if wanted:
        statement = select(
            table.type, table.id, table.version, table.deleted, table.updated, table.content, table.body
        ).where(older, table.version.between(wanted[-1], wanted[0]))
        rows |= {row.version: VersionRow(*row) for row in connection.execute(statement)}
    return total, [rows[number] for number in wanted if number in rows], len(found) > len(wanted)


def count_by_type(connection: Connection, owner: str) -> Mapping[str, int]:
    """Live resources by type."""
    statement = (
        select(repository_resource.c.type, func.count())
        .where(repository_resource.c.owner == owner, repository_resource.c.deleted == false())
        .group_by(repository_resource.c.type)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}
