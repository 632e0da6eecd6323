"""Who of an import must stay hidden: T0 people, and whoever is one of them. In memory alone.

They are looked for before anything else is read, since a row that tells of them may stand before theirs.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

from adapter.person_names import bare_name
from adapter.records.erased_names import ErasedNames
from adapter.records.hidden_words import KEY, NAME, HiddenWords
from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.importing.row_reader import ImportContext, RowReader
from adapter.records.model import Cadre
from adapter.records.serialisation import identifier_forms, person_identifiers
from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text, parse_date
from adapter.records.sheets.columns import HeaderRow, find_header_row
from adapter.records.sheets.key_space import KEY_SPACE_MARK
from adapter.records.sheets.tab import Tab
from adapter.records.sheets.vietnamese_text.readings import legacy_readings
from adapter.text_folding import fold_text

__all__ = [
    "CONCEALED",
    "HEADER_WITHIN",
    "HiddenPeople",
    "HiddenRow",
    "PersonWords",
    "find_hidden_people",
    "open_rows",
]

_LISTED = re.compile('[";,]+')  # between names: one alone may be in the encoding of an old font
CONCEALED = "-"  # stands for what tells of a hidden person
HEADER_WITHIN = 10  # rows that are not empty
T = TypeVar("T")
_NUMBERS = ("national_id", "old_national_id", "insurance")
_SHORTEST_NUMBER = 8  # characters; a shorter one is a slip that many share


@dataclass(frozen=True, slots=True)
class PersonWords:
    """What a row of the cadre sheet says about who it is, as it is written."""

    key: str
    name: str
    birth_date: str
    numbers: frozenset[str]
    phone: str
    readings: tuple[str, ...] = ()  # what a name says that is in the encoding of an old font

    @staticmethod
    def of(reader: RowReader, cells: list[CellValue]) -> "PersonWords":
        """Out of a row's cells, whether they can be read or not."""
        return PersonWords.written(lambda field: reader.written(cells, field))

    @staticmethod
    def written(cell: Callable[[str], str]) -> "PersonWords":
        """Out of the cells of a person's fields."""
        numbers = identifier_forms(
            part for field in _NUMBERS for part in cell(field).replace(",", ";").split(";")
        )
        return PersonWords(
            key=cell("key"),
            name=fold_text(cell("name")),
            birth_date=_day(cell("birth_date")),
            numbers=frozenset(one for one in numbers if len(one) >= _SHORTEST_NUMBER),
            phone=cell("phone"),
            readings=tuple(legacy_readings(cell("name")).values()),
        )

    @staticmethod
    def of_stored(cadre: Cadre) -> "PersonWords":
        """Out of a stored record."""
        name, numbers = fold_text(cadre.name), person_identifiers(cadre)
        return PersonWords(cadre.key, name, str(cadre.birth_date), frozenset(numbers), cadre.phone or "")


@dataclass(frozen=True, slots=True)
class HiddenRow:
    """A row that says T0, and where it stands."""

    person: PersonWords
    sheet: str
    number: int


def _day(written: str) -> str:
    try:
        return str(parse_date(written)) if written else ""
    except CellError:
        return written


