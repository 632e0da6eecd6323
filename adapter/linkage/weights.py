"""What a finding weighs, from the counts that it was met with: among pairs of one person and of two. Pure.

A weight is log2(m / u): m is how often the finding is met in a part that two descriptions of *one* person
have, u how often of *two* people (I. P. Fellegi and A. B. Sunter, "A Theory for Record Linkage", 1969). Where
a token is shared, u is how common that very token is: a rare given name says much, Nguyễn little (W. E.
Winkler, 2000).
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log2
from typing import NamedTuple

__all__ = [
    "Finding",
    "LevelCounts",
    "Point",
    "TokenFrequencies",
    "WeightTable",
    "read_frequencies",
    "read_weights",
    "total_bits",
]

OTHERS = "*"
"""In a table of tokens: all that are not listed, taken together."""

YES = "yes"
_HALF = 0.5  # nothing is impossible because it was not met


class Finding(NamedTuple):
    """What was found where two descriptions have the same part: `level` says how they agree, `token` what
    they share where its frequency counts.
    """

    part: str
    level: str
    token: str = ""


class Point(NamedTuple):
    """A finding with its weight in bits: above 0 it speaks for one person, below for two."""

    part: str
    level: str
    bits: float
    token: str = ""


class LevelCounts(NamedTuple):
    """How often a level was met among pairs of one person (`matches`) and of two (`others`). `by_token`: what
    is shared weighs by its own frequency.
    """

    matches: int
    others: int
    by_token: bool = False


@dataclass(frozen=True, slots=True)
class TokenFrequencies:
    """How often each token is met in one part. What is not listed is as rare as `unlisted` says."""

    counts: Mapping[str, float]
    total: float
    unlisted: float

    def share(self, token: str) -> float:
        """How many of all have it, between 0 and 1."""
        return self.counts.get(token, self.unlisted) / self.total

    @staticmethod
    def of(tokens: Iterable[str]) -> "TokenFrequencies":
        """As they are met in a collection of descriptions."""
        counts: dict[str, float] = {}
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
        return TokenFrequencies(counts, max(sum(counts.values()), 1), 1)


@dataclass(frozen=True, slots=True)
class WeightTable:
    """The weights of one kind of description. `frequencies` are by part."""

    levels: Mapping[tuple[str, str], LevelCounts]
    frequencies: Mapping[str, TokenFrequencies] = field(default_factory=dict)
    _bits: dict[Finding, float] = field(default_factory=dict, compare=False)

    def point(self, finding: Finding) -> Point:
        """What a finding weighs. Raises KeyError for a level that the table has not."""
        bits = self._bits.get(finding)
        if bits is None:
            bits = self._bits[finding] = self._weight(finding)
        return Point(finding.part, finding.level, bits, finding.token)

    def _weight(self, finding: Finding) -> float:
        counts = self.levels[finding.part, finding.level]
        m = self._share(finding.part, counts.matches, 0)
        if counts.by_token and finding.token and finding.part in self.frequencies:
            return log2(m / self.frequencies[finding.part].share(finding.token))
        return log2(m / self._share(finding.part, counts.others, 1))

    def _share(self, part: str, count: int, column: int) -> float:
        listed = [counts[column] for (of, _), counts in self.levels.items() if of == part]
        return (count + _HALF) / (sum(listed) + _HALF * len(listed))


def read_weights(text: str, frequencies: Mapping[str, TokenFrequencies]) -> WeightTable:
    """A table of weights out of CSV: part, level, by_token (yes or no), matches, others."""
    levels = {
        (row["part"], row["level"]): LevelCounts(
            int(row["matches"]), int(row["others"]), row["by_token"] == YES
        )
        for row in csv.DictReader(text.splitlines())
    }
    return WeightTable(levels, frequencies)


def read_frequencies(text: str, kinds: Mapping[str, int]) -> dict[str, TokenFrequencies]:
    """Frequencies by part out of CSV: part, token, count. `kinds`: among how many different tokens those that
    are not listed (the token `*`) are shared out.
    """
    counts: dict[str, dict[str, float]] = {part: {} for part in kinds}
    for row in csv.DictReader(text.splitlines()):
        counts[row["part"]][row["token"]] = float(row["count"])
    found = {}
    for part, mine in counts.items():
        total, others = sum(mine.values()), mine.pop(OTHERS, 1.0)
        found[part] = TokenFrequencies(mine, total, others / kinds[part])
    return found


def total_bits(points: Iterable[Point]) -> float:
    """The points added up: 10 is a thousand times likelier of one person than of two."""
    return sum(point.bits for point in points)
