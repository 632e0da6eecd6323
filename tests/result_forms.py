"""A result in every form that docs/for-hospitals.md names: what is sent, and what the record holds of it."""

import base64
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

__all__ = ["FORMS", "LONG", "PDF", "Form"]

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
SNOMED = "http://snomed.info/sct"
LOCAL = "https://bv-tinh.example/codes"
FLAGS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
PDF = b"%PDF-1.4 fictitious\n%%EOF\n"
LONG = "Mô tả vi thể. " * 400 + "KẾT LUẬN: CARCINOMA"


@dataclass(frozen=True)
class Form:
    """`sent`, with what came `along`. `holds`: path into the record's content -> what stands there."""

    sent: dict[str, Any]
    holds: dict[str, Any]
    along: dict[str, dict[str, Any]] = field(default_factory=dict)


def coded(
    code: str, display: str | None = None, system: str = LOINC, text: str | None = None
) -> dict[str, Any]:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


def amount(value: str, unit: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    return {"value": Decimal(value), "unit": unit, "system": UCUM, "code": code or unit, **more}


def observation(code: Any = "Kali", **content: Any) -> dict[str, Any]:
    named = {"text": code} if isinstance(code, str) else code
    return {"resourceType": "Observation", "status": "final", "code": named, **content}


def report(**content: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Phiếu kết quả"},
        **content,
    }


def procedure(**content: Any) -> dict[str, Any]:
    return {"resourceType": "Procedure", "status": "completed", "code": {"text": "Đặt stent"}, **content}


def ref(reference: str, **more: Any) -> dict[str, Any]:
    return {"reference": reference, **more}


POTASSIUM = observation(
    coded("2823-3", "Potassium [Moles/volume] in Serum or Plasma", text="Kali máu"),
    valueQuantity=amount("7.1", "mmol/L"),
    interpretation=[coded("HH", system=FLAGS)],
)
SODIUM = observation("Natri", valueQuantity=amount("141", "mmol/L"), id="na")
URINE = {
    "resourceType": "Specimen",
    "id": "sp",
    "type": {"text": "nước tiểu 24 giờ"},
    "collection": {"bodySite": {"text": "bàng quang"}, "collectedDateTime": "2026-03-01"},
    "condition": [{"text": "thiếu thể tích"}],
}
CREATININE = coded("14682-9", "Creatinine [Moles/volume] in Serum or Plasma")

FORMS: dict[str, Form] = {
    "`Observation` with `valueQuantity`": Form(
        observation(
            {
                "coding": [
                    {"system": LOCAL, "code": "HGB01", "display": "HGB"},
                    {"system": LOINC, "code": "718-7", "display": "Hemoglobin [Mass/volume] in Blood"},
                ],
                "text": "Huyết sắc tố",
            },
            valueQuantity=amount("13.50", "g/dL", comparator="<"),
        ),
        {
            "value.amount": {
                "value": "13.50",
                "comparator": "<",
                "unit": "g/dL",
                "system": UCUM,
                "code": "g/dL",
            },
            "code.codings.1.code": "718-7",
            "code.codings.0.display": "HGB",
            "code.text": "Huyết sắc tố",
            "measure": "HEM-HGB",
            "local": {"value": "135.0", "comparator": "<", "unit": "g/L", "system": UCUM, "code": "g/L"},
        },
    ),
    "with `valueCodeableConcept`": Form(
        observation(
            valueCodeableConcept={
                "text": "Âm tính",
                "coding": [
                    {"system": SNOMED, "code": "260385009", "display": "Negative"},
                    {"system": LOCAL, "code": "NEG"},
                ],
            }
        ),
        {
            "value.concept.text": "Âm tính",
            "value.concept.codings.0.code": "260385009",
            "value.concept.codings.1.code": "NEG",
        },
    ),
    "with `valueString`": Form(observation(valueString=LONG), {"value.text": LONG}),
    "with `valueBoolean`": Form(observation(valueBoolean=False), {"value.text": "false"}),
    "with `valueInteger`": Form(observation(valueInteger=0), {"value.text": "0"}),
    "with `valueRange`": Form(
        observation(valueRange={"high": amount("5", "mmol/L")}), {"value.high.value": "5", "value.low": None}
    ),
    "with `valueRatio`": Form(
        observation(valueRatio={"numerator": amount("1", "1"), "denominator": amount("80", "1")}),
        {"value.numerator.value": "1", "value.denominator.value": "80"},
    ),
    "with `valueSampledData`": Form(
        observation(
            valueSampledData={
                "origin": amount("0", "mV"),
                "period": 10,
                "factor": Decimal("0.5"),
                "dimensions": 1,
                "data": "1 2 E 4",
            }
        ),
        {"value.samples.data": "1 2 E 4", "value.samples.factor": "0.5", "value.samples.origin.unit": "mV"},
    ),
    "with `valueTime`": Form(observation(valueTime="07:30:00"), {"value.text": "07:30:00"}),
    "with `valueDateTime`": Form(observation(valueDateTime="2026-03"), {"value.text": "2026-03"}),
    "with `valuePeriod`": Form(
        observation(valuePeriod={"start": "2026-01-01", "end": "2026-01-02"}),
        {"value.start": "2026-01-01", "value.end": "2026-01-02"},
    ),
    "without a value": Form(
        observation(dataAbsentReason=coded("error", system="http://x.example", text="mẫu đông")),
        {"value": None, "absent.text": "mẫu đông", "absent.codings.0.code": "error"},
    ),
    "with `referenceRange`": Form(
        observation(
            valueQuantity=amount("4", "ng/mL"),
            referenceRange=[
                {
                    "high": amount("4.5", "ng/mL"),
                    "text": "theo tuổi",
                    "type": {"text": "bình thường"},
                    "appliesTo": [{"text": "nam"}],
                    "age": {"low": amount("60", "a"), "high": amount("69", "a")},
                }
            ],
        ),
        {
            "ranges.0.high.value": "4.5",
            "ranges.0.low": None,
            "ranges.0.text": "theo tuổi",
            "ranges.0.type.text": "bình thường",
            "ranges.0.applies_to.0.text": "nam",
            "ranges.0.age_low.value": "60",
            "ranges.0.age_high.value": "69",
        },
    ),
    "with `interpretation` and `note`": Form(
        {**POTASSIUM, "note": [{"text": "mẫu tán huyết, không tin cậy", "authorString": "KTV Hoa"}]},
        {
            "flags.0.codings.0.code": "HH",
            "notes.0.text": "mẫu tán huyết, không tin cậy",
            "notes.0.author": "KTV Hoa",
        },
    ),
    "with `specimen`, `bodySite`, `method`": Form(
        observation(
            "creatinine",
            valueQuantity=amount("9", "mmol/(24.h)"),
            specimen=ref("Specimen/sp"),
            bodySite={"text": "thận trái"},
            method={"text": "Jaffe"},
        ),
        {
            "specimens.0.type.text": "nước tiểu 24 giờ",
            "specimens.0.body_site.text": "bàng quang",
            "specimens.0.collected": "2026-03-01",
            "specimens.0.conditions.0.text": "thiếu thể tích",
            "body_sites.0.text": "thận trái",
            "method.text": "Jaffe",
            "measure": None,
        },
        {"Specimen/sp": URINE},
    ),
    "with a unit that its code contradicts": Form(
        observation(CREATININE, valueQuantity=amount("1.2", "mg/dL", "umol/L")),
        {
            "contradictions": ["unit"],
            "value.amount.unit": "mg/dL",
            "value.amount.code": "umol/L",
            "value.amount.contradicts": True,
            "local": None,
        },
    ),
    "with a code of a specimen that `specimen` contradicts": Form(
        observation(CREATININE, valueQuantity=amount("900", "umol/L"), specimen=ref("Specimen/sp")),
        {"contradictions": ["specimen"], "measure": None, "specimens.0.type.text": "nước tiểu 24 giờ"},
        {"Specimen/sp": URINE},
    ),
    "with a unit of another kind than its code": Form(
        observation(CREATININE, valueQuantity=amount("1.2", "mg/dL")),
        {"contradictions": ["property"], "measure": "BIO-CREA", "value.amount.value": "1.2"},
    ),
    "a panel of `component`": Form(
        observation(
            coded("85354-9"),
            component=[
                {
                    "code": coded("8480-6"),
                    "valueQuantity": amount("180", "mmHg", "mm[Hg]"),
                    "interpretation": [coded("H", system=FLAGS)],
                    "referenceRange": [{"high": amount("139", "mmHg", "mm[Hg]")}],
                },
                {"code": coded("8462-4"), "dataAbsentReason": {"text": "không đo được"}},
            ],
        ),
        {
            "measure": "VS-BP",
            "components.0.measure": "VS-SBP",
            "components.0.value.amount.value": "180",
            "components.0.flags.0.codings.0.code": "H",
            "components.0.ranges.0.high.value": "139",
            "components.1.measure": "VS-DBP",
            "components.1.absent.text": "không đo được",
        },
    ),
    "a panel of `hasMember`": Form(
        observation(
            "Điện giải đồ", hasMember=[ref("Observation/na"), ref("Observation/later", display="Clo")]
        ),
        {
            "members.0.relation": "hasMember",
            "members.0.content.value.amount.value": "141",
            "members.1.reference": "Observation/later",
            "members.1.display": "Clo",
        },
        {"Observation/na": SODIUM},
    ),
    "`DiagnosticReport` with `result`": Form(
        report(result=[ref("Observation/na")], conclusion="Bình thường"),
        {
            "members.0.relation": "result",
            "members.0.content.code.text": "Natri",
            "members.0.content.value.amount.value": "141",
            "conclusion": "Bình thường",
        },
        {"Observation/na": SODIUM},
    ),
    "with contained results": Form(
        report(
            contained=[{**POTASSIUM, "id": "k"}, {**SODIUM, "id": "na"}],
            result=[ref("#k")],
        ),
        {
            "members.0.reference": "#k",
            "members.0.content.value.amount.value": "7.1",
            "members.0.content.flags.0.codings.0.code": "HH",
            "members.0.content.measure": "BIO-K",
            "members.1.relation": "contained",
            "members.1.content.value.amount.value": "141",
        },
    ),
    "with a PDF alone (`presentedForm`)": Form(
        report(
            presentedForm=[
                {
                    "contentType": "application/pdf",
                    "title": "Kết quả giải phẫu bệnh",
                    "data": base64.b64encode(PDF).decode(),
                }
            ]
        ),
        {
            "attachments.0.content_type": "application/pdf",
            "attachments.0.title": "Kết quả giải phẫu bệnh",
            "attachments.0.size": len(PDF),
            "attachments.0.place": "presentedForm[0]",
        },
    ),
    "with a PDF in a `Binary`": Form(
        report(presentedForm=[{"contentType": "application/pdf", "url": "Binary/b1"}]),
        {"attachments.0.url": "Binary/b1", "attachments.0.size": len(PDF)},
        {
            "Binary/b1": {
                "resourceType": "Binary",
                "id": "b1",
                "contentType": "application/pdf",
                "data": base64.b64encode(PDF).decode(),
            }
        },
    ),
    "with a text document": Form(
        report(
            presentedForm=[
                {"contentType": "text/plain; charset=utf-8", "data": base64.b64encode(LONG.encode()).decode()}
            ]
        ),
        {"attachments.0.text": LONG, "attachments.0.size": len(LONG.encode())},
    ),
    "with a narrative alone": Form(
        report(
            text={
                "status": "additional",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Tim to &amp; giãn</p>'
                "<table><tr><td>EF</td><td>35 %</td></tr></table></div>",
            }
        ),
        {"narrative": "Tim to & giãn\nEF | 35 %"},
    ),
    "microbiology: organism, susceptibilities": Form(
        report(
            contained=[
                observation(
                    "Vi khuẩn",
                    id="o",
                    valueCodeableConcept=coded("112283007", "Escherichia coli", SNOMED),
                    hasMember=[ref("#s")],
                ),
                observation(
                    coded("18906-8", "Ciprofloxacin [Susceptibility]"),
                    id="s",
                    valueQuantity=amount("4", "ug/mL", comparator=">="),
                    interpretation=[coded("R", system=FLAGS)],
                ),
            ],
            result=[ref("#o")],
        ),
        {
            "members.0.content.value.concept.codings.0.display": "Escherichia coli",
            "members.0.content.members.0.content.value.amount.comparator": ">=",
            "members.0.content.members.0.content.flags.0.codings.0.code": "R",
            "members.1": None,
        },
    ),
    "pathology: a long conclusion and its codes": Form(
        report(
            conclusion=LONG,
            conclusionCode=[
                {"coding": [{"system": ICD10, "code": "C34.1"}, {"system": SNOMED, "code": "254637007"}]}
            ],
            specimen=[ref("Specimen/sp")],
        ),
        {
            "conclusion": LONG,
            "conclusion_codes.0.codings.0.code": "C34.1",
            "conclusion_codes.0.codings.1.code": "254637007",
            "specimens.0.body_site.text": "bàng quang",
        },
        {"Specimen/sp": URINE},
    ),
    "imaging: conclusion, images, study": Form(
        report(
            conclusion="Nốt mờ thùy trên phổi phải",
            imagingStudy=[ref("ImagingStudy/1")],
            media=[{"comment": "Lát cắt 12", "link": ref("Media/m1")}],
        ),
        {
            "conclusion": "Nốt mờ thùy trên phổi phải",
            "attachments.0.title": "Lát cắt 12",
            "attachments.0.content_type": "image/png",
            "unread": ["imagingStudy"],
        },
        {
            "Media/m1": {
                "resourceType": "Media",
                "id": "m1",
                "content": {"contentType": "image/png", "data": base64.b64encode(b"png").decode()},
            }
        },
    ),
    "`Procedure`": Form(
        procedure(
            outcome={"text": "thành công"},
            complication=[coded("I97.8", "Bleeding", ICD10)],
            followUp=[{"text": "tái khám sau 7 ngày"}],
            bodySite=[{"text": "LAD"}],
            reasonCode=[{"text": "đau ngực"}],
            performedPeriod={"start": "2026-03-01", "end": "2026-03-02"},
            performer=[{"function": {"text": "mổ chính"}, "actor": {"display": "BS Minh"}}],
        ),
        {
            "outcome.text": "thành công",
            "complications.0.codings.0.code": "I97.8",
            "follow_up.0.text": "tái khám sau 7 ngày",
            "body_sites.0.text": "LAD",
            "reasons.0.text": "đau ngực",
            "effective": "2026-03-01 - 2026-03-02",
            "senders": ["BS Minh"],
        },
    ),
    "a procedure that was not done": Form(
        {**procedure(statusReason={"text": "từ chối"}), "status": "not-done"},
        {"status": "not-done", "status_reason.text": "từ chối"},
    ),
    "a withdrawn result": Form(
        {**POTASSIUM, "status": "entered-in-error"},
        {"status": "entered-in-error", "value.amount.value": "7.1"},
    ),
    "elements that have no part here": Form(
        observation(valueInteger=1, extension=[{"url": "https://x.example/e", "valueString": "y"}]),
        {"unread": ["extension"], "value.text": "1"},
    ),
}
