"""What long work does between its parts, so that whoever else works in this process has a moment."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

__all__ = ["Preempted", "is_preempted", "pause"]

pause: Final[ContextVar[Callable[[], None]]] = ContextVar("pause", default=lambda: None)
"""Is called after each entry of a Bundle that was checked or prepared, before anything is written."""

is_preempted: Final[ContextVar[Callable[[], bool]]] = ContextVar("is_preempted", default=lambda: False)
"""Whether a transaction of many entries, while which nobody else can write, is to let others go first."""


class Preempted(Exception):
    """Others go first: what the transaction did is undone, to be done again after a pause."""
