"""Reading interactions in the caller's transaction, alone or as a GET entry of a Bundle."""

import orjson
from sqlalchemy import Connection

from adapter.fhir.codec import Resource
from adapter.repository import store
from adapter.repository.bundle_entries import Interaction
from adapter.repository.history_request import HistoryPlace, HistoryRequest, history_links, parse_history
from adapter.repository.history_statements import owned_types, select_versions
from adapter.repository.included_resources import read_included
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestBudget
from adapter.repository.resource_types import ID_PATTERN, RESOURCE_TYPES
from adapter.repository.response_bundles import ResultPage, history_bundle, searchset_bundle, version_etag
from adapter.repository.search_query import SearchQuery, parse_query_string, parse_search
from adapter.repository.search_statements import count_matches, limited_time, select_page
from adapter.repository.store import VersionRow
from adapter.repository.stored_content import format_instant

__all__ = [
    "get_response",
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


def get_response(
    connection: Connection, owner: str, entry: Interaction, base: str, budget: RequestBudget
) -> Resource:
    """The response entry of a GET or HEAD entry. Raises FhirError at the entry, 422 where the request has
    used up what it may cost.
    """
    budget.spend_bytes(0, entry.at("request.url"))
    answer, size = _get_response(connection, owner, entry, base, budget)
    budget.spend_bytes(size, entry.at("request.url"))
    return answer


def _get_response(
    connection: Connection, owner: str, entry: Interaction, base: str, budget: RequestBudget
) -> tuple[Resource, int]:
    path, _, query = entry.url.partition("?")
    segments = [segment for segment in path.split("/") if segment]
    where = entry.at("request.url")
    if segments[-1:] == ["_history"] and len(segments) <= 3:
        return _history_response(connection, owner, entry, base, budget)
    if not segments or segments[0] not in RESOURCE_TYPES:
        raise interaction_error(400, "not-supported", "unknown_type", where)
    kind = segments[0]
    if len(segments) == 1:
        found = parse_search(
            kind, parse_query_string(query), base=base, expression=where, limits=budget.limits
        )
        budget.spend_search_values(found.value_count, where)
        page = read_search_page(connection, owner, found, budget)
        body = searchset_bundle(found, page, base)
        return _entry(entry, body, {"status": "200 OK"}), len(body)
    if (
        not ID_PATTERN.fullmatch(segments[1])
        or segments[2:3] not in ([], ["_history"])
        or len(segments) not in (2, 4)
        or query
    ):
        raise interaction_error(400, "value", "bad_url", where)
    if len(segments) == 4:
        row = read_version(connection, owner, kind, segments[1], segments[3])
    else:
        row = read_current(connection, owner, kind, segments[1])
    return _row_entry(entry, row, base), len(row.body)


def _history_response(
    connection: Connection, owner: str, entry: Interaction, base: str, budget: RequestBudget
) -> tuple[Resource, int]:
    path, _, query = entry.url.partition("?")
    where = entry.at("request.url")
    kind, resource_id, *_ = [*(part for part in path.split("/")[:-1] if part), None, None]
    if kind is not None and kind not in RESOURCE_TYPES:
        raise interaction_error(400, "not-supported", "unknown_type", where)
    asked = parse_history(kind, resource_id, parse_query_string(query), where)
    page = read_history(connection, owner, asked, budget)
    body = history_answer(asked, page, base)
    return _entry(entry, body, {"status": "200 OK"}), len(body)


def _row_entry(entry: Interaction, row: VersionRow, base: str) -> Resource:
    response = {
        "status": "200 OK",
        "etag": version_etag(row.version),
        "lastModified": format_instant(row.updated),
    }
    if entry.if_none_match in (version_etag(row.version), str(row.version)):
        return {"response": {**response, "status": "304 Not Modified"}}
    full = _entry(entry, row.body, response)
    return {"fullUrl": f"{base}/{row.type}/{row.id}", **full} if "resource" in full else full


def _entry(entry: Interaction, body: bytes, response: Resource) -> Resource:
    if entry.method == "HEAD":
        return {"response": response}
    return {"resource": orjson.Fragment(body), "response": response}
