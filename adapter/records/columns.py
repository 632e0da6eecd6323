"""The sheets of a workbook and their columns: which header means which field, and what a cell may hold."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from adapter.errors import ImportRefused
from adapter.records import formats
from adapter.records.choices import CHOICES, fold
from adapter.records.formats import Cell

__all__ = [
    "DELETED",
    "GUIDE",
    "KEY_FIELD",
    "REASON",
    "SHEETS",
    "Column",
    "Headers",
    "Sheet",
    "sheet_named",
]

Parse = Callable[[Cell], Any]


@dataclass(frozen=True)
class Column:
    """A column: the field it fills, its header in both languages, its parser, what to expect of a cell.

    `expected` is a text of area `import`; `choice` names the list whose words a cell may say.
    """

    field: str
    vi: str
    en: str
    parse: Parse
    expected: str
    required: bool = False
    choice: str | None = None
    aliases: tuple[str, ...] = ()

    def header(self, language: str) -> str:
        """The header in a language."""
        return self.vi if language == "vi" else self.en

    @property
    def names(self) -> tuple[str, ...]:
        """Every header that means this column, folded."""
        return tuple(fold(name) for name in (self.field, self.vi, self.en, *self.aliases))


@dataclass(frozen=True)
class Sheet:
    """The sheet of one kind of record."""

    kind: str
    vi: str
    en: str
    columns: tuple[Column, ...]
    aliases: tuple[str, ...] = ()

    def title(self, language: str) -> str:
        """The sheet's name in a language."""
        return self.vi if language == "vi" else self.en

    def column(self, field: str) -> Column:
        """The column of a field."""
        return next(column for column in self.columns if column.field == field)


def _text(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, formats.text, "expect_text", required, None, aliases)


def _key(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, formats.key, "expect_key", required, None, aliases)


def _day(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, formats.day, "expect_date", required, None, aliases)


def _instant(field: str, vi: str, en: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, formats.instant, "expect_instant", required, None, aliases)


def _one(field: str, vi: str, en: str, choice: str, *aliases: str, required: bool = False) -> Column:
    return Column(field, vi, en, CHOICES[choice].parse, "expect_choice", required, choice, aliases)


KEY_FIELD = "key"
DELETED = Column("deleted", "Xóa", "Deleted", formats.boolean, "expect_boolean", choice="yes_no")
REASON = Column("reason_rejected", "Lý do từ chối", "Rejected because", formats.plain, "expect_text")
GUIDE = frozenset({"huongdan", "guide", "rejects"})
_CADRE = _key("cadre", "Mã cán bộ", "Cadre key", "cadre", required=True)
_VISIT = _key("visit", "Mã lượt khám", "Visit key", "visit")
_HOSPITAL = Column("hospital", "Bệnh viện", "Hospital", formats.key, "expect_hospital")

