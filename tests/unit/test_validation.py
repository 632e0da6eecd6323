"""The checker: what is right passes, what is wrong is named by its element, no shape makes it raise."""

import copy
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_support import GOLDEN

from adapter.fhir import codec
from adapter.fhir.validation import primitives
from adapter.fhir.validation.checker import MAX_ISSUES, check_bundle, check_resource

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "a-1",
    "meta": {"lastUpdated": "2026-03-02T08:00:00.123+07:00", "tag": [{"system": "http://x", "code": "a b"}]},
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
    "contained": [{"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1960-05"}],
    "identifier": [{"system": "http://x", "value": "1", "assigner": {"display": "BV"}}],
    "basedOn": [{"reference": "ServiceRequest/9"}, {"identifier": {"system": "http://x", "value": "2"}}],
    "status": "final",
    "category": [{"coding": [{"system": "http://x", "code": "laboratory"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "14749-6"}], "text": "Glucose"},
    "subject": {"reference": "#p"},
    "focus": [{"reference": "#p"}],
    "effectiveDateTime": "2026-03-02T08:00:00+07:00",
    "issued": "2026-03-02T09:00:00Z",
    "performer": [{"reference": "https://his.example/fhir/Practitioner/1/_history/2"}],
    "valueQuantity": {"value": Decimal("5.30"), "unit": "mmol/L", "system": "http://x", "code": "mmol/L"},
    "_status": {"extension": [{"url": "http://x", "valueString": "y"}]},
    "component": [{"code": {"text": "a"}, "valueInteger": 3}],
}


def with_change(path: str, value: Any) -> dict[str, Any]:
    resource = copy.deepcopy(OBSERVATION)
    *steps, last = path.split(".")
    at: Any = resource
    for step in steps:
        at = at[int(step)] if step.isdecimal() else at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return resource


def test_a_rich_resource_is_right() -> None:
    assert check_resource(OBSERVATION) == []
    assert check_resource(codec.loads(codec.dumps(OBSERVATION))) == []


@pytest.mark.parametrize(
    ("path", "value", "expression"),
    [
        ("status", "finnal", "Observation.status"),
        ("status", 5, "Observation.status"),
        ("status", ["final"], "Observation.status"),
        ("status", "", "Observation.status"),
        ("id", "a_b", "Observation.id"),
        ("id", "x" * 65, "Observation.id"),
        ("code", None, "Observation.code"),
        ("code", {}, "Observation.code"),
        ("code", "glucose", "Observation.code"),
        ("code", [{"text": "a"}], "Observation.code"),
        ("colour", "red", "Observation.colour"),
        ("_colour", {"id": "a"}, "Observation._colour"),
        ("_status", 5, "Observation.status"),
        ("_status", {"extension": [{"valueString": "y"}]}, "Observation.status.extension[0].url"),
        ("category", {"text": "a"}, "Observation.category"),
        ("category", [], "Observation.category"),
        ("category", [None], "Observation.category[0]"),
        ("category", ["a"], "Observation.category[0]"),
        ("code.coding.0.code", 14749, "Observation.code.coding[0].code"),
        ("code.coding.0.userSelected", "true", "Observation.code.coding[0].userSelected"),
        ("code.coding.0.codes", "x", "Observation.code.coding[0].codes"),
        ("identifier.0.use", "main", "Observation.identifier[0].use"),
        ("identifier.0.period", {"start": "2026-13-01"}, "Observation.identifier[0].period.start"),
        ("subject", {"reference": "Patient 1"}, "Observation.subject.reference"),
        ("subject", {"reference": "Encounter/1"}, "Observation.subject.reference"),
        ("subject", {"reference": "Encounter?identifier=a|b"}, "Observation.subject.reference"),
        ("subject", {"type": "Patient"}, "Observation.subject"),
        ("effectiveDateTime", "2026-02-30", "Observation.effective"),
        ("effectiveDateTime", "2026-03-02T08:00:00", "Observation.effective"),
        ("effectiveDateTime", "2026-03-02T08:00+07:00", "Observation.effective"),
        ("effectiveDateTime", "02/03/2026", "Observation.effective"),
        ("effectivePeriod", {"start": "2026"}, "Observation.effective"),
        ("issued", "2026-03-02", "Observation.issued"),
        ("valueQuantity.value", "5.3", "Observation.value.value"),
        ("valueQuantity.value", True, "Observation.value.value"),
        ("valueQuantity.comparator", "=<", "Observation.value.comparator"),
        ("valueString", "5", "Observation.value"),
        ("component.0.code", None, "Observation.component[0].code"),
        ("component.0.valueInteger", Decimal("3.5"), "Observation.component[0].value"),
        ("component.0.valueQuantity", {"value": 1}, "Observation.component[0].value"),
        ("contained.0.gender", "nam", "Observation.contained[0].gender"),
        ("contained.0.resourceType", "Person2", "Observation.contained[0]"),
        ("text.status", "made", "Observation.text.status"),
        ("text.div", None, "Observation.text.div"),
        ("meta.lastUpdated", "yesterday", "Observation.meta.lastUpdated"),
    ],
)
def test_each_mistake_is_named_by_its_element(path: str, value: Any, expression: str) -> None:
    issues = check_resource(with_change(path, value))
    assert [issue.expression for issue in issues] == [expression]
    assert issues[0].is_error
    assert issues[0].text


