"""One cell of a file with which something is wrong, sayable in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.records.sheets.field_labels import problem_words
from adapter.texts import has_text, say

__all__ = ["CellProblem"]


@dataclass(frozen=True)
class CellProblem:
    """One bad cell, one line. `text` is a key of area `import`; `column` is the header as written.

    `hidden`: the cell is not empty, but its value is not to be shown.
    """

    source: str
    sheet: str
    row: int
    column: str
    value: str
    text: str
    params: Mapping[str, object] = field(default_factory=dict)
    hidden: bool = False

    @property
    def expected(self) -> str:
        """What is expected, in the language in use; of a hidden cell also what is to be done about it."""
        text = f"{self.text}_hidden"
        return problem_words(text if self.hidden and has_text(f"import.{text}") else self.text, self.params)

    def __str__(self) -> str:
        place = {"sheet": self.sheet, "row": self.row, "column": self.column}
        for outcome in ("held", "noted"):
            if self.text.startswith(f"{outcome}_"):
                return say(f"import.{outcome}_cell", value=self.value, why=self.expected, **place)
        if self.hidden:
            return say("import.hidden_cell", expected=self.expected, **place)
        if not self.value:
            return say("import.missing_cell", expected=self.expected, **place)
        return say("import.bad_cell", value=self.value, expected=self.expected, **place)

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "source": self.source,
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "value": self.value,
            "expected": self.expected,
        }
