"""The invariants in Python say what R4's own FHIRPath says, and none is forgotten.

Each rule is evaluated by both on elements made at random out of the definitions, with the names and codes
that its expression speaks of; and, with `make conformance`, on what HL7's examples hold.
"""

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from conformance.fetch import EXAMPLES
from fhirpathpy import compile as compile_path
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models

from adapter import texts
from adapter.fhir.definitions import table, types
from adapter.fhir.validation.invariants import CHECKED_BY_WALK, PREDICATES, unchecked_reason

RULES = [
    (path, types.Invariant(key, *said))
    for path, listed in sorted(table.load_table()["rules"].items())
    for key, said in listed.items()
]
CHECKED = [(path, rule) for path, rule in RULES if rule.key in PREDICATES.get(path, {})]
# What the project makes or takes; here not even a rule that is hard to express may be missing.
IN_USE = {
    "AllergyIntolerance",
    "Appointment",
    "Basic",
    "Bundle",
    "CapabilityStatement",
    "CarePlan",
    "CodeSystem",
    "Communication",
    "Composition",
    "ConceptMap",
    "Condition",
    "Consent",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "ImagingStudy",
    "Immunization",
    "List",
    "Location",
    "Media",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "OperationOutcome",
    "Organization",
    "Parameters",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
    "Task",
    "ValueSet",
}

# What the library cannot evaluate, or evaluates otherwise than the rule's words say.
NOT_COMPARED = {
    "con-3": "the expression asks for a status with any category, the words only with problem-list-item",
    "csd-1": "the library takes $this for the list of codes",
    "que-7": "the library does not know that a boolean of FHIR is one of FHIRPath",
    "rng-2": "the library does not compare quantities",
    "tim-9": "the library takes the codes after `in` for too many",
    "txt-1": "htmlChecks() is the server's own",
    "txt-2": "htmlChecks() is the server's own",
}


def test_every_rule_is_checked_or_left_out_with_a_reason() -> None:
    missing, twice = [], []
    for path, rule in RULES:
        places = [
            rule.key in PREDICATES.get(path, {}),
            rule.key in CHECKED_BY_WALK,
            unchecked_reason(path, rule.key) is not None,
        ]
        if not any(places):
            missing.append((path, rule.key))
        if sum(places) > 1:
            twice.append((path, rule.key))
    assert (missing, twice) == ([], [])


def test_no_predicate_is_of_a_rule_that_r4_has_not() -> None:
    known = {(path, rule.key) for path, rule in RULES}
    ours = {(path, key) for path, listed in PREDICATES.items() for key in listed}
    assert ours - known == set()


def test_nothing_is_left_out_of_what_the_project_uses() -> None:
    datatypes = {name for name in types.types() if not types.is_resource_type(name.partition(".")[0])}
    used = {(path, rule.key) for path, rule in RULES if path.partition(".")[0] in IN_USE | datatypes}
    assert len(used) > 100
    reasons = {
        key: unchecked_reason(path, key) for path, key in used if not path.startswith("ElementDefinition")
    }
    assert {key for key, reason in reasons.items() if reason} == set()


def test_rules_of_what_the_project_uses_are_said_in_plain_words() -> None:
    known = texts.catalogue("vi")
    for path, rule in CHECKED:
        if path.partition(".")[0] in IN_USE and rule.key != "inv-1":
            assert f"invariants.{rule.key}" in known
    named = {key.removeprefix("invariants.") for key in known if key.startswith("invariants.")}
    existing = {rule.key for _, rule in RULES} | {"inv-1-task", "inv-1-parameters"}
    assert named - existing == set()


def _expression(rule: types.Invariant) -> str:
    """What the library can evaluate: it has no hasValue(), prints what is traced, and matches a part."""
    said = re.sub(r"\.trace\('\w+'\)", "", rule.expression)
    said = re.sub(r"matches\('\[A-Z\](.*?)'\)", r"matches('^[A-Z]\1$')", said)
    return (
        said.replace("hasValue()", "exists()")
        .replace("Appointment.", "")
        .replace("%resource.type", "%resource.`type`")
    )


@cache
def _evaluator(expression: str) -> Any:
    return compile_path(expression, models["r4"])


def _by_fhirpath(path: str, rule: types.Invariant, element: Any) -> bool | None:
    """What FHIRPath says of an element; None for neither yes nor no."""
    node = ResourceNode.create_node(element, path.removesuffix("[x]"))
    said = _evaluator(_expression(rule))(
        node, {"resource": element, "rootResource": element, "context": element}
    )
    return said[0] if len(said) == 1 and isinstance(said[0], bool) else None


