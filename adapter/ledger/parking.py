"""What waits for a person: seen by cause, released, and what became too old to go unasked. All SQL on it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from adapter.database import read_transaction, write_transaction
from adapter.ledger.entries.row_values import REASON_INVALID
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState, next_state
from adapter.ledger.schema.transitions import pack_transition
from adapter.ledger.shipments import ShipmentStore

__all__ = ["REASON_TOO_OLD", "REFERRAL_TYPE", "ParkedGroup", "ParkedSelection", "ParkedStore"]

REASON_TOO_OLD = "too-old"
REFERRAL_TYPE = "ServiceRequest"
# What others refer to is no news that could be out of date: a person goes along with what is new of him.
_AGELESS = ("cadre", "centre")
_MANY = 500

_E, _S = tables.entry, tables.shipment
_since = func.coalesce(_E.c.wished_at, _E.c.changed_at, type_=_E.c.changed_at.type)
_REASON = func.coalesce(_E.c.reason, "refused")
_GROUPS = select(
    _E.c.hospital,
    _REASON,
    func.count(),
    func.sum(case((_E.c.type == REFERRAL_TYPE, 1), else_=0)),
    func.min(_since, type_=_E.c.changed_at.type),
).group_by(_E.c.hospital, _REASON)
_GROUPS_AT = _GROUPS.where(
    _E.c.hospital.in_(bindparam("b_names", expanding=True)), _E.c.state == EntryState.PARKED
)


@dataclass(frozen=True, slots=True)
class ParkedGroup:
    """What is parked at one hospital for one cause: how many, how many of them referrals, since when the
    oldest is wished for.
    """

    hospital: str
    reason: str
    count: int
    referrals: int
    since: datetime


@dataclass(frozen=True, slots=True)
class ParkedSelection:
    """What of a hospital's parked resources is meant: of one cause, of one record or identity, or all."""

    hospital: str
    reason: str | None = None
    key: str | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """The same in SQL."""
        chosen = [_E.c.hospital == self.hospital, _E.c.state == EntryState.PARKED]
        if self.reason is not None:
            chosen.append(_E.c.reason == self.reason)
        if self.key is not None:
            chosen.append(or_(_E.c.key == self.key, _E.c.identity == self.key))
        return and_(*chosen)

    @property
    def is_explicit(self) -> bool:
        """Whether a person asks for just these, however old they are."""
        return self.key is not None or self.reason == REASON_TOO_OLD


class ParkedStore:
    """Parked resources, over all cadres of a hospital."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def groups(self, choices: Iterable[ParkedSelection]) -> list[ParkedGroup]:
        """By hospital and cause, those with referrals first, then the oldest."""
        found: list[ParkedGroup] = []
        with read_transaction(self._engine) as connection:
            for query, names in _queries(choices):
                found += [
                    ParkedGroup(row[0], row[1], int(row[2]), int(row[3]), row[4])
                    for row in connection.execute(query, names)
                ]
        return sorted(found, key=lambda one: (one.hospital, -bool(one.referrals), one.since, one.reason))

    def count_too_old(self, choice: ParkedSelection, cutoff: datetime | None) -> int:
        """How many of them are too old to be released unasked."""
        if cutoff is None or choice.is_explicit:
            return 0
        query = select(func.count()).where(choice.condition, _is_old(cutoff))
        with read_transaction(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def cadres(self, choice: ParkedSelection) -> list[str]:
        """Whose they are."""
        with read_transaction(self._engine) as connection:
            return list(connection.execute(select(_E.c.cadre).distinct().where(choice.condition)).scalars())

    def release(
        self, connection: Connection, choice: ParkedSelection, cutoff: datetime | None, now: datetime
    ) -> tuple[int, int]:
        """Let them go again, but for what is not valid. Of those not asked for by name or as too old, what
        was wished for before `cutoff` stays parked, as too old. Returns (how many were released, how many
        became too old).
        """
        fit = and_(choice.condition, func.coalesce(_E.c.reason, "") != REASON_INVALID)
        cadres = list(connection.execute(select(_E.c.cadre).distinct().where(fit)).scalars())
        for start in range(0, len(cadres), _MANY):  # first, as workers do: shipments before entries
            ShipmentStore.mark_due(connection, choice.hospital, cadres[start : start + _MANY], now)
        became_old = 0
        if not choice.is_explicit:
            became_old = self._park(connection, and_(fit, _is_old(cutoff)), now) if cutoff else 0
            fit = and_(fit, func.coalesce(_E.c.reason, "") != REASON_TOO_OLD)
        state = next_state(EntryState.PARKED, EntryEvent.RELEASE)
        values = {
            "state": state,
            "attempts": 0,
            "reason": None,
            "detail": None,
            "changed_at": now,
            "history": tables.append_history(
                self._engine.dialect.name, pack_transition(state, now, "released")
            ),
        }
        if choice.is_explicit:
            values["wished_at"] = now  # by a person
        return connection.execute(update(_E).where(fit).values(values)).rowcount, became_old

    def park_outdated(self, hospital: str, cutoff: datetime, now: datetime) -> int:
        """Park what is pending and was wished for before `cutoff`: it waits for a person's word. Returns
        how many. What must go away always does.
        """
        old = and_(_E.c.hospital == hospital, _E.c.state == EntryState.PENDING, _is_old(cutoff))
        with read_transaction(self._engine) as connection:
            cadres = list(connection.execute(select(_E.c.cadre).distinct().where(old)).scalars())
        if not cadres:
            return 0
        with write_transaction(self._engine) as connection:
            self._supersede(connection, hospital, cadres)
            return self._park(connection, old, now)

    def _park(self, connection: Connection, chosen: ColumnElement[bool], now: datetime) -> int:
        state = next_state(EntryState.PENDING, EntryEvent.REFUSE)
        return connection.execute(
            update(_E)
            .where(chosen, func.coalesce(_E.c.reason, "") != REASON_TOO_OLD)
            .values(
                state=state,
                reason=REASON_TOO_OLD,
                detail=None,
                changed_at=now,
                history=tables.append_history(
                    self._engine.dialect.name, pack_transition(state, now, REASON_TOO_OLD)
                ),
            )
        ).rowcount

    @staticmethod
    def _supersede(connection: Connection, hospital: str, cadres: Sequence[str]) -> None:
        """Whoever has read these shipments starts nothing more of them before reading again."""
        for start in range(0, len(cadres), _MANY):
            mine = and_(_S.c.hospital == hospital, _S.c.cadre.in_(cadres[start : start + _MANY]))
            connection.execute(update(_S).where(mine).values(wish=_S.c.wish + 1))


def _is_old(cutoff: datetime) -> ColumnElement[bool]:
    return and_(_E.c.kind.not_in(_AGELESS), _since < cutoff)


def _queries(choices: Iterable[ParkedSelection]) -> Iterator[tuple[Select[Any], dict[str, list[str]]]]:
    """All that is parked at some hospitals is asked for at once."""
    choices = list(choices)
    if whole := [one.hospital for one in choices if one.reason is None and one.key is None]:
        yield _GROUPS_AT, {"b_names": whole}
    for one in choices:
        if one.reason is not None or one.key is not None:
            yield _GROUPS.where(one.condition), {}
