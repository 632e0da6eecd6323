"""The sample year has people who are easily taken for each other, and is otherwise as it was drawn."""

from dataclasses import replace
from itertools import combinations

import pytest

from adapter.person_names import name_parts
from adapter.records.synthetic.people import FictitiousPerson, make_person
from adapter.records.synthetic.plan import SamplePlan


def _sample(seed: int, count: int) -> tuple[list[FictitiousPerson], list[FictitiousPerson]]:
    """As they are, and as they were drawn."""
    people = [person for _, person in SamplePlan(seed, count).people()]
    return people, [make_person(seed, place, one.tier, 2026) for place, one in enumerate(people)]


@pytest.mark.parametrize("seed", [1, 7, 2026])
def test_the_year_has_namesakes_twins_and_fathers_with_sons(seed: int) -> None:
    people, drawn = _sample(seed, 934)
    made = {now.key for now, was in zip(people, drawn, strict=True) if now != was}
    assert 5 <= len(made) <= 11
    kinds = set()
    for one, other in combinations(people, 2):
        if not made & {one.key, other.key}:
            continue
        names, others = name_parts(one.name), name_parts(other.name)
        if names == others and one.born.year == other.born.year:
            kinds.add("namesakes")
        if names[:-1] == others[:-1] and names != others and one.born == other.born:
            kinds.add("twins")
        if names == others and one.male and other.male and abs(one.born.year - other.born.year) >= 20:
            kinds.add("father and son")
    assert kinds == {"namesakes", "twins", "father and son"}
    assert len({(*name_parts(one.name), one.born) for one in people}) == len(people)


@pytest.mark.parametrize("seed", [1, 7, 2026])
def test_nothing_else_of_anybody_is_changed(seed: int) -> None:
    for now, was in zip(*_sample(seed, 934), strict=True):
        assert replace(now, name=was.name, born=was.born) == was
        assert now.born.year == was.born.year
        assert now.tier != "T0" or now == was


def test_a_small_sample_has_none() -> None:
    people, drawn = _sample(1, 200)
    assert people == drawn
