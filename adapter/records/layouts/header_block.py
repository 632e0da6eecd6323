"""Which rows of a table are its header: one, or two of which the upper is merged over the lower. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from adapter.records.layouts.raw_table import MergedRange, NumberedRow
from adapter.records.layouts.titles import join_titles, title_of

__all__ = ["HeaderBlock", "find_header_block", "header_blocks"]

HEADER_WITHIN = 30  # rows that are not empty
T = TypeVar("T")
Recognise = Callable[[str], T | None]  # what a header means; None: nothing


@dataclass(frozen=True)
class HeaderBlock:
    """The header: `rows` of them in the file, from 1. Each column's `titles` are what it may be called, the
    way to write it first; `spans` are the places that the merged header at their left covers too.
    """

    rows: tuple[int, ...]
    cells: tuple[tuple[str, ...], ...]
    titles: tuple[tuple[str, ...], ...]
    spans: frozenset[int] = frozenset()

    def title(self, place: int) -> str:
        """The header of a column as it would be written in one row."""
        return self.titles[place][0] if place < len(self.titles) else ""


def find_header_block(
    top: Sequence[NumberedRow], merged: Sequence[MergedRange], recognise: Recognise[T]
) -> tuple[HeaderBlock, int]:
    """The header among the first rows, and how many columns of it are known. Where rows have the same
    number the first wins, and one row over two.
    """
    blocks = header_blocks(top, merged)
    best, known = (blocks[0] if blocks else HeaderBlock((), (), ())), 0
    for block in blocks:
        # Rows of data have no more cells than the header: they need no look at what each may mean.
        if sum(map(any, block.titles)) > known and (count := _known(block, recognise)) > known:
            best, known = block, count
    return best, known


def header_blocks(top: Sequence[NumberedRow], merged: Sequence[MergedRange]) -> list[HeaderBlock]:
    """All that may be the header: each of the first rows, then each two that may be one."""
    pairs = (_pair(upper, lower, merged) for upper, lower in pairwise(top[:HEADER_WITHIN]))
    return [
        *(_single(row, merged) for row in top[:HEADER_WITHIN]),
        *(pair for pair in pairs if pair is not None),
    ]


def _known(block: HeaderBlock, recognise: Recognise[T]) -> int:
    found = (next(filter(None, map(recognise, names)), None) for names in block.titles)
    return len({one for one in found if one is not None})


def _single(row: NumberedRow, merged: Sequence[MergedRange]) -> HeaderBlock:
    number, cells = row
    titles = tuple(title_of(cell) for cell in cells)
    spans = {
        place
        for (first, left), (last, right) in merged
        if first <= number - 1 <= last and left < len(titles) and titles[left]
        for place in range(left + 1, right + 1)
    }
    return HeaderBlock((number,), (titles,), tuple((title,) for title in titles), frozenset(spans))


def _pair(upper: NumberedRow, lower: NumberedRow, merged: Sequence[MergedRange]) -> HeaderBlock | None:
    """Two rows as one header, if merged cells or empty ones say that they are."""
    if lower[0] != upper[0] + 1 or any(
        not isinstance(cell, str) and cell is not None for cell in (*upper[1], *lower[1])
    ):
        return None
    over, below = ([title_of(cell) for cell in row[1]] for row in (upper, lower))
    width = max(len(over), len(below))
    over += [""] * (width - len(over))
    below += [""] * (width - len(below))
    spans = _spread(over, below, upper[0] - 1, merged)
    if not spans and not any(a and not b for a, b in zip(over, below, strict=True)):
        return None  # nothing says that they belong together
    titles = tuple(tuple(join_titles(a, b)) for a, b in zip(over, below, strict=True))
    covered = frozenset(place for place in spans if not below[place])
    return HeaderBlock((upper[0], lower[0]), (tuple(over), tuple(below)), titles, covered)


def _spread(over: list[str], below: list[str], row: int, merged: Sequence[MergedRange]) -> set[int]:
    """Write a merged heading over all the columns that it covers; where the file knows no merged cells, over
    those that have a header of their own below it and none above.
    """
    covered: set[int] = set()
    for (first, left), (last, right) in merged:
        if first <= row <= last and left < len(over) and over[left]:
            for place in range(left + 1, min(right + 1, len(over))):
                over[place] = over[left]
                covered.add(place)
    if not merged:
        for place in range(1, len(over)):
            if not over[place] and below[place] and below[place - 1]:
                over[place] = over[place - 1]
                covered.add(place)
    return covered
