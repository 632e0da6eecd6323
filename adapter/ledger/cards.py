"""Server cards, kept: all SQL on them."""

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Engine, delete, insert, select, update

from adapter.database import read, write
from adapter.ledger import tables
from adapter.ledger.card import Card

__all__ = ["CardStore", "StoredCard"]

_C = tables.server_card


@dataclass(frozen=True, slots=True)
class StoredCard:
    """A card and when it was measured. `drift` says what differs from the one before, until it was seen."""

    card: Card
    measured_at: datetime
    drift: str | None


class CardStore:
    """The newest card of each hospital."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, hospital: str) -> StoredCard | None:
        """The hospital's card; None when its server was never measured."""
        with read(self._engine) as connection:
            row = connection.execute(select(_C).where(_C.c.hospital == hospital)).one_or_none()
        return StoredCard(Card.from_json(orjson.loads(row.card)), row.measured_at, row.drift) if row else None

    def put(self, hospital: str, card: Card, drift: str | None, now: datetime) -> None:
        """Keep a card. `drift` adds to what was not seen yet: None leaves that as it is."""
        with write(self._engine) as connection:
            before = connection.execute(select(_C).where(_C.c.hospital == hospital)).one_or_none()
            connection.execute(delete(_C).where(_C.c.hospital == hospital))
            connection.execute(
                insert(_C).values(
                    hospital=hospital,
                    measured_at=now,
                    card=orjson.dumps(card.as_json()),
                    before=before.card if before and drift else None,
                    drift=drift or (before.drift if before else None),
                )
            )

    def seen(self, hospital: str) -> None:
        """A person has seen what changed."""
        with write(self._engine) as connection:
            connection.execute(update(_C).where(_C.c.hospital == hospital).values(drift=None, before=None))
