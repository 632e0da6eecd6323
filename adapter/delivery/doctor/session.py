"""The test resources of an examination: made, written, remembered until they are removed.

All are Patients and Observations, as what is really sent. Each carries one identifier of the system
`<centre's system>/doctor` and a tag of it, says in words what it is, and is marked as entered in error
where its type has such a status, so that nobody can take it for a fact about a person.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from adapter.delivery.http.client import HospitalClient, HttpResponse, HttpResult, NoResponse
from adapter.fhir.bundle import Write, pair_responses
from adapter.fhir.codec import Resource, dumps

__all__ = [
    "TEST_TAG",
    "TEST_TYPES",
    "ExaminationStopped",
    "Inconclusive",
    "ProbeSession",
    "bundle_entry",
    "has_identifier",
    "identifier_query",
    "is_test_resource",
    "padded",
    "written_id",
]

TEST_TYPES = ("Observation", "Patient")  # what refers to something comes first: it is removed first
TEST_TAG = "test"
_TEXT = "Test resource of the adapter, to be deleted"
_TROUBLE = {401: "auth", 403: "auth", 408: "busy", 429: "busy", 502: "busy", 503: "busy", 504: "busy"}


class Inconclusive(Exception):
    """No answer from which anything can be judged. `why` is a short word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ExaminationStopped(Exception):
    """Somebody wants it to end."""


def identifier_query(system: str, *values: str) -> str:
    """`identifier=…` of one or several values, percent-encoded as in everything that is sent."""
    return "identifier=" + ",".join(quote(f"{system}|{value}", safe="") for value in values)


def bundle_entry(
    method: str, url: str, resource: Resource | None = None, *, full_url: str | None = None, **request: str
) -> dict[str, Any]:
    """One entry of a Bundle; `request` may hold ifMatch, ifNoneExist."""
    made: dict[str, Any] = {"fullUrl": full_url} if full_url else {}
    if resource is not None:
        made["resource"] = resource
    return {**made, "request": {"method": method, "url": url, **request}}


def padded(resource: Resource, size: int) -> Resource:
    """The same with a narrative that makes it almost `size` bytes long."""
    padding = "x" * max(1, size - 700)
    text = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{padding}</div>'}
    return {**resource, "text": text}


def is_test_resource(resource: Resource, system: str) -> bool:
    """Whether it is a test resource: nothing else is ever touched."""
    return has_identifier(resource, system, None)


def has_identifier(resource: Resource, system: str, value: str | None) -> bool:
    """Whether it has an identifier of `system`, with this value if one is given."""
    listed = resource.get("identifier")
    return isinstance(listed, list) and any(
        isinstance(one, dict) and one.get("system") == system and value in (None, one.get("value"))
        for one in listed
    )


def written_id(answer: HttpResponse) -> str | None:
    """The id of what a single write made or changed, from Location or the body."""
    place = answer.headers.get("location", "").partition("/_history/")[0].rstrip("/")
    if place and answer.status < 300:
        return place.rsplit("/", 1)[-1]
    found = answer.body.get("id") if isinstance(answer.body, dict) else None
    return found if answer.status < 300 and isinstance(found, str) else None