class Maker:
    """Elements at random, made of the names and words that an expression speaks of."""

    def __init__(self, expression: str, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same elements in every run
        self._names = set(re.findall(r"[A-Za-z]+", expression)) | {"linkId", "item", "concept", "code"}
        words = re.findall(r"'([^']*)'", expression)
        self._words = [*words, "A", "a b"]
        if "toInteger" in expression:
            self._words = ["*", "0", "1"]
        if "%ucum" in expression:
            self._words += ["http://unitsofmeasure.org", "http://unitsofmeasure.org"]

    def make(self, type_name: str, depth: int = 0) -> dict[str, Any]:
        if type_name == "Resource":
            made = {"resourceType": self._random.choice(["Composition", "MessageHeader", "Patient"])}
            return {**made, "meta": {"versionId": self._random.choice("12")}}
        made = {"resourceType": type_name} if types.is_resource_type(type_name) else {"id": "x"}
        choices: set[str] = set()
        listed = list(types.elements(type_name).values())
        self._random.shuffle(listed)
        for element in listed:
            if element.fhirpath_name not in self._names or element.name in ("id", "extension"):
                continue
            odds = 0.12 if element.choice else 0.6
            if element.choice in choices or (element.type and depth > 3):
                continue
            if not element.required and self._random.random() > odds:
                continue
            choices |= {element.choice} if element.choice else set()
            count = self._random.choice([1, 2, 3]) if element.is_list else 1
            values = [self._value(element, depth) for _ in range(count)]
            made[element.name] = values if element.is_list else values[0]
        return made

    def _value(self, element: types.Element, depth: int) -> Any:
        if element.type is not None:
            return self.make(element.type, depth + 1)
        if element.codes is not None:
            fitting = [word for word in self._words if word in element.codes]
            return self._random.choice([*fitting, *sorted(element.codes)[:3]])
        return self._plain(element.primitive)

    def _plain(self, primitive: str) -> Any:
        choose = self._random.choice
        if primitive in ("date", "dateTime", "instant"):
            return choose(["2026-03-01", "2026-03-02"]) if primitive != "instant" else "2026-03-02T10:00:00Z"
        if primitive in ("integer", "decimal", "positiveInt", "unsignedInt"):
            return choose([-1, 0, 1, 2, 101]) if primitive in ("integer", "decimal") else choose([1, 2])
        return choose([True, False]) if primitive == "boolean" else choose(self._words)


def _of(path: str, rule: types.Invariant, seed: int) -> Any:
    """An element of `path` at random."""
    maker = Maker(rule.expression, seed)
    if path == "RiskAssessment.prediction.probability[x]":
        return maker.make("Range")
    owner, _, name = path.rpartition(".")
    element = types.elements(owner).get(name)
    return maker.make(element.type if element and element.type else path)


COMPARED = [(path, rule) for path, rule in CHECKED if rule.key not in NOT_COMPARED]


@pytest.mark.parametrize(("path", "rule"), COMPARED, ids=lambda value: getattr(value, "key", value))
def test_python_and_fhirpath_agree(path: str, rule: types.Invariant) -> None:
    keeps = PREDICATES[path][rule.key]
    said = {True: 0, False: 0, None: 0}
    for seed in range(150):
        element = _of(path, rule, seed)
        expected = _by_fhirpath(path, rule, element)
        said[expected] += 1
        if expected is not None:
            assert keeps(element) == expected, json.dumps(element)
    assert said[True] > 0
    assert said[False] > 0


def _elements(value: dict[str, Any], type_name: str) -> Iterator[tuple[str, Any]]:
    """(path, JSON) of an object and all that is in it."""
    yield type_name, value
    for name, item in value.items():
        element = types.elements(type_name).get(name)
        if element is None:
            continue
        path = f"{type_name}.{element.choice}[x]" if element.choice else f"{type_name}.{name}"
        for child in item if isinstance(item, list) else [item]:
            if path != element.type:
                yield path, child
            if element.type and isinstance(child, dict):
                inner = child.get("resourceType", "") if element.type == "Resource" else element.type
                yield from _elements(child, inner)


@pytest.mark.conformance
def test_python_and_fhirpath_agree_on_the_examples() -> None:
    rules: dict[str, list[types.Invariant]] = {}
    for path, rule in COMPARED:
        rules.setdefault(path, []).append(rule)
    compared, differing = 0, []
    often: dict[str, int] = {}
    for file in sorted(EXAMPLES.glob("*-*.json")):
        if file.stat().st_size > 100_000:
            continue
        resource = json.loads(file.read_bytes())
        for path, element in _elements(resource, resource["resourceType"]):
            often[path] = often.get(path, 0) + 1
            if often[path] > 100:
                continue
            for rule in rules.get(path, ()):
                expected = _by_fhirpath(path, rule, element)
                compared += 1
                if expected is not None and PREDICATES[path][rule.key](element) != expected:
                    differing.append((file.name, path, rule.key))
    assert compared > 2_000
    assert differing == []
