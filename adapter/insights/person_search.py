"""Whom a person at the command line means: looked for as the console does (`PeopleView.meant`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.pipeline.application import Adapter
from adapter.records.model import Cadre

__all__ = ["FoundPerson", "find_people", "found_person"]


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """As much of somebody as tells whether it is the one who is meant."""

    key: str
    name: str
    sex: str
    birth_date: str


def find_people(adapter: Adapter, words: str) -> Sequence[FoundPerson]:
    """Everybody who may be meant, by key alone where there is that key: nobody is guessed. All words of a
    name must be whole and in it, one after the other; else as the console looks for people.
    """
    found = adapter.people_index.view().meant(words, whole=True)
    return [FoundPerson(one.key, one.name, one.sex, one.birth_date) for one in found]


def found_person(cadre: Cadre) -> FoundPerson:
    """The person as a list names him."""
    return FoundPerson(cadre.key, cadre.name, cadre.sex, str(cadre.birth_date))
