"""A hospital's own server that is told: it keeps what came, and answers as it is bidden.

python tests/hook_receiver.py PORT FILE    the same as a process: each notification is a line of FILE
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class HookReceiver:
    """What came, and what is answered: the first of `answers`, while there are any, then 200."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.url = ""

    def bundles(self) -> list[dict[str, Any]]:
        return [body for _, _, body in self.came]

    def kinds(self) -> list[str]:
        return [str(said(body)["type"]) for body in self.bundles()]

    def numbers(self) -> list[int]:
        return [number for body in self.bundles() for number, _ in events(body)]

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        self.came.append((path, headers, json.loads(body)))
        return self.answers.pop(0) if self.answers else (200, {})


def said(bundle: dict[str, Any]) -> dict[str, Any]:
    """The status's parameters but the events, by name."""
    parameters = bundle["entry"][0]["resource"]["parameter"]
    return {
        one["name"]: next(value for name, value in one.items() if name.startswith("value"))
        for one in parameters
        if "part" not in one
    }


def events(bundle: dict[str, Any]) -> list[tuple[int, str | None]]:
    """Number and focus of each event."""
    found = []
    for one in bundle["entry"][0]["resource"]["parameter"]:
        if one["name"] == "notification-event":
            parts = {part["name"]: part for part in one["part"]}
            focus = parts["focus"]["valueReference"]["reference"] if "focus" in parts else None
            found.append((int(parts["event-number"]["valueString"]), focus))
    return found


@contextmanager
def receiving(port: int = 0) -> Iterator[HookReceiver]:
    """It listens on a port of this machine, in a thread."""
    receiver = HookReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more = receiver.answer(self.path, headers, body)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **more}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main(port: int, file: Path) -> None:
    """Take notifications until killed; a line is written before its answer goes out."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(body) + "\n")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
