"""Golden pairs: `record.json` beside the `expected.json` that it becomes, byte for byte.

After a deliberate change: `UPDATE_GOLDEN=1 pytest tests/unit/test_mapping_golden.py`, then read the diff.
"""

import os
from pathlib import Path

import pytest
from mapping_support import GOLDEN, MAPPINGS, SYSTEM, around_of, engine, readable, record_of

from adapter.fhir import codec
from adapter.fhir.bundle import identities_of
from adapter.fhir.validation.checker import check_resource

SEALED = ("health_class", "cadre_class", "health-class")  # what the policy opens to nobody
CASES = sorted(path.parent for path in GOLDEN.glob("*/*/record.json"))


def produce(case: Path) -> object:
    data = codec.loads((case / "record.json").read_bytes())
    around = around_of(data)
    record, used = record_of(data), engine()
    map_ = next(one for one in used.maps_of[record.kind] if one.file == f"{case.parent.name}.yaml")
    made = used.make(map_, record, **around)
    return made.resource if made else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_record_becomes_expected_resource(case: Path) -> None:
    resource = produce(case)
    expected = case / "expected.json"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_bytes(readable(resource))
    assert readable(resource) == expected.read_bytes()
    assert codec.dumps(resource) == codec.dumps(codec.loads(expected.read_bytes()))
    assert codec.dumps(produce(case)) == codec.dumps(resource)
    if resource is not None:
        assert check_resource(codec.loads(codec.dumps(resource))) == []
        assert identities_of(resource, SYSTEM)  # type: ignore[arg-type]


def test_every_mapping_has_pairs_and_nothing_secret_leaves() -> None:
    files = {path.stem for path in MAPPINGS.glob("*.yaml")} - {"disclosure", "fragments"}
    assert {case.parent.name for case in CASES} == files
    open_ = [case for case in CASES if not {case.parent.name, case.name} & {*SEALED}]
    sent = "".join((case / "expected.json").read_text("utf-8") for case in open_)
    for secret in ("Giám đốc Sở", "T4", "B1", "loại III", "CLS-", "CB-0001", "LK-0001"):
        assert secret not in sent
