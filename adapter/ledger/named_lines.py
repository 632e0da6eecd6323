"""Whom and what hospitals mean by our identities or by their own ids: all that one item names, at once."""

from collections.abc import Collection
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, func, or_, select

from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState

__all__ = ["NamedLine", "held_records", "lines_by_identity", "lines_by_remote_id"]

_CHUNK = 1000  # names in one statement
_E = tables.entry.c


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
    # not by the column, or SQLite would read all lines of these types instead of each identity's
    of_types = func.coalesce(_E.type, "").in_(types)
    found = _lines(connection, _E.identity, identities, _E.hospital.in_(hospitals), of_types)
    for hospital in hospitals:
        found += _lines(connection, _E.former_identity, identities, _E.hospital == hospital, of_types)
    return found


def lines_by_remote_id(
    connection: Connection, hospital: str, types: Collection[str], ids: Collection[str]
) -> list[NamedLine]:
    """The lines of these types that the hospital knows by one of these ids."""
    return _lines(connection, _E.remote_id, ids, _E.hospital == hospital, _E.type.in_(types))


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


def _lines(
    connection: Connection, name: "Column[str]", names: Collection[str], *there: ColumnElement[bool]
) -> list[NamedLine]:
    query = select(name, _E.hospital, _E.type, _E.key, _E.cadre).where(*there)
    left, found = iter(names), list[NamedLine]()
    while chunk := list(islice(left, _CHUNK)):
        found += [NamedLine(*row) for row in connection.execute(query.where(name.in_(chunk)))]
    return found
