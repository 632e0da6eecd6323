"""Whom and what hospitals mean by our identities or by their own ids: all that one item names, at once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, bindparam, func, or_, select

from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState

__all__ = [
    "NamedLine",
    "PersonLine",
    "held_etags",
    "held_records",
    "lines_by_identity",
    "lines_by_remote_id",
    "lines_of_person",
    "wished_lines",
]

_CHUNK = 1000  # names in one statement
_LEAVING = (EntryState.RETRACTING, EntryState.RETRACTED)
_E = tables.entry.c


def _by(name: "Column[str]", *there: ColumnElement[bool]) -> Select[Any]:
    """The lines of some names; made once, since every item that comes in asks for them."""
    query = select(name, _E.hospital, _E.type, _E.key, _E.cadre).where(*there)
    return query.where(name.in_(bindparam("names", expanding=True)))


_TYPES: Any = bindparam("types", expanding=True)
# not by the column, or SQLite would read all lines of these types instead of each identity's
_OF_TYPES = func.coalesce(_E.type, "").in_(_TYPES)
_BY_IDENTITY = _by(_E.identity, _E.hospital.in_(bindparam("hospitals", expanding=True)), _OF_TYPES)
_BY_FORMER = _by(_E.former_identity, _E.hospital == bindparam("hospital"), _OF_TYPES)
_BY_REMOTE_ID = _by(_E.remote_id, _E.hospital == bindparam("hospital"), _E.type.in_(_TYPES))

_OF_PERSON = select(_E.hospital, _E.kind, _E.key, _E.state, _E.sent_at, _E.delivered_at).where(
    _E.hospital.in_(bindparam("b_hospitals", expanding=True)),
    _E.cadre.in_(bindparam("b_names", expanding=True)),
)


class NamedLine(NamedTuple):
    """A line of the ledger by the `name` that was asked for: which record it is of. Fields are as columns."""

    name: str
    hospital: str
    type: str
    key: str
    cadre: str


def lines_by_identity(
    connection: Connection, hospitals: Collection[str], types: Collection[str], identities: Collection[str]
) -> list[NamedLine]:
    """The lines of these types with one of these identities, and then those that had it under the identity
    key before.
    """
    if not identities:
        return []
    of_types = {"types": list(types)}
    found = _lines(connection, _BY_IDENTITY, identities, of_types | {"hospitals": list(hospitals)})
    for hospital in hospitals:
        found += _lines(connection, _BY_FORMER, identities, of_types | {"hospital": hospital})
    return found


def lines_by_remote_id(
    connection: Connection, hospital: str, types: Collection[str], ids: Collection[str]
) -> list[NamedLine]:
    """The lines of these types that the hospital knows by one of these ids."""
    return _lines(connection, _BY_REMOTE_ID, ids, {"hospital": hospital, "types": list(types)})


def held_etags(connection: Connection, hospital: str, type_: str, id_: str) -> list[str]:
    """Which version of that resource at the hospital we wrote, as its server named it."""
    query = select(_E.etag).where(_E.remote_id == id_, _E.hospital == hospital, _E.type == type_)
    return [etag for etag in connection.execute(query).scalars() if etag]


def held_records(
    connection: Connection, hospital: str, type_: str, kind: str, keys: Collection[str]
) -> set[str]:
    """Of which of these records the hospital holds a resource of that type, as far as is known."""
    if not keys:
        return set()
    here = func.coalesce(_E.hospital, "") == hospital  # or SQLite would read all of this hospital's Patients
    there = or_(_E.remote_id.is_not(None), _E.delivered_digest.is_not(None))
    query = select(_E.key).where(_E.kind == kind, _E.key.in_(keys), here, _E.type == type_, there)
    return set(connection.execute(query.where(_E.state != EntryState.RETRACTED)).scalars())


def wished_lines(connection: Connection, hospital: str, type_: str) -> list[NamedLine]:
    """The lines of a type that the hospital should hold, whether or not it does yet; the name is the
    identity.
    """
    # The rest is looked at here, so that the index of what the hospital holds by type is used.
    query = select(_E.identity, _E.hospital, _E.type, _E.key, _E.cadre, _E.state, _E.desired_digest)
    rows = connection.execute(query.where(_E.hospital == hospital, _E.type == type_)).all()
    wished = (row for row in rows if row.desired_digest is not None and row.state not in _LEAVING)
    return [NamedLine(*row[:5]) for row in wished]


def _lines(
    connection: Connection, query: Select[Any], names: Collection[str], where: dict[str, Any]
) -> list[NamedLine]:
    left, found = iter(names), list[NamedLine]()
    while chunk := list(islice(left, _CHUNK)):
        found += [NamedLine(*row) for row in connection.execute(query, where | {"names": chunk})]
    return found


class PersonLine(NamedTuple):
    """As much of a line as tells what a hospital has of somebody."""

    kind: str
    key: str
    state: EntryState
    sent_at: datetime | None
    delivered_at: datetime | None


def lines_of_person(
    connection: Connection, hospitals: Sequence[str], names: Sequence[str]
) -> Mapping[str, Sequence[PersonLine]]:
    """The lines of a person, who is recorded under these names, by hospital of these; without those that have
    none.
    """
    found: dict[str, list[PersonLine]] = {}
    asked = {"b_hospitals": list(hospitals), "b_names": list(names)}
    for hospital, kind, key, state, sent_at, delivered_at in connection.execute(_OF_PERSON, asked):
        line = PersonLine(kind, key, EntryState(state), sent_at, delivered_at)
        found.setdefault(hospital, []).append(line)
    return found
