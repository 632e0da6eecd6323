"""Records and people that one item of the inbox names, each sort in one statement."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, select

from adapter.linkage.placeholders import is_placeholder
from adapter.person_names import name_and_birth_date
from adapter.records.merges import with_owner
from adapter.records.model import Cadre, Record
from adapter.records.serialisation import identifier_forms, parse_record
from adapter.records.tables import cadre_identifier, cadre_name, record, record_merge

__all__ = ["cadres_by_identifiers", "cadres_by_names", "live_records", "survivors_of"]


def _by(value: "Column[str]", *wanted: "Column[str]") -> Select[Any]:
    query: Any = select(*wanted)  # of so many columns as there are
    found: Select[Any] = query.where(value.in_(bindparam("names", expanding=True)))
    return found


# Made once: all that comes in asks for them.
_BY_NUMBER = _by(cadre_identifier.c.value, cadre_identifier.c.value, cadre_identifier.c.cadre)
_BY_NAME = _by(cadre_name.c.value, cadre_name.c.value, cadre_name.c.cadre)
_SURVIVORS = _by(record_merge.c.loser, record_merge.c.loser, record_merge.c.survivor)
_LIVE = _by(record.c.key, record.c.key, record.c.body, record.c.cadre).where(
    record.c.kind == bindparam("kind"), record.c.deleted.is_(False)
)


def cadres_by_identifiers(connection: Connection, values: Iterable[str]) -> dict[str, list[str]]:
    """Keys of the people with each of these national or insurance numbers, however they are spaced. What only
    fills a field (000000000000) is nobody's, whoever has it in the records.
    """
    forms = {
        value: {form for form in identifier_forms([value]) if not is_placeholder(form)} for value in values
    }
    return _people(connection, forms, _BY_NUMBER)


def cadres_by_names(connection: Connection, said: Collection[tuple[str, str]]) -> list[str]:
    """Keys of the people of one of these names and dates of birth, however they are spelt, each once."""
    forms = {digest: {digest} for digest in (name_and_birth_date(name, day) for name, day in said)}
    found = _people(connection, forms, _BY_NAME)
    return list(dict.fromkeys(cadre for people in found.values() for cadre in people))


def _people(
    connection: Connection, forms: Mapping[str, Collection[str]], query: Select[Any]
) -> dict[str, list[str]]:
    wanted = set().union(*forms.values())
    if not wanted:
        return {}
    owners: dict[str, set[str]] = defaultdict(set)
    for form, key in connection.execute(query, {"names": list(wanted)}):
        owners[form].add(key)
    others = survivors_of(connection, set().union(*owners.values()))
    return {
        one: sorted({others.get(key, key) for form in mine for key in owners.get(form, ())})
        for one, mine in forms.items()
    }


def survivors_of(connection: Connection, cadres: Collection[str]) -> dict[str, str]:
    """Loser -> survivor of those among `cadres` who were merged into another."""
    if not cadres:
        return {}
    return {row.loser: row.survivor for row in connection.execute(_SURVIVORS, {"names": list(cadres)})}


def live_records(connection: Connection, kind: str, keys: Collection[str]) -> dict[str, Record]:
    """The records of these keys as they are read, by key; what is deleted or was never there is left out."""
    if not keys:
        return {}
    rows = connection.execute(_LIVE, {"kind": kind, "names": list(keys)}).all()
    others = survivors_of(connection, {row.cadre for row in rows})
    found = {row.key: (parse_record(kind, row.body), others.get(row.cadre)) for row in rows}
    return {
        key: one if owner is None or isinstance(one, Cadre) else with_owner(one, owner)
        for key, (one, owner) in found.items()
    }
