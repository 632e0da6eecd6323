"""One national or insurance number in two people's records: one person twice, or a wrong number."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, func, select

from adapter.linkage.placeholders import is_placeholder
from adapter.records.tables import cadre_identifier, record_merge

__all__ = ["SharedNumber", "shared_numbers"]

_MOST = 1000
_CARD = 15  # characters


@dataclass(frozen=True, slots=True)
class SharedNumber:
    """A number, and the keys of the people who have it. Who was merged is one person already."""

    number: str
    cadres: tuple[str, ...]

    @property
    def ending(self) -> str:
        """As much of it as is shown: its last four characters."""
        return self.number[-4:]


def shared_numbers(connection: Connection, most: int = _MOST) -> Sequence[SharedNumber]:
    """The numbers that more than one person has. Cards meet by the ten digits that each of them ends with."""
    twice = (
        select(cadre_identifier.c.value)
        .where(func.length(cadre_identifier.c.value) != _CARD)
        .group_by(cadre_identifier.c.value)
        .having(func.count() > 1)
        .order_by(cadre_identifier.c.value)
        .limit(most)
    )
    query = (
        select(
            cadre_identifier.c.value,
            cadre_identifier.c.cadre,
            func.coalesce(record_merge.c.survivor, cadre_identifier.c.cadre).label("person"),
        )
        .outerjoin(record_merge, record_merge.c.loser == cadre_identifier.c.cadre)
        .where(cadre_identifier.c.value.in_(twice))
        .order_by(cadre_identifier.c.value, cadre_identifier.c.cadre)
    )
    found = []
    for number, rows in groupby(connection.execute(query), key=lambda row: row.value):
        people = {row.person: row.cadre for row in rows}
        if len(people) > 1 and not is_placeholder(number):
            found.append(SharedNumber(number, tuple(sorted(people.values()))))
    return found
