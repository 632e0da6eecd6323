"""The charts of a hospital's traffic as SVG: every hour where it belongs, nothing that a browser obeys."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from adapter.insights.hospital_traffic import TrafficHour, TrafficOutcome
from adapter.web.console.charts.hours import latencies_chart, latency_words, requests_chart

SVG = "{http://www.w3.org/2000/svg}"
HOUR = datetime(2026, 11, 30, 17, tzinfo=UTC)  # midnight in Vietnam


def _bars(svg: str, kind: str) -> list[tuple[float, float, float]]:
    """Left, top and height of each bar of a kind."""
    named = svg.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1)
    root = ElementTree.fromstring(named)  # noqa: S314 - of our own making
    found = [one for one in root.iter(f"{SVG}rect") if one.get("class") == kind]
    return [(float(one.get("x", "")), float(one.get("y", "")), float(one.get("height", ""))) for one in found]


def _hours() -> list[TrafficHour]:
    done, silent = TrafficOutcome.DONE, TrafficOutcome.SILENT
    return [
        TrafficHour(HOUR, {done: 3, silent: 1}, {100: 2, 30_000: 1}),
        TrafficHour(HOUR + timedelta(hours=1)),
        TrafficHour(HOUR + timedelta(hours=2), {done: 4}, {250: 4}),
    ]


def test_a_column_is_as_high_as_its_hour_has_requests() -> None:
    svg = requests_chart(_hours(), "Requests")
    done, trouble = _bars(svg, "mark-main"), _bars(svg, "mark-trouble")
    assert len(done) == 2
    assert len(trouble) == 1
    assert done[0][2] * 4 == done[1][2] * 3
    assert trouble[0][1] + trouble[0][2] == done[0][1]  # on top of it
    assert done[0][0] == trouble[0][0] < done[1][0]
    assert ">01/12<" in svg
    assert ">4<" in svg


def test_a_bar_reaches_from_half_of_the_answers_to_nearly_all() -> None:
    svg = latencies_chart(_hours(), "Latencies")
    half, most = _bars(svg, "mark-main"), _bars(svg, "mark-soft")
    assert len(half) == len(most) == 2
    assert most[0][1] < half[0][1] < most[0][1] + most[0][2]
    assert half[1] == most[1]  # all in one class


def test_nothing_is_a_chart_too_and_words_are_only_words() -> None:
    assert _bars(requests_chart([], "<b>&"), "mark-main") == []
    assert 'aria-label="&lt;b&gt;&amp;"' in latencies_chart([], "<b>&")
    assert "style=" not in requests_chart(_hours(), "x") + latencies_chart(_hours(), "x")


def test_how_soon_in_words() -> None:
    assert [latency_words(one) for one in (None, 100, 2_500, 0)] == ["–", "0.1 s", "2.5 s", "> 30 s"]
