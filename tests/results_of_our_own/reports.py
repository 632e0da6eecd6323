"""Panels, reports and treatments, with all that comes in and along with them; none of it may be lost."""

import base64
from typing import Any

from results_of_our_own.row import (
    Refused,
    Request,
    Row,
    World,
    amount,
    coded,
    identified,
    of,
    panel,
    post,
    procedure,
    put,
    report,
    result,
    transaction,
)

__all__ = ["REPORT_ROWS"]

FLAGS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
PDF = b"%PDF-1.4 fictitious\n%%EOF\n"
XHTML = "http://www.w3.org/1999/xhtml"
CARDIAC = "<p>Tim to</p><table><tr><td>EF</td><td>35 %</td></tr></table>"


def _an(world: World, **content: Any) -> dict[str, Any]:
    return result(world, world.person("AN"), **content)


def _form(name: str, record: dict[str, Any], **content: Any) -> Row:
    """One Observation of his."""
    return Row(name, lambda w: [post(_an(w, **content))], [of("AN")], record)


def _report(name: str, record: dict[str, Any], **content: Any) -> Row:
    return Row(name, lambda w: [post(report(w, w.person("BINH"), **content))], [of("BINH")], record)


def _flag(code: str, **more: Any) -> dict[str, Any]:
    return coded(code, system=FLAGS, **more)


def _inside(id_: str, code: str, value: str, unit: str = "mmol/L", **more: Any) -> dict[str, Any]:
    said = {"code": {"text": code}, "valueQuantity": amount(value, unit)}
    return {"resourceType": "Observation", "id": id_, "status": "final", **said, **more}


def _components(world: World) -> dict[str, Any]:
    return panel(
        world,
        world.person("AN"),
        code=coded("85354-9", "Huyết áp"),
        component=[
            {
                "code": coded("8480-6", "Tâm thu"),
                "valueQuantity": amount("180", "mmHg", "mm[Hg]"),
                "interpretation": [_flag("H")],
            },
            {"code": coded("8462-4", "Tâm trương"), "dataAbsentReason": coded("error", system=ABSENT)},
        ],
    )


def _members(world: World, *, first: bool) -> list[Request]:
    """A panel of two members; `first`: they come before it."""
    members = [
        result(
            world,
            world.person("AN"),
            id=world.own(name),
            code={"text": name},
            valueQuantity=amount(value, "mmol/L"),
            identifier=identified(world, name),
        )
        for name, value in (("Na", "141"), ("K", "3.1"))
    ]
    listed = [{"reference": f"Observation/{one['id']}"} for one in members]
    whole = panel(world, world.person("AN"), code={"text": "Điện giải"}, hasMember=listed)
    sent = [put(one) for one in members]
    return [*sent, post(whole)] if first else [post(whole), *sent]


