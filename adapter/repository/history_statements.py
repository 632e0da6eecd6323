"""The SQL of a type's history and of the whole system's. Every function works in the caller's transaction,
and looks at one owner's versions only: the owner is in each part of each statement.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, literal, select, tuple_, union_all

from adapter.repository.history_request import HistoryPlace, HistoryRequest
from adapter.repository.request_limits import fitting_keys
from adapter.repository.store import VersionRow
from adapter.repository.tables import repository_resource, repository_version

__all__ = ["owned_types", "select_versions"]

_TABLES = (repository_resource, repository_version)


def owned_types(connection: Connection, owner: str) -> list[str]:
    """The types that this owner has, or had, anything of; one look into the index for each."""
    found: list[str] = []
    while True:
        table = repository_resource.c
        others = select(table.type).where(table.owner == owner, table.type > (found[-1] if found else ""))
        following = connection.execute(others.order_by(table.type).limit(1)).scalar()
        if following is None:
            return found
        found.append(following)


def select_versions(
    connection: Connection, owner: str, types: Sequence[str], query: HistoryRequest, most_bytes: int
) -> tuple[list[VersionRow], HistoryPlace | None]:
    """One page of versions with their bodies, newest first, and the last place where another page follows.

    A version, once written, is at its place for good, and new ones come before it: no page repeats or misses
    one. A page ends before its bodies are longer than `most_bytes`, but has one version at least.
    """
    found: list[tuple[HistoryPlace, int]] = []
    for kind in types:  # what is held is never more than the page and the heads of one type
        found += _heads(connection, owner, kind, query)
        found.sort(key=lambda one: (-one[0].updated, one[0].type))  # stable: within a type as in the database
        del found[query.count + 1 :]
    wanted: list[HistoryPlace] = fitting_keys(found[: query.count], most_bytes)
    rows: dict[HistoryPlace, VersionRow] = {}
    for kind in dict.fromkeys(place.type for place in wanted):
        of_type = [place for place in wanted if place.type == kind]
        rows |= _between(connection, owner, of_type[0], of_type[-1])
    page = [rows[place] for place in wanted if place in rows]
    return page, wanted[-1] if wanted and len(found) > len(wanted) else None


def _heads(
    connection: Connection, owner: str, kind: str, query: HistoryRequest
) -> list[tuple[HistoryPlace, int]]:
    """The first versions of one type behind the place, with the lengths of their bodies."""
    parts: list[Any] = []
    for table in _TABLES:
        at = table.c
        statement = select(at.updated, at.id, at.version, func.length(at.body).label("size")).where(
            at.owner == owner, at.type == kind, at.updated >= query.since
        )
        if query.after is not None:
            statement = statement.where(_behind(table, kind, query.after))
        order = (at.updated.desc(), at.id.desc(), at.version.desc())
        parts.append(select(statement.order_by(*order).limit(query.count + 1).subquery()))
    both = union_all(*parts).subquery()
    newest = (both.c.updated.desc(), both.c.id.desc(), both.c.version.desc())
    rows = connection.execute(select(both).order_by(*newest).limit(query.count + 1))
    return [(HistoryPlace(row.updated, kind, row.id, row.version), row.size) for row in rows]


def _behind(table: Table, kind: str, after: HistoryPlace) -> ColumnElement[bool]:
    if kind < after.type:
        return table.c.updated < after.updated
    if kind > after.type:
        return table.c.updated <= after.updated
    behind: ColumnElement[bool] = _place(table) < _literal(after)
    return behind


def _between(
    connection: Connection, owner: str, first: HistoryPlace, last: HistoryPlace
) -> dict[HistoryPlace, VersionRow]:
    parts = [
        select(
            *(table.c[name] for name in ("type", "id", "version", "deleted", "updated", "content", "body"))
        )
        .where(table.c.owner == owner, table.c.type == first.type)
        .where(_place(table) <= _literal(first), _place(table) >= _literal(last))
        for table in _TABLES
    ]
    found = (VersionRow(*row) for row in connection.execute(union_all(*parts)))
    return {HistoryPlace(row.updated, row.type, row.id, row.version): row for row in found}


def _place(table: Table) -> Any:
    return tuple_(table.c.updated, table.c.id, table.c.version)


def _literal(place: HistoryPlace) -> Any:
    return tuple_(literal(place.updated), literal(place.id), literal(place.version))
