"""Which rows of a chunk are imported, and why the others are not: T0 first, then keys, then references."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from adapter.records.importing.cell_problem import CellProblem
from adapter.records.importing.column_texts import ColumnTexts, FileEncodings
from adapter.records.importing.hidden_people import HiddenPeople, PersonWords
from adapter.records.importing.identity_checks import IdentityChecker
from adapter.records.importing.import_writer import ImportWriter, StoredRow
from adapter.records.importing.lenient_cells import keep_stored_values
from adapter.records.importing.parsed_row import InvalidCell, ParsedRow, RowRemarks
from adapter.records.importing.plausibility import PlausibilityChecks
from adapter.records.importing.report_builder import ImportReportBuilder
from adapter.records.importing.row_reader import RowReader
from adapter.records.importing.separators import ColumnSeparators
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.tab import Tab
from adapter.texts import say

__all__ = ["CheckedRows", "RowChecker"]


@dataclass
class CheckedRows:
    """The rows of a chunk by what becomes of them; `bad` with the reason for the rejects file."""

    good: list[ParsedRow] = field(default_factory=list)
    marked: list[ParsedRow] = field(default_factory=list)
    bad: list[tuple[ParsedRow, str]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    deleted: int = 0
    keys_readable: bool = True
    rows: int = 0
    stored: Mapping[str, StoredRow] = field(default_factory=dict)

    def plus(self, other: "CheckedRows") -> "CheckedRows":
        """The counts of both."""
        return CheckedRows(
            deleted=self.deleted + other.deleted,
            keys_readable=self.keys_readable and other.keys_readable,
            rows=self.rows + other.rows,
        )

    def drop_rows(self) -> None:
        """Let the rows go, keep the counts."""
        self.good, self.marked, self.bad, self.refused, self.stored = [], [], [], [], {}


class RowChecker:
    """Sorts chunks. Remembers the keys of T0 people and of their visits, in memory alone.

    The same for people whose tier cannot be read, who may be T0. Keys are compared as they are, but for
    case: two people's keys may differ by a hyphen alone.
    """

    def __init__(
        self,
        changes: ImportWriter,
        tally: ImportReportBuilder,
        hidden: HiddenPeople,
        identities: IdentityChecker,
        plausibility: PlausibilityChecks | None = None,
        *,
        encodings_ahead: Callable[[Tab], set[str]] = lambda _: set(),
    ) -> None:
        self._changes = changes
        self._identities = identities
        self._plausibility = plausibility
        self._texts: ColumnTexts | None = None
        self._encodings_ahead = encodings_ahead
        self._encodings: dict[str, FileEncodings] = {}
        self._separators: ColumnSeparators | None = None
        self._tally = tally
        self._hidden = hidden
        self.refused_cadres: set[str] = set()  # those whose own row says T0, and whoever is the same person
        self._people: dict[int, PersonWords] = {}  # of this chunk, by the row's id
        self.told_of: set[tuple[str, str]] = set()  # rows, by kind and key, that told of hidden people
        self._above: tuple[Tab | None, int] = (None, 0)  # refused rows of the tab so far
        self._refused = _Owned()
        self._withheld = _Owned()
        self._own: set[str] = set()  # keys that this chunk was the first to have

    def check_chunk(
        self, tab: Tab, reader: RowReader, chunk: list[ParsedRow], *, bodies: bool = False
    ) -> CheckedRows:
        """Sort a chunk of rows of one tab, and say what is wrong. `bodies`: those of what is stored too."""
        kind = tab.sheet.kind
        found = CheckedRows(rows=len(chunk))
        rows = [row for row in chunk if not self._refuse(tab, reader, row)]
        self._settle(tab, reader, rows)
        self._hold(tab, reader, rows)
        self._people.clear()
        for row in rows:
            found.keys_readable = found.keys_readable and row.key is not None
        rows = self._withhold(tab, rows)
        waiting: set[int] = set()  # ids: rows of an XML file may stand on one line
        self._refer(kind, reader, rows, waiting)
        # Before any key is written down: theirs may be a T0 person's.
        rows = [row for row in rows if not (row.bad and self._astray(tab, reader, row))]
        found.stored = self._changes.stored_rows(kind, [row.key for row in rows if row.key], bodies=bodies)
        self._identities.check(kind, reader, [row for row in rows if id(row) not in waiting], found.stored)
        if self._plausibility:
            self._plausibility.refuse(tab, reader, (row for row in rows if id(row) not in waiting))
        for row in self._once(tab, reader, rows, found):
            if (row.bad or id(row) in waiting) and self._hidden.is_told_of(*row.cells):
                self._conceal(tab, row)
                continue
            if id(row) in waiting:
                self._wait(tab, row, found)
            elif row.bad:
                self._reject(tab, row, found)
            elif row.deleted:
                found.marked.append(row)
            else:
                self._warn(tab, row)
                found.good.append(row)
        self._changes.mark_rejected(kind, [row.key for row, _ in found.bad if row.key in self._own])
        keep_stored_values(self._changes, kind, found.good)
        if self._plausibility:
            found.good = self._plausibility.hold(tab, reader, found.good, found.marked)
        found.refused = self._number(tab, chunk)
        return found

    def _settle(self, tab: Tab, reader: RowReader, rows: list[ParsedRow]) -> None:
        """Read rows again whose cells say something else beside the others of their columns."""
        if self._texts is None or self._texts.reader is not reader:
            of_file = FileEncodings(ahead=partial(self._encodings_ahead, tab))
            self._texts = ColumnTexts(reader, self._encodings.setdefault(tab.source, of_file))
        self._texts.settle(rows)
        if reader.kind == "measurement" and self._plausibility:
            if self._separators is None or self._separators.reader is not reader:
                self._separators = ColumnSeparators(reader, self._plausibility.finding)
            self._separators.settle(rows)

    def _number(self, tab: Tab, chunk: list[ParsedRow]) -> list[int]:
        """Say of each row how many above it were refused: no gap in what is kept tells of them. Returns the
        numbers of those that were.
        """
        above = self._above[1] if self._above[0] is tab else 0
        refused = []
        if above or any(row.refused for row in chunk):
            for row in chunk:
                row.refused_above = above
                if row.refused:
                    above += 1
                    refused.append(row.number)
        self._above = (tab, above)
        return refused

    def _refuse(self, tab: Tab, reader: RowReader, row: ParsedRow) -> bool:
        """Whether the row is a T0 person's. Nothing of it is kept but its key, while this import lasts."""
        kind = tab.sheet.kind
        if kind == "cadre" and not row.refused and self._hidden:
            person = self._people[id(row)] = PersonWords.of(reader, row.cells)
            row.refused = self._hidden.is_same_person(person) or self._hidden.was_erased(person)
        if row.refused and kind == "cadre" and row.key is not None:
            self.refused_cadres.add(row.key)
        row.refused = row.refused or self._refused.holds(kind, row) or self._is_hiddens(kind, row)
        if row.refused:
            self._refused.add(kind, row.key)
            self._count_refused(tab, row)
        return row.refused

    def _is_hiddens(self, kind: str, row: ParsedRow) -> bool:
        """Whether the row is of a hidden person's key."""
        owner = row.key if kind == "cadre" else row.fields.get("cadre")
        return self._hidden.has_key(owner)

    def _hold(self, tab: Tab, reader: RowReader, rows: list[ParsedRow]) -> None:
        """Hold back what tells of a T0 person in somebody else's row."""
        if not self._hidden:
            return
        kind, found_in = tab.sheet.kind, self._hidden.telling_field
        fields = self._hidden.telling_fields(rows, reader.text_fields)
        for row in rows if fields or kind == "cadre" else ():
            if row.withheld or (row.deleted and row.key is not None):
                continue
            if kind == "cadre" and self._hidden.resembles(self._people[id(row)]):
                reader.withhold(row, "national_id", "expect_own_number")
            elif (field := found_in(kind, row, fields)) is not None:
                reader.withhold(row, field, "expect_own_words")
                if row.key is not None:
                    self.told_of.add((kind, row.key))

    def _conceal(self, tab: Tab, row: ParsedRow) -> None:
        """Count a row that may be a T0 person's or tells of one, with what is wrong but no value."""
        row.bad = [replace(bad, hidden=True, value="") for bad in row.bad]
        self._withheld.add(tab.sheet.kind, row.key)
        self._count_withheld(tab, row, dependent=False)

    def _count_refused(self, tab: Tab, row: ParsedRow) -> None:
        self._tally.count_refused(tab.title, row.number, person=tab.sheet.kind == "cadre")
        row.cells, row.fields, row.bad, row.refused = [], {}, [], True

    def _withhold(self, tab: Tab, rows: list[ParsedRow]) -> list[ParsedRow]:
        """Leave out what may be a T0 person's: counted, and of stored records nothing changes."""
        kind = tab.sheet.kind
        others: list[ParsedRow] = []
        known: dict[str, int] = {}
        for row in rows:
            dependent = not row.withheld and self._withheld.holds(kind, row)
            if (row.deleted and row.key is not None) or not (row.withheld or dependent):
                others.append(row)
                continue
            self._withheld.add(kind, row.key)
            if row.key is not None:
                known.setdefault(row.key, row.number)
            self._count_withheld(tab, row, dependent=dependent)
        if known:  # Those that are stored stay; other keys are not written down, they may be a T0 person's.
            stored = (
                self._changes.live_owners(kind, known).keys()
                - self._changes.seen_rows(kind, list(known)).keys()
            )
            self._changes.mark_seen(kind, tab.title, [(key, known[key]) for key in sorted(stored)])
        return others

    def _count_withheld(self, tab: Tab, row: ParsedRow, *, dependent: bool) -> None:
        if not dependent:
            self._lines(tab, row)
        self._tally.add(tab.sheet.kind, rejected=1, withheld=1, waiting=int(dependent))
        row.cells, row.fields, row.bad = [], {}, []

    def _astray(self, tab: Tab, reader: RowReader, row: ParsedRow) -> bool:
        """Whether a row that refers to nobody we know means a T0 person, or perhaps one, spelt otherwise.

        Where not everybody's tier was read (`Tab.conceal_unknown`), or there are T0 people in this import,
        whoever is unknown may be one. What refers to the row goes the same way.
        """
        kind = tab.sheet.kind
        conceal = tab.conceal_unknown or bool(self._hidden)
        for bad in row.bad:
            name = _DANGLING.get(bad.expected)
            if name is None:
                continue
            if self._refused.resembles(name, row.fields[name]):
                self._refused.add(kind, row.key)
                self._count_refused(tab, row)
                return True
            if self._withheld.resembles(name, row.fields[name]):
                self._withheld.add(kind, row.key)
                self._count_withheld(tab, row, dependent=True)
                return True
            if conceal or (name == "cadre" and self._hidden.erased_key(row.fields[name])):
                row.bad = [bad]
                self._conceal(tab, row)
                return True
        if conceal and reader.belongs_to_nobody(row):
            self._conceal(tab, row)
            return True
        return False

    def _once(
        self, tab: Tab, reader: RowReader, rows: list[ParsedRow], found: CheckedRows
    ) -> list[ParsedRow]:
        """Reject the rows whose key an earlier row has; remember the others' keys."""
        kind = tab.sheet.kind
        keyed = [row for row in rows if row.key is not None]
        met = self._changes.seen_rows(kind, [row.key for row in keyed if row.key])
        self._own = set()
        first: list[tuple[str, int]] = []
        for row in keyed:
            key = str(row.key)
            if key in met:
                sheet, number = met[key]
                reader.add_invalid_cell(row, "key", "expect_once", sheet=sheet, row=number)
                continue
            met[key] = (tab.title, row.number)
            self._own.add(key)
            first.append((key, row.number))
        self._changes.mark_seen(kind, tab.title, first)
        return rows

    def _refer(self, kind: str, reader: RowReader, rows: list[ParsedRow], waiting: set[int]) -> None:
        """Check what rows refer to: a person and a visit that are stored by now."""
        if kind == "cadre":
            return
        rows = [row for row in rows if not row.deleted]
        cadres = self._parents("cadre", rows)
        visits = self._parents("visit", rows)
        for row in rows:
            if "cadre" in row.fields:
                self._refer_one(reader, row, "cadre", cadres, waiting)
            if "visit" in row.fields:
                self._refer_visit(reader, row, visits, waiting)

    def _parents(self, kind: str, rows: list[ParsedRow]) -> "_Parents":
        keys = {row.fields[kind] for row in rows if kind in row.fields}
        live = self._changes.live_owners(kind, keys) if keys else {}
        missing = keys - live.keys()
        return _Parents(live, self._changes.rejected_keys(kind, missing) if missing else set())

    def _refer_one(
        self, reader: RowReader, row: ParsedRow, name: str, parents: "_Parents", waiting: set[int]
    ) -> bool:
        key = row.fields[name]
        if self._identities.is_strange(name, key):  # stored, but as another's
            waiting.add(id(row))
            self._identities.note_strange(reader.kind, row.key)
            return False
        if key in parents.live:
            return True
        if key in parents.rejected:
            waiting.add(id(row))
        else:
            reader.add_invalid_cell(row, name, f"expect_known_{name}")
        return False

    def _refer_visit(self, reader: RowReader, row: ParsedRow, visits: "_Parents", waiting: set[int]) -> None:
        if not self._refer_one(reader, row, "visit", visits, waiting):
            return
        owner = visits.live[row.fields["visit"]]
        if row.fields.setdefault("cadre", owner) != owner:
            reader.add_invalid_cell(row, "cadre", "expect_visits_cadre")

    def _wait(self, tab: Tab, row: ParsedRow, found: CheckedRows) -> None:
        """A row whose parent was rejected goes with it: in the rejects file, but no line of its own."""
        reason = [say("import.waits_for_parent"), *self._lines(tab, row)]
        found.bad.append((row, "; ".join(reason)))
        self._tally.add(tab.sheet.kind, rejected=1, waiting=1)

    def _reject(self, tab: Tab, row: ParsedRow, found: CheckedRows) -> None:
        found.bad.append((row, "; ".join(self._lines(tab, row))))
        self._tally.add(tab.sheet.kind, rejected=1)

    def _lines(self, tab: Tab, row: ParsedRow) -> list[str]:
        lines = []
        lost = row.remarks.lost.values() if row.remarks else ()
        for bad in (*row.bad, *lost):  # a row that is corrected is corrected throughout
            problem = _problem(tab, row, bad)
            self._tally.add_problem(problem)
            lines.append(f"{problem.column}: {problem.expected}")
        return lines

    def _warn(self, tab: Tab, row: ParsedRow) -> None:
        if row.remarks:
            self._remark(tab, row, row.remarks)
        if row.warning == "import.unknown_measure":
            self._tally.warn(row.warning, measure=row.fields["measure"])
        elif row.warning:
            self._tally.warn(row.warning, sheet=tab.title, row=row.number)

    def _remark(self, tab: Tab, row: ParsedRow, remarks: RowRemarks) -> None:
        for note in remarks.notes:
            self._tally.add_note(_problem(tab, row, note))
        for lost in remarks.lost.values():
            why = say(f"import.{lost.expected}", **lost.params)
            self._tally.add_note(
                _problem(tab, row, replace(lost, expected="noted_lost", params={"expected": why}))
            )
        for cell in remarks.converted:
            self._tally.count_converted(tab.title, cell.column, cell.encoding, (cell.before, cell.after))


