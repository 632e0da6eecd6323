"""Uvicorn, run so that SIGTERM and SIGINT end it cleanly: requests in flight are answered first."""

import signal
from types import FrameType
from typing import Any

import uvicorn

__all__ = ["run_server"]


class _Server(uvicorn.Server):
    """Uvicorn's server raises the signal again at its end; a clean stop should exit with 0."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def run_server(app: Any, host: str, port: int, *, grace_seconds: int = 20) -> None:
    """Answer on host:port until SIGTERM or SIGINT. No access log: URLs hold search criteria."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=grace_seconds,
        timeout_keep_alive=30,
        lifespan="off",
        interface="asgi3",
    )
    try:
        _Server(config).run()
    finally:
        counter = getattr(getattr(app, "state", None), "access_counter", None)
        if counter is not None:
            counter.flush()
