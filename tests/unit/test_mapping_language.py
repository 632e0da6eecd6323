"""The mapping language: variants, typed related records, fragments, defaults, overlays, checks against R4."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mapping_support import FIELDS, MAPPINGS, context, record_of

from adapter.errors import MappingError
from adapter.fhir.validation.checker import check_resource
from adapter.mapping.engine import MappedResource, MappingEngine
from adapter.mapping.folder.version import mapping_version
from adapter.mapping.loader import Mappings
from adapter.texts import set_language

PATIENT = "resource: Patient\nfrom: cadre\nbody:\n  active: true\n"
ENCOUNTER = """\
resource: Encounter
from: visit
body:
  status: finished
  class: "{{ m.type | coding('visit-class') }}"
  subject: "{{ m.cadre | reference('Patient') }}"
"""
OBSERVATION = """\
resource: Observation
from: measurement
body:
  status: "{{ m.status | code('observation-status') }}"
  code: "{{ m | measured_concept }}"
"""
REPORT = """\
resource: DiagnosticReport
from: visit
name: laboratory
needs: result
body:
  status: final
  code: { text: Xét nghiệm }
  result:
    - $each: "{{ related.measurement }}"
      $as: one
      $when: "{{ one.unit and one.measure | column('measures', 'category') == 'laboratory' }}"
      $item: "{{ one.key | reference('Observation') }}"
"""
CONCLUSION = """\
resource: DiagnosticReport
from: visit
name: conclusion
when: "{{ m.conclusion }}"
body:
  status: final
  code: { text: Kết luận }
  conclusion: "{{ m.conclusion }}"
  issued: "{{ origin.imported_at | instant }}"
"""
VISIT = {
    "kind": "visit",
    "key": "V1",
    "cadre": "C1",
    "type": "checkup",
    "started_at": "2026-03-02T08:00:00+07:00",
    "conclusion": "Theo dõi thêm",
}


def measurement(measure: str, value: str = "5.3", unit: str | None = "mmol/L") -> Any:
    return record_of(
        {
            "kind": "measurement",
            "key": f"V1/{measure}",
            "cadre": "C1",
            "visit": "V1",
            "measure": measure,
            "value": value,
            "unit": unit,
        }
    )


def loaded(folder: Path, files: dict[str, str]) -> Mappings:
    shutil.copytree(MAPPINGS / "codes", folder / "codes", dirs_exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return Mappings.load(folder, FIELDS)


def problems_of(folder: Path, files: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(MappingError) as caught:
        loaded(folder, files)
    return caught.value.problems


def engine_of(folder: Path, files: dict[str, str], hospital: str = "bv-tinh") -> MappingEngine:
    return loaded(folder, files).engine(context(hospital))


def one(found: list[MappedResource]) -> dict[str, Any]:
    assert len(found) == 1
    assert check_resource(found[0].resource, second_opinion=False) == []
    return found[0].resource


# Variants


def test_variants_of_one_type_have_identities_of_their_own(tmp_path: Path) -> None:
    files = {"o.yaml": OBSERVATION, "a.yaml": REPORT, "b.yaml": CONCLUSION}
    mappings = loaded(tmp_path, files)
    assert mappings.types == ("Observation", "DiagnosticReport")
    assert mappings.types_of["visit"] == ("DiagnosticReport",)
    assert [map_.name for map_ in mappings.maps_of["visit"]] == ["conclusion", "laboratory"]
    engine = mappings.engine(context())
    made = engine.map(record_of(VISIT), related={"measurement": [measurement("BIO-GLU")]})
    assert [(one.name, one.identity_kind) for one in made] == [
        ("conclusion", "visit#conclusion"),
        ("laboratory", "visit#laboratory"),
    ]
    identities = {one.resource["identifier"][0]["value"] for one in made}
    assert identities == {
        context().identify("DiagnosticReport", f"visit#{name}", "V1") for name in ("conclusion", "laboratory")
    }


def test_a_reference_names_its_variant(tmp_path: Path) -> None:
    task = """\
