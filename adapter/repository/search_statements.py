"""The SQL of searches. Every function works in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import OperationalError

from adapter.repository.request_limits import RequestBudget, fitting_keys, over_limit
from adapter.repository.search_index import index_value
from adapter.repository.search_query import DateRange, SearchQuery, TokenCriterion
from adapter.repository.store import VersionRow, current_with_bodies
from adapter.repository.tables import repository_index, repository_resource

__all__ = ["count_matches", "end_statements_after", "limited_time", "matching_ids", "select_page"]

_STEPS = 20_000  # of SQLite's virtual machine between two looks at the clock, a few milliseconds
_QUERY_CANCELED = "57014"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


@contextmanager
def limited_time(connection: Connection, budget: RequestBudget) -> Iterator[None]:
    """Statements within end when the request's time for searching is over. Raises FhirError 422 then."""
    with budget.measured():
        seconds = budget.seconds_left
        if not seconds:
            raise _too_long(budget)
        try:
            if connection.dialect.name == "sqlite":
                with _interrupted(connection, budget):
                    yield
            else:
                end_statements_after(connection, max(round(seconds * 1000), 1))
                yield
                end_statements_after(connection, 0)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) == _QUERY_CANCELED or str(error.orig) == "interrupted":
                raise _too_long(budget) from None
            raise


def end_statements_after(connection: Connection, milliseconds: int) -> None:
    """Of PostgreSQL: in this transaction; 0: never."""
    connection.execute(text(f"SET LOCAL statement_timeout = {milliseconds}"))


def _too_long(budget: RequestBudget) -> Exception:
    return over_limit(budget.limits, "max_search_seconds", budget.limits.max_search_seconds)


@contextmanager
def _interrupted(connection: Connection, budget: RequestBudget) -> Iterator[None]:
    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(budget.is_late(), _STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def matching_ids(connection: Connection, owner: str, query: SearchQuery, limit: int) -> list[str]:
    """Up to `limit` ids of what a condition finds."""
    statement = select(repository_resource.c.id).where(_condition(owner, query)).limit(limit)
    return list(connection.execute(statement).scalars())


def count_matches(connection: Connection, owner: str, query: SearchQuery) -> int:
    """How many live resources a search finds, all pages together."""
    statement = select(func.count()).select_from(repository_resource).where(_condition(owner, query))
    return int(connection.execute(statement).scalar_one())


def select_page(
    connection: Connection, owner: str, query: SearchQuery, most_bytes: int
) -> tuple[list[VersionRow], bool]:
    """One page of a search with bodies, and whether another follows.

    The order never ties, and the next page starts behind a row, not at a number: what is
    created or deleted in between makes no page repeat or miss another resource. A page ends before its bodies
    are longer than `most_bytes`, but has one row at least.
    """
    resource = repository_resource.c
    statement = select(resource.id, func.length(resource.body)).where(_condition(owner, query))
    by_time = query.sort != "_id"
    descending = query.sort == "-_lastUpdated"
    columns = [resource.updated, resource.id] if by_time else [resource.id]
    if query.after is not None:
        here = tuple_(*columns)
        there = tuple_(*(literal(v) for v in (query.after if by_time else query.after[1:])))
        statement = statement.where(here < there if descending else here > there)
    statement = statement.order_by(*(c.desc() if descending else c for c in columns))
    found = [tuple(row) for row in connection.execute(statement.limit(query.count + 1))]
    ids = fitting_keys(found[: query.count], most_bytes)
    rows = current_with_bodies(connection, owner, ((query.type, one) for one in ids))
    return [rows[query.type, one] for one in ids if (query.type, one) in rows], len(found) > len(ids)


def _condition(owner: str, query: SearchQuery) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [
        repository_resource.c.owner == owner,
        repository_resource.c.type == query.type,
        repository_resource.c.deleted == false(),
    ]
    parts += [repository_resource.c.id.in_(alternatives) for alternatives in query.ids]
    parts += [_indexed(owner, query.type, "identifier", _tokens(tokens)) for tokens in query.tokens]
    for name, references in query.references:
        values = [repository_index.c.value.in_([index_value(reference) for reference in references])]
        parts.append(_indexed(owner, query.type, name, values))
    parts += [_in_range(updated) for updated in query.updated]
    return and_(*parts)


def _indexed(
    owner: str, kind: str, name: str, alternatives: Sequence[ColumnElement[bool]]
) -> ColumnElement[bool]:
    found = select(repository_index.c.id).where(
        repository_index.c.owner == owner,
        repository_index.c.type == kind,
        repository_index.c.name == name,
        or_(*alternatives),
    )
    return repository_resource.c.id.in_(found)


def _tokens(tokens: Sequence[TokenCriterion]) -> list[ColumnElement[bool]]:
    """One criterion for each system, however many values are asked for in it: a statement may have only so
    many terms.
    """
    values: dict[str | None, list[str]] = defaultdict(list)
    systems: list[str] = []
    for token in tokens:
        if token.value is None:
            systems.append(index_value(token.system or ""))
        else:
            system = None if token.system is None else index_value(token.system)
            values[system].append(index_value(token.value))
    found = repository_index.c
    parts = [_of_system(system, found.value.in_(wanted)) for system, wanted in values.items()]
    return [*parts, found.system.in_(systems)] if systems else parts


def _of_system(system: str | None, values: ColumnElement[bool]) -> ColumnElement[bool]:
    return values if system is None else and_(repository_index.c.system == system, values)


def _in_range(updated: DateRange) -> ColumnElement[bool]:
    parts = []
    if updated.low is not None:
        parts.append(repository_resource.c.updated >= updated.low)
    if updated.high is not None:
        parts.append(repository_resource.c.updated < updated.high)
    return not_(and_(*parts)) if updated.is_negated else and_(*parts)
