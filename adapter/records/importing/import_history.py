"""What each import changed, so that it can be shown, and taken back."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from adapter.database import read_transaction, write_transaction
from adapter.records.held_rows import any_replaced, forget_replaced
from adapter.records.tables import import_change, import_run

__all__ = [
    "ImportHistory",
    "ImportRun",
    "RecordChange",
    "describe_files",
    "find_run",
    "forget_changes",
    "list_runs",
    "undone_runs",
]

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One record before and after an import wrote it; a body is None where there was, or is, none. One that
    did not `exist` is created, one that `was_deleted` is there again.
    """

    kind: str
    key: str
    cadre: str
    existed: bool
    was_deleted: bool
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One import that changed something. `files` have a name and a digest each. What it wrote has a position
    of the change feed in (`first_position`, `last_position`], until something else writes it.
    """

    id: int
    at: datetime
    by: str
    files: Sequence[tuple[str, str]]
    first_position: int
    last_position: int
    created: int
    changed: int
    deleted: int
    undoes: int | None
    undone_by: int | None
    forgotten: bool = False  # how records were before it: it can be shown and taken back no more


class ImportHistory:
    """Of the import under way on `connection`, inside the caller's transaction."""

    def __init__(
        self,
        connection: Connection,
        *,
        at: datetime,
        by: str,
        files: Sequence[tuple[str, str]],
        position: int,
        undoes: int | None = None,
    ) -> None:
        self._connection = connection
        values = {
            "at": at,
            "by": by,
            "files": orjson.dumps(files).decode(),
            "first_position": position,
            "last_position": position,
            "created": 0,
            "changed": 0,
            "deleted": 0,
            "undoes": undoes,
        }
        made = connection.execute(insert(import_run).values(values).returning(import_run.c.id))
        self.run = int(made.scalar_one())
        self._counts = dict.fromkeys(("created", "changed", "deleted"), 0)
        self._first = position

    def note(self, changes: Iterable[RecordChange]) -> None:
        """Remember how records were. The first of several changes of one record is how it was."""
        values = [
            {
                "run": self.run,
                "kind": one.kind,
                "key": one.key,
                "cadre": one.cadre,
                "before": one.before,
                "was_deleted": one.was_deleted,
            }
            for one in changes
            if one.existed
        ]
        if values:
            make = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
            self._connection.execute(make(import_change).on_conflict_do_nothing(), values)

    def count(self, **counts: int) -> None:
        """Add to what was created, changed, deleted."""
        for name, count in counts.items():
            self._counts[name] += count

    def close(self, position: int) -> bool:
        """Write how far the feed went; an import that changed nothing is not remembered. Whether it is."""
        of_run = import_run.c.id == self.run
        if position == self._first:
            self._connection.execute(delete(import_run).where(of_run))
            return False
        self._connection.execute(
            update(import_run).where(of_run).values(last_position=position, **self._counts)
        )
        return True


def describe_files(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Name and digest of each file; of a folder those of its files."""
    return [(path.name, _digest(path)) for path in _each(paths)]


def _each(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (one for one in sorted(path.iterdir()) if one.is_file())
        elif path.is_file():
            yield path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]


def list_runs(connection: Connection, most: int = _SHOWN) -> list[ImportRun]:
    """The newest imports, newest first."""
    query = select(import_run).order_by(import_run.c.id.desc()).limit(most)
    return [_run(row._mapping) for row in connection.execute(query)]


def forget_changes(engine: Engine, before: datetime) -> int:
    """How records were before imports of earlier than `before` is forgotten: it holds what was corrected, or
    deleted, of people. That there was an import stays. Returns how many records were forgotten.
    """
    old = (import_run.c.at < before) & import_run.c.forgotten.is_(False)
    with read_transaction(engine) as connection:
        runs = list(connection.execute(select(import_run.c.id).where(old)).scalars())
        replaced = any_replaced(connection, before)
    if not (runs or replaced):
        return 0
    with write_transaction(engine) as connection:
        gone = connection.execute(delete(import_change).where(import_change.c.run.in_(runs))).rowcount
        connection.execute(update(import_run).where(import_run.c.id.in_(runs)).values(forgotten=True))
        forget_replaced(connection, before)
    return int(gone)


def find_run(connection: Connection, number: int) -> ImportRun | None:
    """One import by its number."""
    row = connection.execute(select(import_run).where(import_run.c.id == number)).one_or_none()
    return None if row is None else _run(row._mapping)


def undone_runs(connection: Connection, moments: Collection[datetime]) -> list[ImportRun]:
    """The imports of these moments that are taken back, and can still be told what they changed."""
    query = select(import_run).where(
        import_run.c.at.in_(moments), import_run.c.undone_by.is_not(None), import_run.c.forgotten.is_(False)
    )
    return [_run(row._mapping) for row in connection.execute(query)] if moments else []


def _run(values: Any) -> ImportRun:
    files = tuple((name, digest) for name, digest in orjson.loads(values["files"]))
    return ImportRun(**{**values, "files": files})
