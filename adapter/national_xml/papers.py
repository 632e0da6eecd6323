"""Papers of a visit, each as a report with its parts as text: discharge (XML7), summary of the record (XML8),
transfer (XML13), appointment (XML14), and what XML1 itself says of the visit. Pure.

The Vietnamese names of the fields are those of the rules.
"""

import base64
from dataclasses import dataclass
from typing import Final

from adapter.fhir.codec import Resource
from adapter.national_xml.reports import ReportContext
from adapter.national_xml.rows import SheetRow

__all__ = ["PAPERS", "Paper", "add_paper"]

_CONCLUSION: Final = "CHAN_DOAN_RV"
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
_OUTCOMES: Final = {  # KET_QUA_DTRI
    "1": "Khỏi",
    "2": "Đỡ",
    "3": "Không thay đổi",
    "4": "Nặng hơn",
    "5": "Tử vong",
    "6": "Tiên lượng nặng xin về",
    "7": "Chưa xác định",
}
_DISCHARGES: Final = {  # MA_LOAI_RV
    "1": "Ra viện",
    "2": "Chuyển tuyến theo yêu cầu chuyên môn",
    "3": "Trốn viện",
    "4": "Xin ra viện",
    "5": "Chuyển tuyến theo yêu cầu người bệnh",
}
_CODES: Final = {"KET_QUA_DTRI": _OUTCOMES, "MA_LOAI_RV": _DISCHARGES}
_MOMENTS: Final = frozenset(("NGAY_CT", "NGAY_HEN_KL"))  # as they are written: they are checked


@dataclass(frozen=True, slots=True)
class Paper:
    """`number` is the field with its own number; `parts` are told under their names. It is one if it has any
    of those that it `needs`, or, where these are none, any part.
    """

    title: str
    number: str
    parts: tuple[tuple[str, str], ...]
    needs: tuple[str, ...] = ()


_DIAGNOSES: Final = (("MA_BENH_CHINH", "Mã bệnh chính"), ("MA_BENH_KT", "Mã bệnh kèm theo"))
PAPERS: Final[dict[str, Paper]] = {
    "XML1": Paper(
        "Tổng hợp khám bệnh, chữa bệnh",
        "",
        (
            ("LY_DO_VV", "Lý do vào viện"),
            ("CHAN_DOAN_VAO", "Chẩn đoán vào viện"),
            ("CHAN_DOAN_RV", "Chẩn đoán ra viện"),
            *_DIAGNOSES,
            ("PP_DIEU_TRI", "Phương pháp điều trị"),
            ("KET_QUA_DTRI", "Kết quả điều trị"),
            ("MA_LOAI_RV", "Loại ra viện"),
            ("NGAY_TAI_KHAM", "Ngày tái khám"),
            ("GHI_CHU", "Ghi chú"),
        ),
        needs=("CHAN_DOAN_RV", "MA_BENH_CHINH", "PP_DIEU_TRI", "GHI_CHU"),
    ),
    "XML7": Paper(
        "Giấy ra viện",
        "SO_LUU_TRU",
        (
            ("CHAN_DOAN_RV", "Chẩn đoán ra viện"),
            ("PP_DIEUTRI", "Phương pháp điều trị"),
            ("SO_NGAY_NGHI", "Số ngày nghỉ"),
            ("NGOAITRU_TUNGAY", "Nghỉ điều trị ngoại trú từ ngày"),
            ("NGOAITRU_DENNGAY", "Nghỉ điều trị ngoại trú đến ngày"),
            ("GHI_CHU", "Ghi chú"),
            ("NGAY_CT", "Ngày chứng từ"),
        ),
    ),
    "XML8": Paper(
        "Tóm tắt hồ sơ bệnh án",
        "",
        (
            ("CHAN_DOAN_VAO", "Chẩn đoán vào viện"),
            ("CHAN_DOAN_RV", "Chẩn đoán ra viện"),
            ("QT_BENHLY", "Quá trình bệnh lý và diễn biến lâm sàng"),
            ("TOMTAT_KQ", "Tóm tắt kết quả xét nghiệm cận lâm sàng"),
            ("PP_DIEUTRI", "Phương pháp điều trị"),
            ("KET_QUA_DTRI", "Kết quả điều trị"),
            ("GHI_CHU", "Ghi chú"),
            ("NGAY_CT", "Ngày chứng từ"),
        ),
    ),
    "XML13": Paper(
        "Giấy chuyển tuyến",
        "GIAY_CHUYEN_TUYEN",
        (
            ("MA_NOI_DEN", "Mã nơi đến"),
            ("MA_CSKCB_DEN", "Mã cơ sở khám bệnh, chữa bệnh đến"),
            ("DAU_HIEU_LS", "Dấu hiệu lâm sàng"),
            ("CHAN_DOAN_RV", "Chẩn đoán"),
            *_DIAGNOSES,
            ("QT_BENHLY", "Quá trình bệnh lý và diễn biến lâm sàng"),
            ("TOMTAT_KQ", "Tóm tắt kết quả xét nghiệm cận lâm sàng"),
            ("PP_DIEUTRI", "Phương pháp điều trị"),
            ("PP_DIEU_TRI", "Phương pháp điều trị"),
            ("TEN_DICH_VU", "Dịch vụ kỹ thuật đã dùng"),
            ("TEN_THUOC", "Thuốc đã dùng"),
            ("HUONG_DIEU_TRI", "Hướng điều trị"),
            ("TINH_TRANG_CT", "Tình trạng người bệnh lúc chuyển"),
            ("MA_LYDO_CT", "Mã lý do chuyển"),
            ("PHUONGTIEN_VC", "Phương tiện vận chuyển"),
        ),
    ),
    "XML14": Paper(
        "Giấy hẹn khám lại",
        "SO_GIAYHEN_KL",
        (
            ("NGAY_HEN_KL", "Ngày hẹn khám lại"),
            ("CHAN_DOAN_RV", "Chẩn đoán"),
            *_DIAGNOSES,
            ("NGAY_CT", "Ngày chứng từ"),
        ),
    ),
}
"""By sheet. Parents, guardians, employers, pregnancies and the staff are not taken."""


