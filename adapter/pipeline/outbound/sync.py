"""One sync: the ledger is brought up to date, then every hospital gets what is due, side by side."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from adapter import withheld
from adapter.delivery.http.client import HospitalClient
from adapter.delivery.http.rate_limit import AdaptiveBundleSize
from adapter.delivery.shipping.contact import ServerProof
from adapter.delivery.worker import DeliverySummary, deliver, effective_lease_seconds
from adapter.errors import AdapterError, Busy, MappingError, PolicyError, ServerChanged, SettingsError
from adapter.ledger.schema.states import EntryState
from adapter.ledger.workers.named_locks import NamedLock
from adapter.pipeline.application import Adapter
from adapter.pipeline.configuration_changes import note_configuration
from adapter.pipeline.inbound.inbox import match_before_plan
from adapter.pipeline.mappings.activation import (
    MappingChoice,
    ProgressCallback,
    choose_mapping,
    record_choice,
)
from adapter.pipeline.mappings.activation_status import InactiveMapping
from adapter.pipeline.outbound.page_delivery import show_due
from adapter.pipeline.outbound.pending_disclosure import pending_disclosure
from adapter.pipeline.outbound.planning import forget_expired, update_ledger
from adapter.pipeline.outbound.server_identity import ensure_same_server, halt_error
from adapter.settings import HospitalSettings
from adapter.telemetry import get_logger
from adapter.texts import say

__all__ = [
    "HospitalSyncSummary",
    "PlanningResult",
    "RunContext",
    "SyncSummary",
    "activate_mapping",
    "deliver_due",
    "plan_with_lock",
    "planning_lock",
    "planning_locks",
    "server_client",
    "server_token",
    "stable_since",
    "sync",
]

_WAIT = 5.0  # seconds for another process to plan to the end
_POLL = 0.2

_log = get_logger(__name__)


@dataclass(frozen=True)
class HospitalSyncSummary:
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
    whole: bool = True  # all was planned


@dataclass(frozen=True)
class SyncSummary:
    """What one sync did. `exit_code`: 0 all delivered or waiting by design, 1 a person should look."""

    hospitals: Mapping[str, HospitalSyncSummary]
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


@dataclass(frozen=True, slots=True)
class PlanningResult:
    """How many resources changed; `is_complete`: nothing is left to plan for."""

    changed: int
    is_complete: bool = True


@dataclass(frozen=True)
class _Done:
    """What a hospital's part of a sync comes to."""

    planned: PlanningResult
    delivered: DeliverySummary
    kept: InactiveMapping | None
    halted: ServerChanged | None = None  # it was found out in this run


@dataclass(frozen=True)
class RunContext:
    """What every stage of a run needs."""

    adapter: Adapter
    clock: Callable[[], datetime]
    progress: ProgressCallback
    stop: threading.Event


def planning_lock(adapter: Adapter, name: str, wait: float = 0) -> NamedLock:
    """The turn to plan for a hospital. Raises Busy when another process still has it after `wait` seconds."""
    end = time.monotonic() + wait
    while True:
        turn = adapter.ledger.named_locks.acquire(f"plan:{name}", adapter.settings.lease_seconds)
        if turn is not None:
            return turn
        if time.monotonic() >= end:
            raise Busy("sync.busy", hospital=name)
        time.sleep(_POLL)


@contextmanager
def planning_locks(adapter: Adapter, names: Sequence[str]) -> Iterator[dict[str, NamedLock]]:
    """The turns of these hospitals that can be had; each is given back when its planning is done, or here.
    Raises Busy when none can.
    """
    held: dict[str, NamedLock] = {}
    busy: list[Busy] = []
    end = time.monotonic() + _WAIT
    try:
        for name in sorted(names):
            try:
                held[name] = planning_lock(adapter, name, end - time.monotonic())
            except Busy as error:
                busy.append(error)
        if busy and not held:
            raise busy[0]
        yield held
    finally:
        for turn in held.values():
            adapter.ledger.named_locks.give_back(turn)


