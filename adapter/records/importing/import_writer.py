"""What an import writes, all on one connection: records, tombstones, and what it has met so far."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, true, update

from adapter.records import serialisation as bodies
from adapter.records.change_feed import ChangeFeed
from adapter.records.erasure import ErasedPerson, cleared_records, erase_person, lock_erasures
from adapter.records.hidden_words import HiddenWords
from adapter.records.merges import MergeStore
from adapter.records.model import Cadre, Record
from adapter.records.reassignments import former_owner
from adapter.records.tables import cadre_identifier, import_row, record

__all__ = ["ImportWriter"]

_PAGE = 500
_EMPTY_DIGEST = ""
_CHILDREN = ("visit", "measurement", "diagnosis", "procedure", "immunization", "referral")


class ImportWriter:
    """Writes on `connection`, inside the caller's transaction. Positions come from `feed`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._feed = ChangeFeed(connection)  # first of all: this is the lock
        connection.execute(delete(import_row))

    @property
    def position(self) -> int:
        """The newest position given out."""
        return self._feed.position

    def close(self) -> None:
        """Forget what was met, write the feed's position."""
        self._connection.execute(delete(import_row))
        self._feed.close()

    # what the file holds -------------------------------------------------------------------------

    def seen_rows(self, kind: str, keys: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Which of these keys the import has met before: sheet and row."""
        query = select(import_row.c.key, import_row.c.sheet, import_row.c.row).where(
            import_row.c.kind == kind, import_row.c.key.in_(keys)
        )
        return {key: (sheet, row) for key, sheet, row in self._connection.execute(query)}

    def mark_seen(self, kind: str, sheet: str, rows: Sequence[tuple[str, int]]) -> None:
        """Remember keys with their rows."""
        if rows:
            values = [
                {"kind": kind, "key": key, "row": row, "sheet": sheet, "rejected": False} for key, row in rows
            ]
            self._connection.execute(insert(import_row), values)

    def mark_rejected(self, kind: str, keys: Sequence[str]) -> None:
        """Remember that these were rejected, so that what refers to them can say so."""
        if keys:
            self._connection.execute(
                update(import_row)
                .where(import_row.c.kind == kind, import_row.c.key.in_(keys))
                .values(rejected=True)
            )

    def rejected_keys(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Which of these keys were rejected in this import."""
        query = select(import_row.c.key).where(
            import_row.c.kind == kind, import_row.c.key.in_(list(keys)), import_row.c.rejected.is_(True)
        )
        return set(self._connection.execute(query).scalars())

    def live_owners(self, kind: str, keys: Iterable[str]) -> dict[str, str]:
        """The live ones of these keys, with the cadre each belongs to."""
        query = select(record.c.key, record.c.cadre).where(
            record.c.kind == kind, record.c.key.in_(list(keys)), record.c.deleted.is_(False)
        )
        return {row.key: row.cadre for row in self._connection.execute(query)}

    def count(self, kind: str) -> int:
        """How many records of a kind are live."""
        query = (
            select(func.count()).select_from(record).where(record.c.kind == kind, record.c.deleted.is_(False))
        )
        return int(self._connection.execute(query).scalar_one())

    def unseen_keys(self, kind: str, source: str | None = None) -> Iterator[list[str]]:
        """Live keys of a kind (that came from `source`) that the import has not met, a page at a time."""
        last = ""
        of_source = true() if source is None else record.c.source == source
        while True:
            query = (
                select(record.c.key)
                .where(
                    record.c.kind == kind,
                    record.c.key > last,
                    record.c.deleted.is_(False),
                    of_source,
                    ~exists().where(import_row.c.kind == record.c.kind, import_row.c.key == record.c.key),
                )
                .order_by(record.c.key)
                .limit(_PAGE)
            )
            page = list(self._connection.execute(query).scalars())
            if not page:
                return
            last = page[-1]
            yield page

    # writing -------------------------------------------------------------------------------------

    def upsert(
        self, rows: Sequence[tuple[Record, int]], source: str, sheet: str, at: datetime
    ) -> tuple[int, int]:
        """Write records (all of one kind) with their rows; (created, changed). Of unchanged ones only the
        place is noted, so that a message names the row in the newest file.
        """
        kind = rows[0][0].kind
        before = self._before(kind, [item.key for item, _ in rows])
        created: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        written: list[Record] = []
        for item, number in rows:
            old = before.get(item.key)
            body = bodies.serialise_record(item)
            source_digest = bodies.source_digest(item, body)
            place = {"source": source, "sheet": sheet, "row": number}
            if old is not None and old.source_digest == source_digest and not old.deleted:
                if (old.source, old.sheet, old.row) != (source, sheet, number):
                    moved.append({"kind": kind, "key": item.key, **place})
                continue
            if old is not None and old.kept:
                body = bodies.serialise_record(bodies.with_stored_fulfilment(item, old.kept))
            owner: str = item.cadre  # type: ignore[attr-defined] # every type answers `cadre`, Record alone does not
            values = {
                "kind": kind,
                "key": item.key,
                "cadre": owner,
                "former_cadre": former_owner(old, owner),
                "body": body,
                "digest": bodies.body_digest(body),
                "source_digest": source_digest,
                "position": self._feed.next(),
                "deleted": False,
                "imported_at": at,
                **place,
            }
            (created if old is None else changed).append(values)
            written.append(item)
        self._write(created, changed)
        self._write([], moved)
        self._identify([item for item in written if isinstance(item, Cadre)])
        revived = sum(1 for values in changed if before[values["key"]].deleted)
        return len(created) + revived, len(changed) - revived

    def _before(self, kind: str, keys: list[str]) -> dict[str, Any]:
        # Only a referral's stored body is needed: for the fulfilment that an import must keep.
        kept = record.c.body if kind == "referral" else bindparam("none", None)
        query = select(
            record.c.key,
            record.c.cadre,
            record.c.former_cadre,
            record.c.source_digest,
            record.c.source,
            record.c.deleted,
            record.c.source,
            record.c.sheet,
            record.c.row,
            kept.label("kept"),
        ).where(record.c.kind == kind, record.c.key.in_(keys))
        return {row.key: row for row in self._connection.execute(query)}

    def _write(self, created: list[dict[str, Any]], changed: list[dict[str, Any]]) -> None:
        if created:
            self._connection.execute(insert(record), created)
        if changed:
            columns = [name for name in changed[0] if name not in ("kind", "key")]
            statement = (
                update(record)
                .where(record.c.kind == bindparam("_kind"), record.c.key == bindparam("_key"))
                .values({name: bindparam(f"_{name}") for name in columns})
            )
            self._connection.execute(
                statement, [{f"_{name}": value for name, value in values.items()} for values in changed]
            )

    def _identify(self, cadres: list[Cadre]) -> None:
        if not cadres:
            return
        keys = [cadre.key for cadre in cadres]
        self._connection.execute(delete(cadre_identifier).where(cadre_identifier.c.cadre.in_(keys)))
        values = [
            {"value": value, "cadre": cadre.key}
            for cadre in cadres
            for value in sorted(bodies.person_identifiers(cadre))
        ]
        if values:
            self._connection.execute(insert(cadre_identifier), values)

    # deleting ------------------------------------------------------------------------------------

    def tombstone(self, kind: str, keys: Sequence[str]) -> dict[str, int]:
        """Make tombstones of the live ones of these, and of what hangs on them; counts by kind."""
        counts: dict[str, int] = {}
        live = self.live_owners(kind, keys)
        self._bury(kind, list(live), counts)
        if kind == "cadre" and live:
            self._connection.execute(delete(cadre_identifier).where(cadre_identifier.c.cadre.in_(list(live))))
            for child in _CHILDREN:
                self._bury(child, self._of_cadres(child, live), counts)
        elif kind == "visit" and live:
            for child in _CHILDREN[1:]:
                self._bury(child, self._of_visits(child, live), counts)
        return counts

    def same_people(self, cadres: Iterable[str]) -> set[str]:
        """These and everybody who was merged with one of them."""
        return MergeStore.same_people(self._connection, cadres)

    def scrub(self, cadre: str, words: HiddenWords) -> ErasedPerson:
        """Delete every record of a person who is T0 now, results and tombstones too."""
        return erase_person(self._connection, cadre, words)

    def sharing(self, numbers: Iterable[str]) -> list[Cadre]:
        """People in the store who have one of these national or insurance numbers."""
        shared = select(cadre_identifier.c.cadre).where(cadre_identifier.c.value.in_(list(numbers)))
        live = (record.c.kind == Cadre.kind) & record.c.deleted.is_(False) & record.c.key.in_(shared)
        return [
            cast(Cadre, bodies.parse_record(Cadre.kind, body))
            for body in self._connection.execute(select(record.c.body).where(live)).scalars()
        ]

    def clear_others(
        self, words: HiddenWords, among: Collection[tuple[str, str]] | None = None
    ) -> set[tuple[str, str]]:
        """Take what tells of hidden people out of everybody's records, or those `among`; which they were."""
        return cleared_records(self._connection, self._feed, words, among)

    def lock_erasures(self) -> None:
        """Before anybody is erased."""
        lock_erasures(self._connection)

    def _of_cadres(self, kind: str, cadres: Iterable[str]) -> list[str]:
        query = select(record.c.key).where(
            record.c.kind == kind, record.c.cadre.in_(list(cadres)), record.c.deleted.is_(False)
        )
        return list(self._connection.execute(query).scalars())

    def _of_visits(self, kind: str, visits: dict[str, str]) -> list[str]:
        query = select(record.c.key, record.c.body).where(
            record.c.kind == kind,
            record.c.cadre.in_(set(visits.values())),
            record.c.deleted.is_(False),
        )
        return [
            key
            for key, body in self._connection.execute(query)
            if getattr(bodies.parse_record(kind, body), "visit", None) in visits
        ]

    def _bury(self, kind: str, keys: Sequence[str], counts: dict[str, int]) -> None:
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            query = select(record.c.key, record.c.body).where(record.c.kind == kind, record.c.key.in_(page))
            values = [
                {
                    "_key": key,
                    "_body": bodies.tombstone_body(kind, body),
                    "_position": self._feed.next(),
                }
                for key, body in self._connection.execute(query)
            ]
            self._connection.execute(
                update(record)
                .where(record.c.kind == kind, record.c.key == bindparam("_key"))
                .values(
                    body=bindparam("_body"),
                    position=bindparam("_position"),
                    deleted=True,
                    digest=_EMPTY_DIGEST,
                    source_digest=None,
                ),
                values,
            )
            counts[kind] = counts.get(kind, 0) + len(page)
