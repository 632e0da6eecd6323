"""Which figures outsiders may not see, so that nobody works out a small one from what is shown.

Pure. A table is *atoms*, disjoint groups of people or visits, and *figures*, each the sum of some atoms.
Whoever reads the figures that are shown knows that no atom is negative; by a linear programme he works out
between what a sum must lie. What counts one to four is kept back so that this range is five wide at least.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

__all__ = ["FigureTable", "is_small", "possible_range"]

SMALLEST = 5
Parts = Collection[str]


def is_small(count: int) -> bool:
    """Whether a figure may not be shown to outsiders for itself."""
    return 0 < count < SMALLEST


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A table of what is counted. `guarded` sums are printed nowhere and kept back like figures; `known` ones
    are printed nowhere and known all the same.
    """

    atoms: Mapping[str, int]
    figures: Mapping[str, frozenset[str]]
    guarded: Mapping[str, frozenset[str]] = field(default_factory=dict)
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def hidden(self) -> frozenset[str]:
        """The names of the figures to keep back: small ones, then others until all that is small is safe, of
        few atoms and people first, less those that turn out not to be needed, totals first.
        """
        kept = {name for name, parts in self.figures.items() if is_small(self._count(parts))}
        order = sorted(self.figures, key=lambda name: self._weight(self.figures[name]))
        for parts in self._delicate():
            if self._is_safe(parts, kept):
                continue
            left = [name for name in order if name not in kept]
            enough = bisect_left(
                range(len(left)), True, key=lambda at: self._is_safe(parts, {*kept, *left[:at]})
            )
            more = left[:enough]
            for name in reversed(more[:-1]):
                less = [one for one in more if one != name]
                more = less if self._is_safe(parts, {*kept, *less}) else more
            kept.update(more)
        return frozenset(kept)

    def _delicate(self) -> Iterator[frozenset[str]]:
        atoms = (frozenset((name,)) for name in self.atoms)
        seen = dict.fromkeys((*self.figures.values(), *self.guarded.values(), *atoms))
        return (parts for parts in seen if is_small(self._count(parts)))

    def _weight(self, parts: frozenset[str]) -> tuple[bool, int, int]:
        """Zeros last: they say least."""
        count = self._count(parts)
        return not count, len(parts), count

    def _is_safe(self, parts: frozenset[str], kept: Parts) -> bool:
        shown = [these for name, these in self.figures.items() if name not in kept]
        seen = [(these, self._count(these)) for these in (*shown, *self.known.values())]
        least, most = possible_range(tuple(self.atoms), seen, parts)
        return most is None or most - least >= SMALLEST

    def _count(self, parts: Parts) -> int:
        return sum(self.atoms[part] for part in parts)


def possible_range(
    atoms: Parts, seen: Sequence[tuple[frozenset[str], int]], wanted: Parts
) -> tuple[Fraction, Fraction | None]:
    """The least and the most that the sum of the atoms in `wanted` can be, going by the sums that are seen;
    the most is None where nothing bounds it. Raises ValueError where the sums contradict each other.
    """
    names = list(atoms)
    tableau = _Tableau(names, dict.fromkeys(seen))
    most = tableau.greatest([int(name in wanted) for name in names])
    least = tableau.greatest([-int(name in wanted) for name in names])
    return -(least or Fraction(0)), most


class _Tableau:
    """The simplex method in whole fractions, by Bland's rule, which ends. A column for each atom and one for
    the sum; rows are the sums that are seen.
    """

    def __init__(self, names: Sequence[str], seen: Collection[tuple[frozenset[str], int]]) -> None:
        self._width = len(names)
        rows: list[list[Fraction]] = []
        for parts, count in seen:
            rows.append([Fraction(name in parts) for name in names] + [Fraction(count)])
        self._rows = rows
        self._basis: list[int | None] = [None] * len(rows)  # None: what is still missing of this row's sum
        missing = [-sum(column) for column in zip(*rows, strict=True)] or [Fraction(0)] * (self._width + 1)
        if self._improve(missing):
            raise ValueError("figures contradict")
        for row, basic in enumerate(self._basis):
            if basic is None:
                at = next((at for at in range(self._width) if self._rows[row][at]), None)
                if at is not None:
                    self._pivot(row, at)
        kept = [
            row for row, basic in enumerate(self._basis) if basic is not None
        ]  # the others say nothing new
        self._rows, self._basis = [self._rows[row] for row in kept], [self._basis[row] for row in kept]

    def greatest(self, weights: Sequence[int]) -> Fraction | None:
        """The most that the weighted sum can be; None without a bound."""
        costs = [Fraction(-weight) for weight in weights] + [Fraction(0)]
        for row, basic in enumerate(self._basis):
            if basic is not None and costs[basic]:
                costs = _less(costs, costs[basic], self._rows[row])
        return self._improve(costs)

    def _improve(self, costs: list[Fraction]) -> Fraction | None:
        while (at := next((at for at in range(self._width) if costs[at] < 0), None)) is not None:
            ratios = [
                (line[-1] / line[at], -1 if (basic := self._basis[row]) is None else basic, row)
                for row, line in enumerate(self._rows)
                if line[at] > 0
            ]
            if not ratios:
                return None
            row = min(ratios)[2]
            self._pivot(row, at)
            costs = _less(costs, costs[at], self._rows[row])
        return costs[-1]

    def _pivot(self, row: int, at: int) -> None:
        scale = self._rows[row][at]
        pivot = self._rows[row] = [value / scale for value in self._rows[row]]
        for other, line in enumerate(self._rows):
            if other != row and line[at]:
                self._rows[other] = _less(line, line[at], pivot)
        self._basis[row] = at


def _less(line: Sequence[Fraction], factor: Fraction, pivot: Sequence[Fraction]) -> list[Fraction]:
    return [value - factor * other if other else value for value, other in zip(line, pivot, strict=True)]
