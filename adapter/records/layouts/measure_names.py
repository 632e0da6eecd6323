"""Which measure of the code table a name or a header means, and in which unit: "Creatinin (µmol/L)". Pure.

A name that two measures have is none: the unit decides between them, or nobody does.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.vietnamese_text.readings import all_readings
from adapter.text_folding import unify_letters

__all__ = ["MeasureNames", "MeasureTitle", "NamedMeasure"]


@dataclass(frozen=True, slots=True)
class NamedMeasure:
    """A measure of the code table: its code, its names in Vietnamese and English, its usual unit or ""."""

    code: str
    vi: str
    en: str
    unit: str


@dataclass(frozen=True, slots=True)
class MeasureTitle:
    """What a header means; `unit` as it is written there, "" where it says none."""

    code: str
    unit: str


_BRACKETS = re.compile(r"^(.*?)\s*[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")
_BEHIND = re.compile(r"^(.*?)(?:\s*[,;:/]\s+|\s+)([^\s,;]+)$")
_SHORT = re.compile(r"[A-Za-z][A-Za-z0-9\-]{1,6}")
_MICRO = str.maketrans("\u03bc", "\u00b5")


class MeasureNames:
    """The measures by what they are called. `words` are a centre's own names of measures, by code."""

    def __init__(
        self,
        measures: Iterable[NamedMeasure],
        units: Iterable[str] = (),
        words: Mapping[str, str] | None = None,
    ) -> None:
        self.measures = {one.code: one for one in measures}
        self._units = {_fold_unit(unit) for unit in units}
        self._units |= {_fold_unit(one.unit) for one in self.measures.values() if one.unit}
        self._codes = {_fold(code): code for code in self.measures}
        self._own = {_fold(word): code for word, code in (words or {}).items() if code in self.measures}
        self._exact = _by_name((one.vi, one.code) for one in self.measures.values())
        self._others = _by_name(
            (name, one.code) for one in self.measures.values() for name in _other_names(one)
        )
        self.find = lru_cache(maxsize=5_000)(self._find_in_any_font)

    def knows_unit(self, text: str) -> bool:
        """Whether the text is a unit of the tables, in any case and with either micro sign."""
        return _fold_unit(text) in self._units

    def is_exact(self, title: str) -> bool:
        """Whether a header is the code or the whole name of one measure, in whatever unit."""
        return any(map(self._is_exact, all_readings(title)))

    def _is_exact(self, title: str) -> bool:
        match = _BRACKETS.match(cell_text(title))
        names = [title, match[1]] if match and self.knows_unit(match[2]) else [title]
        return any(
            key in self._codes or key in self._own or len(self._exact.get(key, ())) == 1
            for key in map(_fold, names)
        )

    def candidates(self, title: str) -> list[str]:
        """Codes that a header may mean, the likeliest first: to ask a person with."""
        name = _fold(_BRACKETS.sub(r"\1", title)) or _fold(title)
        known = {**self._others, **self._exact}
        close = [name] if name in known else get_close_matches(name, known, 3, 0.7)
        within = [
            one
            for one in known
            if (len(name) > 2 and one.startswith(name)) or (len(name) > 4 and one.endswith(name))
        ]
        return list(dict.fromkeys(code for one in (*close, *within) for code in sorted(known[one])))[:5]

    def _find_in_any_font(self, title: str) -> MeasureTitle | None:
        return next(filter(None, map(self._find, all_readings(title))), None)

    def _find(self, title: str) -> MeasureTitle | None:
        """The one measure that a header or a name means; None: none, or more than one."""
        written = cell_text(title)
        match = _BRACKETS.match(written)
        if match and match[1] in self.measures:
            return MeasureTitle(match[1], match[2])  # a code, and what stands behind it can only be a unit
        unit = match[2] if match and self.knows_unit(match[2]) else ""
        if code := self._named(written, ""):
            return MeasureTitle(code, unit)
        for pattern in (_BRACKETS, _BEHIND):
            if (match := pattern.match(written)) and self.knows_unit(match[2]):
                code = self._named(match[1], match[2])
                return MeasureTitle(code, match[2]) if code else None
        return None

    def _named(self, name: str, unit: str) -> str | None:
        key = _fold(name)
        if not key:
            return None
        if own := self._codes.get(key) or self._own.get(key):
            return own
        exact, others = self._exact.get(key, frozenset()), self._others.get(key, frozenset())
        if unit:
            wanted = _fold_unit(unit)
            both = [one for one in exact | others if _fold_unit(self.measures[one].unit) == wanted]
            if len(both) == 1:
                return both[0]
            exact, others = (
                frozenset(one for one in some if self.measures[one].unit) for some in (exact, others)
            )
        if len(exact) == 1:
            return next(iter(exact))
        if exact or len(others) != 1 or self._is_in_another(key, next(iter(others))):
            return None
        return next(iter(others))

    def _is_in_another(self, key: str, code: str) -> bool:
        """Whether other measures' names begin or end so too: "Protein" is blood's or urine's, and so is
        "Hồng cầu", which is urine's dipstick or the count of "Số lượng hồng cầu".
        """
        return any(
            (name.startswith(key) or (names is self._exact and name.endswith(key))) and codes - {code}
            for names in (self._exact, self._others)
            for name, codes in names.items()
        )


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, code in pairs:
        if key := _fold(name):
            found[key].add(code)
    return {name: frozenset(codes) for name, codes in found.items()}


def _other_names(measure: NamedMeasure) -> Iterator[str]:
    """The English name, and either half of "AST (GOT)"."""
    yield measure.en
    if match := _BRACKETS.match(measure.vi):
        yield match[1]
        if _SHORT.fullmatch(match[2]):
            yield match[2]


def _fold(name: str) -> str:
    """As other labels, but "Lympho (%)" and "Lympho" stay two."""
    return fold_label(name.replace("%", " percent ").replace("#", " number "))


def _fold_unit(unit: str) -> str:
    return "".join(unify_letters(unit).translate(_MICRO).casefold().split()).removeprefix("đv:")
