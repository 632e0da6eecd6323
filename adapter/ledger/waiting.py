"""How long what is not as it should be has waited: all SQL on ages."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, and_, exists, func, or_, select

from adapter.database import read
from adapter.ledger import tables
from adapter.ledger.history import held_since, unpack
from adapter.ledger.parking import REFERRAL
from adapter.ledger.state import State

__all__ = ["Aged", "WaitingStore"]

_E, _S, _W, _H = tables.entry, tables.shipment, tables.worker, tables.hospital
_LEAVING = (State.RETRACTING, State.RETRACTED)
_EVER = datetime.max.replace(tzinfo=UTC)
_wished = func.coalesce(_E.c.wished_at, _E.c.changed_at, type_=_E.c.changed_at.type)
_sent = func.coalesce(_E.c.sent_at, _E.c.changed_at, type_=_E.c.changed_at.type)


@dataclass(frozen=True, slots=True)
class Aged:
    """How many there are, and since when the oldest waits."""

    count: int
    since: datetime | None


class WaitingStore:
    """What waits at a hospital since before a moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def anything(self, hospital: str) -> bool:
        """Whether it should hold anything, or ever should have."""
        with read(self._engine) as connection:
            return bool(connection.execute(select(exists().where(_E.c.hospital == hospital))).scalar())

    def unknown(self, hospital: str, before: datetime) -> Aged:
        """Sent, and not known whether it arrived."""
        return self._aged(_at(hospital, State.SENDING, State.UNKNOWN), _sent, before)

    def leaving(self, hospital: str, before: datetime) -> Aged:
        """To be retracted, and still there."""
        return self._aged(_at(hospital, State.RETRACTING), _wished, before)

    def referrals(self, hospital: str, before: datetime) -> Aged:
        """Referrals that the hospital should have, and has not."""
        missing = _at(hospital, State.PENDING, State.SENDING, State.UNKNOWN, State.PARKED)
        return self._aged(and_(missing, _E.c.type == REFERRAL), _wished, before)

    def held_referrals(self, hospital: str) -> dict[str, datetime]:
        """Referrals that the hospital has: record key -> since when, whatever version of it, and whether or
        not a newer one is on its way.
        """
        # The rest is looked at here, so that the index of what the hospital holds by type is used.
        columns = ("key", "kind", "state", "remote_id", "delivered_digest", "history", "delivered_at")
        query = select(*(_E.c[name] for name in columns))
        with read(self._engine) as connection:
            rows = connection.execute(query.where(_E.c.hospital == hospital, _E.c.type == REFERRAL)).all()
        found: dict[str, datetime] = {}
        for row in rows:
            is_there = row.remote_id is not None or row.delivered_digest is not None
            since = held_since(unpack(row.history)) or row.delivered_at
            if is_there and row.state not in _LEAVING and row.kind == "referral" and since is not None:
                found[row.key] = min(since, found.get(row.key, since))
        return found

    def due(self, hospital: str, before: datetime, now: datetime) -> Aged:
        """Shipments that are due and nobody takes."""
        free = or_(_S.c.lease_token.is_(None), _S.c.lease_until < now)
        return self._aged(and_(_S.c.hospital == hospital, free), _S.c.due_at, before)

    def elsewhere(self, known: Collection[str]) -> dict[str, Aged]:
        """What is to go to hospitals, or to leave them, that are none of these."""
        open_ = _E.c.state.in_((State.PENDING, State.SENDING, State.UNKNOWN, State.RETRACTING))
        strange = and_(_H.c.name.not_in(known), exists().where(_E.c.hospital == _H.c.name, open_))
        with read(self._engine) as connection:
            names = list(connection.execute(select(_H.c.name).where(strange)).scalars())
        return {name: self._aged(and_(_E.c.hospital == name, open_), _wished, _EVER) for name in names}

    def silent(self, before: datetime) -> Aged:
        """Workers of which nothing was heard."""
        return self._aged(_W.c.id.is_not(None), _W.c.seen_at, before)

    def _aged(self, chosen: ColumnElement[bool], since: ColumnElement[datetime], before: datetime) -> Aged:
        query = select(func.count(), func.min(since, type_=_E.c.changed_at.type)).where(
            chosen, before > since
        )
        with read(self._engine) as connection:
            row = connection.execute(query).one()
        return Aged(int(row[0]), row[1])


def _at(hospital: str, *states: State) -> ColumnElement[bool]:
    return and_(_E.c.hospital == hospital, _E.c.state.in_(states))
