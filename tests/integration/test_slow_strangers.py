"""Who is slow, silent or speaks no HTTP costs only himself, and is answered as FHIR asks."""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from adapter.database import open_database
from adapter.repository import store
from adapter.repository.repository import Repository
from adapter.testing.serving import listening
from adapter.web.app import fhir_app
from adapter.web.connection_table import ConnectionTable
from adapter.web.http_protocol import LONGEST_HEADER, ConnectionDeadlines
from adapter.web.server import run_server, server_config

HASTY = ConnectionDeadlines(header=0.3, grace=0.3)


@contextmanager
def served(app: FastAPI, **more: object) -> Iterator[int]:
    """The port at which the application is served as `adapter serve` does."""
    server = uvicorn.Server(server_config(app, **more))  # type: ignore[arg-type]
    listener = listening()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('slow') / 'fhir.db'}")
    store.create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def port(engine: Engine) -> Iterator[int]:
    with served(app_on(engine), deadlines=HASTY, connections=40, connections_of_an_address=30) as port:
        yield port


def app_on(engine: Engine) -> FastAPI:
    return fhir_app(Repository(engine), identify=lambda _: "me", description="test")


def ask(port: int, *parts: bytes) -> tuple[int, str]:
    """The status (0: none) and all that is answered until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return int(answer[9:12] or b"0"), answer.decode()


POST = b"POST /fhir/Patient HTTP/1.1\r\nHost: a\r\nContent-Type: application/fhir+json\r\n"
NO_HTTP = {
    "no request line": (400, b"hello\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\r\n\r\n"),
    "no Host": (400, b"GET /fhir/metadata HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "odd Host": (400, b"GET / HTTP/1.1\r\nHost: [a\r\n\r\n"),
    "a line that is no field": (400, b"GET / HTTP/1.1\r\nHost: a\r\nodd line\r\n\r\n"),
    "odd method": (400, b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "long URL": (414, b"GET /" + b"a" * (LONGEST_HEADER + 9)),
    "long field": (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * LONGEST_HEADER + b"\r\n\r\n"),
    "negative length": (400, POST + b"Content-Length: -1\r\n\r\n"),
    "length twice": (400, POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    "length listed": (400, POST + b"Content-Length: 2, 2\r\n\r\n{}"),
    "length and chunks": (400, POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "other transfer": (501, POST + b"Transfer-Encoding: gzip\r\n\r\n"),
    "odd chunk": (400, POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_no_http_is_an_outcome(port: int, name: str) -> None:
    expected, raw = NO_HTTP[name]
    status, answer = ask(port, raw)
    assert status == expected
    assert "application/fhir+json" in answer
    assert "OperationOutcome" in answer
    assert "nosniff" in answer


def test_an_upgrade_is_not_made(port: int) -> None:
    upgrade = b"Connection: upgrade, close\r\nUpgrade: websocket\r\n"
    status, answer = ask(port, b"GET /fhir/Patient/1 HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n")
    assert (status, "OperationOutcome" in answer) == (404, True)


def test_a_header_that_never_ends_is_ended(port: int) -> None:
    status, answer = ask(port, b"GET / HTTP/1.1\r\nHo")
    assert (status, "OperationOutcome" in answer) == (408, True)
    assert ask(port) == (0, "")


def test_a_body_that_never_comes_is_ended(port: int) -> None:
    status, answer = ask(port, POST + b"Content-Length: 2000\r\n\r\n{")
    assert (status, "OperationOutcome" in answer) == (408, True)


def test_a_body_that_came_quickly_may_not_stand_still_after_that(port: int) -> None:
    begun = time.monotonic()
    status, answer = ask(port, POST + b"Content-Length: 200000\r\n\r\n" + b" " * 100_000)
    assert (status, "OperationOutcome" in answer) == (408, True)
    assert time.monotonic() - begun < 60, "not the hundred seconds that so much may take"


def test_a_second_request_may_begin_late_but_not_for_ever(port: int) -> None:
    whole = b"GET /fhir/Patient/1 HTTP/1.1\r\nHost: a\r\n\r\n"
    status, answer = ask(port, whole, b"GET / HTTP")
    assert (status, answer.count("OperationOutcome"), "408" in answer) == (404, 2, True)


def test_strangers_who_never_finish_stop_nobody(engine: Engine) -> None:
    with served(app_on(engine), connections=150, connections_of_an_address=100) as port:
        idle = []
        try:
            for _ in range(400):
                one = socket.create_connection(("127.0.0.1", port), timeout=10)
                one.sendall(b"GET /fhir")
                idle.append(one)
            assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
        finally:
            for one in idle:
                one.close()


def test_what_comes_while_very_many_are_answered_is_told_to_wait(engine: Engine) -> None:
    with served(app_on(engine), requests=0) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/fhir/Patient")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_process_that_grew_too_large_ends_to_be_started_anew(engine: Engine) -> None:
    interval = sys.getswitchinterval()
    try:
        assert run_server(app_on(engine), "127.0.0.1", 0, max_memory_bytes=1_000_000)
    finally:
        sys.setswitchinterval(interval)


def test_who_waited_longest_goes_first_of_the_address_that_has_most() -> None:
    table: ConnectionTable[str] = ConnectionTable(4, 3)
    assert [table.add(name, "mine") for name in ("a", "b", "c")] == [None] * 3
    assert table.add("d", "mine") == "a"
    assert table.add("x", "yours") is None
    table.is_waiting("b", False)
    table.remove("c")
    assert table.add("y", "yours") is None
    assert table.add("z", "yours") == "x", "b is being answered, and d is alone"
    table.is_waiting("b", True)
    assert table.add("w", "mine") == "d"
    assert len(table) == 4
