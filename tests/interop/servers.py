"""Starts FHIR servers that were not written here, on loopback, and stops them.

By hand: `PYTHONPATH=tests python tests/interop/servers.py hapi|hapi-postgresql|medplum PORT`, until Ctrl-C.
"""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from interop.fetch import HAPI_JAR, MEDPLUM, node
from postgres import Postgres

from adapter.testing import free_port, until

__all__ = ["SERVERS", "hapi", "hapi_on_postgresql", "medplum", "serving"]

_START_SECONDS = 240  # measured: 28 on an idle machine of 2 cores
_TAIL = 4000  # bytes of its log that a server leaves when it does not start
# Half the processor time to start and 600 MiB, lower rates later.
CHEAP = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g")


@contextmanager
def _started(command: Sequence[str], settings: Mapping[str, str], port: int) -> Iterator[str]:
    """The base of a server that answers; it is killed at the end, whatever comes of the block."""
    base = f"http://127.0.0.1:{port}/fhir"
    with TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **settings, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            up = until(lambda: process.poll() is not None or _answers(base), _START_SECONDS, every=0.5)
            if not up or process.poll() is not None:
                log.seek(max(0, log.tell() - _TAIL))
                raise RuntimeError(f"{command[0]} did not start:\n{log.read().decode(errors='replace')}")
            yield base
        finally:
            process.kill()
            process.wait()


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/metadata", timeout=20):  # noqa: S310 - our own loopback address
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def hapi(
    port: int | None = None,
    *,
    jdbc_url: str = "jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1",
    user: str = "sa",
    subscriptions: bool = False,
) -> Iterator[str]:
    """HAPI FHIR JPA, by default on H2 in memory, that delivers rest-hook Subscriptions or does not. From the
    environment it takes VALIDATE=1 (refuse what breaks R4's profiles).
    """
    options = os.environ.get("ADAPTER_TEST_JAVA", " ".join(CHEAP)).split()
    settings = {"JDBC_URL": jdbc_url, "DB_USER": user, "DB_PASSWORD": ""}
    settings["SUBSCRIPTIONS"] = str(int(subscriptions))
    with _started(["java", *options, "-jar", str(HAPI_JAR)], settings, port or free_port()) as base:
        yield base


@contextmanager
def hapi_on_postgresql(port: int | None = None) -> Iterator[str]:
    """HAPI FHIR JPA on a PostgreSQL of its own, which goes with it."""
    postgres = Postgres(free_port())
    try:
        postgres.create("fhir", empty=True)
        with hapi(
            port, jdbc_url=f"jdbc:postgresql://127.0.0.1:{postgres.port}/fhir", user="postgres"
        ) as base:
            yield base
    finally:
        postgres.stop()


@contextmanager
def medplum(port: int | None = None) -> Iterator[str]:
    """Medplum's router over a repository in memory: no atomic transactions, and linear searches."""
    with _started([node(), str(MEDPLUM / "server.mjs")], {}, port or free_port()) as base:
        yield base


SERVERS = {
    "hapi": partial(hapi, subscriptions=True),
    "hapi-postgresql": hapi_on_postgresql,
    "medplum": medplum,
}


@contextmanager
def serving(name: str) -> Iterator[str]:
    """The base of a server by its name: one that is up already (`ADAPTER_TEST_HAPI`, … is its base), or
    one that is started for the block.
    """
    given = os.environ.get("ADAPTER_TEST_" + name.upper().replace("-", "_"))
    if given:
        yield given
        return
    with SERVERS[name]() as base:
        yield base


if __name__ == "__main__":
    with SERVERS[sys.argv[1]](int(sys.argv[2])) as running:
        sys.stdout.write(f"{running}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            sys.stdin.read()
