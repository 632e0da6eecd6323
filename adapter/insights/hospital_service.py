"""One hospital: whether it is served, how fast, why not and from when on; and the switch that stops it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.hospitals.circuit_breaker import Admission, BreakerState, HospitalMode, max_in_flight
from adapter.ledger.hospitals.circuit_breaker import admission as judged
from adapter.ledger.hospitals.values import HospitalState
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.server_identity import halt_error, halt_reason
from adapter.subscriptions.store import StoredSubscription
from adapter.subscriptions.subscription import origin_of, read_channel
from adapter.texts import say

__all__ = [
    "HospitalService",
    "SubscriptionLine",
    "hospital_service",
]

_TO_GO = (EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.RETRACTING)


@dataclass(frozen=True, slots=True)
class SubscriptionLine:
    """One Subscription of a hospital: where it is told (scheme, host and port alone), how many events it has
    taken, how many wait, and in words why the last try failed.
    """

    id: str
    status: str
    origin: str
    taken: int
    waiting: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class HospitalService:
    """How a hospital is served. `mode` is running, draining (with `to_go` resources to go) or paused;
    `admits` shipments may be in flight now, and where none may, `why` (paused, hours, breaker) and `until`
    (None: until somebody says so). `in_flight` and `entries` are what it was found to manage, of at most
    `concurrency` and `max_entries`. `server_url` is the server that its ledger was made with; `halted` and,
    in words, `halted_because` say why that is not the one at its address.
    """

    hospital: str
    display: str
    mode: str
    mode_by: str | None
    mode_at: datetime | None
    mode_note: str | None
    to_go: int
    admits: int
    why: str | None
    until: datetime | None
    breaker: str
    failures: int
    failing_since: datetime | None
    last_error: str | None
    last_contact: datetime | None
    in_flight: int
    concurrency: int
    requests_per_second: float
    entries: int
    max_entries: int
    windows: tuple[str, ...]
    maintenance: tuple[str, ...]
    card_measured_at: datetime | None
    server_url: str | None = None
    halted: str | None = None
    halted_because: str | None = None
    subscriptions: tuple[SubscriptionLine, ...] = ()

    @property
    def needs_saying(self) -> bool:
        """Whether it is not served as usual."""
        unusual = self.mode != HospitalMode.RUNNING or self.breaker != BreakerState.CLOSED
        return unusual or self.why is not None or self.halted is not None


def hospital_service(
    adapter: Adapter, name: str, now: datetime, counts: Mapping[EntryState, int] | None = None
) -> HospitalService:
    """How the hospital `name` is served now. `counts` of its resources in each state spares counting them
    again. Raises SettingsError for a name that is not in the settings.
    """
    hospital = adapter.settings.hospital(name)
    state = adapter.ledger.hospitals.row(name)
    limits = adapter.ledger.hospitals.limits(name)
    halted = halt_reason(adapter, name)
    standing = judged(state.health, limits, now, halted)
    counts = adapter.ledger.counts(name) if counts is None else counts
    to_go = sum(counts.get(one, 0) for one in _TO_GO)
    card = adapter.cards.get(name)
    return HospitalService(
        hospital=name,
        display=hospital.display,
        mode=_mode(state, to_go),
        mode_by=state.mode_by,
        mode_at=state.mode_at,
        mode_note=state.mode_note,
        to_go=to_go,
        admits=standing.max_in_flight,
        why=standing.why,
        until=standing.until,
        breaker=_breaker(state, standing),
        failures=state.failures,
        failing_since=state.failing_since,
        last_error=state.last_error,
        last_contact=state.last_contact,
        in_flight=max_in_flight(state.health, limits),
        concurrency=hospital.concurrency,
        requests_per_second=hospital.requests_per_second,
        entries=min(state.entries or hospital.max_entries, hospital.max_entries),
        max_entries=hospital.max_entries,
        windows=hospital.windows,
        maintenance=hospital.maintenance,
        card_measured_at=card.measured_at if card else None,
        server_url=state.server_url,
        halted=halted,
        halted_because=str(halt_error(adapter, name)) if halted else None,
        subscriptions=tuple(map(_subscription, adapter.subscriptions.with_waiting(name))),
    )


def _subscription(standing: tuple[StoredSubscription, int]) -> SubscriptionLine:
    one, waiting = standing
    return SubscriptionLine(
        id=one.id,
        status=one.status,
        origin=origin_of(read_channel(one.resource).endpoint) or "",
        taken=one.delivered,
        waiting=waiting + one.numbered - one.delivered,
        problem=None if one.problem is None else say(f"subscription.problem-{one.problem}"),
    )


def _mode(state: HospitalState, to_go: int) -> str:
    """What is drained and empty is as good as paused."""
    return HospitalMode.PAUSED if state.mode == HospitalMode.DRAINING and not to_go else state.mode


def _breaker(state: HospitalState, standing: Admission) -> str:
    return BreakerState.HALF_OPEN if standing.probing else state.breaker
