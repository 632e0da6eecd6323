"""What the workbook says hospitals should hold and the report should say, counted independently.

This reads the workbook with its own few lines and applies the shipped disclosure policy as prose
says it (docs/operating.md), so that a mistake in importer, policy or mapping shows as a difference.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["Expected", "expect"]

Row = dict[str, Any]

PROVINCIAL = "bv-tinh"  # gets everything of people by name that may leave
CENTRAL = "bv-trung-uong"  # gets only what a referral or trip to it needs
HOSPITALS = (PROVINCIAL, CENTRAL)
_MAY_LEAVE = ("T2", "T3", "T4", "T5")
_PSEUDONYM = ("T2", "T3")
_NEVER = ("CLS-TT14", "CLS-CADRE")
_CONSENT_MEASURES = {"hiv": ("SER-HIV",), "reproductive": ("CYT-PAP", "CYT-HPV", "EX-GYN")}
_CONSENT_ICD10 = {
    "hiv": r"B2[0-4]|Z21|R75",
    "mental": r"F",
    "reproductive": r"N[789]|O|Z3[0-9]",
}
_CONSENT_WORDS = {"hiv": "HIV", "mental": "Tâm thần", "reproductive": "Sinh sản"}
_CHECKUP, _HOME, _TRIP = "Khám định kỳ", "Khám tại nhà", "Đưa đi tuyến trên"
_CONGRESS = "Khám trước đại hội"
_LABORATORY = ("HEM-", "BIO-", "URI-", "TM-", "HOR-", "SER-", "CYT-")
_WITHDRAWN = ("Đã hủy", "Nhập nhầm")
_REFER, _TREATMENT = "Chuyển khám", "Điều trị"
_NOTHING_TO_DO = "Bình thường"  # advice that makes no plan


@dataclass
class Expected:
    """Counts per hospital and type; figures of the report; texts that may be nowhere; people to refer."""

    types: dict[str, dict[str, int]] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    secret: list[str] = field(default_factory=list)  # of T0 people: nowhere at all
    hidden: list[str] = field(default_factory=list)  # of T1 to T3 people: at no hospital
    unreferred: tuple[str, str] = ("", "")  # two who go by name and were referred nowhere


def expect(workbook: Path) -> Expected:
    """Read the workbook and count."""
    sheets = _Sheets(workbook)
    found = Expected()
    for hospital in HOSPITALS:
        found.types[hospital] = _at(sheets, hospital)
    found.figures = _figures(sheets)
    found.secret = _telling(sheets, ("T0",))
    found.hidden = _telling(sheets, ("T1", *_PSEUDONYM))
    found.unreferred = _two_unreferred(sheets)
    return found


def _two_unreferred(sheets: "_Sheets") -> tuple[str, str]:
    referred = {row["Mã cán bộ"] for row in sheets.referrals}
    first, second = islice(
        (
            key
            for key, row in sheets.people.items()
            if sheets.tier(key) in _MAY_LEAVE
            and sheets.tier(key) not in _PSEUDONYM
            and key not in referred
            and not row["Ngày mất"]
        ),
        2,
    )
    return first, second


class _Sheets:
    """The rows of the workbook as they are written, by header."""

    def __init__(self, workbook: Path) -> None:
        self._file = workbook
        self.people = {row["Mã cán bộ"]: row for row in self._rows("Cán bộ")}
        self.visits = {row["Mã lượt khám"]: row for row in self._rows("Lượt khám")}
        self.referrals = list(self._rows("Chuyển khám"))
        self.diagnoses = list(self._rows("Chẩn đoán"))
        self.procedures = list(self._rows("Thủ thuật"))
        self.doses = list(self._rows("Tiêm chủng"))
        self.measured: dict[str, list[str]] = defaultdict(list)
        for row in self._rows("Chỉ số"):
            self.measured[row["Mã lượt khám"]].append(row["Mã chỉ số"])

    def _rows(self, sheet: str) -> Iterator[Row]:
        from python_calamine import CalamineWorkbook

        rows = iter(CalamineWorkbook.from_path(self._file).get_sheet_by_name(sheet).iter_rows())
        headers = [str(cell).strip() for cell in next(rows)]
        for row in rows:
            if any(cell not in ("", None) for cell in row):
                yield dict(zip(headers, row, strict=False))

    def tier(self, cadre: str) -> str:
        """The tier of a person, as written."""
        return str(self.people[cadre]["Diện quản lý"])

    def consents(self, cadre: str) -> set[str]:
        """What the person consented to, as group names."""
        written = str(self.people[cadre].get("Đồng ý chia sẻ") or "")
        return {group for group, word in _CONSENT_WORDS.items() if word in written}


def _at(sheets: _Sheets, hospital: str) -> dict[str, int]:
    """How many resources of each type a hospital should hold."""
    allowed = {key for key in sheets.people if sheets.tier(key) in _MAY_LEAVE}
    referrals = [row for row in _may_leave(sheets, sheets.referrals, allowed) if row["Bệnh viện"] == hospital]
    asked = [row for row in referrals if str(row["Trạng thái"] or "") not in _WITHDRAWN]
    whole = {key for key in allowed if hospital == PROVINCIAL and sheets.tier(key) not in _PSEUDONYM}
    needed = {row["Mã lượt khám"] for row in asked}
    visits = {
        key: row
        for key, row in sheets.visits.items()
        if row["Mã cán bộ"] in whole
        or (row["Mã cán bộ"] in allowed and (key in needed or row["Bệnh viện"] == hospital))
    }
    people = whole | {row["Mã cán bộ"] for row in (*referrals, *visits.values())}
    measured = {
        key: [
            measure
            for measure in sheets.measured[key]
            if _leaves(sheets, row["Mã cán bộ"], measure)
            and (row["Mã cán bộ"] in whole or _asked_for(asked, key, measure))
        ]
        for key, row in visits.items()
    }
    centre = int(hospital == PROVINCIAL)
    return {
        "Patient": len(people),
        "Organization": centre,
        "Location": centre,
        "Encounter": len(visits),
        "Specimen": sum(row["Loại"] == _HOME and bool(row["Số mẫu"]) for row in visits.values()),
        "Observation": sum(map(len, measured.values())),
        "DiagnosticReport": _reports(sheets, visits, measured),
        "CarePlan": sum((row["Hướng xử trí"] or _NOTHING_TO_DO) != _NOTHING_TO_DO for row in visits.values()),
        **_done(sheets, whole, visits, allowed),
        "ServiceRequest": len(referrals),
        "Task": len(referrals),
    }


def _reports(sheets: _Sheets, visits: dict[str, Row], measured: dict[str, list[str]]) -> int:
    """A laboratory's for each check-up with such results, and conclusions of people who go by name."""
    laboratory = sum(
        row["Loại"] in (_CHECKUP, _CONGRESS) and any(code.startswith(_LABORATORY) for code in measured[key])
        for key, row in visits.items()
    )
    concluded = sum(
        bool(row["Kết luận"]) and sheets.tier(row["Mã cán bộ"]) not in _PSEUDONYM for row in visits.values()
    )
    return laboratory + concluded


