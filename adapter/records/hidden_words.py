"""The words that tell of people who must stay hidden, looked for in texts. In memory alone, never written.

The work is that of reading a text once, however many people there are: a word is looked up as the first of
a phrase, a number among all windows of its length. Texts come back (units, measures, advice), so what was
found in them is remembered.
"""

import re
from collections.abc import Iterator

from adapter.bounded_cache import BoundedCache
from adapter.records.sheets.vietnamese_text.readings import legacy_readings
from adapter.text_folding import digit_runs, fold_text, word_sequence

__all__ = ["KEY", "NAME", "NUMBER", "HiddenWords"]

_REMEMBERED = 20_000  # texts
_SHORTEST_NUMBER = 8  # digits
_NOT_DIGIT = re.compile(r"\D")
# Letters of other scripts that look like Latin ones, as they come from keyboards and scanned lists.
_LOOKALIKES = str.maketrans(
    "авеіјкмнорстухАВЕІЈКМНОРСТУХΑΒΕΙΚΜΝΟΡΤΥΧο", "abeijkmhopctyxABEIJKMHOPCTYXABEIKMNOPTYXo"
)


# What of a hidden person a text holds, as bits. Plain numbers: each cell of an import is asked for it.
NAME, KEY = 1, 2
NUMBER = 4  # national, insurance, telephone


class HiddenWords:
    """Names, keys and numbers to look for."""

    def __init__(self) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        self._numbers: set[str] = set()
        self._lengths: set[int] = set()
        self.birth_dates: set[str] = set()  # in ISO form: they tell namesakes apart
        self.known: BoundedCache[str, int] = BoundedCache(_REMEMBERED)  # what was found in texts before

    def __bool__(self) -> bool:
        return bool(self._phrases or self._numbers)

    def add_name(self, name: str) -> None:
        """A person's name, in full and with initials. One syllable alone is a word like any other."""
        parts = _words(name)
        if len(parts) < 2:
            return
        self._add(parts, NAME)
        family, *middle, given = parts
        if middle:
            initials = [one[0] for one in middle]
            self._add([family, *initials, given], NAME)
            self._add([family[0], *initials, given], NAME)

    def add_key(self, key: str) -> None:
        """A person's key, if it is not a word or a small number like any other."""
        parts = _words(key)
        compact = "".join(parts)
        letters = sum(map(str.isalpha, compact))
        digits = len(compact) - letters
        if digits >= 6 or (letters and digits and (letters >= 2 or len(compact) >= 4)):
            self._add(parts, KEY)
            self._add([compact], KEY)

    def add_number(self, number: str) -> None:
        """A national, insurance or telephone number, however it is grouped."""
        digits = _NOT_DIGIT.sub("", number).removeprefix("84").lstrip("0")
        if len(digits) >= _SHORTEST_NUMBER:
            self._numbers.add(digits)
            self._lengths.add(len(digits))
            self._forget()

    def found_in(self, text: str) -> int:
        """What of hidden people stands in the text."""
        found = self.known.get(text)
        return self.known.put(text, self.look(text)) if found is None else found

    def _add(self, phrase: list[str], telling: int) -> None:
        one = (tuple(phrase), telling)
        listed = self._phrases.setdefault(phrase[0], [])
        if one not in listed:
            listed.append(one)
            self._forget()

    def _forget(self) -> None:
        self.known = BoundedCache(_REMEMBERED)

    def look(self, text: str) -> int:
        """The same, and it is not remembered: for what does not come back. What is in the encoding of an old
        font is looked at as it reads too.
        """
        found = self._look(text)
        for read in () if text.isascii() else legacy_readings(text).values():
            found |= self._look(read)
        return found

    def _look(self, text: str) -> int:
        folded = _folded(text)
        words = word_sequence(folded).split()
        found = 0
        for place, word in enumerate(words):
            for phrase, telling in self._phrases.get(word, ()):
                if tuple(words[place : place + len(phrase)]) == phrase:
                    found |= telling
        if self._numbers and any(window in self._numbers for window in self._windows(folded)):
            found |= NUMBER
        return found

    def _windows(self, folded: str) -> Iterator[str]:
        for run in digit_runs(folded):
            for length in self._lengths:
                yield from (run[start : start + length] for start in range(len(run) - length + 1))


def _folded(text: str) -> str:
    return fold_text(text if text.isascii() else text.translate(_LOOKALIKES))


def _words(text: str) -> list[str]:
    return word_sequence(_folded(text)).split()
