"""Records that moved from one person to another: whose each was and is. Kind and key name a record."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from adapter.records.tables import record, record_merge

__all__ = ["former_owner", "reassigned_among", "reassigned_to"]

_MANY = 500  # keys in one query
_HAS_MOVED = record.c.former_cadre.is_not(None)
_TO = select(record.c.kind, record.c.key, record.c.cadre).where(
    record.c.cadre.in_(bindparam("b_names", expanding=True)), _HAS_MOVED
)
_OF = (
    select(record.c.key, func.coalesce(record_merge.c.survivor, record.c.cadre).label("cadre"))
    .select_from(record.outerjoin(record_merge, record_merge.c.loser == record.c.cadre))
    .where(
        record.c.kind == bindparam("b_kind"),
        record.c.key.in_(bindparam("b_keys", expanding=True)),
        _HAS_MOVED,
    )
)


def former_owner(old: Any, owner: str) -> str | None:
    """Whose the record was before, for one that will be `owner`'s (`old`: its row, None for a new one): kept,
    for a reader of the feed who has not seen the move yet.
    """
    if old is None:
        return None
    name: str | None = old.cadre if old.cadre != owner else old.former_cadre
    return name


def reassigned_to(connection: Connection, whose: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """What is recorded under these names and was under another: whose it is (`whose`: name -> person)."""
    rows = connection.execute(_TO, {"b_names": list(whose)})
    return {(kind, key): whose[name] for kind, key, name in rows}


def reassigned_among(
    connection: Connection, records: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Those of these records that were under another name before: whose each is."""
    found: dict[tuple[str, str], str] = {}
    for kind in {kind for kind, _ in records}:
        keys = [key for of, key in records if of == kind]
        for start in range(0, len(keys), _MANY):
            given = {"b_kind": kind, "b_keys": keys[start : start + _MANY]}
            found |= {(kind, key): cadre for key, cadre in connection.execute(_OF, given)}
    return found
