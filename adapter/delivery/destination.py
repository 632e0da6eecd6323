"""A hospital as delivery sees it, the pace it can take, and a shipment that is held while it is worked on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from adapter.delivery.client import HospitalClient
from adapter.delivery.strategy import Manner, manner
from adapter.errors import LeaseLost
from adapter.ledger.card import UNKNOWN, Card
from adapter.ledger.model import Lease
from adapter.ledger.store import LedgerStore

__all__ = ["AnyPace", "Destination", "Held", "HospitalTrouble", "Learned", "Pace", "Retract"]

Retract = Literal["delete", "entered-in-error"]


class Pace(Protocol):
    """How much a hospital manages at once."""

    def entries(self) -> int:
        """Entries that the next Bundle may have."""
        ...

    def took(self, entries: int, seconds: float | None) -> None:
        """A Bundle of so many entries was answered in so many seconds; None: not in time."""
        ...


class AnyPace:
    """No limit but those of settings and card."""

    def entries(self) -> int:
        """More than any limit."""
        return 1_000_000

    def took(self, entries: int, seconds: float | None) -> None:
        """Nothing is concluded from it."""


@dataclass
class Learned:
    """What a run found out about a server beyond its card. Only ever narrower, so threads may share it."""

    no_bundles: bool = False
    max_entries: int = 1_000_000


@dataclass(frozen=True)
class Destination:
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
    card: Card = UNKNOWN
    pace: Pace = field(default_factory=AnyPace)
    retract: Retract = "delete"
    learned: Learned = field(default_factory=Learned)

    def manner(self) -> Manner:
        """How the next request is written: by the card, within the smallest of all limits."""
        limit = min(self.max_entries, self.pace.entries(), self.learned.max_entries)
        found = manner(self.card, max_entries=limit, max_bytes=self.max_bytes)
        return found.singly() if self.learned.no_bundles else found

    @property
    def is_fresh(self) -> bool:
        """Whether a search is proven to find what was written just before."""
        return self.card.search_is_fresh is True


class HospitalTrouble(Exception):
    """The hospital is down, busy or refuses us: the shipment waits with it. `asked`: seconds that it asked
    for; `grace`: what to wait before this shipment is looked at again; `lost`: it may have failed on just
    this shipment, which then goes after all others.
    """

    def __init__(
        self, why: str, *, asked: float | None = None, grace: timedelta | None = None, lost: bool = False
    ) -> None:
        super().__init__(why)
        self.why = why
        self.asked = asked
        self.grace = grace or timedelta()
        self.lost = lost


class Held:
    """A lease while its shipment is worked on. It is proved to be ours in the database before each write,
    and once more, on a clock that nobody sets, at the moment the request leaves: a process that slept in
    between must not send what another worker may be sending.
    """

    def __init__(self, to: Destination, lease: Lease) -> None:
        self.to = to
        self.lease = lease

    def start(self, sent: dict[str, str]) -> None:
        """These entries (identity -> digest of what goes) are about to be sent. Raises LeaseLost, and
        PlanChanged when a newer plan was written.
        """
        to = self.to
        self.lease = to.ledger.start(self.lease, sent, to.clock(), to.lease_seconds)

    def renew(self) -> None:
        """Prolong the lease before something is sent of which the ledger says nothing. Raises LeaseLost,
        PlanChanged.
        """
        self.start({})

    def check(self) -> None:
        """Raise LeaseLost unless the lease holds for as long as an exchange may take."""
        self.to.ledger.shipments.sure(self.lease, 2 * self.to.timeout)

    def keep(self) -> None:
        """Ahead of a request that only reads: prolong the lease where it would not outlast it."""
        try:
            self.to.ledger.shipments.sure(self.lease, max(self.to.lease_seconds / 2, 2 * self.to.timeout))
        except LeaseLost:
            self.renew()
