"""How far two spellings are apart. Pure."""

from functools import lru_cache

__all__ = ["one_slip", "similarity"]

_LONGEST_PREFIX = 4
_PREFIX_WEIGHT = 0.1


def one_slip(first: str, second: str) -> bool:
    """Whether one letter is another one, missing, too many, or changed places with its neighbour."""
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    one, other = first[start:], second[start:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return one[1:] == other[1:] or one[1:] == other or one == other[1:] or swapped


@lru_cache(maxsize=50_000)
def similarity(first: str, second: str) -> float:
    """Winkler's similarity, from 0 (nothing in common) to 1 (the same): letters in common not far apart, a
    common beginning counting more (W. E. Winkler, 1990).
    """
    if first == second:
        return 1.0
    reach = max(max(len(first), len(second)) // 2 - 1, 0)
    taken = [False] * len(second)
    mine = []
    for place, letter in enumerate(first):
        for other in range(max(0, place - reach), min(len(second), place + reach + 1)):
            if not taken[other] and second[other] == letter:
                taken[other] = True
                mine.append(letter)
                break
    if not mine:
        return 0.0
    theirs = [letter for letter, is_taken in zip(second, taken, strict=True) if is_taken]
    moved = sum(one != other for one, other in zip(mine, theirs, strict=True)) / 2
    common = len(mine)
    jaro = (common / len(first) + common / len(second) + (common - moved) / common) / 3
    prefix = 0
    while prefix < min(_LONGEST_PREFIX, len(first), len(second)) and first[prefix] == second[prefix]:
        prefix += 1
    return jaro + prefix * _PREFIX_WEIGHT * (1 - jaro)
