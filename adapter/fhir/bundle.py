"""Transactions, batches and single writes: references resolved, requests built, answers paired (pure).

http://hl7.org/fhir/R4/http.html#transaction. In the ledger a resource refers to another by
identifier (`Patient?identifier=system|value`), because remote ids differ per hospital and come
later. On the way out each such reference becomes `Patient/<remote id>` where the id is known, or
the `urn:uuid` of the entry that carries the target in the same transaction.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from orjson import Fragment

from adapter.fhir.codec import Resource, dumps, loads
from adapter.fhir.identity import identity_search_parameter
from adapter.fhir.operation_outcome import Issue, parse_issues

__all__ = [
    "EntryResponse",
    "HttpRequest",
    "Target",
    "Write",
    "build_bundle",
    "build_transaction",
    "conditional_references",
    "full_url",
    "identities_of",
    "normalised_etag",
    "pair_responses",
    "resolve_references",
    "search_url",
    "server_id",
    "single_request",
    "single_response",
    "without_dangling_references",
]

Target = tuple[str, str]  # (resource type, identifier value)

# Bodies are our own serialisation (fhir.codec), so a reference always looks like this; inside a text
# its quotation marks would be escaped. Working on bytes spares parsing and copying every resource.
_REFERENCE = re.compile(rb'"reference":"([A-Z][A-Za-z]+)\?identifier=[^"|]*\|([^"]+)"')
_LOCATION = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?/?$"
)
_ID = re.compile(r"[A-Za-z0-9\-._~:@]{1,64}")  # FHIR's, and what some servers take besides; safe in a URL
_VERSION = re.compile(r"[!-~]{1,190}")


@dataclass(frozen=True, slots=True)
class Write:
    """One write. PUT: `body`, a serialised resource, to `remote_id` (if the server's version is `etag`), or
    without one to whatever has this one identifier. POST: a new resource, `if_none_exist` by If-None-Exist.
    DELETE: `remote_id`.
    """

    type: str
    identity: str
    body: bytes = b""
    remote_id: str | None = None
    etag: str | None = None
    method: Literal["PUT", "POST", "DELETE"] = "PUT"
    if_none_exist: bool = True

    @property
    def is_conditional(self) -> bool:
        """Whether the server is to find by identifier what it writes to."""
        return self.remote_id is None and (
            self.method == "PUT" or (self.method == "POST" and self.if_none_exist)
        )


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request; `url` is relative to the server's base."""

    method: str
    url: str
    body: bytes | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EntryResponse:
    """What a server said of one entry. `status` is 0 when it said nothing that can be read."""

    status: int
    remote_id: str | None = None
    etag: str | None = None
    issues: tuple[Issue, ...] = ()


def full_url(identity: str) -> str:
    """The urn:uuid of an identity (its 32 hexadecimal characters, shaped as a version 4 UUID)."""
    return UUID(hex=identity, version=4).urn


@cache
def _quoted(text: str) -> str:
    return quote(text, safe="")


def _quoted_value(value: str) -> str:
    # An identity of ours has nothing to quote, and to find that out takes `quote` longer than all the rest.
    return value if value.isalnum() and value.isascii() else quote(value, safe="")


def search_url(resource_type: str, system: str, values: Sequence[str]) -> str:
    """`Type?identifier=…` (`_tag` where a type has none), percent-encoded; several values are
    alternatives, joined by commas.
    """
    head = _quoted(f"{system}|")
    tokens = ",".join(head + _quoted_value(value) for value in values)
    return f"{resource_type}?{identity_search_parameter(resource_type)}={tokens}"


def conditional_references(body: bytes) -> tuple[Target, ...]:
    """Everything that a serialised resource refers to by identifier, in order, once each."""
    found = dict.fromkeys(_REFERENCE.findall(body))
    return tuple((resource_type.decode(), identity.decode()) for resource_type, identity in found)


def resolve_references(body: bytes, where: Callable[[Target], str | None]) -> bytes:
    """The body with references by identifier replaced by what `where` gives (None leaves one as it is)."""

    def replaced(match: re.Match[bytes]) -> bytes:
        target = where((match[1].decode(), match[2].decode()))
        return match[0] if target is None else b'"reference":"%s"' % target.encode()

    return _REFERENCE.sub(replaced, body)


def without_dangling_references(body: bytes, there: Container[Target]) -> bytes:
    """The body without references by identifier to what is not in `there`; emptied parts go too.

    What policy withholds must not even be pointed at.
    """
    dangling = {target for target in conditional_references(body) if target not in there}
    if not dangling:
        return body

    def kept(node: Any) -> Any:
        if isinstance(node, list):
            return [item for item in map(kept, node) if item is not None] or None
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("reference"), str) and dangling.intersection(
            conditional_references(dumps(node))
        ):
            return None
        return {
            name: part
            for name, part in ((name, kept(part)) for name, part in node.items())
            if part is not None
        } or None

    return dumps(kept(loads(body)) or {})


