"""How long what is not as it should be has waited: all SQL on ages."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Engine,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
)

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

_DELIVERED = select(
    _E.c.hospital,
    _E.c.key,
    _E.c.kind,
    _E.c.state,
    _E.c.remote_id,
    _E.c.delivered_digest,
    _E.c.history,
    _E.c.delivered_at,
)
_DELIVERED_AMONG = _DELIVERED.where(
    _E.c.kind == "referral", _E.c.key.in_(bindparam("b_keys", expanding=True))
)
_BEFORE: BindParameter[datetime] = bindparam("b_before", type_=_E.c.changed_at.type)
_NOW: BindParameter[datetime] = bindparam("b_now", type_=_E.c.changed_at.type)
_NAMES: BindParameter[str] = bindparam("b_names", expanding=True)
_MISSING = (EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.PARKED)
# Made once: every page of today's work asks.
_UNDELIVERED = (
    select(_E.c.hospital, func.count(), func.min(_wished, type_=_E.c.changed_at.type))
    .where(_E.c.hospital.in_(_NAMES), _E.c.state.in_(_MISSING), _E.c.type == REFERRAL_TYPE, _wished < _BEFORE)
    .group_by(_E.c.hospital)
)
_UNCLAIMED = (
    select(_S.c.hospital, func.count(), func.min(_S.c.due_at, type_=_E.c.changed_at.type))
    .where(_S.c.hospital.in_(_NAMES), or_(_S.c.lease_token.is_(None), _S.c.lease_until < _NOW))
    .where(_S.c.due_at < _BEFORE)
    .group_by(_S.c.hospital)
)


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

    def undelivered_referrals(self, hospitals: Collection[str], before: datetime) -> dict[str, Backlog]:
        """Referrals that these hospitals should have, and have not, by hospital; without those that lack
        none.
        """
        return self._by_hospital(_UNDELIVERED, hospitals, b_before=before)

    def delivered_referrals(self, hospital: str) -> dict[str, datetime]:
        """Referrals that the hospital has: record key -> since when, whatever version of it, and whether or
        not a newer one is on its way.
        """
        # The rest is looked at here, so that the index of what the hospital holds by type is used.
        theirs = _DELIVERED.where(_E.c.hospital == hospital, _E.c.type == REFERRAL_TYPE)
        with read_transaction(self._engine) as connection:
            found = _since_when(connection.execute(theirs))
        return {key: since for (_, key), since in found.items()}

    def delivered_among(self, referrals: Collection[str]) -> dict[tuple[str, str], datetime]:
        """The same of these records alone: hospital and key -> since when, at whatever hospital."""
        with read_transaction(self._engine) as connection:
            return _since_when(connection.execute(_DELIVERED_AMONG, {"b_keys": list(referrals)}))

    def unclaimed_shipments(
        self, hospitals: Collection[str], before: datetime, now: datetime
    ) -> dict[str, Backlog]:
        """Shipments that are due and nobody takes, by hospital; without those that have none."""
        return self._by_hospital(_UNCLAIMED, hospitals, b_before=before, b_now=now)

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

    def _by_hospital(
        self, query: Select[Any], hospitals: Collection[str], **moments: datetime
    ) -> dict[str, Backlog]:
        with read_transaction(self._engine) as connection:
            rows = connection.execute(query, {"b_names": list(hospitals), **moments})
            return {name: Backlog(int(count), since) for name, count, since in rows}

    def _aged(self, chosen: ColumnElement[bool], since: ColumnElement[datetime], before: datetime) -> Backlog:
        query = select(func.count(), func.min(since, type_=_E.c.changed_at.type)).where(
            chosen, before > since
        )
        with read_transaction(self._engine) as connection:
            row = connection.execute(query).one()
        return Backlog(int(row[0]), row[1])


def _since_when(rows: Iterable[Row[Any]]) -> dict[tuple[str, str], datetime]:
    """Hospital and key of a referral that is there -> since when."""
    found: dict[tuple[str, str], datetime] = {}
    for row in rows:
        is_there = row.remote_id is not None or row.delivered_digest is not None
        since = held_since(unpack_transitions(row.history)) or row.delivered_at
        if is_there and row.state not in _LEAVING and row.kind == "referral" and since is not None:
            place = row.hospital, row.key
            found[place] = min(since, found.get(place, since))
    return found


def _at(hospital: str, *states: EntryState) -> ColumnElement[bool]:
    return and_(_E.c.hospital == hospital, _E.c.state.in_(states))
