"""Reading interactions in the caller's transaction, alone or as a GET entry of a Bundle."""

from dataclasses import dataclass
from urllib.parse import urlencode

import orjson
from sqlalchemy import Connection

from adapter.fhir.codec import Resource
from adapter.repository import store
from adapter.repository.answers import etag, history_bundle, searchset
from adapter.repository.content import instant
from adapter.repository.entries import Entry
from adapter.repository.query import Query, parse_query, split_params
from adapter.repository.refusal import refusal
from adapter.repository.store import Row
from adapter.repository.types import ID, RESOURCE_TYPES

__all__ = ["Page", "get_entry", "history", "history_links", "live", "search", "version"]

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """One page of matches. `more` says that another page follows behind the last row."""

    total: int
    rows: tuple[Row, ...]
    more: bool


def live(connection: Connection, owner: str, kind: str, resource_id: str) -> Row:
    """The newest version. Raises FhirError 404, or 410 for a deleted resource."""
    row = store.bodies(connection, owner, [(kind, resource_id)]).get((kind, resource_id))
    if row is None:
        raise refusal(404, "not-found", "no_resource_here", type=kind)
    if row.deleted:
        raise refusal(410, "deleted", "deleted", type=kind)
    return row


def version(connection: Connection, owner: str, kind: str, resource_id: str, number: str) -> Row:
    """One version. Raises FhirError 404, or 410 for the version that deleted the resource."""
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    row = store.version_row(connection, owner, kind, resource_id, wanted)
    if row is None:
        raise refusal(404, "not-found", "no_such_version", type=kind)
    if row.deleted:
        raise refusal(410, "deleted", "deleted", type=kind)
    return row


def search(connection: Connection, owner: str, query: Query) -> Page:
    """One page of a search."""
    total = store.count(connection, owner, query)
    if query.count_only:
        return Page(total, (), False)
    rows = store.page(connection, owner, query)
    return Page(total, tuple(rows[: query.count]), len(rows) > query.count)


def history(
    connection: Connection,
    owner: str,
    kind: str,
    resource_id: str,
    *,
    limit: int = _PAGE,
    before: int | None = None,
    since: int = 0,
) -> Page:
    """The versions of one resource, newest first. Raises FhirError 404 when there never was one."""
    total, rows = store.history(
        connection, owner, kind, resource_id, limit=limit + 1, before=before, since=since
    )
    if not rows and not store.current(connection, owner, [(kind, resource_id)]):
        raise refusal(404, "not-found", "no_resource_here", type=kind)
    return Page(total, tuple(rows[:limit]), len(rows) > limit)


def history_links(
    base: str, page: Page, kind: str, resource_id: str, *, limit: int, since: str | None
) -> list[dict[str, str]]:
    """Links of a page of history: self, and next while older versions remain."""
    here = f"{base}/{kind}/{resource_id}/_history"
    params = [("_count", str(limit))] + ([("_since", since)] if since else [])
    links = [{"relation": "self", "url": f"{here}?{urlencode(params)}"}]
    if page.more:
        params.append(("_cursor", str(page.rows[-1].version)))
        links.append({"relation": "next", "url": f"{here}?{urlencode(params)}"})
    return links


def get_entry(connection: Connection, owner: str, entry: Entry, base: str) -> Resource:
    """The response entry of a GET or HEAD entry. Raises FhirError at the entry."""
    path, _, query = entry.url.partition("?")
    segments = [segment for segment in path.split("/") if segment]
    where = entry.at("request.url")
    if not segments or segments[0] not in RESOURCE_TYPES:
        raise refusal(400, "not-supported", "unknown_type", where)
    kind = segments[0]
    if len(segments) == 1:
        found = parse_query(kind, split_params(query), base=base, expression=where)
        page = search(connection, owner, found)
        body = searchset(found, page.total, page.rows, page.more, base)
        return _entry(entry, body, {"status": "200 OK"})
    if not ID.fullmatch(segments[1]) or segments[2:3] not in ([], ["_history"]) or len(segments) > 4 or query:
        raise refusal(400, "value", "bad_url", where)
    if len(segments) == 3:
        past = history(connection, owner, kind, segments[1])
        links = history_links(base, past, kind, segments[1], limit=_PAGE, since=None)
        return _entry(entry, history_bundle(past.total, past.rows, base, links), {"status": "200 OK"})
    if len(segments) == 4:
        row = version(connection, owner, kind, segments[1], segments[3])
    else:
        row = live(connection, owner, kind, segments[1])
    return _row_entry(entry, row, base)


def _row_entry(entry: Entry, row: Row, base: str) -> Resource:
    response = {"status": "200 OK", "etag": etag(row.version), "lastModified": instant(row.updated)}
    if entry.if_none_match in (etag(row.version), str(row.version)):
        return {"response": {**response, "status": "304 Not Modified"}}
    full = _entry(entry, row.body, response)
    return {"fullUrl": f"{base}/{row.type}/{row.id}", **full} if "resource" in full else full


def _entry(entry: Entry, body: bytes, response: Resource) -> Resource:
    if entry.method == "HEAD":
        return {"response": response}
    return {"resource": orjson.Fragment(body), "response": response}
