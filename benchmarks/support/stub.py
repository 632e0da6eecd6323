"""A hospital that takes everything at once, in a process of its own, so that what is measured is the adapter.

    python benchmarks/support/stub.py --port 23000 [--delay 0.5]

Answers transactions and single writes as an R4 server does (created or updated, location, ETag) and keeps
identities only: what is not kept cannot be read back. `--delay` is slept before each answer to a write, by
however many requests come. `GET /$stats` says how many writes, entries and requests there were, and how
many writes are being slept over.
"""

import argparse
import asyncio
import contextlib
import itertools
import signal
from typing import Any
from urllib.parse import unquote

import orjson

__all__ = ["main"]

_METADATA = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
}
_TYPE = "Content-Type: application/fhir+json"
_EMPTY = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []}


class Hospital:
    """Identity or id -> version; what it takes to answer a write."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.numbers = itertools.count(1)
        self.writes = self.entries = self.requests = self.flying = 0

    def put(self, url: str) -> dict[str, Any]:
        """The answer to one write: `Type/id` or `Type?identifier=…`."""
        self.entries += 1
        where = self.ids.get(url)
        if where is None:
            type_, _, condition = url.partition("?")
            where = f"{type_}/{next(self.numbers):x}" if condition or "/" not in type_ else type_
            self.ids[url] = where
        version = self.versions[where] = self.versions.get(where, 0) + 1
        status = "201 Created" if version == 1 else "200 OK"
        return {"status": status, "location": f"{where}/_history/{version}", "etag": f'W/"{version}"'}

    def transaction(self, body: bytes) -> bytes:
        """The answer to a Bundle of writes."""
        entries = orjson.loads(body)["entry"]
        answers = [{"response": self.put(entry["request"]["url"])} for entry in entries]
        return orjson.dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": answers})

    def stats(self) -> bytes:
        """What was asked so far."""
        found = {
            "writes": self.writes,
            "entries": self.entries,
            "requests": self.requests,
            "flying": self.flying,
        }
        return orjson.dumps(found)

    def answer(self, method: str, path: str, body: bytes) -> tuple[str, bytes]:
        """Status line and body for a request below the base."""
        self.requests += 1
        if path.endswith("/$stats"):
            return "200 OK", self.stats()
        if method == "GET":
            return "200 OK", orjson.dumps(_METADATA if path.endswith("/metadata") else _EMPTY)
        self.writes += 1
        below = unquote(path.removeprefix("/fhir").strip("/"))
        if method == "POST" and not below:
            return "200 OK", self.transaction(body)
        done = self.put(below)
        return done["status"], orjson.dumps(
            {**orjson.loads(body or b"{}"), "id": done["location"].split("/")[1]}
        )


async def serve(
    hospital: Hospital, delay: float, reader: asyncio.StreamReader, out: asyncio.StreamWriter
) -> None:
    """One connection, kept alive."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while line := await reader.readline():
            method, path, _ = line.decode().split(" ", 2)
            length = 0
            while (header := await reader.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            body = await reader.readexactly(length) if length else b""
            status, said = hospital.answer(method, path, body)
            if delay and method != "GET":
                hospital.flying += 1
                await asyncio.sleep(delay)
                hospital.flying -= 1
            head = f"HTTP/1.1 {status}\r\n{_TYPE}\r\nContent-Length: {len(said)}\r\n\r\n"
            out.write(head.encode() + said)
            await out.drain()
    out.close()


async def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer to a write")
    options = parser.parse_args()
    hospital = Hospital()
    server = await asyncio.start_server(
        lambda reader, out: serve(hospital, options.delay, reader, out),
        "127.0.0.1",
        options.port,
        limit=1 << 20,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
    async with server:
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
