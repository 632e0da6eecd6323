"""Resources that each break one rule of R4, with the rule and the FHIRPath where it is broken.

Written from the specification alone. An expression names the element that is wrong: for a choice
without its type (`Observation.value`), for a missing element its parent's path and its name, for an
invariant the element that the invariant is stated on. Two other validators confirm the table
(`test_broken.py` says which lines they do not know of).
"""

from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from typing import Any

from conformance.bases import BASES, Json

__all__ = ["BROKEN", "Broken"]

_DROP = object()
_NUMBER = count(1)
_LONG = "a" * 65


@dataclass(frozen=True)
class Broken:
    """One line. `rule` is an invariant's key, or structure, cardinality, format, binding, reference."""

    name: str
    base: str
    resource: Json
    expression: str
    rule: str


def _edited(base: str, edits: dict[str, Any]) -> Json:
    resource = deepcopy(BASES[base])
    for path, value in edits.items():
        *parents, last = (int(step) if step.isdecimal() else step for step in path.split("."))
        at: Any = resource
        for step in parents:
            at = at[step]
        if value is _DROP:
            del at[last]
        else:
            at[last] = deepcopy(value)
    return resource


def _lines(rule: str, *lines: tuple[str, dict[str, Any], str]) -> tuple[Broken, ...]:
    return tuple(
        Broken(
            f"{next(_NUMBER)} {rule}: {base} {', '.join(edits)}", base, _edited(base, edits), expression, rule
        )
        for base, edits, expression in lines
    )


_EXTENSION = "https://centre.example/StructureDefinition/x"
_OTHER_QUANTITY = {"value": 1}
_ONLY_TEXT = {"text": "x"}
_INNER = {"resourceType": "Practitioner", "id": "c1", "active": True}
_NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}


