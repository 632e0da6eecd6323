"""Records and people that one item of the inbox names, each sort in one statement."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Column, Connection, select

from adapter.person_names import name_and_birth_date
from adapter.records.merges import with_owner
from adapter.records.model import Cadre, Record
from adapter.records.serialisation import identifier_forms, parse_record
from adapter.records.tables import cadre_identifier, cadre_name, record, record_merge

__all__ = ["cadres_by_identifiers", "cadres_by_names", "live_records", "survivors_of"]


def cadres_by_identifiers(connection: Connection, values: Iterable[str]) -> dict[str, list[str]]:
    """Keys of the people with each of these national or insurance numbers, however they are spaced."""
    forms = {value: identifier_forms([value]) for value in values}
    return _people(connection, forms, cadre_identifier.c.value, cadre_identifier.c.cadre)


def cadres_by_names(connection: Connection, said: Collection[tuple[str, str]]) -> list[str]:
    """Keys of the people of one of these names and dates of birth, however they are spelt, each once."""
    forms = {digest: {digest} for digest in (name_and_birth_date(name, day) for name, day in said)}
    found = _people(connection, forms, cadre_name.c.value, cadre_name.c.cadre)
    return list(dict.fromkeys(cadre for people in found.values() for cadre in people))


def _people(
    connection: Connection, forms: Mapping[str, Collection[str]], value: "Column[str]", cadre: "Column[str]"
) -> dict[str, list[str]]:
    wanted = set().union(*forms.values())
    if not wanted:
        return {}
    owners: dict[str, set[str]] = defaultdict(set)
    for form, key in connection.execute(select(value, cadre).where(value.in_(wanted))):
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
    query = select(record_merge.c.loser, record_merge.c.survivor).where(record_merge.c.loser.in_(cadres))
    return {row.loser: row.survivor for row in connection.execute(query)}


def live_records(connection: Connection, kind: str, keys: Collection[str]) -> dict[str, Record]:
    """The records of these keys as they are read, by key; what is deleted or was never there is left out."""
    if not keys:
        return {}
    query = select(record.c.key, record.c.body, record.c.cadre).where(
        record.c.kind == kind, record.c.key.in_(keys), record.c.deleted.is_(False)
    )
    rows = connection.execute(query).all()
    others = survivors_of(connection, {row.cadre for row in rows})
    found = {row.key: (parse_record(kind, row.body), others.get(row.cadre)) for row in rows}
    return {
        key: one if owner is None or isinstance(one, Cadre) else with_owner(one, owner)
        for key, (one, owner) in found.items()
    }