def sync(
    adapter: Adapter,
    hospitals: Sequence[str],
    clock: Callable[[], datetime],
    progress: ProgressCallback,
    stop: threading.Event | None = None,
    *,
    accept: bool = False,
    keep: bool = False,
    settle_time: timedelta | None = None,
    by: str = "sync",
) -> SyncSummary:
    """Send what changed to these hospitals. One that another process plans for is reported, and left to it;
    raises Busy when that is so of all.

    What is planned is delivered while more is being planned, by this process and whatever workers there
    are. A hospital that fails on its own (its secret is missing, say) is reported and delays no other. A
    mapping that would send too much again is refused and the one in force holds, unless told to
    `accept` it; so does what policy, tiers or records that are gone disclose or take back of too many people.
    A mapping that is broken raises MappingError, unless told to `keep` the one in force.
    `settle_time`: a mapping waits until nobody wrote in its folder for that long, and a policy delays the
    sync as Busy: half a file may look like a whole one. `by` is who asked, for the audit.
    """
    stop = stop or threading.Event()
    work = RunContext(adapter, clock, progress, stop)
    with adapter.as_worker(clock, stop), planning_locks(adapter, hospitals) as turns:
        match_before_plan(adapter, clock)
        _ = adapter.identities  # without its key nothing can be said to anybody
        settled = stable_since(adapter, clock(), settle_time)

        def one(name: str) -> _Done:
            if name not in turns:
                raise Busy("sync.busy", hospital=name)
            ensure_same_server(adapter, name)
            chosen = partial(choose_mapping, accept=accept, keep=keep, settled=settled)
            choice = activate_mapping(work, name, chosen, by)
            forget_expired(adapter, name, clock())
            with ThreadPoolExecutor(1, thread_name_prefix=f"plan-{name}") as planner:
                planning = planner.submit(plan_with_lock, work, choice, turns[name], accept=accept, by=by)
                with _server_or_page(adapter, choice.destination.hospital, clock()) as client:
                    adapter.ledger.hospitals.allow_probe(name, clock())
                    delivered = deliver_due(
                        work,
                        choice.destination.hospital,
                        client,
                        patience=adapter.settings.patience_seconds,
                        more=lambda: not planning.done(),
                    )
            return _Done(planning.result(), delivered, choice.kept, halt_error(adapter, name))

        with ThreadPoolExecutor(max(1, len(hospitals))) as pool:
            running = {name: pool.submit(one, name) for name in hospitals}
        found = {name: _summary(adapter, name, future) for name, future in running.items()}
        left = any(one.waiting or one.unknown or not one.whole for one in found.values())
        return SyncSummary(found, stopped=stop.is_set() and left)


def stable_since(adapter: Adapter, now: datetime, quiet: timedelta | None) -> datetime | None:
    """What was written in the folder of mappings after that moment may be half of it. Raises Busy when
    the policy was.
    """
    settled = now - quiet if quiet else None
    if settled is not None and adapter.library.last_written()[1] > settled:
        raise Busy("diff.policy_fresh")
    return settled


def activate_mapping(
    work: RunContext, name: str, chosen: Callable[[Adapter, str, ProgressCallback], MappingChoice], by: str
) -> MappingChoice:
    """Choose the hospital's mapping and write that down. For who has the hospital's turn."""
    try:
        choice = chosen(work.adapter, name, work.progress)
        _ = choice.destination.policy
    except PolicyError:
        _log.error("policy.broken", hospital=name)
        raise
    record_choice(work.adapter, choice, work.clock(), by)
    return choice


def plan_with_lock(
    work: RunContext, choice: MappingChoice, turn: NamedLock, *, accept: bool = False, by: str = "sync"
) -> PlanningResult:
    """Plan for a hospital, and give its turn back. `accept`, `by`: as `update_ledger` has them."""
    adapter, destination, only = work.adapter, choice.destination, choice.only_removals
    try:
        note_configuration(adapter, work.clock(), by="sync")
        changed = update_ledger(
            adapter,
            destination,
            work.clock(),
            work.progress,
            work.stop,
            only_removals=only,
            accept=accept,
            lock=turn,
            by=by,
        )
        reached = adapter.ledger.hospitals.row(destination.hospital.name).planned_position
        return PlanningResult(
            changed, is_complete=not work.stop.is_set() or reached >= adapter.records.newest_position()
        )
    finally:
        adapter.ledger.named_locks.give_back(turn)


