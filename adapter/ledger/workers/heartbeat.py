"""A process at work: registered, alive, and found out when it dies.

It holds a file lock of the operating system for as long as it lives. On the same host a lock that can be
had proves that its holder is dead, however it died, and frees at once what it had under way. Workers of
other hosts are watched instead (see `death_detection`).
"""

import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from adapter import __version__
from adapter.database import schema_is_newer
from adapter.errors import SchemaNewer
from adapter.ledger.workers.named_locks import NamedLockStore
from adapter.ledger.workers.registry import Worker, WorkerStore
from adapter.telemetry import get_logger

__all__ = ["Heartbeat", "new_worker_id"]

_BEAT = 5.0  # seconds between two signs of life
_GLANCE = 10.0  # seconds at most that others have a lock to see whether its owner is dead
_log = get_logger(__name__)


def _host() -> str:
    return blake2b(platform.node().encode(), digest_size=4).hexdigest()


def new_worker_id() -> str:
    """An id for this process: 16 characters, of which the first eight tell its host from others."""
    return _host() + token_hex(4)


class Heartbeat:
    """Use it in a `with` around all that claims shipments or takes turns. `folder` is where the lock files
    of this host's workers are. `stopping` are set when the database becomes that of a newer adapter.
    """

    def __init__(
        self,
        worker: str,
        workers: WorkerStore,
        turns: NamedLockStore,
        folder: Path,
        clock: Callable[[], datetime],
    ) -> None:
        self._worker = worker
        self._workers = workers
        self._turns = turns
        self._folder = folder
        self._clock = clock
        self._lock = FileLock(folder / f"{worker}.lock", timeout=0, thread_local=False)
        self._started = clock()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)
        self._stopping: list[threading.Event] = []
        self.outdated = False

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire(timeout=_GLANCE)  # another process that starts now may be looking who is alive
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()
        with suppress(SQLAlchemyError):  # it is what the next process finds out by the lock
            self._workers.remove(self._worker)
            Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    @contextmanager
    def stop_when_outdated(self, event: threading.Event) -> Iterator[None]:
        """Set this event when the work must end."""
        self._stopping.append(event)
        if self.outdated:
            event.set()
        try:
            yield
        finally:
            self._stopping.remove(event)

    def check_schema(self) -> None:
        """Raises SchemaNewer when a newer adapter has taken the database over."""
        if self.outdated:
            raise SchemaNewer("database.newer")

    def beat(self) -> None:
        """One sign of life, and a look at whether the others give theirs."""
        self._workers.record_heartbeat(
            Worker(
                self._worker, platform.node()[:100], os.getpid(), __version__, self._started, self._clock()
            )
        )
        self._turns.renew()
        self.reap_dead()
        self._workers.remove_silent(12 * _BEAT)

    def reap_dead(self) -> None:
        """Free what the dead of this host had under way."""
        for path in self._folder.glob(f"{_host()}*.lock"):
            if path.stem == self._worker:
                continue
            lock = FileLock(path, timeout=0, thread_local=False)
            with suppress(Timeout, OSError), lock:
                self._workers.remove(path.stem)
                path.unlink(missing_ok=True)
                _log.info("worker.buried", worker=path.stem)

    def _beat(self) -> None:
        while not self._ends.wait(_BEAT):
            try:
                self.outdated = schema_is_newer(self._workers.engine)
                if self.outdated:
                    _log.error("database.newer")
                    for event in tuple(self._stopping):
                        event.set()
                    return
                self.beat()
            except SQLAlchemyError as error:  # the database is away: the work itself will say so
                _log.warning("worker.no_sign", error=type(error).__name__)
