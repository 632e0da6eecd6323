"""The checker: Observations checked a second, beside the models of fhir.resources; loading all its tables.

Loading is measured in processes of their own: the table, then every type made ready.
"""

import resource
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "identifier": [{"system": "https://centre.example/sid/record", "value": "c9306d5cb23b9fec"}],
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory",
                }
            ]
        }
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "14749-6"}], "text": "Glucose"},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-03-02T08:00:00+07:00",
    "valueQuantity": {
        "value": Decimal("5.30"),
        "unit": "mmol/L",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    },
    "referenceRange": [{"low": {"value": Decimal("3.9"), "unit": "mmol/L"}}],
}
_TIMES = 30_000


def load() -> None:
    """Load all tables and make every type ready; prints seconds and megabytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    from adapter.fhir.definitions import types
    from adapter.fhir.validation import checker  # noqa: F401 - its import is part of the load
    from adapter.fhir.validation.type_shapes import type_shape

    for name in types.types():
        type_shape(name)
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"loading all {len(types.types())} types: {seconds:.2f} s, {grown:.0f} MB")


def rates() -> None:
    """Check the same Observation again and again, by us and by the models; prints both and the ratio."""
    from adapter.fhir.validation.checker import check_resource
    from adapter.fhir.validation.second_opinion import r4b_model

    assert check_resource(OBSERVATION) == []
    start = time.perf_counter()
    for _ in range(_TIMES):
        check_resource(OBSERVATION, second_opinion=False)
    ours = _TIMES / (time.perf_counter() - start)
    validated = r4b_model("Observation").model_validate
    start = time.perf_counter()
    for _ in range(_TIMES // 10):
        validated(OBSERVATION)
    theirs = _TIMES / 10 / (time.perf_counter() - start)
    print(f"checker: {ours:,.0f} Observations a second")
    print(f"fhir.resources: {theirs:,.0f}; the checker is {ours / theirs:.1f} times as fast")


if __name__ == "__main__":
    if "load" in sys.argv:
        load()
    else:
        subprocess.run([sys.executable, __file__, "load"], check=True)
        rates()
