"""The skeleton of every duty."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from adapter.errors import Busy
from adapter.pipeline.application import Adapter

__all__ = ["SETTLE_TIME", "Duty", "job_lock", "no_progress"]

SETTLE_TIME = timedelta(seconds=5)  # that a folder of mappings rests before a service reads it


class Duty(Protocol):
    """Something that a service does on a schedule; no two processes do it at once."""

    @property
    def name(self) -> str:
        """Its lock and its beat are kept by this name in the database: it stays as it is. A hospital's own
        is that of planning for it; all others have a colon.
        """

    @property
    def cron(self) -> str:
        """When its beats are; empty: on none of its own, it is a part of another duty."""

    def run(self) -> None:
        """Do one beat, and log what came of it. Raises Busy when another process is at it; any other
        exception ends this beat only.
        """


@contextmanager
def job_lock(adapter: Adapter, job: str) -> Iterator[None]:
    """Do `job`, and nobody else meanwhile. Raises Busy."""
    turn = adapter.ledger.named_locks.acquire(job, adapter.settings.lease_seconds)
    if turn is None:
        raise Busy("sync.busy", hospital=job)
    try:
        yield
    finally:
        adapter.ledger.named_locks.give_back(turn)


def no_progress(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """A service shows nobody how far it is."""
