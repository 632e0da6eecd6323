"""The years that a file speaks of. A file is the full state of its kinds, but last year's visits are no
less true because this year's workbook does not hold them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from adapter.records.model import Record

__all__ = ["CoveredYears"]

_OWN_DATES = ("started_at", "taken_at", "recorded_on", "given_at", "ordered_at")


class CoveredYears:
    """What the rows of an import say: a visit's year is that in which it begins, another record's that of
    its visit, or of its own date.
    """

    def __init__(self) -> None:
        self._years: set[str] = set()
        self._visits: dict[str, str] = {}

    def note(self, records: Iterable[Record]) -> set[str]:
        """Rows that are imported, visits before what belongs to them. Returns the keys of visits that these
        belong to and that no row had, for `note_years`.
        """
        elsewhere: set[str] = set()
        for one in records:
            visit = getattr(one, "visit", None)
            if visit in self._visits:
                continue  # its year is noted
            if visit is not None:
                elsewhere.add(visit)
            elif (year := _own_year(one.__dict__)) is not None:
                self._years.add(year)
                if one.kind == "visit":
                    self._visits[one.key] = year
        return elsewhere

    def note_years(self, visits: Mapping[str, str]) -> None:
        """The years of stored visits, by their keys."""
        self._visits.update(visits)
        self._years.update(visits.values())

    def covers(self, kind: str, body: str, visits: Mapping[str, str]) -> bool:
        """Whether a stored record is of one of these years, or of none. `visits`: years of stored ones."""
        if kind == "cadre":
            return True
        fields: dict[str, Any] = orjson.loads(body)
        visit = fields.get("visit")
        year = visits.get(visit) if isinstance(visit, str) else None
        year = year or _own_year(fields)
        return year is None or year in self._years


def _own_year(fields: Mapping[str, Any]) -> str | None:
    """The year of the first date that the record has."""
    found = next((fields[name] for name in _OWN_DATES if fields.get(name)), None)
    return None if found is None else str(found)[:4]
