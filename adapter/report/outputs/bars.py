"""Bars as SVG, made here: no script, no style of their own, so that they may stand on a page that allows
neither, and on paper. A table with the same figures stands behind each, on the page.

Pure. What a bar is called and how long it is stands beside it in digits; two years differ by their fill's
brightness and by their place, never by colour alone.
"""

from collections.abc import Sequence
from html import escape

from adapter.report.figures import Figure
from adapter.report.outputs.tables import YearTable, shown_figure

__all__ = ["bars"]

WIDTH = 560  # of the drawing's own units, as all lengths
_LABELS = 262
_FIGURES = 48
_BAR = 13
_GAP = 3
_GROUP_GAP = 8
_LEGEND = 26
_LEGEND_LINE = 20
_LETTER = 6.8  # how wide one is, about


def bars(table: YearTable) -> str:
    """A group of lying bars for each row, one for each column. What is kept back has no bar, but its sign; a
    cell without a figure has nothing. All bars have one scale.
    """
    most = max((cell for row in table.rows for cell in row.cells if isinstance(cell, int)), default=0)
    parts: list[str] = []
    y = 0
    if len(table.columns) > 1:
        legend, y = _legend(table.columns)
        parts.extend(legend)
    for row in table.rows:
        drawn = [(at, cell) for at, cell in enumerate(row.cells) if cell != ""]
        height = len(drawn) * (_BAR + _GAP)
        parts.append(_text(_LABELS - 10, y + height / 2, row.label, "end", "bars-label"))
        for place, (at, cell) in enumerate(drawn):
            parts.extend(_bar(y + place * (_BAR + _GAP), at, cell, most))
        y += height + _GROUP_GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bars" viewBox="0 0 {WIDTH} {max(y, 1)}" role="img" '
        f'font-family="Report, system-ui, sans-serif" '
        f'aria-label="{escape(table.title)}">{"".join(parts)}</svg>'
    )


def _bar(y: float, at: int, cell: Figure | str, most: int) -> Sequence[str]:
    space = WIDTH - _LABELS - _FIGURES
    length = round(space * cell / most, 1) if isinstance(cell, int) and most else 0
    rect = (
        f'<rect class="bar bar-{at}" x="{_LABELS}" y="{y}" width="{length}" height="{_BAR}" '
        f'fill="#1f5f8b" fill-opacity="{_opacity(at)}"/>'
    )
    figure = _text(_LABELS + length + 6, y + _BAR / 2, shown_figure(cell), "start", "bars-figure")
    return (rect, figure) if length else (figure,)


def _legend(columns: Sequence[str]) -> tuple[Sequence[str], int]:
    """What each brightness stands for, in as many lines as it needs; and how high that is."""
    parts: list[str] = []
    x, y = 0.0, 0
    for at, column in enumerate(columns):
        width = 36 + _LETTER * len(column)
        if x and x + width > WIDTH:
            x, y = 0.0, y + _LEGEND_LINE
        parts.append(
            f'<rect class="bar bar-{at}" x="{x:g}" y="{y + 2}" width="12" height="12" '
            f'fill="#1f5f8b" fill-opacity="{_opacity(at)}"/>'
        )
        parts.append(_text(x + 18, y + 8, column, "start", "bars-legend"))
        x += width
    return parts, y + _LEGEND


def _opacity(at: int) -> float:
    return (1.0, 0.5, 0.25, 0.75, 0.38)[at % 5]


def _text(x: float, y: float, words: str, anchor: str, name: str) -> str:
    return (
        f'<text class="{name}" x="{x:g}" y="{y:g}" text-anchor="{anchor}" dominant-baseline="central" '
        f'font-size="12" fill="currentColor">{escape(words)}</text>'
    )
