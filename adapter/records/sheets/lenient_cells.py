"""What one bad cell costs: itself where nothing hangs on it, nothing where the row proves what was meant.

Never lenient where a default would say something: consents, status, priority, what a referral takes along.
"""

from datetime import date

from adapter.records.sheets.cell_parsers import CellValue, cell_text
from adapter.records.sheets.code_cells import citizen_id_disagrees

__all__ = ["LENIENT_FIELDS", "restored_citizen_id"]

LENIENT_FIELDS: dict[str, frozenset[str]] = {
    "cadre": frozenset(
        (
            "position",
            "national_id",
            "old_national_id",
            "insurance",
            "phone",
            "address",
            "province",
            "ethnic_group",
        )
    ),
    "visit": frozenset(("reason", "conclusion", "advice", "health_class", "cadre_class", "specimens")),
    "measurement": frozenset(("name", "low", "high", "flag")),
    "diagnosis": frozenset(("text",)),
    "procedure": frozenset(("name", "body_site", "outcome", "icd10")),
    "immunization": frozenset(
        ("name", "lot", "dose_number", "series", "site", "expires_on", "reason_not_done")
    ),
    "referral": frozenset(("reason", "icd10")),
}
_DIGITS = 11
# Where a citizen was registered: the 63 provinces that there were when numbers were given out
# (Circular 59/2021/TT-BCA, annex I).
_REGISTRIES = frozenset(
    f"{number:03}"
    for number in (
        *(1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37, 38),
        *(40, 42, 44, 45, 46, 48, 49, 51, 52, 54, 56, 58, 60, 62, 64, 66, 67, 68, 70, 72, 74, 75, 77, 79),
        *(80, 82, 83, 84, 86, 87, 89, 91, 92, 93, 94, 95, 96),
    )
)


def restored_citizen_id(cell: CellValue, sex: str, born: date | str) -> str | None:
    """A citizen number whose first zero a spreadsheet has cut, where what is left names a province and the
    row's own sex and year of birth; else None.
    """
    digits = cell_text(cell).replace(" ", "")
    if len(digits) != _DIGITS or not digits.isascii() or not digits.isdigit() or sex == "unknown":
        return None
    number = f"0{digits}"
    proved = number[:3] in _REGISTRIES and not citizen_id_disagrees(number, sex, born)
    return number if proved else None
