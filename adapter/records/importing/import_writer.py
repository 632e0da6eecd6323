"""What an import writes, all on one connection: records, tombstones, and what it has met so far."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from adapter.bulk_insert import insert_rows
from adapter.database import is_one_of, refresh_statistics
from adapter.records import serialisation as bodies
from adapter.records.change_feed import ChangeFeed
from adapter.records.erasure import ErasedPerson, cleared_records, erase_person, lock_erasures
from adapter.records.held_rows import replace_held
from adapter.records.hidden_words import HiddenWords
from adapter.records.importing.import_history import RecordChange
from adapter.records.importing.stored_records import StoredRecords, StoredRow
from adapter.records.model import Cadre, Record
from adapter.records.reassignments import former_owner
from adapter.records.tables import cadre_identifier, cadre_name, held_row, import_row, record

__all__ = ["ImportWriter"]

_PAGE = 500
_EMPTY_DIGEST = ""
_CHILDREN = ("visit", "measurement", "diagnosis", "procedure", "immunization", "referral")


class ImportWriter:
    """Writes on `connection`, inside the caller's transaction, for an import of moment `at`. Positions come
    from `feed`. `on_change` is told of each record that was stored before, with how it was, and of each new
    person.
    """

    connection: Connection
    """Where all of the import is written."""
    stored: StoredRecords
    """What is asked of the records there."""

    def __init__(
        self,
        connection: Connection,
        at: datetime,
        on_change: Callable[[list[RecordChange]], None] | None = None,
    ) -> None:
        self.connection = connection
        self._at = at
        self.stored = StoredRecords(connection)
        self._on_change = on_change
        self._met, self._counted = 0, _PAGE  # keys; at how many of them the database counts again
        self._feed = ChangeFeed(connection)  # first of all: this is the lock
        connection.execute(delete(import_row))

    @property
    def position(self) -> int:
        """The newest position given out."""
        return self._feed.position

    def close(self) -> None:
        """Forget what was met, write the feed's position."""
        self.connection.execute(delete(import_row))
        self._feed.close()

    # what the file holds -------------------------------------------------------------------------

    def seen_rows(self, kind: str, keys: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Which of these keys the import has met before: sheet and row."""
        query = select(import_row.c.key, import_row.c.sheet, import_row.c.row).where(
            import_row.c.kind == kind, is_one_of(self.connection, import_row.c.key, keys)
        )
        return {key: (sheet, row) for key, sheet, row in self.connection.execute(query)}

    def mark_seen(self, kind: str, sheet: str, rows: Sequence[tuple[str, int]]) -> None:
        """Remember keys with their rows."""
        if rows:
            values = [
                {"kind": kind, "key": key, "row": row, "sheet": sheet, "rejected": False} for key, row in rows
            ]
            insert_rows(self.connection, import_row, values)
            self._met += len(rows)
            if self._met >= self._counted:
                refresh_statistics(self.connection, import_row, record)
                self._counted = 2 * self._met

    def mark_rejected(self, kind: str, keys: Sequence[str]) -> None:
        """Remember that these were rejected, so that what refers to them can say so."""
        if keys:
            self.connection.execute(
                update(import_row)
                .where(import_row.c.kind == kind, import_row.c.key.in_(keys))
                .values(rejected=True)
            )

    def rejected_keys(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Which of these keys were rejected in this import."""
        query = select(import_row.c.key).where(
            import_row.c.kind == kind, import_row.c.key.in_(list(keys)), import_row.c.rejected.is_(True)
        )
        return set(self.connection.execute(query).scalars())

    # writing -------------------------------------------------------------------------------------

    def upsert(
        self,
        rows: Sequence[tuple[Record, int]],
        source: str,
        sheet: str,
        at: datetime,
        stored: Mapping[str, StoredRow] | None = None,
    ) -> tuple[int, int]:
        """Write records (all of one kind) with their rows; (created, changed). Of unchanged ones only the
        place is noted, so that a message names the row in the newest file. `stored`: how all of them are
        stored, where that was asked before.
        """
        kind = rows[0][0].kind
        before = self.stored.rows(kind, [item.key for item, _ in rows]) if stored is None else stored
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
            if old is not None and old.body and kind == "referral":
                body = bodies.serialise_record(bodies.with_stored_fulfilment(item, old.body))
            owner: str = item.cadre  # type: ignore[attr-defined] # every type answers `cadre`, Record alone does not
            values = {
                "kind": kind,
                "key": item.key,
                "cadre": owner,
                "former_cadre": former_owner(old, owner),
                "body": body,
                "digest": bodies.body_digest(body) if kind == "referral" else source_digest,
                "source_digest": source_digest,
                "position": self._feed.next(),
                "deleted": False,
                "imported_at": at,
                **place,
            }
            (created if old is None else changed).append(values)
            written.append(item)
        self._tell(kind, [*created, *changed] if kind == "cadre" else changed, before)
        self._write(created, changed)
        self._write([], moved)
        self._identify([item for item in written if isinstance(item, Cadre)])
        revived = sum(1 for values in changed if before[values["key"]].deleted)
        return len(created) + revived, len(changed) - revived

    def _tell(self, kind: str, values: list[dict[str, Any]], before: Mapping[str, StoredRow]) -> None:
        """Say what is about to be written over."""
        if self._on_change is None or not values:
            return
        unread = [one["key"] for one in values if (old := before.get(one["key"])) and old.body is None]
        read = self.stored.rows(kind, unread, bodies=True) if unread else {}
        self._on_change(
            [_change(kind, one, read.get(one["key"]) or before.get(one["key"])) for one in values]
        )

    def _write(self, created: list[dict[str, Any]], changed: list[dict[str, Any]]) -> None:
        if created:
            insert_rows(self.connection, record, created)
        if changed:
            columns = [name for name in changed[0] if name not in ("kind", "key")]
            statement = (
                update(record)
                .where(record.c.kind == bindparam("_kind"), record.c.key == bindparam("_key"))
                .values({name: bindparam(f"_{name}") for name in columns})
            )
            self.connection.execute(
                statement, [{f"_{name}": value for name, value in values.items()} for values in changed]
            )

    def _identify(self, cadres: list[Cadre]) -> None:
        if not cadres:
            return
        keys = [cadre.key for cadre in cadres]
        self.connection.execute(delete(cadre_identifier).where(cadre_identifier.c.cadre.in_(keys)))
        values = [
            {"value": value, "cadre": cadre.key}
            for cadre in cadres
            for value in sorted(bodies.person_identifiers(cadre))
        ]
        if values:
            insert_rows(self.connection, cadre_identifier, values)
        self.connection.execute(delete(cadre_name).where(cadre_name.c.cadre.in_(keys)))
        names = [{"value": bodies.name_digest(cadre), "cadre": cadre.key} for cadre in cadres]
        insert_rows(self.connection, cadre_name, names)

    # deleting ------------------------------------------------------------------------------------

    def tombstone(self, kind: str, keys: Sequence[str]) -> dict[str, int]:
        """Make tombstones of the live ones of these, and of what hangs on them; counts by kind."""
        counts: dict[str, int] = {}
        live = self.stored.live_owners(kind, keys)
        self._bury(kind, list(live), counts)
        if kind == "cadre" and live:
            for index in (cadre_identifier, cadre_name):
                self.connection.execute(delete(index).where(index.c.cadre.in_(list(live))))
            replace_held(self.connection, held_row.c.cadre.in_(list(live)), self._at)
            for child in _CHILDREN:
                self._bury(child, self._of_cadres(child, live), counts)
        elif kind == "visit" and live:
            for child in _CHILDREN[1:]:
                self._bury(child, self._of_visits(child, live), counts)
        return counts

    def scrub(self, cadre: str, words: HiddenWords) -> ErasedPerson:
        """Delete every record of a person who is T0 now, results and tombstones too."""
        return erase_person(self.connection, cadre, words)

    def clear_others(
        self, words: HiddenWords, among: Collection[tuple[str, str]] | None = None
    ) -> set[tuple[str, str]]:
        """Take what tells of hidden people out of everybody's records, or those `among`; which they were."""
        return cleared_records(self.connection, self._feed, words, among)

    def lock_erasures(self) -> None:
        """Before anybody is erased."""
        lock_erasures(self.connection)

    def _of_cadres(self, kind: str, cadres: Iterable[str]) -> list[str]:
        query = select(record.c.key).where(
            record.c.kind == kind, record.c.cadre.in_(list(cadres)), record.c.deleted.is_(False)
        )
        return list(self.connection.execute(query).scalars())

    def _of_visits(self, kind: str, visits: dict[str, str]) -> list[str]:
        query = select(record.c.key, record.c.body).where(
            record.c.kind == kind,
            record.c.cadre.in_(set(visits.values())),
            record.c.deleted.is_(False),
        )
        return [
            key
            for key, body in self.connection.execute(query)
            if getattr(bodies.parse_record(kind, body), "visit", None) in visits
        ]

    def _bury(self, kind: str, keys: Sequence[str], counts: dict[str, int]) -> None:
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            query = select(record.c.key, record.c.cadre, record.c.body).where(
                record.c.kind == kind, record.c.key.in_(page)
            )
            found = list(self.connection.execute(query))
            values = [
                {
                    "_key": key,
                    "_body": bodies.tombstone_body(kind, body),
                    "_position": self._feed.next(),
                }
                for key, _, body in found
            ]
            if self._on_change is not None:
                gone = [RecordChange(kind, key, owner, True, False, body, None) for key, owner, body in found]
                self._on_change(gone)
            self.connection.execute(
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


def _change(kind: str, values: Mapping[str, Any], old: StoredRow | None) -> RecordChange:
    if old is None:
        return RecordChange(kind, values["key"], values["cadre"], False, False, None, values["body"])
    return RecordChange(kind, old.key, old.cadre, True, old.deleted, old.body, values["body"])
