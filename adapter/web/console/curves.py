"""The small curve of one measure, as people's and results' pages have it."""

from adapter.insights.measure_trends import MeasureTrend, TrendPoint
from adapter.web.console.charts.trend import CurvePoint, trend_chart
from adapter.web.console.rendering import day
from adapter.web.console.visit import Visit

__all__ = ["trend_curve"]


def trend_curve(visit: Visit, trend: MeasureTrend) -> str:
    """The curve of what is a number in one unit; empty where that is fewer than two values."""
    points = [made for one in trend.points if (made := _curve_point(one)) is not None]
    return trend_chart(
        points, title=visit.t("console_people.curve_of", name=trend.name, unit=trend.unit or "–")
    )


def _curve_point(one: TrendPoint) -> CurvePoint | None:
    if one.number is None or one.at is None:
        return None
    words = f"{day(one.at)}: {one.words}"
    return CurvePoint(one.local_day, one.number, one.low, one.high, one.is_abnormal, words)
