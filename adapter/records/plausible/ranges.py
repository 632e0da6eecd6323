"""In which range a measured value of a living person lies: `codes/plausible.csv`, read and applied.

These are no reference ranges: what is outside is hardly ever true, so a person is asked. The first row of a
measure is its own unit's; the others are units that it is confused with, each with the same range.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from adapter.errors import ImportRefused
from adapter.records.plausible.finding import Finding
from adapter.text_folding import unify_letters
from adapter.written_values import unit_apart

__all__ = ["PLAUSIBLE_FILE", "PlausibleRanges", "load_ranges"]

PLAUSIBLE_FILE = "plausible.csv"
_FRACTION = "1"
_DIGITS = r"[-\u2212]?[0-9]+(?:[.,][0-9]+)?"
_NUMBER = re.compile(rf"(?:[<>]=?|[≤≥]|=<|=>|(?:trên|dưới|lớn hơn|nhỏ hơn)\s)?\s*({_DIGITS})")
_RANGE = re.compile(rf"(?:từ\s+)?({_DIGITS})\s*(?:[-\u2013\u2014÷]|\s(?:đến|tới)\s)\s*({_DIGITS})")
_PAIR = re.compile(rf"({_DIGITS})\s*/\s*({_DIGITS})")
_WITH_UNIT = re.compile(rf"((?:[<>]=?|[≤≥])?\s*{_DIGITS})\s*([^\s\d.,;:'°][^\d;:]*(?:\d\S*)?|°[CF])")
_PRESSURE_UNIT = re.compile(r"\s*([cm]m\s?Hg)$", re.IGNORECASE)
_PRESSURE, _PARTS = "VS-BP", ("VS-SBP", "VS-DBP")
_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class _Range:
    """From `low` to `high`, both possible, in the unit as `label` writes it."""

    label: str
    low: float
    high: float

    def holds(self, number: float) -> bool:
        return self.low <= number <= self.high


@dataclass(frozen=True, slots=True)
class _Measure:
    """`ranges` by unit, the measure's own first; `words`: a result in words is usual."""

    ranges: dict[str, _Range]
    words: bool

    @property
    def own(self) -> _Range:
        return next(iter(self.ranges.values()))


class PlausibleRanges:
    """The table. `units` says which UCUM unit a written one means; `numeric` are the measures of which a
    result in words is not usual.
    """

    def __init__(self, measures: Mapping[str, _Measure], units: Mapping[str, str]) -> None:
        self._measures = measures
        self._units = units
        self.empty = not measures
        self.numeric = frozenset((_PRESSURE, *(code for code, one in measures.items() if not one.words)))
        self.finding = lru_cache(_KNOWN)(self._finding)

    def _finding(self, measure: str, value: str, unit: str | None) -> Finding | None:
        """What is wrong with a value as it was written; None where nothing is, or nothing is known."""
        found = self._judge(measure, value, unit)
        return found and replace(found, params={**found.params, "measure": measure})

    def _judge(self, measure: str, value: str, unit: str | None) -> Finding | None:
        if measure == _PRESSURE and _PARTS[0] in self._measures:
            return self._pressure(value, unit)
        known = self._measures.get(measure)
        if known is None:
            return None
        if match := _NUMBER.fullmatch(value):
            return self._outside(known, (match[1],), unit)
        if (apart := unit_apart(value)) and _unit_key(apart[1], self._units) in known.ranges:
            return self._outside(known, apart[:1], apart[1])
        if match := _RANGE.fullmatch(value):
            return self._outside(known, match.groups(), unit)
        if measure in _PARTS and _PAIR.fullmatch(_PRESSURE_UNIT.sub("", value)):
            return Finding("value", "held_pressure_pair")
        if known.words and not re.fullmatch(r"\d+\s*[;:]\s*\d+", value):
            return None
        if (match := _WITH_UNIT.fullmatch(value)) and _unit_key(match[2], self._units) in known.ranges:
            return self._judge(measure, match[1].strip(), match[2])
        text = "held_text" if re.search(r"[^\W\d_]", value) and not re.search(r"\d", value) else "held_words"
        return Finding("value", text, {"unit": known.own.label})

    def _pressure(self, value: str, unit: str | None) -> Finding | None:
        behind = _PRESSURE_UNIT.search(value)
        match = _PAIR.fullmatch(value[: behind.start()] if behind else value)
        if match is None:
            return Finding("value", "held_pressure")
        unit = behind[1] if behind else unit
        numbers = match.groups()
        for part, number in zip(_PARTS, numbers, strict=True):
            if found := self._outside(self._measures[part], (number,), unit):
                return found
        upper, lower = map(_number, numbers)
        return None if upper > lower else Finding("value", "held_pressure_order")

    def _outside(self, known: _Measure, numbers: tuple[str, ...], unit: str | None) -> Finding | None:
        ranges = known.ranges
        range_ = ranges.get(_unit_key(unit, self._units)) if unit else known.own
        if range_ is None:
            if unit and _label(unit) in self._units:
                return None  # a unit of another kind: the mapping says so
            range_ = known.own
        for number in map(_number, numbers):
            if not range_.holds(number):
                return _found(range_, number, [one for one in ranges.values() if one is not range_])
        return None


def _found(range_: _Range, number: float, others: list[_Range]) -> Finding:
    params: dict[str, object] = {
        "low": _plain(range_.low),
        "high": _plain(range_.high),
        "unit": "" if range_.label == _FRACTION else range_.label,
        "number": _plain(number),
    }
    other = next((one for one in others if one.holds(number)), None)
    if other is None:
        return Finding("value", "held_range", params)
    if other.label == _FRACTION:
        return Finding("value", "held_fraction", params)
    return Finding("value", "held_unit", {**params, "other": other.label})


def _plain(number: float) -> str:
    """In the digits that a clerk reads: 2200000, not 2.2e+06."""
    return f"{Decimal(repr(number)).normalize():f}"


def _number(written: str) -> float:
    return float(written.replace(",", ".").replace("\u2212", "-"))


def _label(unit: str) -> str:
    return "".join(unify_letters(unit).replace("\u03bc", "µ").split())


def _unit_key(unit: str, units: Mapping[str, str]) -> str:
    label = _label(unit)
    return units.get(label, label)


def load_ranges(folder: Path) -> PlausibleRanges:
    """The table of a folder of code tables; where it has none, nothing is known of any measure. Raises
    ImportRefused for a bad line.
    """
    file = folder / PLAUSIBLE_FILE
    if not file.is_file():
        return PlausibleRanges({}, {})
    units = _units(folder / "units.csv")
    measures: dict[str, _Measure] = {}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for line, row in enumerate(csv.DictReader(lines), 2):
            try:
                range_ = _range(row)
                known = measures.setdefault(row["code"], _Measure({}, row["words"] == "yes"))
                known.ranges[_unit_key(row["unit"], units)] = range_
            except (KeyError, TypeError, ValueError) as error:
                raise ImportRefused("import.plausible_line", file=file.name, line=line) from error
    return PlausibleRanges(measures, units)


def _range(row: Mapping[str, str]) -> _Range:
    low, high = float(row["low"]), float(row["high"])
    if low > high:
        raise ValueError
    return _Range(row["unit"], low, high)


def _units(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return {_label(row["unit"]): row["ucum"] for row in csv.DictReader(lines) if row.get("ucum")}
