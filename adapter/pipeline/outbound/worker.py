"""Workers: any number of processes on any number of hosts deliver from one ledger, without a leader.

Each takes beats of the schedule (and so plans for a hospital, reads a source), and between beats whatever
is due: retries, and shipments that another process woke. Nothing is told from one to the other; all of it
is in the database.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from time import monotonic
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from adapter.delivery.http.client import HospitalClient
from adapter.delivery.worker import effective_lease_seconds
from adapter.errors import AdapterError, Busy, SettingsError
from adapter.ledger.workers.named_locks import NamedLockStore
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.mappings.activation import choose_mapping
from adapter.pipeline.outbound.sync import (
    RunContext,
    activate_mapping,
    deliver_due,
    plan_with_lock,
    planning_lock,
    server_client,
    server_token,
    stable_since,
)
from adapter.settings import HospitalSettings
from adapter.telemetry import get_logger

__all__ = ["RunJobs", "ScheduledJob", "SharedSchedule", "job_lock", "run_worker"]

_POLL = 0.5  # seconds between two looks at what is due
_WATCH = 5.0  # seconds between two looks at what nobody seems to work on any more
_REST = 30.0  # seconds that a hospital's delivery rests after an error of our own: a missing secret, say
_AWAY = 3.0  # seconds between two tries to reach a database that is away
_TRIES = 20  # of a plan that it was away for, each after a longer pause: ten minutes in all
_log = get_logger(__name__)


class RunJobs(Protocol):
    """How beats are run: see scheduler.run."""

    def __call__(
        self,
        jobs: Mapping[str, str],
        work: Callable[[str], None],
        stop: threading.Event,
        clock: Callable[[], datetime],
        beats: "SharedSchedule",
        *,
        once: bool,
    ) -> None: ...


@dataclass(frozen=True)
class ScheduledJob:
    """Something else to do on a schedule; no two processes do it at once."""

    cron: str
    run: Callable[[], None]


class SharedSchedule:
    """The beats that all processes of one database share."""

    def __init__(self, turns: NamedLockStore) -> None:
        self._turns = turns

    def next_runs(self, names: Sequence[str]) -> Mapping[str, datetime | None]:
        """See scheduler.Beats."""
        found = self._turns.next_runs([_key(name) for name in names])
        return {name: found[_key(name)] for name in names}

    def claim_run(self, name: str, seen: datetime | None, following: datetime) -> bool:
        """See scheduler.Beats."""
        return self._turns.claim_run(_key(name), seen, following)


def _key(job: str) -> str:
    """A hospital's beat is that of planning for it; other jobs have a colon in their names."""
    return job if ":" in job else f"plan:{job}"


@contextmanager
def job_lock(adapter: Adapter, job: str) -> Iterator[None]:
    """Do `job`, and nobody else meanwhile. Raises Busy."""
    turn = adapter.ledger.named_locks.acquire(job, adapter.settings.lease_seconds)
    if turn is None:
        raise Busy("sync.busy", hospital=job)
    try:
        yield
    finally:
        adapter.ledger.named_locks.give_back(turn)


def run_worker(
    adapter: Adapter,
    hospitals: Sequence[str],
    clock: Callable[[], datetime],
    stop: threading.Event,
    *,
    jobs: Mapping[str, ScheduledJob],
    beats: RunJobs,
    threads: int | None = None,
    once: bool = False,
    quiet: timedelta | None = None,
) -> None:
    """Plan and deliver for these hospitals, and do the other `jobs`, until `stop` is set; what is in flight
    ends before this returns, and no lease is left. `threads` deliver to each hospital (default: its
    concurrency). `next_runs` is scheduler.run. `once`: until nothing is due. Raises SchemaNewer when a newer
    adapter took over.
    """
    now = RunContext(adapter, clock, lambda _stage, _hospital, _done, _total: None, stop)
    crons = {name: adapter.settings.hospital(name).schedule for name in hospitals}
    crons |= {name: job.cron for name, job in jobs.items()}

    def beat(name: str) -> None:
        if name not in jobs:
            _patiently(partial(_plan, now, name, quiet), stop)
            return
        with job_lock(adapter, name):
            jobs[name].run()

    with adapter.as_worker(clock, stop), _Crews(now, hospitals, threads) as crews:
        _ = adapter.identities  # without its key nothing can be said to anybody
        beating = threading.Thread(
            target=beats,
            args=(crons, beat, stop, clock, SharedSchedule(adapter.ledger.named_locks)),
            kwargs={"once": once},
            name="beats",
        )
        beating.start()
        try:
            _send(crews, beating, stop, once=once)
        except BaseException:
            stop.set()  # or the beats would go on without anybody who delivers
            raise
        finally:
            beating.join()


