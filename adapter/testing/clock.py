"""Time that moves when a test says so."""

import threading
from datetime import UTC, datetime, timedelta

__all__ = ["ManualClock", "ManualClockEvent"]


class ManualClock:
    """A clock for whatever takes `clock=`: called, it gives an aware UTC datetime.

    `start` is an aware datetime. `step` passes whenever somebody looks, for code that expects time to go on;
    by default none does. `uptime` is the machine's other clock, in seconds since it started, which nobody can
    set: for whatever measures how long something took. Threads may share a clock.
    """

    def __init__(
        self, start: datetime = datetime(2026, 1, 5, 1, tzinfo=UTC), *, step: timedelta = timedelta()
    ) -> None:
        self._lock = threading.Lock()
        self._now = _in_utc(start)
        self._up = timedelta()
        self._step = step

    def __call__(self) -> datetime:
        """Let a step pass; the moment it is then."""
        return self._pass(self._step)

    @property
    def now(self) -> datetime:
        """The moment it is, without letting any time pass."""
        return self._now

    def uptime(self) -> float:
        """Seconds that have passed since the clock was made, whatever it was set to."""
        return self._up.total_seconds()

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> datetime:
        """Let so much time pass; the moment it is then. ValueError when that lies in the past."""
        passed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if passed < timedelta():
            raise ValueError("time does not pass backwards; `set` puts the clock back")
        return self._pass(passed)

    def set(self, moment: datetime) -> None:
        """Somebody sets the clock, forwards or back; no time passes by that."""
        with self._lock:
            self._now = _in_utc(moment)

    def event(self) -> "ManualClockEvent":
        """An event whose waiting moves this clock, for whatever takes `stop=`."""
        return ManualClockEvent(self)

    def _pass(self, duration: timedelta) -> datetime:
        with self._lock:
            self._now += duration
            self._up += duration
            return self._now


class ManualClockEvent(threading.Event):
    """An event that is waited for in no time: while it is not set, `wait(60)` moves the clock by a minute and
    says False. Without a time limit it really waits.
    """

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is set; if not, `timeout` seconds have passed on the clock."""
        if timeout is None:
            return super().wait()
        if not self.is_set():
            self._clock.advance(seconds=max(timeout, 0))
        return self.is_set()


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC)
