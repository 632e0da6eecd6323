"""Search parameters, parsed into a frozen Query (http://hl7.org/fhir/R4/search.html).

An unknown parameter is refused, never ignored: an If-None-Exist or conditional update whose
condition was dropped would create or overwrite without one.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Literal
from urllib.parse import parse_qsl

from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import DEFAULT_LIMITS, RequestLimits, over_limit
from adapter.repository.resource_types import ID_PATTERN, search_parameters

__all__ = [
    "DateRange",
    "SearchQuery",
    "TokenCriterion",
    "page_cursor",
    "parse_condition",
    "parse_query_string",
    "parse_search",
    "parse_since",
]

_LOCAL: Final = timezone(timedelta(hours=7))  # a date without a zone is one of Vietnam
_RESULT: Final = frozenset({"_count", "_summary", "_sort", "_cursor", "_format", "_pretty", "_total"})
_MOST: Final = 1000
_LONGEST_CURSOR: Final = 200
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DATE: Final = re.compile(
    r"(eq|ne|gt|lt|ge|le)?(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_TARGETS: Final = {
    "subject": ("Patient", "Group", "Device", "Location"),
    "patient": ("Patient",),
    "based-on": ("ServiceRequest", "CarePlan", "MedicationRequest", "DeviceRequest", "NutritionOrder"),
}

Sort = Literal["_id", "_lastUpdated", "-_lastUpdated"]


@dataclass(frozen=True, slots=True)
class TokenCriterion:
    """One token to match; None matches any system, or any value."""

    system: str | None
    value: str | None


@dataclass(frozen=True, slots=True)
class DateRange:
    """Instants from `low` to before `high`, milliseconds since 1970, None for open; `is_negated` negates."""

    low: int | None
    high: int | None
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search of one type: all of `ids`, `tokens`, `references`, `updated` hold; in each, one suffices."""

    type: str
    ids: tuple[tuple[str, ...], ...] = ()
    tokens: tuple[tuple[TokenCriterion, ...], ...] = ()
    references: tuple[tuple[str, tuple[str, ...]], ...] = ()
    updated: tuple[DateRange, ...] = ()
    count: int = 100
    count_only: bool = False
    sort: Sort = "_id"
    after: tuple[int | str, str] | None = None  # sort value and id of the last match of the page before
    applied: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # for the links of the page

    @property
    def has_condition(self) -> bool:
        """Whether anything narrows the search."""
        return bool(self.ids or self.tokens or self.references or self.updated)

    @property
    def value_count(self) -> int:
        """How many values are asked for, the alternatives of all parameters together."""
        groups = [*self.ids, *self.tokens, *(values for _, values in self.references)]
        return sum(map(len, groups)) + len(self.updated)

    @property
    def one_identifier(self) -> TokenCriterion | None:
        """The identifier, when `identifier=[system|]value` is the only condition."""
        if self.ids or self.references or self.updated or len(self.tokens) != 1:
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


def parse_condition(resource_type: str, query: str, *, expression: str = "") -> SearchQuery:
    """The condition of a conditional interaction: at least one criterion and no result parameter.

    `query` may begin with `?` or `Type?`. Raises FhirError 400 at `expression`.
    """
    head, mark, tail = query.partition("?")
    if mark:
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
    values_sent = 0
    for name, value in params:
        where = expression or f"http.{name}"
        if _CONTROL.search(name) or _CONTROL.search(value):
            raise interaction_error(400, "invalid", "control_character", expression)
        if not _is_known(resource_type, name):
            if lenient:
                continue
            known = ", ".join(search_parameters(resource_type))
            raise interaction_error(400, "not-supported", "unknown_parameter", where, name=name, known=known)
        if not value:
            raise interaction_error(400, "invalid", "empty_parameter", where, name=name)
        values_sent += value.count(",") + 1
        if values_sent > limits.max_search_values:
            raise over_limit(limits, "max_search_values", values_sent, where)
        query = _with(query, name, value, where, base)
    if query.after is not None and isinstance(query.after[0], str) != (query.sort == "_id"):
        raise interaction_error(400, "invalid", "bad_cursor", "http._cursor")
    return query


def _is_known(resource_type: str, name: str) -> bool:
    plain = name.partition(":")[0]
    if plain not in _RESULT and plain not in search_parameters(resource_type):
        return False
    return plain == name or (plain in _TARGETS and name.partition(":")[2] in _TARGETS[plain])


def _with(query: SearchQuery, name: str, value: str, where: str, base: str | None) -> SearchQuery:
    if name in _RESULT:
        query = _with_result(query, name, value, where)
        keep = name not in ("_cursor", "_format", "_pretty")
    else:
        query = _with_criterion(query, name, value, where, base)
        keep = True
    return replace(query, applied=(*query.applied, (name, value))) if keep else query


