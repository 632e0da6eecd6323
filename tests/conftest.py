"""Fixtures that every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.database import migrate, open_database


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated, empty database; store tests run once on each database system."""
    engine = open_database(f"sqlite:///{tmp_path / 'adapter.db'}")
    migrate(engine)
    yield engine
    engine.dispose()
