"""Invariants of questionnaires, measures and the other resources that describe rather than record."""

import re
from collections.abc import Iterator
from typing import Final

from adapter.fhir.validation.invariants.fhirpath_functions import (
    Json,
    Predicate,
    choice_exists,
    count,
    distinct,
    each,
    has,
    one_of,
)

__all__ = ["RULES"]

_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9_]{0,254}").fullmatch
_WITH_OPTIONS = (
    *("choice", "open-choice", "decimal", "integer", "date"),
    *("dateTime", "time", "string", "quantity"),
)
_WITH_LENGTH = ("boolean", "decimal", "integer", "string", "text", "url", "open-choice")
# resources whose name should be fit for a program, and the key that says so
_NAMED = {
    "ActivityDefinition": "adf-0",
    "CapabilityStatement": "cpb-0",
    "CodeSystem": "csd-0",
    "CompartmentDefinition": "cpd-0",
    "ConceptMap": "cmd-0",
    "EffectEvidenceSynthesis": "ees-0",
    "EventDefinition": "evd-0",
    "Evidence": "evi-0",
    "EvidenceVariable": "evv-0",
    "ExampleScenario": "esc-0",
    "GraphDefinition": "gdf-0",
    "ImplementationGuide": "ig-0",
    "Library": "lib-0",
    "Measure": "mea-0",
    "MessageDefinition": "msd-0",
    "NamingSystem": "nsd-0",
    "OperationDefinition": "opd-0",
    "PlanDefinition": "pdf-0",
    "Questionnaire": "que-0",
    "ResearchDefinition": "rsd-0",
    "ResearchElementDefinition": "red-0",
    "RiskEvidenceSynthesis": "rvs-0",
    "SearchParameter": "spd-0",
    "TerminologyCapabilities": "tcp-0",
    "ValueSet": "vsd-0",
}


def _is_for_programs(resource: Json) -> bool:
    return "name" not in resource or _NAME(resource["name"]) is not None


def _link_ids(item: Json) -> Iterator[str]:
    for child in each(item, "item"):
        if "linkId" in child:
            yield child["linkId"]
        yield from _link_ids(child)


def _group_or_display(item: Json) -> bool:
    """que-1: a group has items, a display has none."""
    type_ = item.get("type")
    return (type_ != "group" or has(item, "item")) and (type_ != "display" or not has(item, "item"))


def _is_no_display(*names: str) -> Predicate:
    """A predicate: a display has none of `names`."""
    return lambda o: o.get("type") != "display" or count(o, *names) == 0


def _may_have_options(item: Json) -> bool:
    return one_of(item.get("type"), *_WITH_OPTIONS) or count(item, "answerValueSet", "answerOption") == 0


def _groupings(definition: Json) -> bool:
    known = [one.get("id") for one in each(definition, "grouping")]
    return all(one["groupingId"] in known for one in each(definition, "resource") if "groupingId" in one)


def _versions(guide: Json) -> bool:
    known = guide.get("fhirVersion", ())
    return all(
        version in known
        for one in each(guide, "definition", "resource")
        for version in one.get("fhirVersion", ())
    )


def _stratifiers(measure: Json) -> bool:
    return all(
        (count(one, "code", "description", "criteria") > 0) != has(one, "component")
        for one in each(measure, "group", "stratifier")
    )


def _strata(report: Json) -> bool:
    return all(
        has(one, "value") != has(one, "component") for one in each(report, "group", "stratifier", "stratum")
    )


def _naming_types(system: Json) -> bool:
    return system.get("kind") != "root" or all(one.get("type") != "uuid" for one in each(system, "uniqueId"))


def _preferred(system: Json) -> bool:
    return distinct(
        one["type"] for one in each(system, "uniqueId") if one.get("preferred") is True and "type" in one
    )


_REFERENCE_SEQ = ("genomeBuild", "referenceSeqId", "referenceSeqPointer", "referenceSeqString")

RULES: dict[str, dict[str, Predicate]] = {
    "ImplementationGuide": {"ig-2": _versions},
    "ImplementationGuide.definition": {"ig-1": _groupings},
    "Measure": {"mea-1": _stratifiers},
    "MeasureReport": {
        "mrp-1": lambda o: o.get("type") != "data-collection" or not has(o, "group"),
        "mrp-2": _strata,
    },
    "MolecularSequence": {"msq-3": lambda o: o.get("coordinateSystem") in (0, 1)},
    "MolecularSequence.referenceSeq": {
        "msq-5": lambda o: has(o, "chromosome") == has(o, "genomeBuild"),
        "msq-6": lambda o: count(o, *_REFERENCE_SEQ) == 1,
    },
    "NamingSystem": {"nsd-1": _naming_types, "nsd-2": _preferred},
    "OperationDefinition.parameter": {
        "opd-1": lambda o: has(o, "type") or has(o, "part"),
        "opd-2": lambda o: not has(o, "searchType") or o.get("type") == "string",
        "opd-3": lambda o: not has(o, "targetProfile") or one_of(o.get("type"), "Reference", "canonical"),
    },
    "Questionnaire": {"que-2": lambda o: distinct(_link_ids(o))},
    "Questionnaire.item": {
        "que-1": _group_or_display,
        "que-3": _is_no_display("code"),
        "que-4": lambda o: not (has(o, "answerOption") and has(o, "answerValueSet")),
        "que-5": _may_have_options,
        "que-6": _is_no_display("required", "repeats"),
        "que-8": lambda o: not has(o, "initial") or not one_of(o.get("type"), "group", "display"),
        "que-9": _is_no_display("readOnly"),
        "que-10": lambda o: not has(o, "maxLength") or one_of(o.get("type"), *_WITH_LENGTH),
        "que-11": lambda o: not (has(o, "answerOption") and has(o, "initial")),
        "que-12": lambda o: len(o.get("enableWhen", ())) < 3 or has(o, "enableBehavior"),
        "que-13": lambda o: o.get("repeats") is True or len(o.get("initial", ())) < 2,
    },
    "Questionnaire.item.enableWhen": {
        "que-7": lambda o: (
            o.get("operator") != "exists" or not choice_exists(o, "answer") or has(o, "answerBoolean")
        )
    },
    "SearchParameter": {
        "spd-1": lambda o: not has(o, "xpath") or has(o, "xpathUsage"),
        "spd-2": lambda o: not has(o, "chain") or o.get("type") == "reference",
    },
}
for _type, _key in _NAMED.items():
    RULES.setdefault(_type, {})[_key] = _is_for_programs
