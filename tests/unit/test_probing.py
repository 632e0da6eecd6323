"""The statistics of `make probes`: a difference that is there is found, one that is not is not."""

import random

import pytest
from probing import GROUPS, compare, kolmogorov_smirnov, mann_whitney


def _times(seed: int, count: int, longer: float = 1.0, every: int = 1) -> list[float]:
    """As an endpoint's: most about 10 ms, some much longer; each so-many-th is longer by a factor."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    drawn = (
        0.01 * chance.lognormvariate(0, 0.15) * (4 if chance.random() < 0.05 else 1) for _ in range(count)
    )
    return [one * (longer if place % every == 0 else 1) for place, one in enumerate(drawn)]


def test_both_are_what_the_textbook_says() -> None:
    # Mann and Whitney (1947): all of one before all of the other; by hand: U = 0, mean 12.5, variance 22.917
    larger, chance = mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    assert (larger, chance) == (0.0, pytest.approx(0.00902, abs=1e-4))
    assert mann_whitney([1, 1, 1], [1, 1, 1]) == (0.5, 1.0)
    assert mann_whitney([1, 2, 2, 3], [1, 2, 2, 3]) == (0.5, pytest.approx(1.0))
    assert kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6])[0] == 0.5
    # the limit distribution's 5 % point is 1.358
    one, other = list(range(10_000)), [value + 192.05 for value in range(10_000)]
    assert kolmogorov_smirnov(one, other)[1] == pytest.approx(0.05, abs=0.003)
    assert kolmogorov_smirnov(one, one) == (0.0, 1.0)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("longer", "every"), [(1.06, 1), (1.5, 5)])
def test_a_planted_difference_is_found(group: str, longer: float, every: int) -> None:
    drawn = {name: _times(place, 667) for place, name in enumerate(GROUPS)}
    drawn[group] = _times(9, 667, longer, every)
    found = compare({"the answer": drawn, "the next request": {name: _times(7, 667) for name in GROUPS}})
    assert len(found.differ) == 2
    assert all(group in one for one in found.differ)
    assert str(found).count("THEY DIFFER") == 2


def test_where_there_is_none_one_is_seldom_found() -> None:
    rounds = [
        compare(
            {"the answer": {name: _times(100 * number + place, 300) for place, name in enumerate(GROUPS)}}
        )
        for number in range(60)
    ]
    assert sum(bool(one.differ) for one in rounds) <= 3
