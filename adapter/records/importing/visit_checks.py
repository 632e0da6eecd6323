"""That one check-up does not become two visits: one with a key of the sheet's, one with a made key."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

import orjson

from adapter.bounded_cache import BoundedCache
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.importing.row_reader import RowReader
from adapter.records.importing.stored_records import StoredRow
from adapter.records.model import Visit
from adapter.records.sheets.tab import Tab
from adapter.records.sheets.visit_finder import AskedVisit, FoundVisits, made_key

__all__ = ["VisitChecker"]

_PEOPLE = 5_000  # whose visits are remembered
_Visits = dict[tuple[str, str], list[tuple[str, str]]]  # kind and day -> key and owner of each


class VisitChecker:
    """What visits there are of a person, a kind and a day: those of this import, else those that are stored.
    People who were merged are one. `asked`: whether a table of the import asks for them.
    """

    def __init__(self, changes: ImportWriter, key_space: str, *, asked: bool) -> None:
        self._changes = changes
        self._records = changes.stored
        self._space = key_space
        self._asked = asked
        self._survivors: dict[str, str] | None = None
        self._of_import: dict[str, _Visits] = {}  # by person
        self._visits_of: BoundedCache[str, _Visits] = BoundedCache(_PEOPLE)
        self._spared: dict[str, None] = {}

    def check(
        self, tab: Tab, reader: RowReader, rows: Sequence[ParsedRow], stored: Mapping[str, StoredRow]
    ) -> None:
        """Note in each row what is wrong with it beside the visits that are known."""
        if tab.sheet.kind == "visit":
            if tab.visits is None:
                self._check_visits(reader, rows, stored)
            else:
                self._check_made(tab.visits.doubtful, reader, rows)
        elif tab.sheet.kind == "measurement":
            self._check_values(reader, rows, stored)

    def standing(self, visit: Visit) -> str | None:
        """The visit that stands already of a new one's person, kind and day, where one of the two has the key
        that is made of these: they are one check-up.
        """
        person, of_day = self._person(visit.cadre), _kind_and_day(visit.type, visit.started_at)
        stored = [key for key, _ in self._stored({person}).get(person, {}).get(of_day, [])]
        if visit.key in stored:
            return None
        made = self._made_keys(person, of_day, self._losers())
        return next((key for key in stored if visit.key in made or key in made), None)

    def look_up(self, asked: Collection[AskedVisit]) -> dict[AskedVisit, FoundVisits]:
        """The visits of these, as a sheet writes their keys."""
        people = {one[0]: self._person(f"{one[0]}{self._space}") for one in asked}
        stored = self._stored(set(people.values()))
        found = {}
        for one in asked:
            person, of_day = people[one[0]], (one[1], one[2])
            made = made_key(one, self._space)
            of_store = stored.get(person, {}).get(of_day, [])
            of_import = self._of_import.get(person, {}).get(of_day, [])
            known = dict.fromkeys(of_import or of_store)
            visits = [(key, owner) for key, owner in known if self._is_of_space(key, owner)]
            if visits and [key for key, _ in visits] != [made]:
                has_made = any(key == made for key, _ in of_store)
                if has_made or len(visits) > 1:
                    self._spared.update(dict.fromkeys(key for key, _ in (*visits, *of_store)))
                keys = tuple((self._written(key), self._written(owner)) for key, owner in visits)
                found[one] = FoundVisits(keys, has_made)
        return found

    def spare(self) -> None:
        """Visits that rows were about which were refused are not missing."""
        keys = list(self._spared)
        if not keys:
            return
        unseen = (
            self._records.live_owners("visit", keys).keys() - self._changes.seen_rows("visit", keys).keys()
        )
        self._changes.mark_seen("visit", "", [(key, 0) for key in sorted(unseen)])

    def _check_visits(
        self, reader: RowReader, rows: Sequence[ParsedRow], stored: Mapping[str, StoredRow]
    ) -> None:
        """A visit of which there is one with a made key already is refused where it is new, else noted."""
        whole = [
            (row, fields)
            for row in rows
            if not row.deleted and (fields := row.fields).keys() >= {"key", "cadre", "type", "started_at"}
        ]
        losers = self._losers()
        made: dict[str, list[str]] = defaultdict(list)  # such a key, and the rows' own
        for row, fields in whole:
            person = self._person(fields["cadre"])
            of_day = _kind_and_day(fields["type"], fields["started_at"])
            for key in self._made_keys(person, of_day, losers):
                if key != row.key:
                    made[key].append(str(row.key))
        live = self._records.live_owners("visit", list(made)) if made else {}
        second = {own: key for key in live for own in made[key]}
        # Where the sheet has that one too, it says itself that there are two.
        listed = {row.key for row, _ in whole}
        if second:
            listed |= self._changes.seen_rows("visit", sorted(live)).keys()
        for row, fields in whole:
            found = second.get(str(row.key))
            before = stored.get(str(row.key))
            if found is not None:
                self._spared[found] = None
            if found is not None and found not in listed and (before is None or before.deleted):
                reader.add_invalid_cell(row, "key", "expect_made_key", visit=self._written(found))
                continue
            if found is not None:
                reader.add_note(row, "key", "noted_second_visit", visit=self._written(found))
            if self._asked:
                of_day = _kind_and_day(fields["type"], fields["started_at"])
                visits = self._of_import.setdefault(self._person(fields["cadre"]), {})
                visits.setdefault(of_day, []).append((str(row.key), fields["cadre"]))

    def _check_made(
        self, doubtful: Mapping[int, tuple[str, ...]], reader: RowReader, rows: Iterable[ParsedRow]
    ) -> None:
        for row in rows if doubtful else ():
            if keys := doubtful.get(row.number):
                reader.add_invalid_cell(row, "started_at", "expect_one_visit", visits=", ".join(keys))

    def _check_values(
        self, reader: RowReader, rows: Sequence[ParsedRow], stored: Mapping[str, StoredRow]
    ) -> None:
        """A new value that stands already, the same day, under another visit of the person."""
        new = [
            row
            for row in rows
            if not (row.bad or row.deleted)
            and "cadre" in row.fields
            and ((before := stored.get(str(row.key))) is None or before.deleted)
        ]
        if not new:
            return
        visits = self._remembered({self._person(cadre) for cadre in {row.fields["cadre"] for row in new}})
        beside: dict[str, list[str]] = {}  # visit -> others of its person and day
        for of_person in visits.values():
            if sum(map(len, of_person.values())) < 2:
                continue
            days: dict[str, list[str]] = defaultdict(list)
            for (_, day), found in of_person.items():
                days[day] += [key for key, _ in found]
            beside |= {
                key: [one for one in keys if one != key]
                for keys in days.values()
                if len(keys) > 1
                for key in keys
            }
        asked = [
            (row, other, f"{other}/{row.fields['measure']}")
            for row in new
            for other in beside.get(row.fields.get("visit", ""), ())
        ]
        if asked:
            self._say_same(reader, new, asked)

    def _say_same(
        self, reader: RowReader, new: Sequence[ParsedRow], asked: Sequence[tuple[ParsedRow, str, str]]
    ) -> None:
        """Say it where at least half of what the two visits both have is the same: a pulse may be so twice.
        `asked`: rows with another visit, and the key that the value would have there.
        """
        known = {
            key: _value(orjson.loads(body))
            for key, body in self._records.live_bodies("measurement", list({key for _, _, key in asked}))
        }
        known |= {str(row.key): _value(row.fields) for row in new}
        both: dict[tuple[str, str], list[tuple[ParsedRow, bool]]] = defaultdict(list)
        for row, other, key in asked:
            if key in known:
                both[row.fields["visit"], other].append((row, known[key] == _value(row.fields)))
        told: set[int] = set()
        for (_, other), found in both.items():
            same = [row for row, is_same in found if is_same]
            for row in same if len(same) * 2 >= len(found) else ():
                if id(row) not in told:
                    told.add(id(row))
                    reader.add_note(row, "value", "noted_same_value", visit=self._written(other))

    def _remembered(self, people: Collection[str]) -> dict[str, _Visits]:
        """The same, from memory where they were asked for: no visit changes any more."""
        found = {one: visits for one in people if (visits := self._visits_of.get(one)) is not None}
        for one, visits in self._stored([one for one in people if one not in found]).items():
            found[one] = self._visits_of.put(one, visits)
        return found

    def _stored(self, people: Collection[str]) -> dict[str, _Visits]:
        """Live visits of these people and of whom was merged into them, in one statement."""
        if not people:
            return {}
        losers = self._losers()
        owners = [one for person in people for one in (person, *losers.get(person, ()))]
        found: dict[str, _Visits] = {one: {} for one in people}
        for visit in self._records.visits_of_people(owners):
            of_day = (visit.type, visit.started_at[:10].replace("-", ""))
            found[self._person(visit.cadre)].setdefault(of_day, []).append((visit.key, visit.cadre))
        return found

    def _person(self, cadre: str) -> str:
        """Who it is, if merged: who is left."""
        return self._merges().get(cadre, cadre)

    def _merges(self) -> dict[str, str]:
        if self._survivors is None:
            self._survivors = self._records.survivors()
        return self._survivors

    def _losers(self) -> dict[str, list[str]]:
        losers: dict[str, list[str]] = defaultdict(list)
        for loser, survivor in self._merges().items():
            losers[survivor].append(loser)
        return losers

    def _made_keys(
        self, person: str, of_day: tuple[str, str], losers: Mapping[str, Sequence[str]]
    ) -> list[str]:
        """Those that are made for a visit of this person, under each key that he has."""
        people = (person, *losers.get(person, ()))
        return [made_key((self._without_space(one), *of_day), self._space) for one in people]

    def _is_of_space(self, key: str, owner: str) -> bool:
        """Whether a sheet can write the keys."""
        return key.endswith(self._space) and owner.endswith(self._space)

    def _without_space(self, key: str) -> str:
        return key.removesuffix(self._space) if self._space else key

    _written = _without_space


def _kind_and_day(kind: str, started_at: date) -> tuple[str, str]:
    return str(kind), f"{started_at:%Y%m%d}"


def _value(fields: Mapping[str, object]) -> tuple[object, object]:
    return str(fields["value"]), fields.get("unit")
