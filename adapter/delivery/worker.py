"""Workers: claim a shipment, ship it, claim the next; wait only when it is worth waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter.delivery.http.client import HospitalClient
from adapter.delivery.shipping.context import (
    BundleSize,
    DeliveryContext,
    LeasedShipment,
    RetractMode,
    ServerTrust,
    TrustedServer,
    UnlimitedBundleSize,
)
from adapter.delivery.shipping.shipment import ShipmentResult, ship
from adapter.errors import LeaseLost
from adapter.ledger.schema.values import Lease
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.ledger.store import LedgerStore
from adapter.ledger.workers.death_detection import MAX_RETRY_DELAY
from adapter.telemetry import get_logger

__all__ = ["DeliverySummary", "deliver", "effective_lease_seconds"]

_NAP = 0.05  # seconds, so that a due time that has just come is not waited for twice
_MORE_NAP = 0.2  # seconds, while more is being planned or under way
_LONGEST_NAP = 1.0  # seconds, while what is under way takes long
_LONG_NAP = 60.0  # seconds, after which a clock that was set is noticed
_LEASE_ENDS = 5.0  # seconds more than a lease lasts, in which another process takes it over
_RACES = 2  # claims of what fell due, or was taken by another, just meanwhile
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """What one run did at a hospital. `unreachable`: it gave up waiting for the hospital; `failed`: so many
    shipments met an error that nobody expected, and are tried again later.
    """

    resources: int
    retracted: int
    requests: int
    write_requests: int
    unreachable: bool
    failed: int = 0


def effective_lease_seconds(lease_seconds: float, timeout: float) -> float:
    """Seconds that a lease lasts: every request fits in, and a few times more. The same for all workers of
    a hospital, since they wait as long before they take one over.
    """
    return max(lease_seconds, timeout * 4)


class _Run:
    """The shared state of a hospital's workers in one run."""

    def __init__(
        self, to: DeliveryContext, patience: float, stop: threading.Event, more: Callable[[], bool]
    ) -> None:
        self.to = to
        self.patience = timedelta(seconds=patience)
        self.stop = stop
        self.more = more
        self.unreachable = False
        self.failed = 0
        self.progressed_at = to.clock()
        self._lock = threading.Lock()
        self._shipping = 0

    def loop(self, lease: Lease | None) -> None:
        in_vain = 0
        while not self.stop.is_set():
            lease = lease or self._claim()
            if lease is None:
                in_vain += 1
                wait = self._worth_waiting(in_vain)
                if wait is None:
                    return
                self.stop.wait(wait)
                continue
            lease, in_vain = self._ship(lease), 0
        if lease is not None:  # told to stop just after it was claimed
            self._finish(LeasedShipment(self.to, lease), ShipmentResult(self.to.clock()))

    def _claim(self) -> Lease | None:
        to = self.to
        return next(iter(to.ledger.shipments.claim(to.name, to.clock(), to.lease_seconds)), None)

    def _ship(self, lease: Lease) -> Lease | None:
        """Ship it and give it back; the next one, if one is due."""
        held = LeasedShipment(self.to, lease)
        with self._lock:
            self._shipping += 1
        try:
            return self._finish(held, ship(held))
        except LeaseLost:
            # Given back only if nobody took it yet, and not to be claimed again at once, for ever.
            left = self._later(lease)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one shipment delays no other
            _log.error("delivery.failed", hospital=self.to.name, error=type(error).__name__, exc_info=True)
            self.failed += 1
            left = self._later(lease)
        finally:
            with self._lock:
                self._shipping -= 1
        with suppress(LeaseLost):
            return self._finish(held, left)
        return None

    def _later(self, lease: Lease) -> ShipmentResult:
        wait = min(timedelta(seconds=2.0 ** min(lease.attempts + 1, 20)), MAX_RETRY_DELAY)
        return ShipmentResult(self.to.clock() + wait, counts_as_attempt=True)

    def _finish(self, held: LeasedShipment, left: ShipmentResult) -> Lease | None:
        to, again = self.to, 0.0 if self.stop.is_set() else self.to.lease_seconds
        latest = to.clock() + MAX_RETRY_DELAY  # later would count as due at once
        due_at = left.due_at and min(left.due_at, latest)
        return held.finish(due_at, counts_as_attempt=left.counts_as_attempt, next_lease_seconds=again)

    def _worth_waiting(self, in_vain: int) -> float | None:
        """Seconds until something may be due, or None when that is beyond this run's patience. What is due
        and was claimed `in_vain` is not admitted: the hospital is paused, or others have all of its room.
        """
        now = self.to.clock()
        due = self.to.ledger.shipments.next_due(self.to.name)
        more = self.more() or self._shipping > 0
        if due is None:
            return self._nap(in_vain) if more or self._others_are_at_it(now) else None
        due = due if due <= now + MAX_RETRY_DELAY else now
        standing = self.to.ledger.hospitals.admission(self.to.name, now)
        opens = now if standing.max_in_flight else standing.until
        if opens is not None:
            wait = max(due, opens, now) - now
            if not wait and in_vain <= _RACES:
                return _NAP
            if now + wait <= self.progressed_at + self.patience:
                longest = self._nap(in_vain) if more else _LONG_NAP
                return max(_MORE_NAP, min(wait.total_seconds(), longest))
        if more:
            return self._nap(in_vain)
        self.unreachable |= standing.why == "breaker" or standing.probing
        return None

    def _nap(self, in_vain: int) -> float:
        """Seconds until another look: the longer, the longer an answer takes that all of them wait for."""
        return _MORE_NAP if self.more() else min(_LONGEST_NAP, max(_MORE_NAP, _MORE_NAP / 4 * in_vain))

    def _others_are_at_it(self, now: datetime) -> bool:
        """Whether to wait for what other processes have under way: it may be due again, and this run is to
        say how things stand when all is done. Where they stopped, their leases end meanwhile.
        """
        patience = max(self.patience, timedelta(seconds=self.to.lease_seconds + _LEASE_ENDS))
        has_patience = self.patience and now <= self.progressed_at + patience
        return bool(has_patience and self.to.ledger.shipments.count_in_flight(self.to.name))


