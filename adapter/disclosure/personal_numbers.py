"""Numbers that stand for somebody, whoever it is: telephones, national and insurance numbers, codes of a
file, and a birth date in the ways in which people write one. All are looked for in folded text.
"""

import re
from datetime import date

__all__ = ["birth_date_pattern", "has_personal_number", "is_code_of_something"]

_GAP = r"[ .\-]{0,2}"
_PERSONAL = re.compile(
    rf"(?<!\d)(?:\+?84|0){_GAP}[35789](?:{_GAP}\d){{8}}(?!\d)"  # a mobile telephone
    rf"|(?<!\d)(?:\+?84|0){_GAP}2(?:{_GAP}\d){{9}}(?!\d)"  # one that stands somewhere
    rf"|(?<!\d)0(?:{_GAP}\d){{11}}(?!\d)"  # CCCD
    rf"|(?<![a-z0-9])[a-z]{{2}}(?:{_GAP}\d){{13}}(?!\d)"  # BHYT
    r"|(?<![\d.,])(?P<long>\d{9,})(?![\d.,]\d|\d)"  # CMND, BHYT by digits alone, or whatever has so many
)
_OPAQUE = re.compile(r"[0-9a-f]{32}")  # an identity of ours: a keyed hash, in which nothing can be read
_PARTITION = re.compile(r"(?:00|10)\d")  # how SNOMED CT codes end, and round counts
_MEASURED = re.compile(r"[<>=]*\s*[\d.,]+(?:\s*[x*:/+-]\s*[\d.,]+)*\s*[a-z%]{0,4}")
_PADDED = re.compile(r"(?<![\d.,])0\d{4,}")


def has_personal_number(folded: str) -> bool:
    """Whether a number in the text is somebody's: nine digits in a row measure nothing."""
    if sum(map(str.isdigit, folded)) < 9 or _OPAQUE.fullmatch(folded):
        return False
    return any(
        found["long"] is None or not _PARTITION.fullmatch(found["long"][-3:])
        for found in _PERSONAL.finditer(folded)
    )


def is_code_of_something(folded: str) -> bool:
    """Whether a value is rather the number of a file, a card or a lot: letters with three digits or more that
    are no number with its unit, or a number with zeros before it.
    """
    if _PADDED.search(folded):
        return True
    digits = sum(map(str.isdigit, folded))
    return digits >= 3 and not _MEASURED.fullmatch(folded) and any(map(str.isalpha, folded))


def birth_date_pattern(born: date) -> re.Pattern[str]:
    """Finds that day, or its month with its year, but not the year alone, which a pseudonym does not hide."""
    day, month, year, short = f"0?{born.day}", f"0?{born.month}", f"{born.year}", f"{born.year % 100:02}"
    sep = r"\s*[./\-]\s*"
    either = rf"(?:{year}|{short})"
    ways = (
        rf"{day}{sep}{month}{sep}{either}",
        rf"{year}{sep}{month}(?:{sep}{day})?",
        rf"{month}{sep}{year}",
        rf"{born:%Y%m%d}|{day}{born:%m%Y}|{day}{born:%m%y}",
        rf"{day}\s*thang\s*{month}\s*(?:,?\s*nam\s*)?{year}",
        rf"thang\s*{month}\s*(?:,?\s*nam\s*|{sep}){year}",
        rf"(?:sinh|\bsn|\bns)\D{{0,12}}{day}(?:{sep}|\s*thang\s*){month}",
    )
    return re.compile("|".join(rf"(?<!\d)(?:{way})(?!\d)" for way in ways))