def build_transaction(writes: Sequence[Write], *, system: str, known: Mapping[Target, str]) -> bytes:
    """The transaction Bundle for `writes`, in their order, serialised.

    `known` gives remote ids of what the hospital already holds. Another entry of the same Bundle is
    referred to by its `urn:uuid`.
    """
    return build_bundle(writes, system=system, known=known, form="transaction")


def build_bundle(
    writes: Sequence[Write],
    *,
    system: str,
    known: Mapping[Target, str],
    form: Literal["transaction", "batch"],
) -> bytes:
    """The Bundle for `writes`. A batch must hold no references between its entries."""
    urls = {write.identity: full_url(write.identity) for write in writes if write.method != "DELETE"}
    inside = {
        (write.type, write.identity): urls[write.identity]
        for write in writes
        if not write.remote_id and write.identity in urls
    }
    where = _resolver(system, known, inside)
    entries = [_entry(write, system, where, urls) for write in writes]
    return dumps({"resourceType": "Bundle", "type": form, "entry": entries})


def single_request(write: Write, *, system: str, known: Mapping[Target, str]) -> HttpRequest:
    """The write as an HTTP request of its own (http://hl7.org/fhir/R4/http.html#update)."""
    headers = {"Prefer": "return=minimal"}
    if write.etag:
        headers["If-Match"] = write.etag
    if write.method == "DELETE":
        return HttpRequest("DELETE", _url(write, system), None, headers)
    if write.method == "POST" and write.if_none_exist:
        headers["If-None-Exist"] = _condition(write, system)
    return HttpRequest(write.method, _url(write, system), _body(write, _resolver(system, known, {})), headers)


def _resolver(
    system: str, known: Mapping[Target, str], inside: Mapping[Target, str]
) -> Callable[[Target], str]:
    def where(target: Target) -> str:
        remote = known.get(target)
        if remote:
            return f"{target[0]}/{remote}"
        # A conditional reference: only a Bundle that is shown before an earlier one was sent has these.
        return inside.get(target) or search_url(target[0], system, [target[1]])

    return where


def _condition(write: Write, system: str) -> str:
    return search_url(write.type, system, [write.identity]).partition("?")[2]


def _url(write: Write, system: str) -> str:
    if write.method == "POST":
        return write.type
    if write.remote_id:
        return f"{write.type}/{write.remote_id}"
    return search_url(write.type, system, [write.identity])


def _body(write: Write, where: Callable[[Target], str | None]) -> bytes:
    body = resolve_references(write.body, where)
    if not write.remote_id:
        return body
    head = dumps({"resourceType": write.type})[:-1]
    return head + b',"id":' + dumps(write.remote_id) + body[len(head) :]


