"""What comes after a notification: when the next is due, and when a subscription is in error (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["FAILURES_TO_ERROR", "FailedTry", "after_failure"]

FAILURES_TO_ERROR: Final = 8  # in a row: about an hour
_FIRST: Final = 30.0  # seconds
_LONGEST: Final = 3_600.0
_JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class FailedTry:
    """What is written down of it. The events wait: in error they are tried on, once an hour."""

    status: str
    failures: int
    due_at: datetime


def after_failure(
    status: str, failures: int, retry_after: float | None, now: datetime, *, jitter: float
) -> FailedTry:
    """A notification was not taken; `failures` in a row before it, `retry_after` seconds that the receiver
    asked for, `jitter` from 0 to 1. A handshake (of what is `requested`) that fails is an error at once,
    and comes again once an hour.
    """
    is_handshake = status == "requested"
    pause = _LONGEST if is_handshake else min(_FIRST * 2 ** min(failures, 20), _LONGEST)
    pause = max(pause, min(retry_after or 0.0, _LONGEST))
    due = now + timedelta(seconds=pause * (1 + _JITTER * jitter))
    is_error = is_handshake or failures + 1 >= FAILURES_TO_ERROR
    return FailedTry("error" if is_error else status, failures + 1, due)
