"""Breaker, concurrency, requests a second and size of Bundles: what is decided from a hospital's row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.ledger.hospitals import bundle_size, circuit_breaker, token_bucket
from adapter.ledger.hospitals.circuit_breaker import (
    Admission,
    BreakerState,
    HospitalHealth,
    HospitalMode,
    PaceLimits,
)
from adapter.ledger.hospitals.token_bucket import TokenBucket
from adapter.service_hours import ServiceHours

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)  # 15:00 in Viet Nam
FOUR = PaceLimits(concurrency=4)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def failed(
    health: HospitalHealth,
    why: str = "unreachable",
    asked: float | None = None,
    at: float = 0,
    jitter: float = 0,
) -> HospitalHealth:
    return circuit_breaker.after_failure(health, why, asked, after(at), limits=FOUR, jitter=jitter)


OPEN = HospitalHealth(
    breaker=BreakerState.OPEN, failures=1, failing_since=NOW, not_before=after(60), last_error="timeout"
)
NIGHT = PaceLimits(concurrency=4, hours=ServiceHours.of(["22:00-05:00"], ["2026-11-23"]))


@pytest.mark.parametrize(
    ("health", "limits", "expected"),
    [
        (HospitalHealth(), FOUR, Admission(2)),
        (HospitalHealth(allowed=3.9), FOUR, Admission(3)),
        (HospitalHealth(allowed=0.2), FOUR, Admission(1)),
        (HospitalHealth(allowed=16), FOUR, Admission(4)),
        (HospitalHealth(allowed=4), PaceLimits(concurrency=4, per_second=0.1), Admission(1)),
        (HospitalHealth(mode=HospitalMode.DRAINING), FOUR, Admission(2)),
        (HospitalHealth(mode=HospitalMode.PAUSED), FOUR, Admission(0, "paused")),
        (replace(OPEN, mode=HospitalMode.PAUSED), FOUR, Admission(0, "paused")),
        (OPEN, FOUR, Admission(0, "breaker", after(60))),
        (replace(OPEN, not_before=NOW), FOUR, Admission(1, probing=True)),
        (replace(OPEN, not_before=None), FOUR, Admission(1, probing=True)),
        (replace(OPEN, breaker=BreakerState.HALF_OPEN, not_before=NOW), FOUR, Admission(1, probing=True)),
        (HospitalHealth(), NIGHT, Admission(0, "hours", datetime(2026, 11, 22, 15, tzinfo=UTC))),
        (OPEN, NIGHT, Admission(0, "breaker", datetime(2026, 11, 22, 15, tzinfo=UTC))),
        (replace(OPEN, not_before=after(2 * 3600)), FOUR, Admission(1, probing=True)),  # no wait is so long
    ],
)
def test_what_may_be_in_flight(health: HospitalHealth, limits: PaceLimits, expected: Admission) -> None:
    assert circuit_breaker.admission(health, limits, NOW) == expected


def test_the_breaker_opens_longer_each_time_that_the_probe_fails_and_closes_when_one_is_answered() -> None:
    health, waits = HospitalHealth(), []
    now = 0.0
    for _ in range(14):
        health = failed(health, at=now)
        assert health.breaker is BreakerState.OPEN
        assert health.not_before is not None
        waits.append((health.not_before - after(now)).total_seconds())
        now += waits[-1]
        assert circuit_breaker.admission(health, FOUR, after(now)) == Admission(1, probing=True)
        health = circuit_breaker.half_opened(health)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]
    assert health.failing_since == NOW
    assert circuit_breaker.after_success(health) == HospitalHealth()


def test_what_was_under_way_when_it_opened_neither_counts_nor_closes() -> None:
    opened = failed(HospitalHealth())
    assert failed(opened, at=0.5) == opened
    assert failed(opened, at=3) == opened
    assert circuit_breaker.after_success(opened) == opened
    assert circuit_breaker.after_success(circuit_breaker.half_opened(opened)).breaker is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("why", "asked", "seconds", "respected"),
    [
        ("busy", 30, 30, True),
        ("busy", None, 1, True),
        ("server-error", 30, 30, True),
        ("server-error", None, 1, False),
        ("busy", 10_000_000, 3600, True),
        ("busy", 0, 0, True),
        ("auth", None, 900, True),
        ("auth", 5, 900, True),
        ("auth", 1800, 1800, True),
        ("unreachable", None, 1, False),
    ],
)
def test_how_long_it_is_left_alone(why: str, asked: float | None, seconds: float, respected: bool) -> None:
    health = failed(HospitalHealth(), why, asked)
    assert health.not_before == after(seconds)
    assert health.asked_until == (after(seconds) if respected else None)
    assert health.last_error == why


def test_a_longer_wait_that_is_asked_for_meanwhile_counts() -> None:
    opened = failed(HospitalHealth(), "timeout")
    asked = failed(opened, "busy", 60, at=0.5)
    assert (asked.not_before, asked.failures) == (after(60.5), 1)
    assert failed(asked, "busy", 5, at=1) == asked


def test_jitter_only_makes_it_later() -> None:
    assert failed(HospitalHealth(), jitter=1).not_before == after(1.2)
    assert failed(HospitalHealth(), "busy", 10, jitter=0.5).not_before == after(11)


def test_a_row_from_before_breakers_had_states_is_waited_for_and_then_served() -> None:
    old = HospitalHealth(failures=5, not_before=after(10), last_error="timeout")
    assert circuit_breaker.admission(old, FOUR, NOW) == Admission(0, "breaker", after(10))
    assert circuit_breaker.admission(old, FOUR, after(10)) == Admission(2)
    assert circuit_breaker.after_success(old) == HospitalHealth()


def test_concurrency_starts_with_half_grows_by_one_a_round_and_halves_once_for_one_crowd() -> None:
    health = HospitalHealth()
    rounds = [circuit_breaker.max_in_flight(health, FOUR)]
    for second in range(3):
        for _ in range(rounds[-1]):
            health = circuit_breaker.after_good_answers(health, FOUR, 1, after(second))
        rounds.append(circuit_breaker.max_in_flight(health, FOUR))
    assert rounds == [2, 3, 4, 4]
    halved = circuit_breaker.after_throttling(health, FOUR, after(10))
    assert circuit_breaker.max_in_flight(halved, FOUR) == 2
    assert circuit_breaker.after_throttling(halved, FOUR, after(11)) == halved
    assert circuit_breaker.after_good_answers(halved, FOUR, 8, after(11)) == halved
    assert circuit_breaker.max_in_flight(circuit_breaker.after_throttling(halved, FOUR, after(13)), FOUR) == 1
    assert (
        circuit_breaker.max_in_flight(circuit_breaker.after_throttling(halved, FOUR, after(-3600)), FOUR) == 1
    )  # the clock was set back
    for why, left in (("busy", 2), ("timeout", 2), ("unreachable", 4), ("auth", 4)):
        assert circuit_breaker.max_in_flight(failed(health, why, at=20), FOUR) == left


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["success", "failure", "probe", "crowd", "good", "at once", "reset"]),
        st.sampled_from(["busy", "auth", "timeout", "unreachable"]),
        st.one_of(st.none(), st.floats(0, 1e9)),
        st.floats(-7200, 7200),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(events=EVENTS, concurrency=st.integers(1, 16))
def test_whatever_happens_and_whatever_clocks_do_it_is_served_again_within_the_longest_wait(
    events: list[tuple[str, str, float | None, float]], concurrency: int
) -> None:
    limits, health, now = PaceLimits(concurrency=concurrency), HospitalHealth(), NOW
    for what, why, asked, passed in events:
        now += timedelta(seconds=passed)
        match what:
            case "success":
                health = circuit_breaker.after_success(health)
            case "failure":
                health = circuit_breaker.after_failure(health, why, asked, now, limits=limits, jitter=0.5)
            case "probe" if circuit_breaker.admission(health, limits, now).probing:
                health = circuit_breaker.half_opened(health)
            case "crowd":
                health = circuit_breaker.after_throttling(health, limits, now)
            case "good":
                health = circuit_breaker.after_good_answers(health, limits, 3, now)
            case "at once":
                health = circuit_breaker.without_wait(health)
            case "reset":
                health = circuit_breaker.after_reset(health)
        assert 1 <= circuit_breaker.max_in_flight(health, limits) <= concurrency
        found = circuit_breaker.admission(health, limits, now)
        assert found.max_in_flight <= concurrency
        assert found.max_in_flight or (found.until and found.until - now <= timedelta(hours=1.5))
        if health.breaker is not BreakerState.CLOSED:
            assert found.max_in_flight <= 1


@settings(deadline=None)
@given(
    rate=st.floats(0.1, 500),
    gaps=st.lists(st.floats(-10, 3), min_size=1, max_size=60),
    start=st.floats(-100, 9),
)
def test_a_bucket_gives_the_rate_and_its_burst_also_by_a_clock_that_is_set_back(
    rate: float, gaps: list[float], start: float
) -> None:
    count = token_bucket.reservation_size(rate)
    bucket: TokenBucket | None = TokenBucket(start, NOW)
    burst = max(1.0, rate / 4)
    given_at: list[float] = []
    passed = back = 0.0
    for gap in gaps:
        passed, back = passed + max(gap, 0), back + min(gap, 0)
        bucket, wait = token_bucket.reserve_tokens(bucket, after(passed + back), rate, count)
        assert wait >= 0
        given_at += [passed + wait + number / rate for number in range(count)]
    for at in given_at:
        within = sum(at <= other < at + 1 for other in given_at)
        assert within <= rate + burst + 1


def test_a_clock_that_was_set_back_or_a_broken_row_stops_no_request() -> None:
    later = TokenBucket(0.0, after(3600))
    bucket, wait = token_bucket.reserve_tokens(later, NOW, 10, 1)
    assert (bucket.at, wait) == (NOW, 0.1)
    assert token_bucket.reserve_tokens(TokenBucket(float("nan"), NOW), NOW, 10, 1)[1] == 0


@pytest.mark.parametrize(
    ("entries", "took", "seconds", "expected"),
    [
        (None, 50, None, 25),  # no answer in time
        (25, 25, None, 12),
        (1, 1, None, 1),
        (50, 10, None, 5),
        (50, 50, 16, 25),  # more than half of the timeout
        (50, 50, 10, 50),  # more than a quarter
        (20, 20, 5, 22),
        (20, 7, 1, 20),  # was not full: proves nothing
        (49, 49, 1, 50),
        (None, 50, 1, 50),
        (80, 50, 1, 50),  # the setting was lowered
    ],
)
def test_the_size_of_a_bundle_follows_the_time_that_it_takes(
    entries: int | None, took: int, seconds: float | None, expected: int
) -> None:
    assert bundle_size.next_bundle_size(entries, took, seconds, 30, 50) == expected


def test_bundles_that_timed_out_together_make_the_next_half_as_large_once() -> None:
    size: int | None = None
    for _ in range(8):  # all were sent before the first of them had no answer
        size = bundle_size.next_bundle_size(size, 50, None, 30, 50)
    assert size == 25
    assert bundle_size.next_bundle_size(size, 25, None, 30, 50) == 12


@settings(deadline=None)
@given(per_entry=st.floats(0.01, 2.0), timeout=st.floats(10, 60))
def test_bundles_settle_at_what_a_slow_server_manages_in_time(per_entry: float, timeout: float) -> None:
    size: int | None = None
    timeouts = 0
    for number in range(200):
        took = size or 50
        seconds = took * per_entry
        timeouts += seconds > timeout and number >= 20
        size = bundle_size.next_bundle_size(size, took, None if seconds > timeout else seconds, timeout, 50)
    assert size is not None
    assert timeouts == 0
    assert size * per_entry <= timeout / 2 or size == 1
    assert size == 50 or (size + 2) * per_entry > timeout / 8
