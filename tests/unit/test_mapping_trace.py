"""The tracer makes the engine's resources, and knows where every leaf came from."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_support import FIELDS, GOLDEN, MAPPINGS, ROOT, around_of, context, engine, record_of

from adapter.fhir import codec
from adapter.fhir.paths import leaf_values
from adapter.mapping.language.keywords import expression_in
from adapter.mapping.loader import Mappings
from adapter.mapping.trace import ResourceTrace, TracingEngine, ValueOrigin

CASES = sorted(path.parent for path in GOLDEN.glob("*/*/record.json"))
TRACER, PLAIN = TracingEngine(engine(), lambda _kind, _key: True), engine()
OURS = {("resourceType",), ("identifier", 0, "system"), ("identifier", 0, "value")}
OURS_OF_A_TASK = OURS | {
    ("identifier", 0, "type", "coding", 0, name) for name in ("system", "code", "display")
}
OURS_AS_TAG = {("resourceType",), ("meta", "tag", 0, "system"), ("meta", "tag", 0, "code")}


def traced(case: Path) -> list[ResourceTrace]:
    """What the tracer finds, after comparing what it makes with what the engine makes."""
    data = codec.loads((case / "record.json").read_bytes())
    around = around_of(data)
    tracer, record = TracingEngine(engine(), lambda _kind, _key: True), record_of(data)
    made = engine().map(record, **around)
    assert tracer.map(record, **around) == made
    assert [one.mapped for one in tracer.found] == made
    return tracer.found


def by_name(case: str) -> dict[str, ValueOrigin]:
    [found] = traced(GOLDEN / case)
    return {".".join(map(str, path)): origin for path, origin in found.leaves.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_every_leaf_of_what_the_engine_makes_has_an_origin(case: Path) -> None:
    for one in traced(case):
        assert list(one.leaves) == [path for path, _ in leaf_values(one.resource)]
        ours = OURS if "identifier" in one.resource else OURS_AS_TAG
        if one.resource["resourceType"] == "Task":
            ours = OURS_OF_A_TASK
        assert {path for path, origin in one.leaves.items() if origin.place is None} == ours


@pytest.mark.parametrize("case", CASES[::5], ids=lambda case: f"{case.parent.name}/{case.name}")
def test_the_place_of_an_origin_is_where_its_expression_stands(case: Path) -> None:
    for one in traced(case):
        for origin in one.leaves.values():
            if origin.place is None or origin.expression is None:
                continue
            lines = (ROOT / "mappings" / origin.place.file).read_text("utf-8").splitlines()
            written = lines[origin.place.line - 1][origin.place.column - 1 :].strip("\"'")
            assert expression_in(written) == origin.expression


def test_only_what_was_read_is_named() -> None:
    with_time = by_name("observation/blood-pressure")["effectiveDateTime"]
    assert [(read.kind, read.field) for read in with_time.reads] == [("measurement", "taken_at")]
    status = by_name("observation/blood-pressure")["status"]
    assert [lookup.file for lookup in status.lookups] == ["codes/observation-status.csv"]
    assert status.verbs == ("code",)


def test_what_an_each_repeats_has_the_fields_and_verbs_of_its_items() -> None:
    leaves = by_name("observation/blood-pressure")
    first, second = leaves["component.0.valueQuantity.value"], leaves["component.1.valueQuantity.value"]
    assert first.place == second.place
    assert first.verbs == ("parts", "quantity")
    assert {read.field for read in first.reads} == {"measure", "value", "unit"}
    # Whether it keeps the profile of vital signs is judged of both parts at once: systolic and diastolic are
    # two rows of measures.csv, and each part's value hangs on both.
    rows = {(lookup.file, lookup.line) for lookup in first.lookups}
    assert rows == {(lookup.file, lookup.line) for lookup in second.lookups}
    assert {("codes/measures.csv", 3), ("codes/measures.csv", 4)} <= rows


def test_expressions_that_gave_nothing_are_told_too() -> None:
    [found] = traced(GOLDEN / "observation" / "no-unit")
    empty = {path[0]: origin for path, origin in found.empty}
    assert {"valueString", "valueRange"} <= empty.keys()
    assert {read.field for read in empty["valueRange"].reads} == {"measure", "value", "unit"}


FRAGMENTS = """\
fragments:
  made-by:
    - system: http://example.org/made-by
      value: "{{ m.key }}"
  said:
    text: "{{ m.conclusion }}"
