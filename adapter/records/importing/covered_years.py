"""The years that a file speaks of. A file is the full state of its kinds, but last year's visits are no
less true because this year's workbook does not hold them. A few rows of another year than all others are
rather slips: of their year the file does not say what is gone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from adapter.records.model import Record

__all__ = ["CoveredYears"]

_FEW = 5  # rows of a year that may be slips
_SHARE = 0.1  # of all rows, at most
_OWN_DATES = ("started_at", "taken_at", "recorded_on", "given_at", "ordered_at")


class CoveredYears:
    """What the rows of an import say: a visit's year is that in which it begins, another record's that of
    its visit, or of its own date.
    """

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()  # by year
        self._visits: dict[str, str] = {}
        self._numbers: dict[str, list[int]] = {}  # of the first rows of each year

    def note(self, records: Iterable[tuple[Record, int]]) -> set[str]:
        """Rows that are imported, with their numbers, visits before what belongs to them. Returns the keys of
        visits that these belong to and that no row had, for `note_years`.
        """
        elsewhere: set[str] = set()
        for one, number in records:
            visit = getattr(one, "visit", None)
            if visit in self._visits:
                continue  # its year is noted
            if visit is not None:
                elsewhere.add(visit)
            elif (year := _own_year(one.__dict__)) is not None:
                self._rows[year] += 1
                if self._rows[year] <= _FEW:
                    self._numbers.setdefault(year, []).append(number)
                if one.kind == "visit":
                    self._visits[one.key] = year
        return elsewhere

    def note_years(self, visits: Mapping[str, str]) -> None:
        """The years of stored visits, by their keys."""
        self._visits.update(visits)
        self._rows.update(visits.values())

    def stray(self) -> dict[str, list[int]]:
        """Years of which there are so few rows that they are rather slips, and the numbers of these."""
        most = min(_FEW, self._rows.total() * _SHARE)
        return {
            year: self._numbers.get(year, []) for year, count in sorted(self._rows.items()) if count <= most
        }

    def covers(self, kind: str, body: str, visits: Mapping[str, str]) -> bool:
        """Whether a stored record is of one of these years, or of none. `visits`: years of stored ones."""
        if kind == "cadre":
            return True
        fields: dict[str, Any] = orjson.loads(body)
        visit = fields.get("visit")
        year = visits.get(visit) if isinstance(visit, str) else None
        year = year or _own_year(fields)
        return year is None or (year in self._rows and year not in self.stray())


def _own_year(fields: Mapping[str, Any]) -> str | None:
    """The year of the first date that the record has."""
    found = next((fields[name] for name in _OWN_DATES if fields.get(name)), None)
    return None if found is None else str(found)[:4]
