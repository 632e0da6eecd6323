"""Invariants of data types (http://hl7.org/fhir/R4/datatypes.html and metadatatypes.html)."""

from adapter.fhir.validation.invariants.fhirpath_functions import (
    UCUM,
    Json,
    Predicate,
    choice_exists,
    has,
    not_after,
    one_of,
    ordered,
    quantity_value,
)
from adapter.fhir.validation.invariants.narrative import has_content, is_plain_xhtml

__all__ = ["RULES"]


def _age(age: Json) -> bool:
    return _measured_in_ucum(age) and ((value := quantity_value(age)) is None or value > 0)


def _measured_in_ucum(quantity: Json) -> bool:
    has_code = has(quantity, "code") or not has(quantity, "value")
    return has_code and (not has(quantity, "system") or quantity.get("system") == UCUM)


def _count(count: Json) -> bool:
    value = quantity_value(count)
    is_whole = value is None or "." not in str(value)
    return is_whole and _measured_in_ucum(count) and (not has(count, "code") or count.get("code") == "1")


def _duration(duration: Json) -> bool:
    return not has(duration, "code") or (duration.get("system") == UCUM and has(duration, "value"))


def _has_system(quantity: Json) -> bool:
    return not has(quantity, "code") or has(quantity, "system")


def _range(range_: Json) -> bool:
    low, high = range_.get("low"), range_.get("high")
    return low is None or high is None or ordered(low, high)


def _ratio(ratio: Json) -> bool:
    top, bottom = has(ratio, "numerator"), has(ratio, "denominator")
    return top == bottom and (top or has(ratio, "extension"))


def _offset(repeat: Json) -> bool:
    if not has(repeat, "offset"):
        return True
    return has(repeat, "when") and not any(
        one_of(when, "C", "CM", "CD", "CV") for when in repeat.get("when", ())
    )


def _trigger(trigger: Json) -> bool:
    type_ = trigger.get("type", "")
    if type_ == "named-event":
        return has(trigger, "name")
    if type_ == "periodic":
        return choice_exists(trigger, "timing")
    return not type_.startswith("data-") or has(trigger, "data")


RULES: dict[str, dict[str, Predicate]] = {
    "Age": {"age-1": _age, "qty-3": _has_system},
    "Attachment": {"att-1": lambda o: not has(o, "data") or has(o, "contentType")},
    "ContactPoint": {"cpt-2": lambda o: not has(o, "value") or has(o, "system")},
    "Count": {"cnt-3": _count, "qty-3": _has_system},
    "DataRequirement.codeFilter": {"drq-1": lambda o: has(o, "path") != has(o, "searchParam")},
    "DataRequirement.dateFilter": {"drq-2": lambda o: has(o, "path") != has(o, "searchParam")},
    "Distance": {"dis-1": _measured_in_ucum, "qty-3": _has_system},
    "Duration": {"drt-1": _duration, "qty-3": _has_system},
    "Expression": {"exp-1": lambda o: has(o, "expression") or has(o, "reference")},
    "Narrative.div": {"txt-1": is_plain_xhtml, "txt-2": has_content},
    "Period": {"per-1": lambda o: not_after(o.get("start"), o.get("end"))},
    "Quantity": {"qty-3": _has_system},
    "Range": {"rng-2": _range},
    "Ratio": {"rat-1": _ratio},
    "SimpleQuantity": {"sqty-1": lambda o: not has(o, "comparator"), "qty-3": _has_system},
    "Timing.repeat": {
        "tim-1": lambda o: not has(o, "duration") or has(o, "durationUnit"),
        "tim-2": lambda o: not has(o, "period") or has(o, "periodUnit"),
        "tim-4": lambda o: o.get("duration", 0) >= 0,
        "tim-5": lambda o: o.get("period", 0) >= 0,
        "tim-6": lambda o: not has(o, "periodMax") or has(o, "period"),
        "tim-7": lambda o: not has(o, "durationMax") or has(o, "duration"),
        "tim-8": lambda o: not has(o, "countMax") or has(o, "count"),
        "tim-9": _offset,
        "tim-10": lambda o: not (has(o, "timeOfDay") and has(o, "when")),
    },
    "TriggerDefinition": {
        "trd-1": lambda o: not (has(o, "data") and choice_exists(o, "timing")),
        "trd-2": lambda o: not has(o, "condition") or has(o, "data"),
        "trd-3": _trigger,
    },
}