def deliver_due(
    work: RunContext,
    hospital: HospitalSettings,
    client: HospitalClient | None,
    *,
    patience: float = 0,
    threads: int | None = None,
    more: Callable[[], bool] = lambda: False,
) -> DeliverySummary:
    """Deliver what is due with `threads` (default: the hospital's concurrency), as long as `more` is being
    planned, and `patience` seconds after the last progress; without a client to the hospital's page. Raises
    ServerChanged.
    """
    ensure_same_server(work.adapter, hospital.name)
    adapter, done = work.adapter, 0
    total, card = _open_count(adapter, hospital.name), adapter.card(hospital.name)
    counting = threading.Lock()

    def on_delivered(count: int) -> None:
        nonlocal done
        with counting:
            done += count
            work.progress("deliver", hospital.name, done, max(total, done))

    if client is None:
        return show_due(
            adapter.ledger,
            hospital.name,
            lease_seconds=effective_lease_seconds(adapter.settings.lease_seconds, hospital.timeout_seconds),
            clock=work.clock,
            stop=work.stop,
            on_shown=on_delivered,
            is_planning=more,
        )
    return deliver(
        hospital.name,
        client,
        adapter.ledger,
        system=adapter.settings.centre.identifier_system,
        timeout=hospital.timeout_seconds,
        lease_seconds=adapter.settings.lease_seconds,
        max_entries=hospital.max_entries,
        max_bytes=hospital.max_bytes,
        concurrency=threads or hospital.concurrency,
        patience=patience,
        clock=work.clock,
        stop=work.stop,
        on_delivered=on_delivered,
        card=card,
        server=ServerProof(
            hospital.name,
            client,
            adapter.ledger,
            system=adapter.settings.centre.identifier_system,
            card=card,
            clock=work.clock,
        ),
        bundle_size=AdaptiveBundleSize(
            adapter.ledger.hospitals,
            hospital.name,
            work.clock,
            timeout=hospital.timeout_seconds,
            ceiling=hospital.max_entries,
        ),
        retract=hospital.retract,
        is_planning=more,
    )


def _server_or_page(
    adapter: Adapter, hospital: HospitalSettings, now: datetime
) -> AbstractContextManager[HospitalClient | None]:
    return server_client(adapter, hospital, now) if hospital.base_url is not None else nullcontext()


def server_client(adapter: Adapter, hospital: HospitalSettings, now: datetime) -> HospitalClient:
    """A client for the hospital's server. Raises SettingsError when its secret is missing."""
    server_token(adapter, hospital, now)
    return adapter.client(hospital.name)


def server_token(adapter: Adapter, hospital: HospitalSettings, now: datetime) -> str | None:
    """The token for the hospital's server. Where it refused the former one and this is another, it is tried
    at once. Raises SettingsError when the secret is missing.
    """
    token = adapter.settings.secret(hospital.token).get_secret_value() if hospital.token else None
    if token:
        mark = adapter.identities.of(hospital.name, "token", "token", token)
        adapter.ledger.hospitals.record_token_mark(hospital.name, mark, now)
    return token


def _open_count(adapter: Adapter, name: str) -> int:
    counts = adapter.ledger.counts(name)
    return sum(counts.get(state, 0) for state in (EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN))


def _summary(adapter: Adapter, name: str, run: "Future[_Done]") -> HospitalSyncSummary:
    """How things stand after a run. Raises MappingError, which is no hospital's fault."""
    planned, done, reached = PlanningResult(0), None, False
    problems: tuple[str, ...] = ()
    try:
        found = run.result()
        planned, done = found.planned, found.delivered
        failed = say("sync.failed", count=done.failed) if done.failed else None
        known = (failed, found.kept, pending_disclosure(adapter, name), found.halted)
        problems = tuple(str(one) for one in known if one)
    except MappingError:
        raise
    except AdapterError as error:
        problems, reached = (str(error),), isinstance(error, (Busy, ServerChanged, SettingsError))
    counts = adapter.ledger.counts(name)
    return HospitalSyncSummary(
        planned=planned.changed,
        delivered=done.resources if done else 0,
        retracted=done.retracted if done else 0,
        waiting=counts.get(EntryState.PENDING, 0) + counts.get(EntryState.RETRACTING, 0),
        parked=counts.get(EntryState.PARKED, 0),
        unknown=counts.get(EntryState.UNKNOWN, 0) + counts.get(EntryState.SENDING, 0),
        withheld=sum(refusal.records for refusal in withheld.withheld_counts(adapter.engine, name)),
        requests=done.requests if done else 0,
        write_requests=done.write_requests if done else 0,
        unreachable=done.unreachable if done else not reached,
        stuck=adapter.ledger.count_stuck_retractions(name),
        problems=problems,
        whole=planned.is_complete,
    )