SHEETS = (
    Sheet(
        "cadre",
        "Cán bộ",
        "Cadres",
        (
            _key("key", "Mã cán bộ", "Key", "cadre key", "mã", "mã số", required=True),
            Column("name", "Họ và tên", "Name", formats.name, "expect_name", True, None, ("họ tên", "full name")),
            _one("sex", "Giới tính", "Sex", "sex", "giới", "gender", required=True),
            _day("birth_date", "Ngày sinh", "Date of birth", "birth date", required=True),
            _one("tier", "Diện quản lý", "Tier", "tier", "diện", required=True),
            _text("position", "Chức vụ", "Position"),
            Column("national_id", "Số CCCD", "Citizen id", formats.citizen_id, "expect_citizen_id", aliases=("cccd", "căn cước", "số căn cước")),
            Column("old_national_id", "Số CMND cũ", "Old identity card", formats.old_citizen_id, "expect_old_citizen_id", aliases=("cmnd", "số cmnd")),
            Column("insurance", "Số thẻ BHYT", "Insurance number", formats.insurance, "expect_insurance", aliases=("bhyt", "thẻ bhyt", "mã thẻ bhyt")),
            Column("phone", "Điện thoại", "Phone", formats.phone, "expect_phone", aliases=("số điện thoại", "sđt", "telephone")),
            _text("address", "Địa chỉ", "Address"),
            Column("province", "Tỉnh", "Province", formats.province, "expect_province", aliases=("mã tỉnh", "tỉnh/thành phố")),
            Column("ethnic_group", "Dân tộc", "Ethnic group", formats.ethnic_group, "expect_ethnic_group"),
            Column("consents", "Đồng ý chia sẻ", "Consents", CHOICES["consent"].parse_several, "expect_choices", choice="consent"),
            _day("deceased_on", "Ngày mất", "Died on", "deceased on"),
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
            _one("type", "Loại", "Type", "visit_type", "loại lượt khám", required=True),
            _instant("started_at", "Bắt đầu", "Started at", "ngày khám", "start", required=True),
            _instant("ended_at", "Kết thúc", "Ended at", "end"),
            _HOSPITAL,
            _text("reason", "Lý do", "Reason", "lý do khám"),
            _text("conclusion", "Kết luận", "Conclusion"),
            _one("advice", "Hướng xử trí", "Advice", "advice", "xử trí"),
            _one("health_class", "Phân loại sức khỏe", "Health class", "health_class"),
            _one("cadre_class", "Phân loại cán bộ", "Cadre class", "cadre_class"),
            Column("specimens", "Số mẫu", "Specimens", formats.whole, "expect_whole", aliases=("số mẫu xét nghiệm",)),
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
            _key("measure", "Mã chỉ số", "Measure", "measure code", required=True),
            _text("name", "Tên chỉ số", "Measure name"),
            Column("value", "Giá trị", "Value", formats.measured, "expect_value", True, None, ("kết quả", "result")),
            _text("unit", "Đơn vị", "Unit", "đơn vị đo"),
            Column("low", "Ngưỡng dưới", "Low", formats.decimal, "expect_decimal", aliases=("reference low",)),
            Column("high", "Ngưỡng trên", "High", formats.decimal, "expect_decimal", aliases=("reference high",)),
            _one("flag", "Cờ", "Flag", "flag"),
            _instant("taken_at", "Thời điểm lấy", "Taken at"),
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
            Column("icd10", "ICD-10", "ICD-10", formats.icd10, "expect_icd10", True, None, ("mã icd-10", "mã bệnh")),
            _text("text", "Diễn giải", "Text", "tên bệnh", "description"),
            _one("certainty", "Mức độ", "Certainty", "certainty"),
            Column("is_new", "Mới phát hiện", "New", formats.boolean, "expect_boolean", choice="yes_no"),
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
            Column("hospital", "Bệnh viện", "Hospital", formats.key, "expect_hospital", True),
            _one("category", "Loại yêu cầu", "Category", "category"),
            _key("service", "Dịch vụ", "Service", "mã dịch vụ", required=True),
            _text("reason", "Lý do", "Reason"),
            Column("icd10", "ICD-10", "ICD-10", formats.icd10, "expect_icd10"),
            _one("priority", "Mức ưu tiên", "Priority", "priority"),
            _one("status", "Trạng thái", "Status", "referral_status"),
            _instant("ordered_at", "Ngày chỉ định", "Ordered at", required=True),
            _day("due_on", "Hạn", "Due on", "hạn hoàn thành"),
            Column("supporting", "Chỉ số kèm theo", "Supporting measures", formats.text_list, "expect_list"),
        ),
        ("referral", "chuyenkham", "giấy chuyển", "phiếu chuyển"),
    ),
)  # fmt: skip

_BY_NAME = {
    fold(name): sheet for sheet in SHEETS for name in (sheet.kind, sheet.vi, sheet.en, *sheet.aliases)
}


def sheet_named(name: str) -> Sheet | None:
    """The sheet that a tab's or a file's name means; case, diacritics and spaces do not matter."""
    return _BY_NAME.get(fold(name))


class Headers:
    """The header row of one sheet: which cell holds which column."""

    def __init__(self, sheet: Sheet, row: list[Cell], *, source: str) -> None:
        known = {
            name: column for column in (*sheet.columns, DELETED, REASON) for name in reversed(column.names)
        }
        # A field's own two headers win over another column's alias of the same spelling.
        known |= {fold(title): column for column in sheet.columns for title in (column.vi, column.en)}
        self.places: dict[str, int] = {}
        self.unknown: list[str] = []
        self.written: dict[str, str] = {}
        for place, cell in enumerate(row):
            title = formats.plain(cell)
            column = known.get(fold(title)) if title else None
            if column is None:
                if title:
                    self.unknown.append(title)
                continue
            if column.field in self.places:
                raise ImportRefused("import.header_twice", file=source, sheet=sheet.vi, header=title)
            self.places[column.field] = place
            self.written[column.field] = title
        self._require(sheet, source)

    def _require(self, sheet: Sheet, source: str) -> None:
        missing = [column for column in sheet.columns if column.required and column.field not in self.places]
        if not missing:
            return
        nearest = {fold(title): title for title in self.unknown}
        lines = []
        for column in missing:
            close = [near for name in column.names for near in get_close_matches(name, nearest, 1, 0.6)]
            lines.append(f"{column.vi} / {column.en}" + (f" (? {nearest[close[0]]})" if close else ""))
        raise ImportRefused("import.no_header", file=source, sheet=sheet.vi, missing="; ".join(lines))

    def plan(self, sheet: Sheet) -> Iterator[tuple[Column, int]]:
        """The sheet's columns that the file has, and where."""
        places: Mapping[str, int] = self.places
        return ((column, places[column.field]) for column in sheet.columns if column.field in places)
