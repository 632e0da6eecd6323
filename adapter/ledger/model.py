"""What passes in and out of the ledger: frozen values, no rows."""

from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.pace import Breaker, Health, Mode
from adapter.ledger.state import Event, State

__all__ = ["STRANGER", "Desired", "Entry", "HospitalState", "Lease", "Settled"]

STRANGER = ("unknown", "")  # kind and key of what the hospital holds of ours and no record was known for


@dataclass(frozen=True, slots=True)
class Desired:
    """A resource that a hospital should hold. `rank` orders types by dependency; `body` is FHIR JSON
    with references by identifier; `problem` says why it may not be sent (None: it is valid).
    `or_digest` is of content that is as good: a hospital that has it is sent nothing.
    """

    identity: str
    type: str
    rank: int
    kind: str
    key: str
    digest: str
    body: bytes
    problem: str | None = None
    or_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's line on one resource at one hospital."""

    hospital: str
    identity: str
    cadre: str
    type: str
    rank: int
    kind: str
    key: str
    state: State
    desired_digest: str | None
    sent_digest: str | None
    delivered_digest: str | None
    body: bytes | None
    remote_id: str | None
    etag: str | None
    attempts: int
    reason: str | None
    detail: str | None
    changed_at: datetime
    delivered_at: datetime | None
    sent_at: datetime | None = None  # when a request with it last began
    lookups: int = 0  # that did not decide what became of it
    mapping_version: str = ""  # under which the present wish was made


@dataclass(frozen=True, slots=True)
class Lease:
    """One shipment, claimed: nobody else sends for this hospital and cadre before `ends`, a moment on this
    machine's clock since it started (`ticks`), which no other machine can read and nobody can set. `wish`
    counts plans: with a newer one nothing more is started under this lease.
    """

    hospital: str
    cadre: str
    token: str
    ends: float
    attempts: int
    wish: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one entry. `digest` is what was confirmed (None: what was sent);
    `forget` clears the remote id and ETag, which proved stale;
    `burn` counts an attempt against the message (only for refusals that belong to it); `proof` says how it
    was proved that what should be gone is gone: "deleted", "entered-in-error" or "not-there".
    """

    identity: str
    event: Event
    remote_id: str | None = None
    etag: str | None = None
    digest: str | None = None
    reason: str | None = None
    detail: str | None = None
    forget: bool = False
    burn: bool = False
    proof: str | None = None


@dataclass(frozen=True, slots=True)
class HospitalState:
    """A hospital's row: how far planning got, whether and how fast it is served, and who says so."""

    name: str
    planned_position: int = 0
    planned_version: str = ""
    failures: int = 0
    not_before: datetime | None = None
    last_contact: datetime | None = None
    last_error: str | None = None
    breaker: str = Breaker.CLOSED
    failing_since: datetime | None = None
    asked_until: datetime | None = None
    mode: str = Mode.RUNNING
    mode_by: str | None = None
    mode_at: datetime | None = None
    mode_note: str | None = None
    allowed: float | None = None
    slowed_at: datetime | None = None
    entries: int | None = None

    @property
    def health(self) -> Health:
        """The part of it that decides whether it is served."""
        return Health(
            breaker=Breaker(self.breaker),
            failures=self.failures,
            failing_since=self.failing_since,
            not_before=self.not_before,
            asked_until=self.asked_until,
            last_error=self.last_error,
            mode=Mode(self.mode),
            allowed=self.allowed,
            slowed_at=self.slowed_at,
        )