resource: Task
from: visit
body:
  status: completed
  intent: order
  focus: "{{ m.key | reference('DiagnosticReport', 'laboratory') }}"
  for: "{{ m.key | reference('DiagnosticReport', name='conclusion') }}"
"""
    files = {"o.yaml": OBSERVATION, "a.yaml": REPORT, "b.yaml": CONCLUSION, "t.yaml": task}
    made = {found.type: found for found in engine_of(tmp_path, files).map(record_of(VISIT))}["Task"]
    wanted = context().identify("DiagnosticReport", "visit#laboratory", "V1")
    assert made.resource["focus"]["reference"].endswith("|" + wanted)
    assert made.resource["for"]["reference"] != made.resource["focus"]["reference"]
    wrong = {**files, "t.yaml": task.replace("'laboratory'", "'laboratry'")}
    assert "t.yaml:6:53" in problems_of(tmp_path, wrong)[0]
    assert problems_of(tmp_path, wrong)[0].endswith("did you mean: laboratory")
    unclear = {**files, "t.yaml": task.replace(", 'laboratory'", "")}
    assert "conclusion, laboratory" in problems_of(tmp_path, unclear)[0]


def test_the_only_mapping_of_a_type_needs_no_name_in_references(tmp_path: Path) -> None:
    patient = PATIENT.replace("body:", "name: person\nbody:")
    made = engine_of(tmp_path, {"p.yaml": patient, "e.yaml": ENCOUNTER}).map(record_of(VISIT))
    wanted = context().identify("Patient", "cadre#person", "C1")
    assert made[0].resource["subject"]["reference"].endswith("|" + wanted)


def test_two_mappings_may_not_be_one_variant(tmp_path: Path) -> None:
    found = problems_of(tmp_path, {"o.yaml": OBSERVATION, "a.yaml": REPORT, "b.yaml": REPORT})
    assert found == (
        "b.yaml:1:11: 'DiagnosticReport laboratory' is made here a second time; "
        "give one of the two another 'name:'",
    )


# Typed names


def test_related_records_are_read_by_their_own_fields(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"o.yaml": OBSERVATION, "a.yaml": REPORT})
    related = [
        measurement("BIO-GLU"),
        measurement("VS-BP", "120/80", "mmHg"),
        measurement("BIO-URE", unit=None),
    ]
    made = one(engine.map(record_of(VISIT), related={"measurement": related}))
    wanted = context().identify("Observation", "measurement", "V1/BIO-GLU")
    assert [result["reference"].rpartition("|")[2] for result in made["result"]] == [wanted]
    # without a result there is no report
    assert engine.map(record_of(VISIT), related={"measurement": related[1:]}) == []
    wrong = REPORT.replace("one.unit", "one.unti")
    line = problems_of(tmp_path, {"o.yaml": OBSERVATION, "a.yaml": wrong})[0]
    assert line == "a.yaml:11:22: a measurement has no field 'unti' that may leave; did you mean: unit"


def test_origin_says_where_a_record_came_from_or_nothing(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, {"b.yaml": CONCLUSION})
    assert "issued" not in one(engine.map(record_of(VISIT)))
    visit = record_of(VISIT)
    origin = SimpleNamespace(source="x", sheet="y", row=3, imported_at=visit.started_at)
    assert one(engine.map(visit, origin=origin))["issued"] == "2026-03-02T08:00:00+07:00"


def test_a_mapping_knows_the_fields_that_it_reads(tmp_path: Path) -> None:
    mappings = loaded(tmp_path, {"o.yaml": OBSERVATION, "a.yaml": REPORT, "b.yaml": CONCLUSION})
    reads = {map_.name: map_.reads for listed in mappings.maps_of.values() for map_ in listed}
    assert reads["conclusion"] == {"conclusion", "origin"}
    assert reads["laboratory"] == {"unit", "measure", "key"}
    assert reads[None] == {"status", "measure", "value", "unit"}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("m | string", "'m' is a whole record"),
        ("m", "gives measurement"),
        ("visit", "gives visit"),
        ("[m] | join", "'m' is a whole record"),
        ("'a' ~ origin", "'origin' is a whole record"),
        ("related.measurement | join", "'related.measurement' is a whole record"),
        ("m.value | quantity", "write m | quantity"),
        ("visit | text_value", "a visit has no field 'measure'"),
        ("m.taken_at | default(m)", "'m' is a whole record"),
        ("'%s' | replace('%s', m)", "'m' is a whole record"),
        ("(m or 'x') | string", "'m' is a whole record"),
        ("(m if m.value else 'x') | upper", "'m' is a whole record"),
        ("(visit or m) ~ ''", "'m' is a whole record"),
        ("m or 'x'", "gives record"),
        ("m.unit | default(m or 'x')", "'m' is a whole record"),
        ("m.unit | default(other=m)", "'m' is a whole record"),
        ("system('x', default=m) | string", "'m' is a whole record"),
        ("m.unit | replace(*m)", "'*' is not allowed"),
        ("system(**m) | string", "'*' is not allowed"),
    ],
)
def test_a_whole_record_never_becomes_text(tmp_path: Path, expression: str, words: str) -> None:
    text = f'{OBSERVATION}  valueString: "{{{{ {expression} }}}}"\n'
    assert any(words in line for line in problems_of(tmp_path, {"o.yaml": text}))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("9 ** 99999999", "'**' is not allowed"),
        ("'%1000000000d' % 3", "'%' is not allowed"),
        ("m.value * 100000000000", "'*' is not allowed"),
        ("{'reference': m.value}", "'{ }' is not allowed"),
        ("hospital | string", "this is a Reference and no text"),
        ("(m | quantity) ~ ''", "this is a Quantity and no text"),
        ("m.value | only('http://loinc.org')", "'only' takes a CodeableConcept or Coding"),
    ],
)
def test_an_expression_neither_reckons_nor_spills(tmp_path: Path, expression: str, words: str) -> None:
    text = f'{OBSERVATION}  valueString: "{{{{ {expression} }}}}"\n'
    assert any(words in line for line in problems_of(tmp_path, {"o.yaml": text}))


# Fragments and defaults

FRAGMENTS = """\
fragments:
  tag: { system: "http://example.org/tag", code: sent }
  meta:
    source: "#centre"
    tag:
      - $use: tag
  phones:
    - { system: phone, value: "{{ m.phone }}" }
    - { system: email, value: a@example.org }
