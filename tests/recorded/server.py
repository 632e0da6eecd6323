"""A FHIR R4 server in memory, answering behind respx. It does what http://hl7.org/fhir/R4/http.html says;
each product's module changes what that product was recorded to do otherwise.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

__all__ = ["Links", "RecordedServer", "Refusal", "Resource", "outcome", "references"]

Resource = dict[str, Any]
Key = tuple[str, str]  # type and id
Links = dict[str, str]  # fullUrl -> Type/id, of one Bundle
Fault = Callable[[httpx.Request], httpx.Response | None]


def outcome(code: str, text: str) -> Resource:
    """An OperationOutcome of one error."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


class Refusal(Exception):
    """The server says no: `body` instead of an OperationOutcome of `code` and `text` where it is given."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Resource | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.headers = dict(headers or {})
        self.body = outcome(code, text) if body is None else body


class RecordedServer:
    """`faults` are asked before each request, once each, in order; None lets one pass."""

    base = "http://recorded.test/fhir"
    software = "Recorded"
    most_entries = 1000
    page = 50
    stale_status = 412  # of a stale ETag
    deleted_status = 410  # of reading what was deleted
    atomic = True
    makes_same_version = True  # an identical PUT is a new version
    tells_versions = True
    links_forward = True  # an entry may refer to a later one
    links_in_batch = False

    def __init__(self) -> None:
        self.resources: dict[Key, Resource] = {}
        self.deleted: set[Key] = set()
        self.requests: list[httpx.Request] = []
        self.faults: list[Fault | None] = []
        self._last = 0
        self._one_at_a_time = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._one_at_a_time:
            self.requests.append(request)
            if self.faults and (fault := self.faults.pop(0)) and (instead := fault(request)):
                return instead
            before = dict(self.resources), set(self.deleted)  # a resource is replaced, never changed
            try:
                return self._answered(request)
            except Refusal as refusal:
                self.resources, self.deleted = before
                return httpx.Response(refusal.status, json=refusal.body, headers=refusal.headers)

    # What tests look at and change behind the adapter's back.

    @property
    def writes(self) -> int:
        """How many requests were not for reading."""
        return sum(one.method != "GET" for one in self.requests)

    def of(self, *types: str) -> list[Resource]:
        """Everything it holds, of these types or of all."""
        return [one for (kind, _), one in self.resources.items() if not types or kind in types]

    def put(self, resource: Resource) -> Resource:
        """Store a resource under a new id."""
        return self._store(resource["resourceType"], self.new_id(), resource)

    def lose(self, request: httpx.Request) -> httpx.Response:
        """A fault: it does what it is asked, and the answer never comes. Reading is answered."""
        answer = self._answered(request)
        if request.method == "GET":
            return answer
        raise httpx.ReadTimeout("timed out")

    # What a product changes.

    def new_id(self) -> str:
        """The next id that it assigns."""
        self._last += 1
        return f"r{self._last}"

    def version_of(self, earlier: Resource | None) -> str:
        """The version id after that of `earlier`."""
        return str(int(earlier["meta"]["versionId"]) + 1 if earlier else 1)

    def matches(self, kind: str, query: str) -> list[Resource]:
        """What a condition finds."""
        return self.search(kind, parse_qsl(query))

    def search(self, kind: str, parameters: Iterable[tuple[str, str]]) -> list[Resource]:
        """What a search finds. Raises Refusal for a parameter that it does not know."""
        found = self.of(kind)
        for name, value in parameters:
            wanted = {tuple(token.split("|", 1)) for token in value.split(",")}
            if name in ("identifier", "_tag"):
                found = [one for one in found if _wider(_tokens(one, name)) & wanted]
            elif name not in ("_count", "page"):
                raise Refusal(400, "invalid", f"Unknown search parameter {name}")
        return found

    def several(self, kind: str, query: str) -> Refusal:
        """What it says when a condition is met by several."""
        return Refusal(412, "multiple-matches", f"Several resources match {kind}?{query}")

    def checked(self, kind: str, resource: Resource, links: Links) -> None:
        """Raises Refusal for what may not be stored: here a reference to what is not there."""
        for reference in references(resource):
            target = links.get(reference, reference)
            if target not in links.values() and tuple(target.split("/")) not in self.resources:
                raise self.missing(kind, reference)

    def missing(self, kind: str, reference: str) -> Refusal:
        """What it says of a reference to what is not there."""
        return Refusal(400, "not-found", f"{kind} refers to {reference}, which is not there")

    def may_create_at(self, kind: str, id_: str) -> None:
        """Raises Refusal where a client may not name the id of what it creates."""

    def may_delete(self, key: Key) -> None:
        """Raises Refusal where something still refers to it."""
        target = "/".join(key)
        if any(target in references(one) for one in self.resources.values()):
            raise Refusal(409, "conflict", f"{target} is referred to")

    def check_bundle(self, bundle: Resource) -> None:
        """Raises Refusal for a Bundle that it does not take."""
        if len(bundle.get("entry", ())) > self.most_entries:
            raise Refusal(413, "too-costly", f"more than {self.most_entries} entries")

    # HTTP.

    def _answered(self, request: httpx.Request) -> httpx.Response:
        split = urlsplit(str(request.url))
        path = unquote(split.path).removeprefix(urlsplit(self.base).path).strip("/")
        parts = path.split("/") if path else []
        if request.method == "GET":
            return self._read(parts, split.query)
        try:
            resource = json.loads(request.content) if request.content else {}
        except ValueError as error:
            raise Refusal(400, "structure", "This is not JSON") from error
        if not parts:
            return self._bundle(resource)
        url = path + (f"?{split.query}" if split.query else "")
        return self._written(
            request.method,
            url,
            resource,
            {},
            if_match=request.headers.get("if-match"),
            if_none_exist=request.headers.get("if-none-exist"),
        )

    def _read(self, parts: list[str], query: str) -> httpx.Response:
        if parts == ["metadata"]:
            return httpx.Response(200, json={"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        if len(parts) == 1:
            return self._page(parts[0], query)
        key = (parts[0], parts[1])
        if key in self.deleted:
            raise Refusal(self.deleted_status, "deleted", "It was deleted")
        if key not in self.resources:
            raise Refusal(404, "not-found", "It is not there")
        return httpx.Response(200, json=self.resources[key], headers=self._headers(self.resources[key]))

    def _page(self, kind: str, query: str) -> httpx.Response:
        parameters = dict(parse_qsl(query))
        found = self.search(kind, parse_qsl(query))
        size, number = (
            min(self.page, int(parameters.get("_count", self.page))),
            int(parameters.get("page", 0)),
        )
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "entry": []}
        bundle["entry"] = [{"resource": one} for one in found[number * size : (number + 1) * size]]
        if len(found) > (number + 1) * size:
            rest = query.split("&page=", maxsplit=1)[0]
            url = f"{self.base}/{kind}?{rest}&page={number + 1}"
            bundle["link"] = [{"relation": "next", "url": url}]
        return httpx.Response(200, json=bundle)

    def _bundle(self, bundle: Resource) -> httpx.Response:
        self.check_bundle(bundle)
        transaction = bundle["type"] == "transaction"
        links: Links = {}
        if transaction and self.links_forward:
            for entry in bundle["entry"]:
                self._link(entry, links)
        said = []
        for entry in bundle["entry"]:
            try:
                said.append(self._entry(entry, links, linked=transaction or self.links_in_batch))
            except Refusal as refusal:
                if transaction and self.atomic:
                    raise
                said.append({"response": {"status": str(refusal.status), "outcome": refusal.body}})
        kind = f"{bundle['type']}-response"
        return httpx.Response(200, json={"resourceType": "Bundle", "type": kind, "entry": said})

    def _link(self, entry: Resource, links: Links) -> None:
        """Decide where an entry goes, so that others can refer to it."""
        request = entry["request"]
        if request["method"] == "DELETE" or "fullUrl" not in entry:
            return
        kind, id_ = self._target(request["method"], request["url"], request.get("ifNoneExist"))
        links[entry["fullUrl"]] = f"{kind}/{id_ or self.new_id()}"

    def _entry(self, entry: Resource, links: Links, *, linked: bool) -> Resource:
        request = entry["request"]
        if linked and not self.links_forward:
            self._link(entry, links)
        known = links if linked else {}
        done = self._written(
            request["method"],
            request["url"],
            _resolved(entry.get("resource", {}), known),
            known,
            if_match=request.get("ifMatch"),
            if_none_exist=request.get("ifNoneExist"),
            at=known.get(entry.get("fullUrl", "")),
        )
        names = {"location": done.headers.get("location"), "etag": done.headers.get("etag")}
        response = {name: value for name, value in names.items() if value}
        return {"response": {"status": str(done.status_code), **response}}

    def _target(self, method: str, url: str, if_none_exist: str | None) -> tuple[str, str | None]:
        """Where a write goes: type and id, None for a new one. Raises Refusal when several match."""
        path, _, query = url.partition("?")
        kind, _, id_ = path.partition("/")
        if method == "POST":
            query = if_none_exist or ""
        if not query:
            return kind, id_ or None
        found = self.matches(kind, query)
        if len(found) > 1:
            raise self.several(kind, query)
        return kind, found[0]["id"] if found else None

    def _written(
        self,
        method: str,
        url: str,
        resource: Resource,
        links: Links,
        *,
        if_match: str | None,
        if_none_exist: str | None,
        at: str | None = None,
    ) -> httpx.Response:
        kind, id_ = self._target(method, url, if_none_exist)
        there = self.resources.get((kind, id_ or ""))
        if method == "DELETE":
            return self._delete((kind, id_ or ""))
        if method == "POST" and there:
            return httpx.Response(200, headers=self._headers(there))
        self._compare(if_match, there)
        if method == "PUT" and id_ and there is None and "?" not in url:
            self.may_create_at(kind, id_)
        self.checked(kind, resource, links)
        new = id_ or (at.split("/")[1] if at else self.new_id())
        stored = self._store(kind, new, resource)
        return httpx.Response(200 if there else 201, json=stored, headers=self._headers(stored))

    def _compare(self, if_match: str | None, there: Resource | None) -> None:
        if if_match is None:
            return
        if there is None or if_match not in ("*", f'W/"{there["meta"]["versionId"]}"'):
            raise Refusal(self.stale_status, "conflict", "Another version is there")

    def _store(self, kind: str, id_: str, resource: Resource) -> Resource:
        there = self.resources.get((kind, id_))
        body = {**resource, "id": id_}
        if there and not self.makes_same_version and _content(body) == _content(there):
            return there
        meta = {**resource.get("meta", {}), "versionId": self.version_of(there)}
        self.deleted.discard((kind, id_))
        self.resources[kind, id_] = {**body, "meta": meta}
        return self.resources[kind, id_]

    def _delete(self, key: Key) -> httpx.Response:
        if key in self.resources:
            self.may_delete(key)
            del self.resources[key]
            self.deleted.add(key)
        return httpx.Response(204)

    def _headers(self, resource: Resource) -> dict[str, str]:
        url = f"{self.base}/{resource['resourceType']}/{resource['id']}"
        if not self.tells_versions:
            return {"location": url}
        version = resource["meta"]["versionId"]
        return {"location": f"{url}/_history/{version}", "etag": f'W/"{version}"'}


def _content(resource: Resource) -> Resource:
    meta = {name: part for name, part in resource.get("meta", {}).items() if name != "versionId"}
    return {**resource, "meta": meta}


def _tokens(resource: Resource, parameter: str) -> set[tuple[str, ...]]:
    if parameter == "_tag":
        return {(one.get("system"), one.get("code")) for one in resource.get("meta", {}).get("tag", ())}
    listed = resource.get("identifier", [])
    items = listed if isinstance(listed, list) else [listed]
    return {(one.get("system"), one.get("value")) for one in items}


def _wider(tokens: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Tokens, and their systems alone: `identifier=system|`."""
    return tokens | {(system, "") for system, _ in tokens}


def references(node: Any) -> set[str]:
    """Every reference in a resource but those to what it contains."""
    if isinstance(node, list):
        return {found for item in node for found in references(item)}
    if not isinstance(node, dict):
        return set()
    own = {node["reference"]} if isinstance(node.get("reference"), str) else set()
    return {one for one in own if not one.startswith("#")} | references(list(node.values()))


def _resolved(node: Any, links: Links) -> Any:
    if isinstance(node, list):
        return [_resolved(item, links) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: links.get(part, part)
        if name == "reference" and isinstance(part, str)
        else _resolved(part, links)
        for name, part in node.items()
    }
