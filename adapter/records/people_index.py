"""Who is meant by a part of a name, a year of birth or the end of a number: looked for in memory, since a
folded part of a name has no index in a database (`FollowedRecords`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from adapter.person_names import vietnamese_name_key
from adapter.records.followed_records import FollowedRecords
from adapter.records.model import Cadre, Record, Tier
from adapter.records.serialisation import identifier_forms, normalise_identifier
from adapter.text_folding import accented_words, fold_text, word_sequence

if TYPE_CHECKING:
    from adapter.records.store import RecordStore

__all__ = ["IndexedPerson", "PeopleIndex", "PeopleView", "SoughtPerson", "sought_person"]

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
    """What somebody typed: `words` of the name (folded, one after the other, the last of them perhaps half
    unless they are `whole`), each of `years` is a year of birth or the end of a number, `ends` are ends of
    numbers, `numbers` whole ones, `born` a day (ISO).
    """

    words: str = ""
    accented: str = ""
    years: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    born: str = ""
    whole: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked for."""
        return not (self.words or self.years or self.ends or self.numbers or self.born)


def sought_person(typed: str, *, whole: bool = False) -> SoughtPerson:
    """Reads what was typed: "tran an 1948", "4821", "02/05/1948", a whole number, spaced or not. Digits
    too few to say anything are left out.
    """
    date = _DATE.search(typed)
    born = f"{date[3]}-{int(date[2]):02}-{int(date[1]):02}" if date else ""
    rest = _DATE.sub(" ", typed)
    if _NUMBER.fullmatch(number := normalise_identifier(rest)):
        return SoughtPerson(numbers=(number,), born=born)
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
        whole=whole,
    )


class PeopleView:
    """Everybody as the records were at one time, and who was merged into whom. Of who was merged into another
    the strictest tier of both holds, as everywhere.
    """

    def __init__(self, people: Mapping[str, IndexedPerson], survivors: Mapping[str, str]) -> None:
        self._made_of = people
        self._people = _as_merged(people, survivors)
        self._survivors = survivors

    def is_of(self, people: Mapping[str, IndexedPerson], survivors: Mapping[str, str]) -> bool:
        """Whether it is made of just these."""
        return self._made_of is people and self._survivors == survivors

    @cached_property
    def _by_name(self) -> Sequence[IndexedPerson]:
        return sorted(self._people.values(), key=_name_order)

    def find(self, query: SoughtPerson) -> Sequence[IndexedPerson]:
        """Everybody who fits, those first whose name has the very accents that were typed, else by name. Who
        is somebody else since a merge leads to whom. Nobody of an empty query.
        """
        if query.is_empty:
            return []
        # " nguyen van" is the beginning of " nguyen van an "
        words = f" {query.words}" if query.words else ""
        words += " " if words and query.whole else ""
        found = [one for one in self._by_name if words in one.folded]
        if query.years or query.ends or query.numbers or query.born:
            found = [one for one in found if _fits(one, query)]
        found = self._survivors_among(found)
        typed = f" {query.accented}"
        first = [one for one in found if typed in one.accented] if query.accented else found
        return (
            first if len(first) == len(found) else first + [one for one in found if typed not in one.accented]
        )

    def meant(self, typed: str, *, whole: bool = False) -> Sequence[IndexedPerson]:
        """Whom somebody means by a key, which is nobody else's, or else by what `sought_person` reads."""
        by_key = self.get(typed.strip())
        return [by_key] if by_key is not None else self.find(sought_person(typed, whole=whole))

    def _survivors_among(self, found: list[IndexedPerson]) -> list[IndexedPerson]:
        if not self._survivors or not any(one.key in self._survivors for one in found):
            return found
        keys = dict.fromkeys(self._survivors.get(one.key, one.key) for one in found)
        return sorted((self._people[key] for key in keys if key in self._people), key=_name_order)

    def get(self, key: str) -> IndexedPerson | None:
        """Who has that key now, if need be whom he was merged into."""
        return self._people.get(self._survivors.get(key, key))

    @cached_property
    def everybody(self) -> Sequence[IndexedPerson]:
        """All of them by name, without those who are somebody else since a merge."""
        return [one for one in self._by_name if one.key not in self._survivors]


class PeopleIndex:
    """Everybody in the records, in memory. Threads may ask at once."""

    def __init__(self, records: "RecordStore") -> None:
        self._records = records
        self._followed = FollowedRecords(records, Cadre.kind, _indexed_record)
        self._view: tuple[object, PeopleView] = (None, PeopleView({}, {}))

    def view(self) -> PeopleView:
        """As the records are now. Whoever asks for several people looks at one view."""
        followed = self._followed.current()
        made_of, view = self._view
        if made_of is not followed:
            survivors = {one.loser: one.survivor for one in self._records.merges.list()}
            if not view.is_of(followed.by_key, survivors):
                view = PeopleView(followed.by_key, survivors)
            self._view = followed, view
        return view

    def find(self, query: SoughtPerson) -> Sequence[IndexedPerson]:
        """Who fits now (`PeopleView.find`)."""
        return self.view().find(query)

    def get(self, key: str) -> IndexedPerson | None:
        """Who has that key now (`PeopleView.get`)."""
        return self.view().get(key)

    def everybody(self) -> Sequence[IndexedPerson]:
        """All of them by name (`PeopleView.everybody`)."""
        return self.view().everybody


def _indexed_record(one: Record) -> IndexedPerson | None:
    return _indexed(one) if isinstance(one, Cadre) else None


def _name_order(one: IndexedPerson) -> tuple[tuple[tuple[str, str], ...], str]:
    return one.order, one.key


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
    if query.born and one.birth_date != query.born:
        return False
    if not all(one.birth_date.startswith(year) or year in one.ends for year in query.years):
        return False
    ends = (any(number.endswith(end) for number in one.numbers) for end in query.ends)
    return all(ends) and all(one.numbers & identifier_forms([number]) for number in query.numbers)
