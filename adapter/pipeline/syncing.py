"""One sync: the ledger is brought up to date, then every hospital gets what is due, side by side."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from adapter import audit
from adapter.delivery.client import HospitalClient
from adapter.delivery.worker import Delivered, deliver
from adapter.errors import AdapterError, Busy, MappingError, PolicyError
from adapter.ledger.state import State
from adapter.pipeline.inbound import process_inbox
from adapter.pipeline.inforce import Kept, Progress, choose, settle
from adapter.pipeline.opened import Adapter, Outlet
from adapter.pipeline.planning import update_ledger
from adapter.telemetry import get_logger

__all__ = ["HospitalSummary", "Summary", "sync"]

_log = get_logger(__name__)


@dataclass(frozen=True)
class HospitalSummary:
    """What one sync did at one hospital, and how things stand there after it."""

    planned: int  # resources that were new, changed or gone
    delivered: int  # resources that the hospital took or was found to hold
    retracted: int  # resources that were deleted there, proved by reading back
    waiting: int
    parked: int
    unknown: int
    withheld: int
    requests: int
    write_requests: int
    unreachable: bool
    stuck: int = 0  # to be retracted, and refused several times
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """What one sync did. `exit_code`: 0 all delivered or waiting by design, 1 a person should look."""

    hospitals: Mapping[str, HospitalSummary]
    stopped: bool = False  # told to stop before all was done

    @property
    def exit_code(self) -> int:
        """0, or 1 when something is parked or unknown, a hospital was not reached, or work was left."""
        bad = self.needs_looking or any(found.problems for found in self.hospitals.values())
        return 1 if bad or self.stopped else 0

    @property
    def needs_looking(self) -> bool:
        """Whether something waits for a person, or a hospital was not reached."""
        found = self.hospitals.values()
        return any(h.parked or h.unknown or h.stuck or h.unreachable for h in found)


@dataclass(frozen=True)
class _Done:
    """What a hospital's part of a sync comes to."""

    planned: int
    delivered: Delivered
    kept: Kept | None


@contextmanager
def _locked(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Hold the sync lock of each hospital; the operating system frees it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for name in sorted(names):
            try:
                held.enter_context(FileLock(folder / f"sync-{name}.lock", timeout=0))
            except Timeout as error:
                raise Busy("sync.busy", hospital=name) from error
        yield


def sync(
    adapter: Adapter,
    hospitals: Sequence[str],
    clock: Callable[[], datetime],
    progress: Progress,
    stop: threading.Event | None = None,
    *,
    accept: bool = False,
    keep: bool = False,
    quiet: timedelta | None = None,
    by: str = "sync",
) -> Summary:
    """Send what changed to these hospitals. Raises Busy when another process syncs one of them.

    A hospital that fails on its own (its secret is missing, say) is reported and delays no other. A
    mapping that would send too much again is refused and the one in force holds, unless told to
    `accept` it; one that is broken raises MappingError, unless told to `keep` the one in force.
    `quiet`: a mapping waits until nobody wrote in its folder for that long, and a policy delays the sync
    as Busy: half a file may look like a whole one.
    `by` is who asked, for the audit.
    """
    stop = stop or threading.Event()
    with _locked(adapter.settings.data_folder, hospitals):
        process_inbox(adapter, clock())
        _ = adapter.identities  # without its key nothing can be said to anybody

        settled = clock() - quiet if quiet else None
        if settled is not None and adapter.library.written()[1] > settled:
            raise Busy("diff.policy_fresh")

        def one(name: str) -> _Done:
            try:
                choice = choose(adapter, name, progress, accept=accept, keep=keep, settled=settled)
                _ = choice.outlet.policy
            except PolicyError:
                _log.error("policy.broken", hospital=name)
                raise
            settle(adapter, choice, clock(), by)
            planned = update_ledger(
                adapter, choice.outlet, clock(), progress, stop, only_leaving=choice.only_leaving
            )
            return _Done(planned, _deliver(adapter, choice.outlet, clock, progress, stop), choice.kept)

        with ThreadPoolExecutor(max(1, len(hospitals))) as pool:
            running = {name: pool.submit(one, name) for name in hospitals}
        found = {name: _summary(adapter, name, future) for name, future in running.items()}
        return Summary(found, stopped=stop.is_set())


def _deliver(
    adapter: Adapter,
    outlet: Outlet,
    clock: Callable[[], datetime],
    progress: Progress,
    stop: threading.Event,
) -> Delivered:
    hospital, settings = outlet.hospital, adapter.settings
    token = settings.secret(hospital.token).get_secret_value() if hospital.token else None
    if token:
        mark = adapter.identities.of(hospital.name, "token", "token", token)
        adapter.ledger.hospitals.uses_token(hospital.name, mark, clock())
    adapter.ledger.hospitals.probe(hospital.name, clock())
    if adapter.engine.dialect.name == "sqlite":
        # One host, and this process holds the lock: a lease that is left belongs to a dead worker.
        adapter.ledger.shipments.break_leases(hospital.name)
    total = _open_count(adapter, hospital.name)
    done = 0
    counting = threading.Lock()

    def on_delivered(count: int) -> None:
        nonlocal done
        with counting:
            done += count
            progress("deliver", hospital.name, done, total)

    with HospitalClient(hospital.base_url, token=token, timeout=hospital.timeout_seconds) as client:
        return deliver(
            hospital.name,
            client,
            adapter.ledger,
            system=outlet.system,
            timeout=hospital.timeout_seconds,
            lease_seconds=settings.lease_seconds,
            max_entries=hospital.max_entries,
            max_bytes=hospital.max_bytes,
            concurrency=hospital.concurrency,
            patience=settings.patience_seconds,
            clock=clock,
            stop=stop,
            on_delivered=on_delivered,
        )


def _open_count(adapter: Adapter, name: str) -> int:
    counts = adapter.ledger.counts(name)
    return sum(counts.get(state, 0) for state in (State.PENDING, State.SENDING, State.UNKNOWN))


def _summary(adapter: Adapter, name: str, run: "Future[_Done]") -> HospitalSummary:
    """How things stand after a run. Raises MappingError, which is no hospital's fault."""
    planned, done = 0, None
    problems: tuple[str, ...] = ()
    try:
        found = run.result()
        planned, done = found.planned, found.delivered
        problems = (str(found.kept),) if found.kept else ()
    except MappingError:
        raise
    except AdapterError as error:
        problems = (str(error),)
    counts = adapter.ledger.counts(name)
    return HospitalSummary(
        planned=planned,
        delivered=done.resources if done else 0,
        retracted=done.retracted if done else 0,
        waiting=counts.get(State.PENDING, 0) + counts.get(State.RETRACTING, 0),
        parked=counts.get(State.PARKED, 0),
        unknown=counts.get(State.UNKNOWN, 0) + counts.get(State.SENDING, 0),
        withheld=sum(refusal.records for refusal in audit.refusals(adapter.engine, name)),
        requests=done.requests if done else 0,
        write_requests=done.write_requests if done else 0,
        unreachable=done.unreachable if done else True,
        stuck=adapter.ledger.stuck(name),
        problems=problems,
    )
