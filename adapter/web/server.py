"""Uvicorn, run so that SIGTERM and SIGINT end it cleanly: requests in flight are answered first. A process
that has grown too large ends in the same way, to be started anew.
"""

import gc
import resource
import signal
import sys
from types import FrameType
from typing import Any, Final

import uvicorn

from adapter.repository.interaction_errors import interaction_error
from adapter.telemetry import get_logger
from adapter.web.app import Receive, Scope, Send
from adapter.web.connection_table import ConnectionTable
from adapter.web.content_negotiation import error_response
from adapter.web.http_protocol import LONGEST_HEADER, ConnectionDeadlines, FhirHttpProtocol
from adapter.web.process_memory import give_back_memory, resident_bytes
from adapter.web.security_headers import SECURITY_HEADERS

__all__ = ["RESTART_EXIT_CODE", "run_server", "server_config"]

RESTART_EXIT_CODE: Final = 75  # EX_TEMPFAIL of sysexits.h: systemd's Restart=on-failure starts it again

_CONNECTIONS: Final = 1_000
_CONNECTIONS_OF_AN_ADDRESS: Final = 250
_REQUESTS: Final = 200  # being read, waiting or answered at once
_OTHER_FILES: Final = 200  # databases, logs, sockets that are closed already
# A small request lets go of the interpreter a dozen times, for the disk. Beside one that computes it would
# wait Python's 5 ms each time to have it back.
_SWITCH_SECONDS: Final = 0.0005
_TICKS: Final = 10  # of a tenth of a second, between two looks at the memory

_log = get_logger("web")


class _Server(uvicorn.Server):
    """Uvicorn's server raises the signal again at its end; a clean stop should exit with 0."""

    def __init__(self, config: uvicorn.Config, max_memory_bytes: int) -> None:
        super().__init__(config)
        self._max_memory_bytes = max_memory_bytes
        self.is_too_large = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Uvicorn's, ten times a second; looks at the memory."""
        if counter % _TICKS == 0 and resident_bytes() > self._max_memory_bytes / 4:
            give_back_memory()
            if (used := resident_bytes()) > self._max_memory_bytes:
                _log.warning("web.too_large", bytes=used)
                self.is_too_large = True
                return True
        return await super().on_tick(counter)


class _RequestCount:
    """Refuses with 503 what comes while very many requests are under way."""

    def __init__(self, app: Any, most: int) -> None:
        self._app = app
        self._most = most
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._now >= self._most:
            response = error_response(
                interaction_error(503, "transient", "busy", retry_after=5, hang_up=True)
            )
            response.raw_headers.extend(SECURITY_HEADERS)
            await response(scope, receive, send)
            return
        self._now += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._now -= 1


def server_config(
    app: Any,
    *,
    connections: int = _CONNECTIONS,
    connections_of_an_address: int = _CONNECTIONS_OF_AN_ADDRESS,
    requests: int = _REQUESTS,
    deadlines: ConnectionDeadlines | None = None,
    **more: Any,
) -> uvicorn.Config:
    """How this server listens and what it takes from strangers; `more` as uvicorn.Config has it.
    No access log: URLs hold search criteria.
    """
    table: ConnectionTable[FhirHttpProtocol] = ConnectionTable(connections, connections_of_an_address)
    members = {"table": table, "deadlines": deadlines or ConnectionDeadlines()}
    defaults = {
        "http": type("Protocol", (FhirHttpProtocol,), members),
        "ws": "none",
        "h11_max_incomplete_event_size": LONGEST_HEADER,
        "access_log": False,
        "log_level": "error",  # else whoever sends what is no HTTP writes a line for each of it
        "log_config": None,
        "server_header": False,
        "timeout_keep_alive": 30,
        "lifespan": "off",
        "interface": "asgi3",
    }
    return uvicorn.Config(_RequestCount(app, requests), **{**defaults, **more})


def run_server(
    app: Any, host: str, port: int, *, grace_seconds: int = 20, max_memory_bytes: int = 1_000_000_000
) -> bool:
    """Answer on host:port until SIGTERM or SIGINT. Returns whether it ended because the process has more
    memory than it may: it should then exit with RESTART_EXIT_CODE and be started anew.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # what a server is made of stays: to walk it again and again would hold all requests up
    gc.set_threshold(20_000, 20, 50)
    config = server_config(
        app,
        host=host,
        port=port,
        timeout_graceful_shutdown=grace_seconds,
        connections=min(_CONNECTIONS, _raise_file_limit() - _OTHER_FILES),
    )
    server = _Server(config, max_memory_bytes)
    try:
        server.run()
    finally:
        counter = getattr(getattr(app, "state", None), "access_counter", None)
        if counter is not None:
            counter.flush()
    return server.is_too_large


def _raise_file_limit() -> int:
    """Let this process open as many files as the system allows it; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4_096 if hard == resource.RLIM_INFINITY else min(hard, 4_096)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft
