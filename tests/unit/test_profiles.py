"""Profiles: vital signs by their LOINC codes, what `meta.profile` claims, and a guide's own tables."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from conformance.fetch import EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.errors import UsageError
from adapter.fhir.definitions.generate_profiles import generate_profiles
from adapter.fhir.definitions.generate_vocabulary import generate_vocabulary
from adapter.fhir.definitions.profiles import CORE_FILE, KnownProfiles, core_profiles, load_profiles
from adapter.fhir.definitions.vocabulary import VOCABULARY_FILE
from adapter.fhir.validation.checker import check_resource
from adapter.testing import Commands

Json = dict[str, Any]
SPEC = "http://hl7.org/fhir/StructureDefinition/"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
VITAL_SIGNS = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
    ]
}


def quantity(value: float, code: str) -> Json:
    return {"value": value, "unit": code, "system": UCUM, "code": code}


def vital_sign(loinc: str, value: Json | None, **more: Any) -> Json:
    made: Json = {
        "resourceType": "Observation",
        "status": "final",
        "category": [VITAL_SIGNS],
        "code": {"coding": [{"system": LOINC, "code": loinc}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2026-03-02",
    }
    return made | ({"valueQuantity": value} if value else {}) | more


def component(loinc: str, value: Json | None = None, **more: Any) -> Json:
    code = {"coding": [{"system": LOINC, "code": loinc}]}
    return {"code": code, **({"valueQuantity": value} if value else {}), **more}


def pressure(*components: Json, **more: Any) -> Json:
    return vital_sign("85354-9", None, component=list(components), **more)


SYSTOLIC = component("8480-6", quantity(120, "mm[Hg]"))
DIASTOLIC = component("8462-4", quantity(80, "mm[Hg]"))
HEIGHT = vital_sign("8302-2", quantity(165, "cm"))


def without(resource: Json, *names: str) -> Json:
    return {name: value for name, value in resource.items() if name not in names}


def errors(resource: Json, profiles: KnownProfiles | None = None) -> list[str | None]:
    return [one.expression for one in check_resource(resource, profiles=profiles) if one.is_error]


@pytest.mark.parametrize(
    "resource",
    [
        HEIGHT,
        vital_sign("8302-2", quantity(65, "[in_i]")),
        vital_sign("29463-7", quantity(58.5, "kg")),
        vital_sign("8310-5", quantity(36.6, "Cel")),
        vital_sign("8310-5", quantity(98, "[degF]")),
        vital_sign("39156-5", quantity(22, "kg/m2")),
        vital_sign("8867-4", quantity(72, "/min")),
        vital_sign("9279-1", quantity(16, "/min")),
        vital_sign("2708-6", quantity(98, "%")),
        vital_sign("9843-4", quantity(50, "cm")),
        pressure(SYSTOLIC, DIASTOLIC),
        pressure(SYSTOLIC, DIASTOLIC, component("8478-0", quantity(93, "mm[Hg]"))),
        pressure(SYSTOLIC, component("8462-4", dataAbsentReason={"text": "x"})),
        vital_sign("8480-6", quantity(120, "mm[Hg]")),
        vital_sign("85353-1", None, hasMember=[{"reference": "Observation/1"}]),
        vital_sign("8302-2", None, dataAbsentReason={"text": "không đo"}),
        vital_sign("8302-2", quantity(165, "cm"), category=[{"text": "x"}, VITAL_SIGNS]),
        without(HEIGHT, "effectiveDateTime") | {"effectivePeriod": {"start": "2026"}},
        # what only looks like a vital sign
        vital_sign("59408-5", {"value": 98}),
        without(vital_sign("8302-2-x", {"value": 1.65, "unit": "m"}), "subject", "category"),
        without(HEIGHT, "subject") | {"code": {"coding": [{"system": "http://x.example", "code": "8302-2"}]}},
    ],
)
def test_vital_signs_as_r4_wants_them(resource: Json) -> None:
    assert check_resource(resource) == []


@pytest.mark.parametrize(
    ("resource", "expressions"),
    [
        (vital_sign("8302-2", quantity(1.65, "m")), ["Observation.value.code"]),
        (vital_sign("8302-2", quantity(1650, "mm")), ["Observation.value.code"]),
        (
            vital_sign("29463-7", quantity(58, "kg") | {"system": "http://x.example"}),
            ["Observation.value.system"],
        ),
        (vital_sign("29463-7", without(quantity(58, "kg"), "unit")), ["Observation.value.unit"]),
        (vital_sign("8302-2", {"unit": "cm", "system": UCUM, "code": "cm"}), ["Observation.value.value"]),
        (vital_sign("8302-2", None, valueString="1m65"), ["Observation.value"]),
        (vital_sign("8310-5", None, valueString="36°5"), ["Observation.value"]),
        (vital_sign("8867-4", None, valueRange={"low": {"value": 70}}), ["Observation.value"]),
        (vital_sign("8302-2", None), ["Observation"]),
        (without(HEIGHT, "category"), ["Observation.category"]),
        (HEIGHT | {"category": [{"text": "Dấu hiệu sinh tồn"}]}, ["Observation.category"]),
        (HEIGHT | {"category": [VITAL_SIGNS, VITAL_SIGNS]}, ["Observation.category"]),
        (without(HEIGHT, "subject"), ["Observation.subject"]),
        (HEIGHT | {"subject": {"reference": "Group/1"}}, ["Observation.subject.reference"]),
        (without(HEIGHT, "effectiveDateTime"), ["Observation.effective"]),
        (HEIGHT | {"effectiveDateTime": "2026-03"}, ["Observation.effective"]),
        (
            without(HEIGHT, "effectiveDateTime") | {"effectiveInstant": "2026-03-02T08:00:00Z"},
            ["Observation.effective"],
        ),
        (
            pressure(component("8480-6", quantity(12, "cm[Hg]")), DIASTOLIC),
            ["Observation.component[0].value", "Observation.component[0].value.code"],
        ),
        (pressure(SYSTOLIC), ["Observation.component", "Observation.component"]),
        (pressure(SYSTOLIC, SYSTOLIC), ["Observation.component", "Observation.component"]),
        (pressure(SYSTOLIC, component("8462-4")), ["Observation.component[1]"]),
        (pressure(SYSTOLIC, DIASTOLIC, valueQuantity=quantity(120, "mm[Hg]")), ["Observation.value"]),
        (vital_sign("85354-9", None, valueString="120/80"), ["Observation.value", "Observation.component"]),
        (
            vital_sign("85353-1", quantity(1, "kg"), hasMember=[{"reference": "Observation/1"}]),
            ["Observation.value"],
        ),
    ],
)
def test_vital_signs_that_r4_forbids(resource: Json, expressions: list[str]) -> None:
    found = [one for one in check_resource(resource) if one.is_error]
    assert {one.expression for one in found} == set(expressions)
    assert all(one.rule in ("profile", "vs-1", "vs-2", "vs-3") for one in found)


def claims(resource: Json, *profiles: str) -> Json:
    return {**resource, "meta": {"profile": list(profiles)}}


PLAIN = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


def test_what_meta_claims_is_looked_at_where_it_is_known() -> None:
    assert check_resource(claims(HEIGHT, f"{SPEC}bodyheight")) == []
    assert check_resource(claims(HEIGHT, f"{SPEC}bodyheight|4.0.1", f"{SPEC}Observation")) == []
    assert errors(claims(PLAIN, f"{SPEC}vitalsigns|4.0.1")) != []
    assert "Observation.code.coding" in errors(claims(HEIGHT, f"{SPEC}bodyweight"))
    assert errors(claims(PLAIN, f"{SPEC}Patient")) == ["Observation.meta.profile[0]"]
    assert errors(claims({"resourceType": "Patient"}, f"{SPEC}vitalsigns")) == ["Patient.meta.profile[0]"]


@pytest.mark.parametrize(
    "canonical", ["https://x.example/p", f"{SPEC}vitalsigns|5.0.0", "vitalsigns", f"{SPEC}x"]
)
def test_a_profile_that_is_not_known_is_only_mentioned(canonical: str) -> None:
    assert check_resource(claims(PLAIN, canonical)) == []
    found = check_resource(claims(PLAIN, canonical), profiles=core_profiles())
    assert [(one.severity, one.expression) for one in found] == [("warning", "Observation.meta.profile[0]")]


def test_profiles_in_bundles_and_for_each_entry() -> None:
    url = "urn:uuid:8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a000"
    listed = [
        {"fullUrl": f"{url}{n}", "resource": one}
        for n, one in enumerate((HEIGHT, without(HEIGHT, "subject")))
    ]
    assert errors({"resourceType": "Bundle", "type": "collection", "entry": listed}) == [
        "Bundle.entry[1].resource.subject"
    ]


def element(path: str, **more: Any) -> Json:
    base = {"path": path.replace(":", "."), "min": 0, "max": "*"}
    return {"id": path, "path": path.partition(":")[0], "min": 0, "max": "*", "base": base, **more}


def definition(url: str, version: str, *elements: Json) -> Json:
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "version": version,
        "type": "Patient",
        "derivation": "constraint",
        "snapshot": {"element": [element("Patient"), *elements]},
    }


GUIDE = "https://guide.example/StructureDefinition/"
TIER = f"{GUIDE}tier"
NATIONAL = "urn:oid:1.2.3"
CORE = definition(
    f"{GUIDE}patient",
    "1.2.0",
    element(
        "Patient.extension:tier",
        sliceName="tier",
        min=1,
        max="1",
        type=[{"code": "Extension", "profile": [TIER]}],
    ),
    element(
        "Patient.identifier",
        slicing={"discriminator": [{"type": "value", "path": "system"}], "rules": "closed"},
        min=1,
    ),
    element("Patient.identifier:national", sliceName="national", min=1, max="1"),
    element("Patient.identifier:national.system", min=1, fixedUri=NATIONAL),
    element("Patient.identifier:national.type", patternCodeableConcept={"coding": [{"code": "NI"}]}),
    element("Patient.gender", min=1, binding={"strength": "required", "valueSet": f"{GUIDE}sex"}),
    element("Patient.deceased[x]", type=[{"code": "boolean"}]),
    element("Patient.managingOrganization", max="0", base={"path": "x", "min": 0, "max": "1"}),
    element("Patient.name.given", min=1, constraint=[{"key": "g-1", "severity": "error", "human": "x"}]),
)
SEX = {
    "resourceType": "ValueSet",
    "url": f"{GUIDE}sex",
    "compose": {
        "include": [
            {
                "system": "http://hl7.org/fhir/administrative-gender",
                "concept": [{"code": "male"}, {"code": "female"}],
            }
        ]
    },
}
OWN = {
    "resourceType": "Patient",
    "meta": {"profile": [f"{GUIDE}patient"]},
    "extension": [{"url": TIER, "valueCode": "x"}],
    "identifier": [{"system": NATIONAL, "value": "1"}],
    "gender": "male",
}


def package(folder: Path, *definitions: Json, name: str = "hl7.fhir.vn.core") -> Path:
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0"}))
    (folder / "ValueSet-sex.json").write_text(json.dumps(SEX))
    for number, one in enumerate(definitions):
        (folder / f"StructureDefinition-{number}.json").write_text(json.dumps(one))
    table = folder / "table.json"
    table.write_bytes(generate_profiles(folder))
    return table


@pytest.mark.parametrize(
    ("change", "expressions"),
    [
        ({}, []),
        (
            {
                "identifier": [
                    {"system": NATIONAL, "type": {"coding": [{"system": "http://x.example", "code": "NI"}]}}
                ]
            },
            [],
        ),
        ({"identifier": []}, ["Patient.identifier", "Patient.identifier", "Patient.identifier"]),
        (
            {"identifier": [{"system": "urn:x:1", "value": "1"}]},
            ["Patient.identifier", "Patient.identifier[0]"],
        ),
        ({"identifier": [{"system": NATIONAL, "value": "1"}] * 2}, ["Patient.identifier"]),
        ({"identifier": [{"system": NATIONAL, "type": {"text": "x"}}]}, ["Patient.identifier[0].type"]),
        ({"extension": [{"url": GUIDE, "valueCode": "x"}]}, ["Patient.extension"]),
        ({"gender": "unknown"}, ["Patient.gender"]),
        ({"deceasedDateTime": "2026"}, ["Patient.deceased"]),
        ({"managingOrganization": {"display": "x"}}, ["Patient.managingOrganization"]),
        ({"name": [{"text": "x"}]}, ["Patient.name[0].given"]),
        ({"name": [{"given": ["x"]}]}, []),
    ],
)
def test_a_guides_profile(change: Json, expressions: list[str], tmp_path: Path) -> None:
    profiles = load_profiles([package(tmp_path / "guide", CORE)])
    resource = {name: value for name, value in (OWN | change).items() if value != []}
    assert set(errors(resource, profiles)) == set(expressions)
    assert check_resource(OWN) == []  # it is not known without its table


def test_profiles_are_found_by_canonical_and_not_by_package(tmp_path: Path) -> None:
    """Two packages of one name bring different profiles, and different versions of one."""
    older = copy.deepcopy(CORE) | {"version": "1.1.0"}
    older["snapshot"]["element"] = [element("Patient"), element("Patient.birthDate", min=1)]
    other = definition(f"{GUIDE}other", "1", element("Patient.active", min=1))
    one, two = package(tmp_path / "one", CORE), package(tmp_path / "two", other)
    profiles = load_profiles([one, two])
    assert errors(OWN, profiles) == []
    assert errors(claims(without(OWN, "meta"), f"{GUIDE}other"), profiles) == ["Patient.active"]
    assert errors(claims(HEIGHT, f"{SPEC}bodyheight"), profiles) == []
    with pytest.raises(UsageError, match="different things"):
        load_profiles([one, package(tmp_path / "three", older)])
    assert load_profiles([one, package(tmp_path / "four", CORE, name="x")]).find(f"{GUIDE}patient|1.2.0")
    alone = load_profiles([tmp_path / "three" / "table.json"])
    assert errors(OWN, alone) == ["Patient.birthDate"]
    assert errors(claims(without(OWN, "meta"), f"{GUIDE}patient|1.2.0"), alone) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"profiles": {"a": {}}, "bindings": {}}', '{"profiles": 5, "bindings": {}}']
)
def test_what_is_no_table_is_said(text: str, tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"table\.json"):
        load_profiles([file])
    with pytest.raises(UsageError, match=r"gone\.json"):
        load_profiles([tmp_path / "gone.json"])


def test_the_command_takes_a_guides_table(tmp_path: Path) -> None:
    table, file = package(tmp_path / "guide", CORE), tmp_path / "patient.json"
    file.write_text(json.dumps(OWN | {"gender": "unknown"}))
    commands = Commands(tmp_path)
    assert commands.run("validate", str(file)).startswith(f"{file}: warning")
    done = commands.run("validate", "--profiles", str(table), str(file), code=1)
    assert "Patient.gender" in done
    assert str(table) not in done


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["8302-2", LOINC, "x", f"{SPEC}bp"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "system", "profile", "reference", "value", "url"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*HEIGHT, "component", "meta", "hasMember", "_effectiveDateTime"]), _ODD)
def test_no_shape_of_a_vital_sign_raises(name: str, odd: Any) -> None:
    check_resource(HEIGHT | {name: odd}, second_opinion=False)
    check_resource(pressure(SYSTOLIC, DIASTOLIC) | {name: odd}, second_opinion=False)
    check_resource(pressure(SYSTOLIC, {"code": odd, name: odd}), second_opinion=False)


@pytest.mark.conformance
def test_the_package_gives_the_same_tables() -> None:
    assert generate_profiles(EXAMPLES) == CORE_FILE.read_bytes()
    assert generate_vocabulary(EXAMPLES) == VOCABULARY_FILE.read_bytes()


def test_what_was_right_is_looked_at_again_when_it_changed() -> None:
    resource = copy.deepcopy(HEIGHT)
    assert check_resource(resource, second_opinion=False) == []
    resource["category"][0]["coding"][0]["code"] = "laboratory"
    assert errors(resource) == ["Observation.category"]
    assert check_resource(HEIGHT) == []
