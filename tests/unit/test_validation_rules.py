"""Each kind of rule refuses what breaks it, under its own name and at its own place."""

from decimal import Decimal
from typing import Any

import pytest

from adapter.fhir.operation_outcome import operation_outcome, parse_issues
from adapter.fhir.validation.checker import check_resource

BASE: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
UNKNOWN = {"extension": [{"url": "http://x", "valueCode": "unknown"}]}


def found(resource: dict[str, Any]) -> list[tuple[str | None, str | None]]:
    return [(issue.rule, issue.expression) for issue in check_resource(resource) if issue.is_error]


@pytest.mark.parametrize(
    ("change", "rule", "expression"),
    [
        ({"valueInteger": 2**31}, "format", "Observation.value"),
        ({"valueTime": "25:00:00"}, "format", "Observation.value"),
        ({"valueString": "a\x01b"}, "format", "Observation.value"),
        ({"valueQuantity": {"value": Decimal("NaN")}}, "format", "Observation.value.value"),
        ({"language": " vi"}, "format", "Observation.language"),
        ({"implicitRules": "a b"}, "format", "Observation.implicitRules"),
        ({"note": [{"text": "a", "time": "0000"}]}, "format", "Observation.note[0].time"),
        ({"extension": [{"url": "u", "valueOid": "1.2.3"}]}, "format", "Observation.extension[0].value"),
        (
            {"extension": [{"url": "u", "valueUuid": "urn:uuid:1"}]},
            "format",
            "Observation.extension[0].value",
        ),
        ({"extension": [{"url": "u", "valuePositiveInt": 0}]}, "format", "Observation.extension[0].value"),
        ({"extension": [{"url": "u", "valueUnsignedInt": -1}]}, "format", "Observation.extension[0].value"),
        (
            {"extension": [{"url": "u", "valueBase64Binary": "abc"}]},
            "format",
            "Observation.extension[0].value",
        ),
        ({"extension": [{"url": "u"}]}, "ext-1", "Observation.extension[0]"),
        ({"extension": [{"url": "u", "valueCode": "a", **UNKNOWN}]}, "ext-1", "Observation.extension[0]"),
        ({"method": {"id": "a"}}, "ele-1", "Observation.method"),
        ({"_issued": {"id": "a"}}, "ele-1", "Observation.issued"),
        ({"code": {"resourceType": "X", "text": "x"}}, "structure", "Observation.code.resourceType"),
        ({"a b": 1}, "structure", "Observation"),
        ({"subject": {"reference": "Foo/1"}}, "reference", "Observation.subject.reference"),
        ({"subject": {"reference": "Patient/1", "type": "Group"}}, "reference", "Observation.subject.type"),
        ({"subject": {"type": "Task", "display": "x"}}, "reference", "Observation.subject.type"),
        ({"subject": {"reference": "#a"}}, "ref-1", "Observation.subject"),
        ({"contained": [{"resourceType": "Patient", "id": "a"}]}, "dom-3", "Observation"),
        ({"effectivePeriod": {"start": "2026-03-02", "end": "2026-03-01"}}, "per-1", "Observation.effective"),
        ({"valueQuantity": {"code": "g", "value": 1}}, "qty-3", "Observation.value"),
        (
            {"referenceRange": [{"low": {"comparator": "<", "value": 1}}]},
            "sqty-1",
            "Observation.referenceRange[0].low",
        ),
        ({"referenceRange": [{"type": {"text": "x"}}]}, "obs-3", "Observation.referenceRange[0]"),
        ({"valueInteger": 1, "dataAbsentReason": {"text": "x"}}, "obs-6", "Observation"),
        (
            {"text": {"status": "generated", "div": "<div><script>x</script></div>"}},
            "txt-1",
            "Observation.text.div",
        ),
        ({"text": {"status": "generated", "div": "<div><p> </p></div>"}}, "txt-2", "Observation.text.div"),
    ],
)
def test_a_broken_rule_is_named(change: dict[str, Any], rule: str, expression: str) -> None:
    assert (rule, expression) in found({**BASE, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"_issued": UNKNOWN},
        {"effectivePeriod": {"start": "2026-03-02", "end": "2026-03-02T08:00:00+07:00"}},
        {"effectivePeriod": {"start": "2026-03-02T08:00:00+07:00", "end": "2026-03-02T01:00:00Z"}},
        {"effectiveDateTime": "2026-12-31T23:59:60Z"},
        {"subject": {"reference": "https://x.example/fhir/Custom/1"}},
        {"subject": {"reference": "#a"}, "contained": [{"resourceType": "Patient", "id": "a"}]},
        {
            "contained": [
                {
                    "resourceType": "Provenance",
                    "id": "a",
                    "target": [{"reference": "#"}],
                    "recorded": "2026-03-02T08:00:00Z",
                    "agent": [{"who": {"display": "x"}}],
                }
            ]
        },
        {"valueRange": {"low": {"value": 5, "unit": "g"}, "high": {"value": 1, "unit": "kg"}}},
        {
            "text": {
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml"><b>a</b><br/></div>',
            }
        },
    ],
)
def test_what_only_looks_broken_is_right(change: dict[str, Any]) -> None:
    assert found({**BASE, **change}) == []


