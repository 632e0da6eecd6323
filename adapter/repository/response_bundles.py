"""Bundles that answer: searchset, history, and the entries of batch and transaction responses. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from adapter.errors import FhirError
from adapter.fhir.codec import Resource, dumps
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.repository.interaction_errors import issues_of_error
from adapter.repository.search_query import SearchQuery, page_cursor
from adapter.repository.store import VersionRow
from adapter.repository.stored_content import format_instant
from adapter.repository.subsets import subset
from adapter.repository.write_plan import InteractionOutcome
from adapter.texts import say

__all__ = [
    "REASON_PHRASES",
    "ResultPage",
    "error_response_entry",
    "history_bundle",
    "not_used_entry",
    "response_bundle",
    "response_entry",
    "searchset_bundle",
    "version_etag",
]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of matches, and what is sent along with them. `more` says that another page follows behind the
    last row; of a search, `place` says where. `total` is None where nobody wants it, or counted.
    """

    total: int | None
    rows: tuple[VersionRow, ...]
    more: bool
    included: tuple[VersionRow, ...] = ()
    place: tuple[int | float | str, ...] | None = None


REASON_PHRASES = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 304: "Not Modified", 400: "Bad Request",
    404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 410: "Gone", 412: "Precondition Failed",
    422: "Unprocessable Entity", 424: "Failed Dependency", 500: "Internal Server Error",
    501: "Not Implemented",
}  # fmt: skip


def version_etag(version: int) -> str:
    """The weak ETag of a version (http://hl7.org/fhir/R4/http.html#versioning)."""
    return f'W/"{version}"'


def is_current_etag(header: str, version: int) -> bool:
    """Whether an If-None-Match names this version, in whatever form, or any by `*`."""
    wanted = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in wanted or str(version) in wanted


def _status(code: int) -> str:
    return f"{code} {REASON_PHRASES.get(code, '')}".rstrip()


def searchset_bundle(query: SearchQuery, page: ResultPage, base: str) -> bytes:
    """The Bundle of one page; `next` leads behind its last row."""
    params = list(query.applied)
    here = f"{base}/{query.type}"
    links = [{"relation": "self", "url": _url(here, params)}]
    if page.place is not None:
        links.append({"relation": "next", "url": _url(here, [*params, ("_cursor", page_cursor(page.place))])})
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset"}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = links
    if page.rows:
        matches = (_found(row, "match", query, base) for row in page.rows)
        bundle["entry"] = [*matches, *(_found(row, "include", query, base) for row in page.included)]
    return dumps(bundle)


def _found(row: VersionRow, mode: str, query: SearchQuery, base: str) -> Resource:
    body = row.body
    if query.summary or (query.elements and mode == "match"):
        body = subset(body, query.summary, query.elements)
    return {
        "fullUrl": f"{base}/{row.type}/{row.id}",
        "resource": orjson.Fragment(body),
        "search": {"mode": mode},
    }


def _url(path: str, params: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(params)}" if params else path


def history_bundle(
    total: int | None, rows: Sequence[VersionRow], base: str, links: list[dict[str, str]]
) -> bytes:
    """The Bundle of some versions, newest first; without `total` where nobody counted them."""
    bundle: Resource = {"resourceType": "Bundle", "type": "history"}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = links
    if rows:
        bundle["entry"] = [_version_entry(row, base) for row in rows]
    return dumps(bundle)


def _version_entry(row: VersionRow, base: str) -> Resource:
    entry: Resource = {"fullUrl": f"{base}/{row.type}/{row.id}"}
    if row.deleted:
        method, status = "DELETE", 204
    else:
        entry["resource"] = orjson.Fragment(row.body)
        method, status = "PUT", 201 if row.version == 1 else 200
    entry["request"] = {"method": method, "url": f"{row.type}/{row.id}"}
    entry["response"] = {
        "status": _status(status),
        "etag": version_etag(row.version),
        "lastModified": format_instant(row.updated),
    }
    return entry


def response_entry(outcome: InteractionOutcome, base: str, *, body: bytes | None = None) -> Resource:
    """The response entry of a write, with the resource if `body` is given."""
    response: Resource = {"status": _status(outcome.status)}
    if outcome.version and outcome.status != 204:
        response["location"] = f"{outcome.type}/{outcome.id}/_history/{outcome.version}"
    if outcome.version:
        response["etag"] = version_etag(outcome.version)
        response["lastModified"] = format_instant(outcome.updated)
    if outcome.notice:
        response["outcome"] = operation_outcome([Issue("information", "informational", outcome.notice)])
    if body is None:
        return {"response": response}
    return {
        "fullUrl": f"{base}/{outcome.type}/{outcome.id}",
        "resource": orjson.Fragment(body),
        "response": response,
    }


def error_response_entry(error: FhirError) -> Resource:
    """The response entry of a refused entry of a batch."""
    outcome: Any = operation_outcome(issues_of_error(error))
    return {"response": {"status": _status(error.status), "outcome": outcome}}


def not_used_entry(kind: str) -> Resource:
    """The response entry of what is of no use here: nothing is stored of it, and nothing is wrong with it."""
    outcome: Any = operation_outcome([Issue("information", "informational", say("fhir.not_used", type=kind))])
    return {"response": {"status": _status(202), "outcome": outcome}}


def response_bundle(kind: str, entries: Iterable[Resource]) -> bytes:
    """`batch-response` or `transaction-response`, its entries in the order of the request."""
    bundle: Resource = {"resourceType": "Bundle", "type": f"{kind}-response"}
    if listed := list(entries):
        bundle["entry"] = listed
    return dumps(bundle)
