"""What waits for something that it names: whoever writes that says so, and what waits is looked at again.

An item of the inbox that nobody could be found for *awaits* names: of a person's number, of a referral, of
what the hospital calls something of ours. A name stands here as a digest. When something of an awaited name
is written, it is noted as an *arrival* in the same transaction; what nobody awaits costs one statement and
leaves no row.
"""

from collections.abc import Collection, Iterable
from hashlib import blake2b
from itertools import islice

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
)

from adapter.bulk_insert import insert_rows
from adapter.database import metadata

__all__ = [
    "await_names",
    "awaited_name",
    "forget_awaited",
    "has_arrivals",
    "identity_name",
    "is_anything_awaited",
    "line_name",
    "note_arrivals",
    "number_name",
    "patient_name",
    "person_name",
    "record_name",
    "sent_name",
    "take_arrivals",
]

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_CHUNK = 500

awaited_name = Table(
    "awaited_name",
    metadata,
    Column("value", String(32), primary_key=True),  # a digest
    Column("item", BigInteger, primary_key=True, autoincrement=False),  # of the inbox
    Index(None, "item"),
    sqlite_with_rowid=False,
)

# A name may arrive several times before somebody takes it: writers never wait for each other here.
awaited_arrival = Table(
    "awaited_arrival",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("value", String(32), nullable=False),
    sqlite_autoincrement=True,
)


# Made once: each item that is looked at needs it.
_FORGET = delete(awaited_name).where(awaited_name.c.item.in_(bindparam("items", expanding=True)))
_NOTE = insert(awaited_arrival).from_select(  # made once: every write of a record or a result needs it
    ["value"],
    select(awaited_name.c.value)
    .where(awaited_name.c.value.in_(bindparam("names", expanding=True)))
    .distinct(),
)


def sent_name(hospital: str, reference: str) -> str:
    """What a hospital sent, or may yet send, here as `Type/id`."""
    return _digest("sent", hospital, reference)


def patient_name(subject: str) -> str:
    """A hospital's patient, of whom a person may yet say who it is here."""
    return _digest("patient", subject)


def line_name(hospital: str, remote_id: str) -> str:
    """What of ours a hospital's own server has under that id, of whatever type."""
    return _digest("line", hospital, remote_id)


def identity_name(value: str) -> str:
    """An identity of ours."""
    return _digest("identity", value)


def number_name(value: str) -> str:
    """A national or insurance number, in a form that it is recorded in."""
    return _digest("number", value)


def person_name(value: str) -> str:
    """A name with a date of birth, as `person_names.name_and_birth_date`."""
    return _digest("person", value)


def record_name(kind: str, key: str) -> str:
    """A record of ours."""
    return _digest("record", kind, key)


def _digest(*parts: str) -> str:
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def await_names(connection: Connection, item: int, names: Collection[str]) -> None:
    """The item waits for these names, and for no others any more."""
    forget_awaited(connection, [item])
    insert_rows(connection, awaited_name, [{"value": one, "item": item} for one in dict.fromkeys(names)])


def forget_awaited(connection: Connection, items: Collection[int]) -> None:
    """These items wait for nothing any more."""
    for chunk in _chunks(items):
        connection.execute(_FORGET, {"items": chunk})


def is_anything_awaited(connection: Connection) -> bool:
    """Whether anything waits for any name."""
    return connection.execute(select(awaited_name.c.item).limit(1)).first() is not None


def has_arrivals(connection: Connection) -> bool:
    """Whether anything arrived that nobody has taken."""
    return connection.execute(select(awaited_arrival.c.id).limit(1)).first() is not None


def note_arrivals(connection: Connection, names: Iterable[str]) -> None:
    """Something of these names is written, in this transaction."""
    for chunk in _chunks(dict.fromkeys(names)):
        connection.execute(_NOTE, {"names": chunk})


def take_arrivals(connection: Connection, limit: int) -> list[int]:
    """The items that awaited what arrived; the arrivals, at most `limit`, are gone then."""
    column = awaited_arrival.c
    first = select(column.id, column.value).where(column.id > 0).order_by(column.id).limit(limit)
    found = connection.execute(first).all()
    items: dict[int, None] = {}
    for chunk in _chunks({row.value for row in found}):
        waiting = select(awaited_name.c.item).where(awaited_name.c.value.in_(chunk))
        items.update(dict.fromkeys(connection.execute(waiting).scalars()))
    for chunk in _chunks([row.id for row in found]):
        connection.execute(delete(awaited_arrival).where(awaited_arrival.c.id.in_(chunk)))
    return list(items)


def _chunks(values: Iterable[object]) -> Iterable[list[object]]:
    left = iter(values)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
