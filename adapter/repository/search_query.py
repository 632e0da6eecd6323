"""Searches, parsed into a frozen SearchQuery (http://hl7.org/fhir/R4/search.html).

What one parameter asks is parsed by `search_criteria`; here are those that say how the answer looks. An
unknown parameter is refused, never ignored: an If-None-Exist or conditional update whose condition was
dropped would create or overwrite without one.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import parse_qsl

from adapter.fhir.definitions.search_parameters import search_parameters_of
from adapter.fhir.identity import identity_search_parameter
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import DEFAULT_LIMITS, RequestLimits, over_limit
from adapter.repository.resource_types import ID_PATTERN, RESOURCE_TYPES, search_parameters
from adapter.repository.search_criteria import parse_criterion, parse_token, split_escaped
from adapter.repository.search_matches import Criterion, TokenCriterion, count_values, types_within
from adapter.repository.search_values import date_span

__all__ = [
    "Include",
    "SearchQuery",
    "SortKey",
    "page_cursor",
    "parse_condition",
    "parse_cursor",
    "parse_query_string",
    "parse_search",
    "parse_since",
]

_INCLUDES: Final = ("_include", "_revinclude")
_RESULT: Final = frozenset(
    {
        *("_count", "_summary", "_elements", "_sort", "_cursor", "_format", "_pretty", "_total", *_INCLUDES),
        *(f"{name}:iterate" for name in _INCLUDES),
    }
)
_OF_PAGE: Final = ("_cursor", "_format", "_pretty")
_MOST: Final = 1000
_MOST_SORTED: Final = 3
_LONGEST_CURSOR: Final = 2000
_LARGEST: Final = 2.0**64
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # a string may have lines and tabs
_RANGES: Final = ("date", "number", "quantity")
_SUMMARIES: Final = ("count", "false", "true", "text", "data")

Summary = Literal["true", "text", "data"]


@dataclass(frozen=True, slots=True)
class SortKey:
    """What matches are sorted by: `_id`, `_lastUpdated`, or what is indexed under the names."""

    name: str
    descending: bool = False
    names: tuple[str, ...] = ()
    is_range: bool = False


@dataclass(frozen=True, slots=True)
class Include:
    """What is sent along: what matches of `type` refer to under the names (of `target`, or of any type); with
    `reverse`, the resources of `type` that refer to matches. `iterate`: also from what is sent along.
    """

    type: str
    names: tuple[str, ...]
    target: str = ""
    reverse: bool = False
    iterate: bool = False

    @property
    def sent_types(self) -> frozenset[str]:
        """The types that may be sent along; `*` for any."""
        if self.reverse:
            return frozenset((self.type,))
        if self.target:
            return frozenset((self.target,))
        listed = search_parameters_of(self.type).values()
        mine = (one for one in listed if tuple(source.name for source in one.sources) == self.names)
        targets = frozenset(target for one in mine for target in one.targets)
        return targets or frozenset("*")


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search of one type: all of `tokens` (identifiers) and `criteria` hold; in each, one suffices."""

    type: str
    tokens: tuple[tuple[TokenCriterion, ...], ...] = ()
    criteria: tuple[Criterion, ...] = ()
    count: int = 100
    count_only: bool = False
    with_total: bool = True
    sort: tuple[SortKey, ...] = ()
    after: tuple[int | float | str, ...] | None = None  # sort values and id of the last match before
    includes: tuple[Include, ...] = ()
    summary: Summary | None = None
    elements: tuple[str, ...] = ()
    applied: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # for the links of the page

    @property
    def has_condition(self) -> bool:
        """Whether anything narrows the search."""
        return bool(self.tokens or self.criteria)

    @property
    def other_types(self) -> frozenset[str]:
        """The types besides its own whose resources decide or are shown; `*` for any."""
        asked = frozenset(kind for one in self.criteria for kind in types_within(one))
        return asked.union(*(include.sent_types for include in self.includes))

    @property
    def value_count(self) -> int:
        """How many values are asked for, the alternatives of all parameters together."""
        return sum(map(len, self.tokens)) + sum(count_values(one) for one in self.criteria)

    @property
    def one_identifier(self) -> TokenCriterion | None:
        """The identifier, when `identifier=[system|]value` is the only condition."""
        if self.criteria or len(self.tokens) != 1:
            return None
        first = self.tokens[0]
        return first[0] if len(first) == 1 and first[0].value is not None else None


