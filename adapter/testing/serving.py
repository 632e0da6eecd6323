"""An ASGI application over real HTTP, for the length of a `with`."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

__all__ = ["serving"]


@contextmanager
def serving(app: Any, **tls: Path) -> Iterator[str]:
    """`http://127.0.0.1:<free port>` while the application is served there, in a thread of this process.

    `tls` as uvicorn takes it: `ssl_certfile`, `ssl_keyfile`. RuntimeError when it does not start.
    """
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        lifespan="off",
        interface="asgi3",
        access_log=False,
        **{name: str(path) for name, path in tls.items()},  # type: ignore[arg-type]  # all paths are strings
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server ended before it was up")
            time.sleep(0.005)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()
