"""Requests that go to and beyond each limit of the endpoint, and odd ones, from a seed: what is asked, and
what was answered. `make abuse` sends two thousand to a server of its own and says how it bore them.
"""

import base64
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from adapter.repository.request_limits import RequestLimits
from adapter.web.http_protocol import LONGEST_HEADER

FACTORS = (0.5, 1, 2, 100)
LONGEST_SENT = 21_000_000  # bytes of a body that are really sent: of a longer one, which nobody waits for
_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as bytes on the wire, and what it is."""

    name: str
    raw: bytes


@dataclass
class Figures:
    """What came of a run."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  # plain text, 5xx, or no answer at all
    seconds: list[tuple[float, str]] = field(default_factory=list)
    worked: list[tuple[float, str]] = field(default_factory=list)  # seconds of the server's processor

    def __str__(self) -> str:
        slow = sorted(self.seconds)
        told = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        middle, last = slow[len(slow) // 2][0], slow[int(len(slow) * 0.99)][0]
        works = sorted(self.worked)[::-1][:8]
        return (
            f"{len(slow)} requests; {told}; p50 {middle:.3f} s, p99 {last:.2f} s, slowest {slow[-1]}; "
            f"the server worked longest for {works}"
        )


def http(method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
    """A request; a body that is too long to be sent is declared and begun."""
    fields = {"Host": "endpoint", "Connection": "close", **headers}
    if body is not None:
        fields.setdefault("Content-Length", str(len(body)))
        fields.setdefault("Content-Type", _JSON)
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (body or b"")[:LONGEST_SENT]


def observation(number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{"system": "urn:x:result", "value": f"v{number}"}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "issued": "2026-11-02T15:05:00+07:00",
        **more,
    }


def _urn(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012}"


def _bundle(kind: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def _posts(chance: random.Random, count: int, made: Callable[[int], dict[str, Any]], **request: Any) -> Any:
    start = chance.randrange(10**9)
    asked = {"method": "POST", "url": "Observation", **request}
    entries = [
        {
            "fullUrl": _urn(number),
            "resource": {**observation(start + number), **made(number)},
            "request": asked,
        }
        for number in range(count)
    ]
    return _bundle(chance.choice(("batch", "transaction")), entries)


def _linked(count: int, shape: str) -> Callable[[int], dict[str, Any]]:
    def made(number: int) -> dict[str, Any]:
        following = (number + 1) % count
        if shape == "chain" and not following:
            return {}
        return {"hasMember": [{"reference": _urn(following)}]}

    return made


def _entries(chance: random.Random, count: int) -> Any:
    shape = chance.choice(("plain", "chain", "circle", "wrong", "conditional", "searched", "read", "empty"))
    if shape == "plain":
        return _posts(chance, count, lambda _: {})
    if shape in ("chain", "circle"):
        return _posts(chance, count, _linked(count, shape))
    if shape == "wrong":
        return _posts(chance, count, lambda _: {"status": "odd", "issued": 7, "colour": [1, {}]})
    if shape in ("conditional", "searched"):
        more = "&subject=Patient/1" if shape == "searched" else ""
        entries = _posts(chance, count, lambda _: {})
        for number, entry in enumerate(entries["entry"]):
            entry["request"] = {**entry["request"], "ifNoneExist": f"identifier=urn:x|{number}{more}"}
        return entries
    if shape == "read":
        url = chance.choice(
            ("Observation", "Observation/1", "Observation?_count=1000", "http://[", "Nothing/1")
        )
        entries = [{"request": {"method": "GET", "url": url}}] * count
        return _bundle(chance.choice(("batch", "transaction")), entries)
    return _bundle("batch", [chance.choice(({}, 0, None, []))] * count)


def _deep(_: random.Random, depth: int) -> Any:
    name = '{"extension":[' * (depth // 2)
    return f'{{"resourceType":"Observation","a":{name}0{"]}" * (depth // 2)}}}'.encode()


def _values(chance: random.Random, count: int) -> Any:
    shape = chance.choice(("lists", "objects", "notes", "components", "extensions", "texts"))
    many: dict[str, Any] = {
        "lists": {"odd": [[]] * count},
        "objects": {"component": [{}] * count},
        "notes": {"note": [{"text": "a"}] * (count // 2)},
        "components": {"component": [{"code": {"text": "a"}, "valueString": "b"}] * (count // 4)},
        "extensions": {"extension": [{"url": "http://x/y", "valueString": "w"}] * (count // 3)},
        "texts": {"odd": ["a"] * count},
    }
    return observation(1, **many[shape])


def _narrative(chance: random.Random, length: int) -> Any:
    piece = chance.choice(("<p>abc</p>", "a &amp; b ", "<b>", "<p a='1'>é</p>", "x"))
    text = f'<div xmlns="http://www.w3.org/1999/xhtml">{piece * (length // len(piece))}</div>'
    return observation(1, text={"status": "generated", "div": text})


def _references(chance: random.Random, count: int) -> Any:
    entries = max(count // 100, 1)
    links = [{"reference": _urn(number % entries)} for number in range(min(count, 100))]
    return _posts(chance, entries, lambda _: {"hasMember": links})


def _identifiers(chance: random.Random, count: int) -> Any:
    many = [{"system": "urn:x", "value": f"{number}"} for number in range(min(count, 50))]
    return _posts(chance, max(count // 50, 1), lambda _: {"identifier": many})


def _conditions(chance: random.Random, count: int) -> Any:
    values = ",".join(f"urn:x|{number}" for number in range(min(count, 100)))
    asked = _posts(chance, max(count // 100, 1), lambda _: {})
    for number, entry in enumerate(asked["entry"]):
        entry["request"] = {**entry["request"], "ifNoneExist": f"identifier={values},urn:x|n{number}"}
    return asked


BODIES: dict[str, Callable[[random.Random, int], Any]] = {  # limit -> a body with so many
    "max_bytes": lambda _, count: observation(1, note=[{"text": "x" * max(count - 250, 1)}]),
    "max_depth": _deep,
    "max_values": _values,
    "max_narrative": _narrative,
    "max_entries": _entries,
    "max_references": _references,
    "max_resource_references": lambda _, n: observation(
        1, basedOn=[{"reference": f"ServiceRequest/{number}"} for number in range(n)]
    ),
    "max_identifiers": _identifiers,
    "max_resource_identifiers": lambda _, n: observation(
        1, identifier=[{"system": "urn:x", "value": str(number)} for number in range(n)]
    ),
    "max_bundle_search_values": _conditions,
}


SEARCHES = ("max_parameters", "max_search_values", "max_includes")
_CRITERIA = (
    ("_id", "a"), ("identifier", "urn:x|"), ("identifier", "v"), ("subject", "Patient/"), ("based-on", "r"),
    ("date", "2026-"), ("subject:Patient.identifier", "urn:x|"), ("code:not", "c"), ("code:text", "c"),
    ("_has:DiagnosticReport:result:code", "c"), ("value-quantity", "gt"), ("_lastUpdated", "ge2026-"),
)  # fmt: skip


def _searches(chance: random.Random, name: str, count: int) -> tuple[str, str]:
    """(path, form) of a search with so many parameters or values."""
    path = "/fhir/Observation/_search"
    if name == "max_parameters":
        return path, "&".join(["_id=1"] * count)
    if name == "max_includes":
        included = chance.choice(("_include=Observation:subject", "_revinclude=Observation:has-member"))
        return path, "&".join([included] * count)
    parameter, value = chance.choice(_CRITERIA)
    values = ",".join(f"{value}{number}" for number in range(count))
    return path, f"{parameter}={quote(values)}"


def _at_limits(chance: random.Random, limits: RequestLimits) -> Iterator[Asked]:
    """Every limit at every factor, in shuffled order, for ever."""
    names = [*BODIES, *SEARCHES, "max_response_bytes", "header", "url"]
    while True:
        table = [(name, factor) for name in names for factor in FACTORS]
        chance.shuffle(table)
        for name, factor in table:
            yield _at_limit(chance, limits, name, factor)


def _at_limit(chance: random.Random, limits: RequestLimits, name: str, factor: float) -> Asked:
    label = f"{name} x{factor:g}"
    if name in ("header", "url"):
        length = int((LONGEST_HEADER - 300) * factor)
        if name == "url":
            return Asked(label, http("GET", "/fhir/Observation?_id=" + "a" * length))
        return Asked(label, http("GET", "/fhir/Observation", **{"X-Long": "a" * length}))
    if name == "max_response_bytes":
        entries = [{"request": {"method": "GET", "url": "Observation?_count=1000"}}] * int(10 * factor)
        body = json.dumps(_bundle("batch", entries)).encode()
        return Asked(label, http("POST", "/fhir", body))
    count = max(int(getattr(limits, name) * factor), 1)
    if name in SEARCHES:
        path, form = _searches(chance, name, count)
        kind = "application/x-www-form-urlencoded"
        return Asked(label, http("POST", path, form.encode(), **{"Content-Type": kind}))
    if name == "max_bytes" and factor > 2:
        declared = {"Content-Length": str(count), "Content-Type": _JSON}
        return Asked(label, http("POST", "/fhir/Observation", b"{", **declared))
    made = BODIES[name](chance, min(count, 2_000_000))
    body = made if isinstance(made, bytes) else json.dumps(made, ensure_ascii=False).encode()
    is_bundle = isinstance(made, dict) and made["resourceType"] == "Bundle"
    path = "/fhir" if is_bundle else chance.choice(("/fhir/Observation", "/fhir/Observation/$validate"))
    prefer = chance.choice(("return=minimal", "return=representation", "return=OperationOutcome"))
    return Asked(label, http("POST", path, body, Prefer=prefer))


_PATHS = (
    "/",
    "/fhir",
    "/fhir/",
    "/fhir/metadata",
    "/fhir/Observation",
    "/fhir/Observation/1",
    "/fhir/Observation/%00",
    "/health",
    "*",
    "//",
    "/fhir/Observation/1/_history",
    "/fhir/Observation/1/_history/99999999999",
    "/fhir/Nothing",
    "/fhir/Patient/a/b",
    "/fhir/Observation/%F0%9F%A6%80",
    "/fhir/Observation/$validate",
    "/fhir/Observation/_search",
    "/fhir/%2e%2e",
    "/fhir/Observation?_lastUpdated=0000",
    "/fhir/Observation?_lastUpdated=9999-12-31T23:59:59.999%2B99:99",
    "/fhir/Observation?_count=-1",
    "/fhir/Observation?_count=999999999",
    "/fhir/Observation?%FF=%FF",
    "/fhir/Observation?_sort=x",
    "/fhir/Observation?identifier=%7C",
    "/fhir/Observation?_summary=text",
    "/fhir/Observation/1/_history?_since=x&_cursor=1",
    "/fhir/Observation?_format=xml",
    "/fhir/Observation?&&&=",
    "/fhir/Observation?_has:::=1",
    "/fhir/Observation?subject.subject.subject=1",
    "/fhir/Observation?code:below=http://[",
    "/fhir/Observation?value-quantity=1e999999",
    "/fhir/Observation?_include=*&_revinclude=*",
    "/fhir/Observation/" + "a" * 300,
    "/fhir/Observation?_id=" + "%2C" * 300,
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get")
_FIELDS = {
    "Accept": (
        "text/html",
        "application/fhir+xml",
        "*/*;q=0",
        ";;;",
        "application/fhir+json; fhirVersion=9.9",
    ),
    "If-Match": ('W/"1"', "*", "x" * 300, '"'),
    "If-None-Match": ("*", 'W/"1", W/"2"', "\xff"),
    "If-Modified-Since": ("yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 99 Foo 0000 99:99:99"),
    "If-None-Exist": ("identifier=urn:x|1", "?", "_count=1", "http://[", "identifier="),
    "Content-Type": ("text/plain", "application/fhir+xml", "application/json; charset=utf-16", ";"),
    "Content-Encoding": ("gzip", "br", "identity", "gzip, gzip"),
    "Prefer": ("return=everything", "handling=strict", ";;=,", "respond-async"),
    "Host": ("", "[", "a b", "x" * 300, "a:99999999"),
    "Authorization": ("Bearer", "Basic eDp5", "Bearer  ", "\xff"),
    "Expect": ("100-continue", "wonders"),
    "Transfer-Encoding": ("chunked", "gzip", "chunked, chunked"),
    "Upgrade": ("websocket", "h2c"),
}
_CONTENTS = (
    b"", b"{", b"[]", b"null", b"{}", b'{"resourceType":"Observation"}', b'{"resourceType":7}', b"\x00",
    b'{"resourceType":"Observation","id":"\\ud800"}', b'{"resourceType":"Observation","a":1,"a":2}',
    b'{"resourceType":"Observation","valueQuantity":{"value":1e999999999}}', b"5\r\nhello\r\n0\r\n\r\n",
    b'{"resourceType":"Observation","text":{"div":"<div"}}', b'<Observation xmlns="http://hl7.org/fhir"/>',
    b'{"resourceType":"Bundle","type":"batch","entry":7}', b'{"resourceType":"Bundle","type":"document"}',
    b'{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"http://["}}]}',
)  # fmt: skip
_RAW = (
    b"hello\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"POST /fhir HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /fhir HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nodd line\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip


def _odd(chance: random.Random) -> Asked:
    if chance.random() < 0.1:
        return Asked("raw", chance.choice(_RAW))
    method, path = chance.choice(_METHODS), chance.choice(_PATHS)
    if chance.random() < 0.15:
        place = chance.choice(([10**30, "a"], [True, "a"], ["\ud800", "b"], {"a": 1}, [[[]]], [-1, "a"], "x"))
        cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        path = f"/fhir/Observation?_cursor={cursor}&_sort={chance.choice(('_id', '_lastUpdated'))}"
    fields = {
        name: chance.choice(_FIELDS[name]) for name in chance.sample(sorted(_FIELDS), chance.randrange(3))
    }
    body = chance.choice(_CONTENTS) if method in ("POST", "PUT", "PATCH") else None
    if "Transfer-Encoding" in fields and body is not None:
        fields["Content-Length"] = ""  # both, or an empty one
    return Asked(f"{method} {path[:40]} {fields}", http(method, path, body, **fields))


def requests(seed: int, count: int, limits: RequestLimits) -> Iterator[Asked]:
    """So many requests: half of them at a limit, half of them odd."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    at_limits = _at_limits(chance, limits)
    for number in range(count):
        yield next(at_limits) if number % 2 else _odd(chance)


def answer_of(port: int, raw: bytes, token: str) -> bytes:
    """Send a request, with the token where it says nothing of one, and read what is answered."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    if b"\r\nAuthorization:" not in head and head.count(b"HTTP/1.1"):
        head += f"\r\nAuthorization: Bearer {token}".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with suppress(OSError):  # it hangs up early on what is much too long; its answer may still be read
            connection.sendall(head + blank + body)
        answer = bytearray()
        with suppress(OSError):
            while chunk := connection.recv(1 << 20):
                answer += chunk
    return bytes(answer)


def judge(figures: Figures, asked: Asked, answer: bytes, seconds: float) -> None:
    """Count an answer, and note it where it is none that FHIR knows."""
    head, _, body = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    status = int(head[9:12] or b"0")
    figures.statuses[status] += 1
    figures.seconds.append((seconds, asked.name))
    is_head = asked.raw.startswith(b"HEAD ")
    is_outcome = is_head or b"OperationOutcome" in body
    is_fhir = b"application/fhir+json" in head or b"application/fhir+xml" in head
    is_hung_up = status == 0 and len(asked.raw) >= LONGEST_SENT
    is_wrong = (status >= 500 and status != 501) or (status >= 400 and not (is_outcome and is_fhir))
    is_bare = status != 0 and b"nosniff" not in answer
    if (status == 0 and not is_hung_up) or is_wrong or is_bare:
        figures.wrong.append(f"{asked.name}: {answer[:300]!r}")


def run(
    port: int, token: str, *, seed: int, count: int, limits: RequestLimits, worked: Callable[[], float]
) -> Figures:
    """Send so many requests one after the other. `worked`: seconds that the server has computed so far."""
    figures = Figures()
    for asked in requests(seed, count, limits):
        begun, before = time.perf_counter(), worked()
        answer = answer_of(port, asked.raw, token)
        judge(figures, asked, answer, time.perf_counter() - begun)
        figures.worked.append((round(worked() - before, 2), asked.name))
    return figures
