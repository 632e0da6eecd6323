"""Workers: claim a shipment, ship it, claim the next; wait only when it is worth waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter.delivery.client import HospitalClient
from adapter.delivery.shipment import Destination, ship
from adapter.errors import LeaseLost
from adapter.ledger.store import LedgerStore

__all__ = ["Delivered", "deliver"]

_NAP = 0.05  # seconds, so that a due time that has just come is not waited for twice
_SPARE = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one run did at a hospital. `unreachable`: it gave up waiting for the hospital."""

    resources: int
    retracted: int
    requests: int
    write_requests: int
    unreachable: bool


class _Run:
    """The shared state of a hospital's workers in one run."""

    def __init__(self, to: Destination, patience: float, stop: threading.Event) -> None:
        self.to = to
        self.patience = timedelta(seconds=patience)
        self.stop = stop
        self.unreachable = False
        self.progressed_at = to.clock()

    def loop(self) -> None:
        while not self.stop.is_set():
            lease = self.to.ledger.shipments.claim(self.to.name, self.to.clock(), self.to.lease_seconds)
            if lease is None:
                wait = self._worth_waiting()
                if wait is None:
                    return
                self.stop.wait(wait)
                continue
            try:
                ship(self.to, lease)
            except LeaseLost:
                continue  # its new owner settles it

    def _worth_waiting(self) -> float | None:
        """Seconds until something may be due, or None when that is beyond this run's patience."""
        now = self.to.clock()
        due = self.to.ledger.shipments.next_due(self.to.name)
        if due is None:
            return None
        standing = self.to.ledger.hospitals.standing(self.to.name, now)
        opens = due if standing.admits else standing.until
        if opens is None or max(due, opens) > max(self.progressed_at, now - self.patience) + self.patience:
            self.unreachable |= standing.why == "breaker" or standing.probing
            return None
        if standing.admits and due <= now:
            return _SPARE  # others have under way all that the hospital takes at a time
        return max(_NAP, (max(due, opens) - now).total_seconds())


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
) -> Delivered:
    """Ship all that is due for one hospital with `concurrency` threads.

    Returns when nothing is due any more, or when the hospital made no progress for `patience`
    seconds, or when `stop` is set; what is left stays in the ledger.
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

    to = Destination(
        name=name,
        client=client,
        ledger=ledger,
        system=system,
        timeout=timeout,
        lease_seconds=lease_seconds,
        max_entries=max_entries,
        max_bytes=max_bytes,
        clock=clock,
        on_settled=settled,
        on_retracted=retracted,
    )
    run = _Run(to, patience, stop)
    with ThreadPoolExecutor(concurrency, thread_name_prefix=f"deliver-{name}") as pool:
        for done in [pool.submit(run.loop) for _ in range(concurrency)]:
            done.result()
    return Delivered(total, gone, client.requests, client.writes, run.unreachable)
