"""One documented fake per port.

`FakeHospital` is a FHIR server behind `httpx.MockTransport`: the client, its retries and everything
above it are the real ones. It keeps resources in memory, answers transactions (atomically),
searches by identifier and reads, and can be told how to misbehave before or after it commits.
"""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

Fault = Callable[[httpx.Request], httpx.Response | None]


class FakeHospital:
    """`before` faults answer instead of the server; `after` faults answer after it has committed
    (raise an httpx error to drop the connection). Each is used once, in order; None lets one pass.
    """

    def __init__(self, base: str = "http://hospital.test/fhir") -> None:
        self.base = base
        self.resources: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[httpx.Request] = []
        self.before: list[Fault | None] = []
        self.after: list[Fault | None] = []
        self.refuses: Callable[[dict[str, Any]], bool] = lambda _resource: False
        self.refusal: dict[str, Any] = {}  # what its refusals say beside the code: diagnostics, expression
        self.drops_last_entry = False
        self.batchlike = False
        self.tells_location = True
        self.keeps: set[str] = set()  # types that it does not delete
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
        if request.method == "POST":
            answer = self._transaction(json.loads(request.content))
            if self.after and (fault := self.after.pop(0)) and (instead := fault(request)):
                return instead
            return answer
        return self._get(str(request.url))

    def _transaction(self, bundle: dict[str, Any]) -> httpx.Response:
        before = deepcopy(self.resources)
        ids = {}
        for entry in bundle["entry"]:
            if entry["request"]["method"] == "PUT":
                ids[entry["fullUrl"]] = self._target(entry["request"]["url"], entry["resource"])
        answers = []
        for index, entry in enumerate(bundle["entry"]):
            answer = self._entry(entry, ids)
            status = int(answer["response"]["status"][:3])
            if status >= 400 and not self.batchlike:
                self.resources = before
                return _outcome(status, f"Bundle.entry[{index}]", self.refusal)
            answers.append(answer)
        if self.drops_last_entry:
            answers.pop()
        return _json(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": answers})

    def _target(self, url: str, resource: dict[str, Any]) -> str:
        kind = resource["resourceType"]
        if "?" not in url:
            return url
        token = unquote(parse_qs(urlsplit(url).query)["identifier"][0])
        found = self._matching(kind, [token])
        if found:
            return f"{kind}/{found[0]['id']}"
        self._next += 1
        return f"{kind}/s{self._next}"

    def _entry(self, entry: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
        request = entry["request"]
        if request["method"] == "DELETE":
            if request["url"].split("/")[0] in self.keeps:
                return {"response": {"status": "409", "outcome": _issue("conflict")}}
            self.resources.pop(tuple(request["url"].split("/")), None)  # type: ignore[call-overload]
            return {"response": {"status": "204"}}
        text = json.dumps(entry["resource"])
        for urn, literal in ids.items():
            text = text.replace(f'"{urn}"', f'"{literal}"')
        resource = json.loads(text)
        if self.refuses(resource):
            return {"response": {"status": "422", "outcome": _issue("business-rule")}}
        kind, id_ = ids[entry["fullUrl"]].split("/")
        there = self.resources.get((kind, id_))
        version = int(there["meta"]["versionId"]) if there else 0
        if request.get("ifMatch") and request["ifMatch"] != f'W/"{version}"':
            return {"response": {"status": "412", "outcome": _issue("conflict")}}
        meta = {**resource.get("meta", {}), "versionId": str(version + 1)}
        self.resources[kind, id_] = {**resource, "id": id_, "meta": meta}
        if not self.tells_location:
            return {"response": {"status": "200" if there else "201"}}
        return {
            "response": {
                "status": "200" if there else "201",
                "location": f"{kind}/{id_}/_history/{version + 1}",
                "etag": f'W/"{version + 1}"',
            }
        }

    def _get(self, url: str) -> httpx.Response:
        path = url.removeprefix(self.base + "/")
        kind = re.split(r"[/?]", path)[0]
        query = parse_qs(urlsplit(url).query)
        found = self._matching(kind, query["identifier"][0].split(","))
        entries = [{"resource": resource} for resource in found]
        return _json(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})

    def _matching(self, kind: str, tokens: list[str]) -> list[dict[str, Any]]:
        wanted = {tuple(token.split("|", 1)) for token in tokens}
        return [
            resource
            for resource in self.of_type(kind)
            if any((item.get("system"), item.get("value")) in wanted for item in resource["identifier"])
        ]


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def _issue(code: str) -> dict[str, Any]:
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": "refused by a rule"}],
    }


def _outcome(status: int, expression: str, said: dict[str, Any]) -> httpx.Response:
    outcome = _issue("business-rule")
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
