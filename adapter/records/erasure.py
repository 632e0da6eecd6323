"""Takes a person who is T0 now out of the records, and what others' records say of this one."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from secrets import randbelow, token_hex
from typing import Any, cast

import orjson
from sqlalchemy import Connection, delete, or_, select, tuple_, update

from adapter.records import serialisation as bodies
from adapter.records.change_feed import ChangeFeed
from adapter.records.hidden_words import NAME, HiddenWords
from adapter.records.model import RECORD_TYPES, Cadre, Record, Referral, Result
from adapter.records.result_views import erase_views, forget_result, forget_telling
from adapter.records.tables import (
    cadre_identifier,
    cadre_name,
    erasure,
    held_row,
    import_change,
    record,
    record_merge,
)

__all__ = [
    "ErasedPerson",
    "cleared_records",
    "erase_person",
    "forget_former_owners",
    "is_namesake",
    "lock_erasures",
    "mark_of_erasures",
]

_PAGE = 500
_NAMES_OF_RECORDS = ("key", "cadre", "visit", "referral", "fulfilled_by", "hospital", "kind")


@dataclass(frozen=True, slots=True)
class ErasedPerson:
    """Who was erased, for the other stores. `number` stands for the key where something must be finished
    without it; `records` are kind and key of everything that there ever was; `words` tell of the person.
    """

    key: str
    number: str
    records: frozenset[tuple[str, str]]
    words: HiddenWords
    identifiers: frozenset[str]
    count: int  # of records that held something
    was_known: bool  # whether there was any record, a tombstone at least

    @property
    def referrals(self) -> frozenset[str]:
        """Keys of the person's referrals."""
        return frozenset(key for kind, key in self.records if kind == Referral.kind)


def lock_erasures(connection: Connection) -> None:
    """Before anything is erased: whoever is about to write what was read before waits, and then sees it."""
    connection.execute(update(erasure).values(mark=token_hex(16)))


def mark_of_erasures(connection: Connection, *, hold: bool = False) -> str:
    """Another after each erasure. `hold`: nobody is erased before the transaction ends."""
    query = select(erasure.c.mark)
    return str(connection.execute(query.with_for_update(read=True) if hold else query).scalar() or "")


def erase_person(connection: Connection, cadre: str, words: HiddenWords) -> ErasedPerson:
    """Delete every record of the person, tombstones and merges too, in the caller's transaction. What the
    stored record says of who it is becomes part of `words`.
    """
    number = str(randbelow(10**18)).zfill(18)
    columns = (record.c.kind, record.c.key, record.c.deleted, record.c.body)
    rows = connection.execute(select(*columns).where(record.c.cadre == cadre)).all()
    identifiers: set[str] = set()
    for row in rows:
        if row.kind == Cadre.kind and row.body and not row.deleted:
            identifiers |= _learn(cast(Cadre, bodies.parse_record(row.kind, row.body)), words)
    if rows:  # else nothing names the person: not even a merge
        _delete(connection, cadre, number)
    held = sum(not row.deleted or row.body is not None for row in rows)
    known = frozenset((row.kind, row.key) for row in rows) | {(Cadre.kind, cadre)}
    return ErasedPerson(cadre, number, known, words, frozenset(identifiers), held, was_known=bool(rows))


def _delete(connection: Connection, cadre: str, number: str) -> None:
    erase_views(connection, cadre)
    connection.execute(delete(record).where(record.c.cadre == cadre))
    connection.execute(update(record).where(record.c.former_cadre == cadre).values(former_cadre=number))
    connection.execute(delete(cadre_identifier).where(cadre_identifier.c.cadre == cadre))
    connection.execute(delete(cadre_name).where(cadre_name.c.cadre == cadre))
    connection.execute(delete(import_change).where(import_change.c.cadre == cadre))
    connection.execute(delete(held_row).where(held_row.c.cadre == cadre))
    connection.execute(
        delete(record_merge).where(or_(record_merge.c.loser == cadre, record_merge.c.survivor == cadre))
    )


def forget_former_owners(connection: Connection, is_hidden: Callable[[Cadre], bool]) -> set[str]:
    """Whoever had a key before an import gave it to another, and is hidden now: what was this one's up to
    then goes from the history. Returns their numbers.
    """
    columns = (import_change.c.run, import_change.c.cadre, import_change.c.before)
    of_people = (import_change.c.kind == Cadre.kind) & import_change.c.before.is_not(None)
    numbers: set[str] = set()
    for run, cadre, before in connection.execute(select(*columns).where(of_people)).all():
        person = cast(Cadre, bodies.parse_record(Cadre.kind, before))
        if is_hidden(person):
            numbers |= bodies.person_identifiers(person)
            of_hers = (import_change.c.cadre == cadre) & (import_change.c.run <= run)
            connection.execute(delete(import_change).where(of_hers))
    return numbers


def _learn(cadre: Cadre, words: HiddenWords) -> set[str]:
    words.add_key(cadre.key)
    words.add_name(cadre.name)
    words.birth_dates.add(str(cadre.birth_date))
    if cadre.phone:
        words.add_number(cadre.phone)
    numbers = bodies.person_identifiers(cadre)
    for number in numbers:
        words.add_number(number)
    return numbers


