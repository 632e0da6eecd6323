"""One sync: the ledger is brought up to date, then every hospital gets what is due, side by side."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from adapter import audit
from adapter.delivery.client import HospitalClient
from adapter.delivery.gate import HospitalPace
from adapter.delivery.worker import Delivered, deliver
from adapter.errors import AdapterError, Busy, MappingError, PolicyError, SettingsError
from adapter.ledger.state import State
from adapter.ledger.turns import Turn
from adapter.pipeline.inbound import process_inbox
from adapter.pipeline.inforce import Choice, Progress, choose, settle
from adapter.pipeline.kept import Kept
from adapter.pipeline.opened import Adapter
from adapter.pipeline.planning import update_ledger
from adapter.settings import Hospital
from adapter.telemetry import get_logger
from adapter.texts import say

__all__ = [
    "HospitalSummary",
    "Planned",
    "Summary",
    "Work",
    "client_of",
    "deliver_to",
    "plan_in_turn",
    "put_in_force",
    "rested",
    "sync",
    "token_of",
    "turn_of",
    "turns_of",
]

_WAIT = 5.0  # seconds for another process to plan to the end
_POLL = 0.2

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
    whole: bool = True  # all was planned


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


@dataclass(frozen=True, slots=True)
class Planned:
    """How many resources changed; `whole`: nothing is left to plan for."""

    changed: int
    whole: bool = True


@dataclass(frozen=True)
class _Done:
    """What a hospital's part of a sync comes to."""

    planned: Planned
    delivered: Delivered
    kept: Kept | None


@dataclass(frozen=True)
class Work:
    """What every stage of a run needs."""

    adapter: Adapter
    clock: Callable[[], datetime]
    progress: Progress
    stop: threading.Event


def turn_of(adapter: Adapter, name: str, wait: float = 0) -> Turn:
    """The turn to plan for a hospital. Raises Busy when another process still has it after `wait` seconds."""
    end = time.monotonic() + wait
    while True:
        turn = adapter.ledger.turns.take(f"plan:{name}", adapter.settings.lease_seconds)
        if turn is not None:
            return turn
        if time.monotonic() >= end:
            raise Busy("sync.busy", hospital=name)
        time.sleep(_POLL)


@contextmanager
def turns_of(adapter: Adapter, names: Sequence[str]) -> Iterator[dict[str, Turn]]:
    """The turns of these hospitals that can be had; each is given back when its planning is done, or here.
    Raises Busy when none can.
    """
    held: dict[str, Turn] = {}
    busy: list[Busy] = []
    end = time.monotonic() + _WAIT
    try:
        for name in sorted(names):
            try:
                held[name] = turn_of(adapter, name, end - time.monotonic())
            except Busy as error:
                busy.append(error)
        if busy and not held:
            raise busy[0]
        yield held
    finally:
        for turn in held.values():
            adapter.ledger.turns.give_back(turn)


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
    """Send what changed to these hospitals. One that another process plans for is reported, and left to it;
    raises Busy when that is so of all.

    What is planned is delivered while more is being planned, by this process and whatever workers there
    are. A hospital that fails on its own (its secret is missing, say) is reported and delays no other. A
    mapping that would send too much again is refused and the one in force holds, unless told to
    `accept` it; one that is broken raises MappingError, unless told to `keep` the one in force.
    `quiet`: a mapping waits until nobody wrote in its folder for that long, and a policy delays the sync
    as Busy: half a file may look like a whole one.
    `by` is who asked, for the audit.
    """
    stop = stop or threading.Event()
    work = Work(adapter, clock, progress, stop)
    with adapter.at_work(clock, stop), turns_of(adapter, hospitals) as turns:
        process_inbox(adapter, clock())
        _ = adapter.identities  # without its key nothing can be said to anybody
        settled = rested(adapter, clock(), quiet)

        def one(name: str) -> _Done:
            if name not in turns:
                raise Busy("sync.busy", hospital=name)
            chosen = partial(choose, accept=accept, keep=keep, settled=settled)
            choice = put_in_force(work, name, chosen, by)
            with ThreadPoolExecutor(1, thread_name_prefix=f"plan-{name}") as planner:
                planning = planner.submit(plan_in_turn, work, choice, turns[name])
                with client_of(adapter, choice.outlet.hospital, clock()) as client:
                    adapter.ledger.hospitals.probe(name, clock())
                    delivered = deliver_to(
                        work,
                        choice.outlet.hospital,
                        client,
                        patience=adapter.settings.patience_seconds,
                        more=lambda: not planning.done(),
                    )
            return _Done(planning.result(), delivered, choice.kept)

        with ThreadPoolExecutor(max(1, len(hospitals))) as pool:
            running = {name: pool.submit(one, name) for name in hospitals}
        found = {name: _summary(adapter, name, future) for name, future in running.items()}
        left = any(one.waiting or one.unknown or not one.whole for one in found.values())
        return Summary(found, stopped=stop.is_set() and left)


