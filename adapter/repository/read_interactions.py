"""Reading interactions in the caller's transaction."""

from sqlalchemy import Connection

from adapter.repository import store
from adapter.repository.history_request import HistoryPlace, HistoryRequest, history_links
from adapter.repository.history_statements import owned_types, select_versions
from adapter.repository.included_resources import read_included
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestBudget
from adapter.repository.resource_types import ID_PATTERN
from adapter.repository.response_bundles import ResultPage, history_bundle
from adapter.repository.search_query import SearchQuery
from adapter.repository.search_statements import count_matches, limited_time, select_page
from adapter.repository.store import VersionRow

__all__ = [
    "history_answer",
    "read_current",
    "read_history",
    "read_search_page",
    "read_version",
]


def read_current(connection: Connection, owner: str, kind: str, resource_id: str) -> VersionRow:
    """The newest version. Raises FhirError 404, or 410 for a deleted resource."""
    if not ID_PATTERN.fullmatch(resource_id):
        raise interaction_error(404, "not-found", "no_resource_here", type=kind)
    row = store.current_with_bodies(connection, owner, [(kind, resource_id)]).get((kind, resource_id))
    if row is None:
        raise interaction_error(404, "not-found", "no_resource_here", type=kind)
    if row.deleted:
        raise interaction_error(410, "deleted", "deleted", type=kind)
    return row


def read_version(connection: Connection, owner: str, kind: str, resource_id: str, number: str) -> VersionRow:
    """One version. Raises FhirError 404, or 410 for the version that deleted the resource."""
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    known = ID_PATTERN.fullmatch(resource_id) is not None
    row = store.select_version(connection, owner, kind, resource_id, wanted) if known else None
    if row is None:
        raise interaction_error(404, "not-found", "no_such_version", type=kind)
    if row.deleted:
        raise interaction_error(410, "deleted", "deleted", type=kind)
    return row


def read_search_page(
    connection: Connection, owner: str, query: SearchQuery, budget: RequestBudget
) -> ResultPage:
    """One page of a search. Raises FhirError 422 when it takes longer than the request may."""
    with limited_time(connection, budget):
        total = count_matches(connection, owner, query) if query.with_total or query.count_only else None
        if query.count_only:
            return ResultPage(total, (), False)
        rows, place = select_page(connection, owner, query, budget.bytes_left)
        included = read_included(connection, owner, query.includes, rows, budget) if query.includes else ()
    return ResultPage(total, tuple(rows), place is not None, tuple(included), place)


def read_history(
    connection: Connection, owner: str, query: HistoryRequest, budget: RequestBudget
) -> ResultPage:
    """One page of versions, newest first. Raises FhirError 404 where there never was such a resource, 422
    when it takes longer than the request may.
    """
    kind, resource_id = query.type, query.id
    if kind is None or resource_id is None:
        with limited_time(connection, budget):
            types = [kind] if kind else owned_types(connection, owner)
            rows, last = select_versions(connection, owner, types, query, budget.bytes_left)
        return ResultPage(None, tuple(rows), last is not None)
    if not ID_PATTERN.fullmatch(resource_id):
        raise interaction_error(404, "not-found", "no_resource_here", type=kind)
    total, rows, more = store.select_history(
        connection,
        owner,
        kind,
        resource_id,
        limit=query.count,
        before=query.after.version if query.after else None,
        since=query.since,
        most_bytes=budget.bytes_left,
    )
    if not rows and not store.current_versions(connection, owner, [(kind, resource_id)]):
        raise interaction_error(404, "not-found", "no_resource_here", type=kind)
    return ResultPage(total, tuple(rows), more)


def history_answer(query: HistoryRequest, page: ResultPage, base: str) -> bytes:
    """The Bundle of one page of a history."""
    last = None
    if page.more:
        row = page.rows[-1]
        last = HistoryPlace(row.updated, row.type, row.id, row.version)
    return history_bundle(page.total, page.rows, base, history_links(base, query, last))
