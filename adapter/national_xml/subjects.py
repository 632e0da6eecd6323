"""Whom a visit is of, before anything is made of it: a whole hospital's export is mostly of people whom the
centre has nothing to do with. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final

from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.people import own_number
from adapter.national_xml.rows import SheetRow

__all__ = ["VisitSubject", "visit_subject"]

_LIKE_AN_IDENTITY: Final = re.compile(r"[0-9a-f]{20,}")  # of ours, cut or with a letter too many as well


@dataclass(frozen=True, slots=True)
class VisitSubject:
    """What XML1 says: national and insurance numbers, the name, the date of birth (YYYY-MM-DD, or a year),
    whether a referral is named that may be the centre's, and system and value of the hospital's own number.
    """

    numbers: tuple[str, ...]
    name: str
    born: str
    names_referral: bool
    own: tuple[str, str]


def visit_subject(summary: SheetRow, conventions: FileConventions) -> VisitSubject:
    """Of a visit's XML1. Raises FhirError."""
    own = own_number(summary, conventions)
    cards = (one.strip() for one in summary.get("MA_THE_BHYT").split(";"))
    orders = (summary.get(field).replace("-", "").lower() for field in ("DU_PHONG", "GIAY_CHUYEN_TUYEN"))
    return VisitSubject(
        numbers=tuple(filter(None, (summary.get("SO_CCCD"), *cards))),
        name=summary.get("HO_TEN"),
        born=summary.birth_date("NGAY_SINH") or "",
        names_referral=any(_LIKE_AN_IDENTITY.search(one) for one in orders),
        own=(own["system"], own["value"]),
    )
