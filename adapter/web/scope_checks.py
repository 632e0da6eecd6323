"""Which scope an interaction needs, and whether the caller's token has it."""

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from adapter.authorization.scopes import Right, Scope, is_allowed
from adapter.errors import FhirError
from adapter.fhir.codec import Resource
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits
from adapter.repository.resource_types import RESOURCE_TYPES
from adapter.repository.search_query import parse_query_string, parse_search

__all__ = [
    "remember_scopes",
    "require_bundle_scopes",
    "require_form_scopes",
    "require_scope",
    "require_types_scope",
]

_WRITES: Final[dict[str, Right]] = {"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d"}

_UNLIMITED: Final = RequestLimits(max_search_values=10**9, max_includes=10**9)  # who refuses it says so later


def remember_scopes(request: Request, scopes: tuple[Scope, ...] | None) -> None:
    """What the caller's token may do; None: all."""
    request.state.scopes = scopes


def require_scope(request: Request, prefix: str) -> None:
    """Raise FhirError 403 where the caller's token does not have what this request needs. A Bundle's entries
    are `require_bundle_scopes`'s.
    """
    scopes = _scopes(request)
    if scopes is None:
        return
    path = request.url.path.removeprefix(prefix)
    for right, type_ in _needed(request.method, path):
        _require(scopes, right, type_)
    for query in (request.url.query, request.headers.get("if-none-exist", "")):
        _require_reached(scopes, path, query)


def require_types_scope(request: Request, types: Iterable[str]) -> None:
    """Raise FhirError 403 where the caller's token may not create and update one of these types."""
    scopes = _scopes(request)
    for type_ in types if scopes is not None else ():
        for right in ("c", "u"):
            _require(scopes or (), right, type_)


def require_form_scopes(request: Request, type_: str, form: str) -> None:
    """The same for the form of a search by POST."""
    scopes = _scopes(request)
    if scopes is not None:
        _require_reached(scopes, type_, form)


def _require_reached(scopes: tuple[Scope, ...], path: str, query: str) -> None:
    """A search may look at other types than its own, by a chain, by `_has` or by what it sends along. What
    is not well made is refused elsewhere.
    """
    type_ = path.strip("/").partition("/")[0].partition("?")[0]
    head, mark, tail = query.partition("?")
    try:
        params = parse_query_string(tail if mark and "=" not in head else query)
        known = type_ in RESOURCE_TYPES
        reached = parse_search(type_, params, lenient=True, limits=_UNLIMITED).other_types if known else ()
    except FhirError:
        return
    for other in sorted(reached):
        _require(scopes, "r", other)
        _require(scopes, "s", other)


def require_bundle_scopes(request: Request, bundle: Resource) -> None:
    """The same for each entry of a batch or transaction. What is not well made is refused elsewhere."""
    scopes = _scopes(request)
    entries = bundle.get("entry")
    if scopes is None:
        return
    for entry in entries if isinstance(entries, list) else ():
        asked = entry.get("request") if isinstance(entry, dict) else None
        method, url = (asked.get("method"), asked.get("url")) if isinstance(asked, dict) else (None, None)
        if not isinstance(method, str) or not isinstance(url, str):
            # messages and documents have no requests: their resources are created
            resource = entry.get("resource") if isinstance(entry, dict) else None
            type_ = resource.get("resourceType") if isinstance(resource, dict) else None
            _require(scopes, "c", type_ if isinstance(type_, str) else "*")
            continue
        for right, type_ in _needed(method, _path_of(url)):
            _require(scopes, right, type_)
        for query in (_query_of(url), asked.get("ifNoneExist") if isinstance(asked, dict) else None):
            if isinstance(query, str):
                _require_reached(scopes, _path_of(url).rpartition("/fhir/")[2], query)


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # an address that is none, which the entry is refused for
        return "*"


def _query_of(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def _scopes(request: Request) -> tuple[Scope, ...] | None:
    found: tuple[Scope, ...] | None = getattr(request.state, "scopes", None)
    return found


def _require(scopes: tuple[Scope, ...], right: Right, type_: str) -> None:
    if not is_allowed(scopes, right, type_):
        raise interaction_error(403, "forbidden", "no_scope", scope=f"system/{type_}.{right}")


def _needed(method: str, path: str) -> Iterator[tuple[Right, str]]:
    """The rights that one interaction needs, and on which type (`*`: on every one)."""
    first, *rest = [part for part in path.split("/") if part] or [""]
    if first in ("", "$process-message") or (first == "metadata" and not rest) or rest == ["$validate"]:
        return  # what they answer is of nobody, or each entry is looked at by itself
    if first == "Subscription" and rest and rest[-1] in ("$status", "$events"):
        yield "r", first  # what it says is of the caller's own
    elif any(part.startswith("$") for part in (first, *rest)):
        yield "r", "*"  # an operation may give anything
        yield "s", "*"
    elif "_search" in (first, *rest):
        yield "s", "*" if first == "_search" else first
    elif method not in ("GET", "HEAD"):
        yield _WRITES.get(method, "u"), first
    elif first == "_history":
        yield "s", "*"
    else:
        yield ("s" if not rest or rest[0] == "_history" else "r"), first