def _problem(tab: Tab, row: ParsedRow, bad: InvalidCell) -> CellProblem:
    params: dict[str, Any] = dict(bad.params)
    column = bad.column if tab.column_of is None else tab.column_of(row.cells, bad.column)  # as written
    return CellProblem(tab.source, tab.title, row.number, column, bad.value, bad.expected, params, bad.hidden)


_DANGLING = {"expect_known_cadre": "cadre", "expect_known_visit": "visit"}


class _Owned:
    """Keys of people and of their visits that are not to be handled."""

    def __init__(self) -> None:
        self._exact: dict[str, set[str]] = {"cadre": set(), "visit": set()}
        self._like: dict[str, set[str]] = {"cadre": set(), "visit": set()}

    def add(self, kind: str, key: str | None) -> None:
        """Remember the key of a row, if others can refer to it."""
        if key is not None and kind in self._exact:
            self._exact[kind].add(key.casefold())
            self._like[kind].add(fold_label(key))

    def holds(self, kind: str, row: ParsedRow) -> bool:
        """Whether the row is one of these or refers to one."""
        cadres, visits = self._exact["cadre"], self._exact["visit"]
        fields = row.fields
        if cadres and (key := fields.get("cadre")) is not None and key.casefold() in cadres:
            return True
        if visits and (key := fields.get("visit")) is not None and key.casefold() in visits:
            return True
        return kind in self._exact and row.key is not None and row.key.casefold() in self._exact[kind]

    def resembles(self, kind: str, key: str) -> bool:
        """Whether the key is one of these but for spaces, marks and case. Only for keys nobody else has."""
        return fold_label(key) in self._like[kind]


@dataclass(frozen=True)
class _Parents:
    live: dict[str, str]
    rejected: set[str]
