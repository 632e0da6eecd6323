"""A centre of real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.testing import Centre


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre with an empty SQLite database."""
    centre = Centre(tmp_path)
    centre.put_server_cards()
    yield centre
    centre.close()


@pytest.fixture
def postgres_centre(tmp_path: Path, postgres_url: str) -> Iterator[Centre]:
    """A centre with an empty PostgreSQL database."""
    centre = Centre(tmp_path, database_url=postgres_url)
    centre.put_server_cards()
    yield centre
    centre.close()
