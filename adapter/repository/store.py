"""All SQL of the repository. Every function works in the caller's transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    bindparam,
    false,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    text,
    tuple_,
)

from adapter.database import metadata
from adapter.repository.elements import IndexRow, indexed
from adapter.repository.query import Query, Range, Token
from adapter.repository.tables import TABLES, index, resource, version

__all__ = [
    "CONTENT",
    "Row",
    "Written",
    "bodies",
    "by_content",
    "by_identifier",
    "count",
    "counts",
    "current",
    "history",
    "lock",
    "matches",
    "page",
    "prepare",
    "put",
    "version_row",
]

CONTENT: Final = "_content"  # index name of "this content was sent before"
_CHUNK: Final = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One version of a resource. `updated` in milliseconds since 1970; `body` b"" unless asked for."""

    type: str
    id: str
    version: int
    deleted: bool
    updated: int
    content: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Written:
    """A new version to be stored. `replaced` is the version it takes the place of (0: none)."""

    row: Row
    index: Collection[IndexRow]
    replaced: int


def prepare(engine: Engine) -> None:
    """Make the repository's tables alone, for a store that is not the adapter's own database."""
    metadata.create_all(engine, tables=list(TABLES))


def lock(connection: Connection, owner: str) -> None:
    """Let nobody else write for `owner` until the transaction ends.

    Two conditional writes of one identity at once would both find nothing and both create
    (SERVERS: servers without this make duplicates). SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(727275, hashtext(:owner))"), {"owner": owner})


_HEAD = (
    resource.c.type,
    resource.c.id,
    resource.c.version,
    resource.c.deleted,
    resource.c.updated,
    resource.c.content,
)

_CURRENT = select(*_HEAD).where(
    resource.c.owner == bindparam("owner"),
    resource.c.type == bindparam("type"),
    resource.c.id.in_(bindparam("ids", expanding=True)),
)
_BODIES = _CURRENT.add_columns(resource.c.body)


def _by_type(keys: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for kind, value in dict.fromkeys(keys):
        grouped.setdefault(kind, []).append(value)
    for kind, values in grouped.items():
        for start in range(0, len(values), _CHUNK):
            yield kind, values[start : start + _CHUNK]


def _fetch(
    statement: Select[Any], connection: Connection, owner: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Row]:
    found = {}
    for kind, ids in _by_type(keys):
        for row in connection.execute(statement, {"owner": owner, "type": kind, "ids": ids}):
            found[row[0], row[1]] = Row(*row)
    return found


def current(
    connection: Connection, owner: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Row]:
    """The newest versions of (type, id), deleted ones too, without bodies."""
    return _fetch(_CURRENT, connection, owner, keys)


def bodies(connection: Connection, owner: str, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """The newest versions of (type, id), deleted ones too, with bodies."""
    return _fetch(_BODIES, connection, owner, keys)


_LOOK_UP = select(index.c.value, index.c.system, index.c.id).where(
    index.c.owner == bindparam("owner"),
    index.c.type == bindparam("type"),
    index.c.name == bindparam("name"),
    index.c.value.in_(bindparam("values", expanding=True)),
)


def by_identifier(
    connection: Connection, owner: str, wanted: Iterable[tuple[str, Token]]
) -> dict[tuple[str, Token], list[str]]:
    """The ids of live resources for each (type, identifier with a value), in one query per type."""
    pairs = list(dict.fromkeys(wanted))
    held: dict[tuple[str, str], list[tuple[str, str]]] = {}
    keys = [(kind, indexed(token.value or "")) for kind, token in pairs]
    for kind, values in _by_type(keys):
        parameters = {"owner": owner, "type": kind, "name": "identifier", "values": values}
        for value, system, resource_id in connection.execute(_LOOK_UP, parameters):
            held.setdefault((kind, value), []).append((system, resource_id))
    found = {}
    for (kind, token), key in zip(pairs, keys, strict=True):
        system_wanted = None if token.system is None else indexed(token.system)
        ids = [i for system, i in held.get(key, ()) if system_wanted is None or system == system_wanted]
        found[kind, token] = list(dict.fromkeys(ids))
    return found


def by_content(
    connection: Connection, owner: str, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The live resource of each (type, content digest) that was sent before in any of its versions."""
    found: dict[tuple[str, str], str] = {}
    for kind, values in _by_type(wanted):
        parameters = {"owner": owner, "type": kind, "name": CONTENT, "values": values}
        for value, _, resource_id in connection.execute(_LOOK_UP, parameters):
            found[kind, value] = resource_id
    return found


_SUPERSEDE = insert(version).from_select(
    [c.name for c in version.c],
    select(*(resource.c[c.name] for c in version.c)).where(
        resource.c.owner == bindparam("o"), resource.c.type == bindparam("t"), resource.c.id == bindparam("i")
    ),
)
_REPLACE = (
    resource.update()
    .where(
        resource.c.owner == bindparam("o"), resource.c.type == bindparam("t"), resource.c.id == bindparam("i")
    )
    .values({c.name: bindparam(c.name) for c in resource.c if not c.primary_key})
)
_UNINDEX = index.delete().where(
    index.c.owner == bindparam("o"), index.c.type == bindparam("t"), index.c.id == bindparam("i")
)
_UNINDEX_BUT_CONTENT = _UNINDEX.where(index.c.name != CONTENT)


def put(connection: Connection, owner: str, written: Sequence[Written]) -> None:
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
    new = [
        {"owner": owner, "type": w.row.type, "id": w.row.id, **_values(w.row)}
        for w in written
        if not w.replaced
    ]
    if new:
        connection.execute(insert(resource), new)
    _put_index(connection, owner, written)


