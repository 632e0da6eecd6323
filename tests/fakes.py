"""One documented fake per port.

`FakeHospital` is a FHIR server behind `httpx.MockTransport`: the client, its retries and everything
above it are the real ones. It keeps resources in memory, answers transactions (atomically), batches
and single interactions, searches by identifier and reads. It can be told what it is not capable of, and
how to misbehave before or after it commits.
"""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from adapter.ledger.server_cards.card import ServerCard

Fault = Callable[[httpx.Request], httpx.Response | None]


# What a good server's card says; others are made of it with `dataclasses.replace`.
GOOD = ServerCard(
    transaction=True,
    atomic=True,
    batch=True,
    urn_references=True,
    paired=True,
    names_ids=True,
    max_entries=1000,
    conditional_create=True,
    conditional_update=True,
    encoded_urls=True,
    if_match=True,
    search_by_identifier=True,
    search_is_fresh=True,
    search_several=True,
)


class FakeHospital:
    """`before` faults answer instead of the server; `after` faults answer after it has committed
    (raise an httpx error to drop the connection). Each is used once, in order; None lets one pass.
    `POST`s to the base are Bundles; everything else is a single interaction.
    """

    def __init__(self, base: str = "http://hospital.test/fhir") -> None:
        self.base = base
        self.resources: dict[tuple[str, str], dict[str, Any]] = {}
        self.deleted: set[tuple[str, str]] = set()
        self.requests: list[httpx.Request] = []
        self.before: list[Fault | None] = []
        self.after: list[Fault | None] = []
        self.refuses: Callable[[dict[str, Any]], bool] = lambda _resource: False
        self.refusal: dict[str, Any] = {}  # what its refusals say beside the code: diagnostics, expression
        self.entry_answers: list[Callable[[dict[str, Any]], dict[str, Any] | None]] = []  # instead, in order
        self.drops_last_entry = False
        self.batchlike = False  # a transaction is done entry by entry
        self.tells_location = True
        self.keeps: set[str] = set()  # types that it does not delete
        self.no_bundles: Fault | None = None  # answers every Bundle
        self.max_entries = 1000  # beyond that a Bundle is a 413
        self.conditional_update = True
        self.conditional_create = True
        self.takes_unknown_ids = True  # PUT to an id that never was creates it
        self.forgets_deleted = True  # PUT to a deleted id creates it again, else it is a 409 for ever
        self.searches = True  # else every search answers with all there is of the type
        self.stale_status = "412"
        self.checks_references = False
        self._next = 1

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    @property
    def writes(self) -> int:
        return sum(request.method != "GET" for request in self.requests)

    def of_type(self, resource_type: str) -> list[dict[str, Any]]:
        return [resource for (kind, _), resource in self.resources.items() if kind == resource_type]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.before and (fault := self.before.pop(0)) and (answer := fault(request)):
            return answer
        if request.method == "GET":
            return self._get(str(request.url))
        answer = self._write(request)
        if self.after and (fault := self.after.pop(0)) and (instead := fault(request)):
            return instead
        return answer

    def _write(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) != self.base:
            return self._single(request)
        if self.no_bundles is not None and (answer := self.no_bundles(request)):
            return answer
        bundle = json.loads(request.content)
        if len(bundle["entry"]) > self.max_entries:
            return _json(413, _issue("too-costly"))
        return self._transaction(bundle)

    # -- Bundles ---------------------------------------------------------------------------

    def _transaction(self, bundle: dict[str, Any]) -> httpx.Response:
        before, deleted = deepcopy(self.resources), set(self.deleted)
        is_batch = bundle["type"] == "batch"
        ids = {} if is_batch else self._ids(bundle)
        answers = []
        for index, entry in enumerate(bundle["entry"]):
            answer = self._entry(entry, self._ids({"entry": [entry]}) if is_batch else ids)
            status = int(answer["response"]["status"][:3])
            if status >= 400 and not (self.batchlike or is_batch):
                self.resources, self.deleted = before, deleted
                outcome = answer["response"].get("outcome") or _issue("business-rule")
                return _outcome(status, f"Bundle.entry[{index}]", self.refusal, outcome)
            answers.append(answer)
        if self.drops_last_entry:
            answers.pop()
        kind = f"{bundle['type']}-response"
        return _json(200, {"resourceType": "Bundle", "type": kind, "entry": answers})

    def _ids(self, bundle: dict[str, Any]) -> dict[str, str]:
        return {
            entry["fullUrl"]: self._target(entry["request"], entry["resource"])
            for entry in bundle["entry"]
            if entry["request"]["method"] != "DELETE"
        }

    def _target(self, request: dict[str, Any], resource: dict[str, Any]) -> str:
        kind, url = resource["resourceType"], request["url"]
        condition = url.partition("?")[2] or (request.get("ifNoneExist") if self.conditional_create else None)
        if request["method"] == "PUT" and "?" not in url:
            return str(url)
        found = self._by_condition(kind, condition)
        if found:
            return f"{kind}/{found[0]['id']}"
        self._next += 1
        return f"{kind}/s{self._next}"

    def _by_condition(self, kind: str, condition: str | None) -> list[dict[str, Any]]:
        if not condition:
            return []
        return self._matching(kind, [unquote(parse_qs(condition)["identifier"][0])])

    def _entry(self, entry: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
        if self.entry_answers and (answer := self.entry_answers.pop(0)(entry)):
            return answer
        request = entry["request"]
        if request["method"] == "DELETE":
            return self._delete(request["url"])
        text = json.dumps(entry["resource"])
        for urn, literal in ids.items():
            text = text.replace(f'"{urn}"', f'"{literal}"')
        resource = json.loads(text)
        if self.refuses(resource):
            outcome = _issue("business-rule")
            outcome["issue"][0] |= self.refusal
            return {"response": {"status": "422", "outcome": outcome}}
        if self.checks_references and (missing := self._missing(text)):
            return {"response": {"status": "409", "outcome": _issue("conflict", missing)}}
        return self._put(request, resource, ids[entry["fullUrl"]])

    def _missing(self, text: str) -> str | None:
        for kind, id_ in re.findall(r'"reference": "([A-Z][a-z A-Z]+)/([^"]+)"', text):
            if (kind, id_) not in self.resources:
                return f"Referential integrity violated. Resource `{kind}/{id_}` doesn't exist."
        return None

    def _put(self, request: dict[str, Any], resource: dict[str, Any], target: str) -> dict[str, Any]:
        kind, id_ = target.split("/")
        condition = request["url"].partition("?")[2]
        if request["method"] == "PUT" and condition and not self.conditional_update:
            return {"response": {"status": "400", "outcome": _issue("not-supported")}}
        if len(self._by_condition(kind, condition)) > 1:
            return {"response": {"status": "412", "outcome": _issue("multiple-matches")}}
        there = self.resources.get((kind, id_))
        if there is None and (kind, id_) in self.deleted and not self.forgets_deleted:
            return {"response": {"status": "409", "outcome": _issue("deleted")}}
        if there is None and request["method"] == "PUT" and not condition and not self.takes_unknown_ids:
            return {"response": {"status": "404", "outcome": _issue("not-found")}}
        version = int(there["meta"]["versionId"]) if there else 0
        if there and request["method"] == "POST":  # If-None-Exist found it
            return self._done("200", kind, id_, version)
        if request.get("ifMatch") and request["ifMatch"] != f'W/"{version}"':
            return {"response": {"status": self.stale_status, "outcome": _issue("conflict")}}
        meta = {**resource.get("meta", {}), "versionId": str(version + 1)}
        self.resources[kind, id_] = {**resource, "id": id_, "meta": meta}
        return self._done("200" if there else "201", kind, id_, version + 1)

    def _done(self, status: str, kind: str, id_: str, version: int) -> dict[str, Any]:
        if not self.tells_location:
            return {"response": {"status": status}}
        location, etag = f"{kind}/{id_}/_history/{version}", f'W/"{version}"'
        return {"response": {"status": status, "location": location, "etag": etag}}

    def _delete(self, url: str) -> dict[str, Any]:
        kind, id_ = url.split("/")
        if kind in self.keeps:
            return {"response": {"status": "409", "outcome": _issue("conflict")}}
        if self.resources.pop((kind, id_), None):
            self.deleted.add((kind, id_))
        return {"response": {"status": "204"}}

    # -- single interactions ---------------------------------------------------------------

    def _single(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url).removeprefix(self.base + "/")
        asked: dict[str, Any] = {"method": request.method, "url": url}
        for header, name in (("If-Match", "ifMatch"), ("If-None-Exist", "ifNoneExist")):
            if header in request.headers:
                asked[name] = request.headers[header]
        entry: dict[str, Any] = {"request": asked}
        if request.content:
            entry |= {"fullUrl": "urn:one", "resource": json.loads(request.content)}
        answer = self._entry(entry, self._ids({"entry": [entry]}))["response"]
        headers = {
            name: answer[said]
            for name, said in (("Location", "location"), ("ETag", "etag"))
            if said in answer
        }
        if "Location" in headers:
            headers["Location"] = f"{self.base}/{headers['Location']}"
        if "outcome" in answer:
            return _json(int(answer["status"]), answer["outcome"], headers)
        return httpx.Response(int(answer["status"]), headers=headers)

    def _get(self, url: str) -> httpx.Response:
        path = url.removeprefix(self.base + "/")
        kind = re.split(r"[/?]", path)[0]
        if "?" not in path:
            return self._read(kind, path.partition("/")[2])
        query = parse_qs(urlsplit(url).query)
        found = (
            self._matching(kind, query["identifier"][0].split(",")) if self.searches else self.of_type(kind)
        )
        entries = [{"resource": resource} for resource in found]
        return _json(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})

    def _read(self, kind: str, id_: str) -> httpx.Response:
        there = self.resources.get((kind, id_))
        if there is None:
            return _json(410 if (kind, id_) in self.deleted else 404, _issue("not-found"))
        return _json(200, there)

    def _matching(self, kind: str, tokens: list[str]) -> list[dict[str, Any]]:
        wanted = {tuple(token.split("|", 1)) for token in tokens}
        return [
            resource
            for resource in self.of_type(kind)
            if any((item.get("system"), item.get("value")) in wanted for item in resource["identifier"])
        ]


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def _issue(code: str, words: str = "refused by a rule") -> dict[str, Any]:
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": words}],
    }


