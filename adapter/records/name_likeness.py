"""Whether a name beside somebody's key can be that person's, as clerks write names. Pure.

Unlike `person_names`, which must not confirm a stranger, this must not take a spelling for one: marks,
capitals, titles, the order of the parts, initials and what is left out in the middle make no other person.
"""

import re
from collections import Counter
from enum import StrEnum
from functools import lru_cache

from adapter.linkage.spelling import one_slip
from adapter.person_names import without_titles
from adapter.records.sheets.vietnamese_text.readings import legacy_readings
from adapter.text_folding import fold_text

__all__ = ["NameLikeness", "name_likeness"]

_NOT_LETTERS = re.compile(r"[\W\d_]+")
_NOTE = re.compile(r"\([^)]*\)")  # (nghỉ hưu)
_CONSONANTS = re.compile(r"[^aeiou]{1,4}")
_SHORTEST = 6  # letters of a name in which one may be wrong


class NameLikeness(StrEnum):
    """`SAME` however it is spelt, `NEAR`: perhaps a slip, `OTHER`: somebody else's."""

    SAME = "same"
    NEAR = "near"
    OTHER = "other"


@lru_cache(maxsize=20_000)
def name_likeness(written: str, own: str) -> NameLikeness | None:
    """How like a person's `own` name what is written is; None where either is no name."""
    mine = _parts(own)
    if not mine:
        return None
    found = [one for text in (written, *legacy_readings(written).values()) if (one := _like(text, mine))]
    return min(found, key=list(NameLikeness).index, default=None)


def _like(written: str, own: list[str]) -> NameLikeness | None:
    said = _parts(written)
    if not said:
        return None
    forms = [(one, other) for one in _forms(said) for other in _forms(own)]
    if any(_is_same(one, other) for one, other in forms):
        return NameLikeness.SAME
    if len(said) == 1 and len(own) > 1:  # a given name, or a word like any other
        return NameLikeness.NEAR
    return NameLikeness.NEAR if any(_is_near(one, other) for one, other in forms) else NameLikeness.OTHER


def _is_same(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other) or sorted(one) == sorted(other):
        return True
    short, long = sorted((one, other), key=len)
    if len(one) == 1 and one[0] == other[-1]:
        return True
    has_ends = len(short) > 1 and {long[0], long[-1]} <= set(short)
    return (has_ends and not Counter(short) - Counter(long)) or _abbreviates(one, other)


def _is_near(one: list[str], other: list[str]) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) > 1 and not Counter(short) - Counter(long):
        return True
    first, second = "".join(one), "".join(other)
    return min(len(first), len(second)) >= _SHORTEST and one_slip(first, second)


def _abbreviates(one: list[str], other: list[str]) -> bool:
    """Whether one is the other with initials: Ng. Th. Hoa, N.V. An, NV An."""
    if one[-1] != other[-1]:
        return False
    for parts in (one, [*(letter for part in one[:-1] for letter in part), one[-1]]):
        if len(parts) == len(other) and all(
            said == meant or ((_CONSONANTS.fullmatch(said) or len(said) == 1) and meant.startswith(said))
            for said, meant in zip(parts, other, strict=True)
        ):
            return True
    return False


def _forms(parts: list[str]) -> list[list[str]]:
    """With and without what may be a title (Ông is a family name too); y and i are one
    letter (Lý and Lí).
    """
    bare = without_titles(parts)
    return [[part.replace("y", "i") for part in one] for one in (parts, bare)]


def _parts(name: str) -> list[str]:
    """The words, without what is no letter or in brackets."""
    return [part for part in _NOT_LETTERS.split(fold_text(_NOTE.sub(" ", name))) if part]