"""


def test_fragments_fill_in_what_an_object_does_not_say(tmp_path: Path) -> None:
    patient = PATIENT + (
        "  meta: { $use: meta, source: '#here' }\n"
        "  telecom:\n    - $use: phones\n    - { system: url, value: 'https://example.org' }\n"
        "  contact:\n    - telecom: { $use: phones }\n"
    )
    engine = engine_of(tmp_path, {"fragments.yaml": FRAGMENTS, "p.yaml": patient})
    made = one(engine.map(SimpleNamespace(kind="cadre", key="C", phone=None)))
    assert made["meta"] == {"source": "#here", "tag": [{"system": "http://example.org/tag", "code": "sent"}]}
    assert [item["system"] for item in made["telecom"]] == ["phone", "email", "url"]
    assert len(made["contact"][0]["telecom"]) == 2
    less = patient.replace("source: '#here'", "$remove: [source]")
    engine = engine_of(tmp_path, {"fragments.yaml": FRAGMENTS, "p.yaml": less})
    assert list(one(engine.map(SimpleNamespace(kind="cadre", key="C", phone=None)))["meta"]) == ["tag"]


def test_mistakes_in_fragments_name_the_fragment_and_who_uses_it(tmp_path: Path) -> None:
    fragments = "fragments:\n  a: { $use: b }\n  b: { $use: a }\n  c:\n    - { systm: phone }\n"
    patient = PATIENT + "  meta: { $use: a }\n  telecom: { $use: c }\n  name:\n    - $use: nmae\n"
    found = problems_of(tmp_path, {"fragments.yaml": fragments, "p.yaml": patient, "q.yaml": ENCOUNTER})
    assert found == (
        "fragments.yaml:3:14: these fragments use each other in a circle: a → b → a",
        "fragments.yaml:5:9: ContactPoint has no element 'systm' in FHIR R4; did you mean: system "
        "(used by p.yaml)",
        "p.yaml:8:13: there is no fragment 'nmae' in fragments.yaml; did you mean: a, b, c",
    )


def test_a_default_stands_where_a_value_is_empty(tmp_path: Path) -> None:
    patient = PATIENT + (
        "  gender: { $value: \"{{ m.sex | code('sex') }}\", $default: unknown }\n"
        '  address:\n    - $default: { text: không rõ }\n      text: "{{ m.address }}"\n'
        '  name:\n    - $value: "{{ m.name | person_name }}"\n      $default: { text: "{{ m.key }}" }\n'
        '  telecom:\n    $value: [{ $when: "{{ m.phone }}", value: "{{ m.phone }}", system: phone }]\n'
        "    $default: [{ system: phone, value: '1' }]\n"
    )
    engine = engine_of(tmp_path, {"p.yaml": patient})
    empty = SimpleNamespace(kind="cadre", key="C", sex=None, address=" ", name=None, phone=None)
    made = one(engine.map(empty))
    assert (made["gender"], made["address"], made["name"]) == (
        "unknown",
        [{"text": "không rõ"}],
        [{"text": "C"}],
    )
    assert made["telecom"] == [{"system": "phone", "value": "1"}]
    filled = SimpleNamespace(kind="cadre", key="C", sex="male", address="Hà Nội", name="Lê A", phone="2")
    made = one(engine.map(filled))
    assert (made["gender"], made["address"]) == ("male", [{"text": "Hà Nội"}])
    assert made["name"][0]["family"] == "Lê"
    assert made["telecom"][0]["value"] == "2"


# Contained resources and extensions


def test_contained_resources_and_extensions(tmp_path: Path) -> None:
    patient = PATIENT + (
        "  contained:\n    - { resourceType: Organization, id: unit, name: Tổ 1 }\n"
        "  managingOrganization: { reference: '#unit' }\n"
        '  birthDate: "{{ m.birth_date | date }}"\n'
        '  _birthDate:\n    $when: "{{ not m.birth_date }}"\n    extension:\n'
        "      - url: http://hl7.org/fhir/StructureDefinition/data-absent-reason\n"
        "        valueCode: unknown\n"
    )
    engine = engine_of(tmp_path, {"p.yaml": patient})
    made = one(engine.map(SimpleNamespace(kind="cadre", key="C", birth_date=None)))
    assert made["_birthDate"]["extension"][0]["valueCode"] == "unknown"
    assert made["contained"][0]["resourceType"] == "Organization"


# Overlays

OVERLAY = """\
hospital: bv-tinh
overlays:
  Observation:
    meta: { profile: ["http://example.org/p"] }
    $remove: [method]
    code: "{{ m | measured_concept | without('http://loinc.org') }}"
    bodySite: { text: right }
