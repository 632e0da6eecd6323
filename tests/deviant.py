"""A FHIR server that deviates from the standard in chosen ways: a wrapper around a real one (ASGI)."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["Deviant"]

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LATE = timedelta(seconds=0.2)
_FEW = 8
_SMALL = 110_000  # bytes of a resource by itself


class Deviant:
    """`app` behind `ways` of misbehaving; each is a method or a few lines below."""

    def __init__(self, app: App, *ways: str) -> None:
        self._app = app
        self.ways = set(ways)
        self.requests: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        self.requests.append((scope["method"], scope["path"]))
        refused = self._refused(scope, body)
        if refused is not None:
            await _answer(send, *refused)
            return
        scope, body = self._changed(scope, body)
        status, headers, content = await self._inner(scope, body)
        headers, content = self._spoiled(scope, headers, content)
        await _answer(send, status, headers, content)

    def _refused(self, scope: Scope, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """Status, headers and body of an answer that the server never saw."""
        bundle = _bundle(scope, body)
        entries = bundle.get("entry", []) if bundle else []
        deletes = scope["method"] == "DELETE" or any(e["request"]["method"] == "DELETE" for e in entries)
        if "html" in self.ways:
            return 200, [(b"content-type", b"text/html")], b"<html>Welcome</html>"
        if "busy" in self.ways:
            return 429, [(b"retry-after", b"7")], _issue("throttled")
        refusals = {
            "keeps": (deletes, 405, "not-supported"),
            "no-bundles": (bundle is not None, 404, "not-supported"),
            "few": (len(entries) > _FEW, 413, "too-costly"),
            "small": (bundle is None and len(body) > _SMALL, 413, "too-long"),
            "no-task": (scope["path"].startswith("/fhir/Task"), 404, "not-supported"),
            "no-conditional-update": (
                scope["method"] == "PUT" and b"identifier=" in scope["query_string"],
                400,
                "not-supported",
            ),
            "no-conditional-entries": (
                any(e["request"]["method"] == "PUT" and "?" in e["request"]["url"] for e in entries),
                400,
                "not-supported",
            ),
            "no-creates": (scope["method"] == "POST", 422, "business-rule"),
        }
        for way, (applies, status, code) in refusals.items():
            if way in self.ways and applies:
                return status, [], _issue(code)
        return None

    def _changed(self, scope: Scope, body: bytes) -> tuple[Scope, bytes]:
        """The request as the server sees it."""
        dropped = {b"if-none-exist"} if "ignores-if-none-exist" in self.ways else set()
        dropped |= {b"if-match"} if "ignores-if-match" in self.ways else set()
        headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
        if "ignores-search" in self.ways and scope["method"] == "GET":
            scope = {**scope, "query_string": b""}
        bundle = _bundle(scope, body)
        if bundle is not None:
            if "non-atomic" in self.ways:
                bundle["type"] = "batch"
            for entry in bundle["entry"]:
                for way, name in (("ignores-if-none-exist", "ifNoneExist"), ("ignores-if-match", "ifMatch")):
                    if way in self.ways:
                        entry["request"].pop(name, None)
                if "literal-percents" in self.ways:
                    entry["request"]["url"] = entry["request"]["url"].replace("%", "%25")
            body = json.dumps(bundle).encode()
        headers = [(n, str(len(body)).encode() if n == b"content-length" else v) for n, v in headers]
        return {**scope, "headers": headers}, body

    def _spoiled(
        self, scope: Scope, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The answer as the client sees it."""
        answer = json.loads(content) if content else {}
        entries = answer.get("entry", [])
        if str(answer.get("type")).endswith("-response"):
            if "drops-an-entry" in self.ways and len(entries) > 1:
                entries.pop()
            if "reversed" in self.ways:
                entries.reverse()
            if "nameless" in self.ways:
                for entry in entries:
                    entry["response"].pop("location", None)
        if answer.get("type") == "searchset":
            if "first-page-only" in self.ways:
                answer["link"] = []
            if "late" in self.ways:
                old = (datetime.now(UTC) - _LATE).isoformat()
                answer["entry"] = [one for one in entries if one["resource"]["meta"]["lastUpdated"] < old]
        return headers, json.dumps(answer).encode() if content else b""

    async def _inner(self, scope: Scope, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        status, headers, content = 500, [], b""
        given = False

        async def receive() -> Message:
            nonlocal given
            if given:
                return {"type": "http.disconnect"}
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, headers, content
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            else:
                content += message.get("body", b"")

        await self._app(scope, receive, send)
        return status, headers, content


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    if not any(name.lower() == b"content-type" for name, _ in kept):
        kept.append((b"content-type", b"application/fhir+json"))
    kept.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": kept})
    await send({"type": "http.response.body", "body": content})


def _bundle(scope: Scope, body: bytes) -> dict[str, Any] | None:
    """The Bundle that is posted to the base, if one is."""
    if scope["method"] != "POST" or scope["path"].rstrip("/") != "/fhir":
        return None
    return json.loads(body)  # type: ignore[no-any-return]


def _issue(code: str) -> bytes:
    issue = {"severity": "error", "code": code, "diagnostics": "not here"}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