def _send(crews: "_Crews", beating: threading.Thread, stop: threading.Event, *, once: bool) -> None:
    """Send crews until `stop` is set, or with `once` until nothing is due or being planned."""
    while not stop.is_set():
        planning = beating.is_alive()
        try:
            busy = crews.send()
        except SQLAlchemyError as error:  # the database is away: restarted, say
            _log.warning("worker.no_database", error=type(error).__name__)
            stop.wait(_AWAY)
            continue
        if once and not busy and not planning:
            break
        stop.wait(_POLL)


def _patiently(run: Callable[[], None], stop: threading.Event) -> None:
    """Run it again while the database is away: the next beat may be a day ahead."""
    for tries in count(1):
        try:
            return run()
        except SQLAlchemyError as error:
            if tries > _TRIES or stop.is_set():
                raise
            _log.warning("worker.no_database", error=type(error).__name__)
            stop.wait(_AWAY * tries)


def _plan(now: RunContext, name: str, quiet: timedelta | None) -> None:
    """One beat of a hospital. What it wakes is delivered by whoever sees it first."""
    adapter = now.adapter
    process_inbox(adapter, now.clock())
    settled = stable_since(adapter, now.clock(), quiet)
    turn = planning_lock(adapter, name)
    try:
        choice = activate_mapping(now, name, partial(choose_mapping, keep=True, settled=settled), "worker")
    except BaseException:
        adapter.ledger.named_locks.give_back(turn)
        raise
    planned = plan_with_lock(now, choice, turn)
    if planned.changed:
        _log.info("worker.planned", hospital=name, changes=planned.changed)


def _length(adapter: Adapter, name: str) -> float:
    return effective_lease_seconds(
        adapter.settings.lease_seconds, adapter.settings.hospital(name).timeout_seconds
    )


class _Crews:
    """The threads that deliver: a crew for each hospital that something is due for, so that none waits
    for another.
    """

    def __init__(self, now: RunContext, hospitals: Sequence[str], threads: int | None) -> None:
        self._now = now
        self._names = list(hospitals)
        self._threads = threads
        self._crews: dict[str, Future[None]] = {}
        self._clients: dict[str, tuple[str, HospitalClient]] = {}
        self._rest: dict[str, float] = {}
        self._lengths = {name: _length(now.adapter, name) for name in hospitals}
        self._watched = monotonic()
        self._pool = ThreadPoolExecutor(max(1, len(self._names)), thread_name_prefix="crew")

    def __enter__(self) -> "_Crews":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for _token, client in self._clients.values():
            client.__exit__(None, None, None)

    def send(self) -> bool:
        """Send a crew wherever something is due and none is at work; whether one is anywhere."""
        shipments = self._now.adapter.ledger.shipments
        if monotonic() - self._watched >= _WATCH:
            shipments.reclaim_expired(self._lengths)
            self._watched = monotonic()
        self._crews = {name: crew for name, crew in self._crews.items() if not crew.done()}
        idle = [name for name in self._names if name not in self._crews and self._may(name)]
        now = self._now.clock()
        for name in shipments.hospitals_due(idle, now):
            if self._admits(name, now):
                self._crews[name] = self._pool.submit(self._deliver, name)
        return bool(self._crews)

    def _admits(self, name: str, now: datetime) -> bool:
        """Whether the hospital takes anything now. One that refuses our token does as soon as another one is
        in its file.
        """
        adapter = self._now.adapter
        standing = adapter.ledger.hospitals.admission(name, now)
        if standing.why == "breaker":
            with suppress(SettingsError):  # said when it is its turn
                server_token(adapter, adapter.settings.hospital(name), now)
        return standing.max_in_flight > 0

    def _may(self, name: str) -> bool:
        return self._rest.get(name, 0) <= monotonic()

    def _deliver(self, name: str) -> None:
        hospital = self._now.adapter.settings.hospital(name)
        try:
            done = deliver_due(self._now, hospital, self._client(hospital), threads=self._threads)
        except Exception as error:  # noqa: BLE001 - one hospital's trouble must not end the worker
            is_away = isinstance(error, SQLAlchemyError)
            self._rest[name] = monotonic() + (_AWAY if is_away else _REST)
            is_ours = is_away or isinstance(error, AdapterError)
            _log.error("worker.failed", hospital=name, error=type(error).__name__, exc_info=not is_ours)
            return
        if done.requests:
            _log.info("worker.delivered", hospital=name, delivered=done.resources, requests=done.requests)

    def _client(self, hospital: HospitalSettings) -> HospitalClient:
        """The hospital's client, kept while its secret stays the same."""
        settings = self._now.adapter.settings
        token = settings.secret(hospital.token).get_secret_value() if hospital.token else ""
        known = self._clients.get(hospital.name)
        if known is None or known[0] != token:
            if known is not None:
                known[1].__exit__(None, None, None)
            self._clients[hospital.name] = (
                token,
                server_client(self._now.adapter, hospital, self._now.clock()).__enter__(),
            )
        return self._clients[hospital.name][1]
