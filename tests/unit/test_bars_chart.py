"""Bars of the year's report as SVG."""

import re

from adapter.report.outputs.bars import WIDTH, bars
from adapter.report.outputs.tables import YearTable, YearTableRow

LONG = ("Đã chuyển", "Hoàn thành", "Đang thực hiện", "Không thực hiện được", "Quá hạn")
_LETTER = 6.5  # a letter of the legend is no wider on average


def _table(*columns: str) -> YearTable:
    cells = tuple(range(1, len(columns) + 1))
    return YearTable("t", "Chuyển khám", "Tuyến", columns, [YearTableRow("a", "tỉnh", cells)])


def test_a_long_legend_goes_on_in_a_second_line_above_the_bars() -> None:
    svg = bars(_table(*LONG))
    words = re.findall(r'class="bars-legend" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)<', svg)
    assert [one for _, _, one in words] == list(LONG)
    assert all(float(x) + _LETTER * len(one) <= WIDTH for x, _, one in words)
    lines = sorted({float(y) for _, y, _ in words})
    assert len(lines) == 2
    drawn = [float(y) for y in re.findall(r'x="262" y="([\d.]+)" width="[1-9]', svg)]
    assert len(drawn) == len(LONG)
    assert min(drawn) > lines[-1] + 6, "no bar stands in the legend"


def test_a_short_legend_is_one_line() -> None:
    svg = bars(_table("2026", "2025"))
    assert len(set(re.findall(r'class="bars-legend" x="[\d.]+" y="([\d.]+)"', svg))) == 1
