"""Check-ups on the national form (HO_SO_KSK), as results of the hospital that did them. Pure.

Which element says what is in the form's data file, as it is for an import: a province that names elements
otherwise says so once.
"""

import base64
from collections.abc import Iterator
from typing import Final

from adapter.fhir.codec import Resource
from adapter.fhir.transaction_entries import TransactionEntries
from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.moments import birth_date_of, moment_of
from adapter.national_xml.people import gender_of
from adapter.national_xml.refusals import FilePlace, file_refusal
from adapter.national_xml.values import written_value
from adapter.records.sources.checkup.form_mapping import FormMapping
from adapter.records.sources.checkup.xml_parser import XmlElement

__all__ = ["add_checkup"]

_TITLE: Final = "Khám sức khỏe"
_UNKNOWN: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
_ADVICE: Final = {  # as mappings/codes/advice.csv has them
    "normal": "Bình thường",
    "follow-up": "Theo dõi",
    "continue": "Tiếp tục điều trị",
    "refer": "Chuyển khám chuyên khoa",
    "other": "Hướng xử trí khác",
}
_SAID: Final = (
    ("reason", "Lý do khám"),
    ("conclusion", "Kết luận"),
    ("health_class", "Phân loại sức khỏe"),
    ("advice", "Hướng xử trí"),
)


def add_checkup(
    checkup: XmlElement,
    number: int,
    form: FormMapping,
    conventions: FileConventions,
    entries: TransactionEntries[FilePlace],
) -> None:
    """Add the Patient, the Encounter, an Observation for each finding, and the report that lists them. Raises
    FhirError.
    """
    place = FilePlace(0, checkup.name, number)
    visit = next(_rows(checkup, form, "visit"), {})
    name = visit.get("key", "")
    if not name:
        raise file_refusal(422, "required", "missing_field", FilePlace(0, checkup.name, number, "MA_LK"))
    begun, over = (moment_of(visit.get(field, ""), place) for field in ("started_at", "ended_at"))
    patient = entries.add(_patient(checkup, name, form, conventions, place), place)
    period = {key: moment for key, moment in (("start", begun), ("end", over)) if moment}
    encounter: Resource = {
        "resourceType": "Encounter",
        "identifier": [conventions.numbered("visit", name)],
        "status": "finished" if over else "unknown",
        "class": _UNKNOWN,
        "type": [{"text": _TITLE}],
        "subject": patient,
        **({"period": period} if period else {}),
    }
    shared: Resource = {"subject": patient, "encounter": entries.add(encounter, place)}
    parts = [entries.add({**shared, **one}, place) for one in _findings(checkup, name, form, conventions)]
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [conventions.numbered("result", f"{name}/{checkup.name}")],
        "status": "final",
        "code": {"text": _TITLE},
        **shared,
        **({"effectiveDateTime": begun} if begun else {}),
        **({"result": parts} if parts else {}),
        **_conclusion(visit, _rows(checkup, form, "diagnosis")),
    }
    entries.add(report, place)


def _rows(checkup: XmlElement, form: FormMapping, kind: str) -> Iterator[dict[str, str]]:
    for rule in form.records.get(kind, ()):
        for _, row in rule.rows(checkup):
            yield row


def _patient(
    checkup: XmlElement, name: str, form: FormMapping, conventions: FileConventions, place: FilePlace
) -> Resource:
    identifiers = [conventions.numbered("patient-of-visit", name)]
    for path in form.identifiers:
        is_card = path.endswith("BHYT")
        system = conventions.insurance_number if is_card else conventions.citizen_id
        kind = path.rpartition("/")[2].lower().replace("_", "-")
        for part in checkup.find_text(path).split(";"):
            if number := part.strip():
                identifiers.append(conventions.person_number(system, kind, number))
    patient: Resource = {"resourceType": "Patient", "identifier": identifiers}
    if called := checkup.find_text("HANH_CHINH/HO_TEN"):
        patient["name"] = [{"text": called}]
    if gender := gender_of(checkup.find_text("HANH_CHINH/GIOI_TINH")):
        patient["gender"] = gender
    if born := birth_date_of(checkup.find_text("HANH_CHINH/NGAY_SINH"), place):
        patient["birthDate"] = born
    return patient


def _findings(
    checkup: XmlElement, name: str, form: FormMapping, conventions: FileConventions
) -> Iterator[Resource]:
    for row in _rows(checkup, form, "measurement"):
        code, called, value = (row.get(field, "") for field in ("measure", "name", "value"))
        if not value or not (code or called):
            continue
        found: Resource = {}
        if code:
            found["coding"] = [conventions.coding("", "checkup-item", code, called)]
        if called:
            found["text"] = called
        yield {
            "resourceType": "Observation",
            "identifier": [conventions.numbered("observation", f"{name}/{code or called}")],
            "status": "final",
            "code": found,
            **written_value(value, row.get("unit", "")),
        }


def _conclusion(visit: dict[str, str], diagnoses: Iterator[dict[str, str]]) -> Resource:
    found: Resource = {}
    if conclusion := visit.get("conclusion"):
        found["conclusion"] = conclusion
    lines = [f"{title}: {_ADVICE.get(said, said)}" for field, title in _SAID if (said := visit.get(field))]
    concepts = []
    for row in diagnoses:
        code, text = row.get("icd10", ""), row.get("text", "")
        said = " ".join(filter(None, (code, text)))
        if not row.get("visit"):  # what the person has or had before
            lines.append(f"Tiền sử: {said}")
        elif row.get("certainty") != "confirmed":  # a code would say that it is
            lines.append(f"Chẩn đoán chưa xác định: {said}")
        else:
            concept: Resource = {"coding": [{"system": _ICD10, "code": code}]} if code else {}
            concepts.append({**concept, **({"text": text} if text else {})})
    if concepts:
        found["conclusionCode"] = concepts
    if lines:
        data = base64.b64encode("\n".join(lines).encode()).decode()
        found["presentedForm"] = [{"contentType": "text/plain; charset=utf-8", "data": data, "title": _TITLE}]
    return found