def parse_query_string(query: str) -> list[tuple[str, str]]:
    """Names and values of a URL's query, percent-decoded. Raises FhirError 400, or 413 for too many."""
    if (sent := query.count("&") + 1) > DEFAULT_LIMITS.max_parameters:
        raise over_limit(DEFAULT_LIMITS, "max_parameters", sent)
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise interaction_error(400, "invalid", "bad_query") from None


def parse_condition(
    resource_type: str, query: str, *, expression: str = "", base: str | None = None
) -> SearchQuery:
    """The condition of a conditional interaction: at least one criterion and no result parameter.

    `query` may begin with `?`, `Type?`, or that below `base`, which is ours. Raises FhirError 400 at
    `expression`.
    """
    head, mark, tail = query.strip().partition("?")
    if mark:
        head = head.removeprefix(f"{base}/") if base else head
        if head not in ("", resource_type):
            raise interaction_error(400, "invalid", "condition_of_other_type", expression, type=resource_type)
        query = tail
    params = parse_query_string(query)
    for name, _ in params:
        if name in _RESULT - {"_format"}:
            raise interaction_error(400, "invalid", "not_a_criterion", expression, name=name)
    parsed = parse_search(resource_type, params, expression=expression)
    if not parsed.has_condition:
        raise interaction_error(400, "required", "no_criteria", expression)
    return parsed


def parse_search(
    resource_type: str,
    params: Iterable[tuple[str, str]],
    *,
    lenient: bool = False,
    base: str | None = None,
    expression: str = "",
    limits: RequestLimits = DEFAULT_LIMITS,
) -> SearchQuery:
    """A search of `resource_type`. `lenient` (Prefer: handling=lenient) drops unknown parameters.

    Raises FhirError 400 that names the parameter, or 422 for more values than the limit.
    """
    query = SearchQuery(resource_type)
    for name, value in params:
        where = expression or f"http.{name}"
        if _CONTROL.search(name) or _CONTROL.search(value):
            raise interaction_error(400, "invalid", "control_character", expression)
        if not value:
            raise interaction_error(400, "invalid", "empty_parameter", where, name=name)
        if value.count(",") >= limits.max_search_values:
            raise over_limit(limits, "max_search_values", value.count(",") + 1, where)
        found = _with(query, name, value, where, base)
        if found is None:
            if lenient:
                continue
            known = ", ".join(search_parameters(resource_type))
            raise interaction_error(400, "not-supported", "unknown_parameter", where, name=name, known=known)
        if (asked := found.value_count) > limits.max_search_values:
            raise over_limit(limits, "max_search_values", asked, where)
        if (sent := len(found.includes)) > limits.max_includes:
            raise over_limit(limits, "max_includes", sent, where)
        query = found if name in _OF_PAGE else replace(found, applied=(*found.applied, (name, value)))
    if query.after is not None and not _is_place(query):
        raise interaction_error(400, "invalid", "bad_cursor", "http._cursor")
    return query


def _with(query: SearchQuery, name: str, value: str, where: str, base: str | None) -> SearchQuery | None:
    """The query with one more parameter; None for one that R4 does not have."""
    if name in _RESULT:
        return _with_result(query, name, value, where)
    if name == identity_search_parameter(query.type):
        values = [item for item in split_escaped(value, ",") if item]
        if not values:
            raise interaction_error(400, "invalid", "empty_parameter", where, name=name)
        return replace(query, tokens=(*query.tokens, tuple(parse_token(item, where) for item in values)))
    criterion = parse_criterion(query.type, name, value, where, base)
    return None if criterion is None else replace(query, criteria=(*query.criteria, criterion))


