"""Taking an import back: what it wrote and nobody wrote since is again as it was before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import orjson
from sqlalchemy import ColumnElement, Connection, exists, select, update

from adapter.records.held_rows import (
    bring_back_replaced,
    drop_held,
    let_in_again,
    let_in_at,
    released_since,
    replace_again,
    wait_again,
    withdraw_held,
)
from adapter.records.importing.change_summary import ChangeSummary, FieldChange
from adapter.records.importing.import_history import (
    ImportHistory,
    ImportRun,
    RecordChange,
    find_run,
    undone_runs,
)
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.model import KINDS
from adapter.records.serialisation import parse_record
from adapter.records.tables import import_change, import_run, record

__all__ = ["ImportUndo", "LeftRecord", "changes_of_run", "undo_run"]

_PAGE = 500
_NAMED = 10
_PARENTS = ("cadre", "visit")


@dataclass(frozen=True, slots=True)
class LeftRecord:
    """A record that is not put back, and whose it is."""

    kind: str
    key: str
    cadre: str


@dataclass(frozen=True, slots=True)
class ImportUndo:
    """What taking an import back does: `restored` to what they were, `removed` as the import made them, rows
    that it `held` and that wait no more, `left` since something wrote them later, or a person let them in
    (`released`, among the former). `fields`: which values change, old and new, from here. `left_records`:
    some of those left, of which it is known: what it changed, and what others came to hang on.
    """

    run: int
    restored: int
    removed: int
    left: int
    held: int
    released: int
    fields: tuple[FieldChange, ...]
    left_records: tuple[LeftRecord, ...]


def undo_run(connection: Connection, run: ImportRun, *, at: datetime, by: str) -> ImportUndo:
    """Take `run` back, as an import of its own, which can be taken back too."""
    summary = ChangeSummary()
    history: ImportHistory | None = None

    def note(changes: list[RecordChange]) -> None:
        summary.note(changes)
        if history is not None:
            history.note(changes)

    writer = ImportWriter(connection, at, note)
    position = writer.position
    history = ImportHistory(connection, at=at, by=by, files=run.files, position=position, undoes=run.id)
    edited = _edited_since(connection, run)
    restored, removed = _put_back(connection, writer, run, at)
    edited += _kept(connection, run)
    left = max(0, run.created + run.changed + run.deleted - restored - removed)
    if restored or removed:
        for earlier in _wait_or_go(connection, run):
            more = _put_back(connection, writer, earlier, at)
            restored, removed = restored + more[0], removed + more[1]
        if run.undoes is not None:
            let_in_again(connection, position, at=at, by=by)
            if (taken_back := find_run(connection, run.undoes)) is not None:
                replace_again(connection, taken_back.at, at)
    history.count(changed=restored, deleted=removed)
    if history.close(writer.position):
        undone = update(import_run).where(import_run.c.id == run.id).values(undone_by=history.run)
        connection.execute(undone)
    writer.close()
    held, released = withdraw_held(connection, run.at, at), released_since(connection, run.at)
    bring_back_replaced(connection, run.at)
    named = tuple(edited[:_NAMED])
    return ImportUndo(run.id, restored, removed, left + released, held, released, summary.fields(), named)


def _put_back(connection: Connection, writer: ImportWriter, run: ImportRun, at: datetime) -> tuple[int, int]:
    """What the run changed is restored, what it made removed; how many of each."""
    restored = sum(_restore(connection, writer, run, kind, at) for kind in KINDS)
    removed = 0
    for kind in reversed(KINDS):  # what hangs on a record goes before it: with it, it would look edited
        restored += _bury_revived(connection, writer, run, kind)
        removed += _remove(connection, writer, run, kind)
    return restored, removed


def _edited_since(connection: Connection, run: ImportRun) -> list[LeftRecord]:
    """Of what the run changed, some that something has written since."""
    query = (
        select(record.c.kind, record.c.key, record.c.cadre)
        .join(import_change, (record.c.kind == import_change.c.kind) & (record.c.key == import_change.c.key))
        .where(import_change.c.run == run.id, record.c.position > run.last_position)
        .order_by(record.c.cadre, record.c.kind, record.c.key)
        .limit(_NAMED)
    )
    return [LeftRecord(*row) for row in connection.execute(query)]


def _kept(connection: Connection, run: ImportRun) -> list[LeftRecord]:
    """Of what the run made, some that stay since others hang on them: asked when the rest is gone."""
    query = (
        select(record.c.kind, record.c.key, record.c.cadre)
        .where(record.c.deleted.is_(False), *_untouched(run))
        .order_by(record.c.cadre, record.c.kind, record.c.key)
        .limit(_NAMED)
    )
    return [LeftRecord(*row) for row in connection.execute(query)]


def _wait_or_go(connection: Connection, run: ImportRun) -> list[ImportRun]:
    """Rows that the run let in wait again; but where the import that held them is taken back, they go, and so
    does what was left of that import because of them: these imports.
    """
    let_in = let_in_at(connection, run.at, run.first_position, run.last_position)
    undone = {one.at: one for one in undone_runs(connection, {held_at for _, held_at in let_in})}
    wait_again(connection, [id_ for id_, held_at in let_in if held_at not in undone])
    drop_held(connection, [id_ for id_, held_at in let_in if held_at in undone])
    return list(undone.values())


def changes_of_run(connection: Connection, run: ImportRun) -> tuple[FieldChange, ...]:
    """What an import changed of what was there, and nobody has changed since: values old and new."""
    summary = ChangeSummary()
    query = (
        select(import_change, record.c.body, record.c.deleted)
        .join(record, (record.c.kind == import_change.c.kind) & (record.c.key == import_change.c.key))
        .where(import_change.c.run == run.id, *_untouched(run))
        .order_by(import_change.c.kind, import_change.c.key)
    )
    for row in connection.execute(query):
        after = None if row.deleted else row.body
        change = RecordChange(row.kind, row.key, row.cadre, True, row.was_deleted, row.before, after)
        if not (row.deleted and row.was_deleted):
            summary.note([change])
    return summary.fields()


def _untouched(run: ImportRun) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Nothing has written the record since: it still has the position that the import gave it."""
    return record.c.position > run.first_position, record.c.position <= run.last_position


