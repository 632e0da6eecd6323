"""Transaction Bundles: references resolved, entries built, answers paired (pure).

http://hl7.org/fhir/R4/http.html#transaction. In the ledger a resource refers to another by
identifier (`Patient?identifier=system|value`), because remote ids differ per hospital and come
later. On the way out each such reference becomes `Patient/<remote id>` where the id is known, or
the `urn:uuid` of the entry that carries the target in the same Bundle.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from orjson import Fragment

from adapter.fhir.codec import Resource, dumps, loads
from adapter.fhir.identity import search_parameter
from adapter.fhir.outcome import Issue, issues_of

__all__ = [
    "EntryAnswer",
    "Target",
    "Write",
    "etag_of",
    "full_url",
    "identities_of",
    "pair",
    "references",
    "resolve",
    "same_content",
    "search_url",
    "transaction",
    "without_dangling",
]

Target = tuple[str, str]  # (resource type, identifier value)

# Bodies are our own serialisation (fhir.codec), so a reference always looks like this; inside a text
# its quotation marks would be escaped. Working on bytes spares parsing and copying every resource.
_REFERENCE = re.compile(rb'"reference":"([A-Z][A-Za-z]+)\?identifier=[^"|]*\|([^"]+)"')
_LOCATION = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?/?$"
)
# What a server adds of its own accord; it says nothing about the content being ours.
_SERVER_OWNED = frozenset({"id", "meta", "text", "implicitRules"})


@dataclass(frozen=True, slots=True)
class Write:
    """One entry of a transaction: put `body`, a serialised resource, under one identifier value, or
    delete what is there.
    """

    type: str
    identity: str
    body: bytes = b""
    remote_id: str | None = None
    etag: str | None = None
    method: Literal["PUT", "DELETE"] = "PUT"


@dataclass(frozen=True, slots=True)
class EntryAnswer:
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


def search_url(resource_type: str, system: str, values: Sequence[str]) -> str:
    """`Type?identifier=…` (`_tag` where a type has none), percent-encoded; several values are
    alternatives, joined by commas.
    """
    head = _quoted(f"{system}|")
    tokens = ",".join(head + quote(value, safe="") for value in values)
    return f"{resource_type}?{search_parameter(resource_type)}={tokens}"


def references(body: bytes) -> tuple[Target, ...]:
    """Everything that a serialised resource refers to by identifier, in order, once each."""
    found = dict.fromkeys(_REFERENCE.findall(body))
    return tuple((resource_type.decode(), identity.decode()) for resource_type, identity in found)


def resolve(body: bytes, where: Callable[[Target], str | None]) -> bytes:
    """The body with references by identifier replaced by what `where` gives (None leaves one as it is)."""

    def replaced(match: re.Match[bytes]) -> bytes:
        target = where((match[1].decode(), match[2].decode()))
        return match[0] if target is None else b'"reference":"%s"' % target.encode()

    return _REFERENCE.sub(replaced, body)


def without_dangling(body: bytes, there: Container[Target]) -> bytes:
    """The body without references by identifier to what is not in `there`; emptied parts go too.

    What policy withholds must not even be pointed at.
    """
    dangling = {target for target in references(body) if target not in there}
    if not dangling:
        return body

    def kept(node: Any) -> Any:
        if isinstance(node, list):
            return [item for item in map(kept, node) if item is not None] or None
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("reference"), str) and dangling.intersection(references(dumps(node))):
            return None
        return {
            name: part
            for name, part in ((name, kept(part)) for name, part in node.items())
            if part is not None
        } or None

    return dumps(kept(loads(body)) or {})


def transaction(writes: Sequence[Write], *, system: str, known: Mapping[Target, str]) -> bytes:
    """The transaction Bundle for `writes`, in their order, serialised.

    `known` gives remote ids of what the hospital already holds. A write with a remote id is a PUT
    to it (with ifMatch if the ETag is known), one without is a conditional PUT on one identifier.
    """
    inside = {
        (write.type, write.identity): full_url(write.identity) for write in writes if not write.remote_id
    }

    def where(target: Target) -> str:
        remote = known.get(target)
        if remote:
            return f"{target[0]}/{remote}"
        # A conditional reference: only a Bundle that is shown before an earlier one was sent has these.
        return inside.get(target) or search_url(target[0], system, [target[1]])

    entries = [_entry(write, system, where) for write in writes]
    return dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _entry(write: Write, system: str, where: Callable[[Target], str | None]) -> dict[str, Any]:
    if write.remote_id:
        url = f"{write.type}/{write.remote_id}"
    else:
        url = search_url(write.type, system, [write.identity])
    request: dict[str, Any] = {"method": write.method, "url": url}
    if write.method == "DELETE":
        return {"request": request}
    if write.remote_id and write.etag:
        request["ifMatch"] = write.etag
    body = resolve(write.body, where)
    if write.remote_id:
        head = dumps({"resourceType": write.type})[:-1]
        body = head + b',"id":' + dumps(write.remote_id) + body[len(head) :]
    return {"fullUrl": full_url(write.identity), "resource": Fragment(body), "request": request}


def etag_of(value: object) -> str | None:
    """A weak ETag from a header or entry: `W/"1"`, `"1"` and HAPI's bare `1` are all `W/"1"`."""
    if not isinstance(value, str) or not value.strip():
        return None
    version = value.strip().removeprefix("W/").strip('"')
    return f'W/"{version}"' if version else None


