"""Results in words as laboratories spell them: case, missing accents, spaces, points, decomposed letters."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from adapter.text_folding import unify_letters

__all__ = ["Spelling", "Spellings", "fold_spelling"]

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write the result `code`; `only` names the measures that have it, all when empty."""

    text: str
    code: str
    only: frozenset[str] = frozenset()


class Spellings:
    """Finds the code of a result in words. What could mean two results has no code."""

    def __init__(self, known: Iterable[Spelling] = ()) -> None:
        self._exact: dict[str, list[Spelling]] = {}
        self._bare: dict[str, list[tuple[str, Spelling]]] = {}
        for one in known:
            text = fold_spelling(one.text)
            self._exact.setdefault(text, []).append(one)
            self._bare.setdefault(_bare(text), []).append((text, one))

    def find(self, value: str, measure: str) -> str | None:
        """The code for a measure's result; None when no spelling fits. Accents may be missing ("am tinh")
        but none may be wrong: "đường" is not "dương".
        """
        text = fold_spelling(value)
        exact = [one for one in self._exact.get(text, ()) if not one.only or measure in one.only]
        if exact:
            return max(exact, key=lambda one: bool(one.only)).code  # a measure's own word goes first
        candidates = self._bare.get(_bare(text), ())
        codes = {
            one.code
            for spelled, one in candidates
            if (not one.only or measure in one.only) and _lacks_marks_only(text, spelled)
        }
        return codes.pop() if len(codes) == 1 else None


def fold_spelling(text: str) -> str:
    """NFKC, without case, white space and points at the end; one kind of dash."""
    folded = unicodedata.normalize("NFKC", unify_letters(text)).casefold().translate(_DASHES)
    joined = "".join(folded.split())
    return joined.rstrip(".,;:!") or joined


def _bare(text: str) -> str:
    return "".join(_parts(letter)[0] for letter in text)


def _lacks_marks_only(text: str, spelled: str) -> bool:
    """Whether each letter is that of the spelling, or that with fewer marks."""
    return len(text) == len(spelled) and all(
        _parts(mine)[1] <= _parts(theirs)[1] for mine, theirs in zip(text, spelled, strict=True)
    )


def _parts(letter: str) -> tuple[str, frozenset[str]]:
    """A letter without its marks, and the marks; the bar of đ is one."""
    if letter == "đ":
        return "d", frozenset("đ")
    parts = unicodedata.normalize("NFD", letter)
    return parts[0], frozenset(parts[1:])
