"""The loop of all duties: each on its own cron expression, in Viet Nam's time.

One thread per duty, so a slow hospital delays nobody; a beat that comes while the former one
still runs is skipped, not piled up. When told to stop, no new beat starts and the running ones end.
Any number of processes may share the beats: each is taken once.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from adapter.errors import Busy, SettingsError
from adapter.ledger.workers.named_locks import NamedLockStore
from adapter.telemetry import SCHEDULED_RUNS, get_logger

__all__ = ["VIETNAM_ZONE", "Schedule", "SharedSchedule", "next_run", "run_jobs"]

VIETNAM_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_LONGEST_NAP = timedelta(seconds=30)  # a clock that was set, or a machine that slept, is noticed by then

_AWAY = timedelta(seconds=5)

_log = get_logger(__name__)


def next_run(cron: str, after: datetime) -> datetime:
    """First moment after `after` that the cron expression names, as wall time of Viet Nam.

    Five fields, or six with seconds first. Raises SettingsError for an expression that is wrong or
    names no moment in the next fifty years. `after` must know its zone.
    """
    if after.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    try:
        return next(CronSim(cron, after.astimezone(VIETNAM_ZONE)))
    except (CronSimError, StopIteration) as error:
        raise SettingsError("schedule.bad_cron", cron=cron, problem=str(error) or "-") from error


class Schedule(Protocol):
    """Where the next beats are written down: in memory, or where all processes take them from."""

    def next_runs(self, names: Sequence[str]) -> Mapping[str, datetime | None]:
        """When the next beat of each is; None: nobody has said."""

    def claim_run(self, name: str, seen: datetime | None, following: datetime) -> bool:
        """The beat `seen` is the caller's, and the next one `following`; False: it is somebody else's."""


class _InMemorySchedule:
    """The beats of a process that shares them with nobody."""

    def __init__(self) -> None:
        self._next: dict[str, datetime] = {}

    def next_runs(self, names: Sequence[str]) -> Mapping[str, datetime | None]:
        return {name: self._next.get(name) for name in names}

    def claim_run(self, name: str, seen: datetime | None, following: datetime) -> bool:
        self._next[name] = following
        return True


class SharedSchedule:
    """The beats that all processes of one database share."""

    def __init__(self, turns: NamedLockStore) -> None:
        self._turns = turns

    def next_runs(self, names: Sequence[str]) -> Mapping[str, datetime | None]:
        """See Schedule."""
        found = self._turns.next_runs([_key(name) for name in names])
        return {name: found[_key(name)] for name in names}

    def claim_run(self, name: str, seen: datetime | None, following: datetime) -> bool:
        """See Schedule."""
        return self._turns.claim_run(_key(name), seen, following)


def _key(job: str) -> str:
    """A hospital's beat is that of planning for it; other jobs have a colon in their names."""
    return job if ":" in job else f"plan:{job}"


def run_jobs(
    jobs: Mapping[str, str],
    work: Callable[[str], None],
    stop: Event,
    clock: Callable[[], datetime],
    beats: Schedule | None = None,
    *,
    once: bool = False,
) -> None:
    """Call `work(name)` at every beat of `jobs` (name → cron) until `stop` is set; then wait for
    what still runs. An exception of `work` is logged and ends only that beat; Busy is a
    beat skipped. A beat that was missed is taken when that is noticed, several as one. With `once` only
    those are taken that are due now, or never were.

    Raises SettingsError at once if an expression is wrong.
    """
    listed, threads = beats or _InMemorySchedule(), dict[str, Thread]()
    now = clock()
    for cron in jobs.values():
        next_run(cron, now)
    while not stop.is_set():
        nearest = now + _LONGEST_NAP
        try:
            for name in jobs:
                due, is_due = _take(listed, name, jobs[name], now, at_first=once)
                nearest = min(nearest, due)
                if is_due:
                    _beat(name, work, threads)
        except Exception:  # noqa: BLE001 - where the beats are written down may be away for a while
            _log.error("schedule.failed", exc_info=True)
            nearest = now + _AWAY
        if once:
            break
        stop.wait(max(0.0, (nearest - clock()).total_seconds()))
        now = clock()
    for thread in threads.values():
        thread.join()


def _take(beats: Schedule, name: str, cron: str, now: datetime, *, at_first: bool) -> tuple[datetime, bool]:
    """When the next beat of a job is, and whether one is the caller's now (`at_first`: also the first)."""
    due, following = beats.next_runs([name])[name], next_run(cron, now)
    is_due = at_first if due is None else due <= now
    if due is not None and not is_due and not _is_too_far(cron, due, following):
        return due, False
    return following, beats.claim_run(name, due, following) and is_due


def _is_too_far(cron: str, due: datetime, following: datetime) -> bool:
    """Whether a beat lies further ahead than two: the clock it was written by was wrong, or the expression
    is another now. Clocks of two hosts may differ by one.
    """
    return due > following and due > next_run(cron, following)


def _beat(name: str, work: Callable[[str], None], threads: dict[str, Thread]) -> None:
    thread = threads.get(name)
    if thread is not None and thread.is_alive():
        _skip(name)
        return
    threads[name] = Thread(target=_work, args=(name, work), name=f"schedule-{name}")
    threads[name].start()


def _skip(name: str) -> None:
    SCHEDULED_RUNS.labels(hospital=name, outcome="skipped").inc()
    _log.info("schedule.skipped", hospital=name)


def _work(name: str, work: Callable[[str], None]) -> None:
    try:
        work(name)
    except Busy:  # a sync that cron or a person started has the hospital
        _skip(name)
    except Exception:  # noqa: BLE001 - one failed beat must not end the schedule
        SCHEDULED_RUNS.labels(hospital=name, outcome="failed").inc()
        _log.error("schedule.failed", hospital=name, exc_info=True)
    else:
        SCHEDULED_RUNS.labels(hospital=name, outcome="done").inc()