@pytest.mark.parametrize(
    ("resource", "expressions"),
    [
        ({"resourceType": "Encounter", "status": "done"}, {"Encounter.status", "Encounter.class"}),
        (
            {"resourceType": "ServiceRequest"},
            {f"ServiceRequest.{x}" for x in ("status", "intent", "subject")},
        ),
        (
            {"resourceType": "DiagnosticReport", "status": "ready", "code": {"text": "x"}},
            {"DiagnosticReport.status"},
        ),
        ({"resourceType": "Procedure", "status": "completed"}, {"Procedure.subject"}),
        ({"resourceType": "Task", "status": "done", "intent": "wish"}, {"Task.status", "Task.intent"}),
        (
            {"resourceType": "Patient", "gender": "M", "birthDate": "1960-1-1"},
            {"Patient.gender", "Patient.birthDate"},
        ),
        (
            {"resourceType": "Immunization", "status": "completed", "patient": {"display": "x"}},
            {"Immunization.vaccineCode", "Immunization.occurrence"},
        ),
    ],
)
def test_required_elements_and_bindings(resource: dict[str, Any], expressions: set[str]) -> None:
    assert {issue.expression for issue in check_resource(resource)} == expressions


@pytest.mark.parametrize(
    "shape",
    [None, 5, "x", [], {}, {"resourceType": None}, {"resourceType": "Foo"}, {"resourceType": "HumanName"}],
)
def test_what_is_no_resource(shape: object) -> None:
    assert len(check_resource(shape)) == 1
    assert len(check_bundle(shape)) == 1


def test_issues_are_bounded_and_texts_hold_no_value() -> None:
    many = {**OBSERVATION, "identifier": [{"use": "x"}] * 500}
    found = check_resource(many)
    assert sum(issue.is_error for issue in found) == MAX_ISSUES
    assert len(found) == 2 * MAX_ISSUES  # as many warnings
    secret = "Nguyễn Văn An"
    for path in ("status", "id", "effectiveDateTime", "subject.reference", "valueQuantity.value"):
        assert all(secret not in issue.text for issue in check_resource(with_change(path, secret)))


def test_an_identifier_without_a_value_is_only_warned_about() -> None:
    issues = check_resource(with_change("identifier.0.value", None))
    assert [(issue.severity, issue.expression) for issue in issues] == [
        ("warning", "Observation.identifier[0]")
    ]


def test_depth_is_bounded() -> None:
    deep: dict[str, Any] = {"url": "http://x"}
    for _ in range(5_000):
        deep = {"url": "http://x", "extension": [deep]}
    assert [issue.code for issue in check_resource({**OBSERVATION, "extension": [deep]})] == ["too-long"]


def test_bundle_names_the_entry() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": OBSERVATION, "request": {"method": "PUT", "url": "Observation/a-1"}},
            {"resource": with_change("status", "x"), "request": {"method": "PUTT", "url": "Observation"}},
            {"resource": 5},
            {"resource": {"resourceType": "Foo"}},
            7,
        ],
    }
    assert {issue.expression for issue in check_bundle(bundle)} == {
        "Bundle",  # bdl-3: every entry of a transaction has a request
        "Bundle.entry[1].request.method",
        "Bundle.entry[1].resource.status",
        "Bundle.entry[2].resource",
        "Bundle.entry[3].resource",
        "Bundle.entry[4]",
    }
    collection = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": "https://his.example/fhir/Observation/a-1", "resource": OBSERVATION}],
    }
    assert check_bundle(collection) == []
    assert check_resource(collection) == []
    assert [issue.expression for issue in check_bundle({"resourceType": "Bundle", "type": "batsch"})] == [
        "Bundle.type"
    ]


def test_formats() -> None:
    for right in ("2026", "2026-02", "2024-02-29"):
        assert primitives.is_date(right)
    for wrong in ("2026-00", "2023-02-29", "26-01-01", "2026-1-1", "", "0000"):
        assert not primitives.is_date(wrong)
    assert not primitives.is_instant("2026-03-02T23:59:59+15:00")
    assert primitives.is_instant("2026-03-02T23:59:59.123456789+14:00")
    for right in (
        "Patient/1",
        "urn:uuid:1-2",
        "https://x.example/fhir/Patient/1",
        "#a",
        "Patient?identifier=a|b",
    ):
        assert primitives.read_reference(right)[0]
    for wrong in ("patient/1", "Patient", "Patient/a b", "Patient/" + "x" * 65, "Patient?identifier"):
        assert not primitives.read_reference(wrong)[0]
    assert primitives.target_of("https://x.example/fhir/Patient/1/_history/3") == "Patient"
    assert primitives.target_of("urn:uuid:1") is None


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "value", "status", "extension", "url", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(OBSERVATION)), _JSON)
def test_no_shape_of_any_element_raises(name: str, value: Any) -> None:
    check_resource({**OBSERVATION, name: value})
    check_bundle(
        {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [{"resource": {**OBSERVATION, name: value}}, value],
        }
    )


