"""The SQL of searches. Every function works in the caller's transaction, and looks at one owner's resources
only: the owner is in each part of each statement, in a chain's and in `_has`'s too.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

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
    true,
)
from sqlalchemy.exc import OperationalError

from adapter.repository.request_limits import RequestBudget, fitting_keys, over_limit
from adapter.repository.search_extraction import index_value
from adapter.repository.search_matches import (
    ChainMatch,
    Criterion,
    HasMatch,
    IdMatch,
    Match,
    MissingMatch,
    PairMatch,
    ReferenceMatch,
    TextMatch,
    TokenCriterion,
    UpdatedMatch,
    UriMatch,
)
from adapter.repository.search_query import Include, SearchQuery, SortKey
from adapter.repository.search_values import RangeMatch
from adapter.repository.store import VersionRow, current_with_bodies
from adapter.repository.tables import repository_index, repository_range, repository_resource

__all__ = [
    "count_matches",
    "end_statements_after",
    "ids_behind",
    "ids_referred_to",
    "ids_that_refer",
    "limited_time",
    "matching_ids",
    "select_page",
]

Place = tuple[int | float | str, ...]

_resource, _index, _range = repository_resource.c, repository_index.c, repository_range.c
_STEPS: Final = 20_000  # of SQLite's virtual machine between two looks at the clock, a few milliseconds
_QUERY_CANCELED: Final = "57014"  # https://www.postgresql.org/docs/current/errcodes-appendix.html
_LAST: Final = 1e19  # what has no value is sorted behind all that have one
_COMPARE: Final = {
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}


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
    statement = select(_resource.id).where(_condition(owner, query)).limit(limit)
    return list(connection.execute(statement).scalars())


def count_matches(connection: Connection, owner: str, query: SearchQuery) -> int:
    """How many live resources a search finds, all pages together."""
    statement = select(func.count()).select_from(repository_resource).where(_condition(owner, query))
    return int(connection.execute(statement).scalar_one())


def select_page(
    connection: Connection, owner: str, query: SearchQuery, most_bytes: int
) -> tuple[list[VersionRow], Place | None]:
    """One page of a search with bodies, and the place of its last row where another page follows.

    The order never ties, and the next page starts behind a row, not at a number: what is
    created or deleted in between makes no page repeat or miss another resource. A page ends before its bodies
    are longer than `most_bytes`, but has one row at least.
    """
    keys = [(_sort_value(owner, query.type, key), key.descending) for key in query.sort]
    keys.append((_resource.id, bool(query.sort) and query.sort[-1].descending))
    shown = [value.label(f"key_{place}") for place, (value, _) in enumerate(keys)]
    statement = select(func.length(_resource.body), *shown).where(_condition(owner, query))
    if query.after is not None:
        statement = statement.where(_behind(keys, query.after))
    statement = statement.order_by(*(value.desc() if descending else value for value, descending in keys))
    found = [tuple(row) for row in connection.execute(statement.limit(query.count + 1))]
    fitting = fitting_keys([(row[1:], row[0]) for row in found[: query.count]], most_bytes)
    rows = current_with_bodies(connection, owner, ((query.type, place[-1]) for place in fitting))
    page = [rows[query.type, place[-1]] for place in fitting if (query.type, place[-1]) in rows]
    return page, fitting[-1] if fitting and len(found) > len(fitting) else None


def _sort_value(owner: str, kind: str, key: SortKey) -> ColumnElement[Any]:
    if key.name == "_id":
        return _resource.id
    if key.name == "_lastUpdated":
        return _resource.updated
    table = repository_range if key.is_range else repository_index
    column: ColumnElement[Any] = _range.low if key.is_range else _index.value
    best = func.max(column) if key.descending else func.min(column)
    found = select(best).where(
        table.c.owner == owner,
        table.c.type == kind,
        table.c.id == _resource.id,
        table.c.name.in_(key.names),
    )
    nothing: float | str = (-_LAST if key.descending else _LAST) if key.is_range else ""
    return func.coalesce(found.correlate(repository_resource).scalar_subquery(), nothing)


def _behind(keys: Sequence[tuple[ColumnElement[Any], bool]], place: Place) -> ColumnElement[bool]:
    """What comes after a place in the order: the first key that differs decides."""
    parts = []
    for number, (value, descending) in enumerate(keys):
        same = [keys[earlier][0] == literal(place[earlier]) for earlier in range(number)]
        here = literal(place[number])
        parts.append(and_(*same, value < here if descending else value > here))
    return or_(*parts)


def ids_referred_to(connection: Connection, owner: str, include: Include, ids: Sequence[str]) -> list[str]:
    """What these resources of the include's type refer to by its names, as `Type/id`."""
    statement = select(_index.value).where(
        _index.owner == owner,
        _index.type == include.type,
        _index.name.in_(include.names),
        _index.id.in_(ids),
    )
    return list(dict.fromkeys(connection.execute(statement).scalars()))


