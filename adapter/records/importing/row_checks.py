"""Which rows of a chunk are imported, and why the others are not: T0 first, then keys, then references."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from adapter.records.importing.cell_problem import CellProblem
from adapter.records.importing.checked_rows import CheckedRows
from adapter.records.importing.column_texts import ColumnTexts, FileEncodings
from adapter.records.importing.hidden_people import HiddenPeople, PersonWords
from adapter.records.importing.identity_checks import IdentityChecker
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.lenient_cells import keep_stored_values
from adapter.records.importing.named_people import NamedPersonChecker
from adapter.records.importing.owned_keys import OwnedKeys
from adapter.records.importing.parsed_row import InvalidCell, ParsedRow, RowRemarks
from adapter.records.importing.plausibility import PlausibilityChecks
from adapter.records.importing.report_builder import ImportReportBuilder
from adapter.records.importing.row_reader import RowReader
from adapter.records.importing.separators import ColumnSeparators
from adapter.records.importing.tables_together import TablesTogether
from adapter.records.importing.visit_checks import VisitChecker
from adapter.records.sheets.tab import Tab
from adapter.texts import say

__all__ = ["RowChecker"]


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
        visits: VisitChecker,
        together: TablesTogether,
        encodings_ahead: Callable[[Tab], set[str]] = lambda _: set(),
    ) -> None:
        self._changes = changes
        self._identities = identities
        self._visits = visits
        self._together = together
        self._plausibility = plausibility
        self._texts: ColumnTexts | None = None
        self._encodings_ahead = encodings_ahead
        self._encodings: dict[str, FileEncodings] = {}
        self._separators: ColumnSeparators | None = None
        self._tally = tally
        self._hidden = hidden
        self._named = NamedPersonChecker(changes, hidden)
        self.refused_cadres: set[str] = set()  # those whose own row says T0, and whoever is the same person
        self._people: dict[int, PersonWords] = {}  # of this chunk, by the row's id
        self.told_of: set[tuple[str, str]] = set()  # rows, by kind and key, that told of hidden people
        self._above: dict[
            tuple[str, str], list[int]
        ] = {}  # refused rows of a sheet, whatever is made of them
        self._refused = OwnedKeys()
        self._withheld = OwnedKeys()
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
        self._named.check(
            tab, [row for row in rows if not row.withheld], lambda row: self._withheld.holds(kind, row)
        )
        self._people.clear()
        for row in rows:
            found.keys_readable = found.keys_readable and row.key is not None
        rows = self._withhold(tab, rows)
        # What they wait for, by id: rows of an XML file may stand on one line.
        waiting: dict[int, str] = {}
        self._refer(kind, reader, rows, waiting)
        # Before any key is written down: theirs may be a T0 person's.
        rows = [row for row in rows if not (row.bad and self._astray(tab, reader, row))]
        found.stored = self._changes.stored.rows(kind, [row.key for row in rows if row.key], bodies=bodies)
        settled = [row for row in rows if id(row) not in waiting]
        self._identities.check(kind, reader, settled, found.stored)
        self._visits.check(tab, reader, settled, found.stored)
        if self._plausibility:
            self._plausibility.refuse(tab, reader, settled)
        for row in self._once(tab, reader, rows, found):
            if (row.bad or id(row) in waiting) and self._hidden.is_told_of(*row.cells):
                self._conceal(tab, row)
                continue
            if id(row) in waiting:
                self._wait(tab, row, found, waiting[id(row)])
            elif row.bad:
                self._reject(tab, row, found)
            elif row.deleted or row.is_empty:
                found.marked.append(row)
                if row.is_empty:
                    self._warn(tab, row)
            else:
                self._warn(tab, row)
                found.good.append(row)
        self._changes.mark_rejected(kind, [row.key for row, _ in found.bad if row.key in self._own])
        keep_stored_values(self._changes, kind, found.good)
        if self._plausibility:
            found.good = self._plausibility.hold(tab, reader, found.good, found.marked)
        found.refused = self._number(tab, chunk)
        return found

    def check_silent(self, tab: Tab, key_space: str) -> None:
        """Look whose the rows of a tab are that hold nothing but their person."""
        self._named.check_silent(tab, key_space)

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
        """Say of each row how many rows of the file above it were refused: no gap in what is kept tells of
        them, and what is made of one row of the file has one number. Returns the numbers of those that were.
        """
        above = self._above.setdefault((tab.source, tab.title), [])
        refused = [row.number for row in chunk if row.refused]
        if refused:
            above[:] = sorted({*above, *refused})
        for row in chunk if above else ():
            row.refused_above = bisect_left(above, row.number)
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
        for row in rows:
            if row.withheld or (row.deleted and row.key is not None):
                continue
            if row.remarks and (lost := self._hidden.telling_loss(row, partial(reader.written, row.cells))):
                reader.withhold(row, lost, "expect_own_words")
                continue
            if not fields and kind != "cadre":
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
        row.remarks = None
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
                self._changes.stored.live_owners(kind, known).keys()
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
        """Reject rows whose key another has, but for what tables say together; remember the others' keys."""
        kind = tab.sheet.kind
        keyed = [row for row in rows if row.key is not None]
        met = self._changes.seen_rows(kind, [row.key for row in keyed if row.key])
        again = [row for row in keyed if row.key in met and not row.bad]
        united, same = self._together.unite(tab, reader, again, met, found.stored)
        self._own = set()
        first: list[tuple[str, int]] = []
        for row in (one for one in keyed if id(one) not in united):
            key = str(row.key)
            if key in met:
                sheet, number = met[key]
                reader.add_invalid_cell(row, "key", "expect_once", sheet=sheet, row=number)
                continue
            met[key] = (tab.title, row.number)
            self._own.add(key)
            first.append((key, row.number))
            self._together.note(tab, row, found.stored.get(key))
        self._changes.mark_seen(kind, tab.title, first)
        self._tally.count_same(kind, len(same))
        return [row for row in rows if id(row) not in same] if same else rows

    def _refer(self, kind: str, reader: RowReader, rows: list[ParsedRow], waiting: dict[int, str]) -> None:
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
        live = self._changes.stored.live_owners(kind, keys) if keys else {}
        missing = keys - live.keys()
        return _Parents(live, self._changes.rejected_keys(kind, missing) if missing else set())

    def _refer_one(
        self, reader: RowReader, row: ParsedRow, name: str, parents: "_Parents", waiting: dict[int, str]
    ) -> bool:
        key = row.fields[name]
        if self._identities.is_strange(name, key):  # stored, but as another's
            waiting.setdefault(id(row), name)
            self._identities.note_strange(reader.kind, row.key)
            return False
        if key in parents.live:
            return True
        if key in parents.rejected:
            waiting.setdefault(id(row), name)
        else:
            reader.add_invalid_cell(row, name, f"expect_known_{name}")
        return False

    def _refer_visit(
        self, reader: RowReader, row: ParsedRow, visits: "_Parents", waiting: dict[int, str]
    ) -> None:
        if not self._refer_one(reader, row, "visit", visits, waiting):
            return
        owner = visits.live[row.fields["visit"]]
        if row.fields.setdefault("cadre", owner) != owner:
            reader.add_invalid_cell(row, "cadre", "expect_visits_cadre")

    def _wait(self, tab: Tab, row: ParsedRow, found: CheckedRows, parent: str) -> None:
        """A row whose parent (the field that names it) was rejected goes with it: in the rejects file, but no
        line of its own.
        """
        waits = say(f"import.waits_for_{parent}", key=row.fields[parent])
        # Of a table that tabs were made of, the row that it waits for may be itself.
        reason = [say("import.waits_for_parent") if tab.rejects else waits, *self._lines(tab, row)]
        found.bad.append((row, reason))
        self._tally.add(tab.sheet.kind, rejected=1, waiting=1)

    def _reject(self, tab: Tab, row: ParsedRow, found: CheckedRows) -> None:
        found.bad.append((row, self._lines(tab, row)))
        self._tally.add(tab.sheet.kind, rejected=1)

    def _lines(self, tab: Tab, row: ParsedRow) -> list[str]:
        lines = []
        lost = row.remarks.lost.values() if row.remarks else ()
        for bad in (*row.bad, *lost):  # a row that is corrected is corrected throughout
            problem = _problem(tab, row, bad)
            self._tally.add_problem(problem)
            lines.append(say("import.reject_reason", column=problem.column, expected=problem.expected))
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
        for note in remarks.certain:
            self._tally.add_certain(_problem(tab, row, note))
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


@dataclass(frozen=True)
class _Parents:
    live: dict[str, str]
    rejected: set[str]
