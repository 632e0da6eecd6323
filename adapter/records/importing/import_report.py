"""What an import did, and what was wrong: frozen, sayable in both languages."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapter.records.importing.cell_problem import CellProblem
from adapter.records.importing.change_summary import FieldChange
from adapter.records.importing.problem_groups import ProblemGroup
from adapter.texts import say

__all__ = ["CellProblem", "ImportReport", "KindCounts", "TextConversion"]


@dataclass(frozen=True)
class TextConversion:
    """A column whose text was in the encoding of an old font: how many cells, and a few before and after."""

    sheet: str
    column: str
    encoding: str
    count: int = 0
    examples: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        examples = "; ".join(f'"{before}" → "{after}"' for before, after in self.examples)
        return say(
            "import.converted",
            sheet=self.sheet,
            column=self.column,
            encoding=self.encoding,
            count=self.count,
            examples=examples,
        )


@dataclass(frozen=True)
class KindCounts:
    """Rows of one kind. `held` wait for a person, `dropped` a person has left out before, `marked` say that
    there is nothing (any more): a mark in the column of deletions, a measure that was not done. `rejected`
    includes those that wait for another row (`waiting`), and those that are not in the rejects file either,
    as they may belong to a T0 person (`withheld`).
    """

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0
    waiting: int = 0
    withheld: int = 0
    held: int = 0
    dropped: int = 0
    marked: int = 0


@dataclass(frozen=True)
class ImportReport:
    """An import's result.

    `problems`, `warnings` `held_cells` (why rows are held) and `noted_cells` (of rows that
    came in) hold the first of them only; `note_count`, `problem_count` and `warning_count` all.
    `groups` say of problems, of what is held and of what is noted, in this order, the same once; `ungrouped`
    counts those beyond.
    `refused_people` and `refused_rows` count what belongs to T0 people: rows of the cadre sheet, and
    all rows; `refused_places` names the first (sheet, row) of them, never a value. `scrubbed` counts
    stored records that were removed because their person is T0 now. `returning` counts people who were
    erased as T0 before and are in the files without: they are refused as well, unless admitted.
    `accepted` counts the rows that came in: with those that were rejected, are held, were dropped or marked,
    and the refused ones, they are all `rows`. `field_changes`: which values change, old and new, with the
    first of each. `copied` counts the rows of the rejects file: one may hold several that were rejected.
    `unread`: what was not read though it may be records, in words; `unread_columns` counts the columns among
    them: a person must say what they are.
    """

    kinds: Mapping[str, KindCounts]
    rows: int
    refused_people: int
    refused_rows: int
    refused_places: tuple[tuple[str, int], ...]
    scrubbed: int
    returning: int
    problems: tuple[CellProblem, ...]
    problem_count: int
    held_cells: tuple[CellProblem, ...]
    noted_cells: tuple[CellProblem, ...]
    note_count: int
    conversions: tuple[TextConversion, ...]
    groups: tuple[ProblemGroup, ...]
    ungrouped: int
    warnings: tuple[str, ...]
    warning_count: int
    rejects: Path | None
    partial: bool
    dry_run: bool
    field_changes: tuple[FieldChange, ...] = ()
    copied: int = 0
    unread: tuple[str, ...] = ()
    unread_columns: int = 0
    accepted: int = 0

    @property
    def changes(self) -> int:
        """Records written: created, changed or deleted."""
        return sum(kind.created + kind.changed + kind.deleted for kind in self.kinds.values())

    @property
    def rejected(self) -> int:
        """Rows that were not imported and can be corrected."""
        return sum(kind.rejected for kind in self.kinds.values())

    @property
    def withheld(self) -> int:
        """Rejected rows that are not in the rejects file: they can be corrected in the source alone."""
        return sum(kind.withheld for kind in self.kinds.values())

    @property
    def held(self) -> int:
        """Rows that wait for a person."""
        return sum(kind.held for kind in self.kinds.values())

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many rows came to what: together all that were read, but for those of T0 people."""
        dropped, marked = (
            sum(getattr(one, name) for one in self.kinds.values()) for name in ("dropped", "marked")
        )
        found = {"accepted": self.accepted, "rejected": self.rejected, "held": self.held}
        return {**found, "dropped": dropped, "marked": marked}

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "kinds": {name: vars(counts) for name, counts in self.kinds.items()},
            "rows": self.rows,
            "outcomes": self.outcomes,
            "copied": self.copied,
            "refused_people": self.refused_people,
            "refused_rows": self.refused_rows,
            "scrubbed": self.scrubbed,
            "returning": self.returning,
            "problems": [problem.as_json() for problem in self.problems],
            "problem_count": self.problem_count,
            "held": [cell.as_json() for cell in self.held_cells],
            "noted": [cell.as_json() for cell in self.noted_cells],
            "groups": [group.as_json() for group in self.groups],
            "conversions": [asdict(one) for one in self.conversions],
            "note_count": self.note_count,
            "warnings": list(self.warnings),
            "warning_count": self.warning_count,
            "unread": list(self.unread),
            "unread_columns": self.unread_columns,
            "rejects": str(self.rejects) if self.rejects else None,
            "partial": self.partial,
            "dry_run": self.dry_run,
            "field_changes": [asdict(one) for one in self.field_changes],
        }