def _restore(connection: Connection, writer: ImportWriter, run: ImportRun, kind: str, at: datetime) -> int:
    """Records of a kind become what they were."""
    query = (
        select(import_change.c.before, record.c.source, record.c.sheet, record.c.row)
        .join(record, (record.c.kind == import_change.c.kind) & (record.c.key == import_change.c.key))
        .where(*_changed(run, kind), import_change.c.was_deleted.is_(False))
        .order_by(record.c.source, record.c.sheet, import_change.c.key)
    )
    back = [row for row in connection.execute(query) if row.before]
    for (source, sheet), rows in groupby(back, key=lambda row: (row.source, row.sheet)):
        listed = [(parse_record(kind, row.before), row.row or 0) for row in rows]
        for start in range(0, len(listed), _PAGE):
            writer.upsert(listed[start : start + _PAGE], source or "", sheet or "", at)
    return len(back)


def _bury_revived(connection: Connection, writer: ImportWriter, run: ImportRun, kind: str) -> int:
    """Records that were gone before the import go again."""
    query = (
        select(import_change.c.key)
        .join(record, (record.c.kind == import_change.c.kind) & (record.c.key == import_change.c.key))
        .where(*_changed(run, kind), import_change.c.was_deleted.is_(True))
        .order_by(import_change.c.key)
    )
    revived = list(connection.execute(query).scalars())
    pages = (revived[start : start + _PAGE] for start in range(0, len(revived), _PAGE))
    return sum(_bury(connection, writer, run, kind, page) for page in pages)


def _changed(run: ImportRun, kind: str) -> tuple[ColumnElement[bool], ...]:
    return import_change.c.run == run.id, import_change.c.kind == kind, *_untouched(run)


def _remove(connection: Connection, writer: ImportWriter, run: ImportRun, kind: str) -> int:
    """Records that the import made go, unless others have come to hang on them since."""
    return sum(_bury(connection, writer, run, kind, keys) for keys in _made(connection, run, kind))


def _bury(
    connection: Connection, writer: ImportWriter, run: ImportRun, kind: str, keys: Sequence[str]
) -> int:
    """Tombstones of these, but for those that something came to hang on since: it would go with them."""
    kept = _with_later(connection, run, kind, keys) if kind in _PARENTS else set()
    return writer.tombstone(kind, [key for key in keys if key not in kept]).get(kind, 0)


def _made(connection: Connection, run: ImportRun, kind: str) -> Iterator[list[str]]:
    """Keys of a kind that the import created, a page at a time."""
    query = (
        select(record.c.key)
        .where(
            record.c.kind == kind,
            record.c.deleted.is_(False),
            *_untouched(run),
            ~exists().where(
                import_change.c.run == run.id,
                import_change.c.kind == record.c.kind,
                import_change.c.key == record.c.key,
            ),
        )
        .order_by(record.c.key)
    )
    keys = list(connection.execute(query).scalars())
    for start in range(0, len(keys), _PAGE):
        yield keys[start : start + _PAGE]


def _with_later(connection: Connection, run: ImportRun, kind: str, keys: Iterable[str]) -> set[str]:
    """Those of these people or visits that have a live record which the import did not write."""
    wanted = list(keys)
    owners = {
        row.key: row.cadre
        for row in connection.execute(
            select(record.c.key, record.c.cadre).where(record.c.kind == kind, record.c.key.in_(wanted))
        )
    }
    query = select(record.c.cadre, record.c.body).where(
        record.c.cadre.in_(set(owners.values())),
        record.c.kind != "cadre",
        record.c.deleted.is_(False),
        (record.c.position <= run.first_position) | (record.c.position > run.last_position),
    )
    if kind == "cadre":
        return {row.cadre for row in connection.execute(query)}
    return {orjson.loads(row.body).get("visit") for row in connection.execute(query) if row.body}