def deliver(
    name: str,
    client: HospitalClient,
    ledger: LedgerStore,
    *,
    system: str,
    timeout: float,
    lease_seconds: float,
    max_entries: int,
    max_bytes: int,
    concurrency: int,
    patience: float,
    clock: Callable[[], datetime],
    stop: threading.Event,
    on_delivered: Callable[[int], None] = lambda _count: None,
    is_planning: Callable[[], bool] = lambda: False,
    card: ServerCard = UNMEASURED,
    bundle_size: BundleSize | None = None,
    retract: RetractMode = "delete",
    server: ServerTrust | None = None,
) -> DeliverySummary:
    """Ship all that is due for one hospital with `concurrency` threads.

    Returns when nothing is due any more, or when the hospital made no progress for `patience`
    seconds, or when `stop` is set; what is left stays in the ledger. While `is_planning` says that more is
    being planned, it goes on. `server` is asked before anything is sent.
    """
    total = gone = 0
    lock = threading.Lock()

    def settled(count: int) -> None:
        nonlocal total
        if count:
            with lock:
                total += count
                run.progressed_at = clock()
            on_delivered(count)

    def retracted(count: int) -> None:
        nonlocal gone
        if count:
            with lock:
                gone += count
                run.progressed_at = clock()

    to = DeliveryContext(
        name=name,
        client=client,
        ledger=ledger,
        system=system,
        timeout=timeout,
        lease_seconds=effective_lease_seconds(lease_seconds, timeout),
        max_entries=max_entries,
        max_bytes=max_bytes,
        clock=clock,
        on_settled=settled,
        on_retracted=retracted,
        card=card,
        bundle_size=bundle_size or UnlimitedBundleSize(),
        retract=retract,
        server=server or TrustedServer(),
    )
    run = _Run(to, patience, stop, is_planning)
    requests, writes = client.requests, client.writes
    leases: list[Lease | None] = []
    if not stop.is_set():
        leases += ledger.shipments.claim(name, clock(), to.lease_seconds, concurrency)
    if leases or patience or is_planning():
        leases += [None] * (concurrency - len(leases))
        with ThreadPoolExecutor(concurrency, thread_name_prefix=f"deliver-{name}") as pool:
            for done in [pool.submit(run.loop, lease) for lease in leases]:
                done.result()
    return DeliverySummary(
        total, gone, client.requests - requests, client.writes - writes, run.unreachable, run.failed
    )