"""
REPORT = """\
resource: DiagnosticReport
from: visit
name: council
needs: result
body:
  contained:
    - resourceType: Organization
      id: unit
      name: Tổ xét nghiệm
  extension:
    - url: http://example.org/specimens
      valueInteger: "{{ m.specimens }}"
  identifier: { $use: made-by }
  status: { $value: "{{ m.reason | code('observation-status') }}", $default: final }
  code:
    $use: said
    coding:
      - $value: "{{ m.reason | classified('icd10', m.ended_at) }}"
        $default: { system: http://example.org/none, code: none }
  performer:
    - reference: '#unit'
  issued: "{{ origin.imported_at | instant }}"
  result:
    - $each: "{{ related.measurement }}"
      $as: one
      $when: "{{ one.unit }}"
      $item: "{{ one.key | reference('Observation') }}"
"""
OBSERVATION = """\
resource: Observation
from: measurement
body:
  status: "{{ m.status | code('observation-status') }}"
  code: "{{ m | measured_concept }}"
"""
OVERLAY = """\
hospital: bv-tinh
overlays:
  DiagnosticReport council:
    $remove: [issued]
    meta:
      profile: ["http://example.org/report"]
"""


def _visit(**fields: Any) -> Any:
    known = {"key": "V1", "cadre": "C1", "type": "checkup", "started_at": "2026-03-02T08:00:00+07:00"}
    return record_of({"kind": "visit", **known, **fields})


def _own(folder: Path) -> Mappings:
    shutil.copytree(MAPPINGS / "codes", folder / "codes")
    (folder / "hospitals").mkdir()
    files = {
        "fragments": FRAGMENTS,
        "report": REPORT,
        "observation": OBSERVATION,
        "hospitals/bv-tinh": OVERLAY,
    }
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    return Mappings.load(folder, FIELDS)


@pytest.mark.parametrize("reason", [None, "I10"])
def test_variants_fragments_defaults_overlays_and_contained_resources_are_traced(
    tmp_path: Path, reason: str | None
) -> None:
    mappings, visit = _own(tmp_path), _visit(reason=reason, conclusion="Tốt", specimens=2)
    units = [None, "mmol/L", "mmHg"]
    measured = [
        record_of({"kind": "measurement", "key": f"K{at}", "cadre": "C1", "visit": "V1"}
                  | {"measure": "BIO-GLU", "value": "5.3", "unit": unit})
        for at, unit in enumerate(units)
    ]  # fmt: skip
    origin = SimpleNamespace(source="a.xlsx", sheet="Lượt khám", row=3, imported_at=None)
    around: dict[str, Any] = {"related": {"measurement": measured}, "origin": origin}
    tracer = TracingEngine(mappings.engine(context()), lambda _kind, _key: True)
    assert tracer.map(visit, **around) == mappings.engine(context()).map(visit, **around)
    [found] = tracer.found
    assert list(found.leaves) == [path for path, _ in leaf_values(found.resource)]
    assert {path for path, origin in found.leaves.items() if origin.place is None} == OURS
    leaves = {".".join(map(str, path)): origin for path, origin in found.leaves.items()}
    files = {name: origin.place.file for name, origin in leaves.items() if origin.place}
    assert files["identifier.1.value"] == files["code.text"] == "fragments.yaml"
    assert files["meta.profile.0"] == "hospitals/bv-tinh.yaml"
    assert files["contained.0.name"] == "report.yaml"
    assert [(read.kind, read.key) for read in leaves["result.0.reference"].reads] == [("measurement", "K1")]
    assert [(read.kind, read.key) for read in leaves["result.1.reference"].reads] == [("measurement", "K2")]
    coding = leaves["code.coding.0.code"]
    assert (coding.expression is None) is (reason is None)
    assert [lookup.file for lookup in coding.lookups] == (["codes/systems.csv"] if reason else [])


@settings(max_examples=60, deadline=None)
@given(
    measure=st.sampled_from(["VS-BP", "BIO-CREA", "SER-HIV", "EX-EYE-R", "CLS-TT14", "X-1"])
    | st.text(max_size=8),
    value=st.sampled_from(["5.30", "<0.1", "120/80", "1/80", "5-10", "âm tính", "(+)", "ĐNT 3m"])
    | st.text(min_size=1, max_size=12),
    unit=st.none() | st.sampled_from(["mmHg", "µmol/L", "umol", "G/L"]) | st.text(max_size=6),
    name=st.none() | st.text(max_size=10),
    low=st.none() | st.decimals(0, 99, places=2),
    flag=st.sampled_from([None, "H", "A"]),
    with_visit=st.booleans(),
)
def test_every_leaf_of_any_measurement_has_an_origin(with_visit: bool, **fields: Any) -> None:
    record = record_of({"kind": "measurement", "key": "k", "cadre": "c", "visit": "v", **fields})
    started = "2026-03-02T08:00:00+07:00"
    visit = {"kind": "visit", "key": "v", "cadre": "c", "type": "home", "started_at": started}
    around = {"visit": record_of(visit) if with_visit else None}
    TRACER.found.clear()
    made = TRACER.map(record, **around)
    assert made == PLAIN.map(record, **around)
    for one in TRACER.found:
        assert list(one.leaves) == [path for path, _ in leaf_values(one.resource)]
        assert {path for path, origin in one.leaves.items() if origin.place is None} == OURS


def test_only_chosen_records_are_traced() -> None:
    tracer = TracingEngine(engine(), lambda _kind, _key: False)
    data = codec.loads((CASES[0] / "record.json").read_bytes())
    around = around_of(data)
    assert tracer.map(record_of(data), **around) == engine().map(record_of(data), **around)
    assert tracer.found == []