"""
WITH_METHOD = OBSERVATION + "  method: { text: by hand }\n  bodySite: { text: left, id: here }\n"


def test_an_extension_without_a_value_is_no_extension(tmp_path: Path) -> None:
    text = (
        OBSERVATION
        + """\
  extension:
    - { url: "http://example.org/unit", valueString: "{{ m.unit }}" }
    - url: "http://example.org/both"
      extension:
        - { url: a, valueString: "{{ m.unit }}" }
        - { url: b, valueInteger: "{{ (m.unit | length) if m.unit else none }}" }
    - { url: "http://example.org/false", valueBoolean: "{{ m.unit == 'g/L' }}" }
"""
    )
    engine = engine_of(tmp_path, {"o.yaml": text})
    with_unit, without = (one(engine.map(measurement("BIO-GLU", unit=unit))) for unit in ("g/L", None))
    assert [part["url"][-4:] for part in with_unit["extension"]] == ["unit", "both", "alse"]
    assert without["extension"] == [{"url": "http://example.org/false", "valueBoolean": False}]


def test_an_overlay_changes_one_hospital_alone(tmp_path: Path) -> None:
    mappings = loaded(tmp_path, {"o.yaml": WITH_METHOD, "hospitals/bv-tinh.yaml": OVERLAY})
    assert mappings.hospitals == ("bv-tinh",)
    own = one(mappings.engine(context()).map(measurement("BIO-GLU")))
    other = one(mappings.engine(context("bv-khac")).map(measurement("BIO-GLU")))
    assert own["meta"] == {"profile": ["http://example.org/p"]}
    assert own["bodySite"] == {"text": "right", "id": "here"}
    assert "method" not in own
    assert "method" in other
    systems = [coding["system"] for coding in own["code"]["coding"]]
    assert "http://loinc.org" not in systems
    assert len(systems) < len(other["code"]["coding"])
    assert "meta" not in other


def test_versions_follow_the_hospital(tmp_path: Path) -> None:
    files = {"o.yaml": WITH_METHOD, "hospitals/bv-tinh.yaml": OVERLAY}
    before = loaded(tmp_path, files)
    plain, own = mapping_version(tmp_path, "bv-khac"), mapping_version(tmp_path, "bv-tinh")
    assert own != plain
    after = loaded(tmp_path, {"hospitals/bv-tinh.yaml": OVERLAY.replace("right", "left")})
    assert mapping_version(tmp_path, "bv-khac") == plain
    assert mapping_version(tmp_path, "bv-tinh") != own
    assert after.version == mapping_version(tmp_path) != before.version
    loaded(tmp_path, {"fragments.yaml": FRAGMENTS})
    assert mapping_version(tmp_path, "bv-khac") != plain


def test_mistakes_in_overlays(tmp_path: Path) -> None:
    overlay = """\