def ids_that_refer(
    connection: Connection, owner: str, include: Include, targets: Sequence[str], *, limit: int
) -> list[str]:
    """Up to `limit` ids of resources of the include's type that refer to these targets (`Type/id`)."""
    statement = select(_index.id).where(
        _index.owner == owner,
        _index.type == include.type,
        _index.name.in_(include.names),
        _index.value.in_(targets),
    )
    return list(dict.fromkeys(connection.execute(statement.limit(limit)).scalars()))


def ids_behind(
    connection: Connection, owner: str, include: Include, *, since: int, behind: str, limit: int
) -> list[str]:
    """Up to `limit` ids of resources of the include's type that refer to its target (one `Type/id`) by its
    names, in their order behind an id; not those changed before `since`.
    """
    statement = select(_index.id).where(
        _index.owner == owner,
        _index.type == include.type,
        _index.name.in_(include.names),
        _index.value == include.target,
        _index.system == "",  # as of all references; so the index goes on with the id
        _index.id > behind,
    )
    if since:
        mine = _resource.owner == owner, _resource.type == include.type, _resource.id == _index.id
        statement = statement.where(select(_resource.id).where(*mine, _resource.updated >= since).exists())
    return list(connection.execute(statement.distinct().order_by(_index.id).limit(limit)).scalars())


def _condition(owner: str, query: SearchQuery) -> ColumnElement[bool]:
    parts = [*_live(owner, query.type)]
    parts += [_one_of(_indexed(owner, query.type, ["identifier"], _tokens(one))) for one in query.tokens]
    parts += [_fits(owner, query.type, one) for one in query.criteria]
    return and_(*parts)


def _live(owner: str, kind: str) -> list[ColumnElement[bool]]:
    return [_resource.owner == owner, _resource.type == kind, _resource.deleted == false()]


def _one_of(statement: Any) -> ColumnElement[bool]:
    return _resource.id.in_(statement)


def _indexed(owner: str, kind: str, names: Iterable[str], alternatives: Sequence[ColumnElement[bool]]) -> Any:
    return select(_index.id).where(
        _index.owner == owner, _index.type == kind, _index.name.in_(list(names)), or_(*alternatives)
    )


def _fits(owner: str, kind: str, criterion: Criterion) -> ColumnElement[bool]:
    """Whether a resource of `kind` fits the criterion."""
    by_index = [
        *_tokens([match for match in criterion.matches if isinstance(match, TokenCriterion)]),
        *_links([match for match in criterion.matches if isinstance(match, ReferenceMatch)]),
    ]
    spans, parts = [], []
    for match in criterion.matches:
        if isinstance(match, TextMatch):
            by_index.append(_text(match))
        elif isinstance(match, UriMatch):
            by_index.append(_uri(match))
        elif isinstance(match, ChainMatch):
            by_index.append(_chained(owner, match))
        elif isinstance(match, RangeMatch):
            spans.append(_span(match))
        elif not isinstance(match, TokenCriterion | ReferenceMatch):
            parts.append(_of_resource(owner, kind, criterion, match))
    if by_index:
        parts.append(_one_of(_indexed(owner, kind, criterion.names, by_index)))
    if spans:
        parts.append(_one_of(_ranged(owner, kind, criterion.names, or_(*spans))))
    found = or_(*(parts or [false()]))
    return not_(found) if criterion.is_negated else found


def _ranged(owner: str, kind: str, names: Sequence[str], condition: ColumnElement[bool]) -> Any:
    return select(_range.id).where(
        _range.owner == owner, _range.type == kind, _range.name.in_(names), condition
    )


