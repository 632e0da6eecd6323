"""The curve of a measure as SVG."""

from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as ET

from adapter.web.console.charts.trend import CurvePoint, trend_chart


def point(
    year: int, value: str, low: str | None = None, high: str | None = None, *, is_abnormal: bool = False
) -> CurvePoint:
    ends = [None if one is None else Decimal(one) for one in (low, high)]
    return CurvePoint(date(year, 4, 1), Decimal(value), *ends, is_abnormal, f"{year}: {value} <x>")


def drawn(*points: CurvePoint) -> ET.Element:
    made = trend_chart(points, title="Glucose & <HbA1c>")
    return ET.fromstring(made)  # noqa: S314 - our own


def test_one_value_is_no_curve() -> None:
    assert trend_chart([point(2026, "5.6")], title="Glucose") == ""


def test_higher_is_higher_and_later_is_further_right() -> None:
    root = drawn(point(2024, "5"), point(2025, "7"), point(2026, "6"))
    marks = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in root.iter("circle")]
    assert [x for x, _ in marks] == sorted(x for x, _ in marks)
    (_, first), (_, highest), (_, last) = marks
    assert highest < last < first
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert all(0 < x < width and 0 < y < height for x, y in marks)


def test_a_range_is_shaded_only_where_a_value_came_with_one() -> None:
    root = drawn(point(2024, "5", "4", "6"), point(2025, "7"), point(2026, "6", high="6.4"))
    first, last = root.iter("rect")
    top, height = float(first.attrib["y"]), float(first.attrib["height"])
    [mark, *_] = root.iter("circle")
    assert top < float(mark.attrib["cy"]) < top + height, "5 is within 4 to 6"
    assert float(last.attrib["height"]) > height, "without a lower end it goes down to the axis"


def test_what_is_abnormal_has_another_shape_and_all_is_escaped() -> None:
    root = drawn(point(2025, "5"), point(2026, "9", is_abnormal=True))
    assert (len(list(root.iter("circle"))), len(list(root.iter("polygon")))) == (1, 1)
    assert root.attrib["aria-label"] == "Glucose & <HbA1c>"
    assert "style" not in trend_chart([point(2025, "5"), point(2026, "9")], title="x")


def test_equal_values_on_one_day_are_drawn_too() -> None:
    root = drawn(point(2026, "0"), point(2026, "0"))
    assert len(list(root.iter("circle"))) == 2
