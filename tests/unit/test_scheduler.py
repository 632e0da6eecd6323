"""Beats: at the right moment of Viet Nam's day, never two at once for a hospital, ended cleanly."""

from datetime import UTC, datetime, timedelta, timezone
from threading import Event, Lock, Thread
from time import monotonic, sleep

import pytest

from adapter.duties.schedule import next_run, run_jobs
from adapter.errors import Busy, SettingsError
from adapter.telemetry import SCHEDULED_RUNS

NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)  # 12:00 in Hà Nội
EVERY_SECOND = "* * * * * *"


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("*/30 * * * *", NOON, datetime(2026, 11, 2, 5, 30, tzinfo=UTC)),
        ("0 7 * * *", NOON, datetime(2026, 11, 3, 0, 0, tzinfo=UTC)),
        ("0 7 * * *", datetime(2026, 11, 2, 23, 59, tzinfo=UTC), datetime(2026, 11, 3, 0, 0, tzinfo=UTC)),
        ("0 7 * * *", datetime(2026, 11, 3, 0, 0, tzinfo=UTC), datetime(2026, 11, 4, 0, 0, tzinfo=UTC)),
        ("0 2 * * MON", NOON, datetime(2026, 11, 8, 19, 0, tzinfo=UTC)),
        ("0 0 29 2 *", NOON, datetime(2028, 2, 28, 17, 0, tzinfo=UTC)),
        # where clocks change, ours do not: New York's last night of summer time
        (
            "30 13 * * *",
            datetime(2026, 11, 1, 1, 59, tzinfo=timezone(timedelta(hours=-4))),
            datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
        ),
    ],
)
def test_next_beat(cron: str, after: datetime, expected: datetime) -> None:
    found = next_run(cron, after)
    assert found == expected
    assert found.utcoffset() == timedelta(hours=7)


@pytest.mark.parametrize("cron", ["", "soon", "61 * * * *", "0 0 30 2 *", "* * * *"])
def test_wrong_expressions(cron: str) -> None:
    with pytest.raises(SettingsError):
        next_run(cron, NOON)
    with pytest.raises(SettingsError):
        run_jobs({"bv-tinh": cron}, lambda _: None, Event(), lambda: NOON)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        next_run("* * * * *", datetime(2026, 11, 2))  # noqa: DTZ001 - that is the point


def _until(condition: object, seconds: float = 20) -> None:
    end = monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert monotonic() < end, "waited in vain"
        sleep(0.01)


def test_a_slow_hospital_skips_beats_and_delays_nobody() -> None:
    stop, release, lock = Event(), Event(), Lock()
    calls: list[str] = []
    running: set[str] = set()
    overlaps: list[str] = []

    def work(name: str) -> None:
        with lock:
            if name in running:
                overlaps.append(name)
            running.add(name)
            calls.append(name)
        if name == "slow":
            release.wait(30)
        with lock:
            running.discard(name)

    skipped = SCHEDULED_RUNS.labels(hospital="slow", outcome="skipped")
    before = skipped._value.get()
    jobs = {"slow": EVERY_SECOND, "quick": EVERY_SECOND}
    thread = Thread(target=run_jobs, args=(jobs, work, stop, lambda: datetime.now(UTC)))
    thread.start()
    _until(lambda: calls.count("quick") >= 3)
    assert calls.count("slow") == 1
    assert skipped._value.get() > before
    stop.set()
    sleep(0.1)
    assert thread.is_alive(), "it waits for the beat that still runs"
    release.set()
    thread.join(20)
    assert not thread.is_alive()
    assert overlaps == []


def test_a_failing_beat_does_not_end_the_schedule() -> None:
    stop = Event()
    calls: list[str] = []

    def work(name: str) -> None:
        calls.append(name)
        raise RuntimeError("no")

    thread = Thread(target=run_jobs, args=({"bv-tinh": EVERY_SECOND}, work, stop, lambda: datetime.now(UTC)))
    thread.start()
    _until(lambda: len(calls) >= 2)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def test_a_hospital_that_another_process_syncs_is_a_beat_skipped() -> None:
    stop = Event()
    counts = {
        word: SCHEDULED_RUNS.labels(hospital="elsewhere", outcome=word)
        for word in ("skipped", "failed", "done")
    }

    def work(name: str) -> None:
        stop.set()
        raise Busy("sync.busy", hospital=name)

    run_jobs({"elsewhere": EVERY_SECOND}, work, stop, lambda: datetime.now(UTC))
    assert {word: count._value.get() for word, count in counts.items()} == {
        "skipped": 1,
        "failed": 0,
        "done": 0,
    }


def test_missed_beats_are_not_made_up_for() -> None:
    """After an hour asleep there is one beat, not sixty."""
    stop = Event()
    moments = iter([NOON, NOON + timedelta(hours=1)])
    last = NOON + timedelta(hours=1, seconds=1)
    calls: list[str] = []
    thread = Thread(
        target=run_jobs, args=({"bv-tinh": "* * * * *"}, calls.append, stop, lambda: next(moments, last))
    )
    thread.start()
    _until(lambda: calls)
    sleep(0.1)
    stop.set()
    thread.join(20)
    assert calls == ["bv-tinh"]
