"""Small resources that keep every rule of R4: what the table of broken ones (`broken.py`) is made from."""

from typing import Any

__all__ = ["BASES", "Json"]

Json = dict[str, Any]

_SUBJECT = {"reference": "Patient/p1"}
_CODE = {"coding": [{"system": "http://loinc.org", "code": "14749-6"}], "text": "Glucose"}
_UCUM = "http://unitsofmeasure.org"
_WHEN = "2026-03-02T07:30:00+07:00"
_V3 = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def _terms(name: str, code: str) -> Json:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{name}", "code": code}]}


BASES: dict[str, Json] = {
    "Patient": {
        "resourceType": "Patient",
        "identifier": [{"system": "https://centre.example/sid", "value": "a1"}],
        "name": [{"text": "Nguyễn Văn A", "family": "Nguyễn", "given": ["Văn", "A"]}],
        "telecom": [{"system": "phone", "value": "0900000000"}],
        "gender": "male",
        "birthDate": "1960-05-01",
        "contact": [{"name": {"text": "Trần Thị B"}}],
    },
    "Observation": {
        "resourceType": "Observation",
        "status": "final",
        "code": _CODE,
        "subject": _SUBJECT,
        "effectiveDateTime": _WHEN,
        "valueQuantity": {"value": 5.3, "unit": "mmol/L", "system": _UCUM, "code": "mmol/L"},
        "referenceRange": [
            {"low": {"value": 3.9, "unit": "mmol/L"}, "high": {"value": 6.4, "unit": "mmol/L"}}
        ],
    },
    "Panel": {
        "resourceType": "Observation",
        "status": "final",
        "category": [_terms("observation-category", "vital-signs")],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": _SUBJECT,
        "effectiveDateTime": _WHEN,
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "valueQuantity": {"value": value, "unit": "mmHg", "system": _UCUM, "code": "mm[Hg]"},
            }
            for code, value in (("8480-6", 120), ("8462-4", 80))
        ],
    },
    "Encounter": {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": _V3, "code": "AMB"},
        "subject": _SUBJECT,
        "period": {"start": _WHEN, "end": "2026-03-02T10:00:00+07:00"},
    },
    "ServiceRequest": {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"text": "Siêu âm tuyến giáp"},
        "subject": _SUBJECT,
        "occurrenceTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
    },
    "Condition": {
        "resourceType": "Condition",
        "clinicalStatus": _terms("condition-clinical", "active"),
        "verificationStatus": _terms("condition-ver-status", "confirmed"),
        "code": {"text": "Tăng huyết áp"},
        "subject": _SUBJECT,
    },
    "DiagnosticReport": {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Sinh hóa máu"},
        "subject": _SUBJECT,
        "issued": "2026-03-02T10:00:00.000+07:00",
        "result": [{"reference": "Observation/o1"}],
        "presentedForm": [{"contentType": "application/pdf", "data": "JVBERi0="}],
    },
    "Specimen": {
        "resourceType": "Specimen",
        "status": "available",
        "type": {"text": "Máu"},
        "subject": _SUBJECT,
        "collection": {"collectedDateTime": _WHEN},
    },
    "Procedure": {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Nội soi dạ dày"},
        "subject": _SUBJECT,
        "performedPeriod": {"start": "2026-03-02", "end": "2026-03-03"},
    },
    "Immunization": {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"text": "Cúm mùa"},
        "patient": _SUBJECT,
        "occurrenceDateTime": "2026-03-02",
        "education": [{"documentType": "thông tin vắc xin"}],
        "protocolApplied": [{"doseNumberPositiveInt": 1}],
    },
    "Task": {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "for": _SUBJECT,
        "authoredOn": "2026-03-02T07:30:00+07:00",
        "lastModified": "2026-03-03T07:30:00+07:00",
        "restriction": {"repetitions": 1},
    },
    "Organization": {
        "resourceType": "Organization",
        "name": "Bệnh viện Đa khoa tỉnh",
        "telecom": [{"system": "phone", "value": "02000000000", "use": "work"}],
        "address": [{"text": "Phường 1", "use": "work"}],
    },
    "Location": {
        "resourceType": "Location",
        "status": "active",
        "name": "Phòng khám",
        "position": {"longitude": 106.2, "latitude": 21.3},
        "hoursOfOperation": [{"daysOfWeek": ["mon"], "openingTime": "07:30:00"}],
    },
    "Provenance": {
        "resourceType": "Provenance",
        "target": [{"reference": "Observation/o1"}],
        "recorded": "2026-03-02T07:30:00Z",
        "agent": [{"who": {"display": "Trung tâm"}}],
        "entity": [{"role": "source", "what": {"display": "tệp nhập"}}],
    },
    "Practitioner": {"resourceType": "Practitioner", "name": [{"text": "BS. C"}]},
    "AllergyIntolerance": {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _terms("allergyintolerance-clinical", "active"),
        "verificationStatus": _terms("allergyintolerance-verification", "confirmed"),
        "code": {"text": "Penicillin"},
        "patient": _SUBJECT,
        "onsetAge": {"value": 40, "unit": "năm", "system": _UCUM, "code": "a"},
    },
    "CarePlan": {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": _SUBJECT,
        "activity": [{"detail": {"status": "scheduled", "description": "Tái khám"}}],
    },
    "Composition": {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "Tóm tắt"},
        "date": "2026-03-02",
        "author": [{"display": "Trung tâm"}],
        "title": "Tóm tắt hồ sơ",
        "section": [{"title": "Kết luận", "entry": [{"reference": "Observation/o1"}]}],
    },
    "List": {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "entry": [{"item": {"reference": "Condition/c1"}}],
    },
    "DocumentReference": {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [
            {"attachment": {"contentType": "application/pdf", "url": "https://centre.example/1.pdf"}}
        ],
    },
    "Media": {
        "resourceType": "Media",
        "status": "completed",
        "content": {"contentType": "image/png", "data": "iVBORw0="},
    },
    "ImagingStudy": {
        "resourceType": "ImagingStudy",
        "status": "available",
        "subject": _SUBJECT,
        "series": [
            {
                "uid": "1.2.3",
                "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"},
            }
        ],
    },
    "QuestionnaireResponse": {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "item": [{"linkId": "1", "answer": [{"valueBoolean": True}]}],
    },
    "Consent": {
        "resourceType": "Consent",
        "status": "active",
        "scope": _terms("consentscope", "patient-privacy"),
        "category": [{"text": "Đồng ý chia sẻ"}],
        "patient": _SUBJECT,
        "policyRule": {"text": "quy chế"},
    },
    "Appointment": {
        "resourceType": "Appointment",
        "status": "booked",
        "start": "2026-03-02T07:30:00Z",
        "end": "2026-03-02T08:00:00Z",
        "participant": [{"actor": _SUBJECT, "status": "accepted"}],
    },
    "MedicationRequest": {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Amlodipin 5 mg"},
        "subject": _SUBJECT,
        "dispenseRequest": {
            "expectedSupplyDuration": {"value": 30, "unit": "ngày", "system": _UCUM, "code": "d"}
        },
    },
    "ValueSet": {
        "resourceType": "ValueSet",
        "status": "active",
        "compose": {"include": [{"system": "http://loinc.org", "concept": [{"code": "14749-6"}]}]},
    },
    "CodeSystem": {
        "resourceType": "CodeSystem",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a"}, {"code": "b"}],
    },
    "ConceptMap": {
        "resourceType": "ConceptMap",
        "status": "active",
        "group": [{"element": [{"code": "a", "target": [{"code": "b", "equivalence": "equivalent"}]}]}],
    },
    "Parameters": {"resourceType": "Parameters", "parameter": [{"name": "a", "valueString": "b"}]},
    "OperationOutcome": {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "invalid"}],
    },
    "Transaction": {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0001",
                "resource": {"resourceType": "Practitioner", "name": [{"text": "BS. C"}]},
                "request": {"method": "POST", "url": "Practitioner"},
            }
        ],
    },
    "Collection": {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": f"https://centre.example/fhir/Practitioner/{number}",
                "resource": {"resourceType": "Practitioner", "id": str(number), "active": True},
            }
            for number in (1, 2)
        ],
    },
    "Document": {
        "resourceType": "Bundle",
        "identifier": {"system": "https://centre.example/sid", "value": "d1"},
        "type": "document",
        "timestamp": "2026-03-02T07:30:00Z",
        "entry": [
            {
                "fullUrl": "https://centre.example/fhir/Composition/1",
                "resource": {
                    "resourceType": "Composition",
                    "id": "1",
                    "status": "final",
                    "type": {"text": "Tóm tắt"},
                    "date": "2026-03-02",
                    "author": [{"display": "Trung tâm"}],
                    "title": "Tóm tắt hồ sơ",
                },
            }
        ],
    },
}
