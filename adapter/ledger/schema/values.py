"""What passes in and out of the ledger: frozen values, no rows."""

from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.schema.states import EntryEvent, EntryState

__all__ = ["UNKNOWN_RECORD", "DeliveryOutcome", "DesiredResource", "Lease", "LedgerEntry"]

UNKNOWN_RECORD = (
    "unknown",
    "",
)  # kind and key of what the hospital holds of ours and no record was known for


@dataclass(frozen=True, slots=True)
class DesiredResource:
    """A resource that a hospital should hold. `rank` orders types by dependency; `body` is FHIR JSON
    with references by identifier; `problem` says why it may not be sent (None: it is valid).
    `equivalent_digest` is of content that is as good: a hospital that has it is sent nothing.
    """

    identity: str
    type: str
    rank: int
    kind: str
    key: str
    digest: str
    body: bytes
    problem: str | None = None
    equivalent_digest: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The ledger's line on one resource at one hospital."""

    hospital: str
    identity: str
    cadre: str
    type: str
    rank: int
    kind: str
    key: str
    state: EntryState
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
    former_identity: str | None = None  # under the identity key before


@dataclass(frozen=True, slots=True)
class Lease:
    """One shipment, claimed: nobody else sends for this hospital and cadre before `deadline`, a moment on
    this machine's clock since it started (`uptime`), which no other machine can read and nobody can set.
    `plan_number` counts plans: with a newer one nothing more is started under this lease.
    """

    hospital: str
    cadre: str
    token: str
    deadline: float
    attempts: int
    plan_number: int


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What became of one entry. `digest` is what was confirmed (None: what was sent);
    `clear_remote_id` clears the remote id and ETag, which proved stale;
    `counts_as_attempt` counts an attempt against the message (only for refusals that belong to it); `proof`
    says how it was proved that what should be gone is gone: "deleted", "entered-in-error" or "not-there".
    """

    identity: str
    event: EntryEvent
    remote_id: str | None = None
    etag: str | None = None
    digest: str | None = None
    reason: str | None = None
    detail: str | None = None
    clear_remote_id: bool = False
    counts_as_attempt: bool = False
    proof: str | None = None
