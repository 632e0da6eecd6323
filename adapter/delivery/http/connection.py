"""What HTTP over a kept connection leaves to chance: how long one exchange takes as a whole, and
whether an answer is the answer to this request.

httpx bounds the wait for the next byte only, so a server that sends one byte at a time holds a
request for hours. And it keeps what came after an answer for the next one: where a server or proxy
sends an answer twice, every later answer on that connection belongs to the request before.
"""

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

__all__ = ["TrackedStream", "deadline", "track_connections"]

_exchange = threading.local()  # an exchange is one thread's from its first byte to its last


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """What this thread reads and writes meanwhile must be over after so many seconds; one exchange may be
    made within another, as a login within a request.
    """
    outer: float | None = getattr(_exchange, "deadline", None)
    _exchange.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _exchange.deadline = outer


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    """The shorter of `timeout` and what is left of the exchange. Raises `late` when nothing is."""
    deadline: float | None = getattr(_exchange, "deadline", None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise late("the exchange takes too long")
    return left if timeout is None else min(timeout, left)


class TrackedStream(httpcore.NetworkStream):
    """A connection. `read_since_write`: something was read since the last writing; an answer that was
    complete before is a leftover, and no answer to what was written.
    """

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self.read_since_write = True

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.read_since_write = True
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.read_since_write = False
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return TrackedStream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _TrackedBackend(httpcore.NetworkBackend):
    """Makes connections that are tracked."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return TrackedStream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        return TrackedStream(self._inner.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


def track_connections(http: httpx.Client) -> None:
    """Have every connection made as a TrackedStream; httpx has no way to say so, as it makes the pools."""
    for transport in (http._transport, *http._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _TrackedBackend(pool._network_backend)