def _with_result(query: SearchQuery, name: str, value: str, where: str) -> SearchQuery:
    plain, _, modifier = name.partition(":")
    if plain in _INCLUDES:
        included = _include(value, where, reverse=plain == "_revinclude", iterate=modifier == "iterate")
        return replace(query, includes=(*query.includes, included))
    if name == "_count":
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
            raise interaction_error(400, "invalid", "bad_count", where)
        count = int(value)
        return replace(query, count=min(count, _MOST), count_only=query.count_only or count == 0)
    if name == "_summary":
        return _with_summary(query, value, where)
    if name == "_elements":
        names = tuple(item.strip() for item in value.split(",") if item.strip())
        return replace(query, elements=(*query.elements, *names))
    if name == "_sort":
        return replace(query, sort=_sort(query.type, value, where))
    if name == "_total":
        if value not in ("none", "estimate", "accurate"):
            raise interaction_error(400, "invalid", "bad_total", where)
        return replace(query, with_total=value != "none")
    return replace(query, after=parse_cursor(value, where)) if name == "_cursor" else query


def _with_summary(query: SearchQuery, value: str, where: str) -> SearchQuery:
    if value not in _SUMMARIES:
        raise interaction_error(400, "not-supported", "bad_summary", where)
    if value == "count":
        return replace(query, count_only=True)
    summaries: dict[str, Summary] = {"true": "true", "text": "text", "data": "data"}
    return replace(query, summary=summaries.get(value))


def _sort(resource_type: str, value: str, where: str) -> tuple[SortKey, ...]:
    keys = []
    for item in value.split(","):
        name, descending = item.removeprefix("-"), item.startswith("-")
        parameter = search_parameters_of(resource_type).get(name)
        if name in ("_id", "_lastUpdated"):
            keys.append(SortKey(name, descending))
        elif parameter is None or parameter.kind == "composite":
            raise interaction_error(400, "not-supported", "bad_sort", where)
        else:
            names = tuple(source.name for source in parameter.sources)
            keys.append(SortKey(name, descending, names, parameter.kind in _RANGES))
    if len(keys) > _MOST_SORTED:
        raise interaction_error(400, "too-costly", "bad_sort", where)
    return tuple(keys)


def _include(value: str, where: str, *, reverse: bool, iterate: bool) -> Include:
    """`Type:parameter[:target]`. Raises FhirError 400."""
    kind, _, rest = value.partition(":")
    code, _, target = rest.partition(":")
    parameter = search_parameters_of(kind).get(code) if kind in RESOURCE_TYPES else None
    if parameter is None or parameter.kind != "reference" or (target and target not in RESOURCE_TYPES):
        raise interaction_error(400, "not-supported", "bad_include", where)
    if not target and len(parameter.targets) == 1:
        target = parameter.targets[0]  # patient looks where subject does
    return Include(kind, tuple(source.name for source in parameter.sources), target, reverse, iterate)


def parse_since(value: str, where: str = "") -> int:
    """The instant of `_since` in milliseconds. Raises FhirError 400."""
    span = date_span(value.replace(" ", "+"))
    if span is None:
        raise interaction_error(400, "invalid", "bad_date", where or "http._since")
    return span[0]


def page_cursor(place: Iterable[int | float | str]) -> str:
    """The opaque place behind a match, for the link to the next page: its sort values, and its id."""
    return base64.urlsafe_b64encode(json.dumps(list(place)).encode()).decode().rstrip("=")


def parse_cursor(text: str, where: str) -> tuple[int | float | str, ...]:
    """The place that `page_cursor` wrote. Raises FhirError 400 for what it never writes."""
    bad = interaction_error(400, "invalid", "bad_cursor", where)
    if len(text) > _LONGEST_CURSOR:
        raise bad
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is nothing to look for
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise bad from None
    if not isinstance(found, list) or not all(type(one) in (int, float, str) for one in found):
        raise bad
    return tuple(found)


def _is_place(query: SearchQuery) -> bool:
    """Whether the cursor can be a place in the order that is asked for."""
    *values, last = query.after or ("",)
    return (
        isinstance(last, str)
        and ID_PATTERN.fullmatch(last) is not None
        and len(values) == len(query.sort)
        and all(_is_value(key, value) for key, value in zip(query.sort, values, strict=True))
    )


def _is_value(key: SortKey, value: int | float | str) -> bool:
    if key.name == "_lastUpdated":
        return isinstance(value, int) and 0 <= value < 2**53
    if key.is_range:
        return not isinstance(value, str) and math.isfinite(value) and abs(value) <= _LARGEST
    return isinstance(value, str) and _CONTROL.search(value) is None
