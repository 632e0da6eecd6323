"""What is sent to an endpoint that will be killed: each interaction, and what is there once it is done."""

import http.client
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["KINDS", "SYSTEM", "Attempt", "Caller", "Held", "content_of"]

SYSTEM = "https://lab.example/sid/value"
CCCD = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"
PERSON = "024060012345"  # of tests/endpoint_centre.py
_ENTRIES = 8  # of a Bundle
_TIMEOUT = 60.0

Content = dict[str, Any]


@dataclass
class Held:
    """What is certainly there under one identifier's value (None: nothing), and under which id."""

    kind: str
    sure: Content | None = None
    id: str = ""


@dataclass
class Attempt:
    """One request. `parts` are what is there once it is done, by the identifiers' values; of all but a batch
    all or nothing is. `expects` are the statuses that it may have.
    """

    kind: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: dict[str, tuple[str, Content]] = field(default_factory=dict)  # value -> type, content
    is_atomic: bool = True
    expects: tuple[int, ...] = (200, 201)
    is_refused: bool = False  # its body is to be in the quarantine
    is_document: bool = False  # and is to be kept whole
    status: int | None = None  # None: not answered
    answer: bytes = b""

    @property
    def sent(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()


def content_of(resource: Content) -> Content:
    """What was said, without what a server adds or turns into its own ids."""
    left = {name: value for name, value in resource.items() if name not in ("id", "meta", "result")}
    return json.loads(json.dumps(left))  # type: ignore[no-any-return]


class Caller:
    """One client of the hospital, who knows what it sent; only it writes these resources."""

    def __init__(self, port: int, token: str, name: str) -> None:
        self.held: dict[str, Held] = {}
        self.again: list[Attempt] = []
        self.chance = random.Random(name)  # noqa: S311 - no secret
        self._attempts: list[Attempt] = []
        self._name, self._port, self._token = name, port, token
        self._numbers = 0

    def take_attempts(self) -> list[Attempt]:
        """What was sent since the last time."""
        taken, self._attempts = self._attempts, []
        return taken

    def attempt(self, kind: str) -> Attempt:
        """The next request of a kind; what is needed for it and is not there yet is made first."""
        return KINDS[kind](self)

    def send(self, attempt: Attempt) -> int | None:
        """Send it; None when no answer came, which is so when its head did not come whole."""
        self._attempts.append(attempt)
        for value, (type_, _) in attempt.parts.items():
            self.held.setdefault(value, Held(type_))
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/fhir+json"}
        try:
            connection.request(
                attempt.method, f"/fhir{attempt.path}", attempt.sent or None, {**headers, **attempt.headers}
            )
            with connection.getresponse() as answer:
                attempt.status = answer.status
                attempt.answer = answer.read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        if attempt.status in attempt.expects:
            for value, (_, content) in attempt.parts.items():
                self.held[value].sure = content
        return attempt.status

    # What is sent

    def _observation(self, value: str = "") -> tuple[str, Content]:
        self._numbers += 1
        value = value or f"{self._name}-{self._numbers}"
        return value, {
            "resourceType": "Observation",
            "identifier": [{"system": SYSTEM, "value": value}],
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "subject": {"identifier": {"system": CCCD, "value": PERSON}},
            "issued": f"2026-11-02T15:05:{self._numbers % 60:02}+07:00",
            "note": [{"text": f"lần {self._numbers}; {'Mẫu máu, ' * self.chance.randrange(40)}"}],
        }

    def _known(self) -> tuple[str, Held] | None:
        """One that is certainly there, under the id that it was given."""
        known = [(value, held) for value, held in self.held.items() if held.id and held.kind == "Observation"]
        return self.chance.choice(known[-20:]) if known else None

    def _changed(self, value: str) -> Content:
        _, resource = self._observation(value)
        minute, hour, day = self._numbers % 60, self._numbers // 60 % 24, 3 + self._numbers // 1440 % 25
        return resource | {
            "status": "corrected",
            "issued": f"2026-11-{day:02}T{hour:02}:{minute:02}:00+07:00",
        }

    def create(self) -> Attempt:
        value, resource = self._observation()
        return Attempt("create", "POST", "/Observation", resource, parts=_parts(value, resource))

    def conditional_create(self) -> Attempt:
        value, resource = self._observation()
        headers = {"If-None-Exist": f"identifier={SYSTEM}|{value}"}
        parts = _parts(value, resource)
        return Attempt("conditional create", "POST", "/Observation", resource, headers, parts)

    def update(self) -> Attempt:
        found = self._known()
        value, resource = (found[0], self._changed(found[0])) if found else self._observation()
        resource["id"] = found[1].id if found else value
        path = f"/Observation/{resource['id']}"
        return Attempt("update", "PUT", path, resource, parts=_parts(value, resource))

    def conditional_update(self) -> Attempt:
        found = self._known()
        value, resource = (found[0], self._changed(found[0])) if found else self._observation()
        path = f"/Observation?identifier={SYSTEM}%7C{value}"
        return Attempt("conditional update", "PUT", path, resource, parts=_parts(value, resource))

    def patch(self) -> Attempt:
        found = self._known()
        if found is None:
            return self.update()
        value, held = found
        changed = self._changed(value)
        operations = [
            {"op": "replace", "path": f"/{name}", "value": changed[name]}
            for name in ("status", "issued", "note")
        ]
        headers = {"Content-Type": "application/json-patch+json"}
        parts = _parts(value, changed)
        return Attempt("patch", "PATCH", f"/Observation/{held.id}", operations, headers, parts)

    def _bundle(self, kind: str) -> tuple[Content, dict[str, tuple[str, Content]]]:
        parts: dict[str, tuple[str, Content]] = {}
        entries, links = [], []
        for number in range(_ENTRIES):
            value, resource = self._observation()
            parts |= _parts(value, resource)
            links.append({"reference": f"urn:uuid:00000000-0000-4000-8000-{number:012}"})
            request = {"method": "POST", "url": "Observation"}
            entries.append({"fullUrl": links[-1]["reference"], "resource": resource, "request": request})
        if kind != "batch":
            value, report = self._observation()
            report |= {"resourceType": "DiagnosticReport", "result": links}
            report.pop("note")
            parts |= _parts(value, report)
            request = {"method": "POST", "url": "DiagnosticReport"}
            name = "urn:uuid:00000000-0000-4000-8000-999999999999"
            entries.append({"fullUrl": name, "resource": report, "request": request})
        return {"resourceType": "Bundle", "type": kind, "entry": entries}, parts

    def batch(self) -> Attempt:
        bundle, parts = self._bundle("batch")
        return Attempt("batch", "POST", "", bundle, parts=parts, is_atomic=False)

    def transaction(self) -> Attempt:
        bundle, parts = self._bundle("transaction")
        return Attempt("transaction", "POST", "", bundle, parts=parts)

    def document(self) -> Attempt:
        bundle, parts = self._bundle("document")
        self._numbers += 1
        number = {"system": SYSTEM, "value": f"{self._name}-{self._numbers}"}
        composition = {
            "resourceType": "Composition",
            "identifier": number,
            "status": "final",
            "type": {"text": "Giấy ra viện"},
            "date": "2026-11-02T15:05:00+07:00",
            "author": [{"display": "Bệnh viện"}],
            "title": "Giấy ra viện",
        }
        head = {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000999", "resource": composition}
        taken = [{"fullUrl": one["fullUrl"], "resource": one["resource"]} for one in bundle["entry"]]
        bundle |= {"identifier": number, "timestamp": "2026-11-02T15:05:00+07:00", "entry": [head, *taken]}
        return Attempt("document", "POST", "/Bundle", bundle, parts=parts, is_document=True)

    def refused(self) -> Attempt:
        _, resource = self._observation()
        resource["status"] = "fertig"
        return Attempt("refused create", "POST", "/Observation", resource, expects=(400,), is_refused=True)

    def read(self) -> Attempt:
        found = self._known()
        return Attempt("read", "GET", f"/Observation/{found[1].id}" if found else "/Observation?_count=1")

    def search(self) -> Attempt:
        return Attempt("search", "GET", "/Observation?code=718-7&date=ge2026-01-01&_count=20&_total=accurate")

    def history(self) -> Attempt:
        found = self._known()
        return Attempt("history", "GET", f"/Observation/{found[1].id}/_history" if found else "/_history")

    def validate(self) -> Attempt:
        return Attempt("$validate", "POST", "/Observation/$validate", self._observation()[1])

    def delete(self) -> Attempt:
        found = self._known()
        path = f"/Observation/{found[1].id}" if found else f"/Observation?identifier={SYSTEM}%7Cnone"
        return Attempt("refused delete", "DELETE", path, expects=(405,))


def _parts(value: str, resource: Content) -> dict[str, tuple[str, Content]]:
    return {value: (resource["resourceType"], content_of(resource))}


KINDS: dict[str, Callable[[Caller], Attempt]] = {
    "create": Caller.create,
    "transaction": Caller.transaction,
    "conditional create": Caller.conditional_create,
    "update": Caller.update,
    "batch": Caller.batch,
    "conditional update": Caller.conditional_update,
    "patch": Caller.patch,
    "document": Caller.document,
    "refused create": Caller.refused,
    "read": Caller.read,
    "search": Caller.search,
    "history": Caller.history,
    "$validate": Caller.validate,
    "refused delete": Caller.delete,
}
