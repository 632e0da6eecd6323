"""What holds for the project as a whole."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def test_the_help_loads_nothing_heavy() -> None:
    """What `adapter --help` imports decides how quick it is; a clock in a test would only flicker."""
    heavy = (
        *("sqlalchemy", "pydantic", "fastapi", "httpx", "openpyxl", "fhir", "alembic", "jinja2"),
        *(
            "adapter.fhir.definitions.types",
            "adapter.fhir.validation.type_shapes",
            "adapter.mapping.loader",
            "yaml",
        ),
    )
    script = (
        "import sys\nfrom adapter.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as done:\n    assert not done.code\n"
        f"print('LOADED', *[name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_hashed_and_name_no_index(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    entries = text.replace("\\\n", " ").splitlines()
    pinned = [line for line in entries if line.strip() and not line.strip().startswith("#")]
    assert pinned
    assert [line for line in pinned if "==" not in line or "--hash=sha256:" not in line] == []


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    locked = {line.split("==")[0].lower() for line in (ROOT / LOCKS[0]).read_text("utf-8").splitlines()}
    wanted = {
        one.split(">")[0].split("[")[0].lower().replace(".", "-")
        for one in project["project"]["dependencies"]
    }
    assert wanted - locked == set()
