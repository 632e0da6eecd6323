"""Whether what a row says beside its key of whom it is about is that person: a key may be a slip of the pen,
and the row a hidden person's. Such a row is counted, and neither imported, shown nor copied anywhere.
"""

import re
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import NamedTuple

import orjson

from adapter.records.hidden_words import NAME
from adapter.records.importing.hidden_people import HiddenPeople
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.parsed_row import InvalidCell, ParsedRow, remarks_of
from adapter.records.layouts.person_columns import said_of
from adapter.records.name_likeness import NameLikeness, name_likeness
from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.tab import PersonCell, Tab

__all__ = ["NamedPersonChecker"]

_PAGE = 1000
_REMEMBERED = 20_000  # people
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


class _Person(NamedTuple):
    name: str = ""
    born: str = ""


_NOBODY = _Person()


class NamedPersonChecker:
    """Compares rows with the people as they are stored by now: theirs is the first kind of an import."""

    def __init__(self, changes: ImportWriter, hidden: HiddenPeople) -> None:
        self._changes = changes
        self._hidden = hidden
        self._people: dict[str, _Person] = {}
        self._said: set[tuple[str, str, int]] = set()  # rows of files of which it was said

    def check(self, tab: Tab, rows: Sequence[ParsedRow], waits: Callable[[ParsedRow], bool]) -> None:
        """Withhold the rows of a tab that are about somebody else than whose key they have. Of those that
        wait for one that is withheld nothing more is said.
        """
        if not tab.people:
            return
        owners = self._owners(rows)
        self._load({owner for owner in owners.values() if owner is not None})
        for row in rows:
            person = self._people.get(owners[id(row)] or "", _NOBODY)
            for one in tab.people if person.name else ():  # of whom nobody knows, it is seen to elsewhere
                said = said_of(one, row.cells)
                if said and self._is_anothers(one, said, person):
                    tab.doubtful.add(row.number)
                    row.deleted = False  # whoever's it is, it says nothing of what is stored
                    if not waits(row):
                        self._withhold(tab, row, one)
                    break
                if said and one.field == "name" and self._may_be_a_slip(said, person):
                    self._note(tab, row, one, said)

    def check_silent(self, tab: Tab, key_space: str) -> None:
        """The same of rows that hold nothing but their person: what they say of stored records."""
        rows = () if tab.origin is None or not tab.people else tab.origin.silent_rows()
        left = iter(rows)
        while page := list(islice(left, _PAGE)):
            parsed = [
                ParsedRow(number, cells, None, {"cadre": f"{cell_text(cadre)}{key_space}"}, [])
                for number, cadre, cells in page
            ]
            self.check(tab, parsed, lambda _: True)

    def _owners(self, rows: Sequence[ParsedRow]) -> dict[int, str | None]:
        """Whose the rows are, by id: a value may name its visit alone."""
        visits = {row.fields["visit"] for row in rows if "cadre" not in row.fields and "visit" in row.fields}
        of_visits = self._changes.stored.live_owners("visit", visits) if visits else {}
        return {
            id(row): row.fields.get("cadre") or of_visits.get(row.fields.get("visit", "")) for row in rows
        }

    def _load(self, keys: Collection[str]) -> None:
        if len(self._people) > _REMEMBERED:
            self._people.clear()
        unknown = [key for key in keys if key not in self._people]
        stored = self._changes.stored.rows("cadre", unknown) if unknown else {}
        for key in unknown:
            found = stored.get(key)
            body = orjson.loads(found.body) if found and found.body and not found.deleted else {}
            self._people[key] = _Person(body.get("name") or "", str(body.get("birth_date") or "")[:4])

    def _is_anothers(self, one: PersonCell, said: str, person: _Person) -> bool:
        """Whether a cell says somebody else than the person, or somebody hidden: what is hidden in the
        person's own name is a namesake's.
        """
        if one.field == "birth_date":
            years = _YEAR.findall(said)
            return bool(years and person.born) and person.born not in years
        told = self._hidden.told_of(said)
        if told != NAME or one.field != "name":
            return bool(told) or self._is_other(one, said, person)
        return not self._hidden.told_of(person.name) & NAME

    @staticmethod
    def _is_other(one: PersonCell, said: str, person: _Person) -> bool:
        return one.field == "name" and name_likeness(said, person.name) is NameLikeness.OTHER

    @staticmethod
    def _may_be_a_slip(said: str, person: _Person) -> bool:
        return name_likeness(said, person.name) is NameLikeness.NEAR

    def _withhold(self, tab: Tab, row: ParsedRow, one: PersonCell) -> None:
        """Of the rows that are made of one row of the file it is said once."""
        said = self._is_said(tab, row)
        row.bad = [] if said else [InvalidCell(one.title, "", "expect_own_person", hidden=True)]
        row.withheld, row.remarks = True, None

    def _note(self, tab: Tab, row: ParsedRow, one: PersonCell, said: str) -> None:
        if not self._is_said(tab, row):
            remarks_of(row).notes.append(InvalidCell(one.title, said, "noted_name"))

    def _is_said(self, tab: Tab, row: ParsedRow) -> bool:
        place = (tab.source, tab.title, row.number)
        is_said = place in self._said
        self._said.add(place)
        return is_said
