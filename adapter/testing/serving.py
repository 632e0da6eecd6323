"""An ASGI application over real HTTP, for the length of a `with`."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

__all__ = ["listening", "serving"]


@contextmanager
def serving(app: Any, **tls: Path | int) -> Iterator[str]:
    """`http://127.0.0.1:<free port>` while the application is served there, in a thread of this process.

    `tls` as uvicorn takes it: `ssl_certfile`, `ssl_cert_reqs`, …. RuntimeError when it does not start.
    """
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        lifespan="off",
        interface="asgi3",
        access_log=False,
        **{name: str(one) if isinstance(one, Path) else one for name, one in tls.items()},  # type: ignore[arg-type]
    )
    server = uvicorn.Server(config)
    listener = listening()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server ended before it was up")
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def listening(port: int = 0) -> socket.socket:
    """A socket of 127.0.0.1 that listens. asyncio answers at once, without Nagle's 40 ms, where a socket
    says that its protocol is TCP, and only there; `socket.create_server` and uvicorn leave that open.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2048)
    return listener
