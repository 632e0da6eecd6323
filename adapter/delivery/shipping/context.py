"""A hospital as delivery sees it, the pace it can take, and a shipment that is held while it is worked on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from adapter.delivery.decisions.strategy import WriteStrategy, choose_strategy
from adapter.delivery.http.client import HospitalClient
from adapter.errors import LeaseLost, PlanChanged
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome, Lease
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.ledger.store import LedgerStore

__all__ = [
    "BundleSize",
    "DeliveryContext",
    "HospitalUnavailable",
    "LearnedLimits",
    "LeasedShipment",
    "RetractMode",
    "ServerTrust",
    "TrustedServer",
    "UnlimitedBundleSize",
]

RetractMode = Literal["delete", "entered-in-error"]


class BundleSize(Protocol):
    """How much a hospital manages at once."""

    def max_entries(self) -> int:
        """Entries that the next Bundle may have."""
        ...

    def observe(self, entries: int, seconds: float | None) -> None:
        """A Bundle of so many entries was answered in so many seconds; None: not in time."""
        ...


class ServerTrust(Protocol):
    """Whether the server still is the one that we left, before something is written by what we remember."""

    def holds(self, before_each_read: Callable[[], None]) -> bool:
        """Whether it is; nothing may be written otherwise. Raises HospitalUnavailable."""
        ...

    def lose(self) -> None:
        """The hospital was away meanwhile."""
        ...


class TrustedServer:
    """Nobody asks."""

    def holds(self, before_each_read: Callable[[], None]) -> bool:
        """It is."""
        return True

    def lose(self) -> None:
        """It stays the same."""


class UnlimitedBundleSize:
    """No limit but those of settings and card."""

    def max_entries(self) -> int:
        """More than any limit."""
        return 1_000_000

    def observe(self, entries: int, seconds: float | None) -> None:
        """Nothing is concluded from it."""


@dataclass
class LearnedLimits:
    """What a run found out about a server beyond its card. Only ever narrower, so threads may share it."""

    no_bundles: bool = False
    max_entries: int = 1_000_000


@dataclass(frozen=True)
class DeliveryContext:
    """A hospital as delivery sees it; shared by all workers of one process."""

    name: str
    client: HospitalClient
    ledger: LedgerStore
    system: str  # of our identifiers
    timeout: float
    lease_seconds: float
    max_entries: int
    max_bytes: int
    clock: Callable[[], datetime]
    on_settled: Callable[[int], None]  # how many entries were delivered just now
    on_retracted: Callable[[int], None]  # how many were proved to be gone
    card: ServerCard = UNMEASURED
    bundle_size: BundleSize = field(default_factory=UnlimitedBundleSize)
    retract: RetractMode = "delete"
    learned: LearnedLimits = field(default_factory=LearnedLimits)
    server: ServerTrust = field(default_factory=TrustedServer)

    def strategy(self) -> WriteStrategy:
        """How the next request is written: by the card, within the smallest of all limits."""
        limit = min(self.max_entries, self.bundle_size.max_entries(), self.learned.max_entries)
        found = choose_strategy(self.card, max_entries=limit, max_bytes=self.max_bytes)
        return found.singly() if self.learned.no_bundles else found

    @property
    def search_is_fresh(self) -> bool:
        """Whether a search is proven to find what was written just before."""
        return self.card.search_is_fresh is True


class HospitalUnavailable(Exception):
    """The hospital is down, busy or refuses us: the shipment waits with it. `retry_after`: seconds that it
    asked for; `grace`: what to wait before this shipment is looked at again; `is_suspect`: it may have failed
    on just this shipment, which then goes after all others.
    """

    def __init__(
        self,
        why: str,
        *,
        retry_after: float | None = None,
        grace: timedelta | None = None,
        is_suspect: bool = False,
    ) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = retry_after
        self.grace = grace or timedelta()
        self.is_suspect = is_suspect


class LeasedShipment:
    """A lease while its shipment is worked on. It is proved to be ours in the database before each write,
    and once more, on a clock that nobody sets, at the moment the request leaves: a process that slept in
    between must not send what another worker may be sending.

    What was answered is written down before the next request, or with the end of the shipment, in the same
    transaction as that. Until then the ledger has it as sent and not answered, as if the answer were still
    on its way.
    """

    def __init__(self, to: DeliveryContext, lease: Lease) -> None:
        self.context = to
        self.lease = lease
        self._answered: Sequence[DeliveryOutcome] = ()

    def queue_outcomes(self, outcomes: Sequence[DeliveryOutcome]) -> None:
        """What became of entries, to be written down with the next step. Raises LeaseLost."""
        self.write_outcomes()
        self._answered = outcomes

    def write_outcomes(self) -> None:
        """Write down now what was answered. Raises LeaseLost."""
        if outcomes := self._taken():
            self.context.ledger.settle(self.lease, outcomes, self.context.clock())
            self._tell(outcomes)

    def start(self, sent: dict[str, str]) -> None:
        """These entries (identity -> digest of what goes) are about to be sent. Raises LeaseLost, and
        PlanChanged when a newer plan was written.
        """
        to, outcomes = self.context, self._taken()
        try:
            self.lease = to.ledger.start(self.lease, sent, to.clock(), to.lease_seconds, outcomes)
        except PlanChanged:
            self._tell(outcomes)
            raise
        self._tell(outcomes)

    def finish(
        self, due_at: datetime | None, *, counts_as_attempt: bool, next_lease_seconds: float
    ) -> Lease | None:
        """Give the shipment back; the next one that was claimed, as in `ShipmentStore.finish`. Raises
        LeaseLost when something was left to write, and the shipment is another's.
        """
        to, outcomes = self.context, self._taken()
        following = to.ledger.finish(
            self.lease,
            outcomes,
            due_at,
            to.clock(),
            counts_as_attempt=counts_as_attempt,
            next_lease_seconds=next_lease_seconds,
        )
        self._tell(outcomes)
        return following

    def _taken(self) -> Sequence[DeliveryOutcome]:
        taken, self._answered = self._answered, ()
        return taken

    def _tell(self, written: Sequence[DeliveryOutcome]) -> None:
        self.context.on_settled(sum(one.event is EntryEvent.CONFIRM for one in written))

    def renew(self) -> None:
        """Prolong the lease before something is sent of which the ledger says nothing. Raises LeaseLost,
        PlanChanged.
        """
        self.start({})

    def check_lease(self) -> None:
        """Raise LeaseLost unless the lease holds for as long as an exchange may take."""
        self.context.ledger.shipments.ensure_remaining(self.lease, 2 * self.context.timeout)

    def prepare_read(self) -> None:
        """Ahead of a request that only reads: write down what was answered, and prolong the lease where it
        would not outlast the request.
        """
        self.write_outcomes()
        try:
            self.context.ledger.shipments.ensure_remaining(
                self.lease, max(self.context.lease_seconds / 2, 2 * self.context.timeout)
            )
        except LeaseLost:
            self.renew()
