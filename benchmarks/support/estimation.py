"""Weights without labels: u from pairs of two people drawn at random, m by expectation and maximisation over
the pairs that a blocking finds. As Splink does it, for `benchmarks/matching.py`; the adapter's own weights
are counted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import prod

from adapter.linkage.weights import Finding, LevelCounts

__all__ = ["estimated_levels"]

Pattern = tuple[tuple[str, str], ...]
_ROUNDS = 40
_SCALE = 1_000_000  # shares as counts
_LEAST = 1e-6
_FIRST = {"same": 0.9, "same-day": 0.9}  # a guess from which it starts
_SHARED = ("same",)  # levels at which a token is shared


def estimated_levels(
    random_pairs: Iterable[Sequence[Finding]], blocked_pairs: Iterable[Sequence[Finding]]
) -> dict[tuple[str, str], LevelCounts]:
    """Counts of which `WeightTable` makes m and u, by part and level."""
    patterns = Counter(map(_pattern, blocked_pairs))
    u = _shares(Counter(map(_pattern, random_pairs)), dict.fromkeys(patterns, 1.0))
    known = {one for pattern in patterns for one in pattern} | set(u)
    m = {(part, level): _FIRST.get(level, 0.1) for part, level in known}
    matches = 0.05
    for _ in range(_ROUNDS):
        sure = {pattern: _posterior(pattern, m, u, matches) for pattern in patterns}
        weighed = Counter({pattern: count * sure[pattern] for pattern, count in patterns.items()})
        matches = sum(weighed.values()) / sum(patterns.values())
        m = _shares(weighed, {})
    return {
        (part, level): LevelCounts(
            round(m.get((part, level), 0) * _SCALE), round(u.get((part, level), 0) * _SCALE), level in _SHARED
        )
        for part, level in known
    }


def _pattern(findings: Sequence[Finding]) -> Pattern:
    return tuple((one.part, one.level) for one in findings)


def _posterior(
    pattern: Pattern, m: dict[tuple[str, str], float], u: dict[tuple[str, str], float], matches: float
) -> float:
    of_one = matches * prod(max(m.get(one, 0), _LEAST) for one in pattern)
    of_two = (1 - matches) * prod(max(u.get(one, 0), _LEAST) for one in pattern)
    return of_one / (of_one + of_two)


def _shares(patterns: "Counter[Pattern]", seen: dict[Pattern, float]) -> dict[tuple[str, str], float]:
    """Of all pairs that have a part, how many have it at each level."""
    counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for pattern, count in patterns.items():
        for part, level in pattern:
            counts[part][level] += count
    for pattern in seen:  # what only blocked pairs have is rare, not impossible
        for part, level in pattern:
            counts[part][level] += 0.0
    return {
        (part, level): count / max(sum(levels.values()), 1)
        for part, levels in counts.items()
        for level, count in levels.items()
    }
