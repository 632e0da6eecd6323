"""Rows that an import could read and that hardly can be true, until a person lets them in or drops them.

A row is known by its record's kind and key. The same row in a later file stays what a person made of it; a
good row with that key takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from adapter.database import read_transaction
from adapter.records.serialisation import body_digest
from adapter.records.tables import held_row, record
from adapter.texts import say

__all__ = [
    "HeldCell",
    "HeldRow",
    "HeldRowStore",
    "HeldRowWriter",
    "HeldState",
    "file_digest",
    "forget_held",
    "released_since",
]


class HeldState(StrEnum):
    """What a person has made of a held row: it is waiting still, released, or dropped."""

    WAITING = "waiting"
    RELEASED = "released"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class HeldCell:
    """What looks wrong: `text` is a key of area `import`, `params` fill it."""

    column: str
    value: str
    text: str
    params: dict[str, Any]

    @property
    def words(self) -> str:
        """In the language in use."""
        return say(f"import.{self.text}", **self.params)


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One row as it is kept. `cells`: header and cell as written; `body`: the record that it would be."""

    id: int
    kind: str
    key: str
    cadre: str
    state: HeldState
    body: str
    cells: tuple[tuple[str, str], ...]
    findings: tuple[HeldCell, ...]
    source: str
    file_digest: str
    sheet: str
    row: int
    held_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


class HeldRowWriter:
    """Keeps rows on `connection`, inside an import's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.any = connection.execute(select(held_row.c.id).limit(1)).first() is not None

    def decisions(self, kind: str, bodies: dict[str, str]) -> dict[str, HeldState]:
        """What became of exactly these rows (key -> body) before: only of those that were here before."""
        if not (self.any and bodies):
            return {}
        query = select(held_row.c.key, held_row.c.digest, held_row.c.state).where(
            held_row.c.kind == kind, held_row.c.key.in_(list(bodies))
        )
        return {
            key: HeldState(state)
            for key, digest, state in self._connection.execute(query)
            if digest == body_digest(bodies[key])
        }

    def hold(self, kind: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep rows (the table's columns by name): they wait, in place of what was held of their key."""
        self.any = True
        known = {
            key: (id_, digest, state)
            for id_, key, digest, state in self._connection.execute(
                select(held_row.c.id, held_row.c.key, held_row.c.digest, held_row.c.state).where(
                    held_row.c.kind == kind, held_row.c.key.in_([row["key"] for row in rows])
                )
            )
        }
        for row in rows:
            digest = body_digest(row["body"])
            values = row | {"kind": kind, "digest": digest, "state": HeldState.WAITING.value}
            before = known.get(row["key"])
            if before is None:
                self._connection.execute(insert(held_row).values(values))
                continue
            if before[1:] == (digest, HeldState.WAITING):
                del values["held_at"]  # it has waited since then
            values |= {"decided_at": None, "decided_by": None, "reason": None}
            self._connection.execute(update(held_row).where(held_row.c.id == before[0]).values(values))

    def supersede(self, kind: str, keys: Sequence[str]) -> None:
        """Good rows have come with these keys, or their records are gone."""
        if self.any and keys:
            self._connection.execute(
                delete(held_row).where(held_row.c.kind == kind, held_row.c.key.in_(list(keys)))
            )


class HeldRowStore:
    """Held rows, for who looks and who decides."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rows(self, state: HeldState | None = HeldState.WAITING) -> list[HeldRow]:
        """Those in a state (None: all), oldest first."""
        query = select(held_row).order_by(held_row.c.id)
        if state is not None:
            query = query.where(held_row.c.state == state)
        with read_transaction(self._engine) as connection:
            return [_row(one) for one in connection.execute(query)]

    def get(self, id_: int) -> HeldRow | None:
        """One row."""
        with read_transaction(self._engine) as connection:
            found = connection.execute(select(held_row).where(held_row.c.id == id_)).one_or_none()
        return None if found is None else _row(found)

    def backlog(self) -> tuple[int, datetime | None]:
        """How many wait, and since when."""
        query = select(func.count(), func.min(held_row.c.held_at)).where(
            held_row.c.state == HeldState.WAITING
        )
        with read_transaction(self._engine) as connection:
            count, since = connection.execute(query).one()
        return count, since

    @staticmethod
    def decide(
        connection: Connection, id_: int, state: HeldState, *, reason: str, by: str, at: datetime
    ) -> None:
        """Write down what a person has made of it."""
        values = {"state": state.value, "reason": reason, "decided_by": by, "decided_at": at}
        connection.execute(update(held_row).where(held_row.c.id == id_).values(values))


def _row(found: Any) -> HeldRow:
    values = dict(found._mapping)
    del values["digest"]
    values["state"] = HeldState(values["state"])
    values["cells"] = tuple((title, cell) for title, cell in orjson.loads(values["cells"]))
    values["findings"] = tuple(HeldCell(**one) for one in orjson.loads(values["findings"]))
    return HeldRow(**values)


def forget_held(connection: Connection, at: datetime) -> int:
    """What the import of that moment held, and what waits still, goes; how many rows. What a person decided
    stays decided.
    """
    waits = (held_row.c.held_at == at) & (held_row.c.state == HeldState.WAITING.value)
    return int(connection.execute(delete(held_row).where(waits)).rowcount)


def released_since(connection: Connection, at: datetime) -> int:
    """How many rows that the import of that moment held were let in, and are in the records."""
    here = (record.c.kind == held_row.c.kind) & (record.c.key == held_row.c.key) & record.c.deleted.is_(False)
    let_in = (held_row.c.held_at == at) & (held_row.c.state == HeldState.RELEASED.value)
    query = select(func.count()).select_from(held_row).join(record, here).where(let_in)
    return int(connection.execute(query).scalar_one())


def file_digest(files: Sequence[Path], source: str) -> str:
    """Digest of the file of an import that a tab calls `source`; empty where it is none (a database)."""
    candidates = (one for path in files for one in ((path,) if path.is_file() else sorted(path.glob("*"))))
    found = next((one for one in candidates if one.name == source and one.is_file()), None)
    if found is None:
        return ""
    with found.open("rb") as content:
        digest = blake2b(digest_size=16)
        while piece := content.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
