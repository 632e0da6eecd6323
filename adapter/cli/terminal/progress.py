"""How far long work has got: bars on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from adapter.texts import has_text, say, write_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["ProgressCallback", "progress", "still"]

ProgressCallback = Callable[[str, str | None, int, int], None]  # stage, hospital, done, total
_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[ProgressCallback]:
    """A callback `(stage, hospital or None, done, total)`; drawn on standard error unless quiet."""
    if quiet:
        yield _silent
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        from adapter.cli.terminal.output import errors

        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=errors()) as drawn:
            yield _Bars(drawn)


@contextmanager
def still(callback: ProgressCallback) -> Iterator[None]:
    """No bar is drawn meanwhile: a person reads what was found, or is asked something."""
    if isinstance(callback, _Bars):
        with callback.still():
            yield
    else:
        yield


def _silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    pass


def _title(stage: str, hospital: str | None) -> str:
    known = f"cli.stage_{stage}"
    words = say(known) if has_text(known) else stage
    return f"{words} {hospital}" if hospital else words


class _Bars:
    """One bar for each stage and hospital; called from several worker threads."""

    def __init__(self, drawn: "Progress") -> None:
        self._drawn = drawn
        self._tasks: dict[tuple[str, str | None], TaskID] = {}
        self._lock = Lock()

    def __call__(self, stage: str, hospital: str | None, done: int, total: int) -> None:
        with self._lock:
            task = self._tasks.get((stage, hospital))
            if task is None:
                task = self._drawn.add_task(_title(stage, hospital), total=total or None)
                self._tasks[stage, hospital] = task
        self._drawn.update(task, completed=done, total=total or None)

    @contextmanager
    def still(self) -> Iterator[None]:
        self._drawn.stop()
        try:
            yield
        finally:
            self._drawn.start()


class _Lines:
    """A line every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str | None], float] = {}
        self._lock = Lock()

    def __call__(self, stage: str, hospital: str | None, done: int, total: int) -> None:
        now = time.monotonic()
        with self._lock:
            last = self._last.setdefault((stage, hospital), now)
            if now - last < _SECONDS_BETWEEN_LINES:
                return
            self._last[stage, hospital] = now
        write_line(f"{_title(stage, hospital)}: {done}/{total}", to_errors=True)
