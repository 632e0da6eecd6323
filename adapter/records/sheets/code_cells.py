"""Parsers of cells that hold a number or code of a person or a place, as Viet Nam writes them. Pure.

They read as those of `cell_parsers` do: the value in the record's form, or CellError; nothing is guessed.
"""

import re
from datetime import date

from adapter.records.partial_dates import year_of
from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text, is_number

__all__ = [
    "PROVINCES",
    "citizen_id_disagrees",
    "parse_citizen_id",
    "parse_ethnic_group",
    "parse_icd10",
    "parse_insurance_numbers",
    "parse_old_citizen_id",
    "parse_phone",
    "parse_province",
]

PROVINCES = frozenset(
    f"{number:02}"
    for number in (
        *(1, 4, 8, 11, 12, 14, 15, 19, 20, 22, 24, 25, 31, 33, 37, 38, 40, 42, 44, 46, 48, 51, 52, 56),
        *(66, 68, 75, 79, 80, 82, 86, 91, 92, 96),
    )
)

_CITIZEN = re.compile(r"0\d{11}")  # the provinces of birth registration are 001 to 096
_CARD = re.compile(r"[A-Z]{2}[1-5]\d{12}|\d{10}|\d{12}")
_PHONE = re.compile(r"0\d{9,10}")
_ICD10 = re.compile(r"([A-Z]\d[0-9A-Z])(?:\.?([0-9A-Z]{1,4}))?([*†+]?)")
_ETHNIC = re.compile(r"(\d{1,2})(?: .*)?")


def parse_citizen_id(value: CellValue) -> str:
    """CCCD, 12 digits. One that Excel holds as a number has lost its zero: refused, not padded."""
    found = cell_text(value).replace(" ", "")
    if is_number(value) and len(found) < 12:
        raise CellError("expect_citizen_id_text")
    if not found.isascii() or not _CITIZEN.fullmatch(found):
        raise CellError("expect_citizen_id")
    return found


def parse_old_citizen_id(value: CellValue) -> str:
    """CMND, 9 digits."""
    found = cell_text(value).replace(" ", "")
    if is_number(value) and len(found) < 9:
        raise CellError("expect_old_citizen_id_text")
    if len(found) != 9 or not found.isascii() or not found.isdigit():
        raise CellError("expect_old_citizen_id")
    return found


def parse_insurance_numbers(value: CellValue) -> tuple[str, ...]:
    """BHYT numbers joined with ";": 15 characters (2 letters, benefit 1 to 5, 12 digits), 10 or 12 digits."""
    parts = [part.replace(" ", "").upper() for part in re.split(r"[;,]", cell_text(value)) if part.strip()]
    if not parts or not all(part.isascii() and _CARD.fullmatch(part) for part in parts):
        raise CellError("expect_insurance")
    return tuple(dict.fromkeys(parts))


def parse_phone(value: CellValue) -> str:
    """0 and 9 or 10 digits; +84 becomes 0; spaces, dots and dashes go.

    A number cell cannot hold the 0 that every phone number begins with, so it is put back.
    """
    found = re.sub(r"[ .\-()]", "", cell_text(value))
    if is_number(value):
        found = "0" + found
    elif found.startswith("+84"):
        found = "0" + found[3:]
    if not found.isascii() or not _PHONE.fullmatch(found):
        raise CellError("expect_phone")
    return found


def parse_icd10(value: CellValue) -> str:
    """One ICD-10 code, capitals, with its point: "e119" is E11.9."""
    match = _ICD10.fullmatch(cell_text(value).upper().replace(" ", ""))
    if match is None:
        raise CellError("expect_icd10")
    category, detail, mark = match.groups()
    return f"{category}.{detail}{mark}" if detail else f"{category}{mark}"


def parse_ethnic_group(value: CellValue) -> str:
    """01 to 55 or 99, with or without the group's name behind it."""
    match = _ETHNIC.fullmatch(cell_text(value))
    code = match.group(1).zfill(2) if match else ""
    if not ("01" <= code <= "55" or code == "99"):
        raise CellError("expect_ethnic_group")
    return code


def parse_province(value: CellValue) -> str:
    """Two digits of one of the 34 provinces, with or without its name behind it."""
    match = _ETHNIC.fullmatch(cell_text(value))
    code = match.group(1).zfill(2) if match else ""
    if code not in PROVINCES:
        raise CellError("expect_province")
    return code


def citizen_id_disagrees(number: str, sex: str, born: date | str) -> bool:
    """Whether a CCCD says another sex or year of birth than the record does (a warning, no more).

    The fourth digit: 0/1 a man/woman born 19xx, 2/3 born 20xx, and so on; then two digits of the year.
    """
    century, code = divmod(int(number[3]), 2)
    wrong_sex = sex in ("male", "female") and ("male", "female")[code] != sex
    return wrong_sex or 1900 + 100 * century + int(number[4:6]) != year_of(born)
