"""What a quick command must not import: most of its time would be that."""

import subprocess
import sys

import pytest

HEAVY = {
    "httpx",
    "jinja2",
    "structlog",
    "sqlalchemy.dialects.postgresql",
    "adapter.mapping.engine",
    "adapter.fhir.validation.walk",
    "adapter.delivery.worker",
}


@pytest.mark.parametrize("module", ["adapter.insights.status", "adapter.pipeline.application"])
def test_saying_how_things_stand_imports_no_machinery(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert module in loaded.split()
    assert HEAVY.isdisjoint(loaded.split())
