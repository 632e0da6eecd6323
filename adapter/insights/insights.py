"""The read side: all that is shown to a person or a program comes from here, as frozen values.

Each question imports what it needs when it is asked: `adapter status` needs no mapping engine. What shows a
person's content writes that into the audit before it gives anything: who, and by which command.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapter.insights.people_insights import PeopleInsights
from adapter.insights.result_insights import ResultInsights
from adapter.insights.waiting import WaitingInsights

if TYPE_CHECKING:
    from adapter.audit import ChainReading
    from adapter.authorization.staff_accounts import StaffAccount
    from adapter.insights.audit_log import AuditFilter, AuditHeadReport, AuditPage
    from adapter.insights.doubles import Double
    from adapter.insights.explain_record import RecordExplanation
    from adapter.insights.explain_values import TracedResource
    from adapter.insights.held_list import ListedHeldRow
    from adapter.insights.hospital_service import HospitalService
    from adapter.insights.hospital_traffic import TrafficHour
    from adapter.insights.identity_key import IdentityKeyReport
    from adapter.insights.import_drafts import DraftReport, ListedDraft
    from adapter.insights.mapping_impact import MappingImpact
    from adapter.insights.person_record import PersonRecord
    from adapter.insights.person_search import FoundPerson
    from adapter.insights.plan_report import PlanReport
    from adapter.insights.problems import Problem
    from adapter.insights.server_card_report import ServerCardReport
    from adapter.insights.sheet_layouts import TableLook
    from adapter.insights.source_list import SourceState
    from adapter.insights.status import HospitalStatus
    from adapter.insights.withdrawals import Withdrawal
    from adapter.insights.year import ShownYear
    from adapter.ledger.workers.registry import Worker
    from adapter.mapping.terminology.gaps import Gap
    from adapter.pipeline.mappings.activation import ProgressCallback
    from adapter.records.importing.change_summary import FieldChange
    from adapter.records.importing.import_history import ImportRun
    from adapter.records.merges import Merge
    from adapter.records.model import Record
    from adapter.report import YearReport

__all__ = ["Insights"]


@dataclass(frozen=True)
class Insights(ResultInsights, WaitingInsights, PeopleInsights):
    """What `adapter` can tell to `viewer` (as the audit names who looks). Nothing here changes anything but
    the audit.
    """

    # -- hospitals -------------------------------------------------------------------------

    def status(self) -> "Sequence[HospitalStatus]":
        """A line for each hospital of the settings, without loading any mapping."""
        from adapter.insights.status import hospital_statuses

        return hospital_statuses(self.adapter, self.clock())

    def hospital(self, name: str) -> "HospitalService":
        """Whether and how fast a hospital is served. Raises SettingsError for one that nobody named."""
        from adapter.insights.hospital_service import hospital_service

        return hospital_service(self.adapter, name, self.clock())

    def hospital_traffic(self, name: str, hours: int = 48) -> "Sequence[TrafficHour]":
        """How many requests went to it in each of the last hours, and how soon they were answered."""
        from adapter.insights.hospital_traffic import hospital_traffic

        return hospital_traffic(self.adapter, name, self.clock(), hours)

    def server_card(self, name: str) -> "ServerCardReport":
        """What a hospital's server was measured to do, without asking it."""
        from adapter.insights.server_card_report import stored_card_report

        return stored_card_report(self.adapter, name, self.clock())

    def unmeasured(self, hospitals: Iterable[str]) -> Sequence[str]:
        """Those that have no card."""
        return [name for name in hospitals if self.adapter.cards.get(name) is None]

    def staff(self) -> "Sequence[StaffAccount]":
        """The accounts of the centre's own staff, by name."""
        from adapter.authorization.staff_accounts import all_accounts

        return all_accounts(self.adapter.engine)

    def change_mark(self) -> tuple[int | tuple[str, int], ...]:
        """Another value as soon as a record or an item of the inbox has changed; of nobody in particular."""
        from adapter.insights.change_mark import change_mark

        return change_mark(self.adapter)

    def workers(self) -> "Sequence[Worker]":
        """The processes that work on the ledger."""
        return self.adapter.ledger.workers.all()

    def problems(self) -> "Sequence[Problem]":
        """What a person must know, worst first."""
        from adapter.insights.problems import current_problems

        return current_problems(self.adapter, self.clock())

    def configuration_problems(self) -> Sequence[str]:
        """What in settings, mappings and policy keeps a service from its work: a line each."""
        from adapter.pipeline.mappings.activation import configuration_problems

        return configuration_problems(self.adapter)

    # -- what goes out ---------------------------------------------------------------------

    def plan(
        self,
        hospitals: Sequence[str],
        progress: "ProgressCallback",
        *,
        cadre: str | None = None,
        command: str = "plan",
    ) -> "Mapping[str, PlanReport]":
        """What a sync would do at each hospital, and why. `cadre`: whose part of it will be shown."""
        from adapter.insights.plan_report import plan_reports

        if cadre is not None:
            self.audit_read([("cadre", cadre)], command)
        return plan_reports(self.adapter, list(hospitals), progress)

    def write_bundles(self, hospital: str, folder: Path, command: str = "plan") -> int:
        """Write the Bundles that a sync would send, a file each; gives how many. Audited as an export."""
        from adapter.pipeline.access_audit import audit_export
        from adapter.pipeline.outbound.planning import write_bundles

        audit_export(self.adapter, hospital, command=command, by=self.viewer, now=self.clock())
        return write_bundles(self.adapter, hospital, folder)

    def mapping_impact(
        self, hospitals: Sequence[str], progress: "ProgressCallback", *, sample: int, command: str
    ) -> "Mapping[str, MappingImpact]":
        """What the folder's mapping does to the current records, against the one in force, with examples."""
        from adapter.insights.mapping_impact import mapping_impact

        found = mapping_impact(self.adapter, list(hospitals), progress, sample=sample)
        examples = [one for each in found.values() for kind in each.kinds for one in kind.examples]
        self.audit_read(((one.record_kind, one.record) for one in examples), command)
        return found

    def terminology_gaps(self, hospital: str | None, progress: "ProgressCallback") -> "Sequence[Gap]":
        """Codes of the records that no code table knows, most frequent first; some are words of people."""
        from adapter.insights.terminology_gaps import find_gaps

        self._note_look("gaps.listed")
        people = self.adapter.records.counts()["cadre"]
        return find_gaps(self.adapter, hospital, lambda done: progress("terminology", None, done, people))

    # -- records ---------------------------------------------------------------------------

    def explain(self, key: str, command: str = "explain") -> "Sequence[RecordExplanation]":
        """Where a record went: for each hospital what became of it there, or why it is not there."""
        from adapter.insights.explain_record import explain_record

        found = explain_record(self.adapter, key)
        self.audit_read(((one.kind, one.key) for one in found), command)
        return found

    def explain_values(
        self, resource_type: str, key: str, hospital: str | None, command: str = "explain"
    ) -> "Sequence[TracedResource]":
        """Where every value of a record's resources came from."""
        from adapter.insights.explain_values import trace_resources

        found = trace_resources(self.adapter, resource_type, key, hospital)
        self.audit_read(((one.kind, one.key) for one in found), command)
        return found

    def trace(
        self, key: str, hospital: str, *, sees_t1: bool, command: str, why: str | None = None
    ) -> "Sequence[TracedResource]":
        """The records with that key, from their cells to what a hospital is to hold. Audited, with why."""
        from adapter.insights.record_trace import trace_record

        found = trace_record(self.adapter, key, hospital, sees_t1=sees_t1)
        self.audit_read(dict.fromkeys((one.kind, one.key) for one in found), command, why)
        return found

    def survivor(self, key: str) -> str | None:
        """Who a person is now, if need be whom he was merged into; None where nobody has that key."""
        records = self.adapter.records
        return records.merges.survivor(key) if records.stored_record("cadre", key) is not None else None

    def held_rows(self, state: str, command: str, *, sees_t1: bool = True) -> "Sequence[ListedHeldRow]":
        """Rows of imports that wait for a person, or those of another state; "all": all. For who does not see
        people of T1, theirs are not there. Audited.
        """
        from adapter.insights.held_list import held_list
        from adapter.insights.seen_people import seen_people

        exists = seen_people(self.adapter, sees_t1=sees_t1, strangers=True)
        found = tuple(one for one in held_list(self.adapter, state) if exists(one.cadre))
        self.audit_read([("cadre", one.cadre) for one in found], command)
        return found

    def imports(self) -> "Sequence[ImportRun]":
        """The newest imports that changed something, newest first."""
        from adapter.database import read_transaction
        from adapter.records.importing.import_history import list_runs

        with read_transaction(self.adapter.engine) as connection:
            return list_runs(connection)

    def import_changes(self, number: int, command: str = "imports show") -> "Sequence[FieldChange]":
        """Which values an import changed, old and new, as far as nothing changed them since. Raises
        UsageError for an import that is not known.
        """
        from adapter.insights.import_changes import import_changes

        found = import_changes(self.adapter, number)
        self.audit_read(((one.kind, key) for one in found for key, _, _ in one.examples), command)
        return found

    def import_drafts(self) -> "Sequence[ListedDraft]":
        """Workbooks that were uploaded and wait, the newest first."""
        from adapter.insights.import_drafts import draft_list

        return draft_list(self.adapter, self.clock())

    def import_draft(self, number: int, command: str = "console import") -> "DraftReport":
        """What was found in one. Raises UsageError where it is gone. Audited."""
        from adapter.insights.import_drafts import draft_report

        found = draft_report(self.adapter, number, self.clock())
        self.audit_read(found.keys, command)
        return found

    def draft_rejects(self, number: int) -> bytes:
        """The workbook of one's rejected rows. Raises UsageError where there is none. Audited."""
        from adapter.insights.import_drafts import draft_rejects

        found = draft_rejects(self.adapter, number, self.clock())
        self._note_look("import.rejects_read", draft=number)
        return found

    def doubles(self, command: str = "cadre doubles", *, sees_t1: bool = True) -> "Sequence[Double]":
        """Numbers that two people have, with both sides. For who does not see people of T1, not theirs."""
        from adapter.insights.doubles import find_doubles
        from adapter.insights.seen_people import seen_people

        exists = seen_people(self.adapter, sees_t1=sees_t1)
        found = [one for one in find_doubles(self.adapter) if all(exists(side.key) for side in one.sides)]
        self.audit_read((("cadre", side.key) for one in found for side in one.sides), command)
        return found

    def find_people(self, words: str, command: str = "cadre show") -> "Sequence[FoundPerson]":
        """Everybody who may be meant by a key, a number or a name. Audited."""
        from adapter.insights.person_search import find_people

        found = find_people(self.adapter, words)
        self.audit_read((("cadre", one.key) for one in found), command)
        return found

    def person(self, key: str, command: str = "cadre show") -> "PersonRecord | None":
        """Everything that the records hold of one person. Audited."""
        from adapter.insights.person_record import person_record

        self.audit_read([("cadre", key)], command)
        return person_record(self.adapter, key)

    def write_documents(self, key: str, folder: Path, command: str = "cadre show") -> Sequence[str]:
        """Write what documents came with a person's results, a file each; gives their names. Audited."""
        from adapter.insights.result_documents import write_documents

        self.audit_read([("cadre", key)], command)
        return write_documents(self.adapter, key, folder)

    def merges(self, command: str = "cadre merges") -> "Sequence[Merge]":
        """The merges that hold, which say who is whom."""
        found = self.adapter.records.merges.list()
        self.audit_read((("cadre", one.survivor) for one in found), command)
        return found

    def sheet_layouts(self, files: Sequence[Path]) -> "Sequence[TableLook]":
        """How the tables of files are understood; nothing is imported. Raises ImportRefused."""
        from adapter.insights.sheet_layouts import look_at_files

        return look_at_files(self.adapter, files)

    def sources(self) -> "Sequence[SourceState]":
        """Where records come from besides workbooks, and how far each was read."""
        from adapter.insights.source_list import source_list

        return source_list(self.adapter)

    def as_resources(
        self, records: "Mapping[str, Sequence[Record]]"
    ) -> Mapping[str, Sequence[Mapping[str, Any] | str]]:
        """Records of each kind as the first hospital would see them before any policy: resources, or words
        where one cannot be mapped.
        """
        from adapter.insights.resource_preview import as_resources

        return as_resources(self.adapter, records)

    def report(self, year: int | None, *, for_outsiders: bool, today: date) -> "YearReport | None":
        """The year in figures, by default the newest; None where there are no records."""
        from adapter.report import latest_year, year_report

        of = year or latest_year(self.adapter.records, today)
        if of is None:
            return None
        self._note_look("report.read", year=of, for_outsiders=for_outsiders)
        return year_report(
            self.adapter.records,
            of,
            levels={one.name: one.level for one in self.adapter.settings.hospitals.values()},
            today=today,
            for_outsiders=for_outsiders,
        )

    @property
    def day_here(self) -> date:
        """The day that it is at the centre."""
        from adapter.records.partial_dates import centre_day

        return centre_day(self.clock())

    def year(self, year: int | None, *, for_outsiders: bool) -> "ShownYear | None":
        """The same, with the year before beside it, as of today."""
        from adapter.insights.year import shown_year

        found = shown_year(self.adapter, year, for_outsiders=for_outsiders, today=self.day_here)
        if found is not None:
            self._note_look("report.read", year=found.report.year, for_outsiders=for_outsiders)
        return found

    # -- the audit -------------------------------------------------------------------------

    def audit_page(self, wanted: "AuditFilter", *, before: int | None, limit: int) -> "AuditPage":
        """Rows of the audit, newest first. That somebody looked is a row of its own."""
        from adapter.insights.audit_log import audit_page

        found = audit_page(self.adapter, wanted, before=before, limit=limit)
        self._note_look("audit.read", rows=len(found.rows), subject=next(iter(wanted.subjects), None))
        return found

    def audit_chain(self) -> "ChainReading":
        """The whole chain, read and compared."""
        from adapter.audit import check_chain

        return check_chain(self.adapter.engine)

    def audit_head(self) -> "AuditHeadReport":
        """The newest row, and whether the audit leads to what this machine remembers."""
        from adapter.insights.audit_log import audit_head

        return audit_head(self.adapter)

    def withdrawals(self, hospital: str) -> "Sequence[Withdrawal]":
        """What is to be taken back at a hospital. That somebody looked is in the audit."""
        from adapter.insights.withdrawals import waiting_withdrawals

        found = waiting_withdrawals(self.adapter, hospital)
        self._note_look("withdrawals.read", hospital=hospital)
        return found

    def identity_key(self) -> "IdentityKeyReport":
        """How the identity key stands."""
        from adapter.insights.identity_key import identity_key_report

        return identity_key_report(self.adapter)

    def audit_hash(self, seq: int) -> str | None:
        """The hash of one row, to be compared with what somebody noted down; None where there is no such."""
        from adapter.audit import hash_at

        return hash_at(self.adapter.engine, seq)

    def audit_subjects(self, key: str) -> tuple[str, ...]:
        """What the audit calls a person, now and before. Raises SettingsError without the identity key."""
        return self.adapter.audit_subjects(key)
