"""Nobody is linked by chance: strangers and spoilt descriptions, of centres with namesakes and twins.

A small one of `benchmarks/matching.py`, whose bar is the same at 60,000 strangers a centre.
"""

from random import Random

import pytest
from linkage_directory import Directory, about, about_a_stranger, matched
from linkage_people import people, stranger

from adapter.inbox.matching import CertainMatch, Unmatched

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_stranger_is_linked(seed: int) -> None:
    directory, random = Directory(people(seed, 300)), Random(f"{seed}/strangers")  # noqa: S311 - seeded
    for _ in range(1_000):
        one = stranger(random, directory.everybody)
        match = matched(about_a_stranger(random, one, directory), directory)
        assert isinstance(match, Unmatched), (one, match)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_linked_of_spoilt_descriptions_is_right(seed: int) -> None:
    everybody, random = people(seed, 300), Random(f"{seed}/spoilt")  # noqa: S311 - seeded
    directory, linked = Directory(everybody), 0
    for _ in range(500):
        place = random.randrange(len(everybody))
        resources, said = about(random, place, everybody[place])
        match = matched(resources, directory)
        if isinstance(match, CertainMatch):
            assert match.cadre == f"CB-{place}", (said, match)
            linked += 1
    assert linked > 150


def test_a_witness_links_and_a_placeholder_is_none() -> None:
    everybody, random = people(1, 50), Random(1)  # noqa: S311 - seeded
    directory = Directory(everybody)
    one = everybody[7]
    for _ in range(200):
        (report, patient), _ = about(random, 7, one)
        patient |= {"name": [{"text": one.name}], "birthDate": one.born.isoformat(), "gender": one.sex}
        numbers = {identifier["value"] for identifier in patient["identifier"]}
        witness = "basedOn" in report or one.number in numbers or any(len(value) == 32 for value in numbers)
        match = matched((report, patient), directory)
        if witness:
            assert match.cadre == "CB-7" if isinstance(match, CertainMatch) else False, (report, patient)
        else:
            assert isinstance(match, Unmatched)
            if numbers & {"000000000000", "999999999", "123456789", "111111111111"}:
                assert match.reasons == ("name-and-birth-date-only",)
