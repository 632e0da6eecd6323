"""MDM (T02 and its like: a document with its content) as a DiagnosticReport. Pure."""

from typing import Final

from adapter.fhir.codec import Resource
from adapter.hl7v2.attachments import attachment_of, is_document, text_attachment
from adapter.hl7v2.entries import TransactionEntries
from adapter.hl7v2.message import Message, Segment
from adapter.hl7v2.patients import add_patient
from adapter.hl7v2.refusals import MISSING_SEGMENT, UNKNOWN_CODE, SegmentPlace, refusal
from adapter.hl7v2.reports import order_numbers
from adapter.hl7v2.sender import SenderConventions, coded, coding_of
from adapter.hl7v2.timestamps import instant, moment_at, zone_of
from adapter.hl7v2.values import element_text

__all__ = ["DOCUMENT_EVENTS", "convert_document"]

DOCUMENT_EVENTS: Final = ("T02", "T04", "T06", "T08", "T10")
_COMPLETION: Final = {  # table 0271, TXA-17
    "AU": "final",
    "LA": "final",
    "DI": "preliminary",
    "DO": "preliminary",
    "IN": "preliminary",
    "IP": "preliminary",
    "PA": "preliminary",
}
_CHANGED: Final = {"T08": "amended", "T10": "corrected"}  # edited, replaced; an addendum stands by itself
_CANCELLED: Final = "CA"  # table 0273, TXA-19


def convert_document(message: Message, profile: SenderConventions, entries: TransactionEntries) -> None:
    """Add the report whose presented form the document is. Raises MessageRefused."""
    txa = message.required("TXA")
    contents = list(message.named("OBX"))
    if not contents:
        raise refusal("AE", MISSING_SEGMENT, "missing_segment", SegmentPlace("OBX"))
    zone = zone_of(message)
    numbers = order_numbers(message.one("ORC"), txa, (14, 15))
    known = [_document_number(txa, 12) or txa.required(12)]
    if message.header.event == "T10" and (replaced := _document_number(txa, 13)):
        known.insert(0, replaced)
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [profile.numbered("document", number) for number in known],
        "status": _status(txa, message.header.event),
        "code": _code(message, txa, profile),
    }
    if numbers.placer:
        order = profile.order_identifier(numbers.placer)
        report["basedOn"] = [{"type": "ServiceRequest", "identifier": order}]
    patient = add_patient(message, entries, profile)
    if patient is not None:
        report["subject"] = patient
    if effective := moment_at(txa, 4, zone):
        report["effectiveDateTime"] = effective
    if issued := instant(moment_at(txa, 22, zone, 15) or moment_at(txa, 6, zone)):
        report["issued"] = issued
    report["presentedForm"] = _forms(contents)
    entries.add(report, txa.at())


def _document_number(txa: Segment, field: int) -> str:
    return txa.first(field) or txa.first(field, 3)


def _status(txa: Segment, event: str) -> str:
    if txa.first(19).upper() == _CANCELLED:
        return "entered-in-error"
    written = txa.first(17).upper()
    status = _COMPLETION.get(written, "unknown" if not written else "")
    if not status:
        raise refusal("AE", UNKNOWN_CODE, "unknown_code", txa.at(17))
    return _CHANGED.get(event, status) if status == "final" else status


def _code(message: Message, txa: Segment, profile: SenderConventions) -> Resource:
    """What was ordered (OBR-4), or else the kind of document (TXA-2, table 0270)."""
    obr = message.one("OBR")
    ordered = coded(obr.elements(4)[0], profile) if obr is not None and obr.elements(4) else None
    if ordered:
        return ordered
    element = txa.elements(2)[0] if txa.required(2) else None
    text = element.component(2) if element else ""
    coding = coding_of(txa.first(2), text, txa.first(2, 3).upper() or "HL70270", profile)
    return {"coding": [coding], **({"text": text} if text else {})}


def _forms(contents: list[Segment]) -> list[Resource]:
    """Each document as it is, and the lines of text between as one."""
    forms: list[Resource] = []
    lines: list[str] = []
    for obx in contents:
        if is_document(obx):
            forms.append(attachment_of(obx, obx.first(3, 2) or obx.first(3)))
        else:
            lines += [element_text(obx.first(2).upper(), one) for one in obx.elements(5)]
    if any(line.strip() for line in lines):
        forms.insert(0, text_attachment(lines, ""))
    if not forms:
        raise refusal("AE", MISSING_SEGMENT, "missing_field", contents[0].at(5))
    return forms
