"""A hospital's server card: measured, kept, shown, measured again on a schedule."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from filelock import FileLock, Timeout

from adapter import audit
from adapter.database import write_transaction
from adapter.delivery.doctor.examination import ExaminationResult, examine_server
from adapter.delivery.doctor.findings import card_findings
from adapter.delivery.http.client import HospitalClient
from adapter.errors import AdapterError, Busy
from adapter.insights.hospital_service import hospital_service
from adapter.insights.server_card_report import ServerCardReport, probe_limits, stored_card_report
from adapter.ledger.hospitals.server import HaltReason
from adapter.ledger.server_cards.card import UNMEASURED
from adapter.ledger.server_cards.identity import is_another_server
from adapter.operations.operation import Operation, OperationContext, version_of
from adapter.pipeline.application import Adapter
from adapter.pipeline.hospital_client import stranger_client
from adapter.pipeline.outbound.server_identity import halt_reason
from adapter.settings import HospitalSettings
from adapter.telemetry import get_logger

__all__ = ["AcknowledgeDrift", "MeasureServer", "measure_server", "remeasure_server"]

_NEW = timedelta(hours=1)  # of a card; it is not measured again so soon

_log = get_logger(__name__)


def measure_server(
    adapter: Adapter,
    name: str,
    clock: Callable[[], datetime],
    *,
    writes: bool = True,
    stop: threading.Event | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    by: str = "doctor",
) -> ServerCardReport:
    """Measure a hospital's server and keep the card. Without `writes` nothing is written there, and what
    needs it stays as it was measured before. Raises Busy when the server is being measured already.
    """
    hospital = adapter.settings.hospital(name)
    known = adapter.cards.get(name) is not None
    with _alone(adapter, name), adapter.client(hospital.name) as client:
        if writes:
            _note(adapter, name, by, clock())
        found = examine_server(
            client,
            system=f"{adapter.settings.centre.identifier_system}/doctor",
            limits=probe_limits(hospital),
            writes=writes,
            stop=stop or threading.Event(),
            with_token=_stranger(adapter, hospital) if _logs_in(hospital) else None,
            types=_sent_types(adapter, name),
            on_progress=on_progress,
            clock=clock,
        )
    found = _checked_server(adapter, name, found, by, clock())
    if found.trouble is None and not found.stopped and (writes or known):
        replaced = adapter.cards.replaced_address(name)
        adapter.cards.put(name, found.card, clock())
        kept = stored_card_report(adapter, name, clock())
        return ServerCardReport(name, kept.card, kept.measured_at, kept.lines, kept.drift, found, replaced)
    kept = stored_card_report(adapter, name, clock())
    shown = found.card if found.trouble is None else kept.card
    return ServerCardReport(
        name,
        shown,
        kept.measured_at if shown is kept.card else clock(),
        card_findings(shown, probe_limits(hospital), clock()) if shown != UNMEASURED else (),
        kept.drift,
        found,
    )


def _checked_server(
    adapter: Adapter, name: str, found: ExaminationResult, by: str, now: datetime
) -> ExaminationResult:
    """What was found, unless the server says that it is another than the ledger's at the same address: then
    that is the trouble, the hospital is halted, and its card stays. What the ledger's says is noted.
    """
    says, row, address = found.says_it_is, adapter.ledger.hospitals.row(name), adapter.addresses[name]
    if found.trouble is not None or says is None:
        return found
    is_sent = adapter.ledger.servers.has_sent(name)
    if row.server_url == address and is_sent and is_another_server(row.server_says, says):
        adapter.ledger.servers.halt(name, HaltReason.OTHER_SERVER, now, by=by)
        return replace(found, card=UNMEASURED, trouble=str(HaltReason.OTHER_SERVER))
    if row.server_says != says and halt_reason(adapter, name) is None:
        adapter.ledger.servers.note(name, address, says)
    return found


def remeasure_server(
    adapter: Adapter, name: str, clock: Callable[[], datetime], stop: threading.Event | None = None
) -> bool:
    """Measure again what a person once measured; whether it was. A hospital that is not served now
    (paused, outside its hours, its breaker open) is left alone, and so is a card that is new. What
    changed is kept as drift until a person has seen it. Raises Busy.
    """
    kept = adapter.cards.get(name)
    if kept is None or abs(clock() - kept.measured_at) < _NEW:
        return False
    if not hospital_service(adapter, name, clock(), {}).admits:
        return False
    found = measure_server(adapter, name, clock, stop=stop, by="schedule")
    examined = found.examined
    _log.info(
        "doctor.measured",
        hospital=name,
        trouble=examined.trouble if examined else None,
        drift=[change.field for change in found.drift],
        left=len(examined.left) if examined else 0,
    )
    return examined is not None and examined.trouble is None


def _sent_types(adapter: Adapter, name: str) -> tuple[str, ...]:
    """The types that the mappings make for it; none where they cannot be read."""
    try:
        return tuple(sorted({one.type for one in adapter.destination(name).resource_maps}))
    except AdapterError:
        return ()


def _stranger(adapter: Adapter, hospital: HospitalSettings) -> Callable[[str], HospitalClient]:
    return lambda token: stranger_client(adapter.settings, hospital, token)


def _logs_in(hospital: HospitalSettings) -> bool:
    """Whether it is told who we are by a header; a certificate alone has no other to be told from."""
    return bool(hospital.token or hospital.auth.basic or hospital.auth.oauth2)


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


@dataclass(frozen=True)
class MeasureServer(Operation[ServerCardReport, ServerCardReport]):
    """Measure a hospital's server and keep the card. Without `writes` nothing is written there, and what
    needs it stays as it was measured before. Nothing undoes it: the next measuring replaces the card.
    """

    name: ClassVar[str] = "hospital.measure"
    audited_as: ClassVar[tuple[str, ...]] = ("hospital.examined",)
    hospital: str
    writes: bool = True

    def look(self, context: OperationContext) -> ServerCardReport:
        """The card that there is."""
        return stored_card_report(context.adapter, self.hospital, context.clock())

    def version(self, shown: ServerCardReport) -> str:
        """The card; not what its age means today."""
        return version_of((shown.card, shown.measured_at, shown.drift))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ServerCardReport:
        """Measure. Raises Busy when the server is being measured already."""
        unchanged()
        return measure_server(
            context.adapter,
            self.hospital,
            context.clock,
            writes=self.writes,
            stop=context.stop,
            on_progress=lambda done, total: context.progress("doctor", self.hospital, done, total),
            by=context.by,
        )


@dataclass(frozen=True)
class AcknowledgeDrift(Operation[ServerCardReport, None]):
    """Say that a person has seen how a hospital's server changed. Nothing undoes it."""

    name: ClassVar[str] = "hospital.acknowledge_drift"
    audited_as: ClassVar[tuple[str, ...]] = ()
    hospital: str

    def look(self, context: OperationContext) -> ServerCardReport:
        """The card with its drift."""
        return stored_card_report(context.adapter, self.hospital, context.clock())

    def version(self, shown: ServerCardReport) -> str:
        """The card; not what its age means today."""
        return version_of((shown.card, shown.measured_at, shown.drift))

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> None:
        """Forget the drift."""
        unchanged()
        context.adapter.cards.acknowledge(self.hospital)


def _note(adapter: Adapter, name: str, by: str, now: datetime) -> None:
    with write_transaction(adapter.engine) as connection:
        audit.append(connection, at=now, actor=by, action="hospital.examined", hospital=name)
