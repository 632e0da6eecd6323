"""Charts of what went to a hospital, hour by hour, as SVG: pure. A table stands behind them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from html import escape
from typing import Final

from adapter.insights.hospital_traffic import TrafficHour, TrafficOutcome

__all__ = ["latencies_chart", "latency_words", "requests_chart"]

_VIETNAM: Final = timezone(timedelta(hours=7))
_WIDTH, _HEIGHT = 720, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 20, 14, 28  # at the right half of the last hour's words
_HATCHING: Final = (
    '<defs><pattern id="trouble" width="5" height="5" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect class="mark-trouble-line" width="2.5" height="5"/></pattern></defs>'
)
_CLASSES: Final = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 0)


def requests_chart(hours: Sequence[TrafficHour], title: str) -> str:
    """A column for each hour: filled for what was answered as it should be, hatched for all else."""
    most = max((one.requests for one in hours), default=0)
    top = _round_up(most)
    bars = []
    for at, one in enumerate(hours):
        done = one.outcomes.get(TrafficOutcome.DONE, 0)
        left, width = _column(at, len(hours))
        bars += [
            _bar(left, width, 0, done / top, "mark-main"),
            _bar(left, width, done / top, one.requests / top, "mark-trouble"),
        ]
    marks = [(0.0, "0"), (0.5, _number(top / 2)), (1.0, _number(top))]
    return _chart(title, [_HATCHING, *_grid(marks), *bars, *_days(hours)])


def latencies_chart(hours: Sequence[TrafficHour], title: str) -> str:
    """A bar for each hour, from the class that half of the answers are in to that of 19 in 20."""
    step = 1 / len(_CLASSES)
    bars = []
    for at, one in enumerate(hours):
        half, most = one.within(0.5), one.within(0.95)
        if half is None or most is None:
            continue
        left, width = _column(at, len(hours))
        low, high = _CLASSES.index(half), _CLASSES.index(most)
        bars.append(_bar(left, width, low * step, (high + 1) * step, "mark-soft"))
        bars.append(_bar(left, width, low * step, (low + 1) * step, "mark-main"))
    marks = [((at + 1) * step, latency_words(most)) for at, most in enumerate(_CLASSES) if at % 2 == 1]
    return _chart(title, [*_grid(marks), *bars, *_days(hours)])


def latency_words(most: int | None) -> str:
    """A class of latency: "0.25 s", "> 30 s"; None: no answer."""
    if most is None:
        return "–"
    return f"> {_CLASSES[-2] // 1_000} s" if most == 0 else f"{most / 1_000:g} s"


def _round_up(most: int) -> int:
    """The least of 2, 4, 10, 20, 40, 100 … that is no less."""
    top = 2
    while top < most:
        top = top * 5 // 2 if str(top).startswith("4") else top * 2
    return top


def _number(value: float) -> str:
    return f"{value:g}"


def _column(at: int, count: int) -> tuple[float, float]:
    width = (_WIDTH - _LEFT - _RIGHT) / max(count, 1)
    return _LEFT + at * width + 1, max(width - 2, 1)


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)


def _bar(left: float, width: float, low: float, high: float, kind: str) -> str:
    if high <= low:
        return ""
    top, height = _y(high), _y(low) - _y(high)
    return f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _grid(marks: Iterable[tuple[float, str]]) -> Iterator[str]:
    for share, words in marks:
        y = _y(share)
        yield f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(words)}</text>'


def _days(hours: Sequence[TrafficHour]) -> Iterator[str]:
    """The hour under each sixth column, and at midnight the day."""
    for at, one in enumerate(hours):
        local = one.hour.astimezone(_VIETNAM)
        if local.hour % 12 == 0:
            left, width = _column(at, len(hours))
            middle, below = f"{left + width / 2:.1f}", _HEIGHT - 8
            yield f'<text x="{middle}" y="{below}" text-anchor="middle">{_moment(local)}</text>'


def _moment(local: datetime) -> str:
    return local.strftime("%d/%m" if local.hour == 0 else "%Hh")


def _chart(title: str, parts: Iterable[str]) -> str:
    inside = "".join(parts)
    named = f'class="hours" role="img" aria-label="{escape(title)}"'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" {named}>{inside}</svg>'
