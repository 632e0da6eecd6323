"""The console beside the endpoint that hospitals call, in one process: whoever asks under the console's own
host name gets it, and nobody else does.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from adapter.errors import SettingsError
from adapter.pipeline.application import Adapter
from adapter.web.console.app import console_app
from adapter.web.console.security import is_our_host

__all__ = ["ByHostName", "with_console"]


class ByHostName:
    """Requests under `name` go to `console`, all others to `endpoint`."""

    def __init__(self, endpoint: FastAPI, console: FastAPI, name: str) -> None:
        self._endpoint = endpoint
        self._console = console
        self._names = (name,)
        self.state = endpoint.state  # what the server flushes at its end

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand one request on."""
        host = next((value for name, value in scope.get("headers", ()) if name == b"host"), b"")
        is_console = scope["type"] == "http" and is_our_host(host.decode("latin-1"), self._names)
        await (self._console if is_console else self._endpoint)(scope, receive, send)


def with_console(endpoint: FastAPI, adapter: Adapter, clock: Callable[[], datetime]) -> ByHostName:
    """The endpoint, and the console of the settings. Raises SettingsError where these do not tell their host
    names apart.
    """
    url = adapter.settings.console.url
    name = urlsplit(url or "").hostname or ""
    if url is None or name == (urlsplit(adapter.settings.public_url or "").hostname or ""):
        raise SettingsError("console.needs_url")
    return ByHostName(endpoint, console_app(adapter, clock, url=url), name)
