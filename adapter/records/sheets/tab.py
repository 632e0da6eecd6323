"""A run of rows of one kind, wherever they come from: a sheet, a CSV, a query, the check-ups of a form."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.columns import Sheet

__all__ = ["Tab", "TabSource"]


class TabSource:
    """What stands behind tabs that are more than files. What is far away is gathered before the import's
    transaction, for which all others that write must wait; all else is asked within it.
    """

    spares_seen = False
    """Whether a key that is said to be gone stays all the same where another tab holds it."""

    def prefetch(self, connection: Connection) -> Callable[[Callable[[], None]], None] | None:
        """What to do before the transaction, as the store is on `connection` now, with what to call while
        it goes on; None: nothing.
        """
        return None

    def begin(self, connection: Connection, now: datetime) -> None:
        """Before the first row is read. Raises SourceReplaced if what was gathered does not hold any more."""

    def note_refused(self, tab: "Tab", refused: Sequence[int]) -> None:
        """Before `note_rejected`: the numbers of those that are T0 people's, of which nothing is kept."""

    def note_rejected(self, tab: "Tab", rejected: Sequence[int]) -> None:
        """After each chunk of a tab's rows: the numbers of those that were rejected."""

    def deleted_keys(self, tab: "Tab") -> Iterator[list[str]]:
        """After a tab's rows: keys that the origin says are gone, a page at a time."""
        return iter(())

    def existing_keys(self, tab: "Tab") -> Iterator[list[str | None]] | None:
        """Every key that there is, a page at a time, None for one that cannot be read; or None: not known."""
        return None

    def finish(self) -> None:
        """When all is written and about to be committed."""


@dataclass
class Tab:
    """Rows of one kind. `size` and `done` are bytes of it (or queries), for a progress bar.

    `partial`: what is not here stays as it is stored. With an `origin` it may change when the rows are
    opened, holds for the tab's kind alone, and only records of this `source` can be missing.
    `column_of` says which column a cell was in where the file has another layout than its rows here.
    `conceal_unknown`: a row that refers to somebody unknown is neither shown nor copied, since he may be T0.
    `peek` gives the rows ahead where they can be opened but once. `hidden_people` says whom a sheet that is
    not of people calls T0: fields of a person, as written.
    """

    source: str
    title: str
    sheet: Sheet
    partial: bool
    size: int
    csv: bool
    open: Callable[["Tab"], Iterator[tuple[int, list[CellValue]]]]
    done: int = field(default=0)
    origin: TabSource | None = None
    conceal_unknown: bool = False
    peek: Callable[[], Iterator[tuple[int, list[CellValue]]]] | None = None
    column_of: Callable[[list[CellValue], str], str] | None = None
    hidden_people: Callable[["Tab"], Iterator[Mapping[str, str]]] | None = None

    def read_ahead(self) -> Iterator[tuple[int, list[CellValue]]]:
        """The rows, before they are read in earnest."""
        for number, cells in self.open(self) if self.peek is None else self.peek():
            if cells.count("") != len(cells):
                yield number, cells
        self.done = 0

    def rows(self) -> Iterator[tuple[int, list[CellValue]]]:
        """Rows with their number in the file, from 1; empty ones are left out."""
        for number, cells in self.open(self):
            if cells.count("") != len(cells):
                yield number, cells
