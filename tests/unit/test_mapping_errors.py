"""A wrong mapping names every mistake in one run: file, line, column, the nearest right word."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from mapping_support import FIELDS, MAPPINGS, context, engine, record_of

from adapter.errors import MappingError
from adapter.mapping.loader import Mappings
from adapter.texts import set_language

GOOD = """\
resource: Observation
from: measurement
body:
  status: "{{ m.status | code('observation-status') }}"
  code: "{{ m | measured_concept }}"
"""


def problems_of(folder: Path, files: dict[str, str], tables: dict[str, str] | None = None) -> tuple[str, ...]:
    shutil.copytree(MAPPINGS / "codes", folder / "codes", dirs_exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    for name, text in (tables or {}).items():
        (folder / "codes" / name).write_text(text, "utf-8")
    with pytest.raises(MappingError) as caught:
        Mappings.load(folder, FIELDS)
    return caught.value.problems


def test_twelve_mistakes_are_twelve_lines(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        {
            "observation.yaml": """\
resource: Observation
from: measurement
whenn: "{{ m.value }}"
body:
  status: "{{ m.statsu | code('observation-status') }}"
  code: "{{ m | measured_concpt }}"
  subject: "{{ m.cadre | reference('Pateint') }}"
  efectiveDateTime: "{{ m.taken_at | instant }}"
  category:
    - "{{ m.measure | concept('observation-categry') }}"
  method: {text: "{{ m.measure | column('measures', 'categori') }}"}
  performer: "{{ center }}"
  bodySite:
    - text: left
  valueString: "value {{ m.value }}"
  device: "{{ m.unit | }}"
  focus:
    - $eech: "{{ m.unit }}"
      display: x
  note:
    $each: "{{ m.unit }}"
    $as: part
    text: "{{ part }}"
""",
            "patient.yaml": """\
resource: Patient
from: cadre
body:
  name:
    - text: "{{ m.position }}"
