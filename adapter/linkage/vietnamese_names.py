"""How a Vietnamese name that is said agrees with one that is recorded, token by token. Pure.

A record has them in one order: family name, middle tokens, given name. Who says one leaves out marks, the
middle or the family name, writes initials, puts the given name first, or mistakes a letter. So a name has
several readings; the likeliest counts (`model.LinkageModel`).
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from adapter.linkage.spelling import one_slip
from adapter.linkage.weights import Finding
from adapter.person_names import marked_parts, name_parts, without_titles
from adapter.text_folding import fold_text

__all__ = ["WEAK_WORDS", "SpokenName", "name_readings", "read_name"]

WEAK_WORDS: Final = frozenset(("van", "thi"))
"""Middle tokens that tell little more than the sex: half of all have one."""

_INITIAL = re.compile(r"[^aeiouy]{1,3}|[aeiouy]")
_SHORTEST_SLIP = 2  # letters of a token in which one may be wrong
_MOST_TOKENS = 7


class SpokenName(NamedTuple):
    """The tokens of a name: plain letters, and as they were written. Both are of one length."""

    letters: tuple[str, ...]
    marked: tuple[str, ...]
    has_marks: bool


@lru_cache(maxsize=12_000)
def read_name(text: str) -> tuple[SpokenName, ...]:
    """The tokens of a name without titles before it (Ông, BS.); and with them where there are any, since Chi
    is a name too. None where it is no name.
    """
    letters = name_parts(text)
    marked = marked_parts(text)
    if len(marked) != len(letters):  # what folds to nothing, or to more
        marked = letters
    bare = without_titles(letters)
    forms = [(bare, marked[len(letters) - len(bare) :])]
    if len(bare) < len(letters):
        forms.append((letters, marked))
    return tuple(
        SpokenName(
            tuple(words[:_MOST_TOKENS]),
            tuple(written[:_MOST_TOKENS]),
            any(fold_text(one) != one for one in written),
        )
        for words, written in forms
        if words
    )


def name_readings(said: str, own: str) -> Iterator[Sequence[Finding]]:
    """The ways to understand what is said as the recorded name; none where either is no name."""
    for mine in read_name(own)[:1]:
        for theirs in read_name(said):
            yield from _readings(theirs, mine)


def _readings(theirs: SpokenName, mine: SpokenName) -> Iterator[Sequence[Finding]]:
    if len(theirs.letters) != len(mine.letters) and "".join(theirs.letters) == "".join(mine.letters):
        theirs = mine  # NguyenVan An
    tokens = list(range(len(theirs.letters)))
    last = len(tokens) - 1
    family = tokens[:1] if last else []
    yield _reading(mine, theirs, "same", family=family, middle=tokens[1:last], given=last)
    if last == 0:
        return
    if len(tokens) < len(mine.letters):  # the family name was left out
        yield _reading(mine, theirs, "same", family=[], middle=tokens[:last], given=last)
    if _level(mine.letters[-1], theirs.letters[0]) not in ("same", "near"):
        return
    # An Nguyễn Văn, and An Văn Nguyễn
    yield _reading(mine, theirs, "turned", family=tokens[1:2], middle=tokens[2:], given=0)
    if last > 1:
        yield _reading(mine, theirs, "turned", family=tokens[last:], middle=tokens[1:last], given=0)


def _reading(
    own: SpokenName, said: SpokenName, order: str, *, family: list[int], middle: list[int], given: int
) -> list[Finding]:
    last = len(own.letters) - 1
    found = []
    if last:
        found.append(_token("family", own, 0, said, family[0] if family else None))
    found.extend(_middle(own, range(1, last), said, middle))
    found.append(_token("given", own, last, said, given))
    found.append(Finding("order", order))
    return found


def _middle(own: SpokenName, mine: range, said: SpokenName, theirs: list[int]) -> Iterator[Finding]:
    left = list(theirs)
    unpaired = []
    for place in mine:
        same = next((one for one in left if said.letters[one] == own.letters[place]), None)
        if same is None:
            unpaired.append(place)
            continue
        left.remove(same)
        yield _token(_middle_part(own.letters[place]), own, place, said, same)
    for place in unpaired:
        near = next((one for one in left if _level(own.letters[place], said.letters[one]) != "other"), None)
        other = near if near is not None else (left[0] if left else None)
        if other is not None:
            left.remove(other)
        yield _token(_middle_part(own.letters[place]), own, place, said, other)
    for one in left:
        yield Finding(_middle_part(said.letters[one]), "more")


def _middle_part(letters: str) -> str:
    return "middle-word" if letters in WEAK_WORDS else "middle"


def _token(part: str, own: SpokenName, place: int, said: SpokenName, other: int | None) -> Finding:
    if other is None:
        return Finding(part, "missing")
    mine, theirs = own.letters[place], said.letters[other]
    level = _level(mine, theirs)
    if level == "same" and own.has_marks and said.has_marks and own.marked[place] != said.marked[other]:
        level = "other-marks"
    return Finding(part, level, mine if level == "same" else "")


@lru_cache(maxsize=50_000)
def _level(mine: str, theirs: str) -> str:
    if mine == theirs or mine.replace("y", "i") == theirs.replace("y", "i"):
        return "same"
    if len(theirs) < len(mine) and mine.startswith(theirs) and _INITIAL.fullmatch(theirs):
        return "initial"
    if min(len(mine), len(theirs)) >= _SHORTEST_SLIP and one_slip(mine, theirs):
        return "near"
    return "other"