def is_namesake(connection: Connection, cadre: str, words: HiddenWords) -> bool:
    """Whether this person, who is in the records, has a hidden person's name."""
    query = select(record.c.body).where(
        record.c.kind == Cadre.kind, record.c.key == cadre, record.c.deleted.is_(False)
    )
    body = connection.execute(query).scalar()
    return body is not None and bool(words.found_in(orjson.loads(body)["name"]) & NAME)


def cleared_records(
    connection: Connection,
    feed: ChangeFeed,
    words: HiddenWords,
    among: Collection[tuple[str, str]] | None = None,
) -> set[tuple[str, str]]:
    """Empty the fields of others' stored records that tell of hidden people; what cannot be without such a
    field becomes a tombstone. Returns kind and key of these. Reads those `among` (kind, key); None: all.
    """
    found: set[tuple[str, str]] = set()
    for row in _all_records(connection) if among is None else _these_records(connection, among):
        told = words.look(row.body)
        if not told:
            continue
        namesake = bool(told & NAME) and is_namesake(connection, row.cadre, words)
        if telling := _telling(row.kind, orjson.loads(row.body), words, namesake=namesake):
            found.add((row.kind, row.key))
            _clear(connection, feed, row, telling)
    _clear_history(connection, words)
    _clear_held(connection, words)
    forget_telling(connection, words)
    return found


_BODIES = select(record.c.kind, record.c.key, record.c.cadre, record.c.body).where(
    record.c.deleted.is_(False)
)


def _clear_held(connection: Connection, words: HiddenWords) -> None:
    """Rows that wait for a person, or waited, and that tell of hidden people."""
    rows = connection.execute(select(held_row.c.id, held_row.c.cells, held_row.c.body)).all()
    telling = [row.id for row in rows if words.look(row.cells) or words.look(row.body)]
    for start in range(0, len(telling), _PAGE):
        connection.execute(delete(held_row).where(held_row.c.id.in_(telling[start : start + _PAGE])))


def _clear_history(connection: Connection, words: HiddenWords) -> None:
    """How others' records were before an import is forgotten where it tells of hidden people."""
    place = (-1, "", "")
    columns = (import_change.c.run, import_change.c.kind, import_change.c.key)
    while True:
        query = select(*columns, import_change.c.before).where(tuple_(*columns) > place)
        page = connection.execute(query.order_by(*columns).limit(_PAGE)).all()
        if not page:
            return
        for run, kind, key, before in page:
            if before and words.look(before):
                was = (columns[0] == run, columns[1] == kind, columns[2] == key)
                connection.execute(delete(import_change).where(*was))
        place = tuple(page[-1][:3])


def _all_records(connection: Connection) -> Iterator[Any]:
    for kind in RECORD_TYPES:
        last = ""
        while True:
            query = _BODIES.where(record.c.kind == kind, record.c.key > last)
            page = connection.execute(query.order_by(record.c.key).limit(_PAGE)).all()
            if not page:
                break
            last = page[-1].key
            yield from page


def _these_records(connection: Connection, among: Collection[tuple[str, str]]) -> Iterator[Any]:
    for kind in sorted({kind for kind, _ in among}):
        keys = sorted(key for of, key in among if of == kind)
        for start in range(0, len(keys), _PAGE):
            page = record.c.key.in_(keys[start : start + _PAGE])
            yield from connection.execute(_BODIES.where(record.c.kind == kind, page)).all()


def _telling(kind: str, fields: dict[str, Any], words: HiddenWords, *, namesake: bool) -> list[str]:
    looked_for = ~NAME if namesake else ~0
    telling = []
    for name, value in fields.items():
        if name in _NAMES_OF_RECORDS or (kind == Cadre.kind and name == "name"):
            continue
        if any(words.look(text) & looked_for for text in _texts(value)):
            telling.append(name)
    if kind == Result.kind and "content" in telling:
        telling.append("resource")  # it may say the same where no word is found: a document in base64
    return telling


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list | dict):
            waiting += one.values() if isinstance(one, dict) else one


def _clear(connection: Connection, feed: ChangeFeed, row: Any, telling: list[str]) -> None:
    type_ = RECORD_TYPES[row.kind]
    if row.kind == Result.kind:
        forget_result(connection, row.key)  # it does not tell any more what was seen
    values: dict[str, Any] = {"position": feed.next(), "source_digest": None}
    if any(type_.model_fields[name].is_required() for name in telling):
        values |= {"body": None, "digest": "", "deleted": True}
    else:
        cleaned = {name: type_.model_fields[name].get_default(call_default_factory=True) for name in telling}
        one: Record = bodies.parse_record(row.kind, row.body).model_copy(update=cleaned)
        text = bodies.serialise_record(one)
        values |= {"body": text, "digest": bodies.body_digest(text)}
    connection.execute(
        update(record).where(record.c.kind == row.kind, record.c.key == row.key).values(values)
    )
