"""Daily windows and the maintenance calendar, in Viet Nam's time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.service_hours import ALWAYS_OPEN, VIETNAM_ZONE, ServiceHours, parse_closure, parse_window


def at(text: str) -> datetime:
    """A moment as clocks in Viet Nam show it, in UTC, as the adapter's clock gives it."""
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM_ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("windows", "moment", "is_open", "opens"),
    [
        ((), "2026-11-22T12:00", True, "2026-11-22T12:00"),
        (("08:00-17:00",), "2026-11-22T08:00", True, "2026-11-22T08:00"),
        (("08:00-17:00",), "2026-11-22T17:00", False, "2026-11-23T08:00"),
        (("08:00-17:00",), "2026-11-22T07:59:59", False, "2026-11-22T08:00"),
        (("22:00-05:00",), "2026-11-22T23:59", True, "2026-11-22T23:59"),
        (("22:00-05:00",), "2026-11-22T00:00", True, "2026-11-22T00:00"),
        (("22:00-05:00",), "2026-11-22T04:59", True, "2026-11-22T04:59"),
        (("22:00-05:00",), "2026-11-22T05:00", False, "2026-11-22T22:00"),
        (("12:00-13:00", "22:00-24:00"), "2026-11-22T13:30", False, "2026-11-22T22:00"),
        (("12:00-13:00", "22:00-24:00"), "2026-11-22T23:59", True, "2026-11-22T23:59"),
        (("12:00-13:00", "22:00-24:00"), "2026-11-23T00:00", False, "2026-11-23T12:00"),
        (("00:00-24:00",), "2026-11-22T03:00", True, "2026-11-22T03:00"),
    ],
)
def test_windows(windows: tuple[str, ...], moment: str, is_open: bool, opens: str) -> None:
    hours = ServiceHours.of(windows, ())
    assert hours.is_open_at(at(moment)) is is_open
    assert hours.opens_at(at(moment)) == at(opens)


@pytest.mark.parametrize(
    ("closures", "moment", "opens"),
    [
        (("2026-12-24",), "2026-12-23T23:59", "2026-12-23T23:59"),
        (("2026-12-24",), "2026-12-24T00:00", "2026-12-25T00:00"),
        (("2026-12-24/2026-12-26",), "2026-12-26T23:59", "2026-12-27T00:00"),
        (("2026-12-01T22:00/2026-12-02T02:00",), "2026-12-01T21:59", "2026-12-01T21:59"),
        (("2026-12-01T22:00/2026-12-02T02:00",), "2026-12-02T01:59", "2026-12-02T02:00"),
        (("2026-12-01T15:00Z/2026-12-01T19:00Z",), "2026-12-01T23:00", "2026-12-02T02:00"),
        (("2026-12-24", "2026-12-25"), "2026-12-24T10:00", "2026-12-26T00:00"),
    ],
)
def test_closures(closures: tuple[str, ...], moment: str, opens: str) -> None:
    hours = ServiceHours.of((), closures)
    assert hours.is_open_at(at(moment)) is (moment == opens)
    assert hours.opens_at(at(moment)) == at(opens)


def test_a_closure_within_a_window_ends_before_the_next_window_begins() -> None:
    hours = ServiceHours.of(("22:00-05:00",), ("2026-12-01T23:00/2026-12-02T06:00",))
    assert hours.opens_at(at("2026-12-01T23:30")) == at("2026-12-02T22:00")
    assert hours.opens_at(at("2026-12-01T22:30")) == at("2026-12-01T22:30")


def test_hours_that_never_come_are_none() -> None:
    nights = tuple(f"2026-{month:02}-01/2026-{month:02}-28" for month in range(1, 13))
    assert ServiceHours.of((), nights).opens_at(at("2026-02-10T12:00")) == at("2026-03-01T00:00") + timedelta(
        days=28
    )
    assert (
        ServiceHours.of(("08:00-09:00",), ("0001-01-02/9998-12-30",)).opens_at(at("2026-02-10T12:00"))
        is not None
    )


@pytest.mark.parametrize(
    "text", ["", "22:00", "22-05", "24:00-05:00", "22:00-25:00", "08:00-08:00", "8:00-9:00"]
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the settings say it in words
        parse_window(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-13-01",
        "2026-12-02/2026-12-01",
        "2026-12-01T22:00",
        "2026-12-01/",
        "tomorrow",
        "2026-12-01T22:00/",
    ],
)
def test_what_is_no_closure(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the settings say it in words
        parse_closure(text)


MINUTES = st.integers(0, 24 * 60 - 1)


@given(
    windows=st.lists(st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] != pair[1]), max_size=3),
    closed=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3000)), max_size=3),
    minute=st.integers(0, 6000),
)
def test_it_is_open_when_it_is_said_to_open_and_not_a_minute_before(
    windows: list[tuple[int, int]], closed: list[tuple[int, int]], minute: int
) -> None:
    begin = datetime(2026, 12, 1, tzinfo=VIETNAM_ZONE)
    moments = [
        (begin + timedelta(minutes=start), begin + timedelta(minutes=start + long)) for start, long in closed
    ]
    hours = ServiceHours.of(
        [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in windows],
        [f"{a.isoformat()}/{b.isoformat()}" for a, b in moments],
    )
    now = begin + timedelta(minutes=minute)
    opens = hours.opens_at(now)
    assert opens is not None
    assert hours.is_open_at(opens)
    passed = int((opens - now).total_seconds() // 60)
    assert not any(hours.is_open_at(now + timedelta(minutes=one)) for one in range(passed))


def test_always_is_open() -> None:
    assert ALWAYS_OPEN.is_open_at(datetime.now(UTC))