def entry_answer(status: int, code: str | None = None) -> dict[str, Any]:
    """An entry of a response: its status, and an OperationOutcome with that issue code."""
    return {"response": {"status": str(status), **({"outcome": _issue(code)} if code else {})}}


def _outcome(status: int, expression: str, said: dict[str, Any], outcome: dict[str, Any]) -> httpx.Response:
    outcome = deepcopy(outcome)
    outcome["issue"][0] |= {"expression": [expression], **said}
    return _json(status, outcome)


def answers(status: int, *, headers: dict[str, str] | None = None, text: str | None = None) -> Fault:
    """A fault that answers with a status (an OperationOutcome, or `text` as HTML)."""

    def fault(_request: httpx.Request) -> httpx.Response:
        if text is not None:
            return httpx.Response(status, text=text, headers={"content-type": "text/html"})
        return _json(status, _issue("throttled" if status == 429 else "exception"), headers)

    return fault


def drops(_request: httpx.Request) -> httpx.Response:
    """A fault that closes the connection without an answer."""
    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


def refuses_connection(_request: httpx.Request) -> httpx.Response:
    """A fault that lets no connection come about."""
    raise httpx.ConnectError("Connection refused")


def times_out(_request: httpx.Request) -> httpx.Response:
    """A fault that never answers."""
    raise httpx.ReadTimeout("timed out")
