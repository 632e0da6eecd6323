"""ORU as reports, each a DiagnosticReport with its Observations. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from adapter.fhir.codec import Resource
from adapter.hl7v2.attachments import attachment_of, is_document
from adapter.hl7v2.entries import TransactionEntries
from adapter.hl7v2.message import Element, Message, Segment
from adapter.hl7v2.observations import (
    Finding,
    is_left_out,
    note_of,
    observation_of,
    observation_status,
)
from adapter.hl7v2.patients import add_patient
from adapter.hl7v2.refusals import MISSING_FIELD, MISSING_SEGMENT, UNKNOWN_CODE, SegmentPlace, refusal
from adapter.hl7v2.sender import SenderConventions, coded, coding_of
from adapter.hl7v2.timestamps import instant, moment_at, zone_of
from adapter.hl7v2.values import TEXT_TYPES, element_text

__all__ = ["OrderNumbers", "convert_results", "order_numbers"]

_STATUSES: Final = {  # table 0123, OBR-25
    "F": "final",
    "C": "corrected",
    "P": "preliminary",
    "R": "partial",
    "A": "partial",
    "I": "registered",
    "O": "registered",
    "S": "registered",
    "X": "cancelled",
    "": "unknown",
}
_CONCLUSIONS: Final = ("19005-8", "55110-1")  # LOINC: impression, conclusions
_IMPRESSION: Final = "IMP"  # the suffix of OBX-3 (chapter 7.2.4)
_SECTIONS: Final = "http://terminology.hl7.org/CodeSystem/v2-0074"
_WITHDRAWN: Final = "entered-in-error"
_NOTE: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"


@dataclass(frozen=True, slots=True)
class OrderNumbers:
    """The placer's number is the centre's identity of the referral, the filler's the hospital's own."""

    placer: str
    filler: str


@dataclass(slots=True)
class _Group:
    """One OBR with what stands below it, and the ORC above it."""

    obr: Segment
    orc: Segment | None
    findings: list[Finding] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)
    specimens: list[Segment] = field(default_factory=list)


def order_numbers(
    orc: Segment | None, detail: Segment | None, fields: tuple[int, int] = (2, 3)
) -> OrderNumbers:
    """Placer and filler number, of ORC or else of the detail segment's `fields`."""

    def number(place: int) -> str:
        own = orc.first(place + 2) if orc is not None else ""
        return own or (detail.first(fields[place]) if detail is not None else "")

    return OrderNumbers(number(0), number(1))


def convert_results(message: Message, profile: SenderConventions, entries: TransactionEntries) -> None:
    """Add a report for each OBR. Raises MessageRefused where there is none, or one is not well made."""
    groups = list(_groups(message))
    if not groups:
        raise refusal("AE", MISSING_SEGMENT, "missing_segment", SegmentPlace("OBR"))
    patient = add_patient(message, entries, profile)
    for group in groups:
        _GroupConverter(group, zone_of(message), profile, entries, patient).run()


def _groups(message: Message) -> Iterator[_Group]:
    orc: Segment | None = None
    group: _Group | None = None
    for segment in message.segments:
        if segment.name == "ORC":
            orc = segment
        elif segment.name == "OBR":
            if group is not None:
                yield group
            group, orc = _Group(segment, orc), None
        elif segment.name == "OBX":
            if group is None:
                raise refusal("AE", MISSING_SEGMENT, "out_of_order", segment.at())
            _add_finding(group, segment)
        elif segment.name == "NTE" and group is not None:
            notes = group.findings[-1].notes if group.findings else group.notes
            notes.append(segment)
        elif segment.name == "SPM" and group is not None:
            group.specimens.append(segment)
    if group is not None:
        yield group


def _add_finding(group: _Group, obx: Segment) -> None:
    """A text goes on in the next OBX where code, sub-id and status are the same."""
    last = group.findings[-1] if group.findings else None
    if last is not None and not last.notes and obx.first(2).upper() in TEXT_TYPES:
        before = last.lines[-1] if last.lines else last.obx
        same = all(before.raw(number) == obx.raw(number) for number in (2, 3, 4, 11, 14))
        if same and obx.first(2).upper() != "ST":
            last.lines.append(obx)
            return
    group.findings.append(Finding(obx))