""",
        },
    )
    expected = [
        ("observation.yaml:3:1", "'whenn'", "when"),
        ("observation.yaml:5:17", "'statsu'", "status"),
        ("observation.yaml:6:17", "'measured_concpt'", "measured_concept"),
        ("observation.yaml:7:37", "'Pateint'", "Patient"),
        ("observation.yaml:8:3", "'efectiveDateTime'", "effectiveDateTime"),
        ("observation.yaml:10:32", "'observation-categry'", "observation-category"),
        ("observation.yaml:11:54", "'categori'", "category"),
        ("observation.yaml:12:18", "'center'", "centre"),
        ("observation.yaml:14:5", "'bodySite'", "remove the dash"),
        ("observation.yaml:15:16", "literal or one expression", ""),
        ("observation.yaml:16:11", "cannot be read", ""),
        ("observation.yaml:18:7", "'$eech'", "$each"),
        ("observation.yaml:21:5", "'note' is a list", "dash"),
        ("patient.yaml:5:19", "'position'", "may leave"),
    ]
    for place, word, remedy in expected:
        assert any(line.startswith(place + ": ") and word in line and remedy in line for line in found), (
            place,
            found,
        )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  valueString: [final]", "one value"),
        ("  identifier: x", "is a list"),
        ("  method: glucose", "CodeableConcept"),
        ("  valueString: {a: b}", "plain value"),
        ("  component: [[{code: {text: a}}]]", "inside a list"),
        ("  component: [{valueString: a}]", "needs the element 'code'"),
        ('  valueString: "{{ m.unit.__class__ }}"', "__class__"),
        ("  valueString: \"{{ m['tier'] }}\"", "[ ]"),
        ('  valueString: "{{ m.unit.format(m) }}"', "only"),
        ("  valueString: \"{{ m | attr('key') }}\"", "'attr'"),
        ('  valueString: "{{ cycler }}"', "'cycler'"),
        ('  valueString: "{{ m.value is mapping }}"', "'mapping'"),
        ('  valueString: "{% if m %}a{% endif %}"', "literal or one expression"),
        ("  valueString: a\n  valueString: b", "second time"),
        ('  valueString: "{{ related.mesurement }}"', "measurement"),
        ("  component: [{$each: 5, code: {text: a}}]", "one expression"),
        ('  component: [{$each: "{{ m | parts }}", $as: m, code: {text: a}}]', "cannot name"),
        ('  component: [{$each: "{{ m | parts }}", $as: p, code: {text: "{{ p.valu }}"}}]', "value"),
        ('  valueString: "unfinished', "YAML"),
    ],
)
def test_one_mistake_is_named_with_its_place(tmp_path: Path, line: str, words: str) -> None:
    found = problems_of(tmp_path, {"observation.yaml": f"{GOOD}{line}\n"})
    assert any(words in one and one.startswith("observation.yaml:") for one in found), found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("- a", "expected names"),
        ("resource: Observatoin\nfrom: measurement\nbody: {status: final}", "'Observatoin'"),
        ("resource: Observation\nfrom: measurment\nbody: {}", "measurement"),
        ("from: measurement\nbody: {}", "'resource:'"),
        ("resource: HumanName\nfrom: cadre\nbody: {text: a}", "'HumanName'"),
        ("resource: Observation\nfrom: measurement\n", "'body:'"),
    ],
)
def test_file_as_a_whole(tmp_path: Path, text: str, words: str) -> None:
    assert any(words in line for line in problems_of(tmp_path, {"x.yaml": text}))


def test_no_files_duplicates_and_circles(tmp_path: Path) -> None:
    assert "no mapping file" in problems_of(tmp_path, {})[0]
    patient = (
        "resource: Patient\nfrom: cadre\nbody:\n  managingOrganization: \"{{ m.key | reference('%s') }}\"\n"
    )
    found = problems_of(tmp_path, {"a.yaml": patient % "Patient", "b.yaml": patient % "Patient"})
    assert any(line.startswith("b.yaml:1:11") and "second time" in line for line in found)
    (tmp_path / "b.yaml").unlink()
    encounter = (
        "resource: Encounter\nfrom: visit\nbody:\n  status: finished\n"
        "  class: \"{{ m.type | coding('visit-class') }}\"\n"
        "  subject: \"{{ m.cadre | reference('Patient') }}\"\n"
    )
    found = problems_of(tmp_path, {"a.yaml": patient % "Encounter", "b.yaml": encounter})
    assert any("circle" in line for line in found)


def test_code_tables_are_checked(tmp_path: Path) -> None:
    head = "code,display,system,target,target_display,equivalence\n"
    found = problems_of(
        tmp_path,
        {"observation.yaml": GOOD},
        {
            "sex.csv": head + "male,Nam,http://loinc.org,14749-5,x,equivalent\n"
            "male,Nam,,,,\nfemale,Nữ,http://x,,,\nunknown,K,http://x,u,u,same\na,b,c,d,e,f,g\n",
            "units.csv": "unit,ucum,dimension,factor\nx,1,number,tenth\n",
            "interpretation.csv": "code,display\nH,Cao\n",
        },
    )
    for place, words in [
        ("sex.csv:2", "'14749-5' is not a LOINC code"),
        ("sex.csv:3", "second time"),
        ("sex.csv:4", "without a"),
        ("sex.csv:5", "'same'"),
        ("sex.csv:6", "7 cells"),
        ("units.csv:2", "'tenth'"),
        ("interpretation.csv:1", "equivalence"),
    ]:
        assert any(line.startswith(place) and words in line for line in found), (place, found)


def test_error_while_mapping_names_the_line_and_no_value() -> None:
    record = SimpleNamespace(
        kind="visit",
        key="V",
        type="checkup",
        cadre="C",
        started_at="not a time",
        ended_at=None,
        reason="bí mật",
    )
    with pytest.raises(MappingError) as caught:
        engine().map(record)
    assert str(caught.value).startswith("encounter.yaml:")
    assert "Encounter.period.start" in str(caught.value)
    assert "bí mật" not in str(caught.value)
    assert "not a time" not in str(caught.value)


def test_messages_are_vietnamese_too(tmp_path: Path) -> None:
    set_language("vi")
    try:
        found = problems_of(tmp_path, {"x.yaml": GOOD.replace("m.status", "m.statsu")})
    finally:
        set_language("en")
    assert "không có trường 'statsu'" in found[0]


def test_version_changes_with_any_file(tmp_path: Path) -> None:
    shutil.copytree(MAPPINGS, tmp_path / "mappings")
    folder = tmp_path / "mappings"
    first = Mappings.load(folder, FIELDS)
    assert first.version == Mappings.load(MAPPINGS, FIELDS).version
    assert first.types.index("Patient") < first.types.index("Encounter") < first.types.index("Observation")
    assert first.types.index("Observation") < first.types.index("ServiceRequest")
    table = folder / "codes" / "sex.csv"
    table.write_text(table.read_text("utf-8").replace("Nam", "Nam giới"), "utf-8")
    assert Mappings.load(folder, FIELDS).version != first.version


def test_a_hospital_without_systems_gets_no_national_number() -> None:
    cadre = record_of(
        {
            "kind": "cadre",
            "key": "C",
            "name": "Lê A",
            "sex": "male",
            "birth_date": "1960-01-01",
            "tier": "T5",
            "national_id": "024060000001",
            "insurance": ["2412345678"],
        }
    )
    resource = Mappings.load(MAPPINGS, FIELDS).engine(context(systems={})).map(cadre)[0].resource
    assert len(resource["identifier"]) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  extension: &a [*a, *a]\n", "o.yaml:6:14: this is nested too deeply"),
        (f"  extension: {'[' * 3000}{']' * 3000}\n", "o.yaml:1:1: this is nested too deeply"),
        (f"  extension: {'[' * 40}{']' * 40}\n", "o.yaml:6:44: this is nested too deeply"),
        (f"  valueString: '{{{{ {'(' * 500}1{')' * 500} }}}}'\n", "o.yaml:6:16: this expression is too long"),
        (
            f"  valueString: '{{{{ m.unit{' | upper' * 3000} }}}}'\n",
            "o.yaml:6:16: this expression is too long",
        ),
        ("  valueString: {{ m.value }}\n", "o.yaml:6:16: an expression stands in quotation marks"),
        ("  valueString: '{{ }}'\n", "o.yaml:6:16: there is nothing between {{ and }}"),
        ("  valueString: '{# none #}'\n", "o.yaml:6:16: a value is either a literal or one expression"),
        (f"  valueInteger: {'9' * 5000}\n", "o.yaml:6:17: '999"),
        ('  valueString: "\\ud800"\n', "o.yaml:6:16: an escape here"),
        ("  valueString: \"{{ '\\\\ud800' }}\"\n", "o.yaml:6:16: an escape here"),
        ("  valueString: 'a\x01b'\n", "o.yaml:6:18: this is not YAML: U+0001"),
        (
            "  valueString: >-\n    {{ m.value\n       | uper }}\n",
            "o.yaml:8:10: there is no transform 'uper'",
        ),
    ],
)
def test_what_would_never_end_is_one_clear_line(tmp_path: Path, text: str, line: str) -> None:
    found = problems_of(tmp_path, {"o.yaml": GOOD + text})
    assert [one.startswith(line) for one in found] == [True], found


def test_aliases_that_multiply_are_one_clear_line(tmp_path: Path) -> None:
    lines = ["  note: &a0 [{text: x}]\n"]
    lines += [f"  n{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 12)]
    (found,) = problems_of(tmp_path, {"o.yaml": GOOD + "".join(lines)})
    assert "nested too deeply" in found


def test_fragments_that_multiply_are_one_clear_line(tmp_path: Path) -> None:
    named = [f"  f{at}: [{', '.join([f'{{$use: f{at - 1}}}'] * 10)}]\n" for at in range(1, 12)]
    files = {
        "fragments.yaml": "fragments:\n  f0: [{text: x}]\n" + "".join(named),
        "o.yaml": GOOD + "  note:\n    - $use: f7\n",
    }
    (found,) = problems_of(tmp_path, files)
    assert "fragments that use fragments multiply" in found


@pytest.mark.parametrize("value", ["9223372036854775808", "99999999999999999999"])
def test_a_whole_number_that_json_cannot_hold_is_a_mistake_of_that_record_alone(
    tmp_path: Path, value: str
) -> None:
    shutil.copytree(MAPPINGS / "codes", tmp_path / "codes")
    (tmp_path / "o.yaml").write_text(GOOD + '  valueInteger: "{{ m.value | int }}"\n', "utf-8")
    used = Mappings.load(tmp_path, FIELDS).engine(context())
    record = {"kind": "measurement", "key": "M", "cadre": "C", "visit": "V", "measure": "BIO-CHOL"}
    with pytest.raises(MappingError):
        used.map(record_of({**record, "value": value}))
    assert used.map(record_of({**record, "value": "5"}))[0].resource["valueInteger"] == 5


def test_a_file_that_is_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "hospitals").mkdir()
    files = {"o.yaml": GOOD, "patient.yml": "x", "hospitals/bv-tinh.yml": "x"}
    found = problems_of(tmp_path, files)
    assert [line.partition(":")[0] for line in found] == ["hospitals/bv-tinh.yml", "patient.yml"]
