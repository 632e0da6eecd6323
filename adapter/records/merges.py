"""Who turned out to be whom. Merging changes no record: the survivor's records are read with the loser's
among them, and the loser is nobody, until the merge is undone.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from adapter.database import read_transaction
from adapter.records.change_feed import ChangeFeed
from adapter.records.model import Cadre, Record
from adapter.records.tables import record, record_merge

__all__ = ["Merge", "MergeStore", "merge_person_records", "with_owner"]

_M = record_merge
_CADRES: BindParameter[str] = bindparam("b_cadres", expanding=True)
_AMONG = (
    select(_M.c.loser, _M.c.survivor)
    .where(or_(_M.c.loser.in_(_CADRES), _M.c.survivor.in_(_CADRES)))
    .order_by(_M.c.loser)
)


@dataclass(frozen=True, slots=True)
class Merge:
    """One person was found to be another: the loser's records are the survivor's."""

    loser: str
    survivor: str
    merged_at: datetime
    merged_by: str


def with_owner(one: Record, cadre: str) -> Record:
    """The record as one of this person's."""
    return one.model_copy(update={"cadre": cadre})


def merge_person_records(survivor: str, records: Sequence[tuple[Record, str]]) -> list[Record]:
    """The records of a person and of whom was merged into that person (with the name each is under), as
    one person's: of several tiers the strictest holds, all else is as the survivor's record says.
    """
    tiers = [one.tier for one, _ in records if isinstance(one, Cadre)]
    kept: list[Record] = []
    for one, owner in records:
        if not isinstance(one, Cadre):
            kept.append(one if owner == survivor else with_owner(one, survivor))
        elif owner == survivor:
            kept.append(one.model_copy(update={"tier": min(tiers)}))
    return kept


class MergeStore:
    """The merges that hold; no survivor is ever a loser."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> "list[Merge]":
        """All of them, newest first."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(select(_M).order_by(_M.c.merged_at.desc(), _M.c.loser))
            return [Merge(**row._mapping) for row in rows]

    def survivor(self, cadre: str) -> str:
        """Who this person is now."""
        with read_transaction(self._engine) as connection:
            return _survivor(connection, cadre)

    def without_survivor(self) -> Sequence[Merge]:
        """Merges whose survivor left the records while the loser is still there: nothing says who it is."""
        gone = ~_is_there(_M.c.survivor)
        with read_transaction(self._engine) as connection:
            rows = connection.execute(select(_M).where(gone, _is_there(_M.c.loser)).order_by(_M.c.merged_at))
            return [Merge(**row._mapping) for row in rows]

    def losers_of(self, cadres: Collection[str]) -> dict[str, Sequence[str]]:
        """Whom each of these people was also known as."""
        with read_transaction(self._engine) as connection:
            return {cadre: names[1:] for cadre, names in self.recorded_names(connection, cadres).items()}

    @staticmethod
    def recorded_names(connection: Connection, cadres: Collection[str]) -> dict[str, Sequence[str]]:
        """The names that each of these people is recorded under: their own first. Somebody who is another
        now has none.
        """
        found = {cadre: [cadre] for cadre in cadres}
        if not found:
            return {}
        for loser, survivor in connection.execute(_AMONG, {"b_cadres": list(found)}):
            found.get(loser, []).clear()
            if survivor in found:
                found[survivor].append(loser)
        return dict(found)

    def survivors(self, cadres: Iterable[str]) -> dict[str, str]:
        """Loser -> survivor of those among `cadres` who lost."""
        with read_transaction(self._engine) as connection:
            query = select(_M.c.loser, _M.c.survivor).where(_M.c.loser.in_(list(cadres)))
            return {row.loser: row.survivor for row in connection.execute(query)}

    @staticmethod
    def add(connection: Connection, merge: Merge) -> None:
        """Write a merge down; whoever was merged into the loser goes along. Both people's records count
        as changed.
        """
        connection.execute(update(_M).where(_M.c.survivor == merge.loser).values(survivor=merge.survivor))
        row = {"loser": merge.loser, "survivor": merge.survivor}
        connection.execute(insert(_M).values(**row, merged_at=merge.merged_at, merged_by=merge.merged_by))
        _touch(connection, (merge.loser, merge.survivor))

    @staticmethod
    def undo(connection: Connection, loser: str) -> str | None:
        """Take a merge back: the survivor, or None when there was no such merge."""
        survivor = connection.execute(select(_M.c.survivor).where(_M.c.loser == loser)).scalar()
        if survivor is None:
            return None
        connection.execute(delete(_M).where(_M.c.loser == loser))
        _touch(connection, (loser, survivor))
        return str(survivor)

    @staticmethod
    def same_people(connection: Connection, cadres: Iterable[str]) -> set[str]:
        """These and everybody who is one of them."""
        known = set(cadres)
        if not known:
            return known
        query = select(_M.c.loser, _M.c.survivor).where(or_(_M.c.loser.in_(known), _M.c.survivor.in_(known)))
        survivors = known | {survivor for _, survivor in connection.execute(query)}
        more = select(_M.c.loser).where(_M.c.survivor.in_(survivors))
        return survivors | set(connection.execute(more).scalars())


def _is_there(key: ColumnElement[str]) -> ColumnElement[bool]:
    person = (record.c.kind == Cadre.kind) & (record.c.key == key) & record.c.deleted.is_(False)
    return exists().where(person)


def _survivor(connection: Connection, cadre: str) -> str:
    found = connection.execute(select(_M.c.survivor).where(_M.c.loser == cadre)).scalar()
    return str(found) if found else cadre


def _touch(connection: Connection, cadres: Sequence[str]) -> None:
    feed = ChangeFeed(connection)
    for cadre in cadres:
        connection.execute(
            update(record)
            .where(record.c.kind == Cadre.kind, record.c.key == cadre)
            .values(position=feed.next())
        )
    feed.close()
