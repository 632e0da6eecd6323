"""A hospital's FHIR server without a server: behind `httpx.MockTransport`, or on a respx router.

The client, its retries and everything above it are the real ones. What the fake answers, `adapter sandbox`
answers too: tests/unit/test_testing.py holds both to one contract.
"""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx

from adapter.testing.fake_resources import FakeResources, Json
from adapter.testing.faults import Fault, fhir_response, operation_outcome

if TYPE_CHECKING:
    import respx

__all__ = ["FakeHospital"]

_RESULT_PARAMETERS = {"_count", "_elements", "_format", "_sort", "_summary", "_total"}  # change no selection
_HEADERS = (("If-Match", "ifMatch"), ("If-None-Exist", "ifNoneExist"))


@dataclass(kw_only=True, eq=False)
class FakeHospital(FakeResources):
    """Keeps resources in memory and answers transactions (atomically), batches, single interactions, reads,
    and searches by `identifier` and `_id`. What it does not know it refuses with 400, never in silence.

    Faults answer in its stead, each once and in order; None lets a request pass. Those in `faults` answer
    before it has done anything; those in `faults_after_commit` after it has done what a write asked for.
    """

    base: str = "http://hospital.test/fhir"
    faults: list[Fault | None] = field(default_factory=list)
    faults_after_commit: list[Fault | None] = field(default_factory=list)
    bundle_fault: Fault | None = None  # answers every Bundle, not once alone
    atomic: bool = True  # else a transaction is done entry by entry
    max_entries: int = 1000  # beyond that a Bundle is a 413
    max_single_bytes: int | None = None  # of a resource by itself; beyond that it is a 413
    max_bundle_bytes: int | None = None  # the same of a Bundle
    drops_last_entry: bool = False  # of its answer to a Bundle
    searches: bool = True  # else every search answers with all there is of the type
    requests: list[httpx.Request] = field(default_factory=list, init=False)

    @property
    def transport(self) -> httpx.MockTransport:
        """For httpx.Client(transport=…), or the adapter's HospitalClient(hospital.base, transport=…)."""
        return httpx.MockTransport(self.handle)

    def mount(self, router: "respx.Router") -> "respx.Route":
        """Answer everything under `base` on a respx router; the route, which counts its calls."""
        return router.route(url__startswith=self.base).mock(side_effect=self.handle)

    @property
    def writes(self) -> int:
        """How many of its requests wanted to change something."""
        return sum(request.method != "GET" for request in self.requests)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """A request arrives: it is remembered, meets the faults, and is answered."""
        self.requests.append(request)
        if self.faults and (fault := self.faults.pop(0)) and (instead := fault(request)):
            return instead
        answer = self.answer(request)
        if request.method == "GET" or not self.faults_after_commit:
            return answer
        fault = self.faults_after_commit.pop(0)
        return (fault and fault(request)) or answer

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What it does and says by itself: nothing is remembered, and no fault is met."""
        url = str(request.url).rstrip("/")
        if url != self.base and not url.startswith(f"{self.base}/"):
            return fhir_response(404, operation_outcome("not-found", "no such address"))
        if request.method == "GET":
            return self._get(url.removeprefix(f"{self.base}/"))
        try:
            return self._bundle(request) if url == self.base else self._single(request)
        except json.JSONDecodeError:
            return fhir_response(400, operation_outcome("structure", "this is not JSON"))

    # -- Bundles ---------------------------------------------------------------------------

    def _bundle(self, request: httpx.Request) -> httpx.Response:
        if self.bundle_fault is not None and (instead := self.bundle_fault(request)):
            return instead
        if _is_over(request, self.max_bundle_bytes):
            return fhir_response(413, operation_outcome("too-long"))
        bundle = json.loads(request.content)
        entries = bundle.get("entry", [])
        if len(entries) > self.max_entries:
            return fhir_response(413, operation_outcome("too-costly"))
        return self._process_all(bundle, entries)

    def _process_all(self, bundle: Json, entries: list[Json]) -> httpx.Response:
        before, deleted = deepcopy(self.resources), set(self.deleted)
        is_batch = bundle["type"] == "batch"
        answers: list[Json] = []
        targets = [] if is_batch else [self.target(one) for one in entries]
        for index, entry in enumerate(entries):
            target = self.target(entry) if is_batch else targets[index]
            references = _references([entry], [target]) if is_batch else _references(entries, targets)
            answer = self.process(entry, target, references)
            status = int(answer["response"]["status"][:3])
            if status >= 400 and self.atomic and not is_batch:
                self.resources, self.deleted = before, deleted
                return self._refused_transaction(status, index, answer["response"])
            answers.append(answer)
        if self.drops_last_entry:
            answers.pop()
        return fhir_response(200, _bundle(f"{bundle['type']}-response", answers))

    def _refused_transaction(self, status: int, index: int, response: Json) -> httpx.Response:
        outcome = deepcopy(response.get("outcome") or operation_outcome("business-rule"))
        outcome["issue"][0] |= {"expression": [f"Bundle.entry[{index}]"], **self.refusal}
        return fhir_response(status, outcome)

    # -- single interactions ---------------------------------------------------------------

    def _single(self, request: httpx.Request) -> httpx.Response:
        if _is_over(request, self.max_single_bytes):
            return fhir_response(413, operation_outcome("too-long"))
        asked: Json = {"method": request.method, "url": str(request.url).removeprefix(f"{self.base}/")}
        asked |= {name: request.headers[header] for header, name in _HEADERS if header in request.headers}
        entry: Json = {"request": asked}
        if request.content:
            entry["resource"] = json.loads(request.content)
        answer = self.process(entry, self.target(entry), {})["response"]
        status = int(answer["status"])
        if "outcome" in answer:
            return fhir_response(status, answer["outcome"])
        if "location" not in answer:
            return httpx.Response(status)
        headers = {"Location": f"{self.base}/{answer['location']}", "ETag": answer["etag"]}
        kind, id_ = answer["location"].split("/")[:2]
        return fhir_response(status, self.resources[kind, id_], headers)

    def _get(self, path: str) -> httpx.Response:
        where = urlsplit(path)
        kind, _, id_ = where.path.partition("/")
        if where.path == "metadata":
            return fhir_response(200, _CAPABILITY_STATEMENT)
        return self._read(kind, id_) if id_ else self._search(kind, parse_qs(where.query))

    def _read(self, kind: str, id_: str) -> httpx.Response:
        there = self.resources.get((kind, id_))
        if there is None:
            gone = (kind, id_) in self.deleted
            return fhir_response(410 if gone else 404, operation_outcome("deleted" if gone else "not-found"))
        return fhir_response(200, there, {"ETag": f'W/"{there["meta"]["versionId"]}"'})

    def _search(self, kind: str, query: dict[str, list[str]]) -> httpx.Response:
        unknown = query.keys() - _RESULT_PARAMETERS - {"identifier", "_id"}
        if unknown:
            said = f"a fake hospital does not search by {', '.join(sorted(unknown))}"
            return fhir_response(400, operation_outcome("not-supported", said))
        found = self.of_type(kind)
        if self.searches and "identifier" in query:
            found = self.matching(kind, query["identifier"][0].split(","))
        if self.searches and "_id" in query:
            found = [one for one in found if one["id"] in query["_id"][0].split(",")]
        entries = [{"fullUrl": f"{self.base}/{kind}/{one['id']}", "resource": one} for one in found]
        counted = query.get("_summary") == ["count"]
        return fhir_response(200, {**_bundle("searchset", [] if counted else entries), "total": len(found)})


def _is_over(request: httpx.Request, most: int | None) -> bool:
    return most is not None and len(request.content) > most


def _references(entries: list[Json], targets: list[str]) -> dict[str, str]:
    """What the fullUrls of a Bundle become (https://hl7.org/fhir/R4/http.html#trules)."""
    pairs = zip(entries, targets, strict=True)
    return {entry["fullUrl"]: target for entry, target in pairs if target and "fullUrl" in entry}


def _bundle(kind: str, entries: list[Json]) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


_CAPABILITY_STATEMENT: Json = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [{"mode": "server"}],
}
