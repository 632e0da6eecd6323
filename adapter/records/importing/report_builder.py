"""Counts and lines of an import under way; bounded, however bad the file is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from adapter.records.importing.cell_problem import CellProblem
from adapter.records.importing.change_summary import ChangeSummary
from adapter.records.importing.import_report import ImportReport, KindCounts, TextConversion
from adapter.records.importing.problem_groups import ProblemGroup, ProblemGroups
from adapter.texts import say

__all__ = ["ImportReportBuilder"]

_KEPT = 1000
_FIRST = 20
_EXAMPLES = 3
_UNREAD = "import.unread_"  # what was not read though it may be records
_UNREAD_COLUMN = "import.unread_column"  # the same of one column of a sheet


class ImportReportBuilder:
    """What has happened so far."""

    def __init__(self, on_problem: Callable[[CellProblem], None] | None = None) -> None:
        self._on_problem = on_problem
        self._kinds: dict[str, KindCounts] = {}
        self._problems: list[CellProblem] = []
        self._held: list[CellProblem] = []
        self._groups = {outcome: ProblemGroups() for outcome in ("refused", "held", "noted")}
        self._certain = ProblemGroups()
        self._converted: dict[tuple[str, str, str], TextConversion] = {}
        self._notes: list[CellProblem] = []
        self._shown: Callable[[object], object] | None = None
        self._early: dict[tuple[str, tuple[tuple[str, object], ...]], None] = {}
        self._warnings: dict[str, None] = {}
        self._unread: list[str] = []
        self._unread_columns = 0
        self._places: list[tuple[str, int]] = []
        self._other_years: Counter[str] = Counter()
        self._without_lines: Counter[str] = Counter()
        self.summary = ChangeSummary()
        self.rows = 0
        self.accepted = 0
        self.problem_count = 0
        self.note_count = 0
        self.copied = 0  # rows of the rejects file
        self.warning_count = 0
        self.refused_people = 0
        self.refused_rows = 0
        self.scrubbed = 0
        self.returning = 0
        self.has_erased = False

    def add(self, kind: str, **counts: int) -> None:
        """Add to a kind's counts."""
        before = asdict(self._kinds.get(kind, KindCounts()))
        self._kinds[kind] = KindCounts(**before | {name: before[name] + n for name, n in counts.items()})

    def count_same(self, kind: str, count: int) -> None:
        """Rows of values that another row has brought in."""
        if count:
            self.accepted += count
            self.add(kind, unchanged=count)

    def add_problem(self, problem: CellProblem) -> None:
        """One bad cell."""
        self.problem_count += 1
        self._groups["refused"].add(problem)
        if len(self._problems) < _KEPT:
            self._problems.append(problem)
        if self._on_problem:
            self._on_problem(problem)

    def first_problems(self) -> tuple[str, ...]:
        """The first bad cells, in words."""
        return tuple(map(str, self._problems[:_FIRST]))

    def add_other_years(self, kind: str, count: int) -> None:
        """Records that stay, since the file has none of their years."""
        self._other_years[kind] += count

    def add_without_lines(self, kind: str, count: int) -> None:
        """Records that stay, since they are of visits that were made of results by row."""
        self._without_lines[kind] += count

    def add_held(self, cell: CellProblem) -> None:
        """Why a row waits for a person."""
        self._groups["held"].add(cell)
        if len(self._held) < _KEPT:
            self._held.append(cell)

    def add_note(self, cell: CellProblem) -> None:
        """What is said of a cell whose row comes in."""
        self.note_count += 1
        self._groups["noted"].add(cell)
        if len(self._notes) < _KEPT:
            self._notes.append(cell)

    def add_certain(self, cell: CellProblem) -> None:
        """What is said of a cell only where the same is said of another of its sheet."""
        self._certain.add(cell)

    def _all_groups(self) -> tuple[ProblemGroup, ...]:
        noted, held = self._groups["noted"], self._groups["held"]
        noted.take(self._certain, noted.sheets_of_rules() | held.sheets_of_rules())
        return tuple(one for groups in self._groups.values() for one in groups.groups())

    def count_converted(self, sheet: str, column: str, encoding: str, example: tuple[str, str]) -> None:
        """A cell that was read in another encoding, before and after."""
        place = (sheet, column, encoding)
        before = self._converted.get(place) or TextConversion(*place)
        examples = before.examples
        if len(examples) < _EXAMPLES and example not in examples:
            examples = (*examples, example)
        self._converted[place] = TextConversion(*place, before.count + 1, examples)

    def warn(self, text: str, **params: object) -> None:
        """Something worth knowing that costs no row. The same line is said once. What comes from a file waits
        until it is known who must stay hidden.
        """
        if self._shown is None:
            self._early[text, tuple(params.items())] = None
            return
        line = say(text, **{name: self._shown(value) for name, value in params.items()})
        if line in self._warnings:
            return
        self.warning_count += 1
        if len(self._warnings) < _KEPT:
            self._warnings[line] = None
            if text.startswith(_UNREAD):
                self._unread.append(line)
        self._unread_columns += text.startswith(_UNREAD_COLUMN)

    def conceal(self, shown: Callable[[object], object]) -> None:
        """From now on it is known who must stay hidden: `shown` gives what may be said of a text."""
        self._shown = shown
        for text, params in self._early:
            self.warn(text, **dict(params))
        self._early.clear()

    def count_refused(self, sheet: str, row: int, *, person: bool) -> None:
        """A row of, or of something that belongs to, a T0 person."""
        self.refused_rows += 1
        self.refused_people += person
        if len(self._places) < _KEPT:
            self._places.append((sheet, row))

    def count_returning(self) -> None:
        """A person who was erased as T0 and is in the files again."""
        self.returning += 1

    def report(self, rejects: Path | None, partial: bool, *, dry_run: bool) -> ImportReport:
        """The result, frozen."""
        for text, counts in (("other_years", self._other_years), ("without_lines", self._without_lines)):
            for kind, count in counts.items():
                if count:
                    self.warn(f"import.{text}", count=count, kind=say(f"import.kind_{kind}"))
            counts.clear()
        return ImportReport(
            kinds=dict(self._kinds),
            rows=self.rows,
            refused_people=self.refused_people,
            refused_rows=self.refused_rows,
            refused_places=tuple(self._places),
            scrubbed=self.scrubbed,
            returning=self.returning,
            problems=tuple(self._problems),
            problem_count=self.problem_count,
            held_cells=tuple(self._held),
            noted_cells=tuple(self._notes),
            groups=self._all_groups(),
            ungrouped=sum(groups.ungrouped for groups in self._groups.values()),
            conversions=tuple(self._converted.values()),
            note_count=self.note_count,
            warnings=tuple(self._warnings),
            warning_count=self.warning_count,
            rejects=rejects,
            partial=partial,
            dry_run=dry_run,
            field_changes=self.summary.fields(),
            copied=self.copied,
            unread=tuple(self._unread),
            unread_columns=self._unread_columns,
            accepted=self.accepted,
        )
