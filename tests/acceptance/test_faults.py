"""Nothing is lost, doubled or stale after faults of every kind; `make faults` makes more and longer runs."""

from pathlib import Path

import pytest
from faultrun import run_seed
from postgres import Postgres


@pytest.mark.parametrize(("seed", "postgres"), [(101, False), (102, True)])
def test_hospitals_hold_what_they_should_after_faults_and_kills(
    tmp_path: Path, seed: int, postgres: bool
) -> None:
    if postgres and not Postgres.installed():
        pytest.skip("PostgreSQL not found")
    result = run_seed(tmp_path, seed, rounds=1, kills=3, postgres=postgres)
    assert result.wrong == [], f"seed {seed}: {result}"
    assert sum(result.faults.values()) > 0
    assert sum(result.kills.values()) > 0
    assert result.acknowledged > 0
