"""The same thing wrong in many rows, said once: 300 rows of 'Kinh' in one column are one line. What is a rule
of the whole sheet, as what parts thousands is, is one line for all its columns.

Bounded, however bad the file is. Each row with its reason is in the rejects file.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from adapter.records.importing.cell_problem import CellProblem
from adapter.records.sheets.field_labels import plain_number
from adapter.texts import say

__all__ = ["ProblemGroup", "ProblemGroups"]

_GROUPS = 500
_VALUES = 200  # told apart in one group
_SHOWN = 3
_ROWS = 100  # numbers that are kept of one group
_VARYING = frozenset(
    ("number", "read", "other", "sheet", "row", "age", "line")
)  # params that each cell has of its own
_RULES = frozenset(("held_separator", "noted_separator_range", "noted_separator_file"))
_TWICE = "expect_once"
_COLUMNS = 6  # named of those that a rule was used for


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """All cells of a column, or of several that a rule of the sheet was used for, that are wrong in the same
    way. `examples`: the most frequent values, how often, and a row; `others` counts the other values that
    were told apart. `rows`: the numbers of the first rows.
    """

    first: CellProblem
    count: int
    examples: tuple[tuple[str, int, int], ...]
    others: int
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.count == 1:
            return str(self.first)
        shown = ", ".join(
            say("import.group_value", value=value, count=count, row=row)
            for value, count, row in self.examples
            if value
        )
        if not shown:  # they are in no rejects file: who corrects them must find them
            more = ", …" if self.count > len(self.rows) else ""
            shown = say("import.group_rows", rows=", ".join(map(str, self.rows)) + more)
        if self.others:
            shown = say("import.group_others", shown=shown, count=self.others)
        return say(
            f"import.group_{_outcome(self.first)}",
            sheet=self.first.sheet,
            column=_named(self.columns),
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
            "columns": list(self.columns),
            "expected": self.first.expected,
            "count": self.count,
            "examples": [{"value": value, "count": count, "row": row} for value, count, row in self.examples],
            "other_values": self.others,
            "rows": list(self.rows),
        }


def _named(columns: tuple[str, ...]) -> str:
    return ", ".join((*columns[:_COLUMNS], *(["…"] if len(columns) > _COLUMNS else ())))


def _outcome(cell: CellProblem) -> str:
    word = cell.text.partition("_")[0]
    return word if word in ("held", "noted") else "hidden" if cell.hidden else "refused"


@dataclass(slots=True)
class _Group:
    first: CellProblem
    count: int = 0
    values: Counter[str] = field(default_factory=Counter)
    rows: dict[str, int] = field(default_factory=dict)
    columns: dict[str, None] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)

    def add(self, cell: CellProblem) -> None:
        self.count += 1
        if len(self.numbers) < _ROWS:
            self.numbers.append(cell.row)
        if len(self.columns) < _VALUES:
            self.columns[cell.column] = None
        read = cell.params.get("read") if cell.text in _RULES else None
        value = cell.value if read is None else f"{cell.value} → {plain_number(str(read))}"
        if value in self.rows or len(self.rows) < _VALUES:
            self.values[value] += 1
            self.rows.setdefault(value, cell.row)

    def take(self, other: "_Group") -> None:
        self.count += other.count
        self.numbers = sorted((*self.numbers, *other.numbers))[:_ROWS]
        self.columns |= other.columns
        self.values += other.values
        self.rows = {**other.rows, **self.rows}

    def frozen(self) -> ProblemGroup:
        common = self.values.most_common(_SHOWN)
        examples = tuple((value, count, self.rows[value]) for value, count in common)
        others = len(self.values) - len(examples)
        return ProblemGroup(
            self.first, self.count, examples, others, tuple(self.columns), tuple(self.numbers)
        )


class ProblemGroups:
    """Gathers cells by sheet, column and what is wrong; `ungrouped` counts those that found no place."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Any, ...], _Group] = {}
        self.ungrouped = 0

    def add(self, cell: CellProblem) -> None:
        """One more cell."""
        place: tuple[Any, ...] = (cell.source, cell.sheet, cell.text)
        if cell.text not in _RULES:
            same = ((name, str(value)) for name, value in cell.params.items() if name not in _VARYING)
            column = "" if cell.text == _TWICE else cell.column  # a row of many measures that is there twice
            place += (column, cell.hidden, *same)  # what is in the rejects is not said to be hidden
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

    def sheets_of_rules(self) -> set[tuple[str, str]]:
        """Source and sheet of what is said of a rule of the sheet."""
        return {(source, sheet) for source, sheet, text, *_ in self._groups if text in _RULES}

    def take(self, others: "ProblemGroups", sheets: Collection[tuple[str, str]]) -> None:
        """Take over what others gathered of these sheets."""
        for place, group in list(others._groups.items()):
            if place[:2] not in sheets:
                continue
            if place in self._groups:
                self._groups[place].take(group)
            else:
                self._groups[place] = group
            del others._groups[place]