class ProbeSession:
    """Test resources at one hospital. `system` is their identifier system, `search_lag` how many seconds a
    search is behind what was written, `search_trusted` whether a search by identifier can be believed.
    """

    def __init__(
        self,
        client: HospitalClient,
        system: str,
        stop: threading.Event,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.system = system
        self.search_lag = 0.0
        self.search_trusted = True
        self.values: list[str] = []
        self.ids: dict[str, None] = {}  # "Patient/1", in the order of their making
        self.patient_identifiers: list[str] = []  # identifiers of many Patients that are there
        self.asked_to_wait: dict[str, None] = {}  # forms of Retry-After that came
        self.bundle_type: str | None = None  # "transaction" or "batch": which Bundles it takes
        self.updates_by_condition = False  # a conditional update was seen to work, by HTTP itself
        self.entries_by_condition = False  # the same as an entry of a Bundle
        self.stop = stop
        self.sleep = sleep
        self._run = secrets.token_hex(14)

    def value(self) -> str:
        """An identifier that was never used: 32 hexadecimal characters, like those really sent."""
        self.values.append(f"{self._run}{len(self.values):04x}")
        return self.values[-1]

    def patient(self, value: str, note: str = "") -> Resource:
        """A test Patient; another `note` makes other content."""
        return self._resource("Patient", value, active=False, name=[{"text": f"{_TEXT} {note}".strip()}])

    def observation(
        self, value: str, subject: str, note: str = "", *, status: str = "entered-in-error"
    ) -> Resource:
        """A test Observation about `subject`, a reference."""
        code = {"text": f"{_TEXT} {note}".strip()}
        return self._resource("Observation", value, status=status, code=code, subject={"reference": subject})

    def _resource(self, kind: str, value: str, **more: Any) -> Resource:
        meta = {"tag": [{"system": self.system, "code": TEST_TAG, "display": _TEXT}]}
        identifier = [{"system": self.system, "value": value}]
        return {"resourceType": kind, "meta": meta, "identifier": identifier, **more}

    def query(self, *values: str) -> str:
        """`identifier=…` of these test resources."""
        return identifier_query(self.system, *values)

    def request(
        self,
        method: str,
        url: str,
        resource: Resource | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """One request. Raises Unclear when no answer came or the hospital is busy, and Stopped."""
        if self.stop.is_set():
            raise ExaminationStopped
        body = resource if isinstance(resource, bytes | None) else dumps(resource)
        reply = self._noted(self.client.send(method, url, body, headers))
        if method != "DELETE" and body is not None and url and (made := written_id(reply)):
            self.ids[f"{re.split('[/?]', url, maxsplit=1)[0]}/{made}"] = None
        return reply

    def _noted(self, reply: HttpResult) -> HttpResponse:
        if isinstance(reply, NoResponse):
            raise Inconclusive(reply.why)
        if reply.status in _TROUBLE:
            if asked := reply.headers.get("retry-after", "").strip():
                self.asked_to_wait["seconds" if asked.isdigit() else "date"] = None
            raise Inconclusive(_TROUBLE[reply.status])
        return reply

    def bundle(
        self,
        kind: str,
        entries: Sequence[Mapping[str, Any]],
        headers: Mapping[str, str] | None = None,
        encode: Callable[[bytes], bytes] = bytes,
    ) -> HttpResponse:
        """Send a Bundle. Raises as `request` does."""
        body = dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)})
        answer = self.request("POST", "", encode(body), headers)
        written = [Write(one["resource"]["resourceType"], "") for one in entries if "resource" in one]
        for write, said in zip(written, pair_responses(written, answer.body) or (), strict=False):
            if said.remote_id and said.status < 300:
                self.ids[f"{write.type}/{said.remote_id}"] = None
        return answer

    def find(self, *values: str, kind: str = "Patient") -> list[Resource]:
        """What carries these identifiers, all pages. Raises Unclear where a search cannot be believed."""
        if not self.search_trusted:
            raise Inconclusive("search")
        if self.search_lag:
            self.sleep(self.search_lag)
        return [
            one
            for one in self.search_unfiltered(*values, kind=kind)
            if any(has_identifier(one, self.system, v) for v in values)
        ]

    def search_unfiltered(self, *values: str, kind: str = "Patient") -> list[Resource]:
        """Everything that a search by these identifiers gives, at once, whatever it is."""
        if self.stop.is_set():
            raise ExaminationStopped
        found: list[Resource] = []
        for page in self.client.pages(f"{kind}?{self.query(*values)}", max_pages=10):
            answer = self._noted(page)
            if answer.status != 200 or not isinstance(answer.body, list):
                raise Inconclusive(f"HTTP {answer.status}")
            found += answer.body
            if any(not is_test_resource(one, self.system) for one in answer.body):
                break  # it does not look at the condition: the next pages would be other people's
        return found

    def read(self, kind: str, id_: str | None) -> HttpResponse:
        """Read by id."""
        if id_ is None:
            raise Inconclusive("no-id")
        return self.request("GET", f"{kind}/{id_}")

    def make(self, value: str, note: str = "") -> HttpResponse:
        """Create a Patient without any condition. Raises Unclear when it is refused."""
        answer = self.request("POST", "Patient", self.patient(value, note))
        if not 200 <= answer.status < 300:
            raise Inconclusive(f"HTTP {answer.status}")
        return answer

    def identifier_chunks(self, size: int = 20) -> Iterable[list[str]]:
        """All identifiers that were used, a few at a time."""
        for start in range(0, len(self.values), size):
            yield self.values[start : start + size]
