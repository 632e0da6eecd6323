"""SQLite's write-ahead log is copied into the database beside the work, not within it.

By itself SQLite does so at the end of whichever commit finds the log long, before it lets the next writer in:
of a burst every third commit then takes ten times as long, and everybody waits. A thread that does it sooner
holds nobody up (https://www.sqlite.org/wal.html#ckpt).
"""

import threading
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

__all__ = ["BackgroundCheckpoints"]

_EVERY_SECONDS: Final = 0.25
_LONG: Final = 8_000  # pages of 4 KiB; writers then wait until it begins anew
_BY_ITSELF: Final = 20_000  # pages, after which a commit does it after all
_END_SECONDS: Final = 15.0


class BackgroundCheckpoints:
    """Use it in a `with`, around the work of a process that goes on; where the database is no SQLite, it does
    nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _leave_to_us)
            self._engine.dispose()  # what is connected already would go on as before
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
            event.remove(self._engine, "connect", _leave_to_us)
            self._engine.dispose()

    def _run(self) -> None:
        how = "PASSIVE"
        while not self._stop.wait(_EVERY_SECONDS):
            try:
                pages = self._copy(how)
            except OperationalError:  # the disk is full, or away: whoever writes says so
                continue
            how = "RESTART" if pages > _LONG else "PASSIVE"

    def _copy(self, how: str) -> int:
        """How many pages the log has."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            row = connection.exec_driver_sql(f"PRAGMA wal_checkpoint({how})").one()
        return int(row[1])


def _leave_to_us(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={_BY_ITSELF}")
