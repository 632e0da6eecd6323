"""Why a referral stands as it does, as a code. Pure.

None of the referral guides has a value set for `Task.statusReason` (R4 leaves it open, R5's own is about
equipment and staff), so these are the centre's; what R5 and SNOMED CT say of the same is understood too.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["REASON_SYSTEM", "ReferralReason", "reason_of", "reason_word"]

REASON_SYSTEM = "https://cadre-health.example/fhir/CodeSystem/referral-reasons"
_R5 = "http://hl7.org/fhir/task-status-reason"
_SNOMED = "http://snomed.info/sct"


class ReferralReason(StrEnum):
    """The value is kept in the referral's record, and is what a hospital sends."""

    DONE = "done"
    DONE_ELSEWHERE = "done-elsewhere"
    NOT_NEEDED = "not-needed"
    RECOVERED = "recovered"
    REFUSED_BY_PERSON = "refused-by-person"
    NO_SHOW = "no-show"
    DIED = "died"
    NOT_ENTITLED = "not-entitled"
    NO_CAPACITY = "no-capacity"
    OUT_OF_SCOPE = "out-of-scope"
    REFERRED_ONWARD = "referred-onward"
    AWAITING_INFORMATION = "awaiting-information"
    OTHER = "other"


_R = ReferralReason
_OF_OTHERS: Mapping[tuple[str, str], ReferralReason] = {
    (_R5, "missing"): _R.AWAITING_INFORMATION,
    (_R5, "equipment-issue"): _R.NO_CAPACITY,
    (_R5, "personnel-issue"): _R.NO_CAPACITY,
    (_SNOMED, "397709008"): _R.DIED,
    (_SNOMED, "105480006"): _R.REFUSED_BY_PERSON,
}
_WORDS = frozenset(ReferralReason)


def reason_word(code: str) -> ReferralReason | None:
    """The reason that a hospital's word is, whatever its case and signs: `REFERRED_ONWARD`."""
    word = code.strip().lower().replace("_", "-").replace(" ", "-")
    return ReferralReason(word) if word in _WORDS else None


def reason_of(concept: Any) -> ReferralReason | None:
    """The first that a CodeableConcept (`Task.statusReason`) says; None where it says none in a code."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for one in codings if isinstance(codings, list) else ():
        system, code = (one.get("system"), one.get("code")) if isinstance(one, dict) else (None, None)
        if not isinstance(code, str):
            continue
        if system == REASON_SYSTEM and code in _WORDS:
            return ReferralReason(code)
        if (known := _OF_OTHERS.get((str(system), code))) is not None:
            return known
    return None
