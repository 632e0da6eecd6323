"""A simulated FHIR server for the ledger's model: as little as possible, and as unforgiving.

It takes transactions (atomic) and single interactions. Conditional writes are matched when a request
arrives and done when it is committed, so a request that is committed late, after another made the same
resource, doubles it: what real servers do when two writers meet.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

__all__ = ["BASE", "Arrived", "ModelHospital"]

BASE = "http://hospital.test/fhir"


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(status)
        self.status, self.code = status, code


@dataclass(frozen=True)
class _Step:
    """One write: what it matched when it arrived (None: it names its target itself)."""

    method: str
    type: str
    id: str | None
    matched: tuple[str, ...] | None
    resource: dict[str, Any] | None
    full_url: str | None
    if_match: str | None


@dataclass(frozen=True)
class Arrived:
    """A request that reached the server and is not committed yet."""

    steps: tuple[_Step, ...]
    is_bundle: bool


@dataclass
class ModelHospital:
    """`on_deleted`: what a PUT to the id of a deleted resource gives (None: the resource again)."""

    on_deleted: int | None = None
    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    deleted: set[tuple[str, str]] = field(default_factory=set)
    _next: int = 0

    # -- what the model looks at -----------------------------------------------------------

    def identities(self) -> Counter[str]:
        """How many resources there are of each identity."""
        return Counter(one["identifier"][0]["value"] for one in self.resources.values())

    def plainly(self) -> dict[str, dict[str, Any]]:
        """Content by identity, references by identity, nothing of the server's own."""
        names = {f"{t}/{i}": one["identifier"][0]["value"] for (t, i), one in self.resources.items()}
        found = {}
        for one in self.resources.values():
            kept = {name: part for name, part in one.items() if name not in ("id", "meta")}
            if "subject" in kept:
                reference = kept["subject"]["reference"]
                kept["subject"] = {"reference": names.get(reference, f"{reference} is not there")}
            found[one["identifier"][0]["value"]] = kept
        return found

    # -- requests --------------------------------------------------------------------------

    def read(self, request: httpx.Request) -> httpx.Response:
        """A GET: a search by identifier, or one resource."""
        parts = urlsplit(str(request.url).removeprefix(BASE + "/"))
        if "?" not in str(request.url):
            kind, id_ = parts.path.split("/")[:2]
            one = self.resources.get((kind, id_))
            if one is None:
                return outcome(410 if (kind, id_) in self.deleted else 404, "not-found")
            return httpx.Response(200, json=one, headers={"etag": f'W/"{one["meta"]["versionId"]}"'})
        tokens = unquote(parse_qs(parts.query)["identifier"][0]).split(",")
        found = [
            self.resources[parts.path, id_] for token in tokens for id_ in self._match(parts.path, token)
        ]
        entries = [{"resource": one, "search": {"mode": "match"}} for one in found]
        return httpx.Response(200, json={"resourceType": "Bundle", "type": "searchset", "entry": entries})

    def arrive(self, request: httpx.Request) -> Arrived:
        """A write reaches the server: conditions are matched now."""
        url = str(request.url).removeprefix(BASE).lstrip("/")
        body = json.loads(request.content) if request.content else {}
        if request.method == "POST" and not url:
            entries = body["entry"]
            steps = [
                self._step(
                    entry["request"]["method"],
                    entry["request"]["url"],
                    entry.get("resource"),
                    entry.get("fullUrl"),
                    entry["request"].get("ifMatch"),
                    entry["request"].get("ifNoneExist"),
                )
                for entry in entries
            ]
            return Arrived(tuple(steps), True)
        headers = request.headers
        step = self._step(
            request.method, url, body or None, None, headers.get("if-match"), headers.get("if-none-exist")
        )
        return Arrived((step,), False)

    def _step(  # noqa: PLR0917 - the parts of a request
        self,
        method: str,
        url: str,
        resource: dict[str, Any] | None,
        full_url: str | None,
        if_match: str | None,
        if_none_exist: str | None,
    ) -> _Step:
        parts = urlsplit(url)
        kind, _, id_ = parts.path.partition("/")
        query = parts.query or (if_none_exist or "").partition("?")[2] or if_none_exist
        matched = None
        if query:
            matched = self._match(kind, unquote(parse_qs(query)["identifier"][0]))
        return _Step(method, kind, id_ or None, matched, resource, full_url, if_match)

    def _match(self, kind: str, token: str) -> tuple[str, ...]:
        system, _, value = token.partition("|")
        return tuple(
            id_
            for (type_, id_), one in self.resources.items()
            if type_ == kind and {"system": system, "value": value} in one["identifier"]
        )

    def commit(self, arrived: Arrived) -> httpx.Response:
        """Do it, all or nothing."""
        before, gone, number = dict(self.resources), set(self.deleted), self._next
        try:
            targets = {
                s.full_url: f"{s.type}/{self._target(s)}" for s in arrived.steps if s.method != "DELETE"
            }
            # A target is chosen once, so that references and the write itself agree.
            answers = [self._do(step, targets) for step in arrived.steps]
            self._hold_together()
        except _Refused as refused:
            self.resources, self.deleted, self._next = before, gone, number
            return outcome(refused.status, refused.code)
        if arrived.is_bundle:
            entries = [{"response": answer} for answer in answers]
            body = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
            return httpx.Response(200, json=body)
        answer = answers[0]
        headers = {"location": f"{BASE}/{answer['location']}"} if "location" in answer else {}
        return httpx.Response(
            int(answer["status"]),
            headers={**headers, **({"etag": answer["etag"]} if "etag" in answer else {})},
        )

    def _target(self, step: _Step) -> str:
        if step.matched is not None and len(step.matched) > 1:
            raise _Refused(412, "multiple-matches")
        if step.id is not None:
            return step.id
        if step.matched:
            return step.matched[0]
        self._next += 1
        return f"s{self._next}"

    def _do(self, step: _Step, targets: dict[str | None, str]) -> dict[str, str]:
        if step.method == "DELETE":
            ids = step.matched if step.id is None else (step.id,)
            if len(ids or ()) > 1:
                raise _Refused(412, "multiple-matches")
            for id_ in ids or ():
                if self.resources.pop((step.type, id_), None):
                    self.deleted.add((step.type, id_))
            return {"status": "204"}
        target = targets[step.full_url]
        at = (step.type, target.partition("/")[2])
        there = self.resources.get(at)
        if step.method == "POST" and there is not None:  # If-None-Exist found it
            return self._answer(at, "200")
        version = int(there["meta"]["versionId"]) if there else 0
        if step.id is not None and there is None and at in self.deleted and self.on_deleted:
            raise _Refused(self.on_deleted, "deleted")
        if step.if_match and there is not None and step.if_match != f'W/"{version}"':
            raise _Refused(412, "conflict")
        text = json.dumps(step.resource)
        for urn, literal in targets.items():
            text = text.replace(f'"{urn}"', f'"{literal}"') if urn else text
        self.resources[at] = {**json.loads(text), "id": at[1], "meta": {"versionId": str(version + 1)}}
        self.deleted.discard(at)
        return self._answer(at, "200" if there else "201")

    def _answer(self, at: tuple[str, str], status: str) -> dict[str, str]:
        version = self.resources[at]["meta"]["versionId"]
        location = f"{at[0]}/{at[1]}/_history/{version}"
        return {"status": status, "location": location, "etag": f'W/"{version}"'}

    def _hold_together(self) -> None:
        """Referential integrity, as servers keep it: nothing refers to what is not there."""
        for one in self.resources.values():
            reference = one.get("subject", {}).get("reference")
            if reference and tuple(reference.split("/")) not in self.resources:
                raise _Refused(409, "conflict")


def outcome(status: int, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """An OperationOutcome."""
    issue = [{"severity": "error", "code": code}]
    return httpx.Response(status, json={"resourceType": "OperationOutcome", "issue": issue}, headers=headers)
