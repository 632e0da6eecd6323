"""Whom a person at the command line means: by key, by number, or by name with or without accents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from adapter.pipeline.application import Adapter
from adapter.records.model import Cadre
from adapter.records.serialisation import normalise_identifier
from adapter.text_folding import fold_text, word_sequence

__all__ = ["FoundPerson", "find_people", "found_person"]

_SHORTEST_NUMBER = 9  # an old identity number; anything shorter is a part of a key or a name


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """As much of somebody as tells whether it is the one who is meant."""

    key: str
    name: str
    sex: str
    birth_date: str


def find_people(adapter: Adapter, words: str) -> Sequence[FoundPerson]:
    """Everybody who may be meant, by key alone where there is that key: nobody is guessed. All words of a
    name must be in it, one after the other.
    """
    records = adapter.records
    if records.stored_record(Cadre.kind, words) is not None:
        keys = [records.merges.survivor(words)]
        people = [one for key in keys if isinstance(one := records.get(Cadre.kind, key), Cadre)]
        if people:
            return [found_person(one) for one in people]
    number = normalise_identifier(words)
    if len(number) >= _SHORTEST_NUMBER and any(sign.isdigit() for sign in number):
        numbered = (records.get(Cadre.kind, key) for key in records.cadres_by_identifier(number))
        if found := [found_person(one) for one in numbered if isinstance(one, Cadre)]:
            return found
    return [found_person(one) for one in _named(adapter, words)]


def _named(adapter: Adapter, words: str) -> Iterator[Cadre]:
    wanted = word_sequence(fold_text(words))
    if not wanted.strip():
        return
    merged = {one.loser for one in adapter.records.merges.list()}
    for one in adapter.records.iterate(Cadre.kind):
        cadre = cast(Cadre, one)
        if cadre.key not in merged and wanted in word_sequence(fold_text(cadre.name)):
            yield cadre


def found_person(cadre: Cadre) -> FoundPerson:
    """The person as a list names him."""
    return FoundPerson(cadre.key, cadre.name, cadre.sex, str(cadre.birth_date))
