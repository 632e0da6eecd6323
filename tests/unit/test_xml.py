"""FHIR's XML: nothing is lost on the way, and what is wrong is refused with its place."""

from typing import Any

import pytest

from adapter.fhir import codec
from adapter.fhir.xml.reader import BadXmlError, loads_xml
from adapter.fhir.xml.writer import NotInXmlError, dumps_xml

XHTML = "http://www.w3.org/1999/xhtml"
DIV = f'<div xmlns="{XHTML}"><p title="a&gt;b">Nguyễn  <b>Ổn</b>\r\n&#160;<br/><!-- - --></p></div>'
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {"lastUpdated": "2026-11-22T03:16:00.123Z", "tag": [{"system": "urn:x", "code": "a&b<\"'"}]},
    "text": {"status": "generated", "div": DIV},
    "contained": [{"resourceType": "Patient", "id": "p", "birthDate": "1950"}, {"resourceType": "Device"}],
    "extension": [{"id": "e", "url": "urn:e", "valueDecimal": codec.loads("100.00")}],
    "status": "final",
    "_status": {"id": "s", "extension": [{"url": "urn:why", "valueBoolean": False}]},
    "code": {"text": " đường\thuyết\nlúc đói "},
    "subject": {"reference": "#p"},
    "effectiveDateTime": "2026-11-22",
    "valueQuantity": {"id": "q", "value": codec.loads("5.30"), "unit": "mmol/L"},
    "component": [
        {
            "code": {"text": "1"},
            "valueInteger": -3,
            "referenceRange": [{"low": {"value": codec.loads("0.10")}}],
        }
    ],
}
PATIENT = {
    "resourceType": "Patient",
    "name": [
        {
            "given": ["An", None, "Bình"],
            "_given": [None, {"extension": [{"url": "urn:x", "valueString": "?"}]}, {"id": "g"}],
        }
    ],
    "_birthDate": {"extension": [{"url": "urn:x", "valueCode": "unknown"}]},
    "multipleBirthInteger": 2,
}
BUNDLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"resource": PATIENT}, {"resource": OBSERVATION}],
}


@pytest.mark.parametrize("resource", [OBSERVATION, PATIENT, BUNDLE, {"resourceType": "Basic"}])
def test_a_resource_comes_back_byte_for_byte(resource: dict[str, Any]) -> None:
    assert codec.dumps(loads_xml(dumps_xml(resource))) == codec.dumps(resource)


def test_elements_stand_in_r4s_order_whatever_order_the_json_has() -> None:
    turned = dict(reversed(OBSERVATION.items()))
    assert dumps_xml(turned) == dumps_xml(OBSERVATION)
    assert b'<valueQuantity id="q"><value value="5.30"/><unit value="mmol/L"/></valueQuantity>' in dumps_xml(
        OBSERVATION
    )


def test_a_narrative_keeps_its_letters_and_gets_only_what_xml_needs() -> None:
    assert DIV.encode() in dumps_xml(OBSERVATION)
    basic = {"resourceType": "Basic", "text": {"status": "generated", "div": "<div>a&nbsp;b &lt;</div>"}}
    said = '<div xmlns="http://www.w3.org/1999/xhtml">a\xa0b &lt;</div>'
    assert said.encode() in dumps_xml(basic)
    outside = (
        '<Basic xmlns="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml">'
        '<text><status value="generated"/><h:div><h:p>x</h:p></h:div></text></Basic>'
    )
    div = loads_xml(outside.encode())["text"]["div"]
    assert div == '<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p>x</h:p></h:div>'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", "red"),  # no element of R4
        ("active", {"x": 1}),
        ("gender", "a￾"),
        ("name", ["Nguyễn"]),
        ("text", {"status": "generated", "div": "<div><p></div>"}),
        ("contained", [{"id": "x"}]),
        ("_name", [{"id": "x"}]),
    ],
)
def test_what_xml_cannot_hold_is_said_not_dropped(name: str, value: Any) -> None:
    with pytest.raises(NotInXmlError):
        dumps_xml({"resourceType": "Patient", name: value})


def patient(inside: str, attributes: str = "") -> bytes:
    return f'<Patient xmlns="http://hl7.org/fhir"{attributes}>\n  {inside}\n</Patient>'.encode()


@pytest.mark.parametrize(
    ("xml", "reason", "name", "place"),
    [
        (patient('<colour value="red"/>'), "unknown_element", "colour", (2, 3)),
        (patient('<active value="maybe"/>'), "value", "active", (2, 3)),
        (patient('<multipleBirthInteger value="1.0"/>'), "value", "multipleBirthInteger", (2, 3)),
        (patient('<active value="true" lang="vi"/>'), "unknown_attribute", "lang", (2, 3)),
        (patient('<active value="true"/><active value="true"/>'), "repeated", "active", (2, 25)),
        (patient("<active/>"), "empty", "active", (2, 3)),
        (patient("<name/>"), "empty", "name", (2, 3)),
        (patient("<gender>male</gender>"), "text", "gender", (2, 11)),
        (patient('<contained><Nobody/></contained>'), "no_resource", "Nobody", (2, 14)),
        (patient('<contained><Device/><Device/></contained>'), "repeated", "Device", (2, 23)),
        (patient('<id id="x" value="1"/>'), None, "", (0, 0)),
        (patient("", ' id="1"'), "unknown_attribute", "id", (1, 1)),
        (patient('<text><status value="empty"/><div>x</div></text>'), "namespace", "div", (2, 32)),
        (patient('<active xmlns="urn:x" value="true"/>'), "namespace", "active", (2, 3)),
        (b"<Patient/>", "namespace", "Patient", (1, 1)),
        (b'<html xmlns="http://hl7.org/fhir"/>', "no_resource", "html", (1, 1)),
        (b"<!DOCTYPE Patient>" + patient(""), "document_type", "", (1, 18)),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + patient(""), "encoding", "ISO-8859-1", (1, 1)),
        (patient("")[:-3], "not_well_formed", "", (3, 1)),
        (patient("&nbsp;"), "not_well_formed", "", (2, 3)),
        (patient("<extension><extension><extension/></extension></extension>"), "too_deep", "", (2, 25)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_where_it_stands(
    xml: bytes, reason: str | None, name: str, place: tuple[int, int]
) -> None:
    if reason is None:
        assert loads_xml(xml) == {"resourceType": "Patient", "id": "1", "_id": {"id": "x"}}
        return
    with pytest.raises(BadXmlError) as refused:
        loads_xml(xml, max_depth=3)
    assert (refused.value.reason, refused.value.name) == (reason, name)
    if reason != "not_well_formed":
        assert (refused.value.line, refused.value.column) == place


def test_what_other_writers_add_is_taken() -> None:
    xml = (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><!-- x --><f:Patient xmlns:f="http://hl7.org/fhir"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x p.xsd">'
        '<?pi?><f:multipleBirthInteger value="+2"/></f:Patient>'
    )
    assert loads_xml(xml.encode()) == {"resourceType": "Patient", "multipleBirthInteger": 2}
