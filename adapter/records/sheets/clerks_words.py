"""What clerks call the sheets and their columns, besides the words of the template."""

from dataclasses import replace

from adapter.records.sheets.columns import Column, Sheet

__all__ = ["with_clerks_words"]

_SHEETS: dict[str, tuple[str, ...]] = {
    "cadre": ("danh sách cán bộ", "ds cán bộ", "hồ sơ cán bộ"),
    "visit": (
        *("lần khám", "đợt khám", "sổ khám", "sổ khám bệnh", "khám bệnh", "khám tại nhà"),
        *("đưa đi khám", "đi khám", "đi viện"),
    ),
    "measurement": ("chỉ số sức khỏe", "chỉ số xét nghiệm"),
    "diagnosis": ("bệnh", "bệnh tật", "bệnh lý", "danh sách bệnh"),
    "referral": (
        *("chuyển tuyến", "chuyển viện", "phiếu chuyển tuyến", "giấy chuyển tuyến", "giấy chuyển viện"),
        "giấy giới thiệu",
    ),
    "procedure": ("phẫu thuật", "phẫu thuật, thủ thuật", "thủ thuật, phẫu thuật"),
    "immunization": ("tiêm vắc xin", "tiêm ngừa", "chủng ngừa", "mũi tiêm", "vắc xin"),
}
_ICD10 = ("mã icd-10", "mã icd", "icd", "mã bệnh")
_COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "cadre": {
        "tier": ("diện ql", "diện qlý", "diện cb", "diện cán bộ quản lý", "đối tượng ql", "diện bảo vệ"),
    },
    "visit": {
        "key": ("mã lượt", "mã lần khám", "mã đợt khám"),
        "health_class": ("phân loại sk", "plsk", "xếp loại sức khỏe", "loại sức khỏe"),
        "cadre_class": ("pl cán bộ", "phân loại cb", "plcb", "xếp loại cán bộ", "loại cán bộ"),
    },
    "measurement": {"visit": ("mã lượt",)},
    "diagnosis": {
        "icd10": _ICD10,
        "text": ("chẩn đoán", "tên chẩn đoán"),
        "recorded_on": ("ngày chẩn đoán", "ngày phát hiện"),
    },
    "referral": {
        "key": (
            *("số phiếu", "số phiếu chuyển", "số giấy", "số giấy chuyển", "số giấy chuyển tuyến"),
            "số chuyển tuyến",
        ),
        "hospital": (
            *("nơi chuyển đến", "nơi chuyển", "chuyển đến", "nơi đến", "bệnh viện chuyển đến", "bv"),
            *("nơi tiếp nhận", "cơ sở tiếp nhận", "bệnh viện tiếp nhận", "tên bệnh viện"),
        ),
        "service": (
            *("dịch vụ yêu cầu", "dịch vụ chỉ định", "nội dung yêu cầu", "nội dung khám", "yêu cầu"),
            *("chuyên khoa", "khám chuyên khoa"),
        ),
        "reason": ("lý do chuyển", "lý do chuyển tuyến", "lý do chuyển khám", "lý do chuyển viện"),
        "icd10": _ICD10,
        "priority": ("ưu tiên", "độ ưu tiên", "mức độ ưu tiên"),
        "ordered_at": (
            *("ngày chuyển", "ngày chuyển tuyến", "ngày chuyển viện", "ngày lập phiếu", "ngày lập"),
            *("ngày cấp", "ngày phiếu"),
        ),
    },
    "procedure": {
        "key": ("số phiếu",),
        "started_at": ("thời gian thực hiện", "ngày làm", "ngày làm thủ thuật"),
        "icd10": _ICD10,
    },
    "immunization": {
        "key": ("mã phiếu", "số phiếu", "mã tiêm"),
        "vaccine": ("loại vắc xin", "vacxin"),
        "given_at": ("ngày tiêm chủng", "thời gian tiêm"),
        "lot": ("lô", "lô vắc xin", "số lô vắc xin"),
        "dose_number": ("mũi", "lần tiêm", "liều số"),
    },
}


def with_clerks_words(sheet: Sheet) -> Sheet:
    """The sheet, known by these words too."""
    said = _COLUMNS.get(sheet.kind, {})

    def known(column: Column) -> Column:
        return replace(column, aliases=(*column.aliases, *said.get(column.field, ())))

    columns = tuple(known(column) for column in sheet.columns)
    return replace(sheet, columns=columns, aliases=(*sheet.aliases, *_SHEETS.get(sheet.kind, ())))