def _of_resource(owner: str, kind: str, criterion: Criterion, match: Match) -> ColumnElement[bool]:
    """What is asked of the resource itself, not of one thing that is indexed."""
    if isinstance(match, IdMatch):
        return _resource.id == match.id
    if isinstance(match, UpdatedMatch):
        return _compared(match.span, {"low": _resource.updated}, int)
    if isinstance(match, PairMatch):
        return and_(_fits(owner, kind, match.first), _fits(owner, kind, match.second))
    if isinstance(match, HasMatch):
        return _referred_to(owner, kind, match)
    assert isinstance(match, MissingMatch)  # noqa: S101 - nothing else is left
    leads = [_index.value.startswith(f"{target}/", autoescape=True) for target in match.targets]
    there = _indexed(owner, kind, criterion.names, leads or [true()])
    spans = _ranged(owner, kind, criterion.names, true())
    return and_(not_(_one_of(there)), not_(_one_of(spans)))


def _matching(owner: str, kind: str, criterion: Criterion, column: ColumnElement[Any]) -> Any:
    """A statement of its own for what fits, whatever statement it stands in."""
    return select(column).where(*_live(owner, kind), _fits(owner, kind, criterion)).correlate(None)


def _chained(owner: str, match: ChainMatch) -> ColumnElement[bool]:
    link: ColumnElement[Any] = literal(f"{match.type}/") + _resource.id
    return _index.value.in_(_matching(owner, match.type, match.criterion, link))


def _referred_to(owner: str, kind: str, match: HasMatch) -> ColumnElement[bool]:
    head = f"{kind}/"
    links = select(func.substr(_index.value, len(head) + 1)).where(
        _index.owner == owner,
        _index.type == match.type,
        _index.name.in_(match.names),
        _index.value.startswith(head, autoescape=True),
        _index.id.in_(_matching(owner, match.type, match.criterion, _resource.id)),
    )
    return _one_of(links)


def _tokens(tokens: Sequence[TokenCriterion]) -> list[ColumnElement[bool]]:
    """One term for each system, however many values are asked for in it: a statement has only so many."""
    values: dict[str | None, list[str]] = defaultdict(list)
    systems: list[str] = []
    for token in tokens:
        if token.value is None:
            systems.append(index_value(token.system or ""))
        else:
            system = None if token.system is None else index_value(token.system)
            values[system].append(index_value(token.value))
    parts = [_of_system(system, _index.value.in_(wanted)) for system, wanted in values.items()]
    return [*parts, _index.system.in_(systems)] if systems else parts


def _links(references: Sequence[ReferenceMatch]) -> list[ColumnElement[bool]]:
    wanted = [index_value(match.reference) for match in references]
    return [_index.value.in_(wanted)] if wanted else []


def _of_system(system: str | None, values: ColumnElement[bool]) -> ColumnElement[bool]:
    return values if system is None else and_(_index.system == system, values)


def _text(match: TextMatch) -> ColumnElement[bool]:
    if match.how == "exact":
        return and_(_index.value == match.text, _index.system == match.written)
    if match.how == "contains":
        return _index.value.contains(match.text, autoescape=True)
    return _index.value.startswith(match.text, autoescape=True)


def _uri(match: UriMatch) -> ColumnElement[bool]:
    if match.how == "exact":
        return _index.value == index_value(match.uri)
    whole = match.uri.rstrip("/")
    if match.how == "below":
        return or_(_index.value == match.uri, _index.value.startswith(f"{whole}/", autoescape=True))
    steps = whole.split("/")
    return _index.value.in_(["/".join(steps[:end]) for end in range(1, len(steps) + 1)])


def _span(match: RangeMatch) -> ColumnElement[bool]:
    parts = [_range.key == match.key, _compared(match, {"low": _range.low, "high": _range.high})]
    if match.system is not None:
        parts.append(_range.system == match.system)
    if match.unit is not None:
        parts.append(
            or_(_range.code == match.unit, *([_range.unit == match.unit] if match.system is None else []))
        )
    return and_(*parts)


def _compared(
    match: RangeMatch, columns: Mapping[str, ColumnElement[Any]], number: type[int | float] = float
) -> ColumnElement[bool]:
    """`number`: the type of the columns; an index of whole numbers is no help against others."""
    return or_(
        *(
            and_(*(_COMPARE[how](columns[end], number(value)) for end, how, value in one))
            for one in match.alternatives
        )
    )