def _narrative(inside: str) -> dict[str, Any]:
    return {"text": _NARRATIVE | {"div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'}}


def _contained(**more: Any) -> dict[str, Any]:
    return {"contained": [_INNER | more], "generalPractitioner": [{"reference": "#c1"}]}


def _repeat(**repeat: Any) -> tuple[str, dict[str, Any], str]:
    return "ServiceRequest", {"occurrenceTiming.repeat": repeat}, "ServiceRequest.occurrence.repeat"


def _coded(value: Any) -> dict[str, Any]:
    return {"coding": [value]}


def _status(system: str, code: str) -> Json:
    return _coded({"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code})


_STRUCTURE = _lines(
    "structure",
    ("Patient", {"nickname": "A"}, "Patient.nickname"),
    ("Patient", {"name.0.middle": "A"}, "Patient.name[0].middle"),
    ("Patient", {"Gender": "male"}, "Patient.Gender"),
    ("Patient", {"name": {"text": "A"}}, "Patient.name"),
    ("Patient", {"birthDate": ["1960-05-01"]}, "Patient.birthDate"),
    ("Patient", {"name": []}, "Patient.name"),
    ("Patient", {"name": [None]}, "Patient.name[0]"),
    ("Patient", {"name.0": "Nguyễn Văn A"}, "Patient.name[0]"),
    ("Patient", {"name.0.given": "Văn"}, "Patient.name[0].given"),
    ("Patient", {"gender": None}, "Patient.gender"),
    ("Patient", {"gender": {"code": "male"}}, "Patient.gender"),
    ("Patient", {"maritalStatus": "M"}, "Patient.maritalStatus"),
    ("Patient", {"maritalStatus": [_ONLY_TEXT]}, "Patient.maritalStatus"),
    ("Patient", {"contact.0.name": [{"text": "B"}]}, "Patient.contact[0].name"),
    ("Patient", {"extension": [[{"url": _EXTENSION, "valueString": "x"}]]}, "Patient.extension[0]"),
    ("Observation", {"valueColour": "red"}, "Observation.valueColour"),
    ("Observation", {"value": 5.3}, "Observation.value"),
    ("Observation", {"valueQuantity.currency": "VND"}, "Observation.value.currency"),
    ("Observation", {"valueQuantity": 5.3}, "Observation.value"),
    ("Observation", {"code": "14749-6"}, "Observation.code"),
    ("Observation", {"code.coding": {"code": "a"}}, "Observation.code.coding"),
    ("Observation", {"valueAttachment": {"url": "a"}, "valueQuantity": _DROP}, "Observation.valueAttachment"),
    ("Panel", {"component.0.subject": {"display": "A"}}, "Observation.component[0].subject"),
    ("Encounter", {"class": _ONLY_TEXT}, "Encounter.class.text"),
    ("Encounter", {"period.begin": "2026"}, "Encounter.period.begin"),
    ("DiagnosticReport", {"result.0": "Observation/o1"}, "DiagnosticReport.result[0]"),
    ("Patient", {"_name": {"id": "a"}}, "Patient._name"),
    ("Patient", {"_birthDate": "x"}, "Patient.birthDate"),
    (
        "Patient",
        {
            "contained": [{"resourceType": "HumanName", "id": "c1"}],
            "generalPractitioner": [{"reference": "#c1"}],
        },
        "Patient.contained[0]",
    ),
    ("Patient", _contained() | {"contained": [{"id": "c1", "active": True}]}, "Patient.contained[0]"),
    ("Patient", _contained(actif=True), "Patient.contained[0].actif"),
    ("Transaction", {"entry.0.body": {}}, "Bundle.entry[0].body"),
)

_CHOICE = _lines(
    "cardinality",
    ("Observation", {"valueString": "5.3"}, "Observation.value"),
    ("Observation", {"effectivePeriod": {"start": "2026"}}, "Observation.effective"),
    ("Patient", {"deceasedBoolean": False, "deceasedDateTime": "2026"}, "Patient.deceased"),
    ("Panel", {"component.0.valueString": "120"}, "Observation.component[0].value"),
    ("Immunization", {"occurrenceString": "2026"}, "Immunization.occurrence"),
    ("MedicationRequest", {"medicationReference": {"display": "x"}}, "MedicationRequest.medication"),
    (
        "Patient",
        {"extension": [{"url": _EXTENSION, "valueString": "x", "valueCode": "x"}]},
        "Patient.extension[0].value",
    ),
)

_CARDINALITY = _lines(
    "cardinality",
    ("Observation", {"status": _DROP}, "Observation.status"),
    ("Observation", {"code": _DROP}, "Observation.code"),
    ("Panel", {"component.1.code": _DROP}, "Observation.component[1].code"),
    ("Encounter", {"status": _DROP}, "Encounter.status"),
    ("Encounter", {"class": _DROP}, "Encounter.class"),
    ("Encounter", {"location": [{"status": "active"}]}, "Encounter.location[0].location"),
    ("ServiceRequest", {"intent": _DROP}, "ServiceRequest.intent"),
    ("ServiceRequest", {"subject": _DROP}, "ServiceRequest.subject"),
    ("Condition", {"subject": _DROP}, "Condition.subject"),
    ("DiagnosticReport", {"code": _DROP}, "DiagnosticReport.code"),
    ("Procedure", {"status": _DROP}, "Procedure.status"),
    ("Procedure", {"performer": [{"onBehalfOf": {"display": "x"}}]}, "Procedure.performer[0].actor"),
    ("Immunization", {"occurrenceDateTime": _DROP}, "Immunization.occurrence"),
    ("Immunization", {"vaccineCode": _DROP}, "Immunization.vaccineCode"),
    (
        "Immunization",
        {"protocolApplied.0": {"series": "x"}},
        "Immunization.protocolApplied[0].doseNumber",
    ),
    ("Task", {"intent": _DROP}, "Task.intent"),
    ("Task", {"input": [{"type": _ONLY_TEXT}]}, "Task.input[0].value"),
    ("Provenance", {"target": _DROP}, "Provenance.target"),
    ("Provenance", {"recorded": _DROP}, "Provenance.recorded"),
    ("Provenance", {"agent.0": {"type": _ONLY_TEXT}}, "Provenance.agent[0].who"),
    ("Location", {"position.latitude": _DROP}, "Location.position.latitude"),
    ("MedicationRequest", {"medicationCodeableConcept": _DROP}, "MedicationRequest.medication"),
    ("Composition", {"author": _DROP}, "Composition.author"),
    ("List", {"entry.0.item": _DROP, "entry.0.deleted": False}, "List.entry[0].item"),
    ("DocumentReference", {"content": _DROP}, "DocumentReference.content"),
    ("ImagingStudy", {"series.0.uid": _DROP}, "ImagingStudy.series[0].uid"),
    ("QuestionnaireResponse", {"item.0.linkId": _DROP}, "QuestionnaireResponse.item[0].linkId"),
    (
        "ConceptMap",
        {"group.0.element.0.target.0.equivalence": _DROP},
        "ConceptMap.group[0].element[0].target[0].equivalence",
    ),
    ("Transaction", {"type": _DROP}, "Bundle.type"),
    ("Transaction", {"entry.0.request.url": _DROP}, "Bundle.entry[0].request.url"),
    ("Transaction", {"link": [{"url": "https://a.example"}]}, "Bundle.link[0].relation"),
    ("OperationOutcome", {"issue": _DROP}, "OperationOutcome.issue"),
    ("OperationOutcome", {"issue.0.code": _DROP}, "OperationOutcome.issue[0].code"),
    ("Parameters", {"parameter.0.name": _DROP}, "Parameters.parameter[0].name"),
    ("Patient", {"extension": [{"valueString": "x"}]}, "Patient.extension[0].url"),
    ("Patient", {"text": {"status": "empty"}}, "Patient.text.div"),
    ("Patient", {"communication": [{"preferred": True}]}, "Patient.communication[0].language"),
    ("Patient", {"link": [{"other": {"reference": "Patient/p2"}}]}, "Patient.link[0].type"),
    ("Observation", {"note": [{"time": "2026"}]}, "Observation.note[0].text"),
)

_FORMAT = _lines(
    "format",
    ("Patient", {"id": "a b"}, "Patient.id"),
    ("Patient", {"id": _LONG}, "Patient.id"),
    ("Patient", {"id": "á"}, "Patient.id"),
    ("Patient", {"active": "true"}, "Patient.active"),
    ("Patient", {"active": 1}, "Patient.active"),
    ("Patient", {"birthDate": "01/05/1960"}, "Patient.birthDate"),
    ("Patient", {"birthDate": "1960-13"}, "Patient.birthDate"),
    ("Patient", {"birthDate": "1961-02-29"}, "Patient.birthDate"),
    ("Patient", {"birthDate": "1960-5-1"}, "Patient.birthDate"),
    ("Patient", {"birthDate": "1960-05-01T00:00:00Z"}, "Patient.birthDate"),
    ("Patient", {"birthDate": 1960}, "Patient.birthDate"),
    ("Patient", {"birthDate": ""}, "Patient.birthDate"),
    ("Patient", {"gender": " male"}, "Patient.gender"),
    ("Patient", {"language": "vi "}, "Patient.language"),
    ("Patient", {"implicitRules": "a b"}, "Patient.implicitRules"),
    ("Patient", {"name.0.text": ""}, "Patient.name[0].text"),
    ("Patient", {"name.0.given": ["Văn", ""]}, "Patient.name[0].given[1]"),
    ("Patient", {"name.0.given": ["Văn", 7]}, "Patient.name[0].given[1]"),
    ("Patient", {"multipleBirthInteger": 1.5}, "Patient.multipleBirth"),
    ("Patient", {"multipleBirthInteger": 2147483648}, "Patient.multipleBirth"),
    ("Patient", {"telecom.0.rank": 0}, "Patient.telecom[0].rank"),
    ("Patient", {"telecom.0.rank": "1"}, "Patient.telecom[0].rank"),
    ("Patient", {"meta": {"lastUpdated": "2026-03-02"}}, "Patient.meta.lastUpdated"),
    ("Patient", {"meta": {"versionId": "1/2"}}, "Patient.meta.versionId"),
    ("Patient", {"identifier.0.system": "a b"}, "Patient.identifier[0].system"),
    ("Patient", {"photo": [{"contentType": "image/png", "data": "a*b"}]}, "Patient.photo[0].data"),
    ("Patient", {"photo": [{"contentType": "image/png", "size": -1}]}, "Patient.photo[0].size"),
    (
        "Patient",
        {"extension": [{"url": _EXTENSION, "valueOid": "1.2.3"}]},
        "Patient.extension[0].value",
    ),
    (
        "Patient",
        {"extension": [{"url": _EXTENSION, "valueUuid": "8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0001"}]},
        "Patient.extension[0].value",
    ),
    ("Patient", {"extension": [{"url": _EXTENSION, "valueTime": "24:00:00"}]}, "Patient.extension[0].value"),
    ("Observation", {"effectiveDateTime": "2026-03-02T07:30:00"}, "Observation.effective"),
    ("Observation", {"effectiveDateTime": "2026-03-02 07:30:00+07:00"}, "Observation.effective"),
    ("Observation", {"effectiveDateTime": "2026-03-02T07:30+07:00"}, "Observation.effective"),
    ("Observation", {"effectiveDateTime": "2026-03-02T25:30:00Z"}, "Observation.effective"),
    ("Observation", {"effectiveDateTime": "2026-03-02T07:30:00+15:00"}, "Observation.effective"),
    ("Observation", {"effectiveDateTime": "0000-03-02"}, "Observation.effective"),
    ("Observation", {"issued": "2026-03-02T07:30Z"}, "Observation.issued"),
    ("Observation", {"valueQuantity.value": "5.3"}, "Observation.value.value"),
    ("Observation", {"valueQuantity.value": True}, "Observation.value.value"),
    ("Observation", {"valueInteger": "5", "valueQuantity": _DROP}, "Observation.value"),
    ("Observation", {"valueTime": "7:30", "valueQuantity": _DROP}, "Observation.value"),
    ("Observation", {"valueBoolean": "false", "valueQuantity": _DROP}, "Observation.value"),
    ("Observation", {"code.coding.0.code": "14749-6 "}, "Observation.code.coding[0].code"),
    ("Observation", {"code.coding.0.code": "14749  6"}, "Observation.code.coding[0].code"),
    ("Location", {"position.latitude": "21.3"}, "Location.position.latitude"),
    ("Location", {"hoursOfOperation.0.openingTime": "7h30"}, "Location.hoursOfOperation[0].openingTime"),
    ("Task", {"restriction.repetitions": 0}, "Task.restriction.repetitions"),
    ("Immunization", {"expirationDate": "03/2027"}, "Immunization.expirationDate"),
    ("Specimen", {"collection.collectedDateTime": "hôm qua"}, "Specimen.collection.collected"),
    ("Provenance", {"recorded": "2026-03-02T07:30:00"}, "Provenance.recorded"),
    ("Transaction", {"total": -1}, "Bundle.total"),
)

_BINDING = _lines(
    "binding",
    ("Patient", {"gender": "nam"}, "Patient.gender"),
    ("Patient", {"gender": "Male"}, "Patient.gender"),
    ("Patient", {"name.0.use": "legal"}, "Patient.name[0].use"),
    ("Patient", {"identifier.0.use": "main"}, "Patient.identifier[0].use"),
    ("Patient", {"telecom.0.system": "zalo"}, "Patient.telecom[0].system"),
    ("Patient", {"address": [{"use": "primary", "text": "x"}]}, "Patient.address[0].use"),
    ("Patient", {"text": _NARRATIVE | {"status": "done"}}, "Patient.text.status"),
    ("Patient", {"link": [{"other": {"reference": "Patient/p2"}, "type": "same"}]}, "Patient.link[0].type"),
    ("Observation", {"status": "done"}, "Observation.status"),
    ("Observation", {"valueQuantity.comparator": "="}, "Observation.value.comparator"),
    ("Encounter", {"status": "done"}, "Encounter.status"),
    (
        "Encounter",
        {"location": [{"location": {"display": "x"}, "status": "here"}]},
        "Encounter.location[0].status",
    ),
    ("ServiceRequest", {"intent": "request"}, "ServiceRequest.intent"),
    ("ServiceRequest", {"priority": "high"}, "ServiceRequest.priority"),
    (
        "ServiceRequest",
        {"occurrenceTiming.repeat.periodUnit": "day"},
        "ServiceRequest.occurrence.repeat.periodUnit",
    ),
    (
        "ServiceRequest",
        {"occurrenceTiming.repeat.dayOfWeek": ["monday"]},
        "ServiceRequest.occurrence.repeat.dayOfWeek[0]",
    ),
    ("Condition", {"clinicalStatus": _status("condition-clinical", "sick")}, "Condition.clinicalStatus"),
    (
        "Condition",
        {"verificationStatus": _status("condition-ver-status", "sure")},
        "Condition.verificationStatus",
    ),
    ("DiagnosticReport", {"status": "done"}, "DiagnosticReport.status"),
    ("Specimen", {"status": "taken"}, "Specimen.status"),
    ("Procedure", {"status": "done"}, "Procedure.status"),
    ("Immunization", {"status": "in-progress"}, "Immunization.status"),
    ("Task", {"status": "active"}, "Task.status"),
    ("Task", {"intent": "request"}, "Task.intent"),
    ("Location", {"mode": "place"}, "Location.mode"),
    ("Location", {"hoursOfOperation.0.daysOfWeek": ["Mon"]}, "Location.hoursOfOperation[0].daysOfWeek[0]"),
    ("Provenance", {"entity.0.role": "origin"}, "Provenance.entity[0].role"),
    ("AllergyIntolerance", {"criticality": "very-high"}, "AllergyIntolerance.criticality"),
    ("AllergyIntolerance", {"category": ["drug"]}, "AllergyIntolerance.category[0]"),
    ("CarePlan", {"activity.0.detail.status": "planned"}, "CarePlan.activity[0].detail.status"),
    ("Appointment", {"participant.0.status": "yes"}, "Appointment.participant[0].status"),
    ("MedicationRequest", {"intent": "request"}, "MedicationRequest.intent"),
    ("OperationOutcome", {"issue.0.severity": "bad"}, "OperationOutcome.issue[0].severity"),
    ("OperationOutcome", {"issue.0.code": "oops"}, "OperationOutcome.issue[0].code"),
    ("CodeSystem", {"content": "full"}, "CodeSystem.content"),
    ("Transaction", {"type": "transactions"}, "Bundle.type"),
    ("Transaction", {"entry.0.request.method": "UPSERT"}, "Bundle.entry[0].request.method"),
)

_REFERENCE = _lines(
    "reference",
    ("Observation", {"subject": {"reference": "Encounter/e1"}}, "Observation.subject"),
    ("Observation", {"encounter": {"reference": "Patient/p1"}}, "Observation.encounter"),
    ("Observation", {"specimen": {"reference": "Device/d1"}}, "Observation.specimen"),
    ("Observation", {"performer": [{"reference": "Device/d1"}]}, "Observation.performer[0]"),
    ("Observation", {"subject": {"reference": "https://a.example/fhir/Condition/c1"}}, "Observation.subject"),
    ("Encounter", {"subject": {"reference": "Practitioner/d1"}}, "Encounter.subject"),
    ("Encounter", {"serviceProvider": {"reference": "Location/l1"}}, "Encounter.serviceProvider"),
    (
        "Encounter",
        {"participant": [{"individual": {"reference": "Organization/o1"}}]},
        "Encounter.participant[0].individual",
    ),
    (
        "Encounter",
        {"location": [{"location": {"reference": "Organization/o1"}}]},
        "Encounter.location[0].location",
    ),
    ("ServiceRequest", {"replaces": [{"reference": "Task/t1"}]}, "ServiceRequest.replaces[0]"),
    ("ServiceRequest", {"requester": {"reference": "Observation/o1"}}, "ServiceRequest.requester"),
    ("DiagnosticReport", {"result": [{"reference": "Condition/c1"}]}, "DiagnosticReport.result[0]"),
    ("DiagnosticReport", {"basedOn": [{"reference": "Task/t1"}]}, "DiagnosticReport.basedOn[0]"),
    (
        "Condition",
        {"evidence": [{"code": [_ONLY_TEXT]}], "encounter": {"reference": "Task/1"}},
        "Condition.encounter",
    ),
    ("Task", {"owner": {"reference": "Location/l1"}}, "Task.owner"),
    ("Immunization", {"patient": {"reference": "Group/g1"}}, "Immunization.patient"),
    ("Specimen", {"collection.collector": {"reference": "Patient/p1"}}, "Specimen.collection.collector"),
    ("Procedure", {"reasonReference": [{"reference": "Patient/p1"}]}, "Procedure.reasonReference[0]"),
    ("Provenance", {"agent.0.who": {"reference": "Location/l1"}}, "Provenance.agent[0].who"),
    ("Patient", {"managingOrganization": {"reference": "Practitioner/d1"}}, "Patient.managingOrganization"),
    (
        "Patient",
        _contained() | {"managingOrganization": {"reference": "#c1"}},
        "Patient.managingOrganization",
    ),
)


def _one(rule: str, base: str, edits: dict[str, Any], expression: str) -> Broken:
    return _lines(rule, (base, edits, expression))[0]


_HUGE = {"value": 9, "unit": "mmol/L"}
_OWN_CODE = _coded({"system": "http://loinc.org", "code": "14749-6"})
_GONE = _status("condition-ver-status", "entered-in-error")
_ERASED = _status("allergyintolerance-verification", "entered-in-error")

_INVARIANTS = (
    _one("ele-1", "Patient", {"name.0": {}}, "Patient.name[0]"),
    _one("ele-1", "Observation", {"subject": {}}, "Observation.subject"),
    _one("ele-1", "Patient", {"maritalStatus": {"id": "a"}}, "Patient.maritalStatus"),
    _one("ext-1", "Patient", {"extension": [{"url": _EXTENSION}]}, "Patient.extension[0]"),
    _one(
        "ext-1",
        "Patient",
        {
            "extension": [
                {"url": _EXTENSION, "valueCode": "a", "extension": [{"url": "a", "valueCode": "b"}]},
            ]
        },
        "Patient.extension[0]",
    ),
    _one(
        "ext-1",
        "Patient",
        {"_birthDate": {"extension": [{"url": _EXTENSION}]}},
        "Patient.birthDate.extension[0]",
    ),
    _one(
        "ext-1",
        "Panel",
        {"component.0.extension": [{"url": _EXTENSION}]},
        "Observation.component[0].extension[0]",
    ),
    _one(
        "dom-2",
        "Patient",
        _contained(
            contained=[_INNER | {"id": "c2"}],
            qualification=[{"code": {"text": "x"}, "issuer": {"reference": "#c2"}}],
        ),
        "Patient",
    ),
    _one("dom-3", "Patient", {"contained": [_INNER]}, "Patient"),
    _one("dom-4", "Patient", _contained(meta={"versionId": "1"}), "Patient"),
    _one(
        "dom-4",
        "Observation",
        {
            "contained": [_INNER | {"meta": {"lastUpdated": "2026-03-02T07:30:00Z"}}],
            "performer": [{"reference": "#c1"}],
        },
        "Observation",
    ),
    _one("dom-5", "Patient", _contained(meta={"security": [{"code": "R"}]}), "Patient"),
    _one("ref-1", "Observation", {"subject": {"reference": "#p1"}}, "Observation.subject"),
    _one(
        "ref-1",
        "Patient",
        _contained() | {"generalPractitioner": [{"reference": "#c1"}, {"reference": "#c9"}]},
        "Patient.generalPractitioner[1]",
    ),
    _one("per-1", "Encounter", {"period": {"start": "2026-03-02", "end": "2026-03-01"}}, "Encounter.period"),
    _one("per-1", "Procedure", {"performedPeriod.end": "2026-03-01"}, "Procedure.performed"),
    _one(
        "per-1",
        "Encounter",
        {"period": {"start": "2026-03-02T07:30:00+07:00", "end": "2026-03-02T00:00:00Z"}},
        "Encounter.period",
    ),
    _one(
        "per-1",
        "Patient",
        {"identifier.0.period": {"start": "2026", "end": "2025"}},
        "Patient.identifier[0].period",
    ),
    _one("qty-3", "Observation", {"valueQuantity.system": _DROP}, "Observation.value"),
    _one("qty-3", "Panel", {"component.1.valueQuantity.system": _DROP}, "Observation.component[1].value"),
    _one(
        "qty-3", "Observation", {"referenceRange.0.low.code": "mmol/L"}, "Observation.referenceRange[0].low"
    ),
    _one(
        "sqty-1", "Observation", {"referenceRange.0.low.comparator": "<"}, "Observation.referenceRange[0].low"
    ),
    _one(
        "rng-2",
        "Observation",
        {"valueQuantity": _DROP, "valueRange": {"low": _HUGE, "high": _HUGE | {"value": 1}}},
        "Observation.value",
    ),
    _one(
        "rat-1",
        "Observation",
        {"valueQuantity": _DROP, "valueRatio": {"numerator": _OTHER_QUANTITY}},
        "Observation.value",
    ),
    _one(
        "rat-1",
        "Observation",
        {"valueQuantity": _DROP, "valueRatio": {"denominator": _OTHER_QUANTITY}},
        "Observation.value",
    ),
    _one(
        "att-1",
        "DiagnosticReport",
        {"presentedForm.0.contentType": _DROP},
        "DiagnosticReport.presentedForm[0]",
    ),
    _one("att-1", "Media", {"content.contentType": _DROP}, "Media.content"),
    _one("cpt-2", "Patient", {"telecom.0.system": _DROP}, "Patient.telecom[0]"),
    _one("txt-1", "Patient", _narrative("<script>x</script>"), "Patient.text.div"),
    _one("txt-1", "Patient", _narrative('<p onclick="x">y</p>'), "Patient.text.div"),
    _one("txt-1", "Patient", {"text": _NARRATIVE | {"div": "x"}}, "Patient.text.div"),
    _one("txt-2", "Patient", _narrative("  "), "Patient.text.div"),
    _one("tim-1", *_repeat(duration=1)),
    _one("tim-2", *_repeat(period=1)),
    _one("tim-4", *_repeat(duration=-1, durationUnit="h")),
    _one("tim-5", *_repeat(period=-1, periodUnit="d")),
    _one("tim-6", *_repeat(periodMax=2, periodUnit="d")),
    _one("tim-7", *_repeat(durationMax=2, durationUnit="h")),
    _one("tim-8", *_repeat(countMax=2)),
    _one("tim-9", *_repeat(offset=30)),
    _one("tim-9", *_repeat(offset=30, when=["CM"])),
    _one("tim-10", *_repeat(timeOfDay=["07:30:00"], when=["MORN"])),
    _one(
        "drt-1",
        "MedicationRequest",
        {"dispenseRequest.expectedSupplyDuration.system": "http://a.example"},
        "MedicationRequest.dispenseRequest.expectedSupplyDuration",
    ),
    _one("age-1", "AllergyIntolerance", {"onsetAge.value": -1}, "AllergyIntolerance.onset"),
    _one(
        "age-1", "AllergyIntolerance", {"onsetAge": {"value": 40, "unit": "năm"}}, "AllergyIntolerance.onset"
    ),
    _one("pat-1", "Patient", {"contact.0": {"gender": "female"}}, "Patient.contact[0]"),
    _one("obs-3", "Observation", {"referenceRange.0": {"type": _ONLY_TEXT}}, "Observation.referenceRange[0]"),
    _one(
        "obs-3",
        "Panel",
        {"component.0.referenceRange": [{"type": _ONLY_TEXT}]},
        "Observation.component[0].referenceRange[0]",
    ),
    _one("obs-6", "Observation", {"dataAbsentReason": _ONLY_TEXT}, "Observation"),
    _one("obs-7", "Observation", {"component": [{"code": _OWN_CODE, "valueString": "5"}]}, "Observation"),
    _one("prr-1", "ServiceRequest", {"code": _DROP, "orderDetail": [_ONLY_TEXT]}, "ServiceRequest"),
    _one("con-1", "Condition", {"stage": [{"type": _ONLY_TEXT}]}, "Condition.stage[0]"),
    _one(
        "con-2",
        "Condition",
        {"evidence": [{"extension": [{"url": _EXTENSION, "valueCode": "a"}]}]},
        "Condition.evidence[0]",
    ),
    _one("con-4", "Condition", {"abatementDateTime": "2026"}, "Condition"),
    _one("con-5", "Condition", {"verificationStatus": _GONE}, "Condition"),
    _one("imm-1", "Immunization", {"education.0": {"publicationDate": "2026"}}, "Immunization.education[0]"),
    _one("inv-1", "Task", {"lastModified": "2026-03-01T07:30:00+07:00"}, "Task"),
    _one("org-1", "Organization", {"name": _DROP}, "Organization"),
    _one("org-2", "Organization", {"address.0.use": "home"}, "Organization.address[0]"),
    _one("org-3", "Organization", {"telecom.0.use": "home"}, "Organization.telecom[0]"),
    _one("ait-1", "AllergyIntolerance", {"clinicalStatus": _DROP}, "AllergyIntolerance"),
    _one("ait-2", "AllergyIntolerance", {"verificationStatus": _ERASED}, "AllergyIntolerance"),
    _one("cpl-3", "CarePlan", {"activity.0.reference": {"reference": "Task/t1"}}, "CarePlan.activity[0]"),
    _one("cmp-1", "Composition", {"section.0": {"title": "Kết luận"}}, "Composition.section[0]"),
    _one("cmp-2", "Composition", {"section.0.emptyReason": _ONLY_TEXT}, "Composition.section[0]"),
    _one("lst-1", "List", {"emptyReason": _ONLY_TEXT}, "List"),
    _one("lst-2", "List", {"entry.0.deleted": True}, "List"),
    _one("lst-3", "List", {"mode": "snapshot", "entry.0.date": "2026"}, "List"),
    _one(
        "qrs-1", "QuestionnaireResponse", {"item.0.item": [{"linkId": "2"}]}, "QuestionnaireResponse.item[0]"
    ),
    _one("ppc-1", "Consent", {"policyRule": _DROP}, "Consent"),
    _one("app-1", "Appointment", {"participant.0.actor": _DROP}, "Appointment.participant[0]"),
    _one("app-2", "Appointment", {"status": "proposed", "end": _DROP}, "Appointment"),
    _one("app-3", "Appointment", {"start": _DROP, "end": _DROP}, "Appointment"),
    _one("app-4", "Appointment", {"cancelationReason": _ONLY_TEXT}, "Appointment"),
    _one("vsd-1", "ValueSet", {"compose.include.0": {"version": "1"}}, "ValueSet.compose.include[0]"),
    _one(
        "vsd-2",
        "ValueSet",
        {"compose.include.0": {"valueSet": ["https://a.example/vs"], "concept": [{"code": "a"}]}},
        "ValueSet.compose.include[0]",
    ),
    _one(
        "vsd-3",
        "ValueSet",
        {"compose.include.0.filter": [{"property": "a", "op": "=", "value": "b"}]},
        "ValueSet.compose.include[0]",
    ),
    _one(
        "cmd-1",
        "ConceptMap",
        {"group.0.element.0.target.0.equivalence": "narrower"},
        "ConceptMap.group[0].element[0].target[0]",
    ),
    _one("csd-1", "CodeSystem", {"concept.1.code": "a"}, "CodeSystem"),
    _one("bdl-1", "Collection", {"total": 2}, "Bundle"),
    _one("bdl-2", "Collection", {"entry.0.search": {"mode": "match"}}, "Bundle"),
    _one("bdl-3", "Transaction", {"entry.0.request": _DROP}, "Bundle"),
    _one("bdl-3", "Collection", {"entry.0.request": {"method": "GET", "url": "Patient"}}, "Bundle"),
    _one("bdl-4", "Collection", {"entry.0.response": {"status": "200"}}, "Bundle"),
    _one(
        "bdl-5",
        "Collection",
        {"entry.0": {"fullUrl": "https://centre.example/fhir/Patient/1"}},
        "Bundle.entry[0]",
    ),
    _one(
        "bdl-7",
        "Collection",
        {"entry.1.fullUrl": "https://centre.example/fhir/Practitioner/1", "entry.1.resource.id": "1"},
        "Bundle",
    ),
    _one(
        "bdl-8",
        "Collection",
        {"entry.0.fullUrl": "https://centre.example/fhir/Practitioner/1/_history/1"},
        "Bundle.entry[0]",
    ),
    _one("bdl-9", "Document", {"identifier": _DROP}, "Bundle"),
    _one("bdl-10", "Document", {"timestamp": _DROP}, "Bundle"),
    _one(
        "bdl-11",
        "Document",
        {"entry.0.resource": {"resourceType": "Practitioner", "id": "1", "active": True}},
        "Bundle",
    ),
    _one("bdl-12", "Document", {"type": "message"}, "Bundle"),
)

BROKEN = (*_STRUCTURE, *_CHOICE, *_CARDINALITY, *_FORMAT, *_BINDING, *_REFERENCE, *_INVARIANTS)
