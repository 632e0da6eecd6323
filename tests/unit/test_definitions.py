"""The tables are those of HL7's package, have the shape that is read, and can be made again."""

import re

import pytest
from conformance.fetch import EXAMPLES

from adapter.fhir import definitions, tables
from adapter.fhir.shapes import shape
from adapter.fhir.tables.generate import generate

TYPE = r"[A-Za-z0-9.]+(?:\([A-Za-z,]+\))?"
LINE = re.compile(rf"[01]\.\.[01*] (?:#[A-Za-z.]+|{TYPE}(?:\|{TYPE})*)(?: = [A-Za-z0-9-]+)?")


def test_the_tables_say_where_they_come_from() -> None:
    assert definitions.package() == ("hl7.fhir.r4.examples", "4.0.1")
    assert tables.FILE.stat().st_size < 400_000


def test_every_line_of_the_tables_can_be_read() -> None:
    listed = tables.load()
    lines = [line for one in listed["types"].values() for line in one["elements"].values()]
    assert len(lines) > 4_000
    assert [line for line in lines if LINE.fullmatch(line) is None] == []
    assert {one["base"] for one in listed["types"].values()} <= listed["types"].keys() | {""}
    assert {severity for rules in listed["rules"].values() for severity, _, _ in rules.values()} == {
        "error",
        "warning",
    }


def test_all_types_are_known_and_can_be_made_ready() -> None:
    assert len(definitions.resource_types()) == 146
    for name in definitions.types():
        assert shape(name).fields
        for element in definitions.elements(name).values():
            assert element.type in (None, "Resource", *definitions.types())
            assert (element.type is None) == bool(element.primitive)
            assert element.targets <= definitions.types()


def test_open_value_sets_are_few_and_named() -> None:
    assert tables.load()["open"] == ["LL379-9", "currencies", "mimetypes", "ucum-units"]
    money = definitions.elements("Money")["currency"]
    assert (money.codes, money.binding) == (None, "http://hl7.org/fhir/ValueSet/currencies")


def test_an_element_says_what_r4_says() -> None:
    observation = definitions.elements("Observation")
    assert observation["subject"].targets == {"Patient", "Group", "Device", "Location"}
    assert observation["focus"].targets == frozenset()
    assert (observation["status"].min, observation["status"].max, observation["status"].primitive) == (
        1,
        1,
        "code",
    )
    assert "final" in (observation["status"].codes or ())
    assert observation["valueQuantity"].step == observation["valueQuantity"].choice == "value"
    assert observation["component"].type == "Observation.component"
    assert (
        definitions.elements("Observation.component")["referenceRange"].type == "Observation.referenceRange"
    )
    assert definitions.elements("Observation.referenceRange")["low"].type == "SimpleQuantity"
    assert definitions.elements("Bundle.entry")["link"].type == "Bundle.link"
    assert definitions.elements("Patient")["id"].primitive == "id"
    assert definitions.elements("HumanName")["id"].primitive == "string"
    assert [one.name for one in definitions.required("Encounter")] == ["status", "class"]
    assert [choice for choice, _ in definitions.required_choices("Immunization")] == ["occurrence"]
    condition = definitions.elements("Condition")["clinicalStatus"].systems
    assert list(condition or ()) == ["http://terminology.hl7.org/CodeSystem/condition-clinical"]
    assert definitions.elements("Nothing") == {}
    assert "Nothing" not in definitions.types()
    assert not definitions.is_resource("HumanName")
    assert not definitions.is_resource("DomainResource")


@pytest.mark.conformance
def test_the_package_gives_the_same_tables() -> None:
    assert generate(EXAMPLES) == tables.FILE.read_bytes()
