"""What a history asks for, and the links of its pages (http://hl7.org/fhir/R4/http.html#history). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from adapter.repository.interaction_errors import interaction_error
from adapter.repository.page_parameters import parse_page_parameters
from adapter.repository.resource_types import ID_PATTERN, RESOURCE_TYPES
from adapter.repository.search_query import page_cursor

__all__ = ["HistoryPlace", "HistoryRequest", "history_links", "parse_history"]

_KNOWN: Final = ("_count", "_since")
_LARGEST: Final = 2**53


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """Where a version stands: histories go from the newest instant (`updated`, milliseconds) to the oldest,
    within one by type, then from the last id and version to the first.
    """

    updated: int
    type: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """One page: at most `count` versions, not before `since` (milliseconds), behind the place `after`; of one
    resource, of a type (`id` None), or of all types (`type` None too).
    """

    type: str | None = None
    id: str | None = None
    count: int = 100
    since: int = 0
    since_text: str | None = None
    after: HistoryPlace | None = None


def parse_history(
    kind: str | None, resource_id: str | None, params: Iterable[tuple[str, str]], expression: str = ""
) -> HistoryRequest:
    """The history that a URL with these parameters asks for; `expression` is where it stands, "" for a
    request of its own. Raises FhirError 400.
    """
    asked = parse_page_parameters(params, _KNOWN, expression)
    after = _place(asked.cursor, asked.cursor_at) if asked.cursor is not None else None
    return HistoryRequest(kind, resource_id, asked.count, asked.since, asked.since_text, after)


def _place(found: tuple[int | float | str, ...], where: str) -> HistoryPlace:
    if [type(one) for one in found] == [int, str, str, int]:
        place = HistoryPlace(*found)  # type: ignore[arg-type]
        numbers = 0 <= place.updated < _LARGEST and 0 < place.version < 2**31
        if numbers and place.type in RESOURCE_TYPES and ID_PATTERN.fullmatch(place.id):
            return place
    raise interaction_error(400, "invalid", "bad_cursor", where)


def history_links(base: str, query: HistoryRequest, last: HistoryPlace | None) -> list[dict[str, str]]:
    """Links of a page: self, and next where it goes on behind `last`."""
    here = "/".join(part for part in (base, query.type, query.id, "_history") if part)
    params = [("_count", str(query.count))]
    if query.since_text:
        params.append(("_since", query.since_text))
    links = [{"relation": "self", "url": f"{here}?{urlencode(params)}"}]
    if last is not None:
        cursor = page_cursor((last.updated, last.type, last.id, last.version))
        links.append({"relation": "next", "url": f"{here}?{urlencode([*params, ('_cursor', cursor)])}"})
    return links
