"""What a fake hospital holds, and what becomes of one entry that wants to change it.

An entry is one of a Bundle (https://hl7.org/fhir/R4/bundle.html); a single interaction is an entry alone.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from adapter.testing.faults import entry_answer, operation_outcome

__all__ = ["FakeResources", "Json"]

Json = dict[str, Any]
Key = tuple[str, str]  # type and id
_LITERAL_REFERENCE = re.compile(r'"reference": "([A-Z][A-Za-z]+)/([^"]+)"')


@dataclass(kw_only=True, eq=False)
class FakeResources:
    """The resources, and how the server that holds them deviates from a good one; by default it does not."""

    resources: dict[Key, Json] = field(default_factory=dict)
    deleted: set[Key] = field(default_factory=set)
    conditional_create: bool = True  # it looks at If-None-Exist
    conditional_update: bool = True  # it takes PUT [type]?identifier=…
    update_as_create: bool = True  # PUT to an id that never was creates it, else it is a 404
    recreates_deleted: bool = True  # PUT to a deleted id creates it again, else it is a 409 for ever
    referential_integrity: bool = False  # a reference to what is not there is a 409
    returns_location: bool = True  # it says which id and version a write made
    stale_status: int = 412  # of a write whose If-Match names another version; some servers say 409
    undeletable_types: set[str] = field(default_factory=set)  # a DELETE of these is a 409
    refuses: Callable[[Json], bool] = lambda _resource: False  # a resource that it takes not at all: a 422
    refusal: Json = field(default_factory=dict)  # what a refusal's issue says beside its code
    entry_answers: list[Callable[[Json], Json | None]] = field(default_factory=list)
    """Each is asked about one entry, in turn, and answers it in the server's stead, or returns None."""
    _last_id: int = field(default=1, init=False)

    def of_type(self, resource_type: str) -> list[Json]:
        """All resources of a type, in the order in which they came."""
        return [resource for (kind, _), resource in self.resources.items() if kind == resource_type]

    def matching(self, resource_type: str, tokens: list[str]) -> list[Json]:
        """Those that carry one of these identifiers, each written `system|value`."""
        wanted = {tuple(token.split("|", 1)) for token in tokens}
        return [
            resource
            for resource in self.of_type(resource_type)
            if any((one.get("system"), one.get("value")) in wanted for one in resource.get("identifier", ()))
        ]

    def target(self, entry: Json) -> str:
        """`[type]/[id]` of what an entry writes: named by it, found by its condition, or new; "": nothing."""
        if "resource" not in entry:
            return ""
        request, kind = entry["request"], entry["resource"]["resourceType"]
        if request["method"] == "PUT" and "?" not in request["url"]:
            return str(request["url"])
        found = self._by_condition(kind, self._condition(request))
        if found:
            return f"{kind}/{found[0]['id']}"
        self._last_id += 1
        return f"{kind}/s{self._last_id}"

    def process(self, entry: Json, target: str, references: Mapping[str, str]) -> Json:
        """Do what an entry asks; its answer. `target` is what it writes; `references` has what the fullUrls
        of its Bundle became.
        """
        if self.entry_answers and (answer := self.entry_answers.pop(0)(entry)):
            return answer
        request = entry["request"]
        if request["method"] == "DELETE" and "?" not in request["url"]:
            return self._delete(request["url"])
        if request["method"] not in ("POST", "PUT") or "resource" not in entry:
            return entry_answer(400, "not-supported")
        text = json.dumps(entry["resource"])
        for full_url, literal in references.items():
            text = text.replace(f'"{full_url}"', f'"{literal}"')
        resource = json.loads(text)
        if self.refuses(resource):
            refused = entry_answer(422, "business-rule")
            refused["response"]["outcome"]["issue"][0] |= self.refusal
            return refused
        if self.referential_integrity and (missing := self._missing_reference(text)):
            outcome = operation_outcome("conflict", missing)
            return {"response": {"status": "409", "outcome": outcome}}
        return self._write(request, resource, target)

    def _condition(self, request: Json) -> str | None:
        """The search that decides what is written (https://hl7.org/fhir/R4/http.html#cond-update)."""
        if request["method"] == "PUT":
            return str(request["url"]).partition("?")[2] or None
        return request.get("ifNoneExist") if self.conditional_create else None

    def _by_condition(self, kind: str, condition: str | None) -> list[Json]:
        tokens = parse_qs(condition or "").get("identifier", ())
        return self.matching(kind, [unquote(token) for token in tokens[:1]])

    def _missing_reference(self, text: str) -> str | None:
        for kind, id_ in _LITERAL_REFERENCE.findall(text):
            if (kind, id_) not in self.resources:
                return f"Referential integrity violated. Resource `{kind}/{id_}` doesn't exist."
        return None

    def _write(self, request: Json, resource: Json, target: str) -> Json:
        kind, id_ = target.split("/")
        condition, there = self._condition(request), self.resources.get((kind, id_))
        if refused := self._refusal(request, (kind, id_), condition):
            return refused
        version = int(there["meta"]["versionId"]) if there else 0
        if there and request["method"] == "POST":  # If-None-Exist found it
            return self._done(200, target, version)
        if request.get("ifMatch") and request["ifMatch"] != f'W/"{version}"':
            return entry_answer(
                self.stale_status, "conflict" if self.stale_status in (409, 412) else "processing"
            )
        meta = {**resource.get("meta", {}), "versionId": str(version + 1)}
        self.resources[kind, id_] = {**resource, "id": id_, "meta": meta}
        return self._done(200 if there else 201, target, version + 1)

    def _refusal(self, request: Json, key: Key, condition: str | None) -> Json | None:
        updates = request["method"] == "PUT"
        if condition and "identifier" not in parse_qs(condition):
            return entry_answer(400, "not-supported")
        if updates and condition and not self.conditional_update:
            return entry_answer(400, "not-supported")
        if len(self._by_condition(key[0], condition)) > 1:
            return entry_answer(412, "multiple-matches")
        if key in self.resources:
            return None
        if key in self.deleted and not self.recreates_deleted:
            return entry_answer(409, "deleted")
        if updates and not condition and not self.update_as_create:
            return entry_answer(404, "not-found")
        return None

    def _done(self, status: int, target: str, version: int) -> Json:
        answer = entry_answer(status)
        if self.returns_location:
            answer["response"] |= {"location": f"{target}/_history/{version}", "etag": f'W/"{version}"'}
        return answer

    def _delete(self, url: str) -> Json:
        kind, id_ = url.split("/")
        if kind in self.undeletable_types:
            return entry_answer(409, "conflict")
        if self.resources.pop((kind, id_), None):
            self.deleted.add((kind, id_))
        return entry_answer(204)