@dataclass(slots=True)
class _GroupConverter:
    group: _Group
    zone: str
    profile: SenderConventions
    entries: TransactionEntries
    patient: Resource | None

    def run(self) -> None:
        """Add the Observations, then the report that lists them."""
        obr = self.group.obr
        numbers = order_numbers(self.group.orc, obr)
        own = numbers.filler or numbers.placer
        if not own:
            raise refusal("AE", MISSING_FIELD, "missing_field", obr.at(3))
        code = obr.required(4)
        name = f"{own}/{code}"  # several panels may have one number
        status = _STATUSES.get(obr.first(25).upper())
        if status is None:
            raise refusal("AE", UNKNOWN_CODE, "unknown_code", obr.at(25))
        report: Resource = {
            "resourceType": "DiagnosticReport",
            "identifier": [self.profile.numbered("result", name), self.profile.filler_identifier(own)],
            "status": status,
            "code": coded(obr.elements(4)[0], self.profile),
            **self._shared(numbers),
        }
        if section := obr.first(24):
            report["category"] = [{"coding": [{"system": _SECTIONS, "code": section}]}]
        specimen = self._specimens(name)
        parts = [self._observation(one, numbers, name, specimen) for one in self._measured()]
        if specimen:
            report["specimen"] = specimen
        if parts:
            report["result"] = parts
        self._add_words(report)
        self.entries.add(report, obr.at())

    def _shared(self, numbers: OrderNumbers) -> Resource:
        """What report and Observations say alike."""
        obr = self.group.obr
        found: Resource = {}
        if numbers.placer:
            order = self.profile.order_identifier(numbers.placer)
            found["basedOn"] = [{"type": "ServiceRequest", "identifier": order}]
        if self.patient is not None:
            found["subject"] = self.patient
        begun, over = (moment_at(obr, number, self.zone) for number in (7, 8))
        if begun and over and begun < over:
            found["effectivePeriod"] = {"start": begun, "end": over}
        elif begun:
            found["effectiveDateTime"] = begun
        if issued := instant(moment_at(obr, 22, self.zone)):
            found["issued"] = issued
        return found

    def _measured(self) -> Iterator[Finding]:
        for one in self.group.findings:
            if not (is_left_out(one.obx) or is_document(one.obx) or _is_conclusion(one.obx)):
                yield one

    def _observation(
        self, finding: Finding, numbers: OrderNumbers, group: str, specimen: list[Resource]
    ) -> Resource:
        obx = finding.obx
        found = observation_of(finding, self.zone, self.profile)
        name = "/".join(filter(None, (group, obx.first(3) or obx.first(3, 2), obx.first(4))))
        shared = self._shared(numbers)
        if "effectiveDateTime" in found:
            shared.pop("effectivePeriod", None)
        found = {**shared, **found, "identifier": [self.profile.numbered("observation", name)]}
        if specimen:
            found["specimen"] = specimen[0]
        return self.entries.add(found, obx.at())

    def _specimens(self, group: str) -> list[Resource]:
        """Of SPM-4, or in older versions OBR-15; nothing of what says no type."""
        elements = [one for spm in self.group.specimens for one in spm.elements(4)[:1]]
        places = [spm.at() for spm in self.group.specimens if spm.elements(4)]
        if not elements and self.group.obr.raw(15):
            elements, places = [self.group.obr.elements(15)[0]], [self.group.obr.at(15)]
        found = []
        for number, (element, place) in enumerate(zip(elements, places, strict=True), 1):
            type_ = self._specimen_type(element, is_old=place.segment == "OBR")
            if type_:
                specimen = {
                    "resourceType": "Specimen",
                    "identifier": [self.profile.numbered("specimen", f"{group}/{number}")],
                    "type": type_,
                    **({"subject": self.patient} if self.patient is not None else {}),
                }
                found.append(self.entries.add(specimen, place))
        return found

    def _specimen_type(self, element: Element, *, is_old: bool) -> Resource | None:
        if not is_old:
            return coded(element, self.profile)
        code, text, table = (element.component(1, sub) for sub in (1, 2, 3))
        if code:
            coding = coding_of(code, text, table.upper() or "HL70070", self.profile)
            return {"coding": [coding], **({"text": text} if text else {})}
        return {"text": text} if text else None

    def _add_words(self, report: Resource) -> None:
        """Documents, the conclusion, and notes on the whole."""
        live = [one for one in self.group.findings if observation_status(one.obx) != _WITHDRAWN]
        documents = [one.obx for one in live if is_document(one.obx)]
        if documents:
            titles = (obx.first(3, 2) or obx.first(3) for obx in documents)
            report["presentedForm"] = [
                attachment_of(obx, title) for obx, title in zip(documents, titles, strict=True)
            ]
        words = [line for one in live if _is_conclusion(one.obx) for line in _lines(one)]
        if words:
            report["conclusion"] = "\n".join(words)
        if notes := note_of(self.group.notes):
            report["extension"] = [{"url": _NOTE, "valueAnnotation": note} for note in notes]


def _is_conclusion(obx: Segment) -> bool:
    is_text = obx.first(2).upper() in TEXT_TYPES
    is_loinc = obx.first(3, 3).upper() in ("LN", "LOINC") and obx.first(3) in _CONCLUSIONS
    return is_text and (obx.first(3, 1, 2).upper() == _IMPRESSION or is_loinc)


def _lines(finding: Finding) -> Iterator[str]:
    for obx in (finding.obx, *finding.lines):
        for element in obx.elements(5):
            yield element_text(obx.first(2).upper(), element)
