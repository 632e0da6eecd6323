"""Server cards, kept: all SQL on them."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Engine, delete, insert, select, update

from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema import tables
from adapter.ledger.server_cards.card import ServerCard, drift, filled_from_earlier

__all__ = ["ServerCardStore", "StoredCard"]

_C = tables.server_card


@dataclass(frozen=True, slots=True)
class StoredCard:
    """A card and when it was measured. `drift` says what differs from the one that a person last saw, as
    `card.parse_drift` reads it; None when nothing does.
    """

    card: ServerCard
    measured_at: datetime
    drift: str | None


class ServerCardStore:
    """The newest card of each hospital."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, hospital: str) -> StoredCard | None:
        """The hospital's card; None when its server was never measured."""
        with read_transaction(self._engine) as connection:
            row = connection.execute(select(_C).where(_C.c.hospital == hospital)).one_or_none()
        return (
            StoredCard(ServerCard.from_json(orjson.loads(row.card)), row.measured_at, row.drift)
            if row
            else None
        )

    def put(self, hospital: str, card: ServerCard, now: datetime) -> str | None:
        """Keep a card; what it did not measure of the same software stays as it was. Returns what
        differs from the card that a person last saw, which stays until they have `acknowledge` it.
        """
        with write_transaction(self._engine) as connection:
            row = connection.execute(select(_C).where(_C.c.hospital == hospital)).one_or_none()
            last = ServerCard.from_json(orjson.loads(row.card)) if row else card
            known = ServerCard.from_json(orjson.loads(row.before)) if row and row.before else last
            whole = filled_from_earlier(card, last)
            changed = drift(known, whole)
            connection.execute(delete(_C).where(_C.c.hospital == hospital))
            connection.execute(
                insert(_C).values(
                    hospital=hospital,
                    measured_at=now,
                    card=orjson.dumps(whole.as_json()),
                    before=orjson.dumps(known.as_json()) if changed else None,
                    drift=changed,
                )
            )
        return changed

    def acknowledge(self, hospital: str) -> None:
        """A person has seen what changed."""
        with write_transaction(self._engine) as connection:
            connection.execute(update(_C).where(_C.c.hospital == hospital).values(drift=None, before=None))
