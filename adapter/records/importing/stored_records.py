"""What an import asks of the records that are stored, on its own connection: of the rows of a chunk, of the
visits of its people, and what is there that the file does not hold.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from orjson import loads as parse_json
from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select, true

from adapter.database import is_one_of
from adapter.records import serialisation as bodies
from adapter.records.merges import MergeStore
from adapter.records.model import Cadre
from adapter.records.sheets.key_space import KEY_SPACE_MARK
from adapter.records.tables import cadre_identifier, import_row, record, record_merge

__all__ = ["StoredRecords", "StoredRow", "VisitRow"]

_PAGE = 500
# Of these a stored body is needed: to know whether it is still the same one, and a referral's besides for the
# state that an import must keep. Measurements, of which there are many, go with their visits.
_WITH_BODIES = frozenset({"cadre", "visit", "referral", "diagnosis", "procedure", "immunization"})


class StoredRow(NamedTuple):
    """How a record is stored before it is written. `body` is None where nobody asked for it."""

    key: str
    cadre: str
    former_cadre: str | None
    source_digest: str | None
    deleted: bool
    source: str | None
    sheet: str | None
    row: int | None
    body: str | None


class VisitRow(NamedTuple):
    """A visit of somebody, as it is stored."""

    key: str
    cadre: str
    type: str
    started_at: str  # ISO 8601, the day first


class StoredRecords:
    """The records, as they are by now in the transaction on `connection`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, kind: str, keys: Sequence[str], *, bodies: bool = False) -> dict[str, StoredRow]:
        """How these are stored, tombstones too; with the bodies of the kinds that need them, or of any."""
        body = record.c.body if bodies or kind in _WITH_BODIES else bindparam("none", None)
        query = select(
            record.c.key,
            record.c.cadre,
            record.c.former_cadre,
            record.c.source_digest,
            record.c.deleted,
            record.c.source,
            record.c.sheet,
            record.c.row,
            body.label("body"),
        ).where(record.c.kind == kind, is_one_of(self._connection, record.c.key, keys))
        return {row.key: StoredRow._make(row) for row in self._connection.execute(query)}

    def live_owners(self, kind: str, keys: Iterable[str]) -> dict[str, str]:
        """The live ones of these keys, with the cadre each belongs to."""
        query = select(record.c.key, record.c.cadre).where(
            record.c.kind == kind,
            is_one_of(self._connection, record.c.key, keys),
            record.c.deleted.is_(False),
        )
        return {row.key: row.cadre for row in self._connection.execute(query)}

    def visit_years(self, visits: Iterable[str]) -> dict[str, str]:
        """The years of these stored visits, by their keys."""
        found = self.rows("visit", sorted(visits)).values() if visits else ()
        return {one.key: parse_json(one.body)["started_at"][:4] for one in found if one.body}

    @staticmethod
    def visits_of(records: Iterable[StoredRow]) -> set[str]:
        """The visits that these (with their bodies) belong to."""
        return {visit for one in records if one.body and (visit := parse_json(one.body).get("visit"))}

    def live_bodies(self, kind: str, keys: Sequence[str]) -> list[tuple[str, str]]:
        """The live ones of these keys with what is stored of each."""
        query = select(record.c.key, record.c.body).where(
            record.c.kind == kind, record.c.key.in_(keys), record.c.deleted.is_(False)
        )
        return [(key, body) for key, body in self._connection.execute(query)] if keys else []

    def count(self, kind: str, key_space: str = "") -> int:
        """How many records of a kind, of one list of keys, are live."""
        query = (
            select(func.count())
            .select_from(record)
            .where(record.c.kind == kind, record.c.deleted.is_(False), _of_space(key_space))
        )
        return int(self._connection.execute(query).scalar_one())

    def unseen_keys(self, kind: str, source: str | None = None, key_space: str = "") -> Iterator[list[str]]:
        """Live keys of a kind, of one list of keys (that came from `source`), that the import has not met, a
        page at a time.
        """
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
                    _of_space(key_space),
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

    def visits_of_people(self, cadres: Collection[str]) -> list[VisitRow]:
        """The live visits of these, in the order of their keys."""
        if not cadres:
            return []
        query = select(record.c.key, record.c.cadre, record.c.body).where(
            is_one_of(self._connection, record.c.cadre, cadres),
            record.c.kind + "" == "visit",  # or else SQLite prefers the primary key and reads all visits
            record.c.deleted.is_(False),
        )
        rows = sorted(self._connection.execute(query))
        found = ((key, cadre, parse_json(body)) for key, cadre, body in rows)
        return [VisitRow(key, cadre, body["type"], body["started_at"]) for key, cadre, body in found]

    def survivors(self) -> dict[str, str]:
        """Whoever was merged into somebody, with whom."""
        query = select(record_merge.c.loser, record_merge.c.survivor)
        return {row.loser: row.survivor for row in self._connection.execute(query)}

    def same_people(self, cadres: Iterable[str]) -> set[str]:
        """These and everybody who was merged with one of them."""
        return MergeStore.same_people(self._connection, cadres)

    def sharing(self, numbers: Iterable[str]) -> list[Cadre]:
        """People in the store who have one of these national or insurance numbers."""
        shared = select(cadre_identifier.c.cadre).where(cadre_identifier.c.value.in_(list(numbers)))
        live = (record.c.kind == Cadre.kind) & record.c.deleted.is_(False) & record.c.key.in_(shared)
        return [
            cast(Cadre, bodies.parse_record(Cadre.kind, body))
            for body in self._connection.execute(select(record.c.body).where(live)).scalars()
        ]


def _of_space(key_space: str) -> ColumnElement[bool]:
    """Records of the people of one list; whose key has no mark is the centre's own."""
    if key_space:
        return record.c.cadre.endswith(key_space, autoescape=True)
    return record.c.cadre.not_like(f"%{KEY_SPACE_MARK}%")
