"""R4's invariants as Python: by element and key, whether an element keeps the rule.

In: an element's JSON. Out: a predicate for each rule of its type, or why a rule is not checked.

Each is written by hand after the FHIRPath of the definition, which `definitions.types.invariants` holds; a
test evaluates both on the same resources. A predicate gets the element's JSON and may raise on a wrong shape,
which the walk has reported by then. The rules that need more than their own element are in `walk` and named
in `CHECKED_BY_WALK`; what is left out is named by `unchecked_reason`, with the reason.
"""

from adapter.fhir.validation.invariants import administrative_and_clinical, conformance, datatypes, knowledge
from adapter.fhir.validation.invariants.fhirpath_functions import Predicate

__all__ = ["CHECKED_BY_WALK", "PREDICATES", "Predicate", "unchecked_reason"]

PREDICATES: dict[str, dict[str, Predicate]] = {}
for _module in (datatypes, administrative_and_clinical, conformance, knowledge):
    for _path, _rules in _module.RULES.items():
        PREDICATES.setdefault(_path, {}).update(_rules)

CHECKED_BY_WALK = frozenset(("ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "ref-1"))

_TOOLING = "for the authors of profiles and test scripts, which are not exchanged here"
_BY_TYPE = {
    "ElementDefinition": _TOOLING,
    "StructureDefinition": _TOOLING,
    "StructureMap": _TOOLING,
    "TestScript": _TOOLING,
    "TestReport": _TOOLING,
}
_BY_KEY = {
    "dom-6": "a narrative is good practice, and its absence would be said of nearly every resource",
    "cid-0": "is about a name, which a ChargeItemDefinition does not have",
    "ctm-1": "needs the resource that a reference leads to",
}


def unchecked_reason(path: str, key: str) -> str | None:
    """Why a rule is not checked; None for one that is."""
    return _BY_KEY.get(key) or _BY_TYPE.get(path.partition(".")[0])
