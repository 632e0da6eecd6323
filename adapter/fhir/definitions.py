"""What FHIR R4 says of each type: element names, cardinality, choice types, required bindings.

Element tables come from the models of `fhir.resources` (R4B, which differs from R4 in none of the
types used here), loaded when first asked for; required bindings that those models leave open are
listed below (http://hl7.org/fhir/R4/terminologies.html#required).
"""

import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = [
    "REQUIRED",
    "TARGETS",
    "TEXT_PRIMITIVES",
    "Element",
    "elements",
    "is_resource",
    "is_type",
    "model",
    "required",
    "required_choices",
]


@dataclass(frozen=True, slots=True)
class Element:
    """One element. `type` is None for a primitive, and `primitive` then is a name of `TEXT_PRIMITIVES`,
    "boolean", "integer" or "decimal";
    `choice` is the name without the type ("value").
    """

    name: str
    many: bool
    required: bool
    type: str | None
    choice: str | None
    primitive: str = "text"


@cache
def model(type_name: str) -> Any:
    """The `fhir.resources` model of a type or backbone element, None when R4 has none of that name."""
    from fhir.resources.R4B import get_fhir_model_class

    if not type_name.isalnum():
        return None
    try:
        class_ = get_fhir_model_class(type_name)
    except (ValueError, LookupError, ImportError, AttributeError):
        return None
    return class_ if hasattr(class_, "model_fields") else None


@cache
def is_resource(type_name: str) -> bool:
    """Whether R4 has a resource of that name; a data type such as HumanName is none."""
    return "implicitRules" in elements(type_name)


def is_type(type_name: str) -> bool:
    """Whether R4 has a type of that name."""
    return model(type_name) is not None


@cache
def elements(type_name: str) -> dict[str, Element]:
    """The elements of a type by their JSON name; {} for a type that does not exist."""
    found: dict[str, Element] = {}
    class_ = model(type_name)
    for field in class_.model_fields.values() if class_ is not None else ():
        extra = field.json_schema_extra or {}
        if not extra.get("element_property"):
            continue
        many, type_, primitive = _shape(field.annotation)
        name = str(field.alias)
        found[name] = Element(
            name=name,
            many=many,
            required=bool(
                field.is_required() or extra.get("element_required") or extra.get("one_of_many_required")
            ),
            type=type_,
            choice=extra.get("one_of_many"),
            primitive=primitive,
        )
    return found


@cache
def required(type_name: str) -> tuple[Element, ...]:
    """The elements that a type cannot be without, those of a choice ([x]) left out."""
    return tuple(item for item in elements(type_name).values() if item.required and item.choice is None)


