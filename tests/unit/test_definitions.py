"""The tables are those of HL7's package, have the shape that is read, and can be made again."""

import re

import pytest
from conformance.fetch import EXAMPLES

from adapter.fhir.definitions import table, types
from adapter.fhir.definitions.generate import generate
from adapter.fhir.definitions.generate_search import generate_search
from adapter.fhir.definitions.search_parameters import SEARCH_FILE, search_parameters_of
from adapter.fhir.validation.type_shapes import type_shape

TYPE = r"[A-Za-z0-9.]+(?:\([A-Za-z,]+\))?"
LINE = re.compile(rf"[01]\.\.[01*] (?:#[A-Za-z.]+|{TYPE}(?:\|{TYPE})*)(?: = [A-Za-z0-9-]+)?")


def test_the_tables_say_where_they_come_from() -> None:
    assert types.source_package() == ("hl7.fhir.r4.examples", "4.0.1")
    assert table.TABLE_FILE.stat().st_size < 400_000


def test_every_line_of_the_tables_can_be_read() -> None:
    listed = table.load_table()
    lines = [line for one in listed["types"].values() for line in one["elements"].values()]
    assert len(lines) > 4_000
    assert [line for line in lines if LINE.fullmatch(line) is None] == []
    assert {one["base"] for one in listed["types"].values()} <= listed["types"].keys() | {""}
    assert {severity for rules in listed["rules"].values() for severity, _, _ in rules.values()} == {
        "error",
        "warning",
    }


def test_all_types_are_known_and_can_be_made_ready() -> None:
    assert len(types.resource_types()) == 146
    for name in types.types():
        assert type_shape(name).fields
        for element in types.elements(name).values():
            assert element.type in (None, "Resource", *types.types())
            assert (element.type is None) == bool(element.primitive)
            assert element.targets <= types.types()


def test_open_value_sets_are_few_and_named() -> None:
    assert table.load_table()["open"] == ["LL379-9", "currencies", "mimetypes", "ucum-units"]
    money = types.elements("Money")["currency"]
    assert (money.codes, money.binding) == (None, "http://hl7.org/fhir/ValueSet/currencies")


def test_an_element_says_what_r4_says() -> None:
    observation = types.elements("Observation")
    assert observation["subject"].targets == {"Patient", "Group", "Device", "Location"}
    assert observation["focus"].targets == frozenset()
    assert (observation["status"].min, observation["status"].max, observation["status"].primitive) == (
        1,
        1,
        "code",
    )
    assert "final" in (observation["status"].codes or ())
    assert observation["valueQuantity"].fhirpath_name == observation["valueQuantity"].choice == "value"
    assert observation["component"].type == "Observation.component"
    assert types.elements("Observation.component")["referenceRange"].type == "Observation.referenceRange"
    assert types.elements("Observation.referenceRange")["low"].type == "SimpleQuantity"
    assert types.elements("Bundle.entry")["link"].type == "Bundle.link"
    assert types.elements("Patient")["id"].primitive == "id"
    assert types.elements("HumanName")["id"].primitive == "string"
    assert [one.name for one in types.required_elements("Encounter")] == ["status", "class"]
    assert [choice for choice, _ in types.required_choices("Immunization")] == ["occurrence"]
    condition = types.elements("Condition")["clinicalStatus"].systems
    assert list(condition or ()) == ["http://terminology.hl7.org/CodeSystem/condition-clinical"]
    assert types.elements("Nothing") == {}
    assert "Nothing" not in types.types()
    assert not types.is_resource_type("HumanName")
    assert not types.is_resource_type("DomainResource")


def test_a_search_for_a_reference_leads_where_the_element_leads() -> None:
    """HL7's package has an example that would have a Condition's subject an Organization."""
    looked_at = [
        (f"{kind}?{code}", set(parameter.targets), path.element.targets)
        for kind in types.resource_types()
        for code, parameter in search_parameters_of(kind).items()
        if parameter.kind == "reference" and parameter.targets
        for source in parameter.sources
        for path in source.paths
        if path.element.type == "Reference" and path.element.targets
    ]
    assert [name for name, targets, allowed in looked_at if not targets & allowed] == []
    assert len(looked_at) == 400
    assert search_parameters_of("Condition")["subject"].targets == ("Group", "Patient")


@pytest.mark.conformance
def test_the_package_gives_the_same_tables() -> None:
    assert generate(EXAMPLES) == table.TABLE_FILE.read_bytes()
    assert generate_search(EXAMPLES) == SEARCH_FILE.read_bytes()