def add_paper(sheet: str, row: SheetRow, summary: SheetRow, context: ReportContext) -> None:
    """Add the report of one paper, unless it says nothing; `summary` is the visit's XML1."""
    paper = PAPERS[sheet]
    lines = [f"{name}: {said}" for field, name in paper.parts if (said := _said(row, field))]
    if not lines or (paper.needs and not any(row.get(field) for field in paper.needs)):
        return
    conventions = context.conventions
    own = row.get(paper.number) if paper.number else ""
    number = "/".join(filter(None, (context.visit, sheet, own)))
    identifiers = [conventions.numbered("result", number)]
    if own:
        identifiers.append(conventions.numbered("paper-number", own))
    text = base64.b64encode("\n".join(lines).encode()).decode()
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": identifiers,
        "status": "final" if row.get("NGAY_RA") or summary.get("NGAY_RA") else "unknown",
        "code": {
            "coding": [{"system": f"{conventions.own}/paper", "code": sheet, "display": paper.title}],
            "text": paper.title,
        },
        **context.shared(),
        **_time(row),
        "presentedForm": [{"contentType": "text/plain; charset=utf-8", "data": text, "title": paper.title}],
    }
    if conclusion := row.get(_CONCLUSION):
        report["conclusion"] = conclusion
    codes = [code.strip() for field, _ in _DIAGNOSES for code in row.get(field).split(";")]
    if coded := [{"coding": [{"system": _ICD10, "code": code}]} for code in codes if code]:
        report["conclusionCode"] = coded
    context.entries.add(report, row.place)


def _said(row: SheetRow, field: str) -> str:
    if field in _MOMENTS:
        return row.moment(field) or ""
    said = row.get(field)
    return _CODES.get(field, {}).get(said, said)


def _time(row: SheetRow) -> Resource:
    """When the visit was, as the paper says it."""
    begun, over = row.moment("NGAY_VAO"), row.moment("NGAY_RA")
    if begun and over:
        return {"effectivePeriod": {"start": begun, "end": over}}
    return {"effectiveDateTime": begun or over} if begun or over else {}