def _with_criterion(query: SearchQuery, name: str, value: str, where: str, base: str | None) -> SearchQuery:
    if name == "_lastUpdated":
        alternatives = [_range(item, where) for item in split_escaped(value, ",")]
        if len(alternatives) != 1:
            raise interaction_error(400, "not-supported", "one_date", where)
        return replace(query, updated=(*query.updated, alternatives[0]))
    values = [item for item in split_escaped(value, ",") if item]
    if not values:
        raise interaction_error(400, "invalid", "empty_parameter", where, name=name)
    if name == "_id":
        return replace(query, ids=(*query.ids, tuple(unescape(item) for item in values)))
    if name in ("identifier", "_tag"):
        return replace(query, tokens=(*query.tokens, tuple(_token(item, where) for item in values)))
    plain, _, target = name.partition(":")
    targets = (target,) if target else _TARGETS[plain]
    wanted = tuple(form for item in values for form in _reference_forms(unescape(item), targets, base))
    return replace(query, references=(*query.references, (plain, wanted)))


def _with_result(query: SearchQuery, name: str, value: str, where: str) -> SearchQuery:
    if name == "_count":
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
            raise interaction_error(400, "invalid", "bad_count", where)
        count = int(value)
        return replace(query, count=min(count, _MOST), count_only=query.count_only or count == 0)
    if name == "_summary":
        if value not in ("count", "false"):
            raise interaction_error(400, "not-supported", "bad_summary", where)
        return replace(query, count_only=query.count_only or value == "count")
    if name == "_sort":
        sorts: dict[str, Sort] = {s: s for s in ("_id", "_lastUpdated", "-_lastUpdated")}
        if value not in sorts:
            raise interaction_error(400, "not-supported", "bad_sort", where)
        return replace(query, sort=sorts[value])
    if name == "_total" and value not in ("none", "estimate", "accurate"):
        raise interaction_error(400, "invalid", "bad_total", where)
    return replace(query, after=_uncursor(value, where)) if name == "_cursor" else query


def split_escaped(value: str, separator: str) -> list[str]:
    r"""Split at `separator` except where `\` stands before it; escapes stay in the parts."""
    parts, current, skip = [], "", False
    for character in value:
        if character == separator and not skip:
            parts.append(current)
            current = ""
        else:
            current += character
        skip = character == "\\" and not skip
    return [*parts, current]


def unescape(value: str) -> str:
    r"""Undo `\,` `\|` `\$` `\\` (http://hl7.org/fhir/R4/search.html#escaping)."""
    return re.sub(r"\\([\\,|$])", r"\1", value)


def _token(item: str, where: str) -> TokenCriterion:
    parts = split_escaped(item, "|")
    if len(parts) == 1:
        return TokenCriterion(None, unescape(item))
    # A value may hold a raw `|`; only the first one separates.
    system, value = unescape(parts[0]), unescape("|".join(parts[1:]))
    if not system and not value:
        raise interaction_error(400, "invalid", "bad_token", where)
    return TokenCriterion(system, value or None)


def _reference_forms(value: str, targets: Sequence[str], base: str | None) -> list[str]:
    if base and value.startswith(base + "/"):
        value = value[len(base) + 1 :]
    if ID_PATTERN.fullmatch(value):
        return [f"{target}/{value}" for target in targets]
    return [value]


def _range(value: str, where: str) -> DateRange:
    # An unencoded "+" of a zone arrives as a blank.
    match = _DATE.fullmatch(value.replace(" ", "+"))
    if match is None:
        raise interaction_error(400, "invalid", "bad_date", where)
    prefix, *parts = match.groups()
    try:
        low, high = _bounds(parts)
    except (ValueError, OverflowError):
        raise interaction_error(400, "invalid", "bad_date", where) from None
    return {
        "ne": DateRange(low, high, is_negated=True),
        "gt": DateRange(high, None),
        "ge": DateRange(low, None),
        "lt": DateRange(None, low),
        "le": DateRange(None, high),
    }.get(prefix or "eq", DateRange(low, high))


def parse_since(value: str) -> int:
    """The instant of `_since` in milliseconds. Raises FhirError 400."""
    return _range(value, "http._since").low or 0


def _bounds(parts: Sequence[str | None]) -> tuple[int, int]:
    """First millisecond of the span that a partial date names, and the first after it."""
    year, month, day, hour, minute, second, fraction, zone = parts
    start = datetime(
        int(year or 0), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
        int(((fraction or "") + "000000")[:6]), tzinfo=_zone(zone),
    )  # fmt: skip
    if hour is not None:
        step = timedelta(minutes=1) if second is None else timedelta(seconds=1)
        if fraction is not None:
            step = timedelta(milliseconds=1)
        end = start + step
    elif day is not None:
        end = start + timedelta(days=1)
    elif month is not None:
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        end = start.replace(year=start.year + 1)
    return _millis(start), _millis(end)


def _zone(text: str | None) -> timezone:
    if text is None:
        return _LOCAL
    if text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def _millis(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def page_cursor(value: int | str, resource_id: str) -> str:
    """The opaque place behind a match, for the link to the next page."""
    return base64.urlsafe_b64encode(json.dumps([value, resource_id]).encode()).decode().rstrip("=")


def _uncursor(text: str, where: str) -> tuple[int | str, str]:
    bad = interaction_error(400, "invalid", "bad_cursor", where)
    if len(text) > _LONGEST_CURSOR:
        raise bad
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise bad from None
    match found:
        case [int(value) | str(value), str(resource_id)] if ID_PATTERN.fullmatch(resource_id):
            pass
        case _:
            raise bad
    is_place = value == resource_id if isinstance(value, str) else 0 <= value < 2**53
    if isinstance(value, bool) or not is_place:
        raise bad
    return value, resource_id
