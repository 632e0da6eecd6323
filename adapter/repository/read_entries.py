"""The response of a GET or HEAD entry of a Bundle: what the same request alone is answered with."""

from datetime import datetime

import orjson
from sqlalchemy import Connection

from adapter.fhir.codec import Resource
from adapter.repository.bundle_entries import Interaction
from adapter.repository.history_request import parse_history
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.patient_everything import everything_bundle, parse_everything, read_everything
from adapter.repository.read_interactions import (
    history_answer,
    read_current,
    read_history,
    read_search_page,
    read_version,
)
from adapter.repository.request_limits import RequestBudget
from adapter.repository.response_bundles import is_current_etag, searchset_bundle, version_etag
from adapter.repository.search_query import parse_query_string, parse_search
from adapter.repository.store import VersionRow
from adapter.repository.stored_content import format_instant

__all__ = ["get_response"]


def get_response(
    connection: Connection,
    owner: str,
    entry: Interaction,
    base: str,
    budget: RequestBudget,
    *,
    lenient: bool = False,
) -> Resource:
    """The response entry of a GET or HEAD entry; `lenient` as in `parse_search`. Raises FhirError, 422 where
    the request has used up what it may cost.
    """
    budget.spend_bytes(0, entry.at("request.url"))
    answer, size = _answer(connection, owner, entry, base, budget, lenient=lenient)
    budget.spend_bytes(size, entry.at("request.url"))
    return answer


def _answer(
    connection: Connection, owner: str, entry: Interaction, base: str, budget: RequestBudget, *, lenient: bool
) -> tuple[Resource, int]:
    path, _, query = entry.url.partition("?")
    params = parse_query_string(query)
    where = entry.at("request.url")
    match [segment for segment in path.split("/") if segment]:
        case [*place, "_history"] if len(place) <= 2:
            kind, resource_id, *_ = [*place, None, None]
            versions = parse_history(kind, resource_id, params, where)
            body = history_answer(versions, read_history(connection, owner, versions, budget), base)
        case ["Patient", resource_id, "$everything"]:
            asked = parse_everything(resource_id, params, where)
            body = everything_bundle(asked, read_everything(connection, owner, asked, budget), base)
        case [kind]:
            found = parse_search(
                kind, params, base=base, expression=where, limits=budget.limits, lenient=lenient
            )
            budget.spend_search_values(found.value_count, where)
            body = searchset_bundle(found, read_search_page(connection, owner, found, budget), base)
        case [kind, resource_id]:
            return _row_entry(entry, read_current(connection, owner, kind, resource_id), base)
        case [kind, resource_id, "_history", version]:
            return _row_entry(entry, read_version(connection, owner, kind, resource_id, version), base)
        case [*_, operation] if operation.startswith("$"):
            raise interaction_error(404, "not-supported", "no_interaction", where)
        case _:
            raise interaction_error(400, "value", "bad_url", where)
    return _entry(entry, body, {"status": "200 OK"}), len(body)


def _row_entry(entry: Interaction, row: VersionRow, base: str) -> tuple[Resource, int]:
    response = {
        "status": "200 OK",
        "etag": version_etag(row.version),
        "lastModified": format_instant(row.updated),
    }
    if _is_fresh(entry, row):
        return {"response": {**response, "status": "304 Not Modified"}}, 0
    full = _entry(entry, row.body, response)
    if "resource" in full:
        full = {"fullUrl": f"{base}/{row.type}/{row.id}", **full}
    return full, len(row.body)


def _is_fresh(entry: Interaction, row: VersionRow) -> bool:
    """Conditional read (http://hl7.org/fhir/R4/http.html#cread)."""
    if entry.if_none_match is not None:
        return is_current_etag(entry.if_none_match, row.version)
    if entry.if_modified_since is None:
        return False
    try:
        return row.updated <= datetime.fromisoformat(entry.if_modified_since).timestamp() * 1000
    except (ValueError, OverflowError):
        return False


def _entry(entry: Interaction, body: bytes, response: Resource) -> Resource:
    if entry.method == "HEAD":
        return {"response": response}
    return {"resource": orjson.Fragment(body), "response": response}
