"""Runs each hospital's work on its own cron expression, in Viet Nam's time.

One thread per hospital, so a slow hospital delays nobody; a beat that comes while the former one
still runs is skipped, not piled up. When told to stop, no new beat starts and the running ones end.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from adapter.errors import Busy, SettingsError
from adapter.telemetry import BEATS, get_logger

__all__ = ["ZONE", "next_beat", "run"]

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_LONGEST_NAP = 30.0  # seconds; a clock that was set, or a machine that slept, is noticed by then

_log = get_logger(__name__)


def next_beat(cron: str, after: datetime) -> datetime:
    """First moment after `after` that the cron expression names, as wall time of Viet Nam.

    Five fields, or six with seconds first. Raises SettingsError for an expression that is wrong or
    names no moment in the next fifty years. `after` must know its zone.
    """
    if after.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    try:
        return next(CronSim(cron, after.astimezone(ZONE)))
    except (CronSimError, StopIteration) as error:
        raise SettingsError("schedule.bad_cron", cron=cron, problem=str(error) or "-") from error


@dataclass(slots=True)
class _Job:
    name: str
    cron: str
    due: datetime
    thread: Thread | None = None

    @property
    def busy(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


def run(
    jobs: Mapping[str, str],
    work: Callable[[str], None],
    stop: Event,
    clock: Callable[[], datetime],
) -> None:
    """Call `work(name)` at every beat of `jobs` (name → cron) until `stop` is set; then wait for
    what still runs. An exception of `work` is logged and ends only that beat; Busy is a
    beat skipped.

    Raises SettingsError at once if an expression is wrong.
    """
    started = clock()
    listed = [_Job(name, cron, next_beat(cron, started)) for name, cron in jobs.items()]
    while not stop.is_set():
        now = clock()
        for job in listed:
            if job.due <= now:
                _beat(job, work)
                job.due = next_beat(job.cron, now)  # beats missed meanwhile are not made up for
        pause = min(((job.due - clock()).total_seconds() for job in listed), default=_LONGEST_NAP)
        stop.wait(max(0.0, min(pause, _LONGEST_NAP)))
    for job in listed:
        if job.thread is not None:
            job.thread.join()


def _beat(job: _Job, work: Callable[[str], None]) -> None:
    if job.busy:
        _skip(job.name)
        return
    job.thread = Thread(target=_work, args=(job.name, work), name=f"schedule-{job.name}")
    job.thread.start()


def _skip(name: str) -> None:
    BEATS.labels(hospital=name, outcome="skipped").inc()
    _log.info("schedule.skipped", hospital=name)


def _work(name: str, work: Callable[[str], None]) -> None:
    try:
        work(name)
    except Busy:  # a sync that cron or a person started has the hospital
        _skip(name)
    except Exception:  # noqa: BLE001 - one failed beat must not end the schedule
        BEATS.labels(hospital=name, outcome="failed").inc()
        _log.error("schedule.failed", hospital=name, exc_info=True)
    else:
        BEATS.labels(hospital=name, outcome="done").inc()
