"""The same thing wrong in many rows, said once: 300 rows of 'Kinh' in one column are one line.

Bounded, however bad the file is. Each row with its reason is in the rejects file.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from adapter.records.importing.cell_problem import CellProblem
from adapter.texts import say

__all__ = ["ProblemGroup", "ProblemGroups"]

_GROUPS = 500
_VALUES = 200  # told apart in one group
_SHOWN = 3
_VARYING = frozenset(("number", "read", "sheet", "row", "age"))  # params that each cell has of its own


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """All cells of a column that are wrong in the same way. `examples`: the most frequent values, how often,
    and a row; `others` counts the other values that were told apart.
    """

    first: CellProblem
    count: int
    examples: tuple[tuple[str, int, int], ...]
    others: int

    def __str__(self) -> str:
        if self.count == 1:
            return str(self.first)
        shown = ", ".join(
            say("import.group_value", value=value, count=count, row=row)
            for value, count, row in self.examples
            if value
        )
        if not shown:
            shown = say("import.group_row", row=self.first.row)
        if self.others:
            shown = say("import.group_others", shown=shown, count=self.others)
        return say(
            f"import.group_{_outcome(self.first)}",
            sheet=self.first.sheet,
            column=self.first.column,
            count=self.count,
            expected=self.first.expected,
            shown=shown,
        )

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "source": self.first.source,
            "sheet": self.first.sheet,
            "column": self.first.column,
            "expected": self.first.expected,
            "count": self.count,
            "examples": [{"value": value, "count": count, "row": row} for value, count, row in self.examples],
            "other_values": self.others,
        }


def _outcome(cell: CellProblem) -> str:
    word = cell.text.partition("_")[0]
    return word if word in ("held", "noted") else "refused"


@dataclass(slots=True)
class _Group:
    first: CellProblem
    count: int = 0
    values: Counter[str] = field(default_factory=Counter)
    rows: dict[str, int] = field(default_factory=dict)

    def add(self, cell: CellProblem) -> None:
        self.count += 1
        if cell.value in self.rows or len(self.rows) < _VALUES:
            self.values[cell.value] += 1
            self.rows.setdefault(cell.value, cell.row)

    def frozen(self) -> ProblemGroup:
        common = self.values.most_common(_SHOWN)
        examples = tuple((value, count, self.rows[value]) for value, count in common)
        return ProblemGroup(self.first, self.count, examples, len(self.values) - len(examples))


class ProblemGroups:
    """Gathers cells by sheet, column and what is wrong; `ungrouped` counts those that found no place."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Any, ...], _Group] = {}
        self.ungrouped = 0

    def add(self, cell: CellProblem) -> None:
        """One more cell."""
        same = tuple((name, str(value)) for name, value in cell.params.items() if name not in _VARYING)
        place = (cell.source, cell.sheet, cell.column, cell.text, same)
        group = self._groups.get(place)
        if group is None:
            if len(self._groups) >= _GROUPS:
                self.ungrouped += 1
                return
            group = self._groups[place] = _Group(cell)
        group.add(cell)

    def groups(self) -> tuple[ProblemGroup, ...]:
        """What was gathered, in the order in which each was first met."""
        return tuple(group.frozen() for group in self._groups.values())
