"""Slips of clerks, by name: each spoils one cell of a row of the clean sample."""

from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any

from legacy_text import WRITERS

__all__ = ["WAYS", "Row", "Spoiler"]

Row = dict[str, Any]
Spoiler = Callable[[Random, Row], bool]  # whether it could spoil the row


def _times(factor: float, *codes: str) -> Spoiler:
    """A slip of units or of the decimal point."""

    def spoil(_random: Random, row: Row) -> bool:
        if row["measure"] not in codes:
            return False
        row["value"] = f"{float(str(row['value']).replace(',', '.')) * factor:g}".replace(".", ",")
        return True

    return spoil


def _value(*values: Any) -> Spoiler:
    """A value that is no number where one belongs."""
    numeric = ("BIO-GLUF", "BIO-CREA", "VS-HR", "VS-WEIGHT", "HEM-HGB", "BIO-K", "HEM-WBC", "VS-TEMP")

    def spoil(random: Random, row: Row) -> bool:
        if row["measure"] not in numeric:
            return False
        row["value"] = random.choice(values)
        return True

    return spoil


def _field(field: str, *values: Any) -> Spoiler:
    def spoil(random: Random, row: Row) -> bool:
        row[field] = random.choice(values)
        return True

    return spoil


def _pressure(change: Callable[[int, int], str]) -> Spoiler:
    def spoil(_random: Random, row: Row) -> bool:
        if row["measure"] != "VS-BP":
            return False
        upper, lower = map(int, str(row["value"]).split("/"))
        row["value"] = change(upper, lower)
        return True

    return spoil


def _old_font(field: str, encoding: str) -> Spoiler:
    def spoil(_random: Random, row: Row) -> bool:
        row[field] = WRITERS[encoding]("Nguyễn Thị Hồng Hạnh")
        return True

    return spoil


def _unit(measure: str, unit: str) -> Spoiler:
    """The number of one unit beside the name of another."""

    def spoil(_random: Random, row: Row) -> bool:
        if row["measure"] != measure:
            return False
        row["unit"] = unit
        return True

    return spoil


def _upside_down(_random: Random, row: Row) -> bool:
    if row.get("low") is None or row.get("high") is None:
        return False
    row["low"], row["high"] = row["high"], row["low"]
    return row["low"] != row["high"]


def _expired(random: Random, row: Row) -> bool:
    if row.get("status") not in (None, "Đã tiêm"):
        return False  # why it was not given, perhaps
    row["expires_on"] = random.choice(("01/01/2020", "quá hạn"))
    return True