def test_the_models_agree_on_what_we_send() -> None:
    for path in sorted(GOLDEN.glob("*/*/expected.json")):
        resource = codec.loads(path.read_bytes())
        if resource is not None:
            assert check_resource(resource) == check_resource(resource, second_opinion=False) == []


def test_warnings_never_hide_an_error() -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "http://x"}] * (MAX_ISSUES + 50),  # a warning each
        "gender": "none of the codes",
    }
    found = check_resource(patient)
    assert [issue.expression for issue in found if issue.is_error] == ["Patient.gender"]
    assert sum(not issue.is_error for issue in found) == MAX_ISSUES


@pytest.mark.parametrize("path", ["code.text", "subject.display"])
@pytest.mark.parametrize("blank", [" ", "\u00a0", " \r\n\t"])
def test_a_text_of_white_space_is_only_warned_of(path: str, blank: str) -> None:
    found = check_resource(with_change(path, blank))
    assert [(issue.severity, issue.rule) for issue in found] == [("warning", "format")]


@pytest.mark.parametrize("text", ["", "\u000b", "\ud800", "a\udc00b", "\u0000"])
def test_a_text_that_no_server_can_store_is_refused(text: str) -> None:
    found = check_resource(with_change("code.text", text), second_opinion=False)
    assert [(issue.severity, issue.expression) for issue in found] == [("error", "Observation.code.text")]


def test_two_contained_resources_of_one_id_are_refused() -> None:
    found = check_resource(with_change("contained", OBSERVATION["contained"] * 2))
    assert [(issue.expression, issue.is_error) for issue in found] == [("Observation.contained", True)]


def test_a_reference_to_the_container_leads_to_its_type() -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "subject": {"reference": "#"}}
    (found,) = check_resource({**OBSERVATION, "contained": [*OBSERVATION["contained"], specimen]})
    assert found.expression == "Observation.contained[1].subject.reference"
    note = {"resourceType": "Provenance", "id": "s", "target": [{"reference": "#"}]}
    note |= {"recorded": "2026-03-02T09:00:00Z", "agent": [{"who": {"display": "BV"}}]}
    assert check_resource({**OBSERVATION, "contained": [*OBSERVATION["contained"], note]}) == []


_NAMESPACE = 'xmlns="http://www.w3.org/1999/xhtml"'


def narrative(div: str) -> list[tuple[str, str | None]]:
    found = check_resource(with_change("text.div", div), second_opinion=False)
    assert {issue.expression for issue in found} <= {"Observation.text.div"}
    return [(issue.severity, issue.rule) for issue in found]


@pytest.mark.parametrize(
    "div",
    [
        f'<?xml version="1.0"?>\n<div {_NAMESPACE}>a</div>',
        f"<!-- made by a laboratory system --><div {_NAMESPACE}>a &lt; b &amp; c &#160;</div>\n",
        '<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p>a</h:p></h:div>',
        f"<div {_NAMESPACE}><img src='x.png' alt=''/></div>",
        f"<div {_NAMESPACE}><![CDATA[a < b]]></div>",
        f'<div {_NAMESPACE}><a href="https://x.vn/javascript:">a</a></div>',
    ],
)
def test_a_narrative_is_xml_however_it_is_written(div: str) -> None:
    assert narrative(div) == []


@pytest.mark.parametrize(
    "inside",
    [
        "a &nbsp; b",  # R4: XML has no entities of HTML
        "a & b",
        "a < b",
        "<br>",
        "<p>a",
        '<a href="java&#115;cript:alert(1)">a</a>',
        '<a href="java\nscript:alert(1)">a</a>',
        '<a href=" &#1;javascript:alert(1)">a</a>',
        '<p OnClick="x">a</p>',
        '<script xmlns="">a</script>',
        '<p xmlns="http://www.w3.org/2000/svg">a</p>',
        "a \u0001",
        "a \ud800",
    ],
)
def test_a_narrative_that_a_browser_would_run_or_xml_cannot_hold_is_refused(inside: str) -> None:
    assert narrative(f"<div {_NAMESPACE}>{inside}</div>") == [("error", "txt-1")]


def test_a_narrative_has_no_document_type() -> None:
    bomb = '<!DOCTYPE div [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    assert narrative(f"{bomb}<div {_NAMESPACE}>&b;</div>") == [("error", "txt-1")]


def test_a_narrative_without_its_namespace_is_warned_of() -> None:
    assert narrative("<div>a</div>") == [("warning", "txt-1")]


def test_a_hostile_narrative_is_read_in_time_that_grows_with_its_length() -> None:
    started = time.process_time()
    for again in ("<!--", "<a ", "<div>", "&amp", '<a x="', "<![CDATA["):
        assert narrative(f"<div {_NAMESPACE}>" + again * 100_000) == [("error", "txt-1")]
    assert time.process_time() - started < 10
