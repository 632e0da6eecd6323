"""The parameters of whatever is answered in pages without being a search: histories, `$everything`. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from adapter.repository.interaction_errors import interaction_error
from adapter.repository.resource_types import RESOURCE_TYPES
from adapter.repository.search_query import parse_cursor, parse_since

__all__ = ["PageParameters", "parse_page_parameters"]

_PAGE: Final = 100
_MOST: Final = 1000
_ABOUT_THE_FORM: Final = ("_format", "_pretty")


@dataclass(frozen=True, slots=True)
class PageParameters:
    """At most `count` resources, not before `since` (milliseconds), of `types` (all where there are none),
    behind what `cursor` tells, whose place is `cursor_at`.
    """

    count: int = _PAGE
    types: tuple[str, ...] = ()
    since: int = 0
    since_text: str | None = None
    cursor: tuple[int | float | str, ...] | None = None
    cursor_at: str = ""


def parse_page_parameters(
    params: Iterable[tuple[str, str]], known: Collection[str], expression: str = ""
) -> PageParameters:
    """The page that a URL asks for; `known` are the parameters there are besides `_cursor`, `expression` is
    where the URL stands, "" for a request of its own. Raises FhirError 400.
    """
    count, since, cursor, cursor_at = _PAGE, None, None, ""
    types: tuple[str, ...] = ()
    for name, value in params:
        where = expression or f"http.{name}"
        if name == "_cursor":
            cursor, cursor_at = parse_cursor(value, where), where
        elif name in _ABOUT_THE_FORM:
            continue
        elif name not in known:
            said = ", ".join(known)
            raise interaction_error(400, "not-supported", "unknown_parameter", where, name=name, known=said)
        elif name == "_count":
            if not (value.isascii() and value.isdigit() and len(value) < 10):
                raise interaction_error(400, "invalid", "bad_count", where)
            count = min(max(int(value), 1), _MOST)
        elif name == "_type":
            types = tuple(dict.fromkeys((*types, *value.split(","))))
            if not RESOURCE_TYPES.issuperset(types):
                raise interaction_error(400, "value", "unknown_type", where)
        else:
            since = value
    instant = parse_since(since, expression) if since else 0
    return PageParameters(count, types, instant, since, cursor, cursor_at)
