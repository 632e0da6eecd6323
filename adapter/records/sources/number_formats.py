"""What a number format shows of a number, as far as its meaning goes: a per cent sign multiplies by 100
(ECMA-376-1, 18.8.30 and 18.8.31). Pure. Digits are not rounded: a cell holds more than it shows.
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from adapter.records.sheets.cell_parsers import CellValue, number_text

__all__ = ["BUILT_IN_PERCENT", "CellMark", "PercentFormat", "PercentSection", "mark_cells", "percent_format"]

BUILT_IN_PERCENT = {9: "0%", 10: "0.00%"}
_PART = re.compile(r'"[^"]*"?|\\.?|[_*].?|\[([^\]]*)\]?|([;%])|.', re.DOTALL)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")
_TESTS = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}


@dataclass(slots=True)
class PercentSection:
    """One of the sections of a format: how many per cent signs it shows, for which numbers."""

    signs: int = 0
    condition: tuple[str, float] | None = None

    def meets(self, value: float) -> bool:
        """Whether the section's own condition holds."""
        return self.condition is not None and _TESTS[self.condition[0]](value, self.condition[1])


@dataclass(frozen=True, slots=True)
class PercentFormat:
    """A format of which at least one section shows per cent."""

    sections: tuple[PercentSection, ...]

    def shown(self, value: CellValue) -> CellValue:
        """A number as its section shows it: 0.065 is "6.5%". What is no number, or shown as it is, stays."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        signs = self._section(value).signs
        if not signs:
            return value
        number = Decimal(number_text(value)).scaleb(2 * signs)
        return f"{number.normalize() if number else Decimal(0):f}{'%' * signs}"

    def _section(self, value: float) -> PercentSection:
        first, *others = self.sections
        if not others:
            return first
        if any(one.condition for one in self.sections):
            met = next((one for one in self.sections[:3] if one.meets(value)), None)
            return met or self._without_condition(value)
        if value < 0:
            return others[0]
        return others[1] if value == 0 and len(others) > 1 else first

    def _without_condition(self, value: float) -> PercentSection:
        """The section for what meets no condition."""
        free = [one for one in self.sections[:3] if one.condition is None]
        if len(free) > 1:
            return free[0] if value < 0 else free[-1]
        return free[0] if free else self.sections[-1]


@lru_cache(maxsize=2_000)
def percent_format(code: str) -> PercentFormat | None:
    """The format of that code; None where no section of it shows per cent. A sign that is quoted or escaped
    is text, and multiplies nothing.
    """
    if "%" not in code:
        return None
    sections = [PercentSection()]
    for match in _PART.finditer(code):
        if match[2] == ";":
            sections.append(PercentSection())
        elif match[2] == "%":
            sections[-1].signs += 1
        elif match[1] and (found := _CONDITION.fullmatch(match[1].strip())):
            sections[-1].condition = found[1], float(found[2])
    return PercentFormat(tuple(sections)) if any(one.signs for one in sections[:3]) else None


CellMark = str | PercentFormat
"""What is to be known of a cell besides its value: the error it holds, or how its number is shown."""


def mark_cells(cells: list[CellValue], marks: Mapping[int, CellMark]) -> None:
    """Put into a row what its marks say; `marks` by column, from 0."""
    for place, mark in marks.items():
        if isinstance(mark, str):
            cells.extend([""] * (place + 1 - len(cells)))
            cells[place] = mark
        elif place < len(cells):
            cells[place] = mark.shown(cells[place])