def _put_index(connection: Connection, owner: str, written: Sequence[Written]) -> None:
    rows = [
        {
            "owner": owner,
            "type": w.row.type,
            "id": w.row.id,
            "name": r.name,
            "value": r.value,
            "system": r.system,
        }
        for w in written
        for r in w.index
    ]
    plain = [row for row in rows if row["name"] != CONTENT]
    if plain:
        connection.execute(insert(index), plain)
    known = [row for row in rows if row["name"] == CONTENT]
    if known:
        connection.execute(_insert_if_new(connection), known)


def _insert_if_new(connection: Connection) -> Any:
    # A resource may come back to a content it had before.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(index).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(index).on_conflict_do_nothing()


def _values(row: Row) -> dict[str, Any]:
    return {
        "version": row.version,
        "deleted": row.deleted,
        "updated": row.updated,
        "content": row.content,
        "body": row.body,
    }


def version_row(connection: Connection, owner: str, kind: str, resource_id: str, number: int) -> Row | None:
    """One version, newest or superseded, with its body."""
    newest = bodies(connection, owner, [(kind, resource_id)]).get((kind, resource_id))
    if newest is None or newest.version == number:
        return newest
    table = version.c
    statement = select(
        table.type, table.id, table.version, table.deleted, table.updated, table.content, table.body
    ).where(table.owner == owner, table.type == kind, table.id == resource_id, table.version == number)
    found = connection.execute(statement).first()
    return Row(*found) if found else None


def history(
    connection: Connection,
    owner: str,
    kind: str,
    resource_id: str,
    *,
    limit: int,
    before: int | None,
    since: int,
) -> tuple[int, list[Row]]:
    """(how many, versions newest first): at most `limit`, older than version `before`, not before `since`."""
    newest = bodies(connection, owner, [(kind, resource_id)]).get((kind, resource_id))
    if newest is None:
        return 0, []
    table = version.c
    mine = and_(table.owner == owner, table.type == kind, table.id == resource_id, table.updated >= since)
    total = connection.execute(select(func.count()).select_from(version).where(mine)).scalar_one()
    statement = select(
        table.type, table.id, table.version, table.deleted, table.updated, table.content, table.body
    ).where(mine, table.version < (before or newest.version + 1))
    rows = [Row(*row) for row in connection.execute(statement.order_by(table.version.desc()).limit(limit))]
    if newest.updated >= since:
        total += 1
        if before is None:
            rows = [newest, *rows]
    return total, rows[:limit]


def matches(connection: Connection, owner: str, query: Query, limit: int) -> list[str]:
    """Up to `limit` ids of what a condition finds."""
    statement = select(resource.c.id).where(_condition(owner, query)).limit(limit)
    return list(connection.execute(statement).scalars())


def count(connection: Connection, owner: str, query: Query) -> int:
    """How many live resources a search finds, all pages together."""
    statement = select(func.count()).select_from(resource).where(_condition(owner, query))
    return int(connection.execute(statement).scalar_one())


def page(connection: Connection, owner: str, query: Query) -> list[Row]:
    """One page of a search and one row more if there is another page, with bodies.

    The order never ties, and the next page starts behind a row, not at a number: what is
    created or deleted in between makes no page repeat or miss another resource.
    """
    statement = select(*_HEAD, resource.c.body).where(_condition(owner, query))
    by_time = query.sort != "_id"
    descending = query.sort == "-_lastUpdated"
    columns = [resource.c.updated, resource.c.id] if by_time else [resource.c.id]
    if query.after is not None:
        here = tuple_(*columns)
        there = tuple_(*(literal(v) for v in (query.after if by_time else query.after[1:])))
        statement = statement.where(here < there if descending else here > there)
    statement = statement.order_by(*(c.desc() if descending else c for c in columns))
    return [Row(*row) for row in connection.execute(statement.limit(query.count + 1))]


def _condition(owner: str, query: Query) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [
        resource.c.owner == owner,
        resource.c.type == query.type,
        resource.c.deleted == false(),
    ]
    parts += [resource.c.id.in_(alternatives) for alternatives in query.ids]
    parts += [
        _indexed(owner, query.type, "identifier", [_token(t) for t in tokens]) for tokens in query.tokens
    ]
    for name, references in query.references:
        values = [index.c.value.in_([indexed(reference) for reference in references])]
        parts.append(_indexed(owner, query.type, name, values))
    parts += [_in_range(updated) for updated in query.updated]
    return and_(*parts)


def _indexed(
    owner: str, kind: str, name: str, alternatives: Sequence[ColumnElement[bool]]
) -> ColumnElement[bool]:
    found = select(index.c.id).where(
        index.c.owner == owner, index.c.type == kind, index.c.name == name, or_(*alternatives)
    )
    return resource.c.id.in_(found)


def _token(token: Token) -> ColumnElement[bool]:
    parts = []
    if token.value is not None:
        parts.append(index.c.value == indexed(token.value))
    if token.system is not None:
        parts.append(index.c.system == indexed(token.system))
    return and_(*parts)


def _in_range(updated: Range) -> ColumnElement[bool]:
    parts = []
    if updated.low is not None:
        parts.append(resource.c.updated >= updated.low)
    if updated.high is not None:
        parts.append(resource.c.updated < updated.high)
    return not_(and_(*parts)) if updated.outside else and_(*parts)


def counts(connection: Connection, owner: str) -> Mapping[str, int]:
    """Live resources by type."""
    statement = (
        select(resource.c.type, func.count())
        .where(resource.c.owner == owner, resource.c.deleted == false())
        .group_by(resource.c.type)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}
