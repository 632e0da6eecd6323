"""Who is meant by a part of a name, a year of birth or the end of a number: looked for in memory, since a
folded part of a name has no index in a database. It follows the records by their change feed, and starts anew
after an erasure, so that nobody is found who is not in the records.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from adapter.database import read_transaction
from adapter.person_names import vietnamese_name_key
from adapter.records.erasure import mark_of_erasures
from adapter.records.model import Cadre, Tier
from adapter.records.serialisation import identifier_forms, normalise_identifier
from adapter.text_folding import accented_words, fold_text, word_sequence

if TYPE_CHECKING:
    from adapter.records.store import RecordStore

__all__ = ["IndexedPerson", "PeopleIndex", "SoughtPerson", "sought_person"]

_PAGE = 2_000
_LAST = 4  # digits of a number that somebody says on the telephone
_LONG_NUMBER = 9  # an old identity number; anything shorter is the end of one
_NUMBER = re.compile(r"[A-Z]{0,2}[0-9]{9,15}")  # of an identity card, or of an insurance card: GD479…
_DIGITS = re.compile(r"[0-9][0-9.\-]*")
_DATE = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")


@dataclass(frozen=True, slots=True)
class IndexedPerson:
    """As much of somebody as is looked for, and shown in a list. `birth_date` is as the record has it."""

    key: str
    name: str
    sex: str
    birth_date: str
    tier: Tier
    is_deceased: bool
    folded: str
    accented: str
    ends: frozenset[str]
    numbers: frozenset[str]
    order: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SoughtPerson:
    """What somebody typed: `words` of the name (folded, one after the other), each of `years` is a year of
    birth or the end of a number, `ends` are ends of numbers, `numbers` whole ones, `born` a day (ISO).
    """

    words: str = ""
    accented: str = ""
    years: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    born: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked for."""
        return not (self.words or self.years or self.ends or self.numbers or self.born)


def sought_person(typed: str) -> SoughtPerson:
    """Reads what was typed: "tran an 1948", "4821", "02/05/1948", a whole number, spaced or not. Digits
    too few to say anything are left out.
    """
    date = _DATE.search(typed)
    born = f"{date[3]}-{int(date[2]):02}-{int(date[1]):02}" if date else ""
    rest = _DATE.sub(" ", typed)
    if _NUMBER.fullmatch(whole := normalise_identifier(rest)):
        return SoughtPerson(numbers=(whole,), born=born)
    parts = rest.split()
    numbers = [normalise_identifier(one) for one in parts if _DIGITS.fullmatch(one)]
    name = " ".join(one for one in parts if not _DIGITS.fullmatch(one))
    return SoughtPerson(
        words=word_sequence(fold_text(name)).strip(),
        accented=" ".join(accented_words(name)),
        years=tuple(one for one in numbers if len(one) == _LAST),
        ends=tuple(one for one in numbers if _LAST < len(one) < _LONG_NUMBER),
        numbers=tuple(one for one in numbers if len(one) >= _LONG_NUMBER),
        born=born,
    )


class PeopleIndex:
    """Everybody in the records, in memory. Threads may ask at once. Of who was merged into another the
    strictest tier of both holds, as everywhere.
    """

    def __init__(self, records: "RecordStore") -> None:
        self._records = records
        self._lock = threading.Lock()
        self._people: dict[str, IndexedPerson] = {}
        self._position = 0
        self._mark: str | None = None

    def find(self, query: SoughtPerson) -> Sequence[IndexedPerson]:
        """Everybody who fits, those first whose name has the very accents that were typed, else by name. Who
        is somebody else since a merge leads to whom. Nobody of an empty query.
        """
        if query.is_empty:
            return []
        others = self._others()
        people = _as_merged(self._current(), others)
        found: dict[str, IndexedPerson] = {}
        for one in people.values():
            if _fits(one, query) and (who := people.get(others.get(one.key, one.key))) is not None:
                found[who.key] = who
        return sorted(found.values(), key=lambda one: (not _has_accents(one, query), one.order, one.key))

    def get(self, key: str) -> IndexedPerson | None:
        """Who has that key now, if need be whom he was merged into."""
        others = self._others()
        return _as_merged(self._current(), others).get(others.get(key, key))

    def everybody(self) -> Sequence[IndexedPerson]:
        """All of them by name, without those who are somebody else since a merge."""
        others = self._others()
        found = (one for one in _as_merged(self._current(), others).values() if one.key not in others)
        return sorted(found, key=lambda one: (one.order, one.key))

    def _others(self) -> dict[str, str]:
        return {one.loser: one.survivor for one in self._records.merges.list()}

    def _current(self) -> dict[str, IndexedPerson]:
        with self._lock:
            with read_transaction(self._records.engine) as connection:
                mark = mark_of_erasures(connection)
            newest = self._records.newest_position()
            if mark != self._mark:
                self._people, self._position, self._mark = {}, 0, mark
            if newest != self._position:
                people = dict(self._people)
                for key, person in self._changes(self._position):
                    if person is None:
                        people.pop(key, None)
                    else:
                        people[key] = person
                self._people, self._position = people, newest
            return self._people

    def _changes(self, since: int) -> Iterator[tuple[str, IndexedPerson | None]]:
        while page := self._records.changed_records((Cadre.kind,), since, _PAGE):
            for one in page:
                is_there = isinstance(one.record, Cadre) and not one.deleted
                yield one.key, _indexed(one.record) if is_there and isinstance(one.record, Cadre) else None
            since = page[-1].position


def _indexed(cadre: Cadre) -> IndexedPerson:
    numbers = frozenset(identifier_forms(_numbers(cadre)))
    return IndexedPerson(
        key=cadre.key,
        name=cadre.name,
        sex=cadre.sex.value,
        birth_date=str(cadre.birth_date),
        tier=cadre.tier,
        is_deceased=cadre.deceased_on is not None,
        folded=word_sequence(fold_text(cadre.name)),
        accented=f" {' '.join(accented_words(cadre.name))} ",
        ends=frozenset(one[-_LAST:] for one in numbers),
        numbers=numbers,
        order=vietnamese_name_key(cadre.name),
    )


def _numbers(cadre: Cadre) -> Iterable[str]:
    yield from filter(None, (cadre.national_id, cadre.old_national_id, cadre.phone, *cadre.insurance))


def _as_merged(people: Mapping[str, IndexedPerson], others: Mapping[str, str]) -> Mapping[str, IndexedPerson]:
    changed: dict[str, IndexedPerson] = {}
    for loser, survivor in others.items():
        one, who = people.get(loser), changed.get(survivor) or people.get(survivor)
        if one is not None and who is not None and one.tier < who.tier:
            changed[survivor] = replace(who, tier=one.tier)
    return {**people, **changed} if changed else people


def _fits(one: IndexedPerson, query: SoughtPerson) -> bool:
    # the last word may be typed half: " nguyen van" is the beginning of " nguyen van an "
    if query.words and f" {query.words}" not in one.folded:
        return False
    if query.born and one.birth_date != query.born:
        return False
    if not all(one.birth_date.startswith(year) or year in one.ends for year in query.years):
        return False
    ends = (any(number.endswith(end) for number in one.numbers) for end in query.ends)
    return all(ends) and all(number in one.numbers for number in query.numbers)


def _has_accents(one: IndexedPerson, query: SoughtPerson) -> bool:
    return bool(query.accented) and f" {query.accented}" in one.accented
