"""A hospital's server card: measured, kept, shown, measured again on a schedule."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from filelock import FileLock, Timeout

from adapter import audit
from adapter.database import write
from adapter.delivery.client import HospitalClient
from adapter.delivery.doctor.examine import Examined, Limits, examine
from adapter.delivery.doctor.meaning import Line, lines
from adapter.errors import Busy
from adapter.ledger.card import UNKNOWN, Card, Change, read_drift
from adapter.pipeline.hospitals import served
from adapter.pipeline.opened import Adapter
from adapter.settings import Hospital
from adapter.telemetry import get_logger

__all__ = ["Diagnosis", "card_of", "diagnose", "remeasure"]

_NEW = timedelta(hours=1)  # of a card; it is not measured again so soon

_log = get_logger(__name__)


@dataclass(frozen=True)
class Diagnosis:
    """A hospital's card and what it means. `examined` is this run's examination, None where the kept card
    is only shown; `measured_at` None: there is no card.
    """

    hospital: str
    card: Card
    measured_at: datetime | None
    lines: tuple[Line, ...]
    drift: tuple[Change, ...]
    examined: Examined | None = None

    @property
    def exit_code(self) -> int:
        """0, or 1 when there is something that a person should see."""
        found = self.examined
        failed = found is not None and bool(found.trouble or found.left or found.stopped or found.notes)
        worse = any(line.level in ("costs", "bad") for line in self.lines)
        return int(failed or worse or bool(self.drift) or self.measured_at is None)


def card_of(adapter: Adapter, name: str, now: datetime) -> Diagnosis:
    """What is known of a hospital's server, without asking it."""
    stored = adapter.cards.get(name)
    card = stored.card if stored else UNKNOWN
    return Diagnosis(
        name,
        card,
        stored.measured_at if stored else None,
        lines(card, _limits(adapter.settings.hospital(name)), now) if stored else (),
        read_drift(stored.drift) if stored else (),
    )


def diagnose(
    adapter: Adapter,
    name: str,
    clock: Callable[[], datetime],
    *,
    writes: bool = True,
    stop: threading.Event | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    by: str = "doctor",
) -> Diagnosis:
    """Measure a hospital's server and keep the card. Without `writes` nothing is written there, and what
    needs it stays as it was measured before. Raises Busy when the server is being measured already.
    """
    hospital = adapter.settings.hospital(name)
    known = adapter.cards.get(name) is not None
    with _alone(adapter, name), adapter.client(hospital.name) as client:
        if writes:
            _note(adapter, name, by, clock())
        found = examine(
            client,
            system=f"{adapter.settings.centre.identifier_system}/doctor",
            limits=_limits(hospital),
            writes=writes,
            stop=stop or threading.Event(),
            with_token=_stranger(hospital) if hospital.token else None,
            on_progress=on_progress,
            clock=clock,
        )
    if found.trouble is None and not found.stopped and (writes or known):
        adapter.cards.put(name, found.card, clock())
        kept = card_of(adapter, name, clock())
        return Diagnosis(name, kept.card, kept.measured_at, kept.lines, kept.drift, found)
    kept = card_of(adapter, name, clock())
    shown = found.card if found.trouble is None else kept.card
    return Diagnosis(
        name,
        shown,
        kept.measured_at if shown is kept.card else clock(),
        lines(shown, _limits(hospital), clock()) if shown != UNKNOWN else (),
        kept.drift,
        found,
    )


def remeasure(
    adapter: Adapter, name: str, clock: Callable[[], datetime], stop: threading.Event | None = None
) -> bool:
    """Measure again what a person once measured; whether it was. A hospital that is not served now
    (paused, outside its hours, its breaker open) is left alone, and so is a card that is new. What
    changed is kept as drift until a person has seen it. Raises Busy.
    """
    kept = adapter.cards.get(name)
    if kept is None or abs(clock() - kept.measured_at) < _NEW:
        return False
    if not served(adapter, name, clock(), {}).admits:
        return False
    found = diagnose(adapter, name, clock, stop=stop, by="schedule")
    examined = found.examined
    _log.info(
        "doctor.measured",
        hospital=name,
        trouble=examined.trouble if examined else None,
        drift=[change.field for change in found.drift],
        left=len(examined.left) if examined else 0,
    )
    return examined is not None and examined.trouble is None


def _limits(hospital: Hospital) -> Limits:
    return Limits(hospital.max_entries, hospital.max_bytes)


def _stranger(hospital: Hospital) -> Callable[[str], HospitalClient]:
    return lambda token: HospitalClient(hospital.base_url, token=token, timeout=hospital.timeout_seconds)


@contextmanager
def _alone(adapter: Adapter, name: str) -> Iterator[None]:
    """One examination of a hospital at a time: another's test resources would look like left ones."""
    folder = adapter.settings.data_folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / f"doctor-{name}.lock", timeout=0):
            yield
    except Timeout as error:
        raise Busy("doctor.busy", hospital=name) from error


def _note(adapter: Adapter, name: str, by: str, now: datetime) -> None:
    with write(adapter.engine) as connection:
        audit.record(connection, at=now, actor=by, action="hospital.examined", hospital=name)
