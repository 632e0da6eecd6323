"""What the endpoint bears: every limit at half, once, twice and a hundred times, and odd requests."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import abuse
import pytest

from adapter.database import open_database
from adapter.hospital_tokens import issue_token
from adapter.repository.request_limits import DEFAULT_LIMITS, RequestLimits
from adapter.testing.serving import listening

COUNT = int(os.environ.get("ADAPTER_ABUSE", "150"))
IS_FULL = "ADAPTER_ABUSE" in os.environ  # with the endpoint's own limits, timed; else with small ones
SMALL = RequestLimits(
    max_bytes=100_000, max_values=2_000, max_narrative=20_000, max_entries=40, max_references=400,
    max_resource_references=50, max_identifiers=200, max_resource_identifiers=20, max_search_values=100,
    max_bundle_search_values=300, max_response_bytes=100_000,
)  # fmt: skip
LIMITS = DEFAULT_LIMITS if IS_FULL else SMALL


@pytest.fixture
def process(sqlite_url: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port and the process of an endpoint that checks what it gets and puts it into the inbox, as
    `adapter serve` does.
    """
    listener = listening()
    port = listener.getsockname()[1]
    listener.close()
    code = f"""
        from datetime import UTC, datetime
        from adapter.database import open_database
        from adapter.inbox.receive import AcceptedVersion, receive_versions
        from adapter.pipeline.inbound.reception import check_received
        from adapter.repository.request_limits import RequestLimits
        from adapter.web.app import endpoint_app
        from adapter.web.server import run_server
        engine = open_database({sqlite_url!r})
        def received(connection, changes):
            request, accepted = changes[0].request, [
                AcceptedVersion(one.type, one.id, one.version, one.resource, one.body) for one in changes
                if one.action != "delete" and not one.repeated and one.type != "Bundle"
            ]
            receive_versions(
                connection, changes[0].owner, accepted, now=datetime.now(UTC),
                delivery=request.id, envelope=request.envelope,
            )
        app = endpoint_app(engine, on_changes=received, validate=check_received, limits={LIMITS!r})
        run_server(app, "127.0.0.1", {port})
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    try:
        _wait_for(port)
        yield port, server
    finally:
        server.terminate()
        assert server.wait(30) == 0


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            if abuse.answer_of(port, abuse.http("GET", "/health"), "").startswith(b"HTTP/1.1 200"):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the endpoint did not start")


def _megabytes(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _worked(process: int) -> float:
    """Seconds of the processor that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_whatever_is_asked_is_answered_with_an_outcome(
    process: tuple[int, subprocess.Popen[bytes]], sqlite_url: str
) -> None:
    port, server = process
    token = issue_token(open_database(sqlite_url), "bv-tinh", datetime.now(UTC), by="test")
    worked = partial(_worked, server.pid)
    warm = abuse.run(port, token, seed=0, count=COUNT // 5, limits=LIMITS, worked=worked)
    before = _megabytes(server.pid)
    figures = abuse.run(port, token, seed=1, count=COUNT, limits=LIMITS, worked=worked)
    after = _megabytes(server.pid)
    print(f"{figures}; memory {before:.0f} MB, afterwards {after:.0f} MB")
    assert warm.wrong + figures.wrong == []
    assert {200, 201, 400, 404, 413, 422} <= figures.statuses.keys()
    if IS_FULL:
        assert max(figures.worked)[0] < 5
        assert after < before * 1.3 + 50
