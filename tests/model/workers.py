"""Workers that stop at every request boundary, so that a model decides in which order things happen.

A worker is the real `deliver` in a thread, with a ledger and a client of its own, as a process has. Its
request is done at once, with the fault chosen for it; then the thread waits with the answer in its hands
until it is told to go on, or to die there: from then on nothing of it reaches the database.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from model.hospital import BASE
from sqlalchemy import Engine, event

from adapter.database import open_database
from adapter.delivery.http.client import HospitalClient
from adapter.delivery.worker import deliver
from adapter.ledger.hospitals.circuit_breaker import PaceLimits
from adapter.ledger.store import LedgerStore
from adapter.testing import ManualClock

__all__ = ["LEASE", "NAME", "SYSTEM", "TIMEOUT", "Process", "Worker", "open_quickly"]

NAME = "bv"
SYSTEM = "https://centre.test/sid"
TIMEOUT = 5.0  # seconds
LEASE = 60.0
_STUCK = 30.0  # real seconds

Reply = httpx.Response | httpx.HTTPError
Serve = Callable[[httpx.Request, str], Reply]


class _Killed(BaseException):
    """The process is no more."""


class _NoPatience(threading.Event):
    """A worker that would wait ends instead: the model says when the next one comes."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def open_quickly(file: Path) -> Engine:
    """The database without waiting for the disk: the model kills threads, not the machine."""
    engine = open_database(f"sqlite:///{file}")

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    return engine


class Process:
    """What a process remembers from one delivery to the next; another one begins with nothing."""

    def __init__(self, engine: Engine, clock: ManualClock) -> None:
        self.engine = engine
        self.ledger = LedgerStore(engine, {NAME: PaceLimits(concurrency=4)}, clock.uptime)


class Worker:
    """One worker, stopped before its first request's answer. `fault` befalls its next request."""

    def __init__(
        self, process: Process, clock: ManualClock, serve: Serve, fault: str, max_entries: int
    ) -> None:
        self._process = process
        self._serve = serve
        self._fault = fault
        self._here, self._on = threading.Semaphore(0), threading.Semaphore(0)
        self._dead = False
        self.done = False
        self.error: BaseException | None = None
        event.listen(self._process.engine, "before_cursor_execute", self._alive)
        self._thread = threading.Thread(target=self._work, args=(clock, max_entries), daemon=True)
        self._thread.start()
        self._arrive()

    def go_on(self, fault: str) -> None:
        """Take the answer, and go as far as the next one."""
        self._fault = fault
        self._on.release()
        self._arrive()

    def die(self) -> None:
        """Never learn the answer."""
        self._dead = True
        self._on.release()
        self._arrive()

    def _arrive(self) -> None:
        if not self._here.acquire(timeout=_STUCK):
            raise AssertionError("a worker hangs: it holds the database open over HTTP, or waits")
        if self.done:
            self._thread.join()
            event.remove(self._process.engine, "before_cursor_execute", self._alive)
            if self.error is not None:
                raise self.error

    def _alive(self, *_: Any) -> None:
        if self._dead:
            raise _Killed

    def _work(self, clock: ManualClock, max_entries: int) -> None:
        try:
            self._deliver(clock, max_entries)
        except _Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the model's thread
            self.error = error
        finally:
            self.done = True
            self._here.release()

    def _deliver(self, clock: ManualClock, max_entries: int) -> None:
        transport = httpx.MockTransport(self._answer)
        with HospitalClient(BASE, transport=transport, timeout=TIMEOUT, sleep=lambda _: None) as client:
            deliver(
                NAME,
                client,
                self._process.ledger,
                system=SYSTEM,
                timeout=TIMEOUT,
                lease_seconds=LEASE,
                max_entries=max_entries,
                max_bytes=1_000_000,
                concurrency=1,
                patience=0,
                clock=clock,
                stop=_NoPatience(),
            )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        reply = self._serve(request, self._fault)
        self._here.release()
        self._on.acquire()
        if self._dead:
            raise _Killed
        if isinstance(reply, httpx.HTTPError):
            raise reply
        return reply