hospital: bv-tnih
overlay: {}
overlays:
  Observatoin: { method: { text: a } }
  DiagnosticReport labratory: { status: final }
  Observation:
    $remove: [metod]
    status: finl
  Patient:
    $remove: [name]
    gender: "{{ m.tier | code('sex') }}"
"""
    files = {"o.yaml": WITH_METHOD, "p.yaml": PATIENT, "r.yaml": REPORT, "hospitals/bv-tinh.yaml": overlay}
    assert problems_of(tmp_path, files) == (
        "hospitals/bv-tinh.yaml:1:11: 'hospital:' must be 'bv-tinh', as the file is called",
        "hospitals/bv-tinh.yaml:2:1: 'overlay' has no meaning here; did you mean: overlays",
        "hospitals/bv-tinh.yaml:4:3: no mapping file makes 'Observatoin', so nothing can be laid over it; "
        "did you mean: Observation",
        "hospitals/bv-tinh.yaml:5:3: the mappings that make 'DiagnosticReport' do not include 'labratory'; "
        "did you mean: laboratory",
        "hospitals/bv-tinh.yaml:7:15: there is no element 'metod' here to remove; did you mean: method",
        "hospitals/bv-tinh.yaml:8:13: 'finl' is no code of 'status' in FHIR R4; did you mean: final",
        "hospitals/bv-tinh.yaml:10:15: there is no element 'name' here to remove; did you mean: active",
        "hospitals/bv-tinh.yaml:11:19: a cadre has no field 'tier' that may leave; did you mean: address, "
        "birth_date, consents, deceased_on, ethnic_group, insurance, key, name …",
    )


# Checks against R4

MISTAKES = """\
resource: Observation
from: measurement
name: Sinh hóa
needs: [valueQuantiti]
body:
  resourceType: Observation
  status: finale
  code: "{{ m.measure }}"
  category: [{ text: true }]
  subject: "{{ m.key | reference('Observation') }}"
  performer:
    - "{{ m.unit | concept('interpretation') }}"
  effectiveDateTime: tomorrow
  valueString: a
  valueBoolean: "yes"
  valueQuantite: 5
  issued: "{{ m.taken_at | date }}"
  encounter: { reference: "#visit" }
  contained:
    - { resourceType: Encounter, status: finished }
    - { id: a }
  extension:
    - { url: "{{ m.unit }}", valueString: a }
    - { url: "http://example.org", valueString: a, valueCode: b }
    - { url: "http://example.org" }
  _status: { extension: [{ url: "http://example.org", valueCode: a }] }
  _code: { text: a }
  component:
    - code: { coding: [{ system: [a], userSelected: 1 }] }
      valueQuantity: "{{ m.taken_at | default(m.value) }}"
  referenceRange:
    - "{{ m | quantity }}"
