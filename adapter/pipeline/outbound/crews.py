"""The crews that deliver: in any number of processes on any number of hosts, from one ledger, no leader.

Delivered is whatever is due: what was planned here, retries, and shipments that another process woke. Nothing
is told from one process to the other; all of it is in the database.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from adapter.delivery.http.client import HospitalClient
from adapter.delivery.worker import effective_lease_seconds
from adapter.errors import AdapterError, SettingsError
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.server_identity import halt_reason
from adapter.pipeline.outbound.sync import RunContext, deliver_due, server_client, server_token
from adapter.settings import HospitalSettings
from adapter.telemetry import get_logger

__all__ = ["DeliveryCrews"]

_POLL = 0.5  # seconds between two looks at what is due
_WATCH = 5.0  # seconds between two looks at what nobody seems to work on any more
_REST = 30.0  # seconds that a hospital's delivery rests after an error of our own: a missing secret, say
_AWAY = 3.0  # seconds between two tries to reach a database that is away
_log = get_logger(__name__)


def _length(adapter: Adapter, name: str) -> float:
    return effective_lease_seconds(
        adapter.settings.lease_seconds, adapter.settings.hospital(name).timeout_seconds
    )


class DeliveryCrews:
    """A crew of `threads` (default: the hospital's concurrency) for each hospital that something is due for,
    so that none waits for another. Use it in a `with`: at the end what is in flight ends.
    """

    def __init__(self, context: RunContext, hospitals: Sequence[str], threads: int | None) -> None:
        self._context = context
        self._names = list(hospitals)
        self._threads = threads
        self._crews: dict[str, Future[None]] = {}
        self._clients: dict[str, tuple[str, HospitalClient]] = {}
        self._rest: dict[str, float] = {}
        self._lengths = {name: _length(context.adapter, name) for name in hospitals}
        self._watched = monotonic()
        self._pool = ThreadPoolExecutor(max(1, len(self._names)), thread_name_prefix="crew")

    def __enter__(self) -> "DeliveryCrews":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for _token, client in self._clients.values():
            client.__exit__(None, None, None)

    def deliver(self, is_planning: Callable[[], bool], *, once: bool) -> None:
        """Send crews until told to stop, or with `once` until nothing is due or being planned."""
        stop = self._context.stop
        while not stop.is_set():
            planning = is_planning()
            try:
                busy = self._send()
            except SQLAlchemyError as error:  # the database is away: restarted, say
                _log.warning("worker.no_database", error=type(error).__name__)
                stop.wait(_AWAY)
                continue
            if once and not busy and not planning:
                break
            stop.wait(_POLL)

    def _send(self) -> bool:
        """Send a crew wherever something is due and none is at work; whether one is anywhere."""
        shipments = self._context.adapter.ledger.shipments
        if monotonic() - self._watched >= _WATCH:
            shipments.reclaim_expired(self._lengths)
            self._watched = monotonic()
        self._crews = {name: crew for name, crew in self._crews.items() if not crew.done()}
        idle = [name for name in self._names if name not in self._crews and self._may(name)]
        now = self._context.clock()
        for name in shipments.hospitals_due(idle, now):
            if self._admits(name, now):
                self._crews[name] = self._pool.submit(self._deliver, name)
        return bool(self._crews)

    def _admits(self, name: str, now: datetime) -> bool:
        """Whether the hospital takes anything now. One that refuses our token does as soon as another one is
        in its file.
        """
        adapter = self._context.adapter
        standing = adapter.ledger.hospitals.admission(name, now)
        if standing.why == "breaker":
            with suppress(SettingsError):  # said when it is its turn
                server_token(adapter, adapter.settings.hospital(name), now)
        return standing.max_in_flight > 0 and halt_reason(adapter, name) is None

    def _may(self, name: str) -> bool:
        return self._rest.get(name, 0) <= monotonic()

    def _deliver(self, name: str) -> None:
        hospital = self._context.adapter.settings.hospital(name)
        try:
            client = None if hospital.base_url is None else self._client(hospital)
            done = deliver_due(self._context, hospital, client, threads=self._threads)
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
        settings = self._context.adapter.settings
        token = settings.secret(hospital.token).get_secret_value() if hospital.token else ""
        known = self._clients.get(hospital.name)
        if known is None or known[0] != token:
            if known is not None:
                known[1].__exit__(None, None, None)
            self._clients[hospital.name] = (
                token,
                server_client(self._context.adapter, hospital, self._context.clock()).__enter__(),
            )
        return self._clients[hospital.name][1]
