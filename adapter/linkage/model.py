"""Comparisons of parts of a description, and their points. Knows no language and no field. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.linkage.birth_dates import compare_dates
from adapter.linkage.spelling import one_slip, similarity
from adapter.linkage.weights import Finding, Point, WeightTable, total_bits

__all__ = ["Comparison", "Description", "LinkageModel", "Reading", "date_comparison", "text_comparison"]

Description = Mapping[str, str]
"""What is said of one person, by the name of the field; what is not known is left out or empty."""

Reading = Sequence[Finding]

Comparison = Callable[[Description, Description], Iterable[Reading]]
"""Compares what two descriptions have of one part; each reading is one way to understand them, of which the
likeliest counts. None at all where either says nothing: what is missing speaks for nothing.
"""

_NEAR: Final = 0.92
_LIKE: Final = 0.8


@dataclass(frozen=True, slots=True)
class LinkageModel:
    """What is compared, and what it weighs. Parts are taken as independent of each other."""

    comparisons: tuple[Comparison, ...]
    weights: WeightTable

    def points(self, said: Description, own: Description) -> tuple[Point, ...]:
        """What speaks for one person and against, in the order of the comparisons."""
        found: list[Point] = []
        for compare in self.comparisons:
            found.extend(self.likeliest(compare(said, own)))
        return tuple(found)

    def likeliest(self, readings: Iterable[Reading]) -> tuple[Point, ...]:
        """The points of the reading that speaks most for one person."""
        weighed = [tuple(map(self.weights.point, reading)) for reading in readings]
        return max(weighed, key=total_bits, default=())


def text_comparison(field: str, *, exact: bool = False) -> Comparison:
    """Compares a field letter by letter: same, near (a slip), like, other; with `exact` near is one sign that
    is another, missing or too many, as in numbers.
    """

    def compare(said: Description, own: Description) -> Iterable[Reading]:
        one, other = said.get(field, ""), own.get(field, "")
        if not one or not other:
            return []
        return [(_compared(field, one, other, exact=exact),)]

    return compare


def _compared(field: str, one: str, other: str, *, exact: bool) -> Finding:
    if one == other:
        return Finding(field, "same", one)
    if exact:
        return Finding(field, "near" if one_slip(one, other) else "other")
    likeness = similarity(one, other)
    return Finding(field, "near" if likeness >= _NEAR else "like" if likeness >= _LIKE else "other")


def date_comparison(field: str) -> Comparison:
    """Compares days, months or years (ISO 8601), as far as both say them."""

    def compare(said: Description, own: Description) -> Iterable[Reading]:
        level = compare_dates(said.get(field, ""), own.get(field, ""))
        return [(Finding(field, level),)] if level else []

    return compare
