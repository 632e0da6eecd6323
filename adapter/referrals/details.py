"""What a hospital's Task says of a referral besides its state: when, under which number, why, to whom it
passed it on, what it asks, how far it is. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from adapter.referrals.reasons import REASON_SYSTEM, ReferralReason, reason_of

__all__ = ["ONWARD", "PROGRESS", "TaskDetails", "details_of"]

ONWARD = "referred-onward"
"""Code, of `REASON_SYSTEM`, of the Task's output that names the hospital to which it passed the referral."""
PROGRESS = "progress"
"""Code, of `REASON_SYSTEM`, of the Task's output that says how many of a series are done, as a Ratio."""

_FILLER = ("http://terminology.hl7.org/CodeSystem/v2-0203", "FILL")
_VIETNAM = timezone(timedelta(hours=7))
_MOST = 500  # letters of a reason
_NUMBER = 100


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """`appointment`: when the person is to come, a day where no time was written; `hospital_number`: under
    which the hospital knows the referral, the identifier of type FILL; `reason`: of the status, in the
    hospital's words, and `reason_code`; `onward`: the hospital that it passed the referral on to; `question`:
    what the centre is to answer; `progress`: how many of a series are done, `4/10`.
    """

    appointment: date | datetime | None = None
    hospital_number: str | None = None
    reason: str | None = None
    reason_code: ReferralReason | None = None
    onward: str | None = None
    question: str | None = None
    progress: str | None = None


def details_of(resource: Mapping[str, Any]) -> TaskDetails | None:
    """Of a Task (FHIR R4, JSON form); None of other types, and where it says none of it."""
    if resource.get("resourceType") != "Task":
        return None
    start = _field(resource.get("executionPeriod"), "start")
    reason = resource.get("statusReason")
    code, words = reason_of(reason), _words(reason)
    asks = code is ReferralReason.AWAITING_INFORMATION
    found = TaskDetails(
        _moment(start) if isinstance(start, str) else None,
        _filler_number(resource.get("identifier")),
        None if asks else words,
        None if asks else code,
        _onward(resource),
        words if asks else None,
        _progress(resource),
    )
    return None if found == TaskDetails() else found


def _moment(written: str) -> date | datetime | None:
    """A FHIR dateTime; None of a year or a month alone, and of a year in which nobody gives appointments."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    if not 2000 <= found.year <= 2200:
        return None
    if "T" not in written:
        return found.date()
    return found if found.tzinfo else found.replace(tzinfo=_VIETNAM)


def _filler_number(identifiers: Any) -> str | None:
    for one in _objects(identifiers):
        codings = _objects(_field(one.get("type"), "coding"))
        if any((coding.get("system"), coding.get("code")) == _FILLER for coding in codings):
            return _text(one.get("value"), _NUMBER)
    return None


def _words(concept: Any) -> str | None:
    shown = (one.get("display") for one in _objects(_field(concept, "coding")))
    written = (_text(one, _MOST) for one in (_field(concept, "text"), *shown))
    return next((one for one in written if one), None)


def _outputs(resource: Mapping[str, Any], code: str) -> list[dict[str, Any]]:
    """The Task's outputs of that type."""
    return [
        one
        for one in _objects(resource.get("output"))
        if any(
            (coding.get("system"), coding.get("code")) == (REASON_SYSTEM, code)
            for coding in _objects(_field(one.get("type"), "coding"))
        )
    ]


def _onward(resource: Mapping[str, Any]) -> str | None:
    for one in _outputs(resource, ONWARD):
        name = _field(one.get("valueReference"), "display") or one.get("valueString")
        if (text := _text(name, _NUMBER)) is not None:
            return text
    return None


def _progress(resource: Mapping[str, Any]) -> str | None:
    for one in _outputs(resource, PROGRESS):
        ratio = one.get("valueRatio")
        done, all_ = (_whole(_field(_field(ratio, part), "value")) for part in ("numerator", "denominator"))
        if done is not None and all_ and done <= all_:
            return f"{done}/{all_}"
    return None


def _whole(value: Any) -> int | None:
    """A count up to 999."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    return int(value) if 0 <= value <= 999 and value == int(value) else None


def _text(value: Any, most: int) -> str | None:
    return " ".join(value.split())[:most] or None if isinstance(value, str) else None


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
