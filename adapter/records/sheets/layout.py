"""The sheets of a workbook: every column with its headers in Vietnamese and English."""

from functools import partial

from adapter.records.sheets import cell_parsers, code_cells
from adapter.records.sheets.birth_date import parse_birth_date
from adapter.records.sheets.choices import CHOICE_LISTS, fold_label, parse_class, parse_flag
from adapter.records.sheets.clerks_words import with_clerks_words
from adapter.records.sheets.columns import CellParser, Column, Sheet
from adapter.records.sheets.vietnamese_text.readings import all_readings

__all__ = ["SHEETS", "find_sheet"]


def _text(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, cell_parsers.parse_text, "expect_text", required, None, aliases)


def _key(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, cell_parsers.parse_key, "expect_key", required, None, aliases)


def _day(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, cell_parsers.parse_date, "expect_date", required, None, aliases)


def _moment(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    parse = cell_parsers.parse_date_or_datetime
    return Column(field, vi, en, parse, "expect_instant", required, None, aliases)


def _one(field: str, vi: str, en: str, choice: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, CHOICE_LISTS[choice].parse, "expect_choice", required, choice, aliases)


def _class(field: str, vi: str, en: str) -> Column:
    return Column(field, vi, en, partial(parse_class, field), "expect_choice", choice=field)


def _as(
    field: str, vi: str, en: str, parse: CellParser, expected: str, *aliases: str, required: bool = False
) -> Column:
    return Column(field, vi, en, parse, expected, required, None, aliases)


_CADRE = _key("cadre", "Mã cán bộ", "Cadre key", "cadre", "mã cb", "mã số cán bộ", required=True)
_VISIT = _key("visit", "Mã lượt khám", "Visit key", "visit", "mã lần khám", "mã đợt khám")
_HOSPITAL = Column("hospital", "Bệnh viện", "Hospital", cell_parsers.parse_key, "expect_hospital")

_TEMPLATE = (
    Sheet(
        "cadre",
        "Cán bộ",
        "Cadres",
        (
            _key(
                "key", "Mã cán bộ", "Key", "cadre key", "mã", "mã số", "mã cb", "mã số cán bộ", required=True
            ),
            _as(
                "name",
                "Họ và tên",
                "Name",
                cell_parsers.parse_name,
                "expect_name",
                "họ tên",
                "full name",
                "họ và tên cán bộ",
                "họ tên cán bộ",
                "họ, chữ đệm và tên",
                "họ và tên khai sinh",
                required=True,
            ),
            _one("sex", "Giới tính", "Sex", "sex", "giới", "gender", "phái", "nam/nữ", required=True),
            _as(
                "birth_date",
                "Ngày sinh",
                "Date of birth",
                parse_birth_date,
                "expect_birth_date",
                "birth date",
                "ngày tháng năm sinh",
                "năm sinh",
                "sinh ngày",
                "ntns",
                "dob",
                required=True,
            ),
            _one(
                "tier",
                "Diện quản lý",
                "Tier",
                "tier",
                "diện",
                "diện cán bộ",
                "đối tượng quản lý",
                required=True,
            ),
            _text("position", "Chức vụ", "Position", "chức danh", "chức vụ/chức danh", "chức vụ hiện nay"),
            _as(
                "national_id",
                "Số CCCD",
                "Citizen id",
                code_cells.parse_citizen_id,
                "expect_citizen_id",
                "cccd",
                "căn cước",
                "số căn cước",
                "số định danh cá nhân",
                "số định danh",
                "mã định danh cá nhân",
                "mã định danh",
                "định danh cá nhân",
                "số cccd/cmnd",
                "cccd/cmnd",
                "cmnd/cccd",
                "số cmnd/cccd",
                "căn cước công dân",
                "số căn cước công dân",
                "thẻ căn cước",
                "số thẻ căn cước",
                "số giấy tờ tùy thân",
                "national id",
            ),
            _as(
                "old_national_id",
                "Số CMND cũ",
                "Old identity card",
                code_cells.parse_old_citizen_id,
                "expect_old_citizen_id",
                "cmnd",
                "số cmnd",
                "cmnd cũ",
                "chứng minh nhân dân",
                "số chứng minh nhân dân",
            ),
            _as(
                "insurance",
                "Số thẻ BHYT",
                "Insurance number",
                code_cells.parse_insurance_numbers,
                "expect_insurance",
                "bhyt",
                "thẻ bhyt",
                "mã thẻ bhyt",
                "mã thẻ",
                "số bhyt",
                "mã bhyt",
                "mã số bhyt",
                "số thẻ bảo hiểm y tế",
                "thẻ bảo hiểm y tế",
                "bảo hiểm y tế",
            ),
            _as(
                "phone",
                "Điện thoại",
                "Phone",
                code_cells.parse_phone,
                "expect_phone",
                "số điện thoại",
                "sđt",
                "đt",
                "số đt",
                "điện thoại di động",
                "điện thoại liên hệ",
                "số điện thoại liên hệ",
                "di động",
                "đtdđ",
                "telephone",
                "mobile",
            ),
            _text(
                "address",
                "Địa chỉ",
                "Address",
                "nơi ở",
                "nơi ở hiện nay",
                "chỗ ở hiện nay",
                "địa chỉ hiện nay",
                "nơi cư trú",
            ),
            _as(
                "province",
                "Tỉnh",
                "Province",
                code_cells.parse_province,
                "expect_province",
                "mã tỉnh",
                "tỉnh/thành phố",
                "tỉnh/tp",
            ),
            Column(
                "ethnic_group",
                "Dân tộc",
                "Ethnic group",
                code_cells.parse_ethnic_group,
                "expect_ethnic_group",
                aliases=("mã dân tộc",),
            ),
            Column(
                "consents",
                "Đồng ý chia sẻ",
                "Consents",
                CHOICE_LISTS["consent"].parse_several,
                "expect_choices",
                choice="consent",
            ),
            _day("deceased_on", "Ngày mất", "Died on", "deceased on", "ngày tử vong", "ngày chết"),
        ),
        ("cadre", "canbo"),
    ),
    Sheet(
        "visit",
        "Lượt khám",
        "Visits",
        (
            _key("key", "Mã lượt khám", "Key", "visit key", required=True),
            _CADRE,
            _one(
                "type",
                "Loại",
                "Type",
                "visit_type",
                "loại lượt khám",
                "loại khám",
                "hình thức khám",
                required=True,
            ),
            _moment(
                "started_at", "Bắt đầu", "Started at", "ngày khám", "thời gian khám", "start", required=True
            ),
            _moment("ended_at", "Kết thúc", "Ended at", "end"),
            _HOSPITAL,
            _text("reason", "Lý do", "Reason", "lý do khám"),
            _text("conclusion", "Kết luận", "Conclusion", "kết luận khám"),
            _one("advice", "Hướng xử trí", "Advice", "advice", "xử trí"),
            _class("health_class", "Phân loại sức khỏe", "Health class"),
            _class("cadre_class", "Phân loại cán bộ", "Cadre class"),
            _as(
                "specimens",
                "Số mẫu",
                "Specimens",
                cell_parsers.parse_small_integer,
                "expect_whole",
                "số mẫu xét nghiệm",
            ),
        ),
        ("visit", "luotkham"),
    ),
    Sheet(
        "measurement",
        "Chỉ số",
        "Measurements",
        (
            _key("key", "Mã", "Key", "mã dòng"),
            _key("visit", "Mã lượt khám", "Visit key", "visit", required=True),
            _key("cadre", "Mã cán bộ", "Cadre key", "cadre"),
            _key("measure", "Mã chỉ số", "Measure", "measure code", "mã xét nghiệm", required=True),
            _text("name", "Tên chỉ số", "Measure name", "chỉ số", "tên xét nghiệm", "xét nghiệm"),
            _as(
                "value",
                "Giá trị",
                "Value",
                cell_parsers.parse_value_as_written,
                "expect_value",
                "kết quả",
                "result",
                required=True,
            ),
            _text("unit", "Đơn vị", "Unit", "đơn vị đo", "đơn vị tính", "đvt"),
            _as("low", "Ngưỡng dưới", "Low", cell_parsers.parse_decimal, "expect_decimal", "reference low"),
            _as(
                "high", "Ngưỡng trên", "High", cell_parsers.parse_decimal, "expect_decimal", "reference high"
            ),
            Column("flag", "Cờ", "Flag", parse_flag, "expect_choice", choice="flag"),
            _moment("taken_at", "Thời điểm lấy", "Taken at"),
            _one("status", "Trạng thái", "Status", "measurement_status"),
        ),
        ("measurement", "chiso", "xét nghiệm", "kết quả đo"),
    ),
    Sheet(
        "diagnosis",
        "Chẩn đoán",
        "Diagnoses",
        (
            _key("key", "Mã chẩn đoán", "Key", "mã", required=True),
            _CADRE,
            _VISIT,
            _as(
                "icd10",
                "ICD-10",
                "ICD-10",
                code_cells.parse_icd10,
                "expect_icd10",
                "mã icd-10",
                "mã bệnh",
                required=True,
            ),
            _text("text", "Diễn giải", "Text", "tên bệnh", "description"),
            _one("certainty", "Mức độ", "Certainty", "certainty"),
            Column(
                "is_new",
                "Mới phát hiện",
                "New",
                cell_parsers.parse_boolean,
                "expect_boolean",
                choice="yes_no",
            ),
            _day("recorded_on", "Ngày ghi nhận", "Recorded on"),
        ),
        ("diagnosis", "chandoan"),
    ),
    Sheet(
        "referral",
        "Chuyển khám",
        "Referrals",
        (
            _key("key", "Mã phiếu", "Key", "mã phiếu chuyển", "mã", required=True),
            _CADRE,
            _VISIT,
            Column("hospital", "Bệnh viện", "Hospital", cell_parsers.parse_key, "expect_hospital", True),
            _one("category", "Loại yêu cầu", "Category", "category"),
            _key("service", "Dịch vụ", "Service", "mã dịch vụ", required=True),
            _text("reason", "Lý do", "Reason"),
            Column("icd10", "ICD-10", "ICD-10", code_cells.parse_icd10, "expect_icd10"),
            _one("priority", "Mức ưu tiên", "Priority", "priority"),
            _one("status", "Trạng thái", "Status", "referral_status"),
            _moment("ordered_at", "Ngày chỉ định", "Ordered at", required=True),
            _day("due_on", "Hạn", "Due on", "hạn hoàn thành"),
            Column(
                "supporting", "Chỉ số kèm theo", "Supporting measures", cell_parsers.parse_list, "expect_list"
            ),
        ),
        ("referral", "chuyenkham", "giấy chuyển", "phiếu chuyển"),
    ),
    Sheet(
        "procedure",
        "Thủ thuật",
        "Procedures",
        (
            _key("key", "Mã thủ thuật", "Key", "mã phiếu", "mã", required=True),
            _CADRE,
            _VISIT,
            _key("code", "Thủ thuật", "Procedure", "mã dịch vụ", "dịch vụ", required=True),
            _text("name", "Tên thủ thuật", "Procedure name"),
            _one("status", "Trạng thái", "Status", "procedure_status"),
            _moment("started_at", "Bắt đầu", "Started at", "ngày thực hiện", "start", required=True),
            _moment("ended_at", "Kết thúc", "Ended at", "end"),
            _text("body_site", "Vị trí", "Body site"),
            _text("outcome", "Kết quả", "Outcome"),
            Column("icd10", "ICD-10", "ICD-10", code_cells.parse_icd10, "expect_icd10"),
        ),
        ("procedure", "thuthuat", "can thiệp"),
    ),
    Sheet(
        "immunization",
        "Tiêm chủng",
        "Immunizations",
        (
            _key("key", "Mã mũi tiêm", "Key", "mã", required=True),
            _CADRE,
            _VISIT,
            _key("vaccine", "Vắc xin", "Vaccine", "mã vắc xin", "vaccin", required=True),
            _text("name", "Tên vắc xin", "Vaccine name"),
            _moment("given_at", "Ngày tiêm", "Given at", required=True),
            _text("lot", "Số lô", "Lot", "lot number"),
            _as(
                "dose_number",
                "Mũi số",
                "Dose number",
                cell_parsers.parse_positive_integer,
                "expect_positive",
                "mũi thứ",
            ),
            _text("series", "Đợt tiêm", "Series"),
            _text("site", "Vị trí tiêm", "Site", "vị trí"),
            _day("expires_on", "Hạn dùng", "Expires on", "hạn sử dụng"),
            _one("status", "Trạng thái", "Status", "immunization_status"),
            _text("reason_not_done", "Lý do không tiêm", "Reason not given"),
        ),
        ("immunization", "tiemchung", "vaccinations", "tiêm phòng"),
    ),
)

SHEETS = tuple(map(with_clerks_words, _TEMPLATE))

_BY_NAME = {
    fold_label(name): sheet for sheet in SHEETS for name in (sheet.kind, sheet.vi, sheet.en, *sheet.aliases)
}


def find_sheet(name: str) -> Sheet | None:
    """The sheet that a tab's or a file's name means; case, diacritics and spaces do not matter."""
    sheets = (_BY_NAME.get(fold_label(read)) for read in all_readings(name))  # of old fonts too
    return next((sheet for sheet in sheets if sheet), None)