def _entry(
    write: Write, system: str, where: Callable[[Target], str | None], urls: Mapping[str, str]
) -> dict[str, Any]:
    request: dict[str, Any] = {"method": write.method, "url": _url(write, system)}
    if write.etag:
        request["ifMatch"] = write.etag
    if write.method == "DELETE":
        return {"request": request}
    if write.method == "POST" and write.if_none_exist:
        request["ifNoneExist"] = _condition(write, system)
    return {
        "fullUrl": urls[write.identity],
        "resource": Fragment(_body(write, where)),
        "request": request,
    }


def normalised_etag(value: object) -> str | None:
    """A weak ETag from a header or entry: `W/"1"`, `"1"` and HAPI's bare `1` are all `W/"1"`."""
    if not isinstance(value, str) or not value.strip():
        return None
    version = value.strip().removeprefix("W/").strip('"')
    return f'W/"{version}"' if _VERSION.fullmatch(version) else None


def server_id(resource: Resource) -> str | None:
    """The id that a server gave it; None where there is none that can be written in a URL."""
    found = resource.get("id")
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def pair_responses(writes: Sequence[Write], answer: object) -> tuple[EntryResponse, ...] | None:
    """The answer to each write, by index. None when they cannot be paired with certainty: not a
    Bundle, another number of entries (a server that dropped one), or another type at a place.
    """
    if not isinstance(answer, dict) or answer.get("resourceType") != "Bundle":
        return None
    entries = answer.get("entry")
    if not isinstance(entries, list) or len(entries) != len(writes):
        return None
    paired = []
    for write, entry in zip(writes, entries, strict=True):
        read = _read_entry(entry)
        if read is None:
            return None
        answered_type, result = read
        if answered_type is not None and answered_type != write.type:
            return None
        paired.append(result)
    return tuple(paired)


def _read_entry(entry: object) -> tuple[str | None, EntryResponse] | None:
    response = entry.get("response") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(response, dict):
        return None
    status = re.match(r"\d{3}", str(response.get("status", "")))
    if status is None:
        return None
    location = _LOCATION.search(str(response.get("location") or ""))
    resource = entry.get("resource")
    etag = normalised_etag(response.get("etag"))
    answered_type, remote_id = (location[1], location[2]) if location else (None, None)
    if isinstance(resource, dict) and resource.get("resourceType") != "OperationOutcome":
        answered_type = answered_type or resource.get("resourceType")
        remote_id = remote_id or server_id(resource)
    if etag is None and location and location[3]:
        etag = f'W/"{location[3]}"'
    outcome = response.get("outcome") or resource
    return answered_type, EntryResponse(int(status[0]), remote_id, etag, parse_issues(outcome))


def single_response(write: Write, status: int, headers: Mapping[str, str], body: object) -> EntryResponse:
    """What an HTTP answer says of a single write; `headers` by lower-case names."""
    found = (_LOCATION.search(headers.get(name, "")) for name in ("location", "content-location"))
    location = next((match for match in found if match and match[1] == write.type), None)
    resource = body if isinstance(body, dict) and body.get("resourceType") == write.type else {}
    meta = resource.get("meta")
    etag = normalised_etag(headers.get("etag")) or normalised_etag(
        meta.get("versionId") if isinstance(meta, dict) else None
    )
    if etag is None and location and location[3]:
        etag = normalised_etag(location[3])
    remote_id = location[2] if location else server_id(resource)
    return EntryResponse(status, remote_id, etag, parse_issues(body))


def identities_of(resource: Resource, system: str) -> tuple[str, ...]:
    """The values of our identifier system in a resource that came back."""
    name, listed = "value", resource.get("identifier")
    if identity_search_parameter(str(resource.get("resourceType"))) == "_tag":
        meta = resource.get("meta")
        name, listed = "code", meta.get("tag") if isinstance(meta, dict) else None
    items: Iterable[Any] = listed if isinstance(listed, list) else [listed]
    return tuple(
        str(item[name])
        for item in items
        if isinstance(item, dict) and item.get("system") == system and item.get(name)
    )
