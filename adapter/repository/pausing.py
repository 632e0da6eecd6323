"""What long work does between its parts, so that whoever else works in this process has a moment."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

__all__ = ["pause"]

pause: Final[ContextVar[Callable[[], None]]] = ContextVar("pause", default=lambda: None)
"""Is called after each entry of a Bundle that was checked or prepared, before anything is written."""
