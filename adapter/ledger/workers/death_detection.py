"""Has somebody stopped? Told without comparing the clocks of two machines.

A lease carries no time that another machine could read. Who waits for it watches it: while it changes, its
owner is alive; when it was seen unchanged for as long as a lease lasts, by the watcher's own clock, the
owner has stopped. The owner, who measured the same length from before he took it, knew so earlier.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

__all__ = ["MAX_RETRY_DELAY", "LivenessMonitor", "UptimeClock", "uptime"]

UptimeClock = Callable[[], float]

# No retry is put off for longer: what is due later than that was written by a clock that was wrong.
MAX_RETRY_DELAY = timedelta(minutes=30)


def uptime() -> float:
    """Seconds since the machine started, the time that it slept included where the system can tell."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class LivenessMonitor:
    """Remembers since when each thing is as it is. Safe to share between threads."""

    def __init__(self, clock: UptimeClock = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, dict[str, tuple[object, float]]] = {}
        self._lock = threading.Lock()

    def unchanged(self, group: str, found: Mapping[str, object], seconds: float) -> frozenset[str]:
        """Which of `found` (thing -> what it looks like) were so for `seconds`. What is not in it is no
        longer watched: a group is always looked at as a whole.
        """
        now = self._clock()
        with self._lock:
            before = self._seen.get(group, {})
            after = {
                thing: before[thing] if thing in before and before[thing][0] == look else (look, now)
                for thing, look in found.items()
            }
            self._seen[group] = after
        return frozenset(thing for thing, (_, since) in after.items() if now - since >= seconds)
