"""What a hospital should let go of and the adapter cannot ask it to: for a person who telephones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from adapter.database import read_transaction
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter

__all__ = ["Withdrawal", "waiting_withdrawals"]

_E = tables.entry
_COLUMNS = ("type", "identity", "former_identity", "delivered_digest", "remote_id", "changed_at")


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One resource, by what the hospital knows of it: nothing of a person, and no key of ours."""

    type: str
    system: str
    identifier: str
    id: str | None
    since: datetime


def waiting_withdrawals(adapter: Adapter, hospital: str) -> Sequence[Withdrawal]:
    """All that is to be taken back there and is not, in the order in which it can be deleted."""
    name, system = adapter.settings.hospital(hospital).name, adapter.settings.centre.identifier_system
    query = (
        select(
            _E.c.type,
            _E.c.identity,
            _E.c.former_identity,
            _E.c.delivered_digest,
            _E.c.remote_id,
            _E.c.changed_at,
        )
        .where(_E.c.hospital == name, _E.c.state == EntryState.RETRACTING)
        .order_by(_E.c.rank.desc(), _E.c.identity)
    )
    with read_transaction(adapter.engine) as connection:
        rows = connection.execute(query).all()
    return [
        Withdrawal(
            row.type,
            system,
            (row.former_identity if row.delivered_digest is None else None) or row.identity,
            row.remote_id,
            row.changed_at,
        )
        for row in rows
    ]
