"""Server cards, kept: all SQL on them."""

from collections.abc import Mapping
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
    """The newest card of each hospital. `addresses` by name: where each hospital's server is now; a card that
    was measured at another address is that server's, and none of this one's.
    """

    def __init__(self, engine: Engine, addresses: Mapping[str, str] | None = None) -> None:
        self._engine = engine
        self._addresses = addresses or {}

    def _is_of_another(self, hospital: str, base_url: str | None) -> bool:
        return base_url is not None and base_url != self._addresses.get(hospital, base_url)

    def replaced_address(self, hospital: str) -> str | None:
        """The address of the card that a card measured now would replace; None where it is of this server."""
        with read_transaction(self._engine) as connection:
            found = connection.execute(select(_C.c.base_url).where(_C.c.hospital == hospital)).scalar()
        return found if self._is_of_another(hospital, found) else None

    def get(self, hospital: str) -> StoredCard | None:
        """The hospital's card; None when its server was never measured."""
        with read_transaction(self._engine) as connection:
            row = connection.execute(select(_C).where(_C.c.hospital == hospital)).one_or_none()
        if row is None or self._is_of_another(hospital, row.base_url):
            return None
        return StoredCard(ServerCard.from_json(orjson.loads(row.card)), row.measured_at, row.drift)

    def put(self, hospital: str, card: ServerCard, now: datetime) -> str | None:
        """Keep a card; what it did not measure of the same software stays as it was. Returns what
        differs from the card that a person last saw, which stays until they have `acknowledge` it.
        """
        with write_transaction(self._engine) as connection:
            row = connection.execute(select(_C).where(_C.c.hospital == hospital)).one_or_none()
            row = None if row is not None and self._is_of_another(hospital, row.base_url) else row
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
                    base_url=self._addresses.get(hospital),
                )
            )
        return changed

    def acknowledge(self, hospital: str) -> None:
        """A person has seen what changed."""
        with write_transaction(self._engine) as connection:
            connection.execute(update(_C).where(_C.c.hospital == hospital).values(drift=None, before=None))