@cache
def required_choices(type_name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The choices of which one must be there: (name without the type, names of its forms)."""
    forms: dict[str, list[Element]] = {}
    for element in elements(type_name).values():
        if element.choice is not None:
            forms.setdefault(element.choice, []).append(element)
    return tuple(
        (choice, tuple(item.name for item in listed))
        for choice, listed in forms.items()
        if any(item.required for item in listed)
    )


def _shape(annotation: Any) -> tuple[bool, str | None, str]:
    """(is a list, complex type, primitive) of an annotation such as Optional[List[IdentifierType]]."""
    many, primitive = False, ""
    options = [annotation]
    while options:
        option = options.pop()
        if typing.get_origin(option) is not None:
            many = many or typing.get_origin(option) is list
            options.extend(typing.get_args(option))
            continue
        # a complex type is a class such as IdentifierType; a primitive carries one such as DateTime()
        name = getattr(option, "__name__", "") or type(option).__name__
        if name.endswith("Type") and name != "NoneType":
            return many, name.removesuffix("Type"), ""
        primitive = primitive or _PRIMITIVES.get(name, "")
    return many, None, primitive or "text"


TEXT_PRIMITIVES = ("text", "date", "datetime", "id", "instant")
_PRIMITIVES = {
    "Date": "date",
    "DateTime": "datetime",
    "Id": "id",
    "Instant": "instant",
    "Decimal": "decimal",
    "Integer": "integer",
    "PositiveInt": "integer",
    "UnsignedInt": "integer",
    "bool": "boolean",
    "Boolean": "boolean",
}

_REQUEST_STATUS = "draft active on-hold revoked completed entered-in-error unknown"
_EVENT_STATUS = "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"
_REQUEST_INTENT = (
    "proposal plan directive order original-order reflex-order filler-order instance-order option"
)
_PRIORITY = "routine urgent asap stat"
_OBSERVATION_STATUS = "registered preliminary final amended corrected cancelled entered-in-error unknown"

REQUIRED: dict[tuple[str, str], frozenset[str]] = {
    key: frozenset(codes.split())
    for key, codes in {
        ("Patient", "gender"): "male female other unknown",
        ("Practitioner", "gender"): "male female other unknown",
        ("Identifier", "use"): "usual official temp secondary old",
        ("HumanName", "use"): "usual official temp nickname anonymous old maiden",
        ("Address", "use"): "home work temp old billing",
        ("Address", "type"): "postal physical both",
        ("ContactPoint", "system"): "phone fax email pager url sms other",
        ("ContactPoint", "use"): "home work temp old mobile",
        ("Quantity", "comparator"): "< <= >= >",
        ("Narrative", "status"): "generated extensions additional empty",
        ("Encounter", "status"): "planned arrived triaged in-progress onleave finished cancelled "
        "entered-in-error unknown",
        ("Observation", "status"): _OBSERVATION_STATUS,
        ("DiagnosticReport", "status"): "registered partial preliminary final amended corrected appended "
        "cancelled entered-in-error unknown",
        ("Procedure", "status"): _EVENT_STATUS,
        ("ServiceRequest", "status"): _REQUEST_STATUS,
        ("ServiceRequest", "intent"): _REQUEST_INTENT,
        ("ServiceRequest", "priority"): _PRIORITY,
        ("Task", "status"): "draft requested received accepted rejected ready cancelled in-progress on-hold "
        "failed completed entered-in-error",
        ("Task", "intent"): "unknown " + _REQUEST_INTENT,
        ("Task", "priority"): _PRIORITY,
        ("Specimen", "status"): "available unavailable unsatisfactory entered-in-error",
        ("Media", "status"): _EVENT_STATUS,
        ("DocumentReference", "status"): "current superseded entered-in-error",
        ("DocumentReference", "docStatus"): "preliminary final amended entered-in-error",
        ("ImagingStudy", "status"): "registered available cancelled entered-in-error unknown",
        ("Location", "status"): "active suspended inactive",
        ("Location", "mode"): "instance kind",
        ("Device", "status"): "active inactive entered-in-error unknown",
        ("Bundle", "type"): "document message transaction transaction-response batch batch-response "
        "history searchset collection",
        ("BundleEntryRequest", "method"): "GET HEAD POST PUT DELETE PATCH",
        ("BundleEntrySearch", "mode"): "match include outcome",
    }.items()
}

# http://hl7.org/fhir/R4/references.html: the types that these elements may refer to
TARGETS: dict[tuple[str, str], frozenset[str]] = {
    ("Observation", "subject"): frozenset(("Patient", "Group", "Device", "Location")),
    ("DiagnosticReport", "subject"): frozenset(("Patient", "Group", "Device", "Location")),
    ("ServiceRequest", "subject"): frozenset(("Patient", "Group", "Location", "Device")),
    ("Procedure", "subject"): frozenset(("Patient", "Group")),
    ("Encounter", "subject"): frozenset(("Patient", "Group")),
    ("Condition", "subject"): frozenset(("Patient", "Group")),
    ("Observation", "encounter"): frozenset(("Encounter",)),
    ("DiagnosticReport", "encounter"): frozenset(("Encounter",)),
    ("ServiceRequest", "encounter"): frozenset(("Encounter",)),
    ("Procedure", "encounter"): frozenset(("Encounter",)),
    ("DiagnosticReport", "result"): frozenset(("Observation",)),
}
