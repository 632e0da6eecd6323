"""What R4's text asks for beyond its tables: URIs, ids, narratives, identifiers; and what is warned of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.validation.checker import check_resource
from adapter.fhir.validation.languages import is_language

Json = dict[str, object]
NAMESPACE = 'xmlns="http://www.w3.org/1999/xhtml"'
UUID = "8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0001"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
EXTENSION = "https://centre.example/StructureDefinition/x"


def observation(**more: object) -> Json:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}


def patient(**more: object) -> Json:
    return {"resourceType": "Patient", "active": True, **more}


def extended(**value: object) -> Json:
    return observation(extension=[{"url": EXTENSION, **value}])


def quantity(system: str, code: str) -> Json:
    return observation(valueQuantity={"value": 1, "unit": "x", "system": system, "code": code})


def narrative(inside: str) -> Json:
    return observation(text={"status": "generated", "div": f"<div {NAMESPACE}>{inside}</div>"})


def issues(resource: Json, severity: str) -> list[tuple[str | None, str | None]]:
    found = check_resource(resource)
    return [(one.rule, one.expression) for one in found if one.severity == severity]


PROVENANCE = {
    "resourceType": "Provenance",
    "target": [{"reference": "#"}],
    "recorded": "2026-03-02T08:00:00Z",
    "agent": [{"who": {"display": "x"}}],
}


@pytest.mark.parametrize(
    ("resource", "rule", "expression"),
    [
        # a contained resource has an id
        (observation(contained=[PROVENANCE]), "dom-3", "Observation.contained[0]"),
        (
            observation(contained=[{"resourceType": "Patient", "active": True}]),
            "dom-3",
            "Observation.contained[0]",
        ),
        # HTML 4.0 section 9.4, and attributes that HTML 4.0 does not have
        (narrative("<del>a</del>"), "txt-1", "Observation.text.div"),
        (narrative("<p><ins>a</ins></p>"), "txt-1", "Observation.text.div"),
        (narrative('<p data-x="1">a</p>'), "txt-1", "Observation.text.div"),
        (narrative('<p role="x">a</p>'), "txt-1", "Observation.text.div"),
        (narrative('<a href="x" target="_blank">a</a>'), "txt-1", "Observation.text.div"),
        (narrative('<p contenteditable="true">a</p>'), "txt-1", "Observation.text.div"),
        # single spaces inside a code
        (quantity("https://x.example", "a\tb"), "format", "Observation.value.code"),
        (quantity("https://x.example", "a\nb"), "format", "Observation.value.code"),
        (quantity("https://x.example", "a\rb"), "format", "Observation.value.code"),
        (observation(language="vi\t"), "format", "Observation.language"),
        (observation(code={"coding": [{"code": "a\tb"}]}), "format", "Observation.code.coding[0].code"),
        # absolute URIs
        (
            observation(extension=[{"url": "foo", "valueCode": "a"}]),
            "absolute-uri",
            "Observation.extension[0].url",
        ),
        (
            observation(modifierExtension=[{"url": "foo", "valueCode": "a"}]),
            "absolute-uri",
            "Observation.modifierExtension[0].url",
        ),
        (
            patient(_birthDate={"extension": [{"url": "/a/b", "valueCode": "a"}]}),
            "absolute-uri",
            "Patient.birthDate.extension[0].url",
        ),
        (
            patient(name=[{"text": "x", "extension": [{"url": "#a", "valueCode": "a"}]}]),
            "absolute-uri",
            "Patient.name[0].extension[0].url",
        ),
        (
            patient(identifier=[{"system": "foo", "value": "1"}]),
            "absolute-uri",
            "Patient.identifier[0].system",
        ),
        (
            patient(identifier=[{"system": "1.2.3", "value": "1"}]),
            "absolute-uri",
            "Patient.identifier[0].system",
        ),
        (
            patient(identifier=[{"system": "www.x.vn/a", "value": "1"}]),
            "absolute-uri",
            "Patient.identifier[0].system",
        ),
        (
            observation(subject={"identifier": {"system": "//x/a", "value": "1"}}),
            "absolute-uri",
            "Observation.subject.identifier.system",
        ),
        # UUIDs and OIDs
        (extended(valueUri="urn:uuid:1"), "format", "Observation.extension[0].value"),
        (extended(valueUri=f"urn:uuid:{UUID.upper()}"), "format", "Observation.extension[0].value"),
        (extended(valueUri="urn:oid:1.02"), "format", "Observation.extension[0].value"),
        (extended(valueUri="urn:oid:"), "format", "Observation.extension[0].value"),
        (extended(valueCanonical="urn:uuid:{" + UUID + "}"), "format", "Observation.extension[0].value"),
        (
            patient(identifier=[{"system": "urn:oid:3.1", "value": "1"}]),
            "format",
            "Patient.identifier[0].system",
        ),
        (observation(implicitRules="urn:oid:x"), "format", "Observation.implicitRules"),
        # an identifier that should be a URI
        (
            patient(identifier=[{"system": "urn:ietf:rfc:3986", "value": "1.2.3"}]),
            "identifier",
            "Patient.identifier[0].value",
        ),
        (
            patient(identifier=[{"system": "urn:ietf:rfc:3986", "value": UUID}]),
            "identifier",
            "Patient.identifier[0].value",
        ),
        # one id for one element
        (
            patient(name=[{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]),
            "element-id",
            "Patient.name[1].id",
        ),
        (
            patient(name=[{"id": "a", "text": "x", "_text": {"id": "a"}}]),
            "element-id",
            "Patient.name[0].text.id",
        ),
        (
            patient(_birthDate={"id": "a"}, birthDate="1960", telecom=[{"id": "a", "rank": 1}]),
            "element-id",
            "Patient.telecom[0].id",
        ),
        (
            patient(extension=[{"id": "a", "url": EXTENSION, "valuePeriod": {"id": "a", "start": "2026"}}]),
            "element-id",
            "Patient.extension[0].value.id",
        ),
    ],
)
def test_what_the_text_of_r4_forbids_is_an_error(resource: Json, rule: str, expression: str) -> None:
    assert issues(resource, "error") == [(rule, expression)]


CONTAINED = {"contained": [{"resourceType": "Practitioner", "id": "b", "name": [{"id": "a", "text": "x"}]}]}


@pytest.mark.parametrize(
    "resource",
    [
        observation(contained=[PROVENANCE | {"id": "p"}]),
        narrative("<u>a</u><s>b</s><font color='red'>c</font><center>d</center><strike>e</strike><hr/>"),
        narrative("<ol type='a' start='3'><li value='5'>a</li></ol><dir><li>b</li></dir>"),
        narrative("<p xml:lang='vi' xml:space='preserve' style='color: red' dir='ltr' lang='vi'>a</p>"),
        narrative(
            "<table border='1' cellpadding='2' summary='x'><tr><td colspan='2' nowrap='x'>a</td></tr></table>"
        ),
        narrative(
            "<a name='x' id='y' rel='z' hreflang='vi'>a</a><map name='m'><area href='x' alt='y'/></map>"
        ),
        quantity("https://x.example", "a b c"),
        quantity("https://x.example", "a\u00a0b"),  # white space of Unicode, not of XML
        observation(extension=[{"url": EXTENSION, "extension": [{"url": "foo", "valueCode": "a"}]}]),
        observation(extension=[{"url": "urn:x:y", "valueCode": "a"}]),
        observation(extension=[{"url": "tag:x,2026:y", "valueCode": "a"}]),
        extended(valueUrl="a/b"),
        extended(valueUri="a/b"),
        extended(valueUri=f"urn:uuid:{UUID}"),
        extended(valueUri="urn:oid:1.2.840"),
        extended(valueCanonical=f"urn:uuid:{UUID}|1.0"),
        extended(valueCanonical="urn:oid:1.2.3#a"),
        extended(valueBase64Binary="YWJj"),
        patient(identifier=[{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{UUID.upper()}"}]),
        patient(identifier=[{"system": "urn:ietf:rfc:3986", "value": "https://x.example/1"}]),
        patient(identifier=[{"system": "urn:iso:x", "value": "1"}]),
        patient(name=[{"id": "a", "text": "x"}], generalPractitioner=[{"reference": "#b"}], **CONTAINED),
        patient(id="a", name=[{"id": "a", "text": "x"}]),
        patient(language="vi"),
        patient(language="zh-Hant-TW"),
        patient(communication=[{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "vi-VN"}]}}]),
        quantity(UCUM, "mm[Hg]"),
        quantity(UCUM, "10*3/uL"),
        quantity(UCUM, "{score}"),
        observation(valueCodeableConcept={"coding": [{"system": f"{HL7}v2-0136", "code": "Y"}]}),
        observation(
            valueCodeableConcept={"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}
        ),
        observation(valueCodeableConcept={"coding": [{"system": f"{HL7}made-up", "code": "I10"}]}),
        patient(
            extension=[
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                    "valueAddress": {"text": "x"},
                }
            ]
        ),
        patient(extension=[{"url": "http://hl7.org/fhir/StructureDefinition/made-up", "valueString": "x"}]),
    ],
)
def test_what_is_only_odd_is_right(resource: Json) -> None:
    assert check_resource(resource) == []


@pytest.mark.parametrize(
    ("resource", "rule", "expression"),
    [
        *(
            (quantity(UCUM, code), "code-system", "Observation.value.code")
            for code in ("mmHg", "IU/L", "K/µL")
        ),
        *(
            (quantity(UCUM, code), "code-system", "Observation.value.code")
            for code in ("cells/uL", "gm", "mEq/L")
        ),
        (
            observation(referenceRange=[{"low": {"value": 1, "system": UCUM, "code": "mcg"}}]),
            "code-system",
            "Observation.referenceRange[0].low.code",
        ),
        (
            observation(
                interpretation=[{"coding": [{"system": f"{HL7}v3-ObservationInterpretation", "code": "QQ"}]}]
            ),
            "code-system",
            "Observation.interpretation[0].coding[0].code",
        ),
        (
            observation(
                category=[{"coding": [{"system": f"{HL7}observation-category", "code": "Laboratory"}]}]
            ),
            "code-system",
            "Observation.category[0].coding[0].code",
        ),
        (
            patient(meta={"security": [{"system": f"{HL7}v3-ActReason", "code": "HTESTX"}]}),
            "code-system",
            "Patient.meta.security[0].code",
        ),
        (
            patient(
                extension=[
                    {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueString": "x"}
                ]
            ),
            "extension-type",
            "Patient.extension[0]",
        ),
        (
            patient(
                extension=[
                    {"url": "http://hl7.org/fhir/StructureDefinition/patient-nationality", "valueCode": "vn"}
                ]
            ),
            "extension-type",
            "Patient.extension[0]",
        ),
        (extended(valueBase64Binary="YWJj ZGVm"), "format", "Observation.extension[0].value"),
        (extended(valueBase64Binary="YWJj\r\nZGVm\r\n"), "format", "Observation.extension[0].value"),
        (patient(photo=[{"contentType": "image/png", "data": " YWJj"}]), "format", "Patient.photo[0].data"),
        (patient(language="vi_VN"), "format", "Patient.language"),
        (patient(language="vn"), "format", "Patient.language"),
        (patient(language="Vietnamese"), "format", "Patient.language"),
        (patient(photo=[{"url": "x", "language": "tiếng Việt"}]), "format", "Patient.photo[0].language"),
        (
            patient(
                communication=[{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "vi_VN"}]}}]
            ),
            "code-system",
            "Patient.communication[0].language.coding[0].code",
        ),
        (
            observation(code={"coding": [{"system": "LOINC", "code": "1"}]}),
            "absolute-uri",
            "Observation.code.coding[0].system",
        ),
        (quantity("UCUM", "mg"), "absolute-uri", "Observation.value.system"),
    ],
)
def test_what_real_senders_do_is_warned_of(resource: Json, rule: str, expression: str) -> None:
    assert issues(resource, "warning") == [(rule, expression)]
    assert issues(resource, "error") == []
    assert issues(resource, "warning") == [(rule, expression)]  # it is not remembered as right


def test_what_was_right_once_is_not_right_elsewhere() -> None:
    """Codes are remembered with their system, and for codings and quantities apart from other elements."""
    assert issues(quantity("https://x.example", "mmHg"), "warning") == []
    assert issues(quantity(UCUM, "mmHg"), "warning") != []
    assert issues(patient(identifier=[{"system": "https://x.example", "value": "1"}]), "error") == []
    assert issues(patient(identifier=[{"system": "x.example", "value": "1"}]), "error") != []


@pytest.mark.parametrize(
    "tag", ["vi", "VI", "vi-VN", "sr-Latn-RS", "zh-cmn-Hans-CN", "sl-rozaj-biske", "de-u-co-phonebk"]
)
def test_language_tags(tag: str) -> None:
    assert is_language(tag)


@pytest.mark.parametrize(
    "tag", ["", "v", "vi_VN", "vi-", "-vi", "vi--VN", "xx", "viet", "tiếng", "vi VN", "vi" * 60]
)
def test_no_language_tags(tag: str) -> None:
    assert not is_language(tag)


@given(st.text(max_size=120))
def test_any_text_is_a_tag_or_none(tag: str) -> None:
    assert not is_language(tag) or tag.isascii()
