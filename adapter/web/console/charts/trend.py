"""A small curve of one measure over time: each value's own range shaded behind it, what is beyond marked by
another shape. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from html import escape
from typing import Final

__all__ = ["CurvePoint", "trend_chart"]

_WIDTH, _HEIGHT = 440, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 26
_FEWEST: Final = 2  # one value is no curve
_MARK: Final = 4
_TICKS: Final = 3
_AIR: Final = 0.12  # of the height, above and below all


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A value; `words` say of it what a reader of the picture is told, such as "30/04/2026: 7.9 mmol/L"."""

    day: date
    value: Decimal
    low: Decimal | None
    high: Decimal | None
    is_abnormal: bool
    words: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where days and values are on the paper."""

    first: int
    last: int
    lowest: float
    highest: float

    def x(self, day: date) -> float:
        """Across; all of one day stand in the middle."""
        span = self.last - self.first
        share = (day.toordinal() - self.first) / span if span else 0.5
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """Down."""
        share = (self.highest - value) / (self.highest - self.lowest)
        return round(_TOP + share * (_HEIGHT - _TOP - _BOTTOM), 1)


def trend_chart(points: Sequence[CurvePoint], *, title: str) -> str:
    """The SVG of these points, which are in the order of time; empty of fewer than two. `title` names it for
    who does not see it.
    """
    if len(points) < _FEWEST:
        return ""
    frame = _frame(points)
    drawn = [*_ranges(points, frame), *_axes(points, frame), _line(points, frame)]
    drawn += [_mark(one, frame) for one in points]
    name = escape(title)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}">'
        f"<title>{name}</title>{''.join(drawn)}</svg>"
    )


def _frame(points: Sequence[CurvePoint]) -> _Frame:
    said = [float(each) for one in points for each in (one.value, one.low, one.high) if each is not None]
    lowest, highest = min(said), max(said)
    air = (highest - lowest) * _AIR or abs(highest) * _AIR or 1.0
    bottom = max(0.0, lowest - air) if lowest >= 0 else lowest - air
    return _Frame(points[0].day.toordinal(), points[-1].day.toordinal(), bottom, highest + air)


def _ranges(points: Sequence[CurvePoint], frame: _Frame) -> Iterator[str]:
    """Each value's own range, from half-way to the value before it to half-way to the next."""
    places = [frame.x(one.day) for one in points]
    for number, one in enumerate(points):
        if one.low is None and one.high is None:
            continue
        left = (places[number - 1] + places[number]) / 2 if number else _LEFT
        is_last = number == len(points) - 1
        right = _WIDTH - _RIGHT if is_last else (places[number] + places[number + 1]) / 2
        top = frame.y(float(one.high)) if one.high is not None else _TOP
        bottom = frame.y(float(one.low)) if one.low is not None else _HEIGHT - _BOTTOM
        size = f'width="{right - left:.1f}" height="{max(bottom - top, 0):.1f}"'
        yield f'<rect class="range" x="{left:.1f}" y="{top:.1f}" {size}/>'


def _axes(points: Sequence[CurvePoint], frame: _Frame) -> Iterator[str]:
    floor = _HEIGHT - _BOTTOM
    yield f'<line class="axis" x1="{_LEFT}" y1="{floor}" x2="{_WIDTH - _RIGHT}" y2="{floor}"/>'
    step = (frame.highest - frame.lowest) / (_TICKS + 1)
    for number in range(1, _TICKS + 1):
        value = frame.lowest + step * number
        y = frame.y(value)
        yield f'<line class="axis" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_short(value, step)}</text>'
    ends = {points[0].day: "start", points[-1].day: "end"}
    for day, anchor in ends.items():
        yield f'<text x="{frame.x(day)}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{day:%m/%Y}</text>'


def _short(value: float, step: float) -> str:
    """As many decimals as tell the lines apart."""
    return f"{value:.0f}" if step >= 1 else f"{value:.1f}" if step >= _AIR else f"{value:.2f}"


def _line(points: Sequence[CurvePoint], frame: _Frame) -> str:
    places = " ".join(f"{frame.x(one.day)},{frame.y(float(one.value))}" for one in points)
    return f'<polyline class="curve" fill="none" points="{places}"/>'


def _mark(one: CurvePoint, frame: _Frame) -> str:
    """A dot; what is abnormal is a square that stands on its corner."""
    x, y, words = frame.x(one.day), frame.y(float(one.value)), f"<title>{escape(one.words)}</title>"
    if not one.is_abnormal:
        return f'<circle class="mark-main" cx="{x}" cy="{y}" r="{_MARK}">{words}</circle>'
    size = _MARK * 1.6
    corners = ((x, y - size), (x + size, y), (x, y + size), (x - size, y))
    path = " ".join(f"{round(a, 1)},{round(b, 1)}" for a, b in corners)
    return f'<polygon class="mark-bad" points="{path}">{words}</polygon>'
