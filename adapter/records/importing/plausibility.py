"""Which rows of a chunk say what hardly can be: impossible ones are bad, unlikely ones wait for a person."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson

from adapter.bounded_cache import BoundedCache
from adapter.records import serialisation as bodies
from adapter.records.held_rows import HeldRowWriter, HeldState
from adapter.records.importing.cell_problem import CellProblem
from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.parsed_row import ParsedRow, remarks_of
from adapter.records.importing.report_builder import ImportReportBuilder
from adapter.records.importing.row_reader import RowReader
from adapter.records.model import RECORD_TYPES
from adapter.records.partial_dates import earliest_day
from adapter.records.plausible.dates import KnownDates, date_findings, day_of
from adapter.records.plausible.finding import Finding, FindingOutcome
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sheets.cell_parsers import VIETNAM_OFFSET
from adapter.records.sheets.key_space import key_space_in
from adapter.records.sheets.tab import Tab
from adapter.texts import say
from adapter.written_values import says_not_done

__all__ = ["PlausibilityChecks"]

_OF_A_CELL = ("column", "value", "text", "params")
_SHIFTED = 3  # values of a row that hardly can be, and their share of it: the cells may have moved
_SHIFTED_SHARE = 0.25
_REMEMBERED = 5_000  # people and visits

_Span = tuple[date | None, date | None]
_UNKNOWN: _Span = (None, None)


class PlausibilityChecks:
    """Looks at the rows that are otherwise good; at no T0 person's, for these are gone by then.

    Asks for people and visits a chunk at a time. `file_digest` is asked when something is held.
    """

    def __init__(
        self,
        changes: ImportWriter,
        tally: ImportReportBuilder,
        ranges: PlausibleRanges,
        now: datetime,
        file_digest: Callable[[str], str],
    ) -> None:
        self._changes = changes
        self._tally = tally
        self._ranges = ranges
        self._now = now
        self._today = now.astimezone(VIETNAM_OFFSET).date()
        self._file_digest = file_digest
        self._digests: dict[str, str] = {}
        if ranges.empty:
            tally.warn("import.no_plausible")
        self._held = HeldRowWriter(changes.connection, now)
        self._dates: BoundedCache[tuple[str, str], _Span] = BoundedCache(_REMEMBERED)

    def finding(self, measure: str, value: str, unit: str | None) -> Finding | None:
        """What is wrong with a value as it was written."""
        return self._ranges.finding(measure, value, unit)

    def refuse(self, tab: Tab, reader: RowReader, rows: Iterable[ParsedRow]) -> None:
        """Note what is wrong with each row: as bad cells, or as findings that hold it."""
        kind = tab.sheet.kind
        good = [row for row in rows if not row.bad and not row.deleted]
        dated = self._measured(reader, good) if kind == "measurement" else good
        if not dated:
            return
        known = self._known(kind, dated)
        for row in dated:
            fields = row.fields
            dates = known(fields.get("cadre"), fields.get("visit"))
            for finding in date_findings(kind, fields, dates, self._today):
                if finding.outcome is FindingOutcome.REFUSED:
                    reader.add_invalid_cell(row, finding.field, finding.text, **finding.params)
                elif finding.outcome is FindingOutcome.HELD:
                    remarks_of(row).held.append(finding)
                else:
                    reader.add_note(row, finding.field, finding.text, **finding.params)

    def _measured(self, reader: RowReader, rows: list[ParsedRow]) -> list[ParsedRow]:
        """Look at the values; gives the rows that have a date besides."""
        finding, dated = self._ranges.finding, []  # cached: the same values come again and again
        for row in rows:
            fields = row.fields
            if not fields["value"][0].isdecimal() and self._is_not_done(fields):
                row.is_empty, row.remarks = True, None
                reader.add_note(row, "value", "noted_not_done")
                continue
            # what already waits for its cell is no number yet, and is told once
            told = row.remarks is not None and any(one.field == "value" for one in row.remarks.held)
            if not told and (found := finding(fields["measure"], fields["value"], fields.get("unit"))):
                remarks_of(row).held.append(found)
            if "taken_at" in fields:
                dated.append(row)
        return dated

    def _is_not_done(self, fields: Mapping[str, Any]) -> bool:
        return says_not_done(fields["value"], numeric=fields["measure"] in self._ranges.numeric)

    def _known(self, kind: str, rows: list[ParsedRow]) -> Callable[[str | None, str | None], KnownDates]:
        if kind == "cadre":
            return lambda _cadre, _visit: KnownDates()
        people = self._look_up("cadre", {row.fields["cadre"] for row in rows if "cadre" in row.fields})
        visits: dict[str, _Span] = {}
        if kind == "measurement":
            visits = self._look_up("visit", {row.fields["visit"] for row in rows if "visit" in row.fields})
        return lambda cadre, visit: KnownDates(
            *people.get(cadre or "", _UNKNOWN), *visits.get(visit or "", _UNKNOWN)
        )

    def _look_up(self, kind: str, keys: set[str]) -> dict[str, "_Span"]:
        """First and last day of people and of visits, from memory or with one query."""
        found = {key: span for key in keys if (span := self._dates.get((kind, key)))}
        first, last = ("birth_date", "deceased_on") if kind == "cadre" else ("started_at", "ended_at")
        for key, body in self._changes.stored.live_bodies(kind, [key for key in keys if key not in found]):
            fields = orjson.loads(body)
            found[key] = self._dates.put((kind, key), (_day(fields.get(first)), _day(fields.get(last))))
        return found

    # holding --------------------------------------------------------------------------------------

    def hold(
        self, tab: Tab, reader: RowReader, good: list[ParsedRow], gone: list[ParsedRow]
    ) -> list[ParsedRow]:
        """Keep those of the good rows that wait for a person; gives the others. What was held of their keys,
        and of rows that are gone, waits no more.
        """
        kind = tab.sheet.kind
        if tab.rejects is not None and kind == "measurement":
            _hold_shifted(good)
        suspect = [row for row in good if row.remarks and row.remarks.held]
        if self._held.any:
            asked = set(map(id, suspect))
            self._held.supersede(kind, [str(row.key) for row in (*good, *gone) if id(row) not in asked])
            if tab.rejects is not None:  # what the rows are made of may have made other keys before
                visit = "key" if kind == "visit" else "visit"
                of_row = {row.number: (str(row.fields["cadre"]), str(row.fields[visit])) for row in good}
                self._held.supersede_renamed(kind, tab.source, tab.title, of_row)
                self._held.supersede_visits(_corrected(tab, of_row))
        if not suspect:
            return good
        stored = {str(row.key): _body(kind, row) for row in suspect}
        before = self._held.decisions(kind, stored)
        waiting = [row for row in suspect if before.get(str(row.key)) in (None, HeldState.WAITING)]
        left_out = {id(row) for row in suspect if before.get(str(row.key)) != HeldState.RELEASED}
        self._keep(tab, reader, waiting, stored)
        self._tally.add(kind, held=len(waiting), dropped=len(left_out) - len(waiting))
        self._changes.mark_rejected(kind, [str(row.key) for row in suspect if id(row) in left_out])
        return [row for row in good if id(row) not in left_out]

    def _keep(self, tab: Tab, reader: RowReader, rows: Sequence[ParsedRow], stored: dict[str, str]) -> None:
        values = []
        for row in rows:
            cells = [_cell(tab, reader, row, finding) for finding in remarks_of(row).held]
            place = (tab.source, tab.title, row.number)
            problems = [CellProblem(*place, *(cell[name] for name in _OF_A_CELL)) for cell in cells]
            for problem in problems:
                self._tally.add_held(problem)
            if tab.rejects is not None and tab.sheet.kind == "visit":
                reasons = [
                    say("import.reject_reason", column=one.column, expected=one.expected) for one in problems
                ]
                tab.rejects.note_held(row.number, reasons)
            values.append(
                {
                    "key": row.key,
                    "cadre": row.fields.get("cadre", row.key),
                    "body": stored[str(row.key)],
                    "cells": orjson.dumps(reader.written_cells(row)).decode(),
                    "findings": orjson.dumps(cells).decode(),
                    "source": tab.source,
                    "file_digest": self._digest(tab.source),
                    "sheet": tab.title,
                    "row": row.number,
                    "held_at": self._now,
                }
            )
        if values:
            self._held.hold(tab.sheet.kind, values)

    def _digest(self, source: str) -> str:
        if source not in self._digests:
            self._digests[source] = self._file_digest(source)
        return self._digests[source]


def _hold_shifted(values: list[ParsedRow]) -> None:
    """Where several values of one row of a table hardly can be, its cells may have moved: then the others,
    which only happen to be possible, wait with them.
    """
    by_row: dict[int, list[ParsedRow]] = {}
    for value in values:
        by_row.setdefault(value.number, []).append(value)
    for row in by_row.values():
        held = sum(bool(one.remarks and one.remarks.held) for one in row)
        if held < _SHIFTED or held < len(row) * _SHIFTED_SHARE:
            continue
        for one in row:
            if not (one.remarks and one.remarks.held):
                params = {"count": held, "measure": one.fields["measure"]}
                remarks_of(one).held.append(Finding("value", "held_beside", params))


def _cell(tab: Tab, reader: RowReader, row: ParsedRow, finding: Finding) -> dict[str, Any]:
    column, value = reader.shown_cell(row, finding.field)
    if tab.column_of is not None:
        column = tab.column_of(row.cells, column)  # as the file has it
    return {"column": column, "value": value, "text": finding.text, "params": dict(finding.params)}


def _corrected(tab: Tab, of_row: Mapping[int, tuple[str, str]]) -> set[str]:
    """The held visits in whose place others come with these rows: person and visit by number."""
    found = set()
    for number, (_, visit) in of_row.items() if tab.replaces else ():
        held = f"{tab.replaces[number]}{key_space_in(visit)}" if number in tab.replaces else visit
        if held != visit:
            found.add(held)
    return found


def _body(kind: str, row: ParsedRow) -> str:
    return bodies.serialise_record(RECORD_TYPES[kind](**row.fields))


def _day(written: str | None) -> date | None:
    if not written:
        return None
    if len(written) < len("1962-05-03"):
        return earliest_day(written)
    if len(written) == len("1962-05-03"):
        return date.fromisoformat(written)
    return day_of(datetime.fromisoformat(written))
