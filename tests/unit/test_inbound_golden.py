"""Golden pairs of the way back: `document.json` of a hospital beside the `expected.json` that it becomes.

After a deliberate change: `UPDATE_GOLDEN=1 pytest tests/unit/test_inbound_golden.py`, then read the diff.
"""

import os
from pathlib import Path

import pytest
from mapping_support import MAPPINGS, readable

from adapter.fhir import codec
from adapter.insights.inbound_preview import inbound_preview
from adapter.mapping.inbound.loader import inbound_names, load_inbound
from adapter.settings import Settings

PAIRS = Path(__file__).parents[2] / "fixtures" / "inbound"
CASES = sorted(path.parent for path in PAIRS.glob("*/*/document.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_document_becomes_expected_transaction(case: Path) -> None:
    document, expected = (case / "document.json").read_bytes(), case / "expected.json"
    found = inbound_preview(Settings(), case.parent.name, document)
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_bytes(readable(found.bundle))
    assert found.issues == ()
    assert readable(found.bundle) == expected.read_bytes()
    again = inbound_preview(Settings(), case.parent.name, document)
    assert codec.dumps(again.bundle) == codec.dumps(found.bundle)


def test_every_inbound_mapping_has_pairs_of_all_that_it_makes() -> None:
    assert {case.parent.name for case in CASES} == set(inbound_names(MAPPINGS))
    for name in inbound_names(MAPPINGS):
        made = {
            entry["resource"]["resourceType"]
            for path in (PAIRS / name).glob("*/expected.json")
            for entry in codec.loads(path.read_bytes())["entry"]
        }
        assert made == set(load_inbound(MAPPINGS, name).types)


def test_decimals_keep_their_digits_and_what_comes_again_has_the_same_numbers() -> None:
    laboratory, corrected = (
        (PAIRS / "bv-mau" / name / "expected.json").read_text("utf-8") for name in ("laboratory", "corrected")
    )
    assert '"value": 7.80' in laboratory
    assert '"value": 104.0' in laboratory
    number = '"url": "Observation?identifier=https%3A%2F%2Fhospital.example%2Fobservation%7CLAB-1%2FCREA"'
    assert number in laboratory
    assert number in corrected