WAYS: dict[str, tuple[str, str, Spoiler]] = {
    "height in metres": ("measurement", "value", _times(0.01, "VS-HEIGHT")),
    "height in millimetres": ("measurement", "value", _times(10, "VS-HEIGHT")),
    "weight in grams": ("measurement", "value", _times(1000, "VS-WEIGHT")),
    "temperature without its point": ("measurement", "value", _times(10, "VS-TEMP")),
    "glucose in mg/dL": ("measurement", "value", _times(18, "BIO-GLUF")),
    "creatinine in mg/dL": ("measurement", "value", _times(1 / 88.4, "BIO-CREA")),
    "cholesterol in mg/dL": ("measurement", "value", _times(38.67, "BIO-CHOL", "BIO-LDL", "BIO-HDL")),
    "haemoglobin in g/dL": ("measurement", "value", _times(0.1, "HEM-HGB")),
    "platelets per µL": ("measurement", "value", _times(1000, "HEM-PLT", "HEM-WBC")),
    "percent as a fraction": (
        "measurement",
        "value",
        _times(0.01, "VS-SPO2", "HEM-HCT", "BIO-HBA1C", "HEM-NEUP"),
    ),
    "pressure in cmHg": ("measurement", "value", _pressure(lambda a, b: f"{a // 10}/{b // 10}")),
    "pressure the wrong way": ("measurement", "value", _pressure(lambda a, b: f"{b}/{a}")),
    "pressure without its half": ("measurement", "value", _pressure(lambda a, _b: str(a))),
    "a minus": ("measurement", "value", _times(-1, "VS-HR", "VS-WEIGHT", "BIO-K")),
    "a date of the spreadsheet": ("measurement", "value", _value("08-Oct", "5-thg 3", date(2026, 10, 8))),
    "a semicolon": ("measurement", "value", _value("5;3", "7;1")),
    "a letter for a digit": ("measurement", "value", _value("14O", "l2", "5.O")),
    "words": ("measurement", "value", _value("bình thường", "đều", "không đo", "1m65", "36°5")),
    "a failed formula": ("measurement", "value", _value("#N/A", "#VALUE!", "#####")),
    "a truth value": ("measurement", "value", _value(True, False)),
    "a measure's limit in words": ("measurement", "high", _field("high", "cao", "dưới 5 là tốt")),
    "an unknown flag": ("measurement", "flag", _field("flag", "hơi cao", "??")),
    "a visit of 2062": ("visit", "started_at", _field("started_at", "02/10/2062 08:00", "02/10/2216")),
    "a visit before birth": ("visit", "started_at", _field("started_at", "02/10/1926 08:00", "20/02/1902")),
    "a visit without its day": ("visit", "started_at", _field("started_at", "31/02/2026", "tháng 2", "")),
    "a visit that never ends": ("visit", "ended_at", _field("ended_at", "02/10/2028 08:00")),
    "an unknown kind of visit": ("visit", "type", _field("type", "khám chơi", "ksk nhanh")),
    "a born child": ("cadre", "birth_date", _field("birth_date", "12/03/2022", "12/03/1905")),
    "a birth to come": ("cadre", "birth_date", _field("birth_date", "12/03/2062", "2062")),
    "no birth": ("cadre", "birth_date", _field("birth_date", "", "hôm nọ", "196")),
    "a death before birth": ("cadre", "deceased_on", _field("deceased_on", "01/01/1901", "01/01/2062")),
    "a name with a digit": ("cadre", "name", _field("name", "Nguyễn Văn 4n", "?")),
    "a name in TCVN3": ("cadre", "name", _old_font("name", "TCVN3 (ABC)")),
    "a name in VNI": ("cadre", "name", _old_font("name", "VNI")),
    "a name read as Windows-1252": ("cadre", "name", _old_font("name", "UTF-8 read as Windows-1252")),
    "an unknown sex": ("cadre", "sex", _field("sex", "đàn ông", "?")),
    "a telephone too short": ("cadre", "phone", _field("phone", "12345", "09x")),
    "a citizen number too short": ("cadre", "national_id", _field("national_id", "12345", "0240641O4760")),
    "an ethnic group in words": ("cadre", "ethnic_group", _field("ethnic_group", "Kinh", "77")),
    "a disease in words": ("diagnosis", "icd10", _field("icd10", "cao áp", "E1")),
    "a lost decimal comma": ("measurement", "value", _times(10, "BIO-K", "VS-TEMP", "BIO-CA")),
    "two numbers in a cell": ("measurement", "value", _value("5,3,1", "4.2 4.4", "5,3 (cũ 6,1)")),
    "a unit of another quantity's size": ("measurement", "unit", _unit("BIO-GLUF", "mg/dL")),
    "a unit a thousandfold": ("measurement", "unit", _unit("BIO-CREA", "mg/dL")),
    "a measurement without its value": ("measurement", "value", _field("value", "", "   ", None)),
    "a measurement without its measure": ("measurement", "measure", _field("measure", "", None)),
    "a measurement of an unknown visit": ("measurement", "visit", _field("visit", "CB-9999.K1", "K1")),
    "a range the wrong way": ("measurement", "high", _upside_down),
    "a visit without its key": ("visit", "key", _field("key", "", None)),
    "a visit of an unknown person": ("visit", "cadre", _field("cadre", "CB-9999", "CB-O001")),
    "an unknown class": ("visit", "health_class", _field("health_class", "Loại VI", "2+", "khỏe")),
    "an unknown cadre class": ("visit", "cadre_class", _field("cadre_class", "E", "B3", "tốt")),
    "an unknown advice": ("visit", "advice", _field("advice", "nghỉ ngơi", "??")),
    "specimens in words": ("visit", "specimens", _field("specimens", "hai ống", "-1", "1,5")),
    "a visit that ends before it starts": ("visit", "ended_at", _field("ended_at", "01/01/2025 08:00")),
    "a visit at an unknown hospital": ("visit", "hospital", _field("hospital", "bv-tinhh", "BV nào đó")),
    "a person without a key": ("cadre", "key", _field("key", "", None)),
    "a person without a tier": ("cadre", "tier", _field("tier", "", None, "T9", "diện khác")),
    "an insurance number cut short": ("cadre", "insurance", _field("insurance", "HT324144", "GD4")),
    "an old number too long": (
        "cadre",
        "old_national_id",
        _field("old_national_id", "1234567890", "12A456789"),
    ),
    "a citizen number as a number": ("cadre", "national_id", _field("national_id", 24064104, 1.5)),
    "an unknown province": ("cadre", "province", _field("province", "99", "Hà Bắc", "0")),
    "an unknown consent": ("cadre", "consents", _field("consents", "đồng ý", "HIV; tất cả")),
    "a date for a name": ("cadre", "name", _field("name", date(1960, 5, 3), 12345)),
    "a diagnosis without a code": ("diagnosis", "icd10", _field("icd10", "", None, "#REF!")),
    "a diagnosis to come": (
        "diagnosis",
        "recorded_on",
        _field("recorded_on", "02/10/2062", "03/2026", "hôm qua"),
    ),
    "an unknown certainty": ("diagnosis", "certainty", _field("certainty", "có thể", "90%")),
    "a truth in words": ("diagnosis", "is_new", _field("is_new", "mới đây", "2")),
    "an unknown hospital": ("referral", "hospital", _field("hospital", "bv-tinhh", "", "BV Tỉnh khác")),
    "an unknown category": ("referral", "category", _field("category", "khám chơi", "1")),
    "a referral without a service": ("referral", "service", _field("service", "", None)),
    "a referral of 2062": ("referral", "ordered_at", _field("ordered_at", "02/10/2062 08:00", "31/04/2026")),
    "a referral due before": ("referral", "due_on", _field("due_on", "01/01/2020", "01/01/2062", "sớm")),
    "an unknown priority": ("referral", "priority", _field("priority", "hơi gấp", "P1")),
    "an unknown status": ("referral", "status", _field("status", "đang chờ", "xong")),
    "a disease that is none": ("referral", "icd10", _field("icd10", "cao áp", "E1")),
    "a procedure of 2062": ("procedure", "started_at", _field("started_at", "02/10/2062 08:00", "", "sáng")),
    "a procedure that ends before": ("procedure", "ended_at", _field("ended_at", "01/01/2025 08:00", "trưa")),
    "an unknown procedure status": ("procedure", "status", _field("status", "tạm", "?")),
    "a vaccination of 2062": ("immunization", "given_at", _field("given_at", "02/10/2062", "", "30/02/2026")),
    "an expired vaccine": ("immunization", "expires_on", _expired),
    "a dose in words": ("immunization", "dose_number", _field("dose_number", "hai", "0", "1,5")),
    "a vaccination without its vaccine": ("immunization", "vaccine", _field("vaccine", "", None)),
}