class HiddenPeople:
    """T0 people of an import, and those who were erased as such and come back. `erased` None: nobody was.
    Of `admitted` (keys) a person said that they are not T0 any more.
    """

    def __init__(self, erased: ErasedNames | None = None, admitted: Collection[str] = ()) -> None:
        self.words = HiddenWords()
        self._erased = erased
        self._admitted = frozenset(admitted)
        self._keys: set[str] = set()
        self.called: set[str] = set()  # keys of those whom other sheets than those of people call T0
        self._numbers: dict[str, set[tuple[str, str]]] = {}  # -> name and birth date of who has it
        self._numbers_of: dict[str, set[str]] = {}  # key -> those of its row
        self._same: set[tuple[str, str]] = set()
        self._namesakes: set[str] = set()
        self._names: set[str] = set()  # without marks, titles and order
        self.rows: list[HiddenRow] = []  # of T0 people, in the sheets of people
        self.beside: list[PersonWords] = []  # who has a T0 person's key in a row that does not say so

    def __bool__(self) -> bool:
        """Whether there is anybody to hide."""
        return bool(self._keys or self._numbers or self.words)

    @property
    def numbers(self) -> Collection[str]:
        """National and insurance numbers of the hidden, in normal form."""
        return self._numbers.keys()

    def add(self, person: PersonWords) -> None:
        """Hide this person."""
        if person.key:
            self._keys.add(person.key.casefold())
            self.words.add_key(person.key)
            self._numbers_of.setdefault(person.key.casefold(), set()).update(person.numbers)
        for number in person.numbers:
            self._numbers.setdefault(number, set()).add((person.name, person.birth_date))
            self.words.add_number(number)
        for name in (person.name, *person.readings):
            self.words.add_name(name)
            self._names.update(filter(None, (bare_name(name),)))
        self.words.add_number(person.phone)
        if person.birth_date:
            self.words.birth_dates.add(person.birth_date)
        if person.name and person.birth_date:
            self._same.add((person.name, person.birth_date))

    def add_called(self, person: PersonWords, key_space: str) -> None:
        """Hide this person, whom another sheet than those of people calls T0."""
        self.add(person)
        if person.key:
            self.called.add(f"{person.key}{key_space}")

    def has_key(self, key: str | None) -> bool:
        """Whether a hidden person has this key."""
        return key is not None and key.partition(KEY_SPACE_MARK)[0].casefold() in self._keys

    def is_same_person(self, person: PersonWords) -> bool:
        """Whether somebody with another key is one of the hidden: a number and the name or birth date."""
        return any(
            (person.name and person.name == name) or (person.birth_date and person.birth_date == birth_date)
            for number in person.numbers
            for name, birth_date in self._numbers.get(number, ())
        )

    def resembles(self, person: PersonWords) -> bool:
        """Whether somebody may be one of the hidden: a number is theirs, or name and birth date are."""
        return (person.name, person.birth_date) in self._same or not person.numbers.isdisjoint(self._numbers)

    def was_erased(self, person: PersonWords) -> bool:
        """Whether the person was erased as T0 before, and nobody has said that this is over."""
        if self._erased is None:
            return False
        if person.key in self._admitted:
            self._erased.forget([person.key], person.numbers)
            return False
        return self._erased.holds_any((person.key,), person.numbers)

    def erased_key(self, key: str) -> bool:
        """Whether a person with this key was erased as T0 before."""
        return self._erased is not None and key not in self._admitted and self._erased.holds_any((key,))

    def remember(self, key: str, numbers: Collection[str]) -> None:
        """Somebody was erased, with these numbers or those of the T0 row: an older file must not bring this
        person back.
        """
        if self._erased is not None:
            self._erased.add([key], self._numbers_of.get(key.casefold(), set()).union(numbers))

    def remember_numbers(self, numbers: Collection[str]) -> None:
        """Somebody who had these numbers, under a key that is another's now, was erased."""
        if self._erased is not None:
            self._erased.add((), numbers)

    def remember_sent(self, sent: Collection[str]) -> None:
        """Under these names hospitals know who was erased; they may go on sending."""
        if self._erased is not None:
            self._erased.add((), (), sent)

    def add_namesake(self, person: PersonWords) -> None:
        """Remember somebody else with a hidden person's name: it is in this one's texts by right."""
        if self.words.found_in(person.name) & NAME:
            self._namesakes.add(person.key.casefold())

    def telling_field(self, kind: str, row: ParsedRow, fields: Sequence[str]) -> str | None:
        """The first of a row's fields that tells of a hidden person."""
        for field in fields:
            said = _own_part(row.fields) if field == "key" else row.fields.get(field)
            if told := self._told(field, said):
                owner = row.key if kind == "cadre" else row.fields.get("cadre")
                if told != NAME or owner is None or owner.casefold() not in self._namesakes:
                    return field
        return None

    def telling_loss(self, row: ParsedRow, cell: Callable[[str], str]) -> str | None:
        """The first of the fields that were left out of a row whose `cell` tells of a hidden person."""
        lost = row.remarks.lost if row.remarks else ()
        return next((field for field in lost if self.words.found_in(cell(field))), None)

    def telling_fields(self, rows: Iterable[ParsedRow], fields: Iterable[str]) -> list[str]:
        """Those of the fields in which any row tells of a hidden person. Each text is looked at once."""
        read = [row.fields for row in rows]
        telling = []
        for field in fields:
            said = {_own_part(one) for one in read} if field == "key" else {one.get(field) for one in read}
            if any(self._told(field, one) for one in said):
                telling.append(field)
        return telling

    def _told(self, field: str, said: str | Iterable[str] | None) -> int:
        told = 0
        for text in (said,) if isinstance(said, str) else said or ():
            told |= self.words.found_in(text)
        return told & ~KEY if field == "key" else told  # two people's keys may differ by a hyphen alone

    def told_of(self, text: str) -> int:
        """What of hidden people stands in a text that says who somebody is (see `HiddenWords`): of a name in
        any order of its parts.
        """
        return self.words.found_in(text) | (NAME if self._names and bare_name(text) in self._names else 0)

    def is_told_of(self, *texts: CellValue) -> bool:
        """Whether any of these cells, titles or names tells of a hidden person."""
        return any(self.words.found_in(text) for text in map(cell_text, texts) if text)

    def shown(self, text: T) -> T | str:
        """What may be said of names, headings and other texts of a file: they, where they tell of nobody."""
        parts = (text, *_LISTED.split(text)) if isinstance(text, str) and self else ()
        return CONCEALED if any(self.words.found_in(one) for one in parts) else text


