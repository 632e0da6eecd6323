"""Which server a hospital's ledger was made with, and what stands at its address now."""

from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.server_identity import halt_reason

__all__ = ["HospitalServer", "hospital_server"]

_HELD = (EntryState.DELIVERED, EntryState.SENDING, EntryState.UNKNOWN, EntryState.RETRACTING)


@dataclass(frozen=True, slots=True)
class HospitalServer:
    """`address` is that of the settings, `noted` that of the ledger's server (None: not yet noted), `says`
    what that one says of itself. `halted` is why nothing may be written, `since` when that was found. The
    server `held` so many resources of ours, of which `leaving` are to be taken back.
    """

    hospital: str
    address: str
    noted: str | None
    says: str | None
    halted: str | None
    since: datetime | None
    held: int
    leaving: int

    @property
    def is_at_same_address(self) -> bool:
        """Whether only the server changed."""
        return self.noted in (None, self.address)


def hospital_server(adapter: Adapter, name: str) -> HospitalServer:
    """The server of the hospital `name`, which is in the settings."""
    row, counts = adapter.ledger.hospitals.row(name), adapter.ledger.counts(name)
    return HospitalServer(
        hospital=name,
        address=adapter.addresses[name],
        noted=row.server_url,
        says=row.server_says,
        halted=halt_reason(adapter, name),
        since=row.halted_at,
        held=sum(counts.get(state, 0) for state in _HELD),
        leaving=counts.get(EntryState.RETRACTING, 0),
    )
