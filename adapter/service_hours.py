"""When a hospital may be spoken to: daily windows and a maintenance calendar, in Viet Nam's time (pure).

A window is `22:00-05:00`, every day, over midnight where the end is the earlier. A closure is a day
`2026-12-24`, days `2026-12-24/2026-12-26` (both included) or moments `2026-12-01T22:00/2026-12-02T02:00`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = [
    "ALWAYS_OPEN",
    "VIETNAM_ZONE",
    "Closure",
    "ServiceHours",
    "TimeWindow",
    "parse_closure",
    "parse_window",
]

VIETNAM_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")  # which knows no daylight saving: a day has 24 hours
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_DAY = timedelta(days=1)
_MANY = 1000  # closures in a row, after which no opening is looked for any more

TimeWindow = tuple[time, time]  # from, until (not included)
Closure = tuple[datetime, datetime]  # from, until (not included)


def parse_window(text: str) -> TimeWindow:
    """`22:00-05:00`. Raises ValueError for anything else, and for a window of no length."""
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    start = time(int(found[1]), int(found[2]))
    end = time(int(found[3]), int(found[4])) if found[3] else time()
    if start == end and found[3]:
        raise ValueError(text)
    return start, end


def parse_closure(text: str) -> Closure:
    """A day, two days or two moments. Raises ValueError for anything else, and where the end is first."""
    first, slash, last = text.strip().partition("/")
    start, _ = _moments(first)
    _, end = _moments(last if slash else first)
    if end <= start:
        raise ValueError(text)
    return start, end


def _moments(text: str) -> Closure:
    """The first moment that a day or moment names, and the first that it does not."""
    if "T" not in text:
        day = date.fromisoformat(text)
        start = datetime.combine(day, time(), VIETNAM_ZONE)
        return start, start + _DAY
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=VIETNAM_ZONE)
    return at, at


@dataclass(frozen=True, slots=True)
class ServiceHours:
    """No window: the whole day."""

    windows: tuple[TimeWindow, ...] = ()
    closures: tuple[Closure, ...] = ()

    @classmethod
    def of(cls, windows: Sequence[str], closures: Sequence[str]) -> "ServiceHours":
        """From the settings' texts. Raises ValueError."""
        return cls(tuple(map(parse_window, windows)), tuple(map(parse_closure, closures)))

    def is_open_at(self, now: datetime) -> bool:
        """Whether it may be spoken to at that moment."""
        return self._closed_until(now) is None and self._in_window(now)

    def opens_at(self, now: datetime) -> datetime | None:
        """`now` if it is open, else the next moment when it is; None if that is beyond the calendar."""
        at = now
        for _ in range(_MANY):
            until = self._closed_until(at)
            if until is not None:
                at = until
            elif self._in_window(at):
                return at
            else:
                at = min(_next(start, at) for start, _ in self.windows)
        return None

    def _closed_until(self, at: datetime) -> datetime | None:
        return max((end for start, end in self.closures if start <= at < end), default=None)

    def _in_window(self, at: datetime) -> bool:
        clock = at.astimezone(VIETNAM_ZONE).time()
        return not self.windows or any(
            start <= clock < end if start < end else clock >= start or clock < end
            for start, end in self.windows
        )


def _next(start: time, after: datetime) -> datetime:
    """The next moment after `after` when clocks show `start`."""
    local = after.astimezone(VIETNAM_ZONE)
    today = datetime.combine(local.date(), start, VIETNAM_ZONE)
    return today if today > local else today + _DAY


ALWAYS_OPEN = ServiceHours()
