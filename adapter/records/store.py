"""The store of records: look-ups, the change feed, and the two writes of the inbox."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine, Row, bindparam, case, func, insert, select, union_all, update
from sqlalchemy.sql import Select

from adapter.database import read_transaction, write_transaction
from adapter.records import reassignments
from adapter.records import serialisation as bodies
from adapter.records.change_feed import ChangeFeed, newest_position
from adapter.records.merges import MergeStore, merge_person_records, with_owner
from adapter.records.model import KINDS, Cadre, Record, Referral, Result
from adapter.records.referral_answers import (
    OrderStatements,
    answer_again,
    answered,
    no_statements,
    open_again,
)
from adapter.records.tables import cadre_identifier, record, record_merge
from adapter.referrals.details import TaskDetails
from adapter.referrals.sayings import ReferralSaying

__all__ = ["RecordStore", "StoredRecord"]

_ORDER = KINDS
_PAGE = 1000
_SHARING = 4  # people at most whose newest change is of one record: whose it is and was, who they are now
_WITHDRAWN = "entered-in-error"
_STORED = (
    record.c.kind,
    record.c.key,
    func.coalesce(record_merge.c.survivor, record.c.cadre).label("cadre"),
    record.c.body,
    record.c.deleted,
    record.c.position,
    record.c.source,
    record.c.sheet,
    record.c.row,
    record.c.imported_at,
)
_WITH_MERGES = record.outerjoin(record_merge, record_merge.c.loser == record.c.cadre)
_OF_NAMES = record.c.cadre.in_(bindparam("b_names", expanding=True)) & record.c.deleted.is_(False)
_LIVE = (
    select(record.c.kind, record.c.body, record.c.cadre)
    .where(_OF_NAMES)
    .order_by(case({kind: number for number, kind in enumerate(_ORDER)}, value=record.c.kind), record.c.key)
)
# not by the column, as in `changed_records`
_LIVE_OF_KINDS = _LIVE.where(func.coalesce(record.c.kind, "").in_(bindparam("b_kinds", expanding=True)))
_LIVE_STORED: Select[Any] = select(*_STORED).select_from(_WITH_MERGES).where(_OF_NAMES)


@dataclass(frozen=True)
class StoredRecord:
    """A record with where it came from. `record` is None for a tombstone; `row` counts from 1;
    `imported_at` is when an import wrote this content.
    """

    kind: str
    key: str
    cadre: str
    record: Record | None
    deleted: bool
    position: int
    source: str | None
    sheet: str | None
    row: int | None
    imported_at: datetime | None


class RecordStore:
    """All SQL of the records, but the import's own (`import_writer`)."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.merges = MergeStore(engine)

    def get(self, kind: str, key: str) -> Record | None:
        """The live record, or None."""
        stored = self.stored_record(kind, key)
        found = stored.record if stored else None
        return (
            found
            if stored is None or found is None or isinstance(found, Cadre)
            else with_owner(found, stored.cadre)
        )

    def stored_record(self, kind: str, key: str) -> StoredRecord | None:
        """The record with its source, a tombstone too; None when there never was one."""
        found = self._stored(select(*_STORED).where(record.c.kind == kind, record.c.key == key))
        return found[0] if found else None

    def find(self, key: str) -> list[StoredRecord]:
        """Records of any kind with that key."""
        return self._stored(select(*_STORED).where(record.c.key == key).order_by(record.c.kind))

    def of_cadre(self, cadre: str) -> list[Record]:
        """The person's live records: cadre, visits, measurements, diagnoses, referrals, results; by key.
        What was recorded under a name that was merged into this one is among them; a merged one has none.
        """
        return self.of_cadres([cadre])[cadre]

    def of_cadres(self, cadres: Collection[str], kinds: Collection[str] = ()) -> dict[str, list[Record]]:
        """The live records of each of these people as `of_cadre` gives them; of some `kinds` alone."""
        found: dict[str, list[tuple[Record, str]]] = {cadre: [] for cadre in cadres}
        with read_transaction(self.engine) as connection:
            whose = self._whose(connection, cadres)
            asked = {"b_names": list(whose), "b_kinds": list(kinds)}
            for kind, body, name in connection.execute(_LIVE_OF_KINDS if kinds else _LIVE, asked):
                found[whose[name]].append((bodies.parse_record(kind, body), name))
        return {cadre: _as_one(cadre, records) for cadre, records in found.items()}

    def stored_of_cadres(self, cadres: Collection[str]) -> dict[str, list[StoredRecord]]:
        """The live records of each of these people with where each came from, in no order; merged as in
        `of_cadre`.
        """
        found: dict[str, list[StoredRecord]] = {cadre: [] for cadre in cadres}
        with read_transaction(self.engine) as connection:
            whose = self._whose(connection, cadres)
            for row in connection.execute(_LIVE_STORED, {"b_names": list(whose)}):
                found[row.cadre].append(_stored(row))
        return found

    def _whose(self, connection: Connection, cadres: Collection[str]) -> dict[str, str]:
        """The names that these people's records are under, and whose each is."""
        names = self.merges.recorded_names(connection, cadres)
        return {name: cadre for cadre, listed in names.items() for name in listed}

    def changed_cadres(self, since: int, limit: int) -> list[tuple[str, int]]:
        """People with a change after position `since` and their newest position, oldest change first.

        Tombstones are changes. At most `limit` people, and who shares the last one's position (a record that
        moved is a change of both); ask again from the last position until none.
        """
        # By the *newest* position: a person whose newest is within the page has nothing older left out.
        changes = union_all(
            select(record.c.cadre.label("cadre"), record.c.position).where(record.c.position > since),
            select(record.c.former_cadre.label("cadre"), record.c.position).where(
                record.c.position > since, record.c.former_cadre.is_not(None)
            ),
            # A change of what is or was recorded under a merged name is a change of the person.
            *(
                select(record_merge.c.survivor, record.c.position)
                .join(record, name == record_merge.c.loser)
                .where(record.c.position > since)
                for name in (record.c.cadre, record.c.former_cadre)
            ),
        ).subquery()
        newest = func.max(changes.c.position)
        query = select(changes.c.cadre, newest).group_by(changes.c.cadre).order_by(newest)
        with read_transaction(self.engine) as connection:
            rows = connection.execute(query.limit(limit + _SHARING - 1))
            found = [(cadre, int(position)) for cadre, position in rows]
        return [one for one in found if one[1] <= found[limit - 1][1]] if len(found) > limit else found

    def changed_records(self, kinds: Collection[str], since: int, limit: int) -> list[StoredRecord]:
        """What of these kinds changed after position `since`, tombstones too, oldest change first."""
        # not by the column, or SQLite would read all of these kinds instead of what stands behind the place
        kind = func.coalesce(record.c.kind, "")
        query = select(*_STORED).where(record.c.position > since, kind.in_(kinds))
        return self._stored(query.order_by(record.c.position).limit(limit))

    def stored_of_kind(self, kind: str) -> Iterator[StoredRecord]:
        """Live records of a kind by key, a page at a time; those of who was merged too."""
        query = select(*_STORED).where(record.c.kind == kind, record.c.deleted.is_(False))
        last = ""
        while page := self._stored(query.where(record.c.key > last).order_by(record.c.key).limit(_PAGE)):
            last = page[-1].key
            yield from page

    def reassigned_to(self, cadres: Collection[str]) -> dict[tuple[str, str], str]:
        """Kind and key of what is these people's and was recorded under another name before, tombstones too:
        whose each is.
        """
        with read_transaction(self.engine) as connection:
            return reassignments.reassigned_to(connection, self._whose(connection, cadres))

    def reassigned_among(self, records: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Those of these records (kind, key) that were recorded under another name before, tombstones too:
        whose each is.
        """
        with read_transaction(self.engine) as connection:
            return reassignments.reassigned_among(connection, records)

    def keys_recorded_under(self, cadre: str) -> set[tuple[str, str]]:
        """Kind and key of everything that was ever recorded under this very name, tombstones too."""
        query = select(record.c.kind, record.c.key).where(record.c.cadre == cadre)
        with read_transaction(self.engine) as connection:
            return {(kind, key) for kind, key in connection.execute(query)}

    def imported_among(self, cadres: Collection[str]) -> set[str]:
        """Whose record is known to be from an import, be it a tombstone now. Of who is T0 that is erased."""
        theirs = (record.c.kind == "cadre") & record.c.key.in_(list(cadres))
        query = select(record.c.key).where(theirs, record.c.source.is_not(None))
        with read_transaction(self.engine) as connection:
            return set(connection.execute(query).scalars())

    def newest_position(self) -> int:
        """The newest position; 0 for an empty store."""
        with read_transaction(self.engine) as connection:
            return newest_position(connection)

    def iterate(self, kind: str) -> Iterator[Record]:
        """Live records of a kind by key, a page at a time: memory does not grow with their number."""
        last = ""
        while page := self._page(kind, last):
            last = page[-1].key
            others = self.merges.survivors({row.cadre for row in page})
            for row in page:
                one = bodies.parse_record(kind, row.body)
                if row.cadre not in others:
                    yield one
                elif not isinstance(one, Cadre):
                    yield with_owner(one, others[row.cadre])

    def counts(self) -> dict[str, int]:
        """Live records by kind; every kind is there."""
        query = select(record.c.kind, func.count()).where(record.c.deleted.is_(False)).group_by(record.c.kind)
        with read_transaction(self.engine) as connection:
            found = {kind: int(count) for kind, count in connection.execute(query)}
        return {kind: found.get(kind, 0) for kind in _ORDER}

    def cadres_by_identifier(self, value: str) -> list[str]:
        """Keys of the people with that national or insurance number, however it is spaced."""
        found = self.names_by_identifier(value)
        others = self.merges.survivors(found)
        return sorted({others.get(cadre, cadre) for cadre in found})

    def names_by_identifier(self, value: str) -> set[str]:
        """The same, under the names that they were recorded by before any was merged."""
        query = select(cadre_identifier.c.cadre).where(
            cadre_identifier.c.value.in_(bodies.identifier_forms([value]))
        )
        with read_transaction(self.engine) as connection:
            return set(connection.execute(query).scalars())

    def save_result(
        self,
        result: Result,
        *,
        connection: Connection | None = None,
        statements: OrderStatements = no_statements,
    ) -> bool:
        """Write a result; False when the same content is stored already. Joins `connection` if given.

        A withdrawn one no longer answers its referrals: they are as the person's other results and the
        `statements` leave them. Raises LookupError for a person who is not in the records.
        """
        body = bodies.serialise_record(result)
        digest = bodies.body_digest(body)
        with self._writing(connection) as writer:
            feed = ChangeFeed(writer)
            if not _lives(writer, result.cadre):
                raise LookupError("nobody in the records has this result")
            before = writer.execute(
                select(record.c.digest, record.c.deleted, record.c.cadre, record.c.former_cadre).where(
                    record.c.kind == result.kind, record.c.key == result.key
                )
            ).first()
            if before and before.digest == digest and not before.deleted:
                return False
            values: dict[str, Any] = {
                "cadre": result.cadre,
                "body": body,
                "digest": digest,
                "deleted": False,
                "position": feed.next(),
                "source": result.hospital,
                "former_cadre": reassignments.former_owner(before, result.cadre),
            }
            if before:
                writer.execute(
                    update(record)
                    .where(record.c.kind == result.kind, record.c.key == result.key)
                    .values(values)
                )
            else:
                writer.execute(insert(record).values(kind=result.kind, key=result.key, **values))
            if result.status == _WITHDRAWN:
                open_again(writer, feed, result.cadre, result.key, statements)
            feed.close()
            return True

    def lives(self, cadre: str, *, connection: Connection) -> bool:
        """Whether the person is in the records; no import changes that before the transaction ends."""
        ChangeFeed(connection)
        return _lives(connection, cadre)

    def advance(
        self,
        referral: str,
        saying: ReferralSaying | None,
        by: str | None,
        at: datetime,
        *,
        details: TaskDetails | None = None,
        connection: Connection | None = None,
    ) -> bool:
        """Take a referral where a hospital's saying leads, note what else it said; False: nothing changed."""

        def change(one: Referral) -> Referral:
            return answered(one, saying, details, by=by, at=at)

        return self.amend_referral(referral, change, connection=connection)

    def amend_referral(
        self, key: str, change: Callable[[Referral], Referral], *, connection: Connection | None = None
    ) -> bool:
        """Change what no import says of a referral; False when nothing changed, or there is none."""
        mine = (record.c.kind == Referral.kind) & (record.c.key == key)
        with self._writing(connection) as writer:
            feed = ChangeFeed(writer)
            body = writer.execute(select(record.c.body).where(mine, record.c.deleted.is_(False))).scalar()
            if body is None:
                return False
            before = cast(Referral, bodies.parse_record(Referral.kind, body))
            after = change(before)
            if after == before:
                return False
            text = bodies.serialise_record(after)
            writer.execute(
                update(record)
                .where(mine)
                .values(body=text, digest=bodies.body_digest(text), position=feed.next())
            )
            feed.close()
            return True

    def take_back(
        self, result: str, *, connection: Connection, statements: OrderStatements = no_statements
    ) -> bool:
        """Remove a result that was wrongly matched; the referrals that it answered are as the person's other
        results and the `statements` leave them.
        """
        feed = ChangeFeed(connection)
        mine = (record.c.kind == Result.kind) & (record.c.key == result) & record.c.deleted.is_(False)
        owner = connection.execute(select(record.c.cadre).where(mine)).scalar()
        if owner is None:
            return False
        gone = {"body": None, "digest": "", "deleted": True, "position": feed.next()}
        connection.execute(update(record).where(mine).values(gone))
        open_again(connection, feed, owner, result, statements)
        feed.close()
        return True

    def answer_again(
        self, cadre: str, referral: str, *, connection: Connection, statements: OrderStatements
    ) -> None:
        """A Task that answered this referral does not count any more: `statements` are those that do."""
        feed = ChangeFeed(connection)
        answer_again(connection, feed, cadre, referral, statements)
        feed.close()

    @contextmanager
    def _writing(self, connection: Connection | None) -> Iterator[Connection]:
        if connection is not None:
            yield connection
        else:
            with write_transaction(self.engine) as own:
                yield own

    def _stored(self, query: Select[Any]) -> list[StoredRecord]:
        with read_transaction(self.engine) as connection:
            return [_stored(row) for row in connection.execute(query.select_from(_WITH_MERGES))]

    def _page(self, kind: str, last: str) -> Sequence[Row[Any]]:
        query = (
            select(record.c.key, record.c.body, record.c.cadre)
            .where(record.c.kind == kind, record.c.key > last, record.c.deleted.is_(False))
            .order_by(record.c.key)
            .limit(_PAGE)
        )
        with read_transaction(self.engine) as connection:
            return cast(Sequence[Row[Any]], connection.execute(query).all())


def _as_one(cadre: str, records: Sequence[tuple[Record, str]]) -> list[Record]:
    """The records as this person's, whatever name each is under."""
    if all(name == cadre for _, name in records):
        return [one for one, _ in records]
    return merge_person_records(cadre, records)


def _lives(connection: Connection, cadre: str) -> bool:
    query = select(record.c.key).where(
        record.c.kind == Cadre.kind, record.c.key == cadre, record.c.deleted.is_(False)
    )
    return connection.execute(query).first() is not None


def _stored(row: Row[Any]) -> StoredRecord:
    fields = dict(row._mapping)
    body = fields.pop("body")
    return StoredRecord(record=None if row.deleted else bodies.parse_record(row.kind, body), **fields)
