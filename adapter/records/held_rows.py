"""Rows that an import could read and that hardly can be true, until a person lets them in or drops them.

A row is known by its record's kind and key. The same row in a later file stays what a person made of it; a
good row with that key takes its place. What was replaced stays for as long as the import which did it can be
taken back, and is seen by nobody.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from adapter.database import UtcDateTime, read_transaction
from adapter.records.serialisation import body_digest, parse_record, source_digest
from adapter.records.tables import held_row, record

__all__ = [
    "HeldCell",
    "HeldRow",
    "HeldRowStore",
    "HeldRowWriter",
    "HeldState",
    "any_replaced",
    "bring_back_replaced",
    "drop_held",
    "file_digest",
    "forget_replaced",
    "let_in_again",
    "let_in_at",
    "released_since",
    "replace_again",
    "replace_held",
    "wait_again",
    "withdraw_held",
]

_CURRENT = held_row.c.replaced_at.is_(None)


class HeldState(StrEnum):
    """What a person has made of a held row: it is waiting still, released, or dropped."""

    WAITING = "waiting"
    RELEASED = "released"
    DROPPED = "dropped"


_BACKLOG = select(func.count(), func.min(held_row.c.held_at)).where(
    _CURRENT, held_row.c.state == HeldState.WAITING
)


@dataclass(frozen=True, slots=True)
class HeldCell:
    """What looks wrong: `text` is a key of area `import`, `params` fill it."""

    column: str
    value: str
    text: str
    params: dict[str, Any]


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
    """Keeps rows on `connection`, inside the transaction of an import of that moment."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self._connection = connection
        self._at = at
        self.any = connection.execute(select(held_row.c.id).where(_CURRENT).limit(1)).first() is not None

    def decisions(self, kind: str, bodies: dict[str, str]) -> dict[str, HeldState]:
        """What became of exactly these rows (key -> body) before: only of those that were here before."""
        if not (self.any and bodies):
            return {}
        query = select(held_row.c.key, held_row.c.digest, held_row.c.state).where(
            _CURRENT, held_row.c.kind == kind, held_row.c.key.in_(list(bodies))
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
                    _CURRENT, held_row.c.kind == kind, held_row.c.key.in_([row["key"] for row in rows])
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
            else:
                _copy_replaced(self._connection, [before[0]], self._at)
            values |= {"decided_at": None, "decided_by": None, "reason": None}
            self._connection.execute(update(held_row).where(held_row.c.id == before[0]).values(values))

    def supersede(self, kind: str, keys: Sequence[str]) -> None:
        """Good rows have come with these keys, or their records are gone."""
        if self.any and keys:
            of_keys = (held_row.c.kind == kind) & held_row.c.key.in_(list(keys))
            replace_held(self._connection, of_keys, self._at)

    def supersede_visits(self, visits: Collection[str]) -> None:
        """These visits were corrected, which makes other keys: they wait no more, nor does what is theirs."""
        if not self.any or not visits:
            return
        query = select(held_row.c.id, held_row.c.kind, held_row.c.key).where(
            _CURRENT,
            held_row.c.kind.in_(("visit", "measurement")),
            held_row.c.state == HeldState.WAITING.value,
        )
        gone = [
            id_
            for id_, kind, key in self._connection.execute(query)
            if (key if kind == "visit" else key.rpartition("/")[0]) in visits
        ]
        if gone:
            replace_held(self._connection, held_row.c.id.in_(gone), self._at)

    def supersede_renamed(
        self, kind: str, source: str, sheet: str, rows: Mapping[int, tuple[str, str]]
    ) -> None:
        """What waits of these rows of the sheet under another visit of the person than now (by number: person
        and visit) waits no more: that visit's key was made of what has been corrected since.
        """
        if not self.any or not rows:
            return
        query = select(held_row.c.id, held_row.c.cadre, held_row.c.key, held_row.c.row).where(
            _CURRENT,
            held_row.c.kind == kind,
            held_row.c.source == source,
            held_row.c.sheet == sheet,
            held_row.c.state == HeldState.WAITING.value,
        )
        gone = []
        for id_, cadre, key, number in self._connection.execute(query):
            now = rows.get(number)
            visit = key if kind == "visit" else key.rpartition("/")[0]
            if now is not None and now[0] == cadre and now[1] != visit:
                gone.append(id_)
        if gone:
            replace_held(self._connection, held_row.c.id.in_(gone), self._at)


class HeldRowStore:
    """Held rows, for who looks and who decides."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rows(self, state: HeldState | None = HeldState.WAITING) -> list[HeldRow]:
        """Those in a state (None: all), oldest first."""
        query = select(held_row).where(_CURRENT).order_by(held_row.c.id)
        if state is not None:
            query = query.where(held_row.c.state == state)
        with read_transaction(self._engine) as connection:
            return [_row(one) for one in connection.execute(query)]

    def get(self, id_: int) -> HeldRow | None:
        """One row."""
        with read_transaction(self._engine) as connection:
            found = connection.execute(select(held_row).where(held_row.c.id == id_, _CURRENT)).one_or_none()
        return None if found is None else _row(found)

    def backlog(self) -> tuple[int, datetime | None]:
        """How many wait, and since when."""
        with read_transaction(self._engine) as connection:
            count, since = connection.execute(_BACKLOG).one()
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
    del values["digest"], values["replaced_at"]
    values["state"] = HeldState(values["state"])
    values["cells"] = tuple((title, cell) for title, cell in orjson.loads(values["cells"]))
    values["findings"] = tuple(HeldCell(**one) for one in orjson.loads(values["findings"]))
    return HeldRow(**values)


def replace_held(connection: Connection, which: ColumnElement[bool], at: datetime) -> int:
    """Of these rows those that are seen are seen no more, from an import of that moment on; how many."""
    return connection.execute(update(held_row).where(which, _CURRENT).values(replaced_at=at)).rowcount


def any_replaced(connection: Connection, before: datetime) -> bool:
    """Whether imports of earlier than `before` have replaced any that are there still."""
    query = select(held_row.c.id).where(held_row.c.replaced_at < before).limit(1)
    return connection.execute(query).first() is not None


def _copy_replaced(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """Of these rows a copy as they are stays, as replaced by an import of that moment."""
    columns = [column for column in held_row.c if column.name not in ("id", "replaced_at")]
    copied = select(*columns, literal(at, UtcDateTime())).where(held_row.c.id.in_(ids))
    connection.execute(insert(held_row).from_select([*(one.name for one in columns), "replaced_at"], copied))


def forget_replaced(connection: Connection, before: datetime) -> None:
    """What imports of earlier than `before` have replaced goes: these are taken back no more."""
    connection.execute(delete(held_row).where(held_row.c.replaced_at < before))


def withdraw_held(connection: Connection, held_at: datetime, at: datetime) -> int:
    """What the import of moment `held_at` held, and what waits still, waits no more from `at` on; how many
    rows. What a person decided stays decided.
    """
    waits = (held_row.c.held_at == held_at) & (held_row.c.state == HeldState.WAITING.value)
    return replace_held(connection, waits, at)


def bring_back_replaced(connection: Connection, replaced_at: datetime) -> int:
    """What the import of that moment replaced is as it was, unless another row has its key now, or its person
    has left; how many rows. A copy stays, so that this can be taken back too.
    """
    other, person = held_row.alias(), record.alias()
    taken = exists().where(
        other.c.kind == held_row.c.kind, other.c.key == held_row.c.key, other.c.replaced_at.is_(None)
    )
    left = exists().where(
        person.c.kind == "cadre", person.c.key == held_row.c.cadre, person.c.deleted.is_(True)
    )
    back = select(held_row.c.id).where(held_row.c.replaced_at == replaced_at, ~taken, ~left)
    ids = list(connection.execute(back).scalars())
    _copy_replaced(connection, ids, replaced_at)
    connection.execute(update(held_row).where(held_row.c.id.in_(ids)).values(replaced_at=None))
    return len(ids)


def replace_again(connection: Connection, replaced_at: datetime, at: datetime) -> None:
    """That what the import of moment `replaced_at` replaced was brought back is taken back."""
    copy = held_row.alias()
    was = exists().where(
        copy.c.replaced_at == replaced_at,
        *(copy.c[name] == held_row.c[name] for name in ("kind", "key", "digest", "held_at")),
    )
    replace_held(connection, (held_row.c.state == HeldState.WAITING.value) & was, at)


def let_in_at(connection: Connection, at: datetime, first: int, last: int) -> list[tuple[int, datetime]]:
    """Rows that were let in at that moment, with when they were held, but for those whose records still stand
    as that wrote them, at positions after `first` up to `last`.
    """
    still = exists().where(
        record.c.kind == held_row.c.kind,
        record.c.key == held_row.c.key,
        record.c.deleted.is_(False),
        record.c.position > first,
        record.c.position <= last,
    )
    query = select(held_row.c.id, held_row.c.held_at).where(
        _CURRENT,
        held_row.c.decided_at == at,
        held_row.c.held_at < at,
        held_row.c.state == HeldState.RELEASED.value,
        ~still,
    )
    return [(row.id, row.held_at) for row in connection.execute(query)]


def wait_again(connection: Connection, ids: Sequence[int]) -> None:
    """What was let in waits again, since that is taken back."""
    values = {"state": HeldState.WAITING.value, "decided_at": None, "decided_by": None, "reason": None}
    connection.execute(update(held_row).where(held_row.c.id.in_(ids)).values(values))


def drop_held(connection: Connection, ids: Sequence[int]) -> None:
    """These go, with what was decided of them."""
    connection.execute(delete(held_row).where(held_row.c.id.in_(ids)))


def let_in_again(connection: Connection, position: int, *, at: datetime, by: str) -> None:
    """Rows that wait though their records are there again, written since that position: that a release was
    taken back is taken back.
    """
    here = (record.c.kind == held_row.c.kind) & (record.c.key == held_row.c.key) & record.c.deleted.is_(False)
    query = (
        select(held_row.c.id, held_row.c.kind, held_row.c.body, record.c.source_digest)
        .join(record, here)
        .where(_CURRENT, held_row.c.state == HeldState.WAITING.value, record.c.position > position)
    )
    back = [
        id_
        for id_, kind, body, written in connection.execute(query)
        if source_digest(parse_record(kind, body), body) == written
    ]
    values = {"state": HeldState.RELEASED.value, "decided_at": at, "decided_by": by}
    connection.execute(update(held_row).where(held_row.c.id.in_(back)).values(values))


def released_since(connection: Connection, at: datetime) -> int:
    """How many rows that the import of that moment held were let in, and are in the records."""
    here = (record.c.kind == held_row.c.kind) & (record.c.key == held_row.c.key) & record.c.deleted.is_(False)
    let_in = _CURRENT & (held_row.c.held_at == at) & (held_row.c.state == HeldState.RELEASED.value)
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
