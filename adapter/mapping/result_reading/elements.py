"""FHIR's data types as parts of a result, whatever shape they came in. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from adapter.fhir import codec
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.result_content import (
    Amount,
    CodedConcept,
    Coding,
    ReferenceRange,
    ResultNote,
    ResultValue,
    SampledValues,
)

__all__ = [
    "as_concept",
    "as_concepts",
    "as_notes",
    "as_objects",
    "as_ranges",
    "as_text",
    "as_time",
    "as_value",
]

_NO_SAMPLES = ResultValue(type="SampledData", samples=SampledValues())
_REASON_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def as_objects(value: object) -> Iterator[dict[str, Any]]:
    """The JSON objects of a list, or the one object."""
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, dict):
            yield item


def as_text(value: object) -> str | None:
    """A string that says something."""
    return value.strip() or None if isinstance(value, str) else None


def _digits(value: object) -> str | None:
    if isinstance(value, Decimal):
        return codec.plain_decimal(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _primitive(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return as_text(value) or _digits(value)


def as_concept(value: object) -> CodedConcept | None:
    """A CodeableConcept with all its codings; None where it says nothing."""
    for one in as_objects(value):
        codings = tuple(filter(None, map(_coding, as_objects(one.get("coding")))))
        if codings or as_text(one.get("text")):
            return CodedConcept(text=as_text(one.get("text")), codings=codings)
    return None


def as_concepts(value: object) -> tuple[CodedConcept, ...]:
    """Those of a list that say something."""
    return tuple(filter(None, map(as_concept, as_objects(value))))


def _coding(one: dict[str, Any]) -> Coding | None:
    names = ("system", "code", "display", "version")
    said = {name: text for name in names if (text := as_text(one.get(name)))}
    return Coding(**said) if "code" in said or "display" in said else None


def _amount(value: object, known: KnownMeasures) -> Amount | None:
    for one in as_objects(value):
        said = {name: as_text(one.get(name)) for name in ("comparator", "unit", "system", "code")}
        number = _digits(one.get("value"))
        if number is None and not said["unit"] and not said["code"]:
            return None
        made = Amount(value=number, **said)
        return made.model_copy(update={"contradicts": True}) if known.contradicts(made) else made
    return None


def as_ranges(value: object, known: KnownMeasures) -> tuple[ReferenceRange, ...]:
    """Reference ranges."""
    found = []
    for one in as_objects(value):
        age = one.get("age") if isinstance(one.get("age"), dict) else {}
        found.append(
            ReferenceRange(
                low=_amount(one.get("low"), known),
                high=_amount(one.get("high"), known),
                text=as_text(one.get("text")),
                type=as_concept(one.get("type")),
                applies_to=as_concepts(one.get("appliesTo")),
                age_low=_amount(age.get("low"), known),  # type: ignore[union-attr] # a dict, see above
                age_high=_amount(age.get("high"), known),  # type: ignore[union-attr]
            )
        )
    return tuple(one for one in found if one != ReferenceRange())


def as_notes(value: object) -> tuple[ResultNote, ...]:
    """Annotations."""
    found = []
    for one in as_objects(value):
        if text := as_text(one.get("text")):
            author = as_text(one.get("authorString"))
            for reference in as_objects(one.get("authorReference")):
                author = author or as_text(reference.get("display")) or as_text(reference.get("reference"))
            found.append(ResultNote(text=text, author=author, time=as_text(one.get("time"))))
    return tuple(found)


def as_time(holder: dict[str, Any], name: str) -> str | None:
    """A dateTime, an instant, or a Period in words, whichever is there; a Timing by its events."""
    for type_ in ("DateTime", "Instant", "String"):
        if text := as_text(holder.get(f"{name}{type_}")):
            return text
    for period in as_objects(holder.get(f"{name}Period")):
        start, end = as_text(period.get("start")), as_text(period.get("end"))
        if start or end:
            return f"{start or ''} - {end or ''}".strip()
    for timing in as_objects(holder.get(f"{name}Timing")):
        events = timing.get("event")
        said = [text for event in events if (text := as_text(event))] if isinstance(events, list) else []
        return ", ".join(said) or None
    return None


def as_value(holder: dict[str, Any], known: KnownMeasures) -> tuple[ResultValue | None, CodedConcept | None]:
    """The value, and why there is none where an extension of it says that."""
    for name, said in holder.items():
        if name.startswith("value") and (value := _value(name[len("value") :], said, known)):
            return value, None
    for name, beside in holder.items():
        if name.startswith(("value", "_value")) and (reason := _absent_by_extension(beside)):
            return None, reason
    return None, None


def _absent_by_extension(value: object) -> CodedConcept | None:
    for one in as_objects(value):
        for holder in (one, *as_objects(one.get("_value"))):
            for extension in as_objects(holder.get("extension")):
                code = as_text(extension.get("valueCode"))
                if extension.get("url") == _REASON_ABSENT and code:
                    return CodedConcept(codings=(Coding(code=code),))
    return None


def _value(type_: str, value: object, known: KnownMeasures) -> ResultValue | None:
    if not type_[:1].isupper():
        return None
    if not isinstance(value, dict):
        text = _primitive(value)
        return ResultValue(type=_of_r4(type_), text=text) if text else None
    made: ResultValue | None = None
    if type_ == "CodeableConcept":
        made = ResultValue(type=type_, concept=as_concept(value))
    elif type_ == "Range":
        made = _pair(type_, value, ("low", "high"), known)
    elif type_ == "Ratio":
        made = _pair(type_, value, ("numerator", "denominator"), known)
    elif type_ == "Period":
        made = ResultValue(type=type_, start=as_text(value.get("start")), end=as_text(value.get("end")))
    elif type_ == "SampledData":
        made = ResultValue(type=type_, samples=_samples(value, known))
    elif type_ == "Quantity":
        made = ResultValue(type=type_, amount=_amount(value, known))
    return made if made is not None and made not in (ResultValue(type=type_), _NO_SAMPLES) else None


def _of_r4(type_: str) -> str:
    """FHIR's name of a primitive type: value**String** is a string."""
    return type_[0].lower() + type_[1:]


def _pair(
    type_: str, value: dict[str, Any], names: tuple[str, str], known: KnownMeasures
) -> ResultValue | None:
    ends: dict[str, Any] = {name: _amount(value.get(name), known) for name in names}
    return ResultValue(type=type_, **ends) if any(ends.values()) else None


def _samples(value: dict[str, Any], known: KnownMeasures) -> SampledValues:
    return SampledValues(
        origin=_amount(value.get("origin"), known),
        period=_digits(value.get("period")),
        factor=_digits(value.get("factor")),
        lower_limit=_digits(value.get("lowerLimit")),
        upper_limit=_digits(value.get("upperLimit")),
        dimensions=_digits(value.get("dimensions")),
        data=as_text(value.get("data")),
    )
