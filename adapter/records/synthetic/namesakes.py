"""People of the sample who are easily taken for each other: namesakes of one year, twins, a father and his
son.

They are made of people who are there already, by name and day of birth alone: how many there are, their sex,
year, tier and all that was found of them stays, and so do the figures of the sample.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from adapter.records.synthetic.people import FictitiousPerson

__all__ = ["alike"]

_FIRST, _EVERY = 300, 60  # the first of them, and one of how many; a small sample has none
_FURTHEST = 250  # how far back somebody is looked for
_GENERATION = 20  # years

PersonAt = Callable[[int], FictitiousPerson]


def alike(index: int, person: FictitiousPerson, at: PersonAt) -> FictitiousPerson:
    """The person number `index`, perhaps made like somebody before; `at` gives the people as they were drawn.
    Nobody of T0 has a namesake: a search for one finds that person or nothing.
    """
    turn, left = divmod(index - _FIRST, _EVERY)
    if turn < 0 or left or person.tier == "T0":
        return person
    make = (_namesake, _twin, _son)[turn % 3]
    made = (make(person, other) for other in _before(index, at) if other.tier != "T0")
    return next((one for one in made if one is not None), person)


def _before(index: int, at: PersonAt) -> Iterator[FictitiousPerson]:
    for place in range(index - 1, max(index - _FURTHEST, 0), -1):
        if place < _FIRST or (place - _FIRST) % _EVERY:  # else that one is made like somebody
            yield at(place)


def _namesake(person: FictitiousPerson, other: FictitiousPerson) -> FictitiousPerson | None:
    """Of the same name, sex and year of birth: only the day tells them apart, or a number."""
    if (other.male, other.born.year) != (person.male, person.born.year) or other.born == person.born:
        return None
    return replace(person, name=other.name)


def _twin(person: FictitiousPerson, other: FictitiousPerson) -> FictitiousPerson | None:
    """Born on the same day, and all of the name alike but the last."""
    if (other.male, other.born.year) != (person.male, person.born.year):
        return None
    *names, given = other.name.title().split()
    own = person.name.title().split()[-1]
    return None if own in (given, *names) else replace(person, name=" ".join((*names, own)), born=other.born)


def _son(person: FictitiousPerson, other: FictitiousPerson) -> FictitiousPerson | None:
    """A man and one a generation older, of one name."""
    if not (person.male and other.male) or abs(other.born.year - person.born.year) < _GENERATION:
        return None
    return replace(person, name=other.name)