def _own_part(values: Mapping[str, Any]) -> str:
    """A row's key without what it begins with, which is looked at by itself."""
    return str(values.get("key", "")).removeprefix(values.get("visit") or values.get("cadre") or "")


def open_rows(
    tab: Tab, rows: Iterator[tuple[int, list[CellValue]]], *, complete: bool = True
) -> tuple[HeaderRow, list[CellValue], Iterator[tuple[int, list[CellValue]]]] | None:
    """The header row of a tab as it is understood and as it is written, and the rows after it. None for an
    empty tab. Raises ImportRefused for one without the sheet's columns, if it is to be `complete`.
    """
    top = list(islice(rows, HEADER_WITHIN))
    if not top:
        return None
    place = find_header_row(tab.sheet, [cells for _, cells in top])
    number, header = top[place]
    return (
        HeaderRow(tab.sheet, header, source=tab.source, number=number, complete=complete),
        header,
        chain(top[place + 1 :], rows),
    )


def find_hidden_people(
    tabs: Sequence[Tab],
    context: ImportContext,
    hidden: HiddenPeople,
    note: Callable[[], None],
    *,
    complete: bool = True,
) -> None:
    """Read the people of all tabs ahead; `note` is called for each who was erased before and comes back.
    Raises ImportRefused for a tab that is not `complete`, if it is to be.
    """
    for said in _called_t0(tabs):
        hidden.add_called(PersonWords.written(partial(_said, said)), context.key_space)
    of_people = [tab for tab in tabs if tab.sheet.kind == "cadre"]
    for tab in of_people:
        for number, reader, cells in _people(tab, context, complete):
            if reader.is_refused(cells):
                hidden.add(person := PersonWords.of(reader, cells))
                hidden.rows.append(HiddenRow(person, tab.title, number))
            elif hidden.was_erased(person := PersonWords.of(reader, cells)):
                hidden.add(person)
                note()
    for tab in of_people if hidden else ():
        _find_same_people(tab, context, hidden, complete=complete)


def _find_same_people(tab: Tab, context: ImportContext, hidden: HiddenPeople, *, complete: bool) -> None:
    """Whoever is one of the hidden, or has a key or name of theirs, in a row that does not say so."""
    for _, reader, cells in _people(tab, context, complete):
        person = PersonWords.of(reader, cells)
        if reader.is_refused(cells):
            continue
        if hidden.has_key(person.key):
            hidden.beside.append(person)
        elif hidden.is_same_person(person):
            hidden.add(person)
        else:
            hidden.add_namesake(person)


def _called_t0(tabs: Sequence[Tab]) -> Iterator[Mapping[str, str]]:
    """Whom other sheets than those of people call T0."""
    for tab in tabs:
        if tab.hidden_people is not None:
            yield from tab.hidden_people(tab)
            tab.done = 0


def _said(said: Mapping[str, str], field: str) -> str:
    return said.get(field, "")


def _people(
    tab: Tab, context: ImportContext, complete: bool
) -> Iterator[tuple[int, RowReader, list[CellValue]]]:
    opened = open_rows(tab, tab.read_ahead(), complete=complete)
    if opened is None:
        return
    headers, _, rows = opened
    reader = RowReader(tab.sheet, headers, context)
    for number, cells in rows:
        yield number, reader, cells