"""
NAMED = [
    ("3:7", "small letters, digits and hyphens"),
    ("4:9", "'valueQuantiti'", "valueQuantity"),
    ("6:3", "'resourceType' belongs into 'contained'"),
    ("7:11", "'finale' is no code of 'status'", "final"),
    ("8:9", "'code' takes CodeableConcept", "gives text"),
    ("9:22", "'true' is not right for 'text'"),
    ("10:35", "'subject' cannot refer to 'Observation'", "Device, Group, Location, Patient"),
    ("12:7", "'performer' takes Reference", "gives CodeableConcept"),
    ("13:22", "'tomorrow' is not right for 'effectiveDateTime'"),
    ("15:3", "one of 'valueString' and 'valueBoolean'"),
    ("15:17", "'yes' is not right for 'valueBoolean', which takes boolean"),
    ("16:3", "no element 'valueQuantite'", "valueQuantity"),
    ("17:11", "'issued' takes instant", "gives date"),
    ("18:27", "nothing contained here has the id 'visit'"),
    ("20:7", "Encounter needs the element 'class'"),
    ("20:7", "a contained resource needs an 'id'"),
    ("21:7", "needs a 'resourceType'"),
    ("23:14", "the 'url' of an extension must be written out"),
    ("24:52", "one of 'valueString' and 'valueCode'"),
    ("25:7", "exactly one value"),
    ("27:3", "'code' is a CodeableConcept; its extensions stand in it"),
    ("29:34", "'system' holds one value"),
    ("29:53", "'1' is not right for 'userSelected'"),
    ("30:22", "'valueQuantity' takes Quantity", "gives text"),
    ("32:7", "'referenceRange' takes", "gives Quantity"),
]


def test_every_mistake_is_named_once_and_nothing_else(tmp_path: Path) -> None:
    found = list(problems_of(tmp_path, {"o.yaml": MISTAKES}))
    for place, *words in NAMED:
        matching = [
            line
            for line in found
            if line.startswith(f"o.yaml:{place}: ") and all(word in line for word in words)
        ]
        assert len(matching) == 1, (place, words, found)
        found.remove(matching[0])
    assert found == []


def test_the_same_mistakes_in_vietnamese(tmp_path: Path) -> None:
    english = problems_of(tmp_path, {"o.yaml": MISTAKES})
    set_language("vi")
    try:
        vietnamese = problems_of(tmp_path, {"o.yaml": MISTAKES})
    finally:
        set_language("en")
    assert [line.split(": ")[0] for line in english] == [line.split(": ")[0] for line in vietnamese]
    assert not set(english) & set(vietnamese)


def test_a_code_table_gives_only_codes_of_its_element(tmp_path: Path) -> None:
    text = OBSERVATION.replace("'observation-status'", "'referral-status'")
    found = problems_of(tmp_path, {"o.yaml": text})
    assert all(line.startswith("o.yaml:4:") and "referral-status" in line for line in found)
    assert any("'active', which is no code of 'status'" in line for line in found)
