"""Reading a CSV that people edit in a spreadsheet, and saying what is wrong with it.

What spreadsheets do to a CSV is no mistake of its author: a byte order mark, CRLF, semicolons or tabs
(Excel where the comma is the decimal sign, as in Viet Nam), empty cells and rows at the end, line breaks
and non-breaking spaces within a cell.
"""

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapter.texts import say

__all__ = ["CsvFile"]


@dataclass(frozen=True, slots=True)
class CsvFile:
    """One CSV and where its problems go, one line each: file, line, column, remedy."""

    path: Path
    problems: list[str]

    def add_problem(self, text: str, line: int, **params: str) -> None:
        """Add a problem."""
        self.problems.append(f"{self.path.name}:{line}:1: {say(text, **params)}")

    def rows(self, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
        """Rows with the line where each begins, by column name; cells in NFC, white space as single
        spaces. A file that cannot be read, or lacks one of the columns `needed`, has none.
        """
        lines = self._lines()
        head = lines[0][1] if lines else []
        if missing := [column for column in needed if column not in head]:
            if lines:
                self.add_problem("mapping.no_column", lines[0][0], word=", ".join(missing))
            return
        if twice := sorted({name for name in head if name and head.count(name) > 1}):
            self.add_problem("mapping.duplicate", lines[0][0], word=", ".join(twice))
            return
        for line, cells in lines[1:]:
            if len(cells) > len(head):
                self.add_problem("mapping.too_many_cells", line, word=str(len(cells)))
            elif cells:
                yield line, dict(zip(head, cells + [""] * (len(head) - len(cells)), strict=True))

    def _lines(self) -> list[tuple[int, list[str]]]:
        """Every row with its first line, without the empty cells at its end; the head is never left out."""
        try:
            text = unicodedata.normalize("NFC", self.path.read_text("utf-8-sig"))
            return list(_split(text)) or [(1, [])]
        except UnicodeDecodeError:
            self.add_problem("terms.not_utf8", 1)
        except (OSError, csv.Error) as error:
            self.add_problem("mapping.unreadable", 1, problem=type(error).__name__)
        return []


def _split(text: str) -> Iterator[tuple[int, list[str]]]:
    first = text.split("\n", 1)[0]
    between = max(",;\t", key=first.count)  # the first of them where none is there
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between)
    begins = 1
    for row in reader:
        cells = [" ".join(cell.split()) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        yield begins, cells
        begins = reader.line_num + 1
