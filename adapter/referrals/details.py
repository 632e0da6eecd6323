"""What a hospital's Task says of a referral besides its state: when, under which number, why. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

__all__ = ["TaskDetails", "details_of"]

_FILLER = ("http://terminology.hl7.org/CodeSystem/v2-0203", "FILL")
_VIETNAM = timezone(timedelta(hours=7))
_MOST = 500  # letters of a reason
_NUMBER = 100


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """`appointment`: when the person is to come, a day where no time was written; `hospital_number`: under
    which the hospital knows the referral, the identifier of type FILL; `reason`: of the status, in the
    hospital's words.
    """

    appointment: date | datetime | None = None
    hospital_number: str | None = None
    reason: str | None = None


def details_of(resource: Mapping[str, Any]) -> TaskDetails | None:
    """Of a Task (FHIR R4, JSON form); None of other types, and where it says none of it."""
    if resource.get("resourceType") != "Task":
        return None
    start = _field(resource.get("executionPeriod"), "start")
    found = TaskDetails(
        _moment(start) if isinstance(start, str) else None,
        _filler_number(resource.get("identifier")),
        _words(resource.get("statusReason")),
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


def _text(value: Any, most: int) -> str | None:
    return " ".join(value.split())[:most] or None if isinstance(value, str) else None


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
