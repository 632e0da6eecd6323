"""What befalls a host during a fault run, beside killed processes: a locked database, a full disk, a
clock that jumps, a database server that is restarted. Each is a context that begins and ends it.
"""

import os
import random
import resource
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
from postgres import Postgres

__all__ = ["Clock", "clock_jumps", "full_disk", "locked_postgres", "locked_sqlite", "restarted", "small_disk"]

_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")
_AT_START = Path(__file__).parent / "clock"  # its sitecustomize lets time.sleep work
_HOUR = 3600


class Clock:
    """The clock of the processes that are started with `environment`: `set` moves it by seconds, while
    they run too. It needs libfaketime (Debian's package `faketime`); `available` says whether it is here.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        found = [str(path) for pattern in _LIBRARIES for path in Path("/").glob(pattern[1:])]
        self.available = bool(found)
        self.environment: dict[str, str] = {}
        if found:
            self.environment = {
                "LD_PRELOAD": found[0],
                "FAKETIME_TIMESTAMP_FILE": str(self._file),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else it hangs in waits with a time limit
                "PYTHONPATH": os.pathsep.join(filter(None, (str(_AT_START), os.environ.get("PYTHONPATH")))),
            }
        self.set(0)

    def set(self, seconds: int) -> None:
        """The clock is that much ahead from now on."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n")
        written.rename(self._file)


@contextmanager
def clock_jumps(clock: Clock, dice: random.Random) -> Iterator[None]:
    """The clock jumps by an hour, forwards or back, and goes right again at the end."""
    clock.set(dice.choice((-_HOUR, _HOUR)))
    try:
        yield
    finally:
        clock.set(0)


@contextmanager
def locked_sqlite(file: Path, seconds: float) -> Iterator[None]:
    """Another program holds SQLite's write lock for a while."""

    def hold() -> None:
        connection = sqlite3.connect(file, timeout=30, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    with _meanwhile(hold):
        yield


@contextmanager
def locked_postgres(url: str, seconds: float) -> Iterator[None]:
    """Another session holds a lock on the ledger's tables for a while."""

    def hold() -> None:
        with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
            connection.execute("LOCK TABLE ledger_shipment, ledger_entry IN ACCESS EXCLUSIVE MODE")
            time.sleep(seconds)

    with _meanwhile(hold):
        yield


@contextmanager
def restarted(postgres: Postgres, dice: random.Random) -> Iterator[None]:
    """PostgreSQL is restarted while all goes on."""
    delay, mode = dice.uniform(0.5, 2), dice.choice(("fast", "immediate"))

    def restart() -> None:
        time.sleep(delay)
        postgres.restart(mode)

    with _meanwhile(restart):
        yield


@contextmanager
def _meanwhile(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """`folder` on a disk of its own. False where mounting is not allowed."""
    folder.mkdir(exist_ok=True)
    options = f"size={megabytes}m,mode=700"
    asked = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(asked, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65_536))
            except OSError:
                pass  # full: this is what it was made for
        yield
    finally:
        filler.unlink()


@contextmanager
def _limited(processes: Callable[[], list[int]], file: Path) -> Iterator[None]:
    """No file that these processes write may grow: to them it is as if the disk were full."""
    limited: list[int] = []
    try:
        for process in processes():
            try:
                hard = resource.prlimit(process, resource.RLIMIT_FSIZE)[1]
                resource.prlimit(process, resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
            except (ProcessLookupError, PermissionError):
                continue
            limited.append(process)
        yield
    finally:
        for process in limited:
            try:
                hard = resource.prlimit(process, resource.RLIMIT_FSIZE)[1]
                resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))
            except (ProcessLookupError, PermissionError):
                continue


def full_disk(
    file: Path, *, mounted: bool, processes: Callable[[], list[int]]
) -> AbstractContextManager[None]:
    """Nothing can be written where `file` is: the disk itself is full when it is a mounted small one
    (ENOSPC), else the processes may write no byte behind the file's present end (EFBIG).
    """
    return _filled(file.parent) if mounted else _limited(processes, file)
