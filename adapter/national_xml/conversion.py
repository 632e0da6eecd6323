"""A file as the transaction that the same hospital would have sent to the REST API. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapter.fhir.codec import Resource
from adapter.fhir.transaction_entries import ConvertedTransaction, TransactionEntries
from adapter.national_xml.appointments import add_appointment
from adapter.national_xml.checkups import add_checkup
from adapter.national_xml.conventions import FileConventions, own_identity
from adapter.national_xml.envelope import ENVELOPE, Dossier, dossiers_of, parse_file
from adapter.national_xml.findings import add_findings, names_of_services
from adapter.national_xml.papers import add_paper
from adapter.national_xml.people import patient_of
from adapter.national_xml.refusals import FilePlace, file_refusal
from adapter.national_xml.reports import ReportContext
from adapter.national_xml.rows import SheetRow
from adapter.national_xml.subjects import VisitSubject, visit_subject
from adapter.national_xml.visits import encounter_of
from adapter.records.sources.checkup.form_mapping import FormMapping
from adapter.records.sources.checkup.xml_parser import XmlElement

__all__ = ["ConvertedFile", "KnownSubjects", "convert_file"]

KnownSubjects = Callable[[Sequence[VisitSubject]], Sequence[bool]]
"""Of which of these the centre knows the person or the referral."""

_PAPERS = ("XML1", "XML7", "XML8", "XML13")
_LINKED = ("XML3", "XML4", "XML7", "XML8", "XML13", "XML14")


@dataclass(frozen=True, slots=True)
class ConvertedFile:
    """What a file becomes; `unread` are the sheets that are not converted, each once, `strangers` how many of
    its visits are of people whom the centre does not know: nothing is made of these.
    """

    transaction: ConvertedTransaction[FilePlace]
    visits: int
    unread: tuple[str, ...]
    strangers: int = 0


def convert_file(
    data: bytes,
    conventions: FileConventions,
    form_of: Callable[[], FormMapping] | None = None,
    known: KnownSubjects | None = None,
) -> ConvertedFile:
    """What it says; check-ups on the form that `form_of` gives. Of several visits only those are converted
    that are `known`; one that comes by itself is meant for the centre. Raises FhirError for what cannot be
    read, with place and reason.
    """
    root = parse_file(data)
    if root.name != ENVELOPE:
        return _convert_checkups(root, conventions, form_of and form_of())
    visits = all_visits = dossiers_of(root)
    if known is not None and len(all_visits) > 1:
        is_known = known([visit_subject(_summary(one), conventions) for one in all_visits])
        visits = [one for one, is_ours in zip(all_visits, is_known, strict=True) if is_ours]
    converter = _Converter(conventions)
    for visit in visits:
        converter.add(visit)
    unread = tuple(dict.fromkeys(name for visit in visits for name in visit.unread))
    strangers = len(all_visits) - len(visits)
    return ConvertedFile(converter.entries.converted(), len(visits), unread, strangers)


def _convert_checkups(
    root: XmlElement, conventions: FileConventions, form: FormMapping | None
) -> ConvertedFile:
    checkups = [] if form is None else list(root.descendants(form.checkup))
    if form is None or not checkups:
        known = ", ".join((ENVELOPE, *(() if form is None else (form.checkup,))))
        raise file_refusal(400, "structure", "unknown_root", known=known)
    entries = TransactionEntries[FilePlace]()
    for number, checkup in enumerate(checkups, 1):
        add_checkup(checkup, number, form, conventions, entries)
    return ConvertedFile(entries.converted(), len(checkups), ())


@dataclass(slots=True)
class _Converter:
    conventions: FileConventions
    entries: TransactionEntries[FilePlace] = field(default_factory=TransactionEntries)
    people: dict[str, tuple[Resource, Resource]] = field(default_factory=dict)  # by own number
    seen: set[str] = field(default_factory=set)  # MA_LK

    def add(self, visit: Dossier) -> None:
        """Add all that one visit says."""
        summary = _summary(visit)
        number = summary.required("MA_LK")
        if number in self.seen:
            raise file_refusal(422, "duplicate", "visit_twice", summary.at("MA_LK"))
        self.seen.add(number)
        for sheet in _LINKED:
            for row in visit.rows(sheet):
                if row.required("MA_LK") != number:
                    raise file_refusal(422, "business-rule", "other_visit", row.at("MA_LK"))
        patient = self._patient(summary)
        encounter = self.entries.add(encounter_of(summary, patient, self.conventions), summary.place)
        context = ReportContext(number, _order(summary), patient, encounter, self.conventions, self.entries)
        before = len(self.entries.entries)
        add_findings(visit.rows("XML4"), names_of_services(visit.rows("XML3")), context)
        for sheet in _PAPERS:
            for row in visit.rows(sheet):
                add_paper(sheet, row, summary, context)
        is_answered = len(self.entries.entries) > before
        for row in visit.rows("XML14"):
            add_appointment(row, summary, context, is_answered=is_answered)

    def _patient(self, summary: SheetRow) -> Resource:
        """A reference to the Patient, who may have several visits in one file."""
        patient = patient_of(summary, self.conventions)
        number = patient["identifier"][0]["value"]
        known = self.people.get(number)
        if known is None:
            known = patient, self.entries.add(patient, summary.place)
            self.people[number] = known
        elif known[0] != patient:
            raise file_refusal(422, "business-rule", "two_people", summary.at("MA_BN"))
        return known[1]


def _summary(visit: Dossier) -> SheetRow:
    rows = visit.rows("XML1")
    if len(rows) != 1:
        text = "no_summary" if not rows else "summaries"
        raise file_refusal(422, "required", text, FilePlace(visit.number, "XML1"))
    return rows[0]


def _order(summary: SheetRow) -> str:
    """The referral's number: GIAY_CHUYEN_TUYEN, or an identity of ours in the spare field."""
    return own_identity(summary.get("DU_PHONG")) or summary.get("GIAY_CHUYEN_TUYEN")