def pair(writes: Sequence[Write], answer: object) -> tuple[EntryAnswer, ...] | None:
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


def _read_entry(entry: object) -> tuple[str | None, EntryAnswer] | None:
    response = entry.get("response") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(response, dict):
        return None
    status = re.match(r"\d{3}", str(response.get("status", "")))
    if status is None:
        return None
    location = _LOCATION.search(str(response.get("location") or ""))
    resource = entry.get("resource")
    etag = etag_of(response.get("etag"))
    answered_type, remote_id = (location[1], location[2]) if location else (None, None)
    if isinstance(resource, dict) and resource.get("resourceType") != "OperationOutcome":
        answered_type = answered_type or resource.get("resourceType")
        remote_id = remote_id or resource.get("id")
    if etag is None and location and location[3]:
        etag = f'W/"{location[3]}"'
    outcome = response.get("outcome") or resource
    return answered_type, EntryAnswer(int(status[0]), remote_id, etag, issues_of(outcome))


def identities_of(resource: Resource, system: str) -> tuple[str, ...]:
    """The values of our identifier system in a resource that came back."""
    name, listed = "value", resource.get("identifier")
    if search_parameter(str(resource.get("resourceType"))) == "_tag":
        meta = resource.get("meta")
        name, listed = "code", meta.get("tag") if isinstance(meta, dict) else None
    items: Iterable[Any] = listed if isinstance(listed, list) else [listed]
    return tuple(
        str(item[name])
        for item in items
        if isinstance(item, dict) and item.get("system") == system and item.get(name)
    )


def same_content(ours: Resource, theirs: Resource) -> bool:
    """Whether a server's copy holds what we sent, apart from what servers add themselves.

    `ours` has its references resolved to `Type/id`; theirs may be absolute or carry a version.
    A wrong False costs one more idempotent write, so anything unclear is False.
    """
    left = {key: value for key, value in ours.items() if key not in _SERVER_OWNED}
    right = {key: value for key, value in theirs.items() if key not in _SERVER_OWNED}
    return _same(left, right)


def _same(ours: Any, theirs: Any, key: str = "") -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_same(ours[name], theirs[name], name) for name in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs, [key] * len(ours)))
    if isinstance(ours, str) and isinstance(theirs, str) and key == "reference":
        return _plain_reference(ours) == _plain_reference(theirs)
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, int | float | Decimal) and isinstance(theirs, int | float | Decimal):
        return Decimal(str(ours)) == Decimal(str(theirs))
    return bool(ours == theirs)


def _plain_reference(reference: str) -> str:
    match = _LOCATION.search(reference)
    return f"{match[1]}/{match[2]}" if match else reference