def test_lists_of_primitives_and_their_extensions_go_in_step() -> None:
    def name(**parts: Any) -> list[tuple[str | None, str | None]]:
        return found({"resourceType": "Patient", "name": [parts]})

    assert name(given=["a", None], _given=[None, UNKNOWN]) == []
    assert name(_given=[UNKNOWN]) == []
    assert name(given=["a", None]) == [("structure", "Patient.name[0].given[1]")]
    assert name(given=["a", None], _given=[UNKNOWN, None]) == [("structure", "Patient.name[0].given[1]")]
    assert name(given=["a"], _given=[None, UNKNOWN]) == [("structure", "Patient.name[0].given")]
    assert name(given=["a"], _given=[None]) == [("structure", "Patient.name[0].given")]
    assert name(given=["a"], _given=UNKNOWN) == [("cardinality", "Patient.name[0].given")]


def test_a_concept_with_a_required_binding_has_one_coding_of_it() -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}}

    def status(concept: dict[str, Any]) -> list[tuple[str | None, str | None]]:
        return found({**condition, "clinicalStatus": concept})

    own = {"system": "http://x", "code": "live"}
    assert status({"coding": [own, {"system": system, "code": "active"}]}) == []
    for wrong in ({"text": "active"}, {"coding": [own]}, {"coding": [{"system": system, "code": "live"}]}):
        assert status(wrong) == [("binding", "Condition.clinicalStatus")]


def test_a_resource_in_a_bundle_has_its_own_contained_ones() -> None:
    inner = {**BASE, "subject": {"reference": "#a"}}
    outer = {**inner, "contained": [{"resourceType": "Patient", "id": "a"}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0001", "resource": outer},
            {"fullUrl": "urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0002", "resource": inner},
        ],
    }
    assert found(bundle) == [("ref-1", "Bundle.entry[1].resource.subject")]


def test_the_second_opinion_does_not_contradict_r4() -> None:
    """The models know no extensions of a value in an extension, and another Evidence."""
    assert found({**BASE, "extension": [{"url": "http://x", "_valueString": UNKNOWN}]}) == []
    assert (
        found({"resourceType": "Evidence", "status": "draft", "exposureBackground": {"display": "x"}}) == []
    )


def test_two_rules_of_one_element_are_both_said_and_an_outcome_keeps_the_rule() -> None:
    concept = {"coding": [{"system": "http://x", "code": "a"}]}
    both = {**BASE, "code": concept, "component": [{"code": concept}], "valueInteger": 1}
    issues = check_resource({**both, "dataAbsentReason": {"text": "x"}})
    assert [issue.rule for issue in issues] == ["obs-6", "obs-7"]
    outcome = operation_outcome(issues)
    assert list(parse_issues(outcome)) == issues
    assert found(outcome) == []
