"""Delivery to a hospital that has no server: what is planned for it stands on its page at once.

The ledger is kept as for a server, so that clocks run, what is taken back has its receipt, and nothing waits.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from adapter.delivery.worker import DeliverySummary
from adapter.errors import LeaseLost, PlanChanged
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.values import DeliveryOutcome, Lease, LedgerEntry
from adapter.ledger.store import LedgerStore

__all__ = ["show_due"]

_PAUSE = 0.2  # seconds, while more is being planned
_ROUNDS = 3  # an older wish is settled before a newer one goes
_ON_ITS_WAY = (EntryState.SENDING, EntryState.UNKNOWN)  # a process ended in the middle


def show_due(
    ledger: LedgerStore,
    hospital: str,
    *,
    lease_seconds: float,
    clock: Callable[[], datetime],
    stop: threading.Event,
    on_shown: Callable[[int], None],
    is_planning: Callable[[], bool] = lambda: False,
) -> DeliverySummary:
    """Show all that is due on the hospital's page, and take off what leaves it. Returns when nothing is due
    any more, or `stop` is set; while `is_planning` says that more is being planned, it goes on.
    """
    shown = gone = 0
    while not stop.is_set():
        more = is_planning()
        lease = next(iter(ledger.shipments.claim(hospital, clock(), lease_seconds)), None)
        if lease is None:
            if not more:
                break
            stop.wait(_PAUSE)
            continue
        with suppress(LeaseLost):  # another process has it
            one, other = _ship(ledger, lease, clock, lease_seconds)
            shown, gone = shown + one, gone + other
            on_shown(one)
    return DeliverySummary(shown, gone, 0, 0, unreachable=False)


def _ship(
    ledger: LedgerStore, lease: Lease, clock: Callable[[], datetime], lease_seconds: float
) -> tuple[int, int]:
    """One person's resources: how many are shown, and how many no more. Raises LeaseLost."""
    shown = gone = 0
    for _ in range(_ROUNDS):
        entries = ledger.entries(lease.hospital, [lease.cadre])[lease.cadre]
        new = {
            one.identity: one.desired_digest
            for one in entries
            if one.state is EntryState.PENDING and one.body is not None and one.desired_digest
        }
        outcomes = _outcomes(entries, new)
        if not outcomes:
            break
        with suppress(PlanChanged):  # what is newer is due at once
            if new:
                lease = ledger.start(lease, new, clock(), lease_seconds)
            ledger.settle(lease, outcomes, clock())
            shown += sum(one.event is EntryEvent.CONFIRM for one in outcomes)
            gone += sum(one.event is EntryEvent.GONE for one in outcomes)
            continue
        break
    ledger.finish(lease, (), None, clock())
    return shown, gone


def _outcomes(entries: Sequence[LedgerEntry], new: "dict[str, str]") -> list[DeliveryOutcome]:
    found = [
        DeliveryOutcome(one.identity, EntryEvent.CONFIRM)
        for one in entries
        if one.identity in new or one.state in _ON_ITS_WAY
    ]
    leaving = (one for one in entries if one.state is EntryState.RETRACTING)
    return found + [DeliveryOutcome(one.identity, EntryEvent.GONE, proof="not-there") for one in leaving]
