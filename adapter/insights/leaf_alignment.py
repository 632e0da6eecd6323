"""One resource before and after a stage: which leaf of it is which leaf of what it was (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.fhir.paths import Path, leaf_values

__all__ = ["AlignedLeaf", "align_leaves"]


@dataclass(frozen=True, slots=True)
class AlignedLeaf:
    """A leaf after the stage. `before` is where it was, None where there was nothing; `same` its value."""

    path: Path
    before: Path | None
    same: bool


def align_leaves(before: Any, after: Any, was: Path | None = (), path: Path = ()) -> Iterator[AlignedLeaf]:
    """Every leaf of `after`, in order. Items of a list that went away shift those behind them."""
    if isinstance(after, dict):
        known = before if isinstance(before, dict) else {}
        for name, part in after.items():
            place = (*was, name) if was is not None and name in known else None
            yield from align_leaves(known.get(name), part, place, (*path, name))
    elif isinstance(after, list):
        places = _paired(before if isinstance(before, list) else [], after)
        for index, (part, found) in enumerate(zip(after, places, strict=True)):
            place = (*was, found) if was is not None and found is not None else None
            yield from align_leaves(None if found is None else before[found], part, place, (*path, index))
    else:
        is_leaf = was is not None and not isinstance(before, dict | list)
        yield AlignedLeaf(path, was if is_leaf else None, is_leaf and before == after)


def _paired(before: list[Any], after: list[Any]) -> list[int | None]:
    """For each item where it was: the next equal one, else the next that has a leaf in common."""
    places: list[int | None] = []
    start = 0
    for item in after:
        rest = range(start, len(before))
        found = next((at for at in rest if before[at] == item), None)
        if found is None:
            leaves = set(map(str, leaf_values(item)))
            found = next((at for at in rest if leaves & set(map(str, leaf_values(before[at])))), None)
        start = start if found is None else found + 1
        places.append(found)
    return places
