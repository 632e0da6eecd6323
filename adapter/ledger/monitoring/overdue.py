"""How long what is not as it should be has waited: all SQL on ages."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, and_, exists, func, or_, select

from adapter.database import read_transaction
from adapter.ledger.parking import REFERRAL_TYPE
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.transitions import held_since, unpack_transitions
from adapter.ledger.schema.values import UNKNOWN_RECORD

__all__ = ["Backlog", "OverdueStore"]

_E, _S, _W, _H = tables.entry, tables.shipment, tables.worker, tables.hospital
_LEAVING = (EntryState.RETRACTING, EntryState.RETRACTED)
# Not to be looked for by its kind, but among what is to be retracted.
_NAMELESS = func.coalesce(_E.c.kind, "") == UNKNOWN_RECORD[0]
_EVER = datetime.max.replace(tzinfo=UTC)
_wished = func.coalesce(_E.c.wished_at, _E.c.changed_at, type_=_E.c.changed_at.type)
_sent = func.coalesce(_E.c.sent_at, _E.c.changed_at, type_=_E.c.changed_at.type)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many there are, and since when the oldest waits."""

    count: int
    since: datetime | None


class OverdueStore:
    """What waits at a hospital since before a moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def has_entries(self, hospital: str) -> bool:
        """Whether it should hold anything, or ever should have."""
        with read_transaction(self._engine) as connection:
            return bool(connection.execute(select(exists().where(_E.c.hospital == hospital))).scalar())

    def unknown(self, hospital: str, before: datetime) -> Backlog:
        """Sent, and not known whether it arrived."""
        return self._aged(_at(hospital, EntryState.SENDING, EntryState.UNKNOWN), _sent, before)

    def retracting(self, hospital: str, before: datetime) -> Backlog:
        """To be retracted, and still there."""
        return self._aged(_at(hospital, EntryState.RETRACTING), _wished, before)

    def nameless_retractions(self, hospital: str) -> Backlog:
        """To be retracted, of no record that is known: of people who must be hidden, above all."""
        return self._aged(and_(_at(hospital, EntryState.RETRACTING), _NAMELESS), _wished, _EVER)

    def undelivered_referrals(self, hospital: str, before: datetime) -> Backlog:
        """Referrals that the hospital should have, and has not."""
        missing = _at(hospital, EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.PARKED)
        return self._aged(and_(missing, _E.c.type == REFERRAL_TYPE), _wished, before)

    def delivered_referrals(self, hospital: str) -> dict[str, datetime]:
        """Referrals that the hospital has: record key -> since when, whatever version of it, and whether or
        not a newer one is on its way.
        """
        # The rest is looked at here, so that the index of what the hospital holds by type is used.
        columns = ("key", "kind", "state", "remote_id", "delivered_digest", "history", "delivered_at")
        query = select(*(_E.c[name] for name in columns))
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                query.where(_E.c.hospital == hospital, _E.c.type == REFERRAL_TYPE)
            ).all()
        found: dict[str, datetime] = {}
        for row in rows:
            is_there = row.remote_id is not None or row.delivered_digest is not None
            since = held_since(unpack_transitions(row.history)) or row.delivered_at
            if is_there and row.state not in _LEAVING and row.kind == "referral" and since is not None:
                found[row.key] = min(since, found.get(row.key, since))
        return found

    def unclaimed_shipments(self, hospital: str, before: datetime, now: datetime) -> Backlog:
        """Shipments that are due and nobody takes."""
        free = or_(_S.c.lease_token.is_(None), _S.c.lease_until < now)
        return self._aged(and_(_S.c.hospital == hospital, free), _S.c.due_at, before)

    def unconfigured_hospitals(self, known: Collection[str]) -> dict[str, Backlog]:
        """What is to go to hospitals, or to leave them, that are none of these."""
        open_ = _E.c.state.in_(
            (EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.RETRACTING)
        )
        strange = and_(_H.c.name.not_in(known), exists().where(_E.c.hospital == _H.c.name, open_))
        with read_transaction(self._engine) as connection:
            names = list(connection.execute(select(_H.c.name).where(strange)).scalars())
        return {name: self._aged(and_(_E.c.hospital == name, open_), _wished, _EVER) for name in names}

    def silent_workers(self, before: datetime) -> Backlog:
        """Workers of which nothing was heard."""
        return self._aged(_W.c.id.is_not(None), _W.c.seen_at, before)

    def _aged(self, chosen: ColumnElement[bool], since: ColumnElement[datetime], before: datetime) -> Backlog:
        query = select(func.count(), func.min(since, type_=_E.c.changed_at.type)).where(
            chosen, before > since
        )
        with read_transaction(self._engine) as connection:
            row = connection.execute(query).one()
        return Backlog(int(row[0]), row[1])


def _at(hospital: str, *states: EntryState) -> ColumnElement[bool]:
    return and_(_E.c.hospital == hospital, _E.c.state.in_(states))
