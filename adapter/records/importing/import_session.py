"""One import under way: every kind in turn, what is gone from it, and who must leave."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial as bound
from itertools import groupby, islice

from sqlalchemy import Connection

from adapter.errors import ImportRefused
from adapter.records.doubles import shared_numbers
from adapter.records.erasure import ErasedPerson, forget_former_owners
from adapter.records.importing.absent_columns import absent_fields, with_stored_fields
from adapter.records.importing.checked_rows import CheckedRows
from adapter.records.importing.covered_years import CoveredYears
from adapter.records.importing.encodings_ahead import encodings_of_others
from adapter.records.importing.former_people import stored_under
from adapter.records.importing.hidden_keys import refuse_others_keys
from adapter.records.importing.hidden_people import HiddenPeople, PersonWords, find_hidden_people, open_rows
from adapter.records.importing.identity_checks import AllowedChanges, IdentityChecker
from adapter.records.importing.import_history import ImportHistory, RecordChange
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.made_visits import without_lines
from adapter.records.importing.mass_changes import (
    refuse_mass_clearing,
    refuse_mass_deletion,
    refuse_strangers,
)
from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.importing.plausibility import PlausibilityChecks
from adapter.records.importing.rejects_file import RejectsFile
from adapter.records.importing.report_builder import ImportReportBuilder
from adapter.records.importing.row_checks import RowChecker
from adapter.records.importing.row_reader import ImportContext, RowReader
from adapter.records.importing.tables_together import TablesTogether
from adapter.records.importing.visit_checks import VisitChecker
from adapter.records.model import RECORD_TYPES, Cadre, Record
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sheets.columns import REASON_COLUMN
from adapter.records.sheets.tab import Tab, TabSource
from adapter.texts import say

__all__ = ["ImportProgress", "ImportSession"]

ImportProgress = Callable[[int, int], None]
"""Called with bytes done, and bytes in all."""

_CHUNK = 1000
_DOUBLES_SAID = 20


class ImportSession:
    """One import under way, inside the caller's transaction on `connection`."""

    def __init__(
        self,
        connection: Connection,
        tabs: list[Tab],
        *,
        allowed: AllowedChanges,
        by: str,
        files: Sequence[tuple[str, str]],
        names: Sequence[str],
        hidden: HiddenPeople,
        known: ImportContext,
        tally: ImportReportBuilder,
        rejects: RejectsFile,
        progress: ImportProgress | None,
        plausible: PlausibleRanges | None = None,
        digest_of: Callable[[str], str],
        on_scrub: Callable[[Sequence[ErasedPerson]], Collection[str]] | None = None,
        on_clear: Callable[[set[tuple[str, str]]], None] | None = None,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        self._changes = ImportWriter(connection, known.now, self._note)
        self._open_history = bound(ImportHistory, connection, at=known.now, by=by)
        self._files, self._names = files, names
        self._allowed = allowed
        self._years = CoveredYears()
        self._tabs = tabs
        self._known = known
        self._tally = tally
        self._rejects = rejects
        self._progress = progress
        self._on_scrub = on_scrub
        self._on_clear = on_clear
        self._on_record = on_record
        self._identities = IdentityChecker(allowed, bound(stored_under, connection))
        self._hidden = hidden
        checks = (
            PlausibilityChecks(self._changes, tally, plausible, known.now, digest_of) if plausible else None
        )
        self._visits = VisitChecker(
            self._changes, known.key_space, asked=any(tab.visits is not None for tab in tabs)
        )
        self._checking = RowChecker(
            self._changes,
            tally,
            hidden,
            self._identities,
            checks,
            visits=self._visits,
            together=TablesTogether(self._changes, tabs),
            encodings_ahead=self._encodings_ahead,
        )
        self._total = sum(tab.size for tab in tabs)
        self._past = 0
        self._keeps = False
        self._titles: dict[tuple[str, str], str] = {}  # of the columns, as the file has them
        self.partial = any(tab.partial for tab in tabs if tab.origin is None)

    def run(self, *, partial: bool, limit: float | None) -> None:
        """Every kind in turn: its rows, then what is gone, so that children meet the new state."""
        self.partial = self.partial or partial
        self._keeps = partial
        self._conceal_unknown()
        find_hidden_people(self._tabs, self._known, self._hidden, self._tally.count_returning)
        self._conceal_names()
        self._scrub_called(limit)
        for kind, tabs in groupby(self._tabs, key=lambda tab: tab.sheet.kind):
            before = self._changes.stored.count(kind, self._known.key_space)
            deleted = 0
            whole: dict[str | None, CheckedRows] = {}  # by what may be missing: a source's records, or all
            waiting: list[tuple[Tab, CheckedRows]] = []
            for tab in tabs:
                outcome = self._tab(tab)
                deleted += outcome.deleted
                if tab.origin is not None and tab.origin.spares_seen:
                    waiting.append((tab, outcome))  # what it says is gone may be in another tab
                else:
                    deleted += self._said(tab, outcome)
                if not (self.partial if tab.origin is None else partial or tab.partial):
                    whose = tab.source if tab.origin else None
                    whole[whose] = whole.get(whose, CheckedRows()).plus(outcome)
            deleted += sum(self._said(tab, outcome) for tab, outcome in waiting)
            if kind == "cadre":
                refuse_strangers(self._identities, self._tally, before)
                refuse_others_keys(
                    self._hidden.rows, self._hidden.beside, self._changes.stored, self._known.key_space
                )
                self._say_doubles()
                deleted += self._scrub()
            absent = self._absent(kind, whole, before)
            if limit is not None:
                refuse_mass_deletion(kind, deleted, absent, before, limit)
            if limit is not None and not self._allowed.clearing:
                refuse_mass_clearing(self._tally.summary, kind, before, limit, self._titles)
        if self._checking.told_of:  # what is stored of them may be from before anybody looked
            self._clear_others(self._checking.told_of)
        self._give_back_rows()
        self._history.close(self._changes.position)
        self._changes.close()

    def _conceal_unknown(self) -> None:
        """Where the files do not say who is T0, whoever is unknown may be."""
        if not any(tab.sheet.kind == Cadre.kind for tab in self._tabs):
            for tab in self._tabs:
                tab.conceal_unknown = True

    def _conceal_names(self) -> None:
        """What files, sheets and columns are called may tell of a hidden person too. Raises ImportRefused
        where that would be kept with every record, or a file made that is called so.
        """
        shown = self._hidden.shown
        titles = (title for tab in self._tabs for title in (tab.source, tab.title))
        if self._hidden.is_told_of(*self._names, *titles):
            raise ImportRefused("import.hidden_in_name")
        for tab in self._tabs:
            if (column_of := tab.column_of) is not None:
                tab.column_of = lambda cells, column, of=column_of: shown(of(cells, column))
        files = [(shown(name), digest) for name, digest in self._files]  # of a folder also what is no table
        self._history = self._open_history(files=files, position=self._changes.position)
        self._tally.conceal(shown)

    def _encodings_ahead(self, tab: Tab) -> set[str]:
        others = [one for one in self._tabs if one.source == tab.source and one is not tab]
        return encodings_of_others(others, self._known, self._hidden)

    def _note(self, changes: list[RecordChange]) -> None:
        self._history.note(changes)
        self._tally.summary.note(changes)

    def _say_doubles(self) -> None:
        for one in shared_numbers(self._changes.connection, _DOUBLES_SAID):
            self._tally.warn("import.double", ending=one.ending, cadres=", ".join(one.cadres))

    def _said(self, tab: Tab, outcome: CheckedRows) -> int:
        """Tombstones of the keys that the tab's origin says are gone, or does not list any more."""
        if tab.origin is None:
            return 0
        self._checking.check_silent(tab, self._known.key_space)
        deleted = sum(self._bury(tab.sheet.kind, keys) for keys in self._gone(tab, tab.origin))
        present = tab.origin.existing_keys(tab)
        if present is None or self._keeps:
            return deleted
        listed = CheckedRows()
        for page in present:
            keys = [key for key in page if key is not None]
            stored = self._changes.stored.live_owners(tab.sheet.kind, keys).keys()
            new = sorted(stored - self._changes.seen_rows(tab.sheet.kind, sorted(stored)).keys())
            self._changes.mark_seen(tab.sheet.kind, tab.title, [(key, 0) for key in new])
            listed = listed.plus(CheckedRows(rows=len(page), keys_readable=len(keys) == len(page)))
        listed.keys_readable = listed.keys_readable and outcome.keys_readable
        return deleted + self._missing(tab.sheet.kind, tab.source, listed, 1)

    def _gone(self, tab: Tab, origin: TabSource) -> Iterator[list[str]]:
        for keys in origin.deleted_keys(tab):
            seen = self._changes.seen_rows(tab.sheet.kind, keys) if origin.spares_seen else {}
            yield [key for key in keys if key not in seen]

    def _absent(self, kind: str, whole: dict[str | None, CheckedRows], before: int) -> int:
        """What of a kind is gone when all of its tabs were read."""
        if kind == "visit":
            self._visits.spare()
            for year, numbers in self._years.stray().items():
                rows = ", ".join(map(str, numbers))
                self._tally.warn("import.stray_year", year=year, count=len(numbers), rows=rows)
        return sum(self._missing(kind, whose, found, before) for whose, found in whole.items())

    def _missing(self, kind: str, whose: str | None, read: CheckedRows, before: int) -> int:
        """Tombstones of what was not met any more, unless too little was read to say so."""
        if read.rows and read.keys_readable:
            unseen = self._changes.stored.unseen_keys(kind, whose, self._known.key_space)
            return sum(
                self._bury(kind, keys if whose is not None else self._would_be_here(kind, keys))
                for keys in unseen
            )
        if read.rows or before:
            problem = "import.keys_unreadable" if read.rows else "import.empty_sheet"
            self._tally.warn(problem, kind=say(f"import.kind_{kind}"))
        return 0

    def _would_be_here(self, kind: str, keys: list[str]) -> list[str]:
        """Those that the file would hold if there were any: of other years it says nothing, nor of visits
        that were made of results by row.
        """
        if kind == "cadre":
            return keys
        stored = self._changes.stored.rows(kind, keys, bodies=True)
        visits = self._changes.stored.visit_years(self._changes.stored.visits_of(stored.values()))
        covered = [key for key in keys if self._years.covers(kind, stored[key].body or "{}", visits)]
        self._tally.add_other_years(kind, len(keys) - len(covered))
        stay = without_lines(self._changes.stored, kind, stored, covered)
        self._tally.add_without_lines(kind, len(stay))
        return [key for key in covered if key not in stay]

    def _tab(self, tab: Tab) -> CheckedRows:
        total = CheckedRows()
        if tab.visits is not None and tab.sheet.kind == "visit":
            tab.visits.open(self._visits.look_up)
        opened = open_rows(tab, tab.rows())
        if opened is None:
            return total
        headers, header, rows = opened
        self.partial = self.partial or REASON_COLUMN.field in headers.places
        header = list(map(self._hidden.shown, header))
        for place, title in _people_titles(tab):  # rejects are compared with their people again
            if place < len(header) and not header[place]:
                header[place] = self._hidden.shown(title)
        for title in headers.unknown:
            self._tally.warn("import.unknown_column", sheet=tab.title, header=title)
        reader = RowReader(tab.sheet, headers, self._known, len(header) if tab.csv else None)
        absent = absent_fields(tab.sheet, headers)
        self._titles.update({(tab.sheet.kind, field): title for field, title in headers.written.items()})
        parsed = (reader.read(number, cells) for number, cells in rows)
        while chunk := list(islice(parsed, _CHUNK)):
            total = total.plus(self._chunk(tab, header, reader, chunk, absent))
            if self._progress:
                self._progress(min(self._past + tab.done, self._total), self._total)
        self._past += tab.size
        return total

    def _chunk(
        self,
        tab: Tab,
        header: list[object],
        reader: RowReader,
        chunk: list[ParsedRow],
        absent: frozenset[str],
    ) -> CheckedRows:
        found = self._checking.check_chunk(tab, reader, chunk, bodies=bool(absent))
        kind = tab.sheet.kind
        self._tally.rows += len(chunk)
        if found.good:
            type_ = RECORD_TYPES[kind]
            stored = found.stored
            for row in found.good if absent else ():
                if row.is_anothers:
                    continue
                row.fields = with_stored_fields(row.fields, stored.get(row.fields["key"]), absent)
            if former := [str(row.key) for row in found.good if self._identities.leaves_records(row)]:
                gone = self._bury(kind, former)  # and nothing hangs on the key any more
                self._history.count(deleted=-gone)  # they are written below
                stored = self._changes.stored.rows(kind, [str(row.key) for row in found.good])
            records = [(type_(**row.fields), row.kept_number) for row in found.good]
            if elsewhere := self._years.note(
                (record, row.number) for (record, _), row in zip(records, found.good, strict=True)
            ):
                self._years.note_years(self._changes.stored.visit_years(elsewhere))
            for record, _ in records if self._on_record else ():
                self._on_record(record)  # type: ignore[misc] # looked at just now
            self._tally.accepted += len(records)
            created, changed = self._changes.upsert(records, tab.source, tab.title, self._known.now, stored)
            self._history.count(created=created, changed=changed)
            self._tally.add(
                kind, created=created, changed=changed, unchanged=len(records) - created - changed
            )
        if found.marked:
            self._tally.add(kind, marked=len(found.marked))
            found.deleted = self._bury(kind, [row.key for row in found.marked if row.key])
        self._reject(tab, header, found)
        if tab.origin is not None:
            tab.origin.note_refused(tab, found.refused)
            tab.origin.note_rejected(tab, [row.number for row, _ in found.bad])
        found.drop_rows()
        return found

    def _reject(self, tab: Tab, header: list[object], found: CheckedRows) -> None:
        for row, reasons in found.bad:
            if tab.rejects is not None:
                tab.rejects.note(tab, row.number, row.cells, reasons)
            else:
                self._rejects.add(tab, header, row.cells, "; ".join(reasons))

    def _give_back_rows(self) -> None:
        """Rejects of tables that tabs were made of: as rows of those, when all that is hidden is known."""
        for table in {id(tab.rejects): tab.rejects for tab in self._tabs if tab.rejects}.values():
            for rejected in table.rows(self._hidden.is_told_of):
                self._rejects.add(*rejected)

    def _bury(self, kind: str, keys: list[str]) -> int:
        counts = self._changes.tombstone(kind, keys)
        for name, count in counts.items():
            self._tally.add(name, deleted=count)
            self._history.count(deleted=count)
        return counts.get(kind, 0)

    def _scrub_called(self, limit: float | None) -> None:
        """The same where another sheet calls somebody T0, and none of people would see to it."""
        if not self._hidden.called or any(tab.sheet.kind == Cadre.kind for tab in self._tabs):
            return
        before = self._changes.stored.count(Cadre.kind, self._known.key_space)
        gone = self._scrub()
        if limit is not None:
            refuse_mass_deletion(Cadre.kind, gone, 0, before, limit)

    def _scrub(self) -> int:
        """People who are T0 now leave the store with everything it holds of them; how many were live."""
        self._forget_former_owners()
        refused = self._checking.refused_cadres | self._hidden.called
        if self._hidden.numbers:
            sharing = self._changes.stored.sharing(self._hidden.numbers)
            refused |= {one.key for one in sharing if self._is_hidden(one)}
        refused |= self._changes.stored.same_people(refused)  # whoever is the same person is T0 too
        if not refused:
            return 0
        live = len(self._changes.stored.live_owners("cadre", refused))
        self._changes.lock_erasures()
        people = [self._changes.scrub(key, self._hidden.words) for key in sorted(refused)]
        self._tally.scrubbed += sum(one.count for one in people)
        sent = self._on_scrub(people) if self._on_scrub is not None else ()
        known = [one for one in people if one.was_known]
        for one in known:
            self._hidden.remember(one.key, one.identifiers)
        if known:
            self._hidden.remember_sent(sent)
            self._tally.has_erased = True
            self._clear_others()
        return live

    def _forget_former_owners(self) -> None:
        if not self._hidden:
            return
        if numbers := forget_former_owners(self._changes.connection, self._is_hidden):
            self._hidden.remember_numbers(numbers)
            self._tally.has_erased = True

    def _is_hidden(self, stored: Cadre) -> bool:
        return self._hidden.is_same_person(PersonWords.of_stored(stored))

    def _clear_others(self, among: Collection[tuple[str, str]] | None = None) -> None:
        """What others' records say of who was erased goes, and the next plan takes it back everywhere."""
        cleared = self._changes.clear_others(self._hidden.words, among)
        for kind in sorted({kind for kind, _ in cleared}):
            self._tally.add(kind, changed=sum(kind == one for one, _ in cleared))
        if cleared:
            self._tally.has_erased = True
        if self._on_clear is not None and cleared:
            self._on_clear(cleared)


def _people_titles(tab: Tab) -> Iterator[tuple[int, str]]:
    """Where a tab says whose a row is, and how that column is called; not of a title over several columns."""
    for one in tab.people:
        titles = one.title.split(", ") if len(one.places) > 1 else [one.title]
        if len(titles) == len(one.places):
            yield from zip(one.places, titles, strict=True)
