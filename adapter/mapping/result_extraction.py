"""The way back: what a hospital's DiagnosticReport, Observation or Procedure says, as a result's fields.

The whole resource is kept beside them, digit for digit; these fields are what lists and reports show.
Nothing here trusts the shape of what came: an element of the wrong kind counts as absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal

from adapter.fhir import codec

__all__ = ["EXTRACTED_TYPES", "ResultFields", "extract_result"]

ResultType = Literal["DiagnosticReport", "Observation", "Procedure"]
EXTRACTED_TYPES: tuple[ResultType, ...] = ("DiagnosticReport", "Observation", "Procedure")

_VIETNAM = timezone(timedelta(hours=7))
_MAX_TEXT = 4_000  # a conclusion as lists show it; the resource keeps all of it
_TIMES = ("issued", "effectiveDateTime", "effectiveInstant", "performedDateTime")
_PERIODS = ("effectivePeriod", "performedPeriod")


@dataclass(frozen=True, slots=True)
class ResultFields:
    """The fields of `records.model.Result`. `resource` is the FHIR JSON of what was given."""

    key: str
    cadre: str
    hospital: str
    referral: str | None
    type: ResultType
    status: str
    code: str | None
    title: str | None
    conclusion: str | None
    value: str | None
    issued_at: datetime
    resource: str


def extract_result(
    resource: codec.Resource,
    *,
    hospital: str,
    key: str,
    cadre: str,
    referral: str | None,
    received_at: datetime,
) -> ResultFields:
    """The fields of one received resource. Without a time of its own, it was issued when it came.

    Raises ValueError for a resource of another type; no shape of one of the three raises.
    """
    type_ = next((name for name in EXTRACTED_TYPES if name == resource.get("resourceType")), None)
    if type_ is None:
        raise ValueError("only DiagnosticReport, Observation and Procedure are results")
    code = _object(resource.get("code"))
    return ResultFields(
        key=key,
        cadre=cadre,
        hospital=hospital,
        referral=referral,
        type=type_,
        status=_text(resource.get("status")) or "unknown",
        code=_code(code),
        title=_concept_text(code),
        conclusion=_conclusion(resource, type_),
        value=_short("; ".join(_values(resource))),
        issued_at=_issued(resource) or received_at,
        resource=codec.dumps(resource).decode(),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Iterator[dict[str, Any]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _short(value: str) -> str | None:
    return value[:_MAX_TEXT] or None


def _code(concept: dict[str, Any]) -> str | None:
    for coding in _objects(concept.get("coding")):
        if code := _text(coding.get("code")):
            return f"{_text(coding.get('system')) or ''}|{code}"
    return None


def _concept_text(concept: dict[str, Any]) -> str | None:
    if text := _text(concept.get("text")):
        return text
    codings = list(_objects(concept.get("coding")))
    for name in ("display", "code"):
        for coding in codings:
            if text := _text(coding.get(name)):
                return text
    return None


def _conclusion(resource: codec.Resource, type_: ResultType) -> str | None:
    if text := _text(resource.get("conclusion")):
        return _short(text)
    concepts = {
        "DiagnosticReport": list(_objects(resource.get("conclusionCode"))),
        "Observation": list(_objects(resource.get("interpretation"))),
        "Procedure": [_object(resource.get("outcome"))],
    }[type_]
    texts = [text for concept in concepts if (text := _concept_text(concept))]
    if not texts:
        texts = [text for note in _objects(resource.get("note")) if (text := _text(note.get("text")))]
    return _short("; ".join(texts))


def _values(resource: codec.Resource) -> Iterator[str]:
    own = _value(resource)
    if own:
        yield own
    for part in _objects(resource.get("component")):
        if (value := _value(part)) and (name := _concept_text(_object(part.get("code")))):
            yield f"{name} {value}"


def _value(holder: dict[str, Any]) -> str | None:
    for name, value in holder.items():
        if not name.startswith("value"):
            continue
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | Decimal):
            return _number(value)
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, dict):
            return _complex_value(name, value)
    return None


def _complex_value(name: str, value: dict[str, Any]) -> str | None:
    if name == "valueQuantity":
        return _quantity(value)
    if name == "valueCodeableConcept":
        return _concept_text(value)
    first, second, between = {
        "valueRange": ("low", "high", "-"),
        "valueRatio": ("numerator", "denominator", "/"),
        "valuePeriod": ("start", "end", " - "),
    }.get(name, ("", "", ""))
    ends = (_end(value.get(first)), _end(value.get(second)))
    return between.join(end or "" for end in ends) if any(ends) else None


def _end(value: object) -> str | None:
    return _quantity(value) if isinstance(value, dict) else _text(value)


def _quantity(quantity: dict[str, Any]) -> str | None:
    number = _number(quantity.get("value"))
    if number is None:
        return None
    unit = _text(quantity.get("unit")) or _text(quantity.get("code"))
    return f"{_text(quantity.get('comparator')) or ''}{number}{f' {unit}' if unit and unit != '1' else ''}"


def _number(value: object) -> str | None:
    if isinstance(value, Decimal):
        return codec.plain_decimal(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _issued(resource: codec.Resource) -> datetime | None:
    times = [resource.get(name) for name in _TIMES]
    for name in _PERIODS:
        period = _object(resource.get(name))
        times += [period.get("end"), period.get("start")]
    return next((moment for time in times if (moment := _moment(time)) is not None), None)


def _moment(value: object) -> datetime | None:
    """A FHIR dateTime; a date without a time means its first moment in Viet Nam."""
    if not isinstance(value, str):
        return None
    text = value + "-01" * (2 - value.count("-")) if len(value) in (4, 7) else value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_VIETNAM)
    try:
        moment.astimezone(UTC)  # the first and last hours of the calendar have no UTC
    except OverflowError:
        return None
    return moment