def rested(adapter: Adapter, now: datetime, quiet: timedelta | None) -> datetime | None:
    """What was written in the folder of mappings after that moment may be half of it. Raises Busy when
    the policy was.
    """
    settled = now - quiet if quiet else None
    if settled is not None and adapter.library.written()[1] > settled:
        raise Busy("diff.policy_fresh")
    return settled


def put_in_force(
    work: Work, name: str, chosen: Callable[[Adapter, str, Progress], Choice], by: str
) -> Choice:
    """Choose the hospital's mapping and write that down. For who has the hospital's turn."""
    try:
        choice = chosen(work.adapter, name, work.progress)
        _ = choice.outlet.policy
    except PolicyError:
        _log.error("policy.broken", hospital=name)
        raise
    settle(work.adapter, choice, work.clock(), by)
    return choice


def plan_in_turn(work: Work, choice: Choice, turn: Turn) -> Planned:
    """Plan for a hospital, and give its turn back."""
    adapter, outlet, only = work.adapter, choice.outlet, choice.only_leaving
    try:
        changed = update_ledger(
            adapter, outlet, work.clock(), work.progress, work.stop, only_leaving=only, turn=turn
        )
        reached = adapter.ledger.hospitals.row(outlet.hospital.name).planned_position
        return Planned(changed, whole=not work.stop.is_set() or reached >= adapter.records.head())
    finally:
        adapter.ledger.turns.give_back(turn)


def deliver_to(
    work: Work,
    hospital: Hospital,
    client: HospitalClient,
    *,
    patience: float = 0,
    threads: int | None = None,
    more: Callable[[], bool] = lambda: False,
) -> Delivered:
    """Deliver what is due with `threads` (default: the hospital's concurrency), as long as `more` is being
    planned, and `patience` seconds after the last progress.
    """
    adapter, done = work.adapter, 0
    total = _open_count(adapter, hospital.name)
    counting = threading.Lock()

    def on_delivered(count: int) -> None:
        nonlocal done
        with counting:
            done += count
            work.progress("deliver", hospital.name, done, max(total, done))

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
        card=adapter.card(hospital.name),
        pace=HospitalPace(
            adapter.ledger.hospitals,
            hospital.name,
            work.clock,
            timeout=hospital.timeout_seconds,
            ceiling=hospital.max_entries,
        ),
        retract=hospital.retract,
        more=more,
    )


def client_of(adapter: Adapter, hospital: Hospital, now: datetime) -> HospitalClient:
    """A client for the hospital's server. Raises SettingsError when its secret is missing."""
    token_of(adapter, hospital, now)
    return adapter.client(hospital.name)


def token_of(adapter: Adapter, hospital: Hospital, now: datetime) -> str | None:
    """The token for the hospital's server. Where it refused the former one and this is another, it is tried
    at once. Raises SettingsError when the secret is missing.
    """
    token = adapter.settings.secret(hospital.token).get_secret_value() if hospital.token else None
    if token:
        mark = adapter.identities.of(hospital.name, "token", "token", token)
        adapter.ledger.hospitals.uses_token(hospital.name, mark, now)
    return token


def _open_count(adapter: Adapter, name: str) -> int:
    counts = adapter.ledger.counts(name)
    return sum(counts.get(state, 0) for state in (State.PENDING, State.SENDING, State.UNKNOWN))


def _summary(adapter: Adapter, name: str, run: "Future[_Done]") -> HospitalSummary:
    """How things stand after a run. Raises MappingError, which is no hospital's fault."""
    planned, done, reached = Planned(0), None, False
    problems: tuple[str, ...] = ()
    try:
        found = run.result()
        planned, done = found.planned, found.delivered
        failed = (say("sync.failed", count=done.failed),) if done.failed else ()
        problems = (*failed, str(found.kept)) if found.kept else failed
    except MappingError:
        raise
    except AdapterError as error:
        problems, reached = (str(error),), isinstance(error, (Busy, SettingsError))
    counts = adapter.ledger.counts(name)
    return HospitalSummary(
        planned=planned.changed,
        delivered=done.resources if done else 0,
        retracted=done.retracted if done else 0,
        waiting=counts.get(State.PENDING, 0) + counts.get(State.RETRACTING, 0),
        parked=counts.get(State.PARKED, 0),
        unknown=counts.get(State.UNKNOWN, 0) + counts.get(State.SENDING, 0),
        withheld=sum(refusal.records for refusal in audit.refusals(adapter.engine, name)),
        requests=done.requests if done else 0,
        write_requests=done.write_requests if done else 0,
        unreachable=done.unreachable if done else not reached,
        stuck=adapter.ledger.stuck(name),
        problems=problems,
        whole=planned.whole,
    )