REPORT_ROWS = (
    Row(
        "blood pressure, one half flagged, the other not measured",
        lambda w: [post(_components(w))],
        [of("AN")],
        {
            "value": "Tâm thu / 8480-6 180 mmHg [H]; Tâm trương / 8462-4 (error)",
            "content.components.1.absent.codings.0.code": "error",
        },
    ),
    Row(
        "a panel after its members",
        lambda w: _members(w, first=True),
        [of("AN"), of("AN"), of("AN")],
        {"value": "141 mmol/L"},
    ),
    Row(
        "a panel before its members, which the server does not hold yet",
        lambda w: _members(w, first=False),
        [of("AN"), of("AN"), of("AN")],
        {"title": "Điện giải"},
    ),
    # reports
    _report("a conclusion alone", {"conclusion": "Gan nhiễm mỡ độ I"}, conclusion="Gan nhiễm mỡ độ I"),
    _report(
        "a coded diagnosis beside a harmless conclusion",
        {"conclusion": "Đã xem; C34.1"},
        conclusion="Đã xem",
        conclusionCode=[{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C34.1"}]}],
    ),
    _report(
        "contained results",
        {"value": "Kali 7.1 mmol/L [HH]; Natri 141 mmol/L"},
        contained=[
            _inside("k", "Kali", "7.1", interpretation=[_flag("HH")]),
            _inside("na", "Natri", "141"),
        ],
        result=[{"reference": "#k"}, {"reference": "#na"}],
    ),
    _report(
        "a contained panel of contained results",
        {"value": "Điện giải Kali 7.1 mmol/L"},
        contained=[
            _inside("k", "Kali", "7.1"),
            {
                "resourceType": "Observation",
                "id": "p",
                "status": "final",
                "code": {"text": "Điện giải"},
                "hasMember": [{"reference": "#k"}],
            },
        ],
        result=[{"reference": "#p"}],
    ),
    _report(
        "a PDF alone",
        {"content.attachments.0.size": len(PDF), "content.attachments.0.content_type": "application/pdf"},
        presentedForm=[
            {"contentType": "application/pdf", "data": base64.b64encode(PDF).decode(), "title": "Phiếu"}
        ],
    ),
    _report(
        "a text document",
        {"content.attachments.0.text": "KẾT LUẬN: CARCINOMA"},
        presentedForm=[
            {"contentType": "text/plain", "data": base64.b64encode("KẾT LUẬN: CARCINOMA".encode()).decode()}
        ],
    ),
    Row(
        "a document in a Binary that came before",
        lambda w: [
            put(
                {
                    "resourceType": "Binary",
                    "id": w.own("b"),
                    "contentType": "application/pdf",
                    "data": base64.b64encode(PDF).decode(),
                }
            ),
            post(
                report(
                    w,
                    w.person("BINH"),
                    presentedForm=[{"contentType": "application/pdf", "url": f"Binary/{w.own('b')}"}],
                )
            ),
        ],
        [of("BINH")],
        {"content.attachments.0.size": len(PDF)},
    ),
    _report(
        "a document at an address elsewhere",
        {"content.attachments.0.url": "https://pacs.bv-tinh.example/1.pdf"},
        presentedForm=[{"contentType": "application/pdf", "url": "https://pacs.bv-tinh.example/1.pdf"}],
    ),
    _report(
        "a narrative alone",
        {"conclusion": "Tim to\nEF | 35 %"},
        text={
            "status": "additional",
            "div": f'<div xmlns="{XHTML}">{CARDIAC}</div>',
        },
    ),
    Row(
        "results that come along by urn:uuid",
        lambda w: [
            transaction(
                {"fullUrl": w.uuid(1), **result(w, w.person("BINH"), valueQuantity=amount("7.1", "mmol/L"))},
                {
                    "fullUrl": w.uuid(2),
                    **report(w, w.person("BINH"), w.referral("BINH.P8"), result=[{"reference": w.uuid(1)}]),
                },
            )
        ],
        [of("BINH"), of("BINH")],
        {"value": "7.1 mmol/L"},
        {"BINH.P8": "completed"},
    ),
    Row(
        "a report that lists another person's result",
        lambda w: [
            put(result(w, w.person("AN"), id=w.own("o"), valueQuantity=amount("7.1", "mmol/L"))),
            post(report(w, w.person("BINH"), result=[{"reference": f"Observation/{w.own('o')}"}])),
        ],
        [of("AN"), of("BINH")],
        {"value": "7.1 mmol/L"},
    ),
    _report(
        "a culture: organism and what it is sensitive to",
        {"value": "Cấy máu E. coli; Meropenem 16 mg/L [R]"},
        contained=[
            {
                "resourceType": "Observation",
                "id": "o",
                "status": "final",
                "code": {"text": "Cấy máu"},
                "valueCodeableConcept": {"text": "E. coli"},
                "component": [
                    {
                        "code": {"text": "Meropenem"},
                        "valueQuantity": amount("16", "mg/L"),
                        "interpretation": [_flag("R")],
                    }
                ],
            }
        ],
        result=[{"reference": "#o"}],
    ),
    # procedures
    Row(
        "complications beside a success",
        lambda w: [
            post(
                procedure(
                    w,
                    w.person("BINH"),
                    outcome={"text": "thành công"},
                    complication=[coded("I97.8", "chảy máu", "http://hl7.org/fhir/sid/icd-10")],
                    bodySite=[{"text": "động mạch vành phải"}],
                )
            )
        ],
        [of("BINH")],
        {
            "conclusion": "thành công; chảy máu / I97.8",
            "title": "Đặt stent động mạch vành (động mạch vành phải)",
        },
    ),
    # what cannot be
    Row(
        "a value and why there is none",
        lambda w: [
            Request(
                "POST",
                "/Observation",
                _an(w, dataAbsentReason=coded("error", system=ABSENT)),
                status=400,
            )
        ],
        Refused(),
    ),
    Row(
        "a result that refers to nothing here and says nothing",
        lambda w: [post(panel(w, w.person("AN"), code={"text": "Xét nghiệm"}))],
        [of("AN")],
        {"value": None, "title": "Xét nghiệm"},
    ),
    _form("the status unknown", {"status": "unknown"}, status="unknown"),
    _form(
        "cancelled",
        {"status": "cancelled", "value": "(không đủ mẫu)"},
        status="cancelled",
        valueQuantity=None,
        dataAbsentReason={"text": "không đủ mẫu"},
    ),
    _form("registered", {"status": "registered"}, status="registered", valueQuantity=None),
)
