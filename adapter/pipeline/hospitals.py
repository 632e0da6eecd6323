"""One hospital: whether it is served, how fast, why not and from when on; and the switch that stops it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.model import HospitalState
from adapter.ledger.pace import Breaker, Mode, Standing, in_flight
from adapter.ledger.pace import standing as judged
from adapter.ledger.state import State
from adapter.pipeline.opened import Adapter

__all__ = ["Served", "reset", "served", "switch"]

_TO_GO = (State.PENDING, State.SENDING, State.UNKNOWN, State.RETRACTING)


@dataclass(frozen=True)
class Served:
    """How a hospital is served. `mode` is running, draining (with `to_go` resources to go) or paused;
    `admits` shipments may be in flight now, and where none may, `why` (paused, hours, breaker) and `until`
    (None: until somebody says so). `in_flight` and `entries` are what it was found to manage, of at most
    `concurrency` and `max_entries`.
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

    @property
    def needs_saying(self) -> bool:
        """Whether it is not served as usual."""
        return self.mode != Mode.RUNNING or self.why is not None or self.breaker != Breaker.CLOSED


def served(adapter: Adapter, name: str, now: datetime, counts: Mapping[State, int] | None = None) -> Served:
    """How the hospital `name` is served now. `counts` of its resources in each state spares counting them
    again. Raises SettingsError for a name that is not in the settings.
    """
    hospital = adapter.settings.hospital(name)
    state = adapter.ledger.hospitals.row(name)
    limits = adapter.ledger.hospitals.limits(name)
    standing = judged(state.health, limits, now)
    counts = adapter.ledger.counts(name) if counts is None else counts
    to_go = sum(counts.get(one, 0) for one in _TO_GO)
    card = adapter.cards.get(name)
    return Served(
        hospital=name,
        display=hospital.display,
        mode=_mode(state, to_go),
        mode_by=state.mode_by,
        mode_at=state.mode_at,
        mode_note=state.mode_note,
        to_go=to_go,
        admits=standing.admits,
        why=standing.why,
        until=standing.until,
        breaker=_breaker(state, standing),
        failures=state.failures,
        failing_since=state.failing_since,
        last_error=state.last_error,
        last_contact=state.last_contact,
        in_flight=in_flight(state.health, limits),
        concurrency=hospital.concurrency,
        requests_per_second=hospital.requests_per_second,
        entries=min(state.entries or hospital.max_entries, hospital.max_entries),
        max_entries=hospital.max_entries,
        windows=hospital.windows,
        maintenance=hospital.maintenance,
        card_measured_at=card.measured_at if card else None,
    )


def _mode(state: HospitalState, to_go: int) -> str:
    """What is drained and empty is as good as paused."""
    return Mode.PAUSED if state.mode == Mode.DRAINING and not to_go else state.mode


def _breaker(state: HospitalState, standing: Standing) -> str:
    return Breaker.HALF_OPEN if standing.probing else state.breaker


def switch(adapter: Adapter, name: str, mode: Mode, *, by: str, note: str | None, now: datetime) -> Served:
    """Pause, drain or resume the hospital for all workers; they see it at their next claim."""
    hospital = adapter.settings.hospital(name)
    adapter.ledger.hospitals.switch(hospital.name, mode, by=by, note=note, now=now)
    return served(adapter, name, now)


def reset(adapter: Adapter, name: str, *, by: str, now: datetime) -> Served:
    """Close the hospital's breaker by hand: it is tried at once, and its pace learnt anew."""
    hospital = adapter.settings.hospital(name)
    adapter.ledger.hospitals.reset(hospital.name, by=by, now=now)
    return served(adapter, name, now)
