"""`Patient/$everything` (http://hl7.org/fhir/R4/patient-operation-everything.html): the Patient, what refers
to it, and what that refers to. A page at a time, and of one owner only: the owner is in each statement.

What refers to a Patient is told by R4's search parameters that may lead to one: the Patient compartment is
among it. A page goes on behind a (type, id), so what is written meanwhile makes none repeat or miss another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import urlencode

import orjson
from sqlalchemy import Connection

from adapter.fhir.codec import Resource, dumps
from adapter.fhir.definitions.search_parameters import search_parameters_of
from adapter.repository import store
from adapter.repository.history_statements import owned_types
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.page_parameters import parse_page_parameters
from adapter.repository.read_interactions import read_current
from adapter.repository.request_limits import RequestBudget, fitting_keys, over_limit
from adapter.repository.resource_types import RESOURCE_TYPES
from adapter.repository.search_query import Include, page_cursor
from adapter.repository.search_statements import ids_behind, ids_referred_to, limited_time
from adapter.repository.store import VersionRow

__all__ = ["EverythingPage", "EverythingRequest", "everything_bundle", "parse_everything", "read_everything"]

_KNOWN: Final = ("_count", "_since", "_type")
_PATIENT: Final = "Patient"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class EverythingRequest:
    """One page: at most `count` resources behind `after`, of `types` (all where there are none), changed not
    before `since` (milliseconds).
    """

    id: str
    count: int = 100
    types: tuple[str, ...] = ()
    since: int = 0
    since_text: str | None = None
    after: Key | None = None


@dataclass(frozen=True, slots=True)
class EverythingPage:
    """What is on a page; `last` is where the next begins, None where there is none."""

    rows: tuple[VersionRow, ...]
    included: tuple[VersionRow, ...]
    last: Key | None


def parse_everything(
    resource_id: str, params: Iterable[tuple[str, str]], expression: str = ""
) -> EverythingRequest:
    """What a URL with these parameters asks for. Raises FhirError 400."""
    asked = parse_page_parameters(params, _KNOWN, expression)
    after = _place(asked.cursor, asked.cursor_at) if asked.cursor is not None else None
    return EverythingRequest(resource_id, asked.count, asked.types, asked.since, asked.since_text, after)


def _place(found: tuple[int | float | str, ...], where: str) -> Key:
    if len(found) == 2 and found[0] in RESOURCE_TYPES and isinstance(found[1], str) and len(found[1]) <= 64:
        return str(found[0]), found[1]
    raise interaction_error(400, "invalid", "bad_cursor", where)


def read_everything(
    connection: Connection, owner: str, asked: EverythingRequest, budget: RequestBudget
) -> EverythingPage:
    """One page; the first begins with the Patient. Raises FhirError 404 or 410 where there is none, 422 where
    it takes longer, or sends more along, than a request may.
    """
    patient = read_current(connection, owner, _PATIENT, asked.id)
    is_asked = patient.updated >= asked.since and (not asked.types or _PATIENT in asked.types)
    first = (patient,) if is_asked and asked.after is None else ()
    room = max(budget.bytes_left - sum(len(row.body) for row in first), 0)
    with limited_time(connection, budget):
        types = [one for one in owned_types(connection, owner) if not asked.types or one in asked.types]
        sized = _referring(connection, owner, asked, [one for one in types if _names(one)])
        wanted: list[Key] = fitting_keys(sized[: asked.count], room)
        rows = (*first, *_bodies(connection, owner, wanted))
        left = budget.bytes_left - sum(len(row.body) for row in rows)
        included = _included(connection, owner, rows, left, budget) if not asked.types else ()
    more = len(sized) > len(wanted)
    return EverythingPage(rows, tuple(included), wanted[-1] if more and wanted else None)


@cache
def _names(type_: str) -> tuple[str, ...]:
    """Under which names what a type says of a Patient is indexed; none of what cannot refer to one."""
    listed = search_parameters_of(type_).values()
    mine = (one for one in listed if one.kind == "reference" and (not one.targets or _PATIENT in one.targets))
    return tuple(dict.fromkeys(source.name for one in mine for source in one.sources))


@cache
def _links(type_: str) -> tuple[str, ...]:
    """The same of whatever it refers to."""
    listed = (one for one in search_parameters_of(type_).values() if one.kind == "reference")
    return tuple(dict.fromkeys(source.name for one in listed for source in one.sources))


def _referring(
    connection: Connection, owner: str, asked: EverythingRequest, types: Sequence[str]
) -> list[tuple[Key, int]]:
    """The resources of these types that refer to the Patient, behind the place, with the lengths of their
    bodies; a type after the other, and one more than the page has.
    """
    found: list[tuple[Key, int]] = []
    for type_ in types:
        if asked.after is not None and type_ < asked.after[0]:
            continue
        behind = asked.after[1] if asked.after is not None and type_ == asked.after[0] else ""
        ids = ids_behind(
            connection,
            owner,
            Include(type_, _names(type_), f"{_PATIENT}/{asked.id}"),
            since=asked.since,
            behind=behind,
            limit=asked.count + 1 - len(found),
        )
        keys = [(type_, id_) for id_ in ids if (type_, id_) != (_PATIENT, asked.id)]
        sizes = store.body_lengths(connection, owner, keys)
        found += [(key, sizes[key]) for key in keys if key in sizes]
        if len(found) > asked.count:
            break
    return found


def _bodies(connection: Connection, owner: str, wanted: Sequence[Key]) -> list[VersionRow]:
    rows = store.current_with_bodies(connection, owner, wanted)
    return [row for key in wanted if (row := rows.get(key)) and not row.deleted]


def _included(
    connection: Connection, owner: str, rows: Sequence[VersionRow], room: int, budget: RequestBudget
) -> list[VersionRow]:
    """What the resources of a page refer to and what is no person's: whoever did it, where, with what."""
    held = {(row.type, row.id) for row in rows}
    wanted: dict[Key, None] = {}
    for type_ in dict.fromkeys(row.type for row in rows):
        ids = [row.id for row in rows if row.type == type_]
        for link in ids_referred_to(connection, owner, Include(type_, _links(type_)), ids):
            kind, _, id_ = link.partition("/")
            if kind in RESOURCE_TYPES and id_ and not _names(kind) and (kind, id_) not in held:
                wanted[kind, id_] = None
    if len(wanted) > budget.limits.max_included:
        raise over_limit(budget.limits, "max_included", len(wanted))
    listed = sorted(wanted)
    sizes = store.body_lengths(connection, owner, listed)
    if sizes and (size := sum(sizes.values())) > room:
        raise over_limit(budget.limits, "max_response_bytes", size)
    return _bodies(connection, owner, listed)


def everything_bundle(asked: EverythingRequest, page: EverythingPage, base: str) -> bytes:
    """The Bundle of one page, with a link to the next."""
    here = f"{base}/{_PATIENT}/{asked.id}/$everything"
    params = [("_count", str(asked.count))]
    params += [("_type", ",".join(asked.types))] if asked.types else []
    params += [("_since", asked.since_text)] if asked.since_text else []
    links = [{"relation": "self", "url": f"{here}?{urlencode(params)}"}]
    if page.last is not None:
        query = urlencode([*params, ("_cursor", page_cursor(page.last))])
        links.append({"relation": "next", "url": f"{here}?{query}"})
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    found = [(row, "match") for row in page.rows] + [(row, "include") for row in page.included]
    if found:
        bundle["entry"] = [
            {
                "fullUrl": f"{base}/{row.type}/{row.id}",
                "resource": orjson.Fragment(row.body),
                "search": {"mode": mode},
            }
            for row, mode in found
        ]
    return dumps(bundle)
