"""A person's own words, in the forms in which they turn up in free text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from adapter.disclosure.personal_numbers import birth_date_pattern
from adapter.text_folding import accented_words, digit_runs, fold_text, word_sequence

__all__ = ["IdentifyingTerms", "PositionTerm"]

_TITLES = frozenset(("ông", "bà", "anh", "chị", "bác", "cô", "chú", "cụ", "đc", "chí", "bn", "nhân"))
_BARE_TITLES = frozenset(fold_text(title) for title in _TITLES)
_SHORTENED = (
    (r"\bpct\b", "pho chu tich"),
    (r"\bct\b", "chu tich"),
    (r"\bpgd\b", "pho giam doc"),
    (r"\bgd\b", "giam doc"),
    (r"\bpbt\b", "pho bi thu"),
    (r"\bbt\b", "bi thu"),
    (r"\buv\b", "uy vien"),
    (r"\bubnd\b", "uy ban nhan dan"),
    (r"\bhdnd\b", "hoi dong nhan dan"),
    (r"\bbch\b", "ban chap hanh"),
    (r"\bbtv\b", "ban thuong vu"),
    (r"\btp\b", "truong phong"),
    (r"\btuv\b", "tinh uy vien"),
    (r"\bduv\b", "dang uy vien"),
    (r"\buvtv\b", "uy vien thuong vu"),
    (r"\buvbtv\b", "uy vien ban thuong vu"),
    (r"\buvbch\b", "uy vien ban chap hanh"),
    (r"\buvtw\b", "uy vien trung uong"),
    (r"\buvbct\b", "uy vien bo chinh tri"),
    (r"\btw\b", "trung uong"),
    (r"\bql\b", "quan ly"),
    (r"\bdbqh\b", "dai bieu quoc hoi"),
    (r"\bmttq\b", "mat tran to quoc"),
)
_ABBREVIATED = re.compile("|".join(short for short, _ in _SHORTENED))
_LONG = {short.replace("\\b", ""): full for short, full in _SHORTENED}


def expand_abbreviations(in_words: str) -> str:
    """Folded words with the usual abbreviations of offices written out."""
    return _ABBREVIATED.sub(lambda found: _LONG[found[0]], in_words)


@dataclass(frozen=True)
class PositionTerm:
    """A position, found however it is spelt or shortened."""

    text: str

    @cached_property
    def words(self) -> str:
        """As folded words, empty when too short to look for."""
        found = expand_abbreviations(word_sequence(fold_text(self.text)))
        return found if len(found) > 5 else ""


@dataclass(frozen=True)
class IdentifyingTerms:
    """What a pseudonym hides. `numbers` are national numbers, insurance numbers, telephone and key."""

    name: str
    numbers: tuple[str, ...] = ()
    address: str | None = None
    born: date | None = None

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        """Words of the name, address and numbers as they are written, each between spaces."""
        found = {word_sequence(fold_text(one)) for one in (*self.numbers, *self._names(), *self._addresses())}
        return tuple(sorted(one for one in found if len(one) > 5))

    @cached_property
    def digits(self) -> tuple[str, ...]:
        """Digits of the numbers; a telephone's and an old number's nine are enough."""
        found = {re.sub(r"\D", "", one).removeprefix("84").lstrip("0") for one in self.numbers}
        return tuple(sorted(one for one in found if len(one) >= 8))

    @cached_property
    def _parts(self) -> list[str]:
        return word_sequence(fold_text(self.name)).split()

    def _names(self) -> Iterable[str]:
        family, *middle, given = self._parts if len(self._parts) > 1 else ("", *(self._parts or ("",)))
        yield self.name
        if family and middle:
            initials = [one[0] for one in middle]
            yield " ".join((family, *initials, given))
            yield " ".join((family[0], *initials, given))

    def _addresses(self) -> Iterable[str]:
        if self.address:
            first = self.address.split(",")[0]
            yield self.address
            if len(first.split()) >= 3 and any(sign.isdigit() for sign in first):
                yield first
                yield re.sub(r"^(?:so|so nha|nha)\s+", "", fold_text(first))

    def has_title_and_name(self, text: str, in_words: str) -> bool:
        """Whether a title and the given name stand together ("Ông Hưng", "anh Trần Q. Hưng")."""
        given = self._parts[-1] if self._parts else ""
        if not given or f" {given} " not in in_words:
            return False
        written = accented_words(text)
        titles = _BARE_TITLES if text.isascii() else _TITLES
        known = {*self._parts, *(part[0] for part in self._parts)}
        for place, word in enumerate(written):
            if word not in titles:
                continue
            for following in written[place + 1 : place + 5]:
                folded = fold_text(following)
                if folded == given:
                    return True
                if folded not in known:
                    break
        return False

    @cached_property
    def _born(self) -> re.Pattern[str] | None:
        return birth_date_pattern(self.born) if self.born else None

    def has_birth_date(self, folded: str) -> bool:
        """Whether the text tells more of the birth date than its year."""
        return self._born is not None and self._born.search(folded) is not None

    def has_number(self, folded: str) -> bool:
        """Whether one of the numbers stands in the text, however its digits are grouped."""
        return any(number in run for run in digit_runs(folded) for number in self.digits)