def _done(sheets: _Sheets, whole: set[str], visits: dict[str, Row], allowed: set[str]) -> dict[str, int]:
    """Diagnoses, procedures and doses that a hospital should hold: of whoever does not go as a `whole` only
    the diagnoses of a visit that it needs.
    """
    sources = {"Condition": sheets.diagnoses, "Procedure": sheets.procedures, "Immunization": sheets.doses}
    found = {type_: _may_leave(sheets, rows, allowed) for type_, rows in sources.items()}
    return {
        type_: sum(
            row["Mã cán bộ"] in whole or (type_ == "Condition" and row["Mã lượt khám"] in visits)
            for row in rows
        )
        for type_, rows in found.items()
    }


def _may_leave(sheets: _Sheets, rows: list[Row], allowed: set[str]) -> list[Row]:
    """Rows of people who may be spoken of, that need no consent or have it."""
    return [row for row in rows if row["Mã cán bộ"] in allowed and _consented(sheets, row)]


def _asked_for(asked: list[Row], visit: str, measure: str) -> bool:
    """Whether a referral of that visit needs the measure: it names it, or names none."""
    of_visit = [str(row["Chỉ số kèm theo"] or "") for row in asked if row["Mã lượt khám"] == visit]
    return any(not named or measure in re.split(r"[;,\s]+", named) for named in of_visit)


def _leaves(sheets: _Sheets, cadre: str, measure: str) -> bool:
    groups = {group for group, measures in _CONSENT_MEASURES.items() if measure in measures}
    return measure not in _NEVER and groups <= sheets.consents(cadre)


def _consented(sheets: _Sheets, row: Row) -> bool:
    code = str(row.get("ICD-10") or "")
    groups = {group for group, pattern in _CONSENT_ICD10.items() if re.match(pattern, code)}
    return groups <= sheets.consents(row["Mã cán bộ"])


def _figures(sheets: _Sheets) -> dict[str, int]:
    """What the report should say, of everybody but T0 people."""
    ours = {key for key in sheets.people if sheets.tier(key) != "T0"}
    visits = [row for row in sheets.visits.values() if row["Mã cán bộ"] in ours]
    kinds = Counter(row["Loại"] for row in visits)
    abnormal = {
        row["Mã cán bộ"] for row in visits if row["Loại"] == _CHECKUP and row["Hướng xử trí"] == _REFER
    }
    asked: dict[bool, set[str]] = defaultdict(set)  # of those whose referral may leave: treatment or not
    for row in sheets.referrals:
        if sheets.tier(row["Mã cán bộ"]) in _MAY_LEAVE and _consented(sheets, row):
            asked[row["Loại yêu cầu"] == _TREATMENT].add(row["Mã cán bộ"])
    return {
        "managed": len(ours),
        "abnormal": len(abnormal),
        "worked_up": len(abnormal & asked[False]),
        "treated": len(abnormal & asked[True]),
        "home_visits": kinds[_HOME],
        "trips": kinds[_TRIP],
    }


def _telling(sheets: _Sheets, tiers: tuple[str, ...]) -> list[str]:
    """Names and numbers of people of these tiers, as far as nobody of another tier has the same."""
    columns = ("Họ và tên", "Số CCCD", "Số CMND cũ", "Số thẻ BHYT", "Điện thoại")
    inside: set[str] = set()
    outside: set[str] = set()
    for key, row in sheets.people.items():
        texts = {
            part for column in columns for part in str(row.get(column) or "").split(";") if len(part) > 5
        }
        (inside if sheets.tier(key) in tiers else outside).update(texts)
    return sorted(inside - outside)
