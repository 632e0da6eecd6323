"""Which duties each service has, and the two services that do nothing else: `adapter schedule` and
`adapter worker`.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from adapter.duties.alarms import SendAlarms
from adapter.duties.audit_head import TellAuditHead
from adapter.duties.card_measurement import MeasureCard
from adapter.duties.dropped_files import PickUpFiles
from adapter.duties.duty import Duty, no_progress
from adapter.duties.notifying import NotifyHospital
from adapter.duties.pdf_folder import TakePdfFolder
from adapter.duties.planning import PlanHospital
from adapter.duties.polling import PollHospital
from adapter.duties.schedule import SharedSchedule, run_jobs
from adapter.duties.sources import ReadSource
from adapter.duties.syncing import SyncHospital
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.crews import DeliveryCrews
from adapter.pipeline.outbound.sync import RunContext

__all__ = ["run_duties", "run_schedule", "run_worker", "schedule_duties", "worker_duties"]

Clock = Callable[[], datetime]


def schedule_duties(adapter: Adapter, clock: Clock, stop: threading.Event) -> list[Duty]:
    """What `adapter schedule` does: all hospitals, all sources."""
    hospitals = list(adapter.settings.hospitals)
    return [
        *(SyncHospital(adapter, clock, name, stop) for name in hospitals),
        *_measurements(adapter, clock, stop, hospitals),
        *_notifications(adapter, clock, stop, hospitals),
        *_files(adapter, clock, hospitals),
        *_folders(adapter, clock, hospitals),
        *_polls(adapter, clock, stop, hospitals),
        *_sources(adapter, clock),
        SendAlarms(adapter, clock),
        TellAuditHead(adapter, clock),
    ]


def worker_duties(
    adapter: Adapter, clock: Clock, stop: threading.Event, hospitals: Sequence[str] | None = None
) -> list[Duty]:
    """What `adapter worker` does on beats: for these hospitals alone, or all there is."""
    names = list(hospitals or adapter.settings.hospitals)
    return [
        *(PlanHospital(adapter, clock, name, stop) for name in names),
        *_measurements(adapter, clock, stop, names),
        *_notifications(adapter, clock, stop, names),
        *_files(adapter, clock, names),
        *_folders(adapter, clock, names),
        *_polls(adapter, clock, stop, names),
        *([] if hospitals else _sources(adapter, clock)),
        SendAlarms(adapter, clock),
        TellAuditHead(adapter, clock),
    ]


def _measurements(
    adapter: Adapter, clock: Clock, stop: threading.Event, hospitals: Sequence[str]
) -> list[Duty]:
    servers = adapter.settings.with_server(hospitals)
    measurements = [MeasureCard(adapter, clock, name, stop) for name in servers]
    return [one for one in measurements if one.cron]


def _notifications(
    adapter: Adapter, clock: Clock, stop: threading.Event, hospitals: Sequence[str]
) -> list[Duty]:
    hosts = {name: adapter.settings.hospital(name).subscription_hosts for name in hospitals}
    return [NotifyHospital(adapter, clock, name, stop) for name in hospitals if hosts[name]]


def _files(adapter: Adapter, clock: Clock, hospitals: Sequence[str]) -> list[Duty]:
    folders = {name: adapter.settings.hospital(name).national_xml.folder for name in hospitals}
    return [PickUpFiles(adapter, clock, name) for name in hospitals if folders[name] is not None]


def _folders(adapter: Adapter, clock: Clock, hospitals: Sequence[str]) -> list[Duty]:
    with_folder = [name for name in hospitals if adapter.settings.hospital(name).pdf.folder is not None]
    return [TakePdfFolder(adapter, clock, name) for name in with_folder]


def _polls(adapter: Adapter, clock: Clock, stop: threading.Event, hospitals: Sequence[str]) -> list[Duty]:
    polled = [name for name in hospitals if adapter.settings.hospital(name).poll is not None]
    return [PollHospital(adapter, clock, name, stop) for name in polled]


def _sources(adapter: Adapter, clock: Clock) -> list[Duty]:
    return [ReadSource(adapter, clock, name) for name in adapter.settings.sources]


def run_duties(
    adapter: Adapter, duties: Sequence[Duty], clock: Clock, stop: threading.Event, *, once: bool = False
) -> None:
    """Do these duties on their beats, which all processes of the database share, until `stop` is set; with
    `once` those that are due now, or never were. Raises SettingsError for a wrong cron expression.
    """
    by_name = {duty.name: duty for duty in duties}
    crons = {name: duty.cron for name, duty in by_name.items()}
    shared = SharedSchedule(adapter.ledger.named_locks)
    run_jobs(crons, lambda name: by_name[name].run(), stop, clock, shared, once=once)


def run_schedule(adapter: Adapter, duties: Sequence[Duty], clock: Clock, stop: threading.Event) -> None:
    """Do these duties until `stop` is set. Raises SchemaNewer when a newer adapter took over."""
    with adapter.as_worker(clock, stop):
        run_duties(adapter, duties, clock, stop)


def run_worker(
    adapter: Adapter,
    hospitals: Sequence[str],
    duties: Sequence[Duty],
    clock: Clock,
    stop: threading.Event,
    *,
    threads: int | None = None,
    once: bool = False,
) -> None:
    """Do these duties, and deliver to these hospitals, until `stop` is set; what is in flight ends before
    this returns, and no lease is left. `threads` deliver to each hospital (default: its concurrency). `once`:
    until nothing is due. Raises SchemaNewer when a newer adapter took over.
    """
    context = RunContext(adapter, clock, no_progress, stop)
    with adapter.as_worker(clock, stop), DeliveryCrews(context, hospitals, threads) as crews:
        _ = adapter.identities  # without its key nothing can be said to anybody
        beating = threading.Thread(
            target=run_duties, args=(adapter, duties, clock, stop), kwargs={"once": once}, name="beats"
        )
        beating.start()
        try:
            crews.deliver(beating.is_alive, once=once)
        except BaseException:
            stop.set()  # or the beats would go on without anybody who delivers
            raise
        finally:
            beating.join()
