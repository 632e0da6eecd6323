"""The visit itself: XML1 as an Encounter. Pure."""

from typing import Final

from adapter.fhir.codec import Resource
from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.rows import SheetRow

__all__ = ["encounter_of"]

_CLASSES: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_UNKNOWN: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
_KINDS: Final = {  # MA_LOAI_KCB: class, name
    "01": ("AMB", "Khám bệnh"),
    "02": ("AMB", "Điều trị ngoại trú"),
    "03": ("IMP", "Điều trị nội trú"),
    "04": ("IMP", "Điều trị nội trú ban ngày"),
    "05": (
        "AMB",
        "Điều trị ngoại trú các bệnh mạn tính dài ngày liên tục trong năm, có khám bệnh và lĩnh thuốc",
    ),
    "06": ("", "Điều trị lưu tại trạm y tế tuyến xã, phòng khám đa khoa khu vực"),
    "07": ("AMB", "Nhận thuốc theo hẹn (không khám bệnh)"),
    "08": (
        "AMB",
        "Điều trị ngoại trú các bệnh mạn tính dài ngày liên tục trong năm, có dịch vụ kỹ thuật hoặc thuốc",
    ),
    "09": ("IMP", "Điều trị nội trú dưới 04 giờ"),
    "10": ("", "Các trường hợp khác"),
}


def encounter_of(row: SheetRow, patient: Resource, conventions: FileConventions) -> Resource:
    """The Encounter, known again by MA_LK."""
    kind = row.get("MA_LOAI_KCB")
    kind = kind.zfill(2) if kind.isdecimal() else kind
    class_, name = _KINDS.get(kind, ("", ""))
    begun, over = row.moment("NGAY_VAO"), row.moment("NGAY_RA")
    encounter: Resource = {
        "resourceType": "Encounter",
        "identifier": [conventions.numbered("visit", row.required("MA_LK"))],
        "status": "finished" if over else "unknown",
        "class": {"system": _CLASSES, "code": class_} if class_ else _UNKNOWN,
        "subject": patient,
    }
    if kind:
        coding = conventions.coding("", "ma-loai-kcb", kind, name)
        encounter["type"] = [{"coding": [coding], **({"text": name} if name else {})}]
    period = {key: moment for key, moment in (("start", begun), ("end", over)) if moment}
    if period:
        encounter["period"] = period
    if reason := row.get("LY_DO_VV"):
        encounter["reasonCode"] = [{"text": reason}]
    return encounter
