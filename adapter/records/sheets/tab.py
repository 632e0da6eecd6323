"""A run of rows of one kind, wherever they come from: a sheet, a CSV, a query, the check-ups of a form."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.visit_finder import VisitFinder

__all__ = ["PersonCell", "RejectedRow", "RejectsOfTable", "Tab", "TabSource"]


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

    def silent_rows(self) -> Iterable[tuple[int, CellValue, list[CellValue]]]:
        """Before `deleted_keys`: rows of which nothing was made, with the key of their person."""
        return ()

    def deleted_keys(self, tab: "Tab") -> Iterator[list[str]]:
        """After a tab's rows: keys that the origin says are gone, a page at a time."""
        return iter(())

    def existing_keys(self, tab: "Tab") -> Iterator[list[str | None]] | None:
        """Every key that there is, a page at a time, None for one that cannot be read; or None: not known."""
        return None

    def finish(self) -> None:
        """When all is written and about to be committed."""


class PersonCell(NamedTuple):
    """Where a row that is not of a person says who it is about: a person's field, the header as written, and
    in which of its cells.
    """

    field: str
    title: str
    places: tuple[int, ...]


RejectedRow = tuple["Tab", list[CellValue], list[CellValue], str]
"""A row for the rejects file: the tab that it is read as there, header, cells, and why."""


class RejectsOfTable(Protocol):
    """Gathers what was rejected of the tabs of one table, and gives it back as rows of that table."""

    def note(self, tab: "Tab", number: int, cells: list[CellValue], reasons: Sequence[str]) -> None:
        """A row of a tab was rejected."""

    def note_held(self, number: int, reasons: Sequence[str]) -> None:
        """A visit that was made of the row waits for a person: why its values do."""

    def rows(self, is_secret: Callable[[CellValue], bool]) -> Iterator[RejectedRow]:
        """The table's rows of which something was rejected, when all is read; cells that are secret stay
        out.
        """


@dataclass
class Tab:
    """Rows of one kind. `size` and `done` are bytes of it (or queries), for a progress bar.

    `partial`: what is not here stays as it is stored. With an `origin` it may change when the rows are
    opened, holds for the tab's kind alone, and only records of this `source` can be missing.
    `column_of` says which column a cell was in where the file has another layout than its rows here.
    `conceal_unknown`: a row that refers to somebody unknown is neither shown nor copied, since he may be T0.
    `peek` gives the rows ahead where they can be opened but once. `hidden_people` says whom a sheet that is
    not of people calls T0: fields of a person, as written. `visits`: how the rows find theirs, opened when
    all other visits were read. `replaces`: by a row's number, the held visit that it corrects, as a sheet
    writes its key. `people`: what is beside the key of whose a row is, which is compared and not imported.
    `doubtful`: numbers of the rows where the two are not the same person.
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
    rejects: RejectsOfTable | None = None
    visits: VisitFinder | None = None
    replaces: Mapping[int, str] = field(default_factory=dict)
    people: Sequence[PersonCell] = ()
    doubtful: set[int] = field(default_factory=set)

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
