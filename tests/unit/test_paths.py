"""Every way in which servers write the path of an element leads to it."""

import pytest

from adapter.fhir.paths import Path, leaf_values, matching_paths, parse_path, path_text

OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"code": "a"}, {"code": "b"}], "text": "c"},
    "valueQuantity": {"value": 5, "unit": "umol"},
    "component": [{"valueQuantity": {"unit": "x"}}, {"valueString": "y"}],
}
PATHS = [path for path, _ in leaf_values(OBSERVATION)]
UNIT: Path = ("valueQuantity", "unit")


@pytest.mark.parametrize(
    "expression",
    [
        "Observation.valueQuantity.unit",
        "Observation.value.unit",
        "Observation.value.ofType(Quantity).unit",
        "Observation.value.as(Quantity).unit",
        "(Observation.value as Quantity).unit",
        "Bundle.entry[0].resource.ofType(Observation).value.ofType(Quantity).unit",
        "Bundle.entry[17].resource.valueQuantity.unit",
        "Bundle.entry.resource.value.unit",
        "Bundle.entry[3].resource/*Observation/abc*/.value.unit",
        "observation.ValueQuantity.Unit",
        "/f:Observation/f:valueQuantity/f:unit",
        "/f:Bundle/f:entry[2]/f:resource/f:Observation/f:valueQuantity/f:unit",
        "valueQuantity.unit",
        "Observation.valueQuantity[0].unit",
    ],
)
def test_one_element_written_in_many_ways(expression: str) -> None:
    steps = parse_path(expression, "Observation")
    assert steps is not None
    assert matching_paths(steps, PATHS) == [UNIT]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Observation.code.coding.code", [("code", "coding", 0, "code"), ("code", "coding", 1, "code")]),
        ("Observation.code.coding[1].code", [("code", "coding", 1, "code")]),
        ("/f:Observation/f:code/f:coding[2]/f:code", [("code", "coding", 1, "code")]),
        ("Observation.component[0].value", [("component", 0, "valueQuantity", "unit")]),
        ("Observation.component[1].value", [("component", 1, "valueString")]),
        ("Observation.code.coding.where(system = 'http://loinc.org').code", [
            ("code", "coding", 0, "code"), ("code", "coding", 1, "code")]),
        ("Observation.subject", []),
        ("Observation.val", []),
    ],
)  # fmt: skip
def test_an_expression_means_these_leaves(expression: str, found: list[Path]) -> None:
    steps = parse_path(expression, "Observation")
    assert steps is not None
    assert matching_paths(steps, PATHS) == found


@pytest.mark.parametrize(
    "expression", ["Bundle.entry[4]", "Bundle", "Observation", "Bundle.entry[0].resource"]
)
def test_the_resource_itself_has_no_steps(expression: str) -> None:
    assert parse_path(expression, "Observation") == ()


@pytest.mark.parametrize("text", ["Line[1] Col[4]", "not a path!", "a..[b]"])
def test_what_is_no_path_gives_none(text: str) -> None:
    assert parse_path(text, "Observation") is None


def test_a_missing_element_is_looked_for_around_its_place() -> None:
    steps = parse_path("Observation.code.coding[0].system", "Observation")
    assert steps is not None
    assert matching_paths(steps, PATHS) == []
    assert matching_paths(steps, PATHS, around=True) == [("code", "coding", 0, "code")]


def test_a_path_as_text_and_back() -> None:
    for path in PATHS:
        assert parse_path(f"Observation.{path_text(path)}", "Observation") == path
